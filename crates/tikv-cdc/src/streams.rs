//! All streams of a client.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::feeds::Feeds;
use crate::span::{Claim, Span};
use crate::stream::{Command, Lane, StreamKey, start};

/// The streams by store, and what is known about stores.
#[derive(Default)]
pub(crate) struct Streams {
    /// Ways to the streams' tasks.
    open: Mutex<HashMap<StreamKey, mpsc::Sender<Command>>>,
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
        let lane = if self.single.lock().contains(&address) {
            Lane::Own(claim.request_id)
        } else {
            // Regions of one span are spread, too: a large table is not bound to one connection.
            let lanes = feeds.config.streams_per_store.max(1) as u64;
            let channel = claim.span.sender.channel();
            Lane::Shared { channel, connection: (claim.route.id % lanes) as usize }
        };
        let key = StreamKey { address, lane };
        let mut open = self.open.lock();
        match open.get(&key) {
            Some(sender) if !sender.is_closed() => sender.clone(),
            _ => {
                // A stream belongs to one channel, and with it to one consumer.
                let quota = Arc::clone(claim.span.sender.quota().unwrap_or(&feeds.quota));
                let sender = start(feeds, key.clone(), quota);
                open.insert(key, sender.clone());
                sender
            }
        }
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

    /// Tells all streams that a span has ended.
    pub(crate) async fn leave(&self, span: &Arc<Span>) {
        let senders: Vec<_> = self.open.lock().values().cloned().collect();
        for sender in senders {
            // A stream that is closed has forgotten the span already.
            let _closed = sender.send(Command::Leave(Arc::clone(span))).await;
        }
    }
}
