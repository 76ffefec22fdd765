//! One changefeed: runs it, retries it, and keeps its state.

use std::sync::Arc;
use std::time::{Duration, Instant};

use changefeed_config::{ChangeFeedInfo, ChangeFeedStatus, RunningError, State};
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::FeedError;
use crate::context::Context;
use crate::metadata::Stored;
use crate::metrics::FeedLabels;
use crate::pipeline::{End, Report};
use crate::run_once::run_once;

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
    pub info: ChangeFeedInfo,
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
}

impl Feed {
    /// A changefeed as it was stored; it does not run yet.
    pub(crate) fn new(context: Arc<Context>, stored: Stored) -> Arc<Self> {
        let checkpoint_ts = stored.status.checkpoint_ts;
        let view = FeedView {
            info: stored.info,
            checkpoint_ts,
            resolved_ts: checkpoint_ts,
            tables: 0,
            slowest_table: None,
            pending_ddls: 0,
        };
        Arc::new(Self { id: stored.id, context, view: Mutex::new(view), task: Mutex::new(None) })
    }

    /// Id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// What is known now.
    pub(crate) fn view(&self) -> FeedView {
        self.view.lock().clone()
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
            view.info.state = state;
            view.info.error = running;
            view.info.clone()
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
            view.info = info;
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
        self.context.metadata.save_status(&self.id, &status).await
    }

    /// Runs, and runs again after errors, until stopped, finished or failed for good.
    async fn run(self: Arc<Self>, stop: CancellationToken) {
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
        let watcher = self.watch(receiver, checkpoint_ts);
        let running = run_once(&self.context, &self.id, &info, checkpoint_ts, sender, stop.clone());
        // The watcher ends when the run drops its end of the channel.
        let (outcome, ()) = tokio::join!(running, watcher);
        outcome
    }

    /// Follows the reports of a run.
    async fn watch(&self, mut reports: watch::Receiver<Report>, started_at: u64) {
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
                Some(reason) => {
                    let error = FeedError::new(
                        "CDC:ErrKafkaSendMessage",
                        format!(
                            "kafka send message failed: {reason}; the changefeed goes on by itself when a broker is back"
                        ),
                    );
                    self.note_state(State::Warning, Some(error)).await;
                }
                None if report.checkpoint_ts > started_at => self.note_state(State::Normal, None).await,
                None => {}
            }
            if report.checkpoint_ts > saved {
                match self.save_checkpoint().await {
                    Ok(()) => saved = report.checkpoint_ts,
                    Err(error) => warn!(changefeed = %self.id, %error, "cannot save the checkpoint"),
                }
                // Reports that come meanwhile are folded into one: etcd sees a bounded rate.
                tokio::time::sleep(SAVE_INTERVAL).await;
            }
        }
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
