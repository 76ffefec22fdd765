//! One changefeed: runs it, retries it, keeps its state, and tells what holds it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use changefeed_config::{ChangeFeedInfo, ChangeFeedStatus, RunningError, State};
use event_sorter::MemoryQuota;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::FeedError;
use crate::context::Context;
use crate::inquiry::{ANSWER_LIMIT, Question, ask};
use crate::memory::{FeedMemory, MemoryUse};
use crate::metadata::Stored;
use crate::metrics::FeedLabels;
use crate::pipeline::{End, Report};
use crate::run_once::{Beginning, run_once};
use crate::why::{Activity, Facts, StartStep, StoreFacts, Why, explain};

/// First pause after a failed run.
const BACKOFF_FIRST: Duration = Duration::from_secs(1);
/// Longest pause after a failed run.
const BACKOFF_MAX: Duration = Duration::from_secs(60);
/// Shortest pause between two writes of the checkpoint to etcd.
const SAVE_INTERVAL: Duration = Duration::from_millis(200);

/// What is known of a changefeed now.
#[derive(Debug, Clone)]
pub struct FeedView {
    /// Configuration and state.
    pub info: Arc<ChangeFeedInfo>,
    /// Everything up to here was delivered.
    pub checkpoint_ts: u64,
    /// Everything up to here was received.
    pub resolved_ts: u64,
    /// Physical tables that are followed.
    pub tables: usize,
    /// The physical table that is furthest behind.
    pub slowest_table: Option<i64>,
    /// DDLs that were not sent yet.
    pub pending_ddls: usize,
}

/// What the task of a changefeed does.
pub(crate) enum Phase {
    /// There is no task, or it has ended.
    Idle,
    /// A run begins.
    Starting(StartStep),
    /// A run is under way; its event loop answers questions.
    Running(mpsc::Sender<Question>),
    /// The next run begins then.
    Waiting(Instant),
}

/// Attempts to store the checkpoint.
struct Saving {
    /// What was stored last.
    saved_ts: u64,
    /// Why the last attempt failed, and when the first of those in a row did.
    failing: Option<(String, Instant)>,
    /// When the attempt that is under way began.
    begun: Option<Instant>,
}

/// Memory of a changefeed with this configuration: no more than that of the process.
fn memory_limit(context: &Context, info: &ChangeFeedInfo) -> usize {
    usize::try_from(info.config.memory_quota).unwrap_or(usize::MAX).min(context.quota.limit())
}

/// A changefeed of the owner.
pub(crate) struct Feed {
    /// Id.
    id: String,
    /// What changefeeds share.
    context: Arc<Context>,
    /// What is known now.
    view: Mutex<FeedView>,
    /// The task that runs it, with what stops it.
    task: Mutex<Option<(CancellationToken, JoinHandle<()>)>>,
    /// What the task does, and since when.
    phase: Mutex<(Phase, Instant)>,
    /// When this process changed the state last.
    state_since: Mutex<Option<Instant>>,
    /// The stored checkpoint.
    saving: Mutex<Saving>,
    /// Its memory, a part of the process's.
    quota: Arc<MemoryQuota>,
}

impl Feed {
    /// A changefeed as it was stored; it does not run yet.
    pub(crate) fn new(context: Arc<Context>, stored: Stored) -> Arc<Self> {
        let checkpoint_ts = stored.status.checkpoint_ts;
        let view = FeedView {
            info: Arc::new(stored.info),
            checkpoint_ts,
            resolved_ts: checkpoint_ts,
            tables: 0,
            slowest_table: None,
            pending_ddls: 0,
        };
        let quota = context.quota.child(memory_limit(&context, &view.info));
        context.metrics.accounts.add(&stored.id, &quota);
        context.crowd.enter();
        Arc::new(Self {
            id: stored.id,
            context,
            view: Mutex::new(view),
            task: Mutex::new(None),
            phase: Mutex::new((Phase::Idle, Instant::now())),
            state_since: Mutex::new(None),
            saving: Mutex::new(Saving { saved_ts: checkpoint_ts, failing: None, begun: None }),
            quota,
        })
    }

    /// Notes what the task does.
    fn note_phase(&self, phase: Phase) {
        *self.phase.lock() = (phase, Instant::now());
    }

    /// Memory in use.
    pub(crate) fn memory(&self) -> FeedMemory {
        FeedMemory { own: MemoryUse::of(&self.quota), process: MemoryUse::of(&self.context.quota) }
    }

    /// What holds the checkpoint at `now_ts`.
    pub(crate) async fn why(&self, now_ts: u64) -> Why {
        let (questions, mut activity) = {
            let phase = self.phase.lock();
            let since = phase.1.elapsed();
            match &phase.0 {
                Phase::Idle => (None, Activity::Idle),
                Phase::Starting(step) => (None, Activity::Starting { step: *step, since }),
                Phase::Waiting(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    (None, Activity::Retrying { left })
                }
                Phase::Running(questions) => (Some(questions.clone()), Activity::Silent(ANSWER_LIMIT)),
            }
        };
        if let Some(questions) = questions
            && let Some(run) = ask(&questions).await
        {
            activity = Activity::Running(Box::new(run));
        }
        let view = self.view();
        let store = {
            let saving = self.saving.lock();
            StoreFacts {
                saved_ts: saving.saved_ts,
                failing: saving.failing.as_ref().map(|(reason, since)| (reason.clone(), since.elapsed())),
                saving: saving.begun.map(|begun| begun.elapsed()),
            }
        };
        let state_for = self.state_since.lock().map(|since| since.elapsed());
        explain(&Facts {
            id: self.id.clone(),
            now_ts,
            state: view.info.state,
            state_for,
            error: view.info.error.clone(),
            checkpoint_ts: view.checkpoint_ts,
            resolved_ts: view.resolved_ts,
            activity,
            store,
            memory: self.memory(),
        })
    }

    /// Id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// What is known now.
    pub(crate) fn view(&self) -> FeedView {
        self.view.lock().clone()
    }

    /// Its checkpoint, if it holds back the removal of old versions.
    pub(crate) fn holds_versions_at(&self) -> Option<u64> {
        let view = self.view.lock();
        view.info.blocks_gc().then_some(view.checkpoint_ts)
    }

    /// Starts the task if the state says that the changefeed runs.
    pub(crate) fn start(self: &Arc<Self>) {
        let state = self.view.lock().info.state;
        self.context.metrics.status.get_or_create(&FeedLabels::new(&self.id)).set(state.metric());
        let mut task = self.task.lock();
        if state.is_running() && task.is_none() {
            let stop = CancellationToken::new();
            let handle = tokio::spawn(Arc::clone(self).run(stop.clone()));
            *task = Some((stop, handle));
        }
    }

    /// Stops the task and waits for its end; the checkpoint is saved.
    pub(crate) async fn stop(&self) {
        let task = self.task.lock().take();
        if let Some((stop, handle)) = task {
            stop.cancel();
            if let Err(error) = handle.await {
                warn!(changefeed = %self.id, %error, "changefeed task");
            }
        }
        if let Err(error) = self.save_checkpoint().await {
            warn!(changefeed = %self.id, %error, "cannot save the checkpoint; rows after the last one are sent again");
        }
    }

    /// Sets state and error, and stores them.
    pub(crate) async fn set_state(&self, state: State, error: Option<FeedError>) -> Result<(), FeedError> {
        let info = {
            let mut view = self.view.lock();
            let running = error.map(|error| RunningError {
                time: Timestamp::now().to_string(),
                addr: self.context.advertise_addr.clone(),
                code: error.code,
                message: error.message,
            });
            if view.info.state == state && same_error(&view.info.error, &running) {
                return Ok(());
            }
            if view.info.state != state {
                *self.state_since.lock() = Some(Instant::now());
            }
            let info = Arc::make_mut(&mut view.info);
            (info.state, info.error) = (state, running);
            Arc::clone(&view.info)
        };
        self.context.metrics.status.get_or_create(&FeedLabels::new(&self.id)).set(state.metric());
        info!(changefeed = %self.id, state = state.name(), "changefeed state");
        self.context.metadata.save_info(&self.id, &info).await
    }

    /// Replaces the configuration of a changefeed that does not run.
    pub(crate) async fn replace(
        &self,
        info: ChangeFeedInfo,
        checkpoint_ts: Option<u64>,
    ) -> Result<(), FeedError> {
        self.context.metadata.save_info(&self.id, &info).await?;
        {
            let mut view = self.view.lock();
            self.quota.set_limit(memory_limit(&self.context, &info));
            *self.state_since.lock() = Some(Instant::now());
            view.info = Arc::new(info);
            if let Some(ts) = checkpoint_ts {
                view.checkpoint_ts = ts;
                view.resolved_ts = ts;
            }
        }
        self.save_checkpoint().await
    }

    /// Stores the checkpoint.
    async fn save_checkpoint(&self) -> Result<(), FeedError> {
        let checkpoint_ts = self.view.lock().checkpoint_ts;
        let status =
            ChangeFeedStatus { checkpoint_ts, min_table_barrier_ts: checkpoint_ts, admin_job_type: 0 };
        self.saving.lock().begun = Some(Instant::now());
        let outcome = self.context.metadata.save_status(&self.id, &status).await;
        let mut saving = self.saving.lock();
        saving.begun = None;
        match &outcome {
            Ok(()) => (saving.saved_ts, saving.failing) = (checkpoint_ts, None),
            Err(error) => {
                let since = saving.failing.as_ref().map_or_else(Instant::now, |(_, since)| *since);
                saving.failing = Some((error.to_string(), since));
            }
        }
        outcome
    }

    /// The task.
    async fn run(self: Arc<Self>, stop: CancellationToken) {
        self.run_on(stop).await;
        self.note_phase(Phase::Idle);
    }

    /// Runs, and runs again after errors, until stopped, finished or failed for good.
    async fn run_on(&self, stop: CancellationToken) {
        let mut backoff = BACKOFF_FIRST;
        let mut trouble_since: Option<(u64, Instant)> = None;
        while !stop.is_cancelled() {
            let started_at = self.view.lock().checkpoint_ts;
            let error = match self.run_watched(&stop).await {
                Ok(End::Stopped) => return,
                Ok(End::Finished) => {
                    self.note_state(State::Finished, None).await;
                    return;
                }
                Err(error) => error,
            };
            let checkpoint = self.view.lock().checkpoint_ts;
            if checkpoint > started_at {
                (backoff, trouble_since) = (BACKOFF_FIRST, None);
            }
            let since = trouble_since.get_or_insert((checkpoint, Instant::now())).1;
            let limit = self.view.lock().info.config.changefeed_error_stuck_duration.0;
            let fatal = error.is_fast_fail() || since.elapsed() >= limit;
            warn!(changefeed = %self.id, %error, fatal, "changefeed met an error");
            self.note_state(if fatal { State::Failed } else { State::Warning }, Some(error)).await;
            if fatal {
                return;
            }
            let pause = backoff.mul_f64(rand::random_range(0.9..1.1));
            backoff = (backoff * 2).min(BACKOFF_MAX);
            self.note_phase(Phase::Waiting(Instant::now() + pause));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Sets the state; a failure to store it is logged, and made up for by the next change.
    async fn note_state(&self, state: State, error: Option<FeedError>) {
        if let Err(error) = self.set_state(state, error).await {
            warn!(changefeed = %self.id, %error, "cannot store the state");
        }
    }

    /// One run, with its reports turned into view, state, metrics and stored checkpoints.
    async fn run_watched(&self, stop: &CancellationToken) -> Result<End, FeedError> {
        let (info, checkpoint_ts) = {
            let view = self.view.lock();
            (view.info.clone(), view.checkpoint_ts)
        };
        let first = Report { checkpoint_ts, resolved_ts: checkpoint_ts, ..Report::default() };
        let (sender, receiver) = watch::channel(first);
        let watcher = self.watch(receiver, checkpoint_ts, stop);
        let quota = Arc::clone(&self.quota);
        let beginning = Beginning { id: &self.id, info: &info, checkpoint_ts, quota };
        let note = |phase| self.note_phase(phase);
        let running = run_once(&self.context, beginning, sender, &note, stop.clone());
        // The watcher ends when the run drops its end of the channel.
        let (outcome, ()) = tokio::join!(running, watcher);
        outcome
    }

    /// Follows the reports of a run.
    async fn watch(&self, mut reports: watch::Receiver<Report>, started_at: u64, stop: &CancellationToken) {
        let labels = FeedLabels::new(&self.id);
        let mut saved = started_at;
        while reports.changed().await.is_ok() {
            let report = reports.borrow_and_update().clone();
            {
                let mut view = self.view.lock();
                view.checkpoint_ts = report.checkpoint_ts;
                view.resolved_ts = report.resolved_ts;
                view.tables = report.tables;
                view.slowest_table = report.slowest_table;
                view.pending_ddls = report.pending_ddls;
            }
            self.context.metrics.progress(&labels, report.checkpoint_ts, report.resolved_ts, report.tables);
            match report.trouble {
                Some(error) => self.note_state(State::Warning, Some(error)).await,
                None if report.checkpoint_ts > started_at => self.note_state(State::Normal, None).await,
                None => {}
            }
            if report.checkpoint_ts > saved {
                match self.save_checkpoint().await {
                    Ok(()) => saved = report.checkpoint_ts,
                    Err(error) => warn!(changefeed = %self.id, %error, "cannot save the checkpoint"),
                }
                // Reports that come meanwhile are folded into one: etcd sees a bounded rate. Who stops the changefeed
                // does not wait for that.
                tokio::select! {
                    () = tokio::time::sleep(self.context.crowd.pause(SAVE_INTERVAL)) => {}
                    () = stop.cancelled() => {}
                }
            }
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.context.crowd.leave();
    }
}

/// True if both say the same, whenever they were seen.
fn same_error(a: &Option<RunningError>, b: &Option<RunningError>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => a.code == b.code && a.message == b.message,
        _ => false,
    }
}
