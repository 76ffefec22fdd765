//! INSERT halves of split updates, held back to the end of their transaction.
//!
//! An UPDATE that changes a key is sent as a DELETE in its place and an INSERT at the end of the transaction, so that no
//! INSERT meets a row that the same transaction still has to take away. A large transaction may hold back more than
//! fits into memory: then the halves go to the sorter, under a table id of their own, which spills them like any other
//! rows and gives them back in the same order.

use event_sorter::{FetchLimit, SortedRow, Sorter};

use crate::FeedError;

/// Bytes of rows that stay in memory from one step of a table to the next; TiCDC, too, calls a transaction large above
/// 1 MiB (pipeline reference, scan rules).
const MEMORY: usize = 1 << 20;

/// What a table holds back.
#[derive(Default)]
pub(crate) struct HeldBack {
    /// Rows in memory, in order.
    rows: Vec<SortedRow>,
    /// Their bytes.
    bytes: usize,
    /// Commit ts of the rows in the sorter, if there are any.
    spilled: Option<u64>,
    /// True once the transaction has ended and the rows in the sorter are being sent.
    sending: bool,
}

/// The sorter's id for what a table holds back. Ids of tables are not negative.
fn side_table(table: i64) -> i64 {
    !table
}

impl HeldBack {
    /// Holds a row back.
    pub(crate) fn push(&mut self, row: SortedRow) {
        self.bytes += row.payload();
        self.rows.push(row);
    }

    /// Rows that there is room for in memory.
    pub(crate) fn capacity(&self) -> usize {
        self.rows.capacity()
    }

    /// True if rows of the present transaction are in the sorter: they must be sent in steps of their own.
    pub(crate) fn is_spilled(&self) -> bool {
        self.spilled.is_some()
    }

    /// True while rows in the sorter are being sent: nothing else may be.
    pub(crate) fn is_sending(&self) -> bool {
        self.sending
    }

    /// Moves rows to the sorter if they take too much memory. Called between steps, so that a transaction that fits one
    /// step never gets there. May wait for the disk.
    pub(crate) fn make_room(&mut self, table: i64, sorter: &Sorter) -> Result<(), FeedError> {
        if self.bytes > MEMORY { self.spill(table, sorter) } else { Ok(()) }
    }

    /// Moves rows to the sorter.
    fn spill(&mut self, table: i64, sorter: &Sorter) -> Result<(), FeedError> {
        let Some(first) = self.rows.first() else { return Ok(()) };
        if self.spilled.is_none() {
            sorter.add_table(side_table(table), first.commit_ts.saturating_sub(1));
            self.spilled = Some(first.commit_ts);
        }
        self.bytes = 0;
        sorter.push(side_table(table), std::mem::take(&mut self.rows))?;
        Ok(sorter.wait_writable()?)
    }

    /// The transaction has ended: returns its rows, or prepares those in the sorter to be sent.
    pub(crate) fn end(&mut self, table: i64, sorter: &Sorter) -> Result<Vec<SortedRow>, FeedError> {
        if let Some(commit_ts) = self.spilled {
            self.spill(table, sorter)?;
            sorter.resolve(side_table(table), commit_ts)?;
            self.sending = true;
        }
        self.bytes = 0;
        Ok(std::mem::take(&mut self.rows))
    }

    /// The next rows to send; when there are no more, what was held back is over.
    pub(crate) fn next(
        &mut self,
        table: i64,
        sorter: &Sorter,
        limit: FetchLimit,
    ) -> Result<Vec<SortedRow>, FeedError> {
        let Some(commit_ts) = self.spilled else { return Ok(Vec::new()) };
        let batch = sorter.fetch(side_table(table), commit_ts, limit)?;
        if batch.exhausted {
            self.forget(table, sorter);
        }
        Ok(batch.rows)
    }

    /// Drops everything.
    pub(crate) fn forget(&mut self, table: i64, sorter: &Sorter) {
        if self.spilled.is_some() {
            sorter.remove_table(side_table(table));
        }
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use event_sorter::{MemoryQuota, SorterConfig};

    use super::*;

    /// An insert of 1 kB.
    fn row(number: u64) -> SortedRow {
        SortedRow {
            key: Bytes::copy_from_slice(&number.to_be_bytes()),
            value: Bytes::from(vec![number as u8; 1000]),
            start_ts: 5,
            commit_ts: 9,
            ..SortedRow::default()
        }
    }

    #[test]
    fn what_does_not_fit_into_memory_comes_back_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let quota = MemoryQuota::new(64 << 20);
        let config = SorterConfig { memory_limit: 1 << 20, ..SorterConfig::default() };
        let sorter = Sorter::open(dir.path(), config, quota).unwrap();
        let limit = FetchLimit { rows: 300, bytes: 1 << 20 };
        let mut held = HeldBack::default();
        for transaction in 0..2 {
            for number in 0..5_000 {
                held.push(row(number));
                if number % 100 == 99 {
                    held.make_room(7, &sorter).unwrap();
                }
                assert!(held.bytes <= MEMORY + 200_000);
            }
            assert!(held.is_spilled() && !held.is_sending());
            assert!(held.end(7, &sorter).unwrap().is_empty());
            let mut back = Vec::new();
            while held.is_sending() {
                let rows = held.next(7, &sorter, limit).unwrap();
                assert!(rows.len() <= 300);
                back.extend(rows);
            }
            assert!(back.into_iter().eq((0..5_000).map(row)), "transaction {transaction}");
            assert_eq!(sorter.stats().tables, 0);
        }
        assert!(sorter.stats().runs_written > 0);
    }

    #[test]
    fn few_rows_stay_in_memory() {
        let dir = tempfile::tempdir().unwrap();
        let sorter = Sorter::open(dir.path(), SorterConfig::default(), MemoryQuota::new(1 << 20)).unwrap();
        let mut held = HeldBack::default();
        (0..3).for_each(|number| held.push(row(number)));
        held.make_room(7, &sorter).unwrap();
        assert!(held.end(7, &sorter).unwrap().into_iter().eq((0..3).map(row)));
        assert!(!held.is_sending() && held.end(7, &sorter).unwrap().is_empty());
    }
}
