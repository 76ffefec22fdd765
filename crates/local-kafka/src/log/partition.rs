//! One partition: what readers see of it, and what only its I/O thread touches.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};
use uuid::Uuid;

use super::producers::ProducerTable;
use super::segment::Segment;
use super::waiters::{Waiter, WaiterList};
use crate::config::TopicConfig;

/// Which partition a log belongs to.
#[derive(Debug, Clone)]
pub(crate) struct PartitionId {
    /// Name of the topic, for messages.
    pub(crate) topic: Arc<str>,
    /// Id of the topic.
    pub(crate) topic_id: Uuid,
    /// Number of the partition.
    pub(crate) index: i32,
}

impl std::fmt::Display for PartitionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.topic, self.index)
    }
}

/// First visible offset and end of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Watermarks {
    /// First offset a reader may ask for.
    pub(crate) log_start: i64,
    /// Offset behind the last record.
    pub(crate) end: i64,
}

/// The part of a partition which readers share with its I/O thread.
#[derive(Debug)]
pub(super) struct LogState {
    /// First visible offset.
    pub(super) log_start: i64,
    /// Segments by offset; the last one is being written. Empty until the first append.
    pub(super) segments: Vec<Segment>,
    /// The topic was deleted.
    pub(super) closed: bool,
}

impl LogState {
    /// Offset behind the last record.
    pub(super) fn end(&self) -> i64 {
        self.segments.last().map_or(self.log_start, |s| s.end_offset)
    }
}

/// The part of a partition which only its I/O thread touches.
#[derive(Debug)]
pub(super) struct Writer {
    /// Idempotent producers.
    pub(super) producers: ProducerTable,
    /// A write failed: the files have to be read again before the next one.
    pub(super) stale: bool,
}

/// The log of one partition.
#[derive(Debug)]
pub(crate) struct PartitionLog {
    /// Which partition this is.
    pub(super) id: PartitionId,
    /// Its directory; created by the first append.
    pub(super) dir: PathBuf,
    /// Settings of the topic.
    pub(super) config: Arc<RwLock<TopicConfig>>,
    /// Segments and offsets.
    pub(super) state: RwLock<LogState>,
    /// State of the I/O thread.
    pub(super) writer: Mutex<Writer>,
    /// Waiting fetch requests.
    pub(super) waiters: WaiterList,
    /// Bytes appended since the broker started.
    pub(super) appended: AtomicU64,
}

impl PartitionLog {
    /// Which partition this is.
    pub(crate) fn id(&self) -> &PartitionId {
        &self.id
    }

    /// Settings of the topic.
    pub(crate) fn config(&self) -> TopicConfig {
        *self.config.read()
    }

    /// First visible offset and end; `None` if the topic was deleted.
    pub(crate) fn watermarks(&self) -> Option<Watermarks> {
        let state = self.state.read();
        (!state.closed).then(|| Watermarks { log_start: state.log_start, end: state.end() })
    }

    /// Bytes of all segment files.
    pub(crate) fn size(&self) -> u64 {
        self.state.read().segments.iter().map(|s| s.size).sum()
    }

    /// Bytes appended since the broker started; grows before waiters are rung.
    pub(crate) fn appended_bytes(&self) -> u64 {
        self.appended.load(Ordering::Acquire)
    }

    /// Rings `waiter` at every append from now on.
    pub(crate) fn register(&self, waiter: &Waiter) {
        self.waiters.register(waiter);
    }

    /// Ends [`PartitionLog::register`].
    pub(crate) fn unregister(&self, waiter: &Waiter) {
        self.waiters.unregister(waiter);
    }
}
