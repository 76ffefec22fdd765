//! The account of memory that rows hold, by stage, shared by the whole process.
//!
//! The quota is soft: a charge never fails, because the bytes exist already when they are counted. Those who can
//! slow down look at [`MemoryQuota::used`] and wait with [`MemoryQuota::until_below`] (readers of streams), or make
//! room (the sorter spills).
//!
//! A row is usually a slice of a larger allocation (a received frame, a block read from disk) that lives as long as
//! any of its slices. Counting slice lengths would therefore undercount as soon as one small row outlives the rest
//! of its frame. So the *allocation* is charged, by its owner, for as long as it lives: [`MemoryQuota::own`] wraps it.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::wait::FallWaiters;

/// Share of the limit at which those who can make room start to do so, before anybody has to wait.
pub(crate) const HIGH_SHARE: f64 = 0.8;
/// Share of the limit at which they must make room at any price, because readers are about to stop.
pub(crate) const CRITICAL_SHARE: f64 = 0.95;

/// Who holds the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Frames received from TiKV, until the last row in them is gone.
    Frames,
    /// Rows whose commit is not known yet.
    Prewrites,
    /// Bookkeeping of the sorter and blocks that it read back from disk.
    Sorter,
    /// Rows that are being encoded, and messages not sent yet.
    Encoder,
    /// Messages handed to the sink and not acknowledged yet.
    Sink,
}

impl Stage {
    /// All stages, in the order of the pipeline.
    pub const ALL: [Stage; 5] = [Stage::Frames, Stage::Prewrites, Stage::Sorter, Stage::Encoder, Stage::Sink];

    /// Name for metrics and the API.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Frames => "frames",
            Stage::Prewrites => "prewrites",
            Stage::Sorter => "sorter",
            Stage::Encoder => "encoder",
            Stage::Sink => "sink",
        }
    }
}

/// A soft limit of bytes with the bytes in use by stage.
///
/// A quota may have a parent (a changefeed's quota inside that of the process): a charge counts in both.
pub struct MemoryQuota {
    /// Bytes that may be in use.
    limit: AtomicUsize,
    /// Bytes in use, all stages.
    total: AtomicUsize,
    /// Bytes in use by stage, in the order of [`Stage::ALL`].
    stages: [AtomicUsize; Stage::ALL.len()],
    /// Tasks that wait for memory.
    waiters: FallWaiters,
    /// Those who can make room, told when the level gets high.
    on_high: Mutex<Vec<Weak<dyn Fn() + Send + Sync>>>,
    /// The quota that this one is a part of.
    parent: Option<Arc<MemoryQuota>>,
}

impl MemoryQuota {
    /// A quota of `limit` bytes.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self::with_parent(limit, None))
    }

    /// A quota of `limit` bytes inside this one: what is charged to it is charged here, too.
    pub fn child(self: &Arc<Self>, limit: usize) -> Arc<Self> {
        Arc::new(Self::with_parent(limit, Some(Arc::clone(self))))
    }

    /// Common constructor.
    fn with_parent(limit: usize, parent: Option<Arc<Self>>) -> Self {
        Self {
            limit: AtomicUsize::new(limit),
            total: AtomicUsize::new(0),
            stages: Default::default(),
            waiters: FallWaiters::default(),
            on_high: Mutex::new(Vec::new()),
            parent,
        }
    }

    /// Bytes that may be in use.
    pub fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Changes the limit at run time.
    pub fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
        self.waiters.wake_all();
    }

    /// Bytes in use, all stages.
    pub fn used(&self) -> usize {
        self.total.load(Ordering::Relaxed)
    }

    /// Bytes in use by one stage.
    pub fn used_by(&self, stage: Stage) -> usize {
        self.stages.get(stage as usize).map_or(0, |bytes| bytes.load(Ordering::Relaxed))
    }

    /// The larger of the shares in use (1.0 = exactly the limit) of this quota and of those around it.
    pub fn pressure(&self) -> f64 {
        let own = self.used() as f64 / self.limit().max(1) as f64;
        self.parent.as_ref().map_or(own, |parent| own.max(parent.pressure()))
    }

    /// Like [`pressure`](Self::pressure), leaving one stage out.
    pub fn pressure_without(&self, stage: Stage) -> f64 {
        let used = self.used().saturating_sub(self.used_by(stage));
        let own = used as f64 / self.limit().max(1) as f64;
        self.parent.as_ref().map_or(own, |parent| own.max(parent.pressure_without(stage)))
    }

    /// Counts `bytes` until the returned charge is dropped.
    pub fn charge(self: &Arc<Self>, stage: Stage, bytes: usize) -> Charge {
        self.add(stage, bytes);
        Charge { quota: Arc::clone(self), stage, bytes }
    }

    /// Wraps an allocation so that it is charged until the last slice of it is dropped.
    pub fn own<T>(self: &Arc<Self>, stage: Stage, allocation: T) -> Bytes
    where
        T: AsRef<[u8]> + Send + 'static,
    {
        let charge = self.charge(stage, allocation.as_ref().len());
        Bytes::from_owner(Owned { allocation, _charge: charge })
    }

    /// Waits until fewer than `share` of the limit is in use (1.0 = the limit), here and in the quotas around.
    pub fn until_below(self: &Arc<Self>, share: f64) -> UntilBelow {
        UntilBelow { quota: Arc::clone(self), share, without: None, registered: None }
    }

    /// Like [`until_below`](Self::until_below), leaving out what `stage` holds.
    pub fn until_below_without(self: &Arc<Self>, share: f64, stage: Stage) -> UntilBelow {
        UntilBelow { quota: Arc::clone(self), share, without: Some(stage), registered: None }
    }

    /// Bytes that `share` of the limit stands for; at least one, so that an empty quota is always below.
    fn level(&self, share: f64) -> usize {
        ((self.limit() as f64 * share) as usize).max(1)
    }

    /// Adds to a stage, here and in the parents.
    pub(crate) fn add(&self, stage: Stage, bytes: usize) {
        if let Some(counter) = self.stages.get(stage as usize) {
            counter.fetch_add(bytes, Ordering::Relaxed);
        }
        let before = self.total.fetch_add(bytes, Ordering::SeqCst);
        let crossed = |share| (before..before.saturating_add(bytes)).contains(&(self.level(share) - 1));
        if crossed(HIGH_SHARE) || crossed(CRITICAL_SHARE) {
            self.tell_high();
        }
        if let Some(parent) = &self.parent {
            parent.add(stage, bytes);
        }
    }

    /// Calls `callback` whenever the bytes in use, here or in a quota around, rise past [`HIGH_SHARE`] or
    /// [`CRITICAL_SHARE`]. It must be
    /// quick, and is forgotten when the caller drops it.
    pub(crate) fn on_high(&self, callback: &Arc<dyn Fn() + Send + Sync>) {
        {
            let mut known = self.on_high.lock();
            // A quota may outlive many of those that make room in it.
            known.retain(|callback| callback.strong_count() > 0);
            known.push(Arc::downgrade(callback));
        }
        if let Some(parent) = &self.parent {
            parent.on_high(callback);
        }
    }

    /// Tells those who can make room.
    fn tell_high(&self) {
        let callbacks: Vec<_> = {
            let mut known = self.on_high.lock();
            known.retain(|callback| callback.strong_count() > 0);
            known.iter().filter_map(Weak::upgrade).collect()
        };
        for callback in callbacks {
            callback();
        }
    }

    /// Takes from a stage, here and in the parents, and wakes those who waited for it.
    pub(crate) fn sub(&self, stage: Stage, bytes: usize) {
        if let Some(counter) = self.stages.get(stage as usize) {
            counter.fetch_sub(bytes, Ordering::Relaxed);
        }
        let left = self.total.fetch_sub(bytes, Ordering::SeqCst).saturating_sub(bytes);
        self.waiters.fell_to(left);
        if let Some(parent) = &self.parent {
            parent.sub(stage, bytes);
        }
    }
}

impl std::fmt::Debug for MemoryQuota {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryQuota").field("limit", &self.limit()).field("used", &self.used()).finish()
    }
}

/// Bytes counted against a [`MemoryQuota`]; dropping it gives them back.
#[derive(Debug)]
pub struct Charge {
    /// Where the bytes are counted.
    quota: Arc<MemoryQuota>,
    /// Under which stage.
    stage: Stage,
    /// How many.
    bytes: usize,
}

impl Charge {
    /// Bytes of this charge.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Changes the number of bytes.
    pub fn resize(&mut self, bytes: usize) {
        if bytes > self.bytes {
            self.quota.add(self.stage, bytes - self.bytes);
        } else if bytes < self.bytes {
            self.quota.sub(self.stage, self.bytes - bytes);
        }
        self.bytes = bytes;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.quota.sub(self.stage, self.bytes);
        }
    }
}

/// An allocation with its charge.
struct Owned<T> {
    /// The memory.
    allocation: T,
    /// Its charge, which ends with it.
    _charge: Charge,
}

impl<T: AsRef<[u8]>> AsRef<[u8]> for Owned<T> {
    fn as_ref(&self) -> &[u8] {
        self.allocation.as_ref()
    }
}

/// Future of [`MemoryQuota::until_below`].
pub struct UntilBelow {
    /// The quota that is waited for.
    quota: Arc<MemoryQuota>,
    /// Share of the limit.
    share: f64,
    /// A stage that does not count.
    without: Option<Stage>,
    /// The quota where this future is registered (itself or a parent), with its identity there.
    registered: Option<(Arc<MemoryQuota>, u64)>,
}

impl Future for UntilBelow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut next = Some(Arc::clone(&self.quota));
        while let Some(quota) = next {
            let apart = self.without.map_or(0, |stage| quota.used_by(stage));
            let level = quota.level(self.share).saturating_add(apart);
            if quota.used() >= level {
                let known = match self.registered.take() {
                    Some((at, id)) if Arc::ptr_eq(&at, &quota) => Some(id),
                    Some((at, id)) => {
                        at.waiters.forget(id);
                        None
                    }
                    None => None,
                };
                let id = quota.waiters.register(known, level, cx.waker());
                self.registered = Some((Arc::clone(&quota), id));
                if quota.total.load(Ordering::SeqCst) >= level {
                    return Poll::Pending;
                }
            }
            next = quota.parent.clone();
        }
        Poll::Ready(())
    }
}

impl Drop for UntilBelow {
    fn drop(&mut self) {
        if let Some((quota, id)) = self.registered.take() {
            quota.waiters.forget(id);
        }
    }
}

#[cfg(test)]
mod tests;
