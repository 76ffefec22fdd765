//! The way from the streams to the consumer.
//!
//! One channel takes the events of any number of spans. Every span has an inbox of its own, and the receiver serves the
//! inboxes in turn, so a busy span does not starve the others. Of resolved timestamps that the receiver has not taken
//! yet only the last is kept; it always comes after the rows that were delivered before it. The channel is bounded by
//! bytes: a stream that fills it stops reading until there is room.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use event_sorter::MemoryQuota;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::error::CdcError;
use crate::row::RowChange;

/// Rows that one [`SpanEvent::Rows`] is joined up to.
const JOIN_ROWS: usize = 2048;

/// What happens on a span.
#[derive(Clone, Debug)]
pub enum SpanEvent {
    /// Committed changes, in no particular order. All of them are above the last resolved ts.
    Rows(Vec<RowChange>),
    /// All changes up to this commit ts have been delivered.
    ResolvedTs(u64),
    /// The subscription has ended; nothing follows.
    Failed(CdcError),
}

/// Identity of an inbox; never used twice, so that events of an ended subscription cannot reach a later one.
pub(crate) type InboxKey = u64;

/// What one span has for the receiver.
struct Inbox {
    /// Id of the span.
    span: u64,
    /// Rows in order of delivery.
    rows: VecDeque<Vec<RowChange>>,
    /// The last resolved ts; after the rows.
    resolved: Option<u64>,
    /// The end; after everything.
    failed: Option<CdcError>,
    /// True while the inbox is in the ready queue.
    queued: bool,
}

/// State under the lock.
#[derive(Default)]
struct State {
    /// Inboxes by key.
    inboxes: HashMap<InboxKey, Inbox>,
    /// Inboxes with something in them, in the order of service.
    ready: VecDeque<InboxKey>,
    /// Set when the receiver is gone.
    closed: bool,
}

/// Both ends.
struct Shared {
    /// Inboxes.
    state: Mutex<State>,
    /// Signals the receiver.
    filled: Notify,
    /// Signals senders that wait for room.
    room: Notify,
    /// Weight of the rows in all inboxes.
    bytes: AtomicUsize,
    /// Weight from which senders wait.
    capacity: usize,
    /// Senders alive.
    senders: AtomicUsize,
    /// Tells the channel from others.
    id: u64,
    /// What the frames of its spans are charged to; `None` for the client's own.
    quota: Option<Arc<MemoryQuota>>,
}

/// Channels made so far.
static CHANNELS: AtomicU64 = AtomicU64::new(0);

/// Bytes that rows count for in the channel.
fn weight(rows: &[RowChange]) -> usize {
    rows.iter()
        .map(|row| row.key.len() + row.value.len() + row.old_value.len() + std::mem::size_of::<RowChange>())
        .sum()
}

/// Makes a channel for the events of many spans. `capacity` is in bytes of rows; it may be exceeded by one frame per
/// stream.
pub fn span_channel(capacity: usize) -> (SpanSender, SpanReceiver) {
    channel(capacity, None)
}

/// The same for a consumer with a memory quota of its own, usually a part of the client's: what is received for its
/// spans is charged to that, and its streams stop being read when it is used up.
pub fn span_channel_within(capacity: usize, quota: Arc<MemoryQuota>) -> (SpanSender, SpanReceiver) {
    channel(capacity, Some(quota))
}

/// Makes a channel.
fn channel(capacity: usize, quota: Option<Arc<MemoryQuota>>) -> (SpanSender, SpanReceiver) {
    let shared = Arc::new(Shared {
        state: Mutex::default(),
        filled: Notify::new(),
        room: Notify::new(),
        bytes: AtomicUsize::new(0),
        capacity: capacity.max(1),
        senders: AtomicUsize::new(1),
        id: CHANNELS.fetch_add(1, Ordering::Relaxed),
        quota,
    });
    (SpanSender { shared: Arc::clone(&shared) }, SpanReceiver { shared })
}

/// The sending end, given to [`CdcClient::subscribe`](crate::CdcClient::subscribe).
pub struct SpanSender {
    /// Both ends.
    shared: Arc<Shared>,
}

impl SpanSender {
    /// Identity of the channel.
    pub(crate) fn channel(&self) -> u64 {
        self.shared.id
    }

    /// What the frames of its spans are charged to, if it is not the client's quota.
    pub(crate) fn quota(&self) -> Option<&Arc<MemoryQuota>> {
        self.shared.quota.as_ref()
    }

    /// Opens an inbox.
    pub(crate) fn join(&self, key: InboxKey, span: u64) {
        let inbox = Inbox { span, rows: VecDeque::new(), resolved: None, failed: None, queued: false };
        self.shared.state.lock().inboxes.insert(key, inbox);
    }

    /// Closes an inbox; what is in it is dropped.
    pub(crate) fn leave(&self, key: InboxKey) {
        let removed = self.shared.state.lock().inboxes.remove(&key);
        if let Some(inbox) = removed {
            self.shared.took(inbox.rows.iter().map(|rows| weight(rows)).sum());
        }
    }

    /// Puts something into an inbox.
    fn put(&self, key: InboxKey, fill: impl FnOnce(&mut Inbox)) {
        {
            let mut state = self.shared.state.lock();
            if state.closed {
                return;
            }
            let Some(inbox) = state.inboxes.get_mut(&key) else { return };
            fill(inbox);
            if inbox.queued {
                return;
            }
            inbox.queued = true;
            state.ready.push_back(key);
        }
        self.shared.filled.notify_one();
    }

    /// Delivers rows.
    pub(crate) fn rows(&self, key: InboxKey, rows: Vec<RowChange>) {
        let weight = weight(&rows);
        self.put(key, |inbox| {
            self.shared.bytes.fetch_add(weight, Ordering::SeqCst);
            inbox.rows.push_back(rows);
        });
    }

    /// Delivers a resolved ts.
    pub(crate) fn resolved(&self, key: InboxKey, ts: u64) {
        self.put(key, |inbox| inbox.resolved = Some(ts));
    }

    /// Delivers the end.
    pub(crate) fn failed(&self, key: InboxKey, error: CdcError) {
        self.put(key, |inbox| inbox.failed = Some(error));
    }

    /// True if a stream should stop reading.
    pub(crate) fn is_full(&self) -> bool {
        self.shared.bytes.load(Ordering::SeqCst) >= self.shared.capacity
    }

    /// Waits until there is room.
    pub(crate) async fn until_room(self) {
        loop {
            let room = self.shared.room.notified();
            let mut room = std::pin::pin!(room);
            room.as_mut().enable();
            if !self.is_full() || self.shared.state.lock().closed {
                return;
            }
            room.await;
        }
    }
}

impl Clone for SpanSender {
    fn clone(&self) -> Self {
        self.shared.senders.fetch_add(1, Ordering::SeqCst);
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl Drop for SpanSender {
    fn drop(&mut self) {
        if self.shared.senders.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.shared.filled.notify_one();
        }
    }
}

impl Shared {
    /// Counts rows out.
    fn took(&self, weight: usize) {
        if weight == 0 {
            return;
        }
        let before = self.bytes.fetch_sub(weight, Ordering::SeqCst);
        if before >= self.capacity && before - weight < self.capacity {
            self.room.notify_waiters();
        }
    }
}

/// The receiving end.
pub struct SpanReceiver {
    /// Both ends.
    shared: Arc<Shared>,
}

impl SpanReceiver {
    /// Waits for the next event and returns it with the id of its span; `None` when all senders are gone. Cancelling
    /// the call loses nothing.
    pub async fn recv(&mut self) -> Option<(u64, SpanEvent)> {
        let shared = Arc::clone(&self.shared);
        loop {
            let filled = shared.filled.notified();
            if let Some(event) = self.try_recv() {
                return Some(event);
            }
            if self.shared.senders.load(Ordering::SeqCst) == 0 {
                return self.try_recv();
            }
            filled.await;
        }
    }

    /// The next event, if there is one now.
    pub fn try_recv(&mut self) -> Option<(u64, SpanEvent)> {
        let mut state = self.shared.state.lock();
        loop {
            let key = state.ready.pop_front()?;
            // The inbox may have been closed meanwhile.
            let Some(inbox) = state.inboxes.get_mut(&key) else { continue };
            let Some(event) = inbox.next() else {
                inbox.queued = false;
                continue;
            };
            let span = inbox.span;
            inbox.queued = inbox.has_more();
            if inbox.queued {
                state.ready.push_back(key);
            }
            drop(state);
            if let SpanEvent::Rows(rows) = &event {
                self.shared.took(weight(rows));
            }
            return Some((span, event));
        }
    }

    /// Bytes of rows that wait to be received.
    pub fn bytes(&self) -> usize {
        self.shared.bytes.load(Ordering::SeqCst)
    }
}

impl Drop for SpanReceiver {
    fn drop(&mut self) {
        let dropped = {
            let mut state = self.shared.state.lock();
            state.closed = true;
            state.ready.clear();
            std::mem::take(&mut state.inboxes)
        };
        drop(dropped);
        self.shared.bytes.store(0, Ordering::SeqCst);
        self.shared.room.notify_waiters();
    }
}

impl Inbox {
    /// Takes the next event: rows, then the resolved ts, then the end.
    fn next(&mut self) -> Option<SpanEvent> {
        if let Some(mut rows) = self.rows.pop_front() {
            while self.rows.front().is_some_and(|more| rows.len() + more.len() <= JOIN_ROWS) {
                rows.extend(self.rows.pop_front().into_iter().flatten());
            }
            return Some(SpanEvent::Rows(rows));
        }
        let resolved = self.resolved.take().map(SpanEvent::ResolvedTs);
        resolved.or_else(|| self.failed.take().map(SpanEvent::Failed))
    }

    /// True if there is another event.
    fn has_more(&self) -> bool {
        !self.rows.is_empty() || self.resolved.is_some() || self.failed.is_some()
    }
}

#[cfg(test)]
mod tests;
