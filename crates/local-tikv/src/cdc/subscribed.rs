//! Subscriptions as they are looked for: by region, when something changes there, and by connection, when that hears of
//! the time or ends.

use super::audience::Audience;
use super::hub::Subscription;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

/// The subscriptions of a connection, by region and request id.
pub(super) type OfConnection = HashMap<(u64, u64), Arc<Subscription>>;

/// The subscriptions, found both ways.
#[derive(Default)]
pub(super) struct Subscribed {
    /// By region.
    pub(super) regions: HashMap<u64, Audience>,
    /// By connection.
    pub(super) connections: BTreeMap<u64, OfConnection>,
    /// The connection that was told a resolved timestamp last.
    told_last: u64,
}

impl Subscribed {
    /// Adds one; false if the connection has one of its name.
    pub(super) fn add(&mut self, subscription: &Arc<Subscription>) -> bool {
        let region = subscription.region.id();
        let added = self.regions.entry(region).or_default().add(subscription);
        if added {
            let name = (region, subscription.request_id);
            self.connections
                .entry(subscription.connection.id)
                .or_default()
                .insert(name, subscription.clone());
        }
        added
    }

    /// Takes one out; false if it is not there (any more).
    pub(super) fn remove(&mut self, subscription: &Subscription) -> bool {
        let region = subscription.region.id();
        let Some(audience) = self.regions.get_mut(&region) else { return false };
        if !audience.remove(subscription) {
            return false;
        }
        if audience.is_empty() {
            self.regions.remove(&region);
        }
        self.forget(subscription);
        true
    }

    /// Takes one out of those of its connection.
    fn forget(&mut self, subscription: &Subscription) {
        let connection = subscription.connection.id;
        if let Some(of_it) = self.connections.get_mut(&connection) {
            of_it.remove(&(subscription.region.id(), subscription.request_id));
            if of_it.is_empty() {
                self.connections.remove(&connection);
            }
        }
    }

    /// Takes out all of a region.
    pub(super) fn remove_region(&mut self, region: u64) -> Vec<Arc<Subscription>> {
        let audience = self.regions.remove(&region).unwrap_or_default();
        let all: Vec<_> = audience.iter().cloned().collect();
        all.iter().for_each(|subscription| self.forget(subscription));
        all
    }

    /// The connections whose turn it is: those after the last one that was told, in a circle, until they have `most`
    /// subscriptions together.
    pub(super) fn next_told(&mut self, most: usize) -> Vec<u64> {
        let mut count = 0;
        let after = (Bound::Excluded(self.told_last), Bound::Unbounded);
        let circle = self.connections.range(after).chain(self.connections.range(..=self.told_last));
        let turn = circle.take_while(|(_, of_it)| {
            let goes_on = count < most;
            count += of_it.len();
            goes_on
        });
        let turn: Vec<u64> = turn.map(|(connection, _)| *connection).collect();
        self.told_last = turn.last().copied().unwrap_or_default();
        turn
    }
}
