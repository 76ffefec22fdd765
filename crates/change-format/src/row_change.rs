//! One change of one row, as TiKV tells it.

/// A change of a row: raw key, value after and value before, in TiDB's encodings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowChange<'a> {
    /// Start timestamp of the transaction.
    pub start_ts: u64,
    /// Commit timestamp of the transaction.
    pub commit_ts: u64,
    /// Key of the row; a key-space prefix is allowed.
    pub key: &'a [u8],
    /// The row after; empty if it was deleted.
    pub value: &'a [u8],
    /// The row before; empty if it was inserted.
    pub old_value: &'a [u8],
}

/// What a change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowKind {
    /// The row goes. Deletes come first within a transaction.
    Delete,
    /// The row changes.
    Update,
    /// The row comes.
    Insert,
}

impl<'a> RowChange<'a> {
    /// What the change does; `None` for a row that came and went within its transaction, which nobody is told of.
    pub fn kind(&self) -> Option<RowKind> {
        match (self.value.is_empty(), self.old_value.is_empty()) {
            (true, true) => None,
            (true, false) => Some(RowKind::Delete),
            (false, true) => Some(RowKind::Insert),
            (false, false) => Some(RowKind::Update),
        }
    }

    /// The first half of a split UPDATE: the row before goes.
    pub fn delete_half(&self) -> Self {
        Self { value: &[], ..*self }
    }

    /// The second half of a split UPDATE: the row after comes. It is sent after the last row of the transaction.
    pub fn insert_half(&self) -> Self {
        Self { old_value: &[], ..*self }
    }
}

impl RowKind {
    /// The word in `type`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Delete => "DELETE",
            Self::Update => "UPDATE",
            Self::Insert => "INSERT",
        }
    }
}
