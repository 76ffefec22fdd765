//! The answer, in the shape of the API.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::memory::FeedMemory;

/// The part of the pipeline that holds the checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Nothing holds it.
    None,
    /// The changefeed does not run.
    State,
    /// The stores, and the subscriptions of their regions.
    Source,
    /// The DDL jobs, without which rows can't be decoded.
    Schema,
    /// A DDL that must be delivered in its place.
    Ddl,
    /// The event loop.
    Pipeline,
    /// Memory is used up.
    Memory,
    /// Rows that wait on disk or for the disk.
    Sorter,
    /// Encoder threads.
    Encoder,
    /// Kafka.
    Sink,
    /// PD's etcd, where the checkpoint is stored.
    CheckpointStore,
}

/// What exactly holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Nothing does: the lag is the time that things take.
    Healthy,
    /// A user has paused the changefeed.
    Paused,
    /// An error that retrying does not cure.
    Failed,
    /// The target ts was reached.
    Finished,
    /// The changefeed was removed.
    Removed,
    /// A run begins.
    Starting,
    /// The last run ended with an error; the next begins by itself.
    Retrying,
    /// The event loop did not answer.
    Silent,
    /// A lock of a transaction that is open.
    LiveLock,
    /// A range whose region is not known.
    RegionLookup,
    /// A region that waits for an older one of the same keys.
    RegionWaiting,
    /// A region that waits for its scan.
    RegionQueued,
    /// A region that is scanned.
    RegionScanning,
    /// A region that is tried again after an error.
    RegionRetrying,
    /// A store that does not move the resolved ts of a region, without a lock that was found.
    StoreBehind,
    /// A table without a subscription.
    NotSubscribed,
    /// Changes that wait for the event loop.
    EventsWaiting,
    /// Memory is used up, and streams are not read.
    MemoryQuota,
    /// The disk takes no rows and memory is full.
    SorterDisk,
    /// Rows that are ready wait for encoder threads.
    Encoding,
    /// No broker can be reached.
    BrokerUnreachable,
    /// Messages that a partition has not acknowledged.
    Unacknowledged,
    /// Large messages that are not yet where the claim-checks point to.
    StoringLargeMessages,
    /// Rows that are ready wait for room in the producer.
    SinkFull,
    /// A DDL that was sent and is not acknowledged.
    DdlSending,
    /// A DDL that waits for the rows before it.
    DdlWaiting,
    /// Nothing: the changefeed is about to finish.
    TargetReached,
    /// Rows are delivered, but the stored checkpoint does not move.
    CheckpointNotStored,
}

/// Seconds with milliseconds.
fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_millis() as f64 / 1000.0)
}

/// The same for one that may be missing.
fn maybe_seconds<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => seconds(duration, serializer),
        None => serializer.serialize_none(),
    }
}

/// A physical table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TableAnswer {
    /// Physical id: of the table, or of a partition.
    pub physical_id: i64,
    /// Database; empty if the table is not known any more.
    pub database_name: String,
    /// Table.
    pub table_name: String,
}

impl std::fmt::Display for TableAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.table_name.as_str() {
            "" => write!(f, "table {}", self.physical_id),
            name => write!(f, "table {}.{name} (physical id {})", self.database_name, self.physical_id),
        }
    }
}

/// A region and its store.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RegionAnswer {
    /// The region; absent while it is looked up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region_id: Option<u64>,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// Address of the store that is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
    /// `queued`, `scanning`, `live`, `retrying`; absent if it is not subscribed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<&'static str>,
    /// For how long it has been in that stage.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "maybe_seconds",
        rename = "stage_seconds"
    )]
    pub stage_for: Option<Duration>,
    /// How far it is.
    pub resolved_ts: u64,
    /// First key of its part of the table, encoded, in hexadecimal.
    pub start_key: String,
    /// End of the part.
    pub end_key: String,
    /// Regions of the table in the same subscription.
    pub regions: usize,
    /// The last error in the subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<ErrorAnswer>,
}

/// A lock of a live transaction.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LockAnswer {
    /// Start ts of the transaction.
    pub start_ts: u64,
    /// Primary key of the transaction, raw, in hexadecimal.
    pub primary_key: String,
    /// The primary key in words, if it is a row's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary_row: Option<String>,
    /// A locked key, raw, in hexadecimal.
    pub key: String,
    /// The locked key in words, if it is a row's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<String>,
    /// Time since the transaction began.
    #[serde(serialize_with = "seconds", rename = "age_seconds")]
    pub age: Duration,
    /// Life of the transaction from its start, unless its client makes it longer.
    #[serde(serialize_with = "seconds", rename = "ttl_seconds")]
    pub ttl: Duration,
    /// How long ago the lock was seen.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "maybe_seconds",
        rename = "seen_seconds_ago"
    )]
    pub seen_ago: Option<Duration>,
    /// Other live transactions with locks in the region.
    pub other_transactions: usize,
}

/// A DDL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DdlAnswer {
    /// Job id.
    pub job_id: i64,
    /// Kind, in TiDB's words.
    #[serde(rename = "type")]
    pub action: String,
    /// The statement as typed.
    pub query: String,
    /// When it finished.
    pub finished_ts: u64,
    /// True if it was sent and is not acknowledged.
    pub sent: bool,
    /// Tables whose earlier rows must be delivered first.
    pub waits_for: Vec<TableAnswer>,
}

/// Messages on their way to Kafka.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KafkaAnswer {
    /// `host:port` of the brokers, joined by commas.
    pub brokers: String,
    /// What the client says is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Topic of the oldest messages that were not acknowledged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Their partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<i32>,
    /// How many.
    pub unacknowledged_messages: usize,
    /// Age of the oldest.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "maybe_seconds",
        rename = "oldest_unacknowledged_seconds"
    )]
    pub oldest: Option<Duration>,
    /// Other partitions with messages of the same age.
    pub other_partitions: usize,
    /// Bytes that were sent and not acknowledged.
    pub in_flight_bytes: usize,
    /// Encoding waits while more than this is in flight.
    pub in_flight_limit_bytes: usize,
}

/// An error.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ErrorAnswer {
    /// `CDC:Err…`, or the kind of a region's error.
    pub code: String,
    /// In words.
    pub message: String,
    /// When it was met, if that is known as a time.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub time: String,
    /// How long ago it was met, if that is known.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "maybe_seconds",
        rename = "seconds_ago"
    )]
    pub ago: Option<Duration>,
}

/// Rows that wait in the sorter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SorterAnswer {
    /// Bytes in memory.
    pub memory_bytes: usize,
    /// Bytes on disk.
    pub disk_bytes: u64,
}

/// What holds the checkpoint of a changefeed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Why {
    /// Id of the changefeed.
    pub id: String,
    /// Keyspace.
    pub keyspace: &'static str,
    /// One line for people.
    pub summary: String,
    /// True if nothing holds the checkpoint but the time that things take.
    pub healthy: bool,
    /// State, as in the other routes.
    pub state: &'static str,
    /// The part of the pipeline.
    pub stage: Stage,
    /// What exactly.
    pub reason: Reason,
    /// What would free it.
    pub frees: String,
    /// The checkpoint.
    pub checkpoint_ts: u64,
    /// Everything up to here was received.
    pub resolved_ts: u64,
    /// Time between now and the checkpoint.
    #[serde(serialize_with = "seconds", rename = "lag_seconds")]
    pub lag: Duration,
    /// For how long it has been so, as far as that is known.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "maybe_seconds",
        rename = "held_seconds"
    )]
    pub held_for: Option<Duration>,
    /// The table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<TableAnswer>,
    /// The region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<RegionAnswer>,
    /// The lock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock: Option<LockAnswer>,
    /// The DDL, or one that waits for the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ddl: Option<DdlAnswer>,
    /// Topic and partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kafka: Option<KafkaAnswer>,
    /// The error of the state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorAnswer>,
    /// Rows in the sorter, while the changefeed runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sorter: Option<SorterAnswer>,
    /// Memory in use.
    pub memory: FeedMemory,
}
