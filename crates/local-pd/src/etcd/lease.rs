//! Leases and the keys under them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::record::LeaseGrant;

use super::EtcdError;

/// Longest time of a lease in seconds, etcd's limit.
const MAX_TTL: i64 = 9_000_000_000;
/// Shortest time of a lease in seconds: etcd allows no less than its election takes.
const MIN_TTL: i64 = 1;
/// Leases at once.
const MAX_LEASES: usize = 100_000;

/// All leases.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    entries: BTreeMap<i64, Entry>,
}

/// A lease.
#[derive(Debug)]
struct Entry {
    ttl: i64,
    expires: Instant,
    keys: BTreeSet<Bytes>,
}

/// What is known of a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeaseInfo {
    pub(crate) granted: i64,
    pub(crate) left: Duration,
    pub(crate) keys: Vec<Bytes>,
}

/// Checks the time of a new lease; too short a time is raised to the minimum.
pub(super) fn check_ttl(ttl: i64) -> Result<i64, EtcdError> {
    if ttl > MAX_TTL { Err(EtcdError::LeaseTtlTooLarge) } else { Ok(ttl.max(MIN_TTL)) }
}

/// When a lease ends that starts now.
fn expiry(ttl: i64) -> Instant {
    let now = Instant::now();
    let seconds = u64::try_from(ttl).unwrap_or(0);
    now.checked_add(Duration::from_secs(seconds)).unwrap_or(now)
}

impl Leases {
    /// Whether a lease exists.
    pub(crate) fn contains(&self, id: i64) -> bool {
        self.entries.contains_key(&id)
    }

    /// Refuses one more lease when there are too many.
    pub(super) fn check_room(&self) -> Result<(), EtcdError> {
        if self.entries.len() < MAX_LEASES { Ok(()) } else { Err(EtcdError::TooManyLeases) }
    }

    /// Adds a lease with its full time.
    pub(super) fn grant(&mut self, id: i64, ttl: i64) {
        let entry = self.entries.entry(id).or_insert_with(|| Entry {
            ttl,
            expires: expiry(ttl),
            keys: BTreeSet::new(),
        });
        entry.ttl = ttl;
        entry.expires = expiry(ttl);
    }

    /// Gives a lease its full time again and returns that time in seconds.
    pub(crate) fn renew(&mut self, id: i64) -> Option<i64> {
        let entry = self.entries.get_mut(&id)?;
        entry.expires = expiry(entry.ttl);
        Some(entry.ttl)
    }

    /// What is known of a lease.
    pub(crate) fn info(&self, id: i64) -> Option<LeaseInfo> {
        let entry = self.entries.get(&id)?;
        let left = entry.expires.saturating_duration_since(Instant::now());
        Some(LeaseInfo { granted: entry.ttl, left, keys: entry.keys.iter().cloned().collect() })
    }

    /// Removes a lease and returns its keys.
    pub(super) fn remove(&mut self, id: i64) -> Option<BTreeSet<Bytes>> {
        self.entries.remove(&id).map(|entry| entry.keys)
    }

    /// Puts a key under a lease.
    pub(super) fn attach(&mut self, id: i64, key: Bytes) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.keys.insert(key);
        }
    }

    /// Takes a key from under a lease.
    pub(super) fn detach(&mut self, id: i64, key: &Bytes) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.keys.remove(key);
        }
    }

    /// Leases whose time is over.
    pub(crate) fn expired(&self) -> Vec<i64> {
        let now = Instant::now();
        self.entries.iter().filter(|(_, entry)| entry.expires <= now).map(|(id, _)| *id).collect()
    }

    /// When the next lease ends.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        self.entries.values().map(|entry| entry.expires).min()
    }

    /// All leases, for a snapshot.
    pub(super) fn grants(&self) -> Vec<LeaseGrant> {
        self.entries.iter().map(|(id, entry)| LeaseGrant { id: *id, ttl: entry.ttl }).collect()
    }

    /// All keys under leases.
    #[cfg(test)]
    pub(super) fn keys(&self) -> Vec<(i64, Bytes)> {
        self.entries.iter().flat_map(|(id, entry)| entry.keys.iter().map(|key| (*id, key.clone()))).collect()
    }
}
