//! The metadata store: an etcd v3 subset, in memory, made durable by the journal.

mod error;
mod history;
mod lease;
mod range;
mod txn;

use std::collections::BTreeMap;

use bytes::Bytes;
use tikv_proto::etcdserverpb as pb;

use crate::record::{EtcdSnapshot, Record, Revision};

pub(crate) use error::EtcdError;
pub(crate) use history::{History, Kept};
pub(crate) use lease::Leases;
pub(crate) use txn::check_txn;

/// Revision of an empty store.
const FIRST_REVISION: i64 = 1;

/// The store.
#[derive(Debug)]
pub(crate) struct Etcd {
    revision: i64,
    kvs: BTreeMap<Bytes, pb::KeyValue>,
    history: History,
    leases: Leases,
}

/// Changes of one request: they share a revision.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    events: Vec<pb::WatchedEvent>,
}

impl Etcd {
    /// An empty store that keeps that many changes.
    pub(crate) fn new(history_events: usize) -> Self {
        Self {
            revision: FIRST_REVISION,
            kvs: BTreeMap::new(),
            history: History::new(history_events),
            leases: Leases::default(),
        }
    }

    /// Revision of the last change.
    pub(crate) fn revision(&self) -> i64 {
        self.revision
    }

    /// Kept changes.
    pub(crate) fn history(&self) -> &History {
        &self.history
    }

    /// The leases.
    pub(crate) fn leases(&self) -> &Leases {
        &self.leases
    }

    /// The leases, to be changed.
    pub(crate) fn leases_mut(&mut self) -> &mut Leases {
        &mut self.leases
    }

    /// Bytes of keys and values.
    pub(crate) fn bytes(&self) -> usize {
        self.kvs.values().map(|kv| kv.key.len() + kv.value.len()).sum()
    }

    /// Takes in a record at start.
    pub(crate) fn apply(&mut self, record: Record) {
        for lease in &record.leases {
            self.leases.grant(lease.id, lease.ttl);
        }
        if let Some(snapshot) = record.etcd {
            self.restore(snapshot);
        }
        if let Some(revision) = record.revision {
            self.replay(revision);
        }
        for id in record.leases_removed {
            self.leases.remove(id);
        }
    }

    /// Takes in a snapshot, whose leases are there already.
    fn restore(&mut self, snapshot: EtcdSnapshot) {
        for kv in &snapshot.kvs {
            self.leases.attach(kv.lease, kv.key.clone());
        }
        self.revision = snapshot.revision;
        self.kvs = snapshot.kvs.into_iter().map(|kv| (kv.key.clone(), kv)).collect();
        self.history.restore(snapshot.compacted, snapshot.history);
    }

    /// Takes in changes.
    fn replay(&mut self, revision: Revision) {
        for event in &revision.events {
            let Some(kv) = &event.kv else { continue };
            if let Some(previous) = &event.prev_kv {
                self.leases.detach(previous.lease, &previous.key);
            }
            match event.r#type() {
                pb::watched_event::EventType::Put => {
                    self.leases.attach(kv.lease, kv.key.clone());
                    self.kvs.insert(kv.key.clone(), kv.clone());
                }
                pb::watched_event::EventType::Delete => {
                    self.kvs.remove(&kv.key);
                }
            }
        }
        self.revision = revision.revision;
        self.history.push(revision);
    }

    /// Adds the whole state to a snapshot.
    pub(crate) fn snapshot(&self, record: &mut Record) {
        record.etcd = Some(EtcdSnapshot {
            revision: self.revision,
            compacted: self.history.compacted(),
            kvs: self.kvs.values().cloned().collect(),
            history: self.history.revisions().map(|revision| (**revision).clone()).collect(),
        });
        record.leases = self.leases.grants();
    }

    /// Ends a request: its changes become a revision, and a record.
    pub(crate) fn finish(&mut self, changes: Changes) -> Option<Record> {
        if changes.events.is_empty() {
            return None;
        }
        let revision = Revision { revision: self.revision + 1, events: changes.events };
        self.revision = revision.revision;
        self.history.push(revision.clone());
        Some(Record { revision: Some(revision), ..Record::default() })
    }

    /// Checks a put before anything is changed.
    pub(crate) fn check_put(&self, request: &pb::PutRequest) -> Result<(), EtcdError> {
        if request.key.is_empty() {
            return Err(EtcdError::EmptyKey);
        }
        if (request.ignore_value && !request.value.is_empty()) || (request.ignore_lease && request.lease != 0)
        {
            return Err(EtcdError::ValueProvided);
        }
        if request.lease != 0 && !self.leases.contains(request.lease) {
            return Err(EtcdError::LeaseNotFound);
        }
        if (request.ignore_value || request.ignore_lease) && !self.kvs.contains_key(&request.key) {
            return Err(EtcdError::KeyNotFound);
        }
        Ok(())
    }

    /// Sets a key; the request has passed [`Etcd::check_put`].
    pub(crate) fn put(&mut self, request: pb::PutRequest, changes: &mut Changes) -> pb::PutResponse {
        let previous = self.kvs.get(&request.key).cloned();
        let old = previous.as_ref();
        let revision = self.revision + 1;
        let kv = pb::KeyValue {
            create_revision: old.map_or(revision, |old| old.create_revision),
            mod_revision: revision,
            version: old.map_or(0, |old| old.version) + 1,
            value: if request.ignore_value {
                old.map_or_else(Bytes::new, |old| old.value.clone())
            } else {
                request.value
            },
            lease: if request.ignore_lease { old.map_or(0, |old| old.lease) } else { request.lease },
            key: request.key,
        };
        if let Some(old) = old {
            self.leases.detach(old.lease, &old.key);
        }
        self.leases.attach(kv.lease, kv.key.clone());
        self.kvs.insert(kv.key.clone(), kv.clone());
        changes.events.push(pb::WatchedEvent {
            r#type: pb::watched_event::EventType::Put.into(),
            kv: Some(kv),
            prev_kv: previous.clone(),
        });
        pb::PutResponse { header: None, prev_kv: previous.filter(|_| request.prev_kv) }
    }

    /// Deletes the keys of a range.
    pub(crate) fn delete(
        &mut self,
        request: &pb::DeleteRangeRequest,
        changes: &mut Changes,
    ) -> pb::DeleteRangeResponse {
        let keys: Vec<Bytes> =
            range::scan(&self.kvs, &request.key, &request.range_end).map(|kv| kv.key.clone()).collect();
        let mut previous = Vec::with_capacity(keys.len());
        for key in keys {
            let Some(old) = self.kvs.remove(&key) else { continue };
            self.leases.detach(old.lease, &old.key);
            let kv = pb::KeyValue { key, mod_revision: self.revision + 1, ..Default::default() };
            changes.events.push(pb::WatchedEvent {
                r#type: pb::watched_event::EventType::Delete.into(),
                kv: Some(kv),
                prev_kv: Some(old.clone()),
            });
            previous.push(old);
        }
        pb::DeleteRangeResponse {
            header: None,
            deleted: i64::try_from(previous.len()).unwrap_or(i64::MAX),
            prev_kvs: if request.prev_kv { previous } else { Vec::new() },
        }
    }

    /// Grants a lease; an id of 0 takes `fresh`.
    pub(crate) fn grant(&mut self, id: i64, ttl: i64, fresh: i64) -> Result<(i64, i64, Record), EtcdError> {
        let ttl = lease::check_ttl(ttl)?;
        let id = if id == 0 { fresh } else { id };
        if self.leases.contains(id) {
            return Err(EtcdError::LeaseExists);
        }
        self.leases.check_room()?;
        self.leases.grant(id, ttl);
        let record = Record { leases: vec![crate::record::LeaseGrant { id, ttl }], ..Record::default() };
        Ok((id, ttl, record))
    }

    /// Ends a lease and deletes its keys.
    pub(crate) fn revoke(&mut self, id: i64) -> Result<Record, EtcdError> {
        let keys = self.leases.remove(id).ok_or(EtcdError::LeaseNotFound)?;
        let mut changes = Changes::default();
        for key in keys {
            let request = pb::DeleteRangeRequest { key, ..Default::default() };
            self.delete(&request, &mut changes);
        }
        let mut record = self.finish(changes).unwrap_or_default();
        record.leases_removed.push(id);
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn put(etcd: &mut Etcd, key: &str, value: &str, lease: i64) -> Option<Record> {
        let request = pb::PutRequest {
            key: Bytes::copy_from_slice(key.as_bytes()),
            value: Bytes::copy_from_slice(value.as_bytes()),
            lease,
            ..Default::default()
        };
        let mut changes = Changes::default();
        etcd.check_put(&request).unwrap();
        etcd.put(request, &mut changes);
        etcd.finish(changes)
    }

    fn delete(etcd: &mut Etcd, key: &str) -> Option<Record> {
        let request =
            pb::DeleteRangeRequest { key: Bytes::copy_from_slice(key.as_bytes()), ..Default::default() };
        let mut changes = Changes::default();
        etcd.delete(&request, &mut changes);
        etcd.finish(changes)
    }

    #[test]
    fn a_key_counts_its_versions_from_its_creation() {
        let mut etcd = Etcd::new(100);
        put(&mut etcd, "a", "1", 0);
        put(&mut etcd, "a", "2", 0);
        let kv = etcd.kvs[&b"a"[..]].clone();
        assert_eq!((kv.create_revision, kv.mod_revision, kv.version), (2, 3, 2));
        delete(&mut etcd, "a");
        assert!(delete(&mut etcd, "a").is_none());
        put(&mut etcd, "a", "3", 0);
        let kv = etcd.kvs[&b"a"[..]].clone();
        assert_eq!((kv.create_revision, kv.mod_revision, kv.version), (5, 5, 1));
    }

    #[test]
    fn a_lease_takes_its_keys_with_it() {
        let mut etcd = Etcd::new(100);
        let (id, ttl, _) = etcd.grant(0, 10, 77).unwrap();
        assert_eq!((id, ttl), (77, 10));
        put(&mut etcd, "a", "1", 77);
        put(&mut etcd, "b", "1", 77);
        put(&mut etcd, "b", "2", 0);
        let record = etcd.revoke(77).unwrap();
        assert_eq!(record.revision.unwrap().events.len(), 1);
        assert!(!etcd.kvs.contains_key(&b"a"[..]));
        assert!(etcd.kvs.contains_key(&b"b"[..]));
        assert_eq!(etcd.revoke(77), Err(EtcdError::LeaseNotFound));
    }

    proptest! {
        #[test]
        fn replayed_records_and_snapshots_give_the_same_store(
            ops in proptest::collection::vec((0_u8..5, 0_u8..4), 1..40),
            cut in 0_usize..40,
        ) {
            let mut etcd = Etcd::new(8);
            let mut replayed = Etcd::new(8);
            for (index, (op, key)) in ops.into_iter().enumerate() {
                let key = format!("k{key}");
                let record = match op {
                    0 => delete(&mut etcd, &key),
                    1 => etcd.grant(0, 10, 100 + index as i64).ok().map(|(_, _, record)| record),
                    2 => {
                        let id = etcd.leases.grants().first().map_or(0, |lease| lease.id);
                        put(&mut etcd, &key, "leased", id)
                    }
                    3 => {
                        let id = etcd.leases.grants().first().map_or(0, |lease| lease.id);
                        etcd.revoke(id).ok()
                    }
                    _ => put(&mut etcd, &key, "x", 0),
                };
                if index == cut {
                    let mut snapshot = Record::default();
                    etcd.snapshot(&mut snapshot);
                    replayed = Etcd::new(8);
                    replayed.apply(snapshot);
                } else if let Some(record) = record {
                    replayed.apply(record);
                }
                prop_assert_eq!(&etcd.kvs, &replayed.kvs);
                prop_assert_eq!(etcd.revision, replayed.revision);
                prop_assert_eq!(etcd.leases.grants(), replayed.leases.grants());
                prop_assert_eq!(etcd.leases.keys(), replayed.leases.keys());
                prop_assert_eq!(etcd.history.compacted(), replayed.history.compacted());
            }
        }
    }
}
