//! Who listens to a region: found by name, and by the keys of a change, without a look at all the others.
//!
//! The region of a small stack holds the tables of all changefeeds: with a hundred thousand subscriptions a walk through
//! all of them, for each that comes or goes and for each change, would be most of what the store does.

use super::hub::{Connection, Subscription};
use crate::keys::{KeyRange, PREFIX_LEN};
use std::collections::HashMap;
use std::sync::Arc;

/// What tells the subscriptions of a region apart: the connection, and its request id if it has several.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Name {
    connection: u64,
    request: u64,
}

impl Name {
    fn new(connection: &Connection, request_id: u64) -> Self {
        Self { connection: connection.id, request: if connection.multiplexed { request_id } else { 0 } }
    }

    fn of(subscription: &Subscription) -> Self {
        Self::new(&subscription.connection, subscription.request_id)
    }
}

/// First bytes of keys: those of one table.
type Prefix = [u8; PREFIX_LEN];

/// The subscriptions of one region.
#[derive(Default)]
pub(super) struct Audience {
    all: HashMap<Name, Arc<Subscription>>,
    /// Those whose keys all begin alike, by that.
    narrow: HashMap<Prefix, Vec<Arc<Subscription>>>,
    /// The others.
    wide: Vec<Arc<Subscription>>,
}

impl Audience {
    /// Adds a subscription; false if there is one of its name.
    pub(super) fn add(&mut self, subscription: &Arc<Subscription>) -> bool {
        let name = Name::of(subscription);
        if self.all.contains_key(&name) {
            return false;
        }
        self.all.insert(name, subscription.clone());
        match subscription.range.prefix() {
            Some(prefix) => self.narrow.entry(prefix).or_default().push(subscription.clone()),
            None => self.wide.push(subscription.clone()),
        }
        true
    }

    /// The subscription that a request of a connection made.
    pub(super) fn find(&self, connection: &Connection, request_id: u64) -> Option<&Arc<Subscription>> {
        self.all.get(&Name::new(connection, request_id))
    }

    /// Takes out this subscription; false if it is not there (any more).
    pub(super) fn remove(&mut self, subscription: &Subscription) -> bool {
        let name = Name::of(subscription);
        if !self.all.get(&name).is_some_and(|other| std::ptr::eq(Arc::as_ptr(other), subscription)) {
            return false;
        }
        self.all.remove(&name);
        let others = |other: &Arc<Subscription>| !std::ptr::eq(Arc::as_ptr(other), subscription);
        match subscription.range.prefix() {
            Some(prefix) => {
                if let Some(alike) = self.narrow.get_mut(&prefix) {
                    alike.retain(others);
                    if alike.is_empty() {
                        self.narrow.remove(&prefix);
                    }
                }
            }
            None => self.wide.retain(others),
        }
        true
    }

    /// All of them, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Subscription>> {
        self.all.values()
    }

    /// Whether there is nobody.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Those that may want changes of one of these keys, each once.
    pub(super) fn listeners<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) -> Vec<Arc<Subscription>> {
        let mut listeners = self.wide.clone();
        if self.narrow.is_empty() {
            return listeners;
        }
        let mut prefixes: Vec<Prefix> = keys.filter_map(KeyRange::prefix_of).collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        listeners.extend(prefixes.iter().filter_map(|prefix| self.narrow.get(prefix)).flatten().cloned());
        listeners
    }
}

#[cfg(test)]
mod tests {
    use super::super::sink::Sink;
    use super::*;
    use crate::region::Region;
    use proptest::prelude::*;
    use tikv_proto::metapb;
    use tokio::sync::Semaphore;

    /// A connection with this id.
    fn connection(id: u64, multiplexed: bool) -> Arc<Connection> {
        Arc::new(Connection {
            id,
            sink: Arc::new(Sink::new(1)),
            multiplexed,
            batches_resolved: true,
            scans: Semaphore::new(1),
        })
    }

    /// A subscription to these keys.
    fn subscription(connection: &Arc<Connection>, request_id: u64, range: KeyRange) -> Arc<Subscription> {
        let region = Arc::new(Region::new(metapb::Region { id: 2, ..metapb::Region::default() }, 0).unwrap());
        Arc::new(Subscription::new(request_id, region, range, 0, false, connection.clone()))
    }

    /// Keys of few tables, some of them cut.
    fn key() -> impl Strategy<Value = Vec<u8>> {
        (0..3_u8, 0..3_u8, 0..13_usize).prop_map(|(table, row, len)| {
            let mut key = vec![b't', 0, 0, 0, 0, 0, 0, 0, table, b'_', b'r', row];
            key.truncate(len);
            key
        })
    }

    proptest! {
        #[test]
        fn nobody_who_wants_a_change_is_passed_over_and_nobody_is_named_twice(
            ranges in proptest::collection::vec((key(), key()), 0..12),
            gone in proptest::collection::vec(any::<bool>(), 12),
            keys in proptest::collection::vec(key(), 1..4),
        ) {
            let connection = connection(1, true);
            let mut audience = Audience::default();
            let all: Vec<_> = (1..).zip(ranges)
                .map(|(id, (start, end))| subscription(&connection, id, KeyRange { start, end }))
                .collect();
            all.iter().for_each(|one| assert!(audience.add(one)));
            let (gone, left): (Vec<_>, Vec<_>) = all.iter().zip(gone).partition(|(_, gone)| *gone);
            gone.iter().for_each(|(one, _)| assert!(audience.remove(one) && !audience.remove(one)));
            let mut told: Vec<u64> =
                audience.listeners(keys.iter().map(Vec::as_slice)).iter().map(|one| one.request_id).collect();
            told.sort_unstable();
            let count = told.len();
            told.dedup();
            prop_assert_eq!(told.len(), count);
            for (one, _) in &left {
                let wants = keys.iter().any(|key| one.wants(key, 0));
                prop_assert!(!wants || told.contains(&one.request_id));
            }
            prop_assert_eq!(audience.iter().count(), left.len());
        }
    }

    #[test]
    fn a_connection_without_request_ids_has_one_subscription_in_a_region() {
        let mut audience = Audience::default();
        let (plain, multiplexed) = (connection(1, false), connection(2, true));
        assert!(audience.add(&subscription(&plain, 1, KeyRange::default())));
        assert!(!audience.add(&subscription(&plain, 2, KeyRange::default())));
        assert!(audience.add(&subscription(&multiplexed, 1, KeyRange::default())));
        assert!(audience.add(&subscription(&multiplexed, 2, KeyRange::default())));
        assert!(!audience.add(&subscription(&multiplexed, 2, KeyRange::default())));
        assert_eq!(audience.find(&plain, 7).unwrap().request_id, 1);
        assert!(audience.find(&multiplexed, 7).is_none());
    }

    #[test]
    fn changes_of_one_table_are_not_shown_to_those_of_another() {
        let connection = connection(1, true);
        let mut audience = Audience::default();
        for table in 1..=100 {
            let bound = |kind| vec![b't', 0, 0, 0, 0, 0, 0, 0, table, b'_', kind];
            let range = KeyRange { start: bound(b'r'), end: bound(b's') };
            assert!(audience.add(&subscription(&connection, table.into(), range)));
        }
        let key = [b't', 0, 0, 0, 0, 0, 0, 0, 42, b'_', b'r', 1];
        let told: Vec<u64> =
            audience.listeners([&key[..], &key[..]].into_iter()).iter().map(|one| one.request_id).collect();
        assert_eq!(told, [42]);
    }
}
