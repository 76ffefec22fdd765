//! Merging the runs of a table with its rows in memory.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::Arc;

use crate::account::Held;
use crate::error::SorterError;
use crate::quota::MemoryQuota;
use crate::row::{Position, SortedRow};
use crate::run::RunCursor;
use crate::segment::Segment;

/// The source number of the rows in memory; runs follow.
const READY: usize = 0;

/// Reads several sorted sources in one order. Built anew for every batch from the sources that hold something up to
/// the upper bound; rows above it are never looked at, and runs above it never read.
pub(crate) struct Merge<'a> {
    /// Sorted rows in memory; every segment lies before the next one.
    ready: &'a mut VecDeque<Segment>,
    /// Sorted runs.
    runs: &'a mut [RunCursor],
    /// Heap of source numbers, the one with the smallest position first.
    heap: Vec<usize>,
    /// Commit ts up to which rows are wanted.
    upper: u64,
    /// Charged with blocks read from disk.
    quota: &'a Arc<MemoryQuota>,
    /// Rows that left memory.
    pub(crate) freed: Held,
}

impl<'a> Merge<'a> {
    /// Prepares the sources.
    pub(crate) fn new(
        ready: &'a mut VecDeque<Segment>,
        runs: &'a mut [RunCursor],
        upper: u64,
        quota: &'a Arc<MemoryQuota>,
    ) -> Self {
        let mut merge = Self { ready, runs, heap: Vec::new(), upper, quota, freed: Held::default() };
        merge.drop_empty_segments();
        let count = merge.runs.len() + 1;
        merge.heap = (READY..count)
            .filter(|&source| merge.position(source).is_some_and(|position| position.commit_ts <= upper))
            .collect();
        for at in (0..merge.heap.len() / 2).rev() {
            merge.sift_down(at);
        }
        merge
    }

    /// Makes the next row known and returns its position; `None` when nothing is left up to the upper bound.
    pub(crate) fn peek(&mut self) -> Result<Option<Position<'_>>, SorterError> {
        loop {
            let Some(&source) = self.heap.first() else { return Ok(None) };
            match source.checked_sub(1).and_then(|run| self.runs.get_mut(run)) {
                Some(run) if run.needs_disk() => run.load(self.quota)?,
                _ => break,
            }
            self.settle_top();
        }
        Ok(self.heap.first().and_then(|&source| self.position(source)))
    }

    /// Takes the row that [`peek`](Self::peek) showed.
    pub(crate) fn take(&mut self) -> Option<SortedRow> {
        let source = *self.heap.first()?;
        let row = match source.checked_sub(1) {
            None => {
                let row = self.ready.front_mut().and_then(Segment::take)?;
                self.freed.add(Held::row(&row));
                self.drop_empty_segments();
                row
            }
            Some(run) => self.runs.get_mut(run).and_then(RunCursor::take)?,
        };
        self.settle_top();
        Some(row)
    }

    /// Removes segments at the front that have been read to the end.
    fn drop_empty_segments(&mut self) {
        while self.ready.front().is_some_and(|segment| segment.len() == 0) {
            self.ready.pop_front();
        }
    }

    /// Position of the next row of a source, or a lower bound of it.
    fn position(&self, source: usize) -> Option<Position<'_>> {
        match source.checked_sub(1) {
            None => self.ready.front().and_then(Segment::position),
            Some(run) => self.runs.get(run).and_then(RunCursor::position),
        }
    }

    /// Restores the heap after the position of its top changed.
    fn settle_top(&mut self) {
        let Some(&source) = self.heap.first() else { return };
        if self.position(source).is_none_or(|position| position.commit_ts > self.upper) {
            self.heap.swap_remove(0);
        }
        self.sift_down(0);
    }

    /// Moves an entry down to its place.
    fn sift_down(&mut self, mut at: usize) {
        loop {
            let mut smallest = at;
            for child in [2 * at + 1, 2 * at + 2] {
                if self.compare(child, smallest) == Some(Ordering::Less) {
                    smallest = child;
                }
            }
            if smallest == at {
                return;
            }
            self.heap.swap(at, smallest);
            at = smallest;
        }
    }

    /// Compares two heap entries by position; `None` if one does not exist.
    fn compare(&self, left: usize, right: usize) -> Option<Ordering> {
        let left = self.position(*self.heap.get(left)?)?;
        let right = self.position(*self.heap.get(right)?)?;
        Some(left.cmp(&right))
    }
}
