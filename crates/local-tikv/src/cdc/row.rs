//! Row changes on their way to change feeds.

use bytes::Bytes;
use tikv_proto::cdcpb::event::{LogType, Row, row::OpType};

/// What happened to the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowKind {
    /// Locked with its new value.
    Prewrite,
    /// The lock was committed.
    Commit,
    /// The lock was undone.
    Rollback,
    /// Written and committed in one step.
    Committed,
}

/// The value before a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OldValue {
    /// Known; empty if there was none.
    Known(Bytes),
    /// Not read, because nobody listened when the change was made: it is what was visible at this timestamp.
    Unread {
        /// That timestamp.
        read_ts: u64,
    },
}

/// A change of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowChange {
    /// What happened.
    pub(crate) kind: RowKind,
    /// Raw key.
    pub(crate) key: Bytes,
    /// Start timestamp of the transaction.
    pub(crate) start_ts: u64,
    /// Commit timestamp; 0 before the commit.
    pub(crate) commit_ts: u64,
    /// A value was put (else: the row was deleted).
    pub(crate) is_put: bool,
    /// The new value, where the kind carries one.
    pub(crate) value: Bytes,
    /// The value before.
    pub(crate) old_value: OldValue,
    /// Source tag of the transaction.
    pub(crate) txn_source: u64,
}

/// Bytes that a row takes beside its key and values.
const ROW_OVERHEAD: usize = 48;
/// Bits of a source tag that hold the id of the cluster a row was replicated from.
const CDC_SOURCE_MASK: u64 = 0xFF;
/// Bits that mark rows rewritten by a lossy schema change.
const LOSSY_DDL_MASK: u64 = 0xFF00;
/// Bit that marks rows of a physical import.
const PHYSICAL_IMPORT_BIT: u64 = 1 << 16;

/// Whether rows with this source tag are kept from a feed.
pub(crate) const fn is_filtered(txn_source: u64, filter_loop: bool) -> bool {
    txn_source & (LOSSY_DDL_MASK | PHYSICAL_IMPORT_BIT) != 0
        || (filter_loop && txn_source & CDC_SOURCE_MASK != 0)
}

/// Size of a row in a frame, in bytes.
pub(crate) fn row_size(row: &Row) -> usize {
    ROW_OVERHEAD + row.key.len() + row.value.len() + row.old_value.len()
}

impl RowChange {
    /// The row in protocol form, with its old value.
    pub(crate) fn to_row(&self, old_value: Bytes) -> Row {
        let log_type = match self.kind {
            RowKind::Prewrite => LogType::Prewrite,
            RowKind::Commit => LogType::Commit,
            RowKind::Rollback => LogType::Rollback,
            RowKind::Committed => LogType::Committed,
        };
        let op_type = match self.kind {
            RowKind::Rollback => OpType::Unknown,
            _ if self.is_put => OpType::Put,
            _ => OpType::Delete,
        };
        Row {
            start_ts: self.start_ts,
            commit_ts: self.commit_ts,
            r#type: log_type.into(),
            op_type: op_type.into(),
            key: self.key.clone(),
            value: self.value.clone(),
            old_value,
            txn_source: self.txn_source,
            ..Row::default()
        }
    }
}
