//! All streams of a client.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::client::CdcConfig;
use crate::feeds::Feeds;
use crate::span::{Claim, Span};
use crate::stream::{Command, Lane, StreamKey, start};

/// A stream that runs.
struct Open {
    /// The way to its task.
    sender: mpsc::Sender<Command>,
    /// Regions on it, about: its task counts them now and then.
    load: Arc<AtomicUsize>,
}

/// The streams by store, and what is known about stores.
#[derive(Default)]
pub(crate) struct Streams {
    /// The streams.
    open: Mutex<HashMap<StreamKey, Open>>,
    /// Addresses of stores that do not multiplex.
    single: Mutex<HashSet<String>>,
}

impl Streams {
    /// Remembers that a store does not multiplex.
    pub(crate) fn set_single(&self, address: &str) {
        self.single.lock().insert(address.to_owned());
    }

    /// The stream for a claim, started if need be.
    pub(crate) fn of(&self, feeds: &Arc<Feeds>, claim: &Claim) -> mpsc::Sender<Command> {
        let address = claim.route.store_address.clone();
        let mut open = self.open.lock();
        let key = if self.single.lock().contains(&address) {
            StreamKey { address, lane: Lane::Own(claim.request_id) }
        } else {
            // Regions of one span are spread, too: a large table is not bound to one connection.
            least_loaded(&open, &feeds.config, address, claim.span.sender.channel())
        };
        if let Some(stream) = open.get(&key).filter(|stream| !stream.sender.is_closed()) {
            stream.load.fetch_add(1, Ordering::Relaxed);
            return stream.sender.clone();
        }
        let load = Arc::new(AtomicUsize::new(1));
        // A stream belongs to one channel, and with it to one consumer.
        let quota = Arc::clone(claim.span.sender.quota().unwrap_or(&feeds.quota));
        let sender = start(feeds, key.clone(), Arc::clone(&load), quota);
        open.insert(key, Open { sender: sender.clone(), load });
        sender
    }

    /// Forgets a stream that has nothing to do; false if something has come meanwhile.
    pub(crate) fn retire(&self, key: &StreamKey, commands: &mpsc::Receiver<Command>) -> bool {
        let mut open = self.open.lock();
        if !commands.is_empty() {
            return false;
        }
        open.remove(key);
        true
    }

    /// Tells the streams on which a span may be that it has ended: those of its channel. Others, one or more for every
    /// changefeed, are left alone.
    pub(crate) async fn leave(&self, span: &Arc<Span>) {
        let senders: Vec<_> = {
            let open = self.open.lock();
            let concerned = open.iter().filter(|(key, _)| key.lane.may_hold(span));
            concerned.map(|(_, stream)| stream.sender.clone()).collect()
        };
        for sender in senders {
            // A stream that is closed has forgotten the span already.
            let _closed = sender.send(Command::Leave(Arc::clone(span))).await;
        }
    }
}

/// The stream to a store that has the fewest regions. A store has one more stream for every so many regions on them, so
/// that it gets a new one when all are full, and none is used that is not needed.
fn least_loaded(
    open: &HashMap<StreamKey, Open>,
    config: &CdcConfig,
    address: String,
    channel: u64,
) -> StreamKey {
    let mut key = StreamKey { address, lane: Lane::Shared { channel, connection: 0 } };
    let most = config.max_streams_per_store.max(config.streams_per_store).max(1);
    let mut loads = Vec::with_capacity(most);
    for connection in 0..most {
        key.lane = Lane::Shared { channel, connection };
        loads.push(open.get(&key).map_or(0, |stream| stream.load.load(Ordering::Relaxed)));
    }
    let regions: usize = loads.iter().sum();
    let streams = (1 + regions / config.regions_per_stream.max(1)).max(config.streams_per_store).min(most);
    let least = loads.iter().take(streams).enumerate().min_by_key(|(_, load)| **load);
    key.lane = Lane::Shared { channel, connection: least.map_or(0, |(connection, _)| connection) };
    key
}
