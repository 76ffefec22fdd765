//! All locks of the store, in memory.
//!
//! The table mirrors the `lock` keyspace and adds what lives only in memory: pessimistic locks, and the keys of
//! one-phase commits on their way to the disk. Per region it counts the start timestamps of locks that announce
//! changes: they bound the region's resolved timestamp.

use crate::keys::KeyRange;
use crate::record::Lock;
use parking_lot::RwLock;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A change of the lock of one key.
#[derive(Clone, Debug)]
pub(crate) struct LockChange {
    /// Raw key.
    pub(crate) key: Box<[u8]>,
    /// The new lock; `None` removes it.
    pub(crate) lock: Option<Arc<Lock>>,
}

/// Keys of a one-phase commit between the choice of its commit timestamp and its application.
#[derive(Debug)]
struct InFlight {
    region_id: u64,
    start_ts: u64,
    done: CancellationToken,
}

/// Start timestamps of the data locks of one region, with their number.
type Tracker = BTreeMap<u64, usize>;

#[derive(Default)]
struct State {
    locks: BTreeMap<Box<[u8]>, Arc<Lock>>,
    trackers: HashMap<u64, Tracker>,
    in_flight: BTreeMap<Box<[u8]>, Arc<InFlight>>,
}

/// How a reader treats locks.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadRules {
    /// Snapshot timestamp.
    pub(crate) ts: u64,
    /// Ignore locks altogether (read committed).
    pub(crate) ignore_locks: bool,
    /// Transactions known to commit after `ts` or to be rolled back.
    pub(crate) bypass: Vec<u64>,
    /// Transactions known to be committed before `ts`: their locks are read as values.
    pub(crate) committed: Vec<u64>,
}

/// What a reader found on a key.
#[derive(Clone, Debug)]
pub(crate) enum Obstacle {
    /// A lock that must be resolved first.
    Locked(Arc<Lock>),
    /// A lock that counts as committed.
    Committed(Arc<Lock>),
    /// A one-phase commit that may be visible at this timestamp: wait for it.
    InFlight(CancellationToken),
}

impl ReadRules {
    fn judge(&self, key: &[u8], lock: &Arc<Lock>) -> Option<Obstacle> {
        let hidden = self.ignore_locks
            || !lock.kind.changes_data()
            || lock.start_ts > self.ts
            || lock.min_commit_ts > self.ts
            || self.bypass.contains(&lock.start_ts)
            // A point read of the newest version may pass the primary: the commit would come after it.
            || (self.ts == u64::MAX && lock.primary == key);
        if hidden {
            None
        } else if self.committed.contains(&lock.start_ts) {
            Some(Obstacle::Committed(lock.clone()))
        } else {
            Some(Obstacle::Locked(lock.clone()))
        }
    }
}

/// The table. Changes of one key are serialised by its latch; the table itself is safe to share.
#[derive(Default)]
pub(crate) struct LockTable {
    state: RwLock<State>,
}

impl LockTable {
    /// The lock of `key`.
    pub(crate) fn get(&self, key: &[u8]) -> Option<Arc<Lock>> {
        self.state.read().locks.get(key).cloned()
    }

    /// What stands in the way of reading `key`.
    pub(crate) fn obstacle(&self, key: &[u8], rules: &ReadRules) -> Option<Obstacle> {
        let state = self.state.read();
        if !state.in_flight.is_empty()
            && let Some(flight) = state.in_flight.get(key)
            && flight.start_ts < rules.ts
        {
            return Some(Obstacle::InFlight(flight.done.clone()));
        }
        state.locks.get(key).and_then(|lock| rules.judge(key, lock))
    }

    /// The first (or last, when `reverse`) `limit` obstacles of `range`.
    pub(crate) fn obstacles(
        &self,
        range: &KeyRange,
        rules: &ReadRules,
        limit: usize,
        reverse: bool,
    ) -> Vec<(Vec<u8>, Obstacle)> {
        let state = self.state.read();
        if let Some((key, flight)) =
            bounded(&state.in_flight, range).find(|(_, flight)| flight.start_ts < rules.ts)
        {
            return vec![(key.to_vec(), Obstacle::InFlight(flight.done.clone()))];
        }
        let judged = |(key, lock): (&[u8], &Arc<Lock>)| {
            rules.judge(key, lock).map(|obstacle| (key.to_vec(), obstacle))
        };
        let locks = bounded(&state.locks, range);
        if reverse {
            locks.rev().filter_map(judged).take(limit).collect()
        } else {
            locks.filter_map(judged).take(limit).collect()
        }
    }

    /// Up to `limit` locks of `range` that `wanted` accepts, in key order.
    pub(crate) fn scan(
        &self,
        range: &KeyRange,
        limit: usize,
        wanted: impl Fn(&Lock) -> bool,
    ) -> Vec<(Vec<u8>, Arc<Lock>)> {
        let state = self.state.read();
        bounded(&state.locks, range)
            .filter(|(_, lock)| wanted(lock))
            .take(limit)
            .map(|(key, lock)| (key.to_vec(), lock.clone()))
            .collect()
    }

    /// Applies changes of keys of one region; returns the keys that are free now.
    pub(crate) fn apply(&self, region_id: u64, changes: Vec<LockChange>) -> Vec<Box<[u8]>> {
        let mut freed = Vec::new();
        if changes.is_empty() {
            return freed;
        }
        let mut guard = self.state.write();
        let state = &mut *guard;
        let tracker = state.trackers.entry(region_id).or_default();
        for change in changes {
            let old = match change.lock {
                Some(lock) => {
                    track(tracker, &lock);
                    state.locks.insert(change.key, lock)
                }
                None => {
                    let old = state.locks.remove(&change.key);
                    freed.push(change.key);
                    old
                }
            };
            if let Some(old) = old {
                untrack(tracker, &old);
            }
        }
        freed
    }

    /// Counts the locks of `ranges` anew, after the regions with these ids took these ranges.
    pub(crate) fn retrack(&self, ranges: &[(u64, KeyRange)]) {
        let mut guard = self.state.write();
        let state = &mut *guard;
        for (region_id, range) in ranges {
            let mut tracker = Tracker::new();
            for (_, lock) in bounded(&state.locks, range) {
                track(&mut tracker, lock);
            }
            state.trackers.insert(*region_id, tracker);
        }
    }

    /// The smallest start timestamp among unresolved changes of a region, one-phase commits on their way included.
    pub(crate) fn oldest_change(&self, region_id: u64) -> Option<u64> {
        let state = self.state.read();
        let locked = state.trackers.get(&region_id).and_then(|tracker| tracker.keys().next().copied());
        let flying = state
            .in_flight
            .values()
            .filter(|flight| flight.region_id == region_id)
            .map(|flight| flight.start_ts)
            .min();
        match (locked, flying) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Announces a one-phase commit on `keys`. Must come before its commit timestamp is chosen.
    pub(crate) fn announce(
        self: &Arc<Self>,
        region_id: u64,
        start_ts: u64,
        keys: impl Iterator<Item = Box<[u8]>>,
    ) -> InFlightGuard {
        let flight = Arc::new(InFlight { region_id, start_ts, done: CancellationToken::new() });
        let keys: Vec<Box<[u8]>> = keys.collect();
        let mut state = self.state.write();
        for key in &keys {
            state.in_flight.insert(key.clone(), flight.clone());
        }
        drop(state);
        InFlightGuard { table: self.clone(), keys, flight }
    }
}

/// Ends the announcement of a one-phase commit when dropped: after its application, or when it failed.
pub(crate) struct InFlightGuard {
    table: Arc<LockTable>,
    keys: Vec<Box<[u8]>>,
    flight: Arc<InFlight>,
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        let mut state = self.table.state.write();
        for key in &self.keys {
            state.in_flight.remove(key);
        }
        drop(state);
        self.flight.done.cancel();
    }
}

fn bounded<'a, V>(
    map: &'a BTreeMap<Box<[u8]>, V>,
    range: &KeyRange,
) -> impl DoubleEndedIterator<Item = (&'a [u8], &'a V)> {
    let start = range.start.as_slice();
    let end = match range.end.as_slice() {
        [] => Bound::Unbounded,
        // A range that ends before it starts is empty; the map wants that said without contradiction.
        end => Bound::Excluded(end.max(start)),
    };
    let bounds = (Bound::Included(start), end);
    map.range::<[u8], _>(bounds).map(|(key, value)| (&**key, value))
}

fn track(tracker: &mut Tracker, lock: &Lock) {
    if lock.kind.changes_data() {
        *tracker.entry(lock.start_ts).or_default() += 1;
    }
}

fn untrack(tracker: &mut Tracker, lock: &Lock) {
    if lock.kind.changes_data()
        && let Some(count) = tracker.get_mut(&lock.start_ts)
    {
        *count -= 1;
        if *count == 0 {
            tracker.remove(&lock.start_ts);
        }
    }
}
