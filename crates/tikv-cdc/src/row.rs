//! Committed row changes as the change stream delivers them.

use bytes::Bytes;
use event_sorter::SortedRow;
use tikv_proto::cdcpb::event::row::OpType;

/// What the transaction did to the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Insert or update.
    Put,
    /// Delete.
    Delete,
}

/// One committed change of one key. The bytes are slices of the received frame (or of a copy of its prewrites), which
/// stays in memory, and charged to the quota, as long as any of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowChange {
    /// Raw key (no memcomparable encoding).
    pub key: Bytes,
    /// New value; empty for a delete.
    pub value: Bytes,
    /// Value before; empty for an insert, or when the store did not have it any more.
    pub old_value: Bytes,
    /// Start ts of the transaction.
    pub start_ts: u64,
    /// Commit ts of the transaction.
    pub commit_ts: u64,
    /// Put or delete.
    pub op: Op,
}

impl From<RowChange> for SortedRow {
    fn from(row: RowChange) -> Self {
        Self {
            key: row.key,
            value: row.value,
            old_value: row.old_value,
            start_ts: row.start_ts,
            commit_ts: row.commit_ts,
        }
    }
}

impl Op {
    /// Reads the wire form; `None` for a kind that is not known.
    pub(crate) fn from_wire(op: i32) -> Option<Self> {
        match OpType::try_from(op) {
            Ok(OpType::Put) => Some(Self::Put),
            Ok(OpType::Delete) => Some(Self::Delete),
            Ok(OpType::Unknown) | Err(_) => None,
        }
    }
}
