//! The row type of the sorter and its order.

use std::cmp::Ordering;

use bytes::Bytes;

/// Bytes that one row costs beside its key and values: the row itself and its place in the sort order.
pub(crate) const ROW_OVERHEAD: usize = std::mem::size_of::<SortedRow>() + 8;

/// One committed row change. Keys and values are usually slices of a larger allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SortedRow {
    /// Raw (not memcomparable) record key.
    pub key: Bytes,
    /// New value; empty for a delete.
    pub value: Bytes,
    /// Value before the change; empty for an insert.
    pub old_value: Bytes,
    /// Start ts of the transaction.
    pub start_ts: u64,
    /// Commit ts of the transaction.
    pub commit_ts: u64,
}

/// What a change does to its row. The order is that inside a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowKind {
    /// The row goes away.
    Delete,
    /// The row existed and gets a new value.
    Update,
    /// The row did not exist.
    Insert,
}

impl SortedRow {
    /// Delete, update or insert, told from which values are empty.
    pub fn kind(&self) -> RowKind {
        if self.value.is_empty() {
            RowKind::Delete
        } else if self.old_value.is_empty() {
            RowKind::Insert
        } else {
            RowKind::Update
        }
    }

    /// True if both rows belong to the same transaction.
    pub fn same_transaction(&self, other: &Self) -> bool {
        self.commit_ts == other.commit_ts && self.start_ts == other.start_ts
    }

    /// Bytes of key and values.
    pub fn payload(&self) -> usize {
        self.key.len() + self.value.len() + self.old_value.len()
    }

    /// Bytes that the row counts for when the sorter decides what to keep in memory.
    pub(crate) fn weight(&self) -> usize {
        self.payload() + ROW_OVERHEAD
    }

    /// Position in the order of output.
    pub(crate) fn position(&self) -> Position<'_> {
        Position { commit_ts: self.commit_ts, start_ts: self.start_ts, kind: self.kind(), key: &self.key }
    }
}

/// Place of a row in the order of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position<'a> {
    /// First criterion.
    pub(crate) commit_ts: u64,
    /// Second criterion.
    pub(crate) start_ts: u64,
    /// Third criterion.
    pub(crate) kind: RowKind,
    /// Last criterion.
    pub(crate) key: &'a [u8],
}

/// A position that owns its key.
#[derive(Clone, Debug)]
pub(crate) struct OwnedPosition {
    /// See [`Position`].
    pub(crate) commit_ts: u64,
    /// See [`Position`].
    start_ts: u64,
    /// See [`Position`].
    kind: RowKind,
    /// See [`Position`].
    key: Box<[u8]>,
}

impl OwnedPosition {
    /// Copies a position.
    pub(crate) fn of(position: Position<'_>) -> Self {
        Self {
            commit_ts: position.commit_ts,
            start_ts: position.start_ts,
            kind: position.kind,
            key: position.key.into(),
        }
    }

    /// Borrows it.
    pub(crate) fn borrow(&self) -> Position<'_> {
        Position { commit_ts: self.commit_ts, start_ts: self.start_ts, kind: self.kind, key: &self.key }
    }
}

/// Order of two rows; rows that compare equal are deliveries of one change.
pub(crate) fn compare(left: &SortedRow, right: &SortedRow) -> Ordering {
    left.position().cmp(&right.position())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row with the given values.
    fn row(value: &'static str, old: &'static str) -> SortedRow {
        SortedRow {
            key: Bytes::from_static(b"k"),
            value: Bytes::from_static(value.as_bytes()),
            old_value: Bytes::from_static(old.as_bytes()),
            start_ts: 1,
            commit_ts: 2,
        }
    }

    #[test]
    fn deletes_come_before_updates_before_inserts() {
        let rows = [row("", "o"), row("v", "o"), row("v", "")];
        assert_eq!(rows.each_ref().map(SortedRow::kind), [RowKind::Delete, RowKind::Update, RowKind::Insert]);
        assert!(rows.is_sorted_by(|a, b| compare(a, b) == Ordering::Less));
    }
}
