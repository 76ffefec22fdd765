//! Fetch requests which wait for an append.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// One waiting request; may watch any number of partitions.
#[derive(Debug, Clone)]
pub(crate) struct Waiter {
    /// Distinguishes the waiters of a partition.
    id: u64,
    /// Rung by every append to a watched partition.
    bell: Arc<Notify>,
}

impl Waiter {
    /// A waiter with an id of its own.
    pub(crate) fn new() -> Self {
        /// Source of waiter ids.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { id: NEXT.fetch_add(1, Ordering::Relaxed), bell: Arc::new(Notify::new()) }
    }

    /// Returns after an append which happened after the registration, or after the previous return.
    pub(crate) async fn rung(&self) {
        self.bell.notified().await;
    }
}

/// The waiters of one partition.
#[derive(Debug, Default)]
pub(super) struct WaiterList {
    /// Bells by waiter id. Entries are removed by the waiting request, which is bounded by the connection limit.
    bells: Mutex<HashMap<u64, Arc<Notify>>>,
}

impl WaiterList {
    /// Adds a waiter.
    pub(super) fn register(&self, waiter: &Waiter) {
        self.bells.lock().insert(waiter.id, Arc::clone(&waiter.bell));
    }

    /// Removes a waiter.
    pub(super) fn unregister(&self, waiter: &Waiter) {
        self.bells.lock().remove(&waiter.id);
    }

    /// Rings every bell. A bell rung before its owner waits is not lost.
    pub(super) fn ring(&self) {
        for bell in self.bells.lock().values() {
            bell.notify_one();
        }
    }
}
