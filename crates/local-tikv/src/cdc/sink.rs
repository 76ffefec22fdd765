//! The bounded queue between the store and one change feed connection.

use futures::task::AtomicWaker;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::task::{Context, Poll};
use tikv_proto::cdcpb::{ChangeDataEvent, Event, ResolvedTs};
use tokio::sync::Notify;

/// Events of one frame (as in TiKV).
const MAX_FRAME_EVENTS: usize = 64;
/// A frame is closed once it holds this many bytes; a single larger event makes a frame of its own.
const MAX_FRAME_BYTES: usize = 1024 * 1024;
/// With so many entries waiting, a round of resolved timestamps is left out: the next one says more.
const MAX_BACKLOG_FOR_RESOLVED: usize = 256;
/// Bytes accounted for an event beside its rows.
const EVENT_OVERHEAD: usize = 64;

enum Item {
    Event { event: Event, bytes: usize },
    Resolved(ResolvedTs),
}

#[derive(Default)]
struct State {
    queue: VecDeque<Item>,
    bytes: usize,
    closed: bool,
}

/// Why an event was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejected {
    /// The consumer is too slow: the quota is used up.
    Full,
    /// The connection is gone, or the subscription has ended.
    Ended,
}

/// The queue.
pub(crate) struct Sink {
    state: Mutex<State>,
    reader: AtomicWaker,
    room: Notify,
    quota: usize,
}

impl Sink {
    /// A queue that holds up to `quota` bytes of rows.
    pub(crate) fn new(quota: usize) -> Self {
        Self { state: Mutex::default(), reader: AtomicWaker::new(), room: Notify::new(), quota }
    }

    /// Queues live rows; refused when the quota is used up, because the store cannot wait.
    ///
    /// `wanted` is asked in the moment of queueing, so that nothing follows the error that ends a subscription.
    pub(crate) fn push_live(
        &self,
        event: Event,
        bytes: usize,
        wanted: impl Fn() -> bool,
    ) -> Result<(), Rejected> {
        let mut state = self.state.lock();
        if state.closed || !wanted() {
            return Err(Rejected::Ended);
        }
        if state.bytes + bytes > self.quota && !state.queue.is_empty() {
            return Err(Rejected::Full);
        }
        self.put(&mut state, event, bytes);
        Ok(())
    }

    /// Queues scanned rows; waits while half of the quota is in use.
    pub(crate) async fn push_scanned(
        &self,
        event: Event,
        bytes: usize,
        wanted: impl Fn() -> bool,
    ) -> Result<(), Rejected> {
        let mut event = Some(event);
        loop {
            let room = self.room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            {
                let mut state = self.state.lock();
                if state.closed || !wanted() {
                    return Err(Rejected::Ended);
                }
                if state.bytes < self.quota / 2
                    && let Some(event) = event.take()
                {
                    self.put(&mut state, event, bytes);
                    return Ok(());
                }
            }
            room.await;
        }
    }

    /// Queues an event that must not be lost (an error, the end of a scan); it is small.
    pub(crate) fn push_control(&self, event: Event) {
        let mut state = self.state.lock();
        if !state.closed {
            self.put(&mut state, event, 0);
        }
    }

    /// Whether a round of resolved timestamps may be queued. It is asked once for a round, which then goes in as a whole:
    /// were each timestamp taken or not by the length of the queue, chance would decide which of many subscriptions move
    /// on, and some would hardly ever. So the queue holds at most a round beyond this bound.
    pub(crate) fn takes_resolved(&self) -> bool {
        let state = self.state.lock();
        !state.closed && state.queue.len() < MAX_BACKLOG_FOR_RESOLVED
    }

    /// Queues resolved timestamps.
    pub(crate) fn push_resolved(&self, resolved: impl Iterator<Item = ResolvedTs>) {
        let mut state = self.state.lock();
        if !state.closed {
            state.queue.extend(resolved.map(Item::Resolved));
            drop(state);
            self.reader.wake();
        }
    }

    /// Like [`Self::push_resolved`], for clients that take them one region at a time.
    pub(crate) fn push_resolved_event(&self, event: Event) {
        self.push_control(event);
    }

    fn put(&self, state: &mut State, event: Event, bytes: usize) {
        let bytes = bytes + EVENT_OVERHEAD;
        state.bytes += bytes;
        state.queue.push_back(Item::Event { event, bytes });
        self.reader.wake();
    }

    /// Ends the stream: what is queued is still delivered, nothing more is taken.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.reader.wake();
        self.room.notify_waiters();
    }

    /// Whether the connection is gone or the stream ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    /// Drops what is queued: nobody will read it.
    pub(crate) fn abandon(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.queue.clear();
        state.bytes = 0;
        drop(state);
        self.room.notify_waiters();
    }

    /// The next frame; `None` when the stream has ended.
    pub(crate) fn poll_frame(&self, context: &mut Context<'_>) -> Poll<Option<ChangeDataEvent>> {
        self.reader.register(context.waker());
        let mut state = self.state.lock();
        let before = state.bytes;
        let frame = take_frame(&mut state);
        let (after, closed) = (state.bytes, state.closed);
        drop(state);
        if before >= self.quota / 2 && after < self.quota / 2 {
            self.room.notify_waiters();
        }
        match frame {
            Some(frame) => Poll::Ready(Some(frame)),
            None if closed => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

/// Takes events up to the bounds of a frame, or one resolved timestamp, in the order they were queued.
fn take_frame(state: &mut State) -> Option<ChangeDataEvent> {
    let mut frame = ChangeDataEvent::default();
    let mut size = 0;
    loop {
        match state.queue.front() {
            Some(Item::Resolved(_)) if frame.events.is_empty() => {
                if let Some(Item::Resolved(resolved)) = state.queue.pop_front() {
                    frame.resolved_ts = Some(resolved);
                }
                return Some(frame);
            }
            Some(Item::Event { bytes, .. })
                if frame.events.is_empty()
                    || (size + bytes <= MAX_FRAME_BYTES && frame.events.len() < MAX_FRAME_EVENTS) =>
            {
                if let Some(Item::Event { event, bytes }) = state.queue.pop_front() {
                    size += bytes;
                    state.bytes = state.bytes.saturating_sub(bytes);
                    frame.events.push(event);
                }
            }
            _ => return (!frame.events.is_empty()).then_some(frame),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::time::timeout;

    const SHORT: Duration = Duration::from_millis(20);

    fn event(region_id: u64) -> Event {
        Event { region_id, ..Event::default() }
    }

    async fn frame(sink: &Sink) -> Option<ChangeDataEvent> {
        poll_fn(|context| sink.poll_frame(context)).await
    }

    #[tokio::test]
    async fn frames_keep_the_order_of_events_and_resolved_timestamps() {
        let sink = Sink::new(1024);
        sink.push_live(event(1), 10, || true).unwrap();
        sink.push_live(event(2), 10, || true).unwrap();
        sink.push_resolved(std::iter::once(ResolvedTs { ts: 5, ..ResolvedTs::default() }));
        sink.push_control(event(3));
        sink.close();
        assert_eq!(frame(&sink).await.unwrap().events.len(), 2);
        assert_eq!(frame(&sink).await.unwrap().resolved_ts.unwrap().ts, 5);
        assert_eq!(frame(&sink).await.unwrap().events, vec![event(3)]);
        assert_eq!(frame(&sink).await, None);
    }

    #[tokio::test]
    async fn a_slow_reader_fills_the_quota_and_no_more() {
        let sink = Sink::new(1000);
        let mut taken = 0;
        while sink.push_live(event(1), 100, || true).is_ok() {
            taken += 1;
        }
        assert!(taken <= 10);
        assert_eq!(sink.push_live(event(1), 100, || true), Err(Rejected::Full));
        sink.push_control(event(2));
        frame(&sink).await.unwrap();
        assert_eq!(sink.push_live(event(1), 100, || true), Ok(()));
    }

    #[tokio::test]
    async fn a_scan_waits_for_room() {
        let sink = Arc::new(Sink::new(1000));
        sink.push_live(event(1), 600, || true).unwrap();
        assert!(timeout(SHORT, sink.push_scanned(event(2), 10, || true)).await.is_err());
        let waiting = tokio::spawn({
            let sink = sink.clone();
            async move { sink.push_scanned(event(3), 10, || true).await }
        });
        tokio::task::yield_now().await;
        frame(&sink).await.unwrap();
        assert_eq!(waiting.await.unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn closing_releases_waiting_scans() {
        let sink = Arc::new(Sink::new(100));
        sink.push_live(event(1), 90, || true).unwrap();
        let waiting = tokio::spawn({
            let sink = sink.clone();
            async move { sink.push_scanned(event(3), 10, || true).await }
        });
        tokio::task::yield_now().await;
        sink.abandon();
        assert_eq!(waiting.await.unwrap(), Err(Rejected::Ended));
        assert_eq!(frame(&sink).await, None);
    }

    #[tokio::test]
    async fn a_scan_that_waited_does_not_outlive_its_subscription() {
        let sink = Sink::new(100);
        sink.push_live(event(1), 90, || true).unwrap();
        let ended = std::sync::atomic::AtomicBool::new(false);
        let wanted = || !ended.load(std::sync::atomic::Ordering::SeqCst);
        let scan = sink.push_scanned(event(2), 10, wanted);
        let end = async {
            ended.store(true, std::sync::atomic::Ordering::SeqCst);
            sink.push_control(event(3));
            assert_eq!(frame(&sink).await.unwrap().events, vec![event(1), event(3)]);
        };
        let (scanned, ()) = tokio::join!(scan, end);
        assert_eq!(scanned, Err(Rejected::Ended));
    }
}
