//! Reads.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use tikv_proto::etcdserverpb as pb;
use tikv_proto::etcdserverpb::range_request::{SortOrder, SortTarget};

use super::{Etcd, EtcdError};
use crate::record::in_range;

/// Pairs of a range: one key without an end; an end of one zero byte is unbounded.
pub(super) fn scan<'a>(
    kvs: &'a BTreeMap<Bytes, pb::KeyValue>,
    key: &Bytes,
    range_end: &Bytes,
) -> impl Iterator<Item = &'a pb::KeyValue> + use<'a> {
    let start = Bound::Included(key.clone());
    let end = if range_end.is_empty() {
        Bound::Included(key.clone())
    } else if range_end[..] == [0] {
        Bound::Unbounded
    } else if range_end <= key {
        // An empty range: nothing lies between a key and itself.
        Bound::Excluded(key.clone())
    } else {
        Bound::Excluded(range_end.clone())
    };
    let empty = matches!(&end, Bound::Excluded(end) if end <= key);
    (!empty).then(|| kvs.range((start, end))).into_iter().flatten().map(|(_, kv)| kv)
}

impl Etcd {
    /// Reads a range as of its revision (0: now).
    pub(crate) fn range(&self, request: &pb::RangeRequest) -> Result<pb::RangeResponse, EtcdError> {
        check(request)?;
        let mut found = self.kvs_at(request)?;
        found.retain(|kv| passes(kv, request));
        sort(&mut found, request);
        let count = i64::try_from(found.len()).unwrap_or(i64::MAX);
        let limit = usize::try_from(request.limit).unwrap_or(0);
        let more = limit > 0 && found.len() > limit;
        if more {
            found.truncate(limit);
        }
        if request.count_only {
            found.clear();
        }
        if request.keys_only {
            for kv in &mut found {
                kv.value = Bytes::new();
            }
        }
        Ok(pb::RangeResponse { header: None, kvs: found, more: more && !request.count_only, count })
    }

    /// The pairs of a range as of a revision: those of now with the later changes taken back.
    fn kvs_at(&self, request: &pb::RangeRequest) -> Result<Vec<pb::KeyValue>, EtcdError> {
        let now = scan(&self.kvs, &request.key, &request.range_end);
        if request.revision <= 0 || request.revision == self.revision {
            return Ok(now.cloned().collect());
        }
        if request.revision > self.revision {
            return Err(EtcdError::FutureRevision);
        }
        if request.revision < self.history.compacted() {
            return Err(EtcdError::Compacted);
        }
        let mut then: BTreeMap<Bytes, pb::KeyValue> = now.map(|kv| (kv.key.clone(), kv.clone())).collect();
        let later = self.history.revisions().rev().take_while(|kept| kept.revision > request.revision);
        for event in later.flat_map(|kept| kept.events.iter().rev()) {
            let Some(kv) = &event.kv else { continue };
            if !in_range(&kv.key, &request.key, &request.range_end) {
                continue;
            }
            match &event.prev_kv {
                Some(previous) => then.insert(kv.key.clone(), previous.clone()),
                None => then.remove(&kv.key),
            };
        }
        Ok(then.into_values().collect())
    }
}

/// Checks the shape of a read.
pub(super) fn check(request: &pb::RangeRequest) -> Result<(), EtcdError> {
    if request.key.is_empty() {
        return Err(EtcdError::EmptyKey);
    }
    let target = SortTarget::try_from(request.sort_target);
    let order = SortOrder::try_from(request.sort_order);
    if target.is_err() || order.is_err() { Err(EtcdError::InvalidSort) } else { Ok(()) }
}

/// Whether a pair passes the filters of a read.
fn passes(kv: &pb::KeyValue, request: &pb::RangeRequest) -> bool {
    let at_least = |bound: i64, value: i64| bound == 0 || value >= bound;
    let at_most = |bound: i64, value: i64| bound == 0 || value <= bound;
    at_least(request.min_mod_revision, kv.mod_revision)
        && at_most(request.max_mod_revision, kv.mod_revision)
        && at_least(request.min_create_revision, kv.create_revision)
        && at_most(request.max_create_revision, kv.create_revision)
}

/// Sorts what was found. It is in key order already.
fn sort(found: &mut [pb::KeyValue], request: &pb::RangeRequest) {
    match request.sort_target() {
        SortTarget::Key => {}
        // etcd sorts by another field than the key in ascending order if no order is given.
        SortTarget::Version => found.sort_by_key(|kv| kv.version),
        SortTarget::Create => found.sort_by_key(|kv| kv.create_revision),
        SortTarget::Mod => found.sort_by_key(|kv| kv.mod_revision),
        SortTarget::Value => found.sort_by(|a, b| a.value.cmp(&b.value)),
    }
    if request.sort_order() == SortOrder::Descend {
        found.reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::super::Changes;
    use super::*;

    fn store() -> Etcd {
        let mut etcd = Etcd::new(100);
        for (key, value) in [("b", "1"), ("a", "2"), ("c", "3"), ("a", "4")] {
            let request = pb::PutRequest { key: key.into(), value: value.into(), ..Default::default() };
            let mut changes = Changes::default();
            etcd.put(request, &mut changes);
            etcd.finish(changes);
        }
        etcd
    }

    fn keys(etcd: &Etcd, request: pb::RangeRequest) -> Vec<String> {
        let answer = etcd.range(&request).unwrap();
        let text = |kv: &pb::KeyValue| {
            format!("{}{}", String::from_utf8_lossy(&kv.key), String::from_utf8_lossy(&kv.value))
        };
        answer.kvs.iter().map(text).collect()
    }

    #[test]
    fn ranges_sort_limit_and_filter_as_asked() {
        let etcd = store();
        let all = pb::RangeRequest { key: "a".into(), range_end: vec![0].into(), ..Default::default() };
        assert_eq!(keys(&etcd, all.clone()), ["a4", "b1", "c3"]);
        assert_eq!(keys(&etcd, pb::RangeRequest { range_end: "c".into(), ..all.clone() }), ["a4", "b1"]);
        assert_eq!(keys(&etcd, pb::RangeRequest { range_end: Bytes::new(), ..all.clone() }), ["a4"]);
        assert_eq!(keys(&etcd, pb::RangeRequest { range_end: "a".into(), ..all.clone() }), [""; 0]);
        let oldest = pb::RangeRequest { sort_target: SortTarget::Create.into(), limit: 1, ..all.clone() };
        assert_eq!(keys(&etcd, oldest.clone()), ["b1"]);
        let newest = pb::RangeRequest { sort_order: SortOrder::Descend.into(), ..oldest };
        assert_eq!(keys(&etcd, newest), ["c3"]);
        assert_eq!(keys(&etcd, pb::RangeRequest { max_create_revision: 2, ..all.clone() }), ["b1"]);
        let answer = etcd.range(&pb::RangeRequest { limit: 2, ..all }).unwrap();
        assert_eq!((answer.kvs.len(), answer.count, answer.more), (2, 3, true));
    }

    #[test]
    fn earlier_revisions_are_rebuilt_from_history() {
        let etcd = store();
        let all = pb::RangeRequest { key: "a".into(), range_end: vec![0].into(), ..Default::default() };
        assert_eq!(keys(&etcd, pb::RangeRequest { revision: 3, ..all.clone() }), ["a2", "b1"]);
        assert_eq!(keys(&etcd, pb::RangeRequest { revision: 1, ..all.clone() }), [""; 0]);
        let future = pb::RangeRequest { revision: 6, ..all };
        assert_eq!(etcd.range(&future), Err(EtcdError::FutureRevision));
    }
}
