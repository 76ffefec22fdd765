//! Rows in memory with their order.

use crate::row::{Position, SortedRow, compare};

/// What is compared when sorting: small enough to be moved cheaply, and decisive without a look at the row except
/// inside one transaction.
#[derive(Clone, Copy)]
struct SortKey {
    /// Commit ts of the row.
    commit_ts: u64,
    /// Start ts of the row.
    start_ts: u64,
    /// Kind of the row in the highest byte, its index below.
    kind_and_index: u64,
}

/// Bits of [`SortKey::kind_and_index`] that hold the index.
const INDEX_BITS: u32 = 56;

impl SortKey {
    /// The key of a row at an index.
    fn new(row: &SortedRow, index: u64) -> Self {
        Self {
            commit_ts: row.commit_ts,
            start_ts: row.start_ts,
            kind_and_index: (row.kind() as u64) << INDEX_BITS | index,
        }
    }

    /// Everything but the row key.
    fn head(self) -> (u64, u64, u64) {
        (self.commit_ts, self.start_ts, self.kind_and_index >> INDEX_BITS)
    }

    /// Index of the row.
    fn index(self) -> usize {
        (self.kind_and_index & ((1 << INDEX_BITS) - 1)) as usize
    }
}

/// Sorted rows without duplicates. The rows stay where they are; `order` says how to read them.
#[derive(Debug, Default)]
pub(crate) struct Segment {
    /// Rows in order of arrival.
    rows: Vec<SortedRow>,
    /// Indices into `rows`, in order of output.
    order: Vec<usize>,
    /// How many entries of `order` have been taken.
    taken: usize,
}

impl Segment {
    /// Sorts rows and drops repeated deliveries.
    pub(crate) fn sort(rows: Vec<SortedRow>) -> Self {
        let mut keys: Vec<SortKey> =
            rows.iter().zip(0_u64..).map(|(row, index)| SortKey::new(row, index)).collect();
        let row_key = |key: &SortKey| rows.get(key.index()).map_or(&[][..], |row| row.key.as_ref());
        keys.sort_by(|left, right| {
            left.head().cmp(&right.head()).then_with(|| row_key(left).cmp(row_key(right)))
        });
        keys.dedup_by(|next, kept| next.head() == kept.head() && row_key(next) == row_key(kept));
        let order = keys.into_iter().map(SortKey::index).collect();
        Self { rows, order, taken: 0 }
    }

    /// Rows that have not been taken.
    pub(crate) fn len(&self) -> usize {
        self.order.len() - self.taken
    }

    /// The row at an ordinal, counted from the first row ever, taken or not.
    pub(crate) fn get(&self, ordinal: usize) -> Option<&SortedRow> {
        self.rows.get(*self.order.get(ordinal)?)
    }

    /// The next row.
    pub(crate) fn peek(&self) -> Option<&SortedRow> {
        self.get(self.taken)
    }

    /// Position of the next row.
    pub(crate) fn position(&self) -> Option<Position<'_>> {
        self.peek().map(SortedRow::position)
    }

    /// Takes the next row.
    pub(crate) fn take(&mut self) -> Option<SortedRow> {
        let row = self.rows.get_mut(*self.order.get(self.taken)?)?;
        self.taken += 1;
        Some(std::mem::take(row))
    }

    /// The remaining rows, in order.
    pub(crate) fn into_rest(mut self) -> impl Iterator<Item = SortedRow> {
        std::iter::from_fn(move || self.take())
    }

    /// Weight of all rows that have not been taken.
    pub(crate) fn weight(&self) -> usize {
        (self.taken..self.order.len()).filter_map(|ordinal| self.get(ordinal)).map(SortedRow::weight).sum()
    }

    /// Largest commit ts.
    pub(crate) fn last_commit_ts(&self) -> Option<u64> {
        self.get(self.order.len().checked_sub(1)?).map(|row| row.commit_ts)
    }

    /// Checks the order in debug builds.
    pub(crate) fn debug_check(&self) {
        debug_assert!(
            (self.taken + 1..self.order.len()).all(|ordinal| {
                match (self.get(ordinal - 1), self.get(ordinal)) {
                    (Some(left), Some(right)) => compare(left, right).is_lt(),
                    _ => false,
                }
            }),
            "segment out of order"
        );
    }
}
