//! Subscriptions of change feeds, by region, and the live stream to them.

use super::row::{OldValue, RowChange, is_filtered, row_size};
use super::sink::{Rejected, Sink};
use super::subscribed::Subscribed;
use crate::keys::KeyRange;
use crate::region::Region;
use crate::store::LockTable;
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use tikv_proto::cdcpb::event::{Entries, Event as EventBody, Row};
use tikv_proto::cdcpb::{self, Congested, DuplicateRequest, Event, ResolvedTs};
use tikv_proto::{errorpb, metapb};
use tokio::sync::{Notify, Semaphore};

/// Bytes of rows in one event (as in TiKV).
pub(super) const MAX_EVENT_BYTES: usize = 32 * 1024;

/// One change feed stream.
pub(crate) struct Connection {
    /// Distinguishes connections.
    pub(crate) id: u64,
    /// Where its events go.
    pub(crate) sink: Arc<Sink>,
    /// Several requests may name the same region; events carry the request id.
    pub(crate) multiplexed: bool,
    /// Resolved timestamps of many regions come in one message.
    pub(crate) batches_resolved: bool,
    /// Its incremental scans that may run at the same time.
    pub(crate) scans: Semaphore,
}

/// State of a subscription.
const SCANNING: u8 = 0;
const LIVE: u8 = 1;
const STOPPED: u8 = 2;

/// One request for one region.
pub(crate) struct Subscription {
    /// Id chosen by the client.
    pub(crate) request_id: u64,
    /// The region.
    pub(crate) region: Arc<Region>,
    /// Wanted part of the region, in raw keys.
    pub(crate) range: KeyRange,
    /// Commits at or before this were seen by the client.
    pub(crate) checkpoint_ts: u64,
    /// Leave out rows replicated from another cluster.
    pub(crate) filter_loop: bool,
    /// Its stream.
    pub(crate) connection: Arc<Connection>,
    state: AtomicU8,
    resolved_ts: AtomicU64,
}

impl Subscription {
    pub(crate) fn new(
        request_id: u64,
        region: Arc<Region>,
        range: KeyRange,
        checkpoint_ts: u64,
        filter_loop: bool,
        connection: Arc<Connection>,
    ) -> Self {
        Self {
            request_id,
            region,
            range,
            checkpoint_ts,
            filter_loop,
            connection,
            state: AtomicU8::new(SCANNING),
            resolved_ts: AtomicU64::new(checkpoint_ts),
        }
    }

    /// Whether the subscription ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.state.load(Ordering::Acquire) == STOPPED
    }

    /// Whether nobody wants its events any more.
    pub(crate) fn is_stopped(&self) -> bool {
        self.has_ended() || self.connection.sink.is_closed()
    }

    /// An event of this subscription.
    pub(crate) fn event(&self, body: EventBody) -> Event {
        Event { region_id: self.region.id(), index: 0, request_id: self.request_id, event: Some(body) }
    }

    /// Whether a change of `key` with this source tag is wanted.
    pub(crate) fn wants(&self, key: &[u8], txn_source: u64) -> bool {
        self.range.contains(key) && !is_filtered(txn_source, self.filter_loop)
    }

    /// Ends it, once it is not among those of its region any more; `error` is its last event.
    fn end(&self, error: Option<cdcpb::Error>) {
        self.region.subscribers.fetch_sub(1, Ordering::AcqRel);
        if self.state.swap(STOPPED, Ordering::AcqRel) == STOPPED {
            return;
        }
        if let Some(error) = error {
            self.connection.sink.push_control(self.event(EventBody::Error(error)));
        }
    }
}

/// Groups rows into entries of at most [`MAX_EVENT_BYTES`] (a larger row is alone), with their sizes.
pub(super) fn pack(rows: impl IntoIterator<Item = Row>) -> Vec<(Entries, usize)> {
    let mut packed: Vec<(Entries, usize)> = Vec::new();
    for row in rows {
        let size = row_size(&row);
        match packed.last_mut() {
            Some((entries, bytes)) if *bytes + size <= MAX_EVENT_BYTES => {
                entries.entries.push(row);
                *bytes += size;
            }
            _ => packed.push((Entries { entries: vec![row] }, size)),
        }
    }
    packed
}

/// All subscriptions.
#[derive(Default)]
pub(crate) struct Hub {
    subscribed: Mutex<Subscribed>,
    /// Told when the first subscription appears.
    pub(super) appeared: Notify,
}

impl Hub {
    /// Adds a subscription, unless the connection has one for the region already.
    pub(crate) fn add(&self, subscription: &Arc<Subscription>) -> Result<(), Box<cdcpb::Error>> {
        let mut subscribed = self.subscribed.lock();
        if subscription.connection.sink.is_closed() {
            // What ends a connection first closes it, then removes its subscriptions: this one came too late.
            return Err(Box::default());
        }
        if !subscribed.add(subscription) {
            let region_id = subscription.region.id();
            return Err(Box::new(cdcpb::Error {
                duplicate_request: Some(DuplicateRequest { region_id }),
                ..cdcpb::Error::default()
            }));
        }
        subscription.region.subscribers.fetch_add(1, Ordering::AcqRel);
        self.appeared.notify_one();
        Ok(())
    }

    /// Ends a subscription, unless that was done; `error` is its last event.
    pub(crate) fn remove(&self, subscription: &Subscription, error: Option<cdcpb::Error>) {
        let mut subscribed = self.subscribed.lock();
        if subscribed.remove(subscription) {
            subscription.end(error);
        }
    }

    /// Ends what a request of a connection subscribed to: in one region, or in all.
    pub(crate) fn remove_request(&self, connection: &Connection, request_id: u64, region: Option<u64>) {
        let found: Vec<Arc<Subscription>> = {
            let subscribed = self.subscribed.lock();
            match region {
                Some(region) => {
                    let audience = subscribed.regions.get(&region);
                    audience
                        .and_then(|audience| audience.find(connection, request_id))
                        .cloned()
                        .into_iter()
                        .collect()
                }
                None => {
                    let of_it = subscribed.connections.get(&connection.id).into_iter().flatten();
                    let asked =
                        of_it.filter(|((_, request), _)| !connection.multiplexed || *request == request_id);
                    asked.map(|(_, subscription)| subscription.clone()).collect()
                }
            }
        };
        found.iter().for_each(|subscription| self.remove(subscription, None));
    }

    /// Ends everything of a connection that is closed.
    pub(crate) fn remove_connection(&self, connection: u64) {
        let mut subscribed = self.subscribed.lock();
        for subscription in subscribed.connections.remove(&connection).unwrap_or_default().into_values() {
            subscribed.remove(&subscription);
            subscription.end(None);
        }
    }

    /// Ends every subscription of a region that was split into `regions`.
    pub(crate) fn split(&self, region_id: u64, regions: &[metapb::Region]) {
        let error = cdcpb::Error {
            epoch_not_match: Some(errorpb::EpochNotMatch { current_regions: regions.to_vec() }),
            ..cdcpb::Error::default()
        };
        // Under the lock to the end: an error stays the last event.
        let mut subscribed = self.subscribed.lock();
        for subscription in subscribed.remove_region(region_id) {
            subscription.end(Some(error.clone()));
        }
    }

    /// Ends the scan of a subscription, unless that has ended itself: after `initialized`, resolved timestamps flow.
    pub(crate) fn finish_scan(&self, subscription: &Subscription, initialized: Event) {
        // Under the lock, so that the error which ends a subscription stays its last event.
        let _subscribed = self.subscribed.lock();
        let state = &subscription.state;
        if state.load(Ordering::Acquire) == SCANNING {
            subscription.connection.sink.push_control(initialized);
            state.store(LIVE, Ordering::Release);
        }
    }

    /// Whether anybody subscribed to anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.subscribed.lock().regions.is_empty()
    }

    /// Sends applied changes of a region. `read_old` finds an old value that was not read when the change was made.
    pub(crate) fn emit(
        &self,
        region_id: u64,
        changes: &[RowChange],
        read_old: impl Fn(&RowChange, u64) -> Bytes,
    ) {
        let subscriptions = match self.subscribed.lock().regions.get(&region_id) {
            Some(audience) => audience.listeners(changes.iter().map(|change| &change.key[..])),
            None => return,
        };
        let mut old_values: Vec<Option<Bytes>> = vec![None; changes.len()];
        for subscription in &subscriptions {
            if subscription.is_stopped() {
                continue;
            }
            let rows: Vec<Row> = changes
                .iter()
                .zip(&mut old_values)
                .filter(|(change, _)| subscription.wants(&change.key, change.txn_source))
                .map(|(change, known)| {
                    let old = known.get_or_insert_with(|| match &change.old_value {
                        OldValue::Known(value) => value.clone(),
                        OldValue::Unread { read_ts } => read_old(change, *read_ts),
                    });
                    change.to_row(old.clone())
                })
                .collect();
            self.send_live(subscription, rows);
        }
    }

    fn send_live(&self, subscription: &Arc<Subscription>, rows: Vec<Row>) {
        for (entries, bytes) in pack(rows) {
            let event = subscription.event(EventBody::Entries(entries));
            let error =
                match subscription.connection.sink.push_live(event, bytes, || !subscription.has_ended()) {
                    Ok(()) => continue,
                    Err(Rejected::Ended) => None,
                    Err(Rejected::Full) => Some(congested(subscription.region.id())),
                };
            self.remove(subscription, error);
            return;
        }
    }

    /// Sends resolved timestamps: `ts`, or less where a change is unresolved. `ts` must come from PD, must have
    /// been made known to one-phase commits, and both before this call. Connections take turns, `most` subscriptions
    /// (one connection more, rather) at a time: each hears all of its own at once, but thousands of changefeeds do not
    /// all wake up at the same moment. Returns how many subscriptions were told.
    pub(crate) fn publish_resolved(&self, ts: u64, most: usize, locks: &LockTable) -> usize {
        let mut subscribed = self.subscribed.lock();
        let mut bounds: HashMap<u64, u64> = HashMap::new();
        let mut told = 0;
        for connection in subscribed.next_told(most) {
            let Some(of_it) = subscribed.connections.get(&connection) else { continue };
            let Some(mut round) = of_it.values().next().and_then(|any| Round::begin(&any.connection)) else {
                // It has not taken in what it got before.
                continue;
            };
            for subscription in of_it.values() {
                if subscription.state.load(Ordering::Acquire) != LIVE {
                    continue;
                }
                let region_id = subscription.region.id();
                let bound = *bounds
                    .entry(region_id)
                    .or_insert_with(|| locks.oldest_change(region_id).map_or(ts, |oldest| oldest.min(ts)));
                if bound > subscription.resolved_ts.fetch_max(bound, Ordering::AcqRel) {
                    round.add(subscription, bound);
                }
            }
            // Still under the lock of the subscriptions: an error that ends one must not be overtaken.
            told += round.send();
        }
        told
    }

    /// Subscriptions of all connections.
    pub(crate) fn len(&self) -> usize {
        self.subscribed.lock().connections.values().map(HashMap::len).sum()
    }
}

/// What a connection is told at once.
struct Round {
    connection: Arc<Connection>,
    /// Request id, resolved ts, region.
    moved: Vec<(u64, u64, u64)>,
}

impl Round {
    /// Begins one, if the connection takes it.
    fn begin(connection: &Arc<Connection>) -> Option<Self> {
        let takes = connection.sink.takes_resolved();
        takes.then(|| Self { connection: connection.clone(), moved: Vec::new() })
    }

    /// Adds a subscription.
    fn add(&mut self, subscription: &Subscription, resolved_ts: u64) {
        let named = self.connection.multiplexed || !self.connection.batches_resolved;
        let request_id = if named { subscription.request_id } else { 0 };
        self.moved.push((request_id, resolved_ts, subscription.region.id()));
    }

    /// Sends it; returns how many subscriptions it tells.
    fn send(mut self) -> usize {
        let sink = &self.connection.sink;
        if !self.connection.batches_resolved {
            for (request_id, ts, region_id) in &self.moved {
                let event = Some(EventBody::ResolvedTs(*ts));
                let (region_id, request_id) = (*region_id, *request_id);
                sink.push_resolved_event(Event { region_id, request_id, index: 0, event });
            }
            return self.moved.len();
        }
        self.moved.sort_unstable();
        let alike = self.moved.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1));
        sink.push_resolved(alike.filter_map(|alike| {
            let (request_id, ts, _) = *alike.first()?;
            let regions = alike.iter().map(|(_, _, region_id)| *region_id).collect();
            Some(ResolvedTs { regions, ts, request_id })
        }));
        self.moved.len()
    }
}

fn congested(region_id: u64) -> cdcpb::Error {
    cdcpb::Error { congested: Some(Congested { region_id }), ..cdcpb::Error::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Live subscriptions of a connection to one region.
    fn subscribe(hub: &Hub, id: u64, count: u64) -> Arc<Connection> {
        let connection = Arc::new(Connection {
            id,
            sink: Arc::new(Sink::new(1 << 20)),
            multiplexed: true,
            batches_resolved: true,
            scans: Semaphore::new(1),
        });
        let region = Arc::new(Region::new(metapb::Region { id: 2, ..metapb::Region::default() }, 0).unwrap());
        for request_id in 1..=count {
            let range = KeyRange { start: Vec::new(), end: Vec::new() };
            let subscription =
                Subscription::new(request_id, region.clone(), range, 0, false, connection.clone());
            subscription.state.store(LIVE, Ordering::Release);
            hub.add(&Arc::new(subscription)).unwrap();
        }
        connection
    }

    /// Everything that waits for the connection: request id and timestamp.
    async fn drain(connection: &Connection) -> Vec<(u64, u64)> {
        connection.sink.close();
        let mut all = Vec::new();
        while let Some(frame) = std::future::poll_fn(|context| connection.sink.poll_frame(context)).await {
            all.extend(frame.resolved_ts.map(|resolved| (resolved.request_id, resolved.ts)));
        }
        all.sort_unstable();
        all
    }

    #[tokio::test]
    async fn a_round_of_resolved_timestamps_reaches_each_of_very_many_subscriptions_or_none() {
        let hub = Hub::default();
        let connection = subscribe(&hub, 1, 3_000);
        assert_eq!(hub.publish_resolved(10, 1, &LockTable::default()), 3_000);
        // Nobody has read the first round: the second waits for a moment when it is wanted.
        assert_eq!(hub.publish_resolved(20, 1, &LockTable::default()), 0);
        let expected: Vec<_> = (1..=3_000).map(|request_id| (request_id, 10)).collect();
        assert_eq!(drain(&connection).await, expected);
    }
    #[tokio::test]
    async fn connections_take_turns_and_none_is_left_out() {
        let hub = Hub::default();
        let connections: Vec<_> = (1..=4).map(|id| subscribe(&hub, id, 10)).collect();
        assert_eq!(hub.len(), 40);
        let locks = LockTable::default();
        // Two of them are more than fifteen subscriptions.
        assert_eq!([10, 20, 30].map(|ts| hub.publish_resolved(ts, 15, &locks)), [20, 20, 20]);
        hub.remove_connection(connections[3].id);
        assert_eq!(hub.publish_resolved(40, 15, &locks), 20);
        assert_eq!(hub.publish_resolved(50, 1_000, &locks), 30);
        let mut heard = Vec::new();
        for connection in &connections {
            let mut all: Vec<u64> = drain(connection).await.into_iter().map(|(_, ts)| ts).collect();
            all.dedup();
            all.sort_unstable();
            all.dedup();
            heard.push(all);
        }
        assert_eq!(heard, [vec![10, 30, 40, 50], vec![10, 30, 50], vec![20, 40, 50], vec![20]]);
    }

    #[test]
    fn a_request_without_a_region_ends_all_of_it_and_nothing_else() {
        let hub = Hub::default();
        let (first, second) = (subscribe(&hub, 1, 3), subscribe(&hub, 2, 3));
        hub.remove_request(&first, 2, None);
        assert_eq!(hub.len(), 5);
        hub.remove_request(&first, 2, None);
        hub.remove_request(&first, 1, Some(2));
        assert_eq!(hub.len(), 4);
        hub.split(2, &[]);
        assert_eq!((hub.is_empty(), hub.len()), (true, 0));
        hub.remove_connection(second.id);
    }
}
