//! One run of a changefeed: an event loop that moves rows, DDLs and watermarks towards Kafka in the right order.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidb_schema::{DdlEffect, TableVersion};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use crate::FeedError;
use crate::barrier::{Barriers, Concern, DdlKey};
use crate::ddl_tracker::{DDL_JOB_TABLE_ID, DdlTracker};
use crate::inquiry::Question;
use crate::intake::Intake;
use crate::progress::{Batch, Shipment};
use crate::signal::{DDL_SLOT, WATERMARK_SLOT};
use crate::source::{Source, SourceEvent};
use crate::table::{Run, TablePipe};
use crate::watermark::Watermarks;
use crate::worker::WorkerPool;

/// Source events that are handled before progress is looked at.
const EVENTS_PER_TURN: usize = 256;
/// How often progress is reported when nothing happens.
const IDLE_TURN: Duration = Duration::from_millis(500);
/// Old schema versions are dropped after this many.
const VERSIONS_KEPT: usize = 64;

/// What a run reports to its changefeed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Report {
    /// Everything up to here was delivered.
    pub(crate) checkpoint_ts: u64,
    /// Everything up to here was received.
    pub(crate) resolved_ts: u64,
    /// Why nothing can be delivered or received at the moment; the run goes on when that is over.
    pub(crate) trouble: Option<FeedError>,
    /// Physical tables that are followed.
    pub(crate) tables: usize,
    /// What the slowest table waits for.
    pub(crate) slowest_table: Option<i64>,
    /// DDLs that were not sent yet.
    pub(crate) pending_ddls: usize,
}

/// What comes into the event loop.
pub(crate) struct Inbound {
    /// Rows and resolved timestamps.
    pub(crate) events: mpsc::Receiver<SourceEvent>,
    /// Questions of people.
    pub(crate) questions: mpsc::Receiver<Question>,
}

/// How a run ended without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Someone asked for it.
    Stopped,
    /// The target ts was reached.
    Finished,
}

/// A table with what the loop knows of it.
pub(crate) struct Entry {
    /// The table.
    pub(crate) pipe: Arc<TablePipe>,
    /// No more rows up to here will come.
    pub(crate) resolved_ts: u64,
    /// Its place in `Pipeline::by_checkpoint`.
    pub(crate) checkpoint_ts: u64,
    /// Subscription that events must belong to.
    generation: u64,
}

/// The event loop of a run.
pub(crate) struct Pipeline {
    /// What tables share.
    pub(crate) run: Arc<Run>,
    /// Threads that encode.
    workers: Arc<WorkerPool>,
    /// Rows come from there.
    pub(crate) source: Arc<dyn Source>,
    /// Rows arrive here.
    events: mpsc::Receiver<SourceEvent>,
    /// Questions arrive here.
    questions: mpsc::Receiver<Question>,
    /// DDL jobs.
    pub(crate) ddl: DdlTracker,
    /// Tables by physical id.
    pub(crate) tables: HashMap<i64, Entry>,
    /// Tables by checkpoint.
    pub(crate) by_checkpoint: BTreeSet<(u64, i64)>,
    /// Tables that got further than the schema.
    ahead_of_schema: HashSet<i64>,
    /// DDLs that were not sent yet.
    pub(crate) barriers: Barriers<DdlEffect>,
    /// The DDL that is on its way.
    pub(crate) sending: Option<(DdlKey, Arc<Batch>)>,
    /// When the checkpoint moved last.
    pub(crate) checkpoint_since: Instant,
    /// Whether events are taken.
    pub(crate) intake: Intake,
    /// Watermarks.
    watermarks: Watermarks,
    /// The question to the brokers whether they are back.
    probe: Option<tokio::task::JoinHandle<()>>,
    /// Changes after this ts are not wanted; `u64::MAX` for all.
    pub(crate) target_ts: u64,
    /// Number of the next subscription.
    next_generation: u64,
    /// Where reports go.
    report: watch::Sender<Report>,
}

impl Pipeline {
    /// A run that begins after `start_ts` with the schema in `run`.
    pub(crate) fn new(
        run: Arc<Run>,
        workers: Arc<WorkerPool>,
        source: Arc<dyn Source>,
        inbound: Inbound,
        start_ts: u64,
        target_ts: u64,
        report: watch::Sender<Report>,
    ) -> Self {
        let ddl = DdlTracker::new(start_ts, run.schema.read().latest());
        Self {
            run,
            workers,
            source,
            events: inbound.events,
            questions: inbound.questions,
            ddl,
            tables: HashMap::new(),
            by_checkpoint: BTreeSet::new(),
            ahead_of_schema: HashSet::new(),
            barriers: Barriers::default(),
            sending: None,
            checkpoint_since: Instant::now(),
            intake: Intake::new(),
            watermarks: Watermarks::new(start_ts),
            probe: None,
            target_ts: if target_ts == 0 { u64::MAX } else { target_ts },
            next_generation: 0,
            report,
        }
    }

    /// Runs until the target ts, an error, or `stop`.
    pub(crate) async fn run(mut self, start_ts: u64, stop: CancellationToken) -> Result<End, FeedError> {
        self.subscribe_all(start_ts);
        let outcome = self.turn_until(stop).await;
        self.source.unsubscribe(DDL_JOB_TABLE_ID);
        for table in self.tables.keys() {
            self.source.unsubscribe(*table);
        }
        let sink = Arc::clone(&self.run.sink);
        if let Err(error) = tokio::task::spawn_blocking(move || sink.close()).await {
            debug!(%error, "closing the sink");
        }
        outcome
    }

    /// The loop.
    async fn turn_until(&mut self, stop: CancellationToken) -> Result<End, FeedError> {
        let mut events = Vec::with_capacity(EVENTS_PER_TURN);
        let signal = Arc::clone(&self.run.signal);
        loop {
            let takes_events = self.intake.is_open();
            tokio::select! {
                () = stop.cancelled() => return Ok(End::Stopped),
                () = signal.wait() => {}
                Some(question) = self.questions.recv() => {
                    self.answer(question);
                    continue;
                }
                end = self.intake.pause() => self.intake.note(end),
                count = self.events.recv_many(&mut events, EVENTS_PER_TURN), if takes_events => {
                    if count == 0 {
                        return Err(FeedError::new("CDC:ErrPipelineClosed", "the change source ended"));
                    }
                    for event in events.drain(..) {
                        self.take(event)?;
                    }
                    self.intake.look(&self.run.sorter);
                }
                () = tokio::time::sleep(IDLE_TURN) => {}
            }
            self.intake.look_again(&self.run.sorter);
            if let Some(error) = signal.take_error() {
                return Err(error);
            }
            self.advance()?;
            if self.report_progress() >= self.target_ts {
                return Ok(End::Finished);
            }
        }
    }

    /// Everything up to here was delivered.
    pub(crate) fn checkpoint_ts(&self) -> u64 {
        self.report.borrow().checkpoint_ts
    }

    /// Why nothing can be delivered or received at the moment.
    fn trouble(&self) -> Option<FeedError> {
        let sink = self.run.sink.trouble().map(|trouble| {
            FeedError::new(
                "CDC:ErrKafkaSendMessage",
                format!(
                    "kafka send message failed: {}; the changefeed goes on by itself when a broker is back",
                    trouble.reason
                ),
            )
        });
        sink.or_else(|| self.intake.refused().map(|(error, _)| FeedError::from(error.clone())))
    }

    /// True if rows of this version of a table are wanted.
    fn wants(&self, version: &TableVersion) -> bool {
        self.run.settings.wants(version)
    }

    /// Follows the DDL jobs and every wanted table.
    fn subscribe_all(&mut self, start_ts: u64) {
        let generation = self.generation();
        self.source.subscribe(DDL_JOB_TABLE_ID, generation, start_ts);
        let tables = self.run.settings.wanted(self.run.schema.read().latest());
        for id in tables.iter().flat_map(|version| version.info.physical_ids()) {
            self.add_table(id, start_ts);
        }
        info!(tables = self.tables.len(), start_ts, "changefeed follows its tables");
    }

    /// The number of a new subscription.
    fn generation(&mut self) -> u64 {
        self.next_generation += 1;
        self.next_generation
    }

    /// Follows one more table.
    fn add_table(&mut self, id: i64, start_ts: u64) {
        if self.tables.contains_key(&id) {
            return;
        }
        let generation = self.generation();
        let pipe = TablePipe::new(id, start_ts, Arc::clone(&self.run));
        self.by_checkpoint.insert((start_ts, id));
        self.tables.insert(id, Entry { pipe, resolved_ts: start_ts, checkpoint_ts: start_ts, generation });
        self.source.subscribe(id, generation, start_ts);
    }

    /// Stops following a table.
    fn remove_table(&mut self, id: i64) {
        if let Some(entry) = self.tables.remove(&id) {
            self.by_checkpoint.remove(&(entry.checkpoint_ts, id));
            self.ahead_of_schema.remove(&id);
            self.source.unsubscribe(id);
            self.run.sorter.remove_table(id);
        }
    }

    /// Takes one event of the source.
    fn take(&mut self, event: SourceEvent) -> Result<(), FeedError> {
        match event {
            SourceEvent::Rows { table: DDL_JOB_TABLE_ID, rows, .. } => self.ddl.push(&rows),
            SourceEvent::Resolved { table: DDL_JOB_TABLE_ID, ts, .. } => self.schema_resolved(ts),
            SourceEvent::Rows { table, generation, rows } => match self.tables.get(&table) {
                Some(entry) if entry.generation == generation => entry.pipe.push(rows),
                _ => Ok(()),
            },
            SourceEvent::Resolved { table, generation, ts } => match self.tables.get_mut(&table) {
                Some(entry) if entry.generation == generation && ts > entry.resolved_ts => {
                    entry.resolved_ts = ts;
                    entry.pipe.resolve(ts)?;
                    self.allow(table);
                    Ok(())
                }
                _ => Ok(()),
            },
            SourceEvent::Failed { error, .. } => Err(error),
        }
    }

    /// The schema is known up to `ts`.
    fn schema_resolved(&mut self, ts: u64) -> Result<(), FeedError> {
        for effect in self.ddl.resolve(ts, &self.run.schema)? {
            if effect.finished_ts <= self.target_ts {
                self.learn(effect);
            }
        }
        for table in std::mem::take(&mut self.ahead_of_schema) {
            self.allow(table);
        }
        Ok(())
    }

    /// Puts a DDL in front of the tables that it concerns, and follows the tables that it makes.
    fn learn(&mut self, effect: DdlEffect) {
        if effect.changes.is_empty() && effect.events.is_empty() {
            debug!(job = effect.job_id, action = ?effect.action, reason = ?effect.ignored, "DDL without effect");
            return;
        }
        let ts = effect.finished_ts;
        for version in effect.changes.iter().filter_map(|change| change.after.clone()) {
            if self.wants(&version) {
                for id in version.info.physical_ids() {
                    self.add_table(id, ts);
                }
            }
        }
        let names = effect.events.iter().flat_map(|event| {
            event
                .old_name
                .iter()
                .map(|(schema, _)| schema.to_lowercase())
                .chain([event.schema.to_lowercase()])
        });
        let changed =
            effect.changes.iter().filter_map(|change| change.latest()).map(|table| table.schema.l.clone());
        let concern = Concern {
            tables: effect.affected().into_iter().collect(),
            schemas: names.chain(changed).collect(),
        };
        self.barriers.push(ts, concern, effect);
    }

    /// Tells a table how far it may go.
    fn allow(&mut self, table: i64) {
        let Some(entry) = self.tables.get_mut(&table) else { return };
        let schema_ts = self.ddl.resolved_ts();
        if entry.resolved_ts > schema_ts {
            self.ahead_of_schema.insert(table);
        }
        let limit = self.barriers.limit(table).unwrap_or(u64::MAX);
        let upper = entry.resolved_ts.min(schema_ts).min(limit).min(self.target_ts);
        entry.pipe.allow(upper, &self.workers);
        self.refresh(table);
    }

    /// Brings the checkpoint of a table up to date.
    fn refresh(&mut self, table: i64) {
        let Some(entry) = self.tables.get_mut(&table) else { return };
        let checkpoint = entry.pipe.checkpoint();
        if checkpoint != entry.checkpoint_ts {
            self.by_checkpoint.remove(&(entry.checkpoint_ts, table));
            self.by_checkpoint.insert((checkpoint, table));
            entry.checkpoint_ts = checkpoint;
        }
    }

    /// Looks at news of workers and of the sink.
    fn advance(&mut self) -> Result<(), FeedError> {
        for slot in self.run.signal.take_slots() {
            if slot != DDL_SLOT && slot != WATERMARK_SLOT {
                self.refresh(slot);
            }
        }
        for table in self.run.signal.take_stored() {
            if let Some(entry) = self.tables.get(&table) {
                entry.pipe.schedule(&self.workers);
            }
        }
        if self.run.signal.has_parked() && self.run.in_flight_bytes() < self.run.in_flight_limit / 2 {
            for table in self.run.signal.take_parked() {
                if let Some(entry) = self.tables.get(&table) {
                    entry.pipe.schedule(&self.workers);
                }
            }
        }
        if self.run.sink.trouble().is_some() && self.probe.as_ref().is_none_or(|probe| probe.is_finished()) {
            let sink = Arc::clone(&self.run.sink);
            self.probe = Some(tokio::task::spawn_blocking(move || sink.probe()));
        }
        while self.advance_ddl()? {}
        Ok(())
    }

    /// Finishes the DDL that was on its way, or sends the next that may go; true if something changed.
    fn advance_ddl(&mut self) -> Result<bool, FeedError> {
        if let Some((key, batch)) = &self.sending {
            if !batch.is_done() {
                return Ok(false);
            }
            let key = *key;
            self.sending = None;
            self.release(key)?;
            return Ok(true);
        }
        let tables = &self.tables;
        let checkpoint = |id: i64| tables.get(&id).map(|entry| entry.checkpoint_ts);
        let Some((key, effect)) = self.barriers.ready(checkpoint) else { return Ok(false) };
        // Before consumers hear of it: the user must decide first, and the DDL comes again when the changefeed goes on.
        for change in &effect.changes {
            self.run.settings.check_still_eligible(change)?;
        }
        let messages = self.run.settings.ddl_messages(effect)?;
        if messages.is_empty() {
            self.release(key)?;
            return Ok(true);
        }
        let signal = Arc::clone(&self.run.signal);
        let mut shipment = Shipment::open(DDL_SLOT, key.0, key.0, Arc::clone(&signal));
        self.sending = Some((key, Arc::clone(shipment.batch())));
        let (sink, quota) = (Arc::clone(&self.run.sink), Arc::clone(&self.run.quota));
        tokio::task::spawn_blocking(move || {
            let mut send = || {
                for message in &messages {
                    sink.partitions(&message.topic)?;
                    let topic = Arc::from(message.topic.as_str());
                    let parcel = shipment.add(&topic, 0, message.value.len());
                    sink.send(&topic, 0, None, &message.value, parcel)?;
                }
                Ok(())
            };
            match send() {
                Ok(()) => drop(shipment.seal(&quota)),
                Err(error) => signal.fail(error),
            }
        });
        Ok(false)
    }

    /// A DDL was delivered: its tables go on, dropped ones end.
    fn release(&mut self, key: DdlKey) -> Result<(), FeedError> {
        let Some((effect, concerned)) = self.barriers.release(key) else { return Ok(()) };
        let wanted: HashSet<i64> = effect
            .changes
            .iter()
            .filter_map(|change| change.after.as_ref())
            .filter(|version| self.wants(version))
            .flat_map(|version| version.info.physical_ids())
            .collect();
        for table in concerned {
            if wanted.contains(&table) {
                self.allow(table);
            } else {
                self.remove_table(table);
            }
        }
        let mut schema = self.run.schema.write();
        if schema.versions() > VERSIONS_KEPT {
            let oldest = self.by_checkpoint.first().map_or(key.0, |(ts, _)| *ts).min(key.0);
            schema.collect(oldest.saturating_sub(1));
        }
        Ok(())
    }

    /// Works out the checkpoint, sends a watermark if it is time, and reports; returns the checkpoint.
    fn report_progress(&mut self) -> u64 {
        let held = self.barriers.oldest().map_or(u64::MAX, |ts| ts - 1);
        let ceiling = self.ddl.resolved_ts().min(held).min(self.target_ts);
        let slowest = self.by_checkpoint.first().copied();
        let previous = self.checkpoint_ts();
        let checkpoint = slowest.map_or(ceiling, |(ts, _)| ts.min(ceiling)).max(previous);
        if checkpoint > previous {
            self.checkpoint_since = Instant::now();
        }
        let is_final = checkpoint >= self.target_ts;
        if let Err(error) = self.watermarks.advance(checkpoint, is_final, &self.run) {
            self.run.signal.fail(error);
        }
        let report = Report {
            checkpoint_ts: checkpoint,
            resolved_ts: self.ddl.resolved_ts().max(checkpoint),
            trouble: self.trouble(),
            tables: self.tables.len(),
            slowest_table: slowest.map(|(_, table)| table),
            pending_ddls: self.barriers.len(),
        };
        self.report.send_if_modified(|old| {
            let changed = *old != report;
            *old = report;
            changed
        });
        checkpoint
    }
}
