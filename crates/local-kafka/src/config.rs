//! Settings of an embedded broker.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::limits;

/// When appended records are forced to stable storage.
///
/// Whatever the policy, a batch is written to its segment file (the operating system's page cache) before it is
/// acknowledged with `acks=1` or `acks=all`: a killed broker process loses nothing it acknowledged. The policies
/// differ in what a power failure or a kernel crash may take.
///
/// Broker metadata (topics, configurations, producer ids, committed offsets) is always forced to disk before it is
/// acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlushPolicy {
    /// Written files are synced in the background, one round after the other with at least this pause between the
    /// starts of two rounds. Power failure: up to one round of acknowledged records may be lost.
    Background(Duration),
    /// A batch is acknowledged after the sync which covers it; batches which arrive during a sync share the next one.
    /// Power failure: no acknowledged record is lost.
    BeforeAck,
    /// Writing back is left to the operating system.
    OperatingSystem,
}

/// Settings of topics, and the defaults for topics which do not set their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicConfig {
    /// Largest record batch in bytes (`max.message.bytes`).
    pub max_message_bytes: i32,
    /// Age in milliseconds after which whole segments are deleted (`retention.ms`), -1 for never.
    pub retention_ms: i64,
    /// Size in bytes of a partition above which its oldest segments are deleted (`retention.bytes`), -1 for never.
    pub retention_bytes: i64,
    /// Size in bytes at which a segment file is closed (`segment.bytes`).
    pub segment_bytes: i64,
}

impl Default for TopicConfig {
    fn default() -> Self {
        Self {
            max_message_bytes: limits::DEFAULT_MAX_MESSAGE_BYTES,
            retention_ms: -1,
            retention_bytes: -1,
            segment_bytes: limits::DEFAULT_SEGMENT_BYTES,
        }
    }
}

/// Settings of an embedded broker. [`KafkaConfig::new`] fills everything but the address and the directory.
#[derive(Debug, Clone)]
pub struct KafkaConfig {
    /// Address to listen on; port 0 takes a free port.
    pub addr: SocketAddr,
    /// Host and port told to clients. `None` tells each client the address it connected to, which is right for
    /// localhost and for container names alike.
    pub advertised: Option<(String, u16)>,
    /// Directory of all files of the broker; created if absent, locked while the broker runs.
    pub data_dir: PathBuf,
    /// Partitions of topics which are created without a number of partitions.
    pub default_partitions: i32,
    /// Whether asking for an unknown topic creates it.
    pub auto_create_topics: bool,
    /// Id of this (only) node.
    pub node_id: i32,
    /// Defaults of topic settings.
    pub topic_defaults: TopicConfig,
    /// When records are forced to disk.
    pub flush: FlushPolicy,
    /// Time in which the first members of an empty group gather.
    pub initial_rebalance_delay: Duration,
    /// Connections served at the same time; further ones are closed at once.
    pub max_connections: usize,
    /// Largest request in bytes; a larger one closes its connection.
    pub max_frame_bytes: usize,
    /// Connections without traffic are closed after this time.
    pub idle_timeout: Duration,
}

impl KafkaConfig {
    /// Settings for a broker on `addr` with its files in `data_dir`, and the defaults for everything else.
    pub fn new(addr: SocketAddr, data_dir: impl Into<PathBuf>) -> Self {
        Self {
            addr,
            advertised: None,
            data_dir: data_dir.into(),
            default_partitions: 1,
            auto_create_topics: true,
            node_id: 1,
            topic_defaults: TopicConfig::default(),
            flush: FlushPolicy::Background(Duration::from_millis(20)),
            initial_rebalance_delay: limits::INITIAL_REBALANCE_DELAY,
            max_connections: limits::MAX_CONNECTIONS,
            max_frame_bytes: limits::MAX_FRAME_BYTES,
            idle_timeout: limits::IDLE_TIMEOUT,
        }
    }
}
