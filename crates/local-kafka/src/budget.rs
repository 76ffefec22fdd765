//! The memory which requests and answers of all connections share.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes one permit stands for.
const UNIT: usize = 1024;

/// Bytes which may be in memory at the same time.
#[derive(Debug, Clone)]
pub(crate) struct MemoryBudget {
    /// One permit per [`UNIT`].
    permits: Arc<Semaphore>,
    /// All permits.
    total: usize,
}

impl MemoryBudget {
    /// A budget of `bytes`.
    pub(crate) fn new(bytes: usize) -> Self {
        let total = (bytes / UNIT).clamp(1, Semaphore::MAX_PERMITS);
        Self { permits: Arc::new(Semaphore::new(total)), total }
    }

    /// Waits until `bytes` are free and takes them until the permit is dropped. A wish larger than the budget takes
    /// all of it.
    pub(crate) async fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let units = bytes.div_ceil(UNIT).clamp(1, self.total);
        Arc::clone(&self.permits).acquire_many_owned(u32::try_from(units).unwrap_or(u32::MAX)).await.ok()
    }
}
