//! What is known of a changefeed when somebody asks.

use std::time::Duration;

use changefeed_config::{RunningError, State};
use tikv_cdc::SpanReport;

use super::answer::TableAnswer;
use crate::memory::FeedMemory;
use crate::progress::Unacknowledged;
use crate::table::Position;

/// Everything that the decision is made from.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// Id of the changefeed.
    pub(crate) id: String,
    /// The cluster's time.
    pub(crate) now_ts: u64,
    /// State.
    pub(crate) state: State,
    /// Since when, as far as this process knows.
    pub(crate) state_for: Option<Duration>,
    /// The error of the state.
    pub(crate) error: Option<RunningError>,
    /// The checkpoint that users see.
    pub(crate) checkpoint_ts: u64,
    /// Everything up to here was received.
    pub(crate) resolved_ts: u64,
    /// What the changefeed does.
    pub(crate) activity: Activity,
    /// The stored checkpoint.
    pub(crate) store: StoreFacts,
    /// Memory.
    pub(crate) memory: FeedMemory,
}

/// What a changefeed does.
#[derive(Debug, Clone)]
pub(crate) enum Activity {
    /// Nothing: it is paused, or at an end.
    Idle,
    /// A run begins.
    Starting {
        /// What is being done.
        step: StartStep,
        /// For how long.
        since: Duration,
    },
    /// The last run ended with an error, and the next will begin.
    Retrying {
        /// Time until then.
        left: Duration,
    },
    /// A run is under way.
    Running(Box<RunFacts>),
    /// A run is under way, and its event loop did not answer within this time.
    Silent(Duration),
}

/// What is done at the beginning of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StartStep {
    /// The schema is read from TiKV.
    Schema,
    /// The broker is asked for the topic.
    Sink,
    /// The sorter's folder is cleaned.
    Sorter,
}

/// The stored checkpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StoreFacts {
    /// The checkpoint that was stored last.
    pub(crate) saved_ts: u64,
    /// Why the last attempt failed, and for how long attempts have failed.
    pub(crate) failing: Option<(String, Duration)>,
    /// For how long an attempt has been under way.
    pub(crate) saving: Option<Duration>,
}

/// What the event loop of a run knows.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunFacts {
    /// The checkpoint.
    pub(crate) checkpoint_ts: u64,
    /// For how long it has been there.
    pub(crate) checkpoint_for: Duration,
    /// The schema is known up to here.
    pub(crate) schema_ts: u64,
    /// The subscription of the DDL jobs.
    pub(crate) schema_source: Option<SpanReport>,
    /// Where the changefeed ends; `u64::MAX` for nowhere.
    pub(crate) target_ts: u64,
    /// The physical table that is furthest behind.
    pub(crate) slowest: Option<TableFacts>,
    /// The oldest DDL that was not sent.
    pub(crate) ddl: Option<DdlFacts>,
    /// The producer.
    pub(crate) sink: SinkFacts,
    /// The sorter.
    pub(crate) sorter: SorterFacts,
}

/// A physical table.
#[derive(Debug, Clone, Default)]
pub(crate) struct TableFacts {
    /// Which.
    pub(crate) table: TableAnswer,
    /// Everything up to here was acknowledged.
    pub(crate) checkpoint_ts: u64,
    /// Everything up to here has arrived at the event loop.
    pub(crate) resolved_ts: u64,
    /// Where its rows are.
    pub(crate) position: Position,
    /// True if it waits for room in the producer.
    pub(crate) parked: bool,
    /// Its subscription.
    pub(crate) source: Option<SpanReport>,
    /// The oldest DDL that waits for it.
    pub(crate) ddl: Option<DdlFacts>,
}

/// A DDL that was not sent, or not acknowledged.
#[derive(Debug, Clone, Default)]
pub(crate) struct DdlFacts {
    /// Job id.
    pub(crate) job_id: i64,
    /// Kind of the job.
    pub(crate) action: String,
    /// The statement as typed.
    pub(crate) query: String,
    /// When it finished.
    pub(crate) finished_ts: u64,
    /// If it is on its way: since when, and what was not acknowledged.
    pub(crate) sending: Option<(Duration, Vec<Unacknowledged>)>,
    /// Tables that it waits for, the slowest first; not all of them if there are many.
    pub(crate) behind: Vec<TableAnswer>,
}

/// The producer.
#[derive(Debug, Clone, Default)]
pub(crate) struct SinkFacts {
    /// Brokers.
    pub(crate) brokers: String,
    /// Why nothing can be delivered, and for how long.
    pub(crate) trouble: Option<(String, Option<Duration>)>,
    /// Bytes that were sent and not acknowledged.
    pub(crate) in_flight_bytes: usize,
    /// Tables wait while more than this is in flight.
    pub(crate) in_flight_limit: usize,
    /// Where large messages are stored.
    pub(crate) claim_checks: Option<String>,
}

/// The sorter.
#[derive(Debug, Clone, Default)]
pub(crate) struct SorterFacts {
    /// Bytes of rows in memory.
    pub(crate) memory_bytes: usize,
    /// Bytes of rows on disk.
    pub(crate) disk_bytes: u64,
    /// Why rows can't be written to disk while memory is full, and for how long: nothing is received meanwhile.
    pub(crate) refused: Option<(String, Duration)>,
}
