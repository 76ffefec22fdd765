//! What the sorter holds in memory, and who waits for less.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::error::SorterError;
use crate::quota::{MemoryQuota, Stage};
use crate::row::{ROW_OVERHEAD, SortedRow};
use crate::wait::FallWaiters;

/// Rows in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// How many.
    pub(crate) rows: usize,
    /// Sum of their weights.
    pub(crate) weight: usize,
}

impl Held {
    /// One row.
    pub(crate) fn row(row: &SortedRow) -> Self {
        Self { rows: 1, weight: row.weight() }
    }

    /// Adds other rows.
    pub(crate) fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.weight += other.weight;
    }
}

/// Counters shared by all tables of a sorter.
pub(crate) struct Account {
    /// Charged with the bookkeeping of rows in memory.
    pub(crate) quota: Arc<MemoryQuota>,
    /// Weight of all rows in memory.
    weight: AtomicUsize,
    /// Rows in memory.
    rows: AtomicUsize,
    /// Weight above which pushing should wait.
    pub(crate) limit: usize,
    /// Who waits for the weight to fall.
    pub(crate) waiters: FallWaiters,
    /// Why the last spill failed; `None` after one that worked.
    failure: Mutex<Option<SorterError>>,
}

impl Account {
    /// Nothing in memory yet.
    pub(crate) fn new(quota: Arc<MemoryQuota>, limit: usize) -> Self {
        Self {
            quota,
            weight: AtomicUsize::new(0),
            rows: AtomicUsize::new(0),
            limit: limit.max(1),
            waiters: FallWaiters::default(),
            failure: Mutex::new(None),
        }
    }

    /// Counts rows in.
    pub(crate) fn add(&self, held: Held) {
        self.rows.fetch_add(held.rows, Ordering::Relaxed);
        self.weight.fetch_add(held.weight, Ordering::SeqCst);
        self.quota.add(Stage::Sorter, held.rows * ROW_OVERHEAD);
    }

    /// Counts rows out.
    pub(crate) fn sub(&self, held: Held) {
        if held == Held::default() {
            return;
        }
        self.rows.fetch_sub(held.rows, Ordering::Relaxed);
        let left = self.weight.fetch_sub(held.weight, Ordering::SeqCst).saturating_sub(held.weight);
        self.quota.sub(Stage::Sorter, held.rows * ROW_OVERHEAD);
        self.waiters.fell_to(left);
    }

    /// Weight of all rows in memory.
    pub(crate) fn weight(&self) -> usize {
        self.weight.load(Ordering::SeqCst)
    }

    /// Rows in memory.
    pub(crate) fn rows(&self) -> usize {
        self.rows.load(Ordering::Relaxed)
    }

    /// Why the last spill failed.
    pub(crate) fn failure(&self) -> Option<SorterError> {
        self.failure.lock().clone()
    }

    /// Remembers how the last spill ended; a failure is told to everybody who waits for room.
    pub(crate) fn set_failure(&self, failure: Option<SorterError>) {
        let failed = failure.is_some();
        *self.failure.lock() = failure;
        if failed {
            self.waiters.wake_all();
        }
    }
}
