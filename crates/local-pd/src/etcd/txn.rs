//! Transactions: comparisons decide which operations are done, all at one revision.

use std::collections::BTreeSet;

use bytes::Bytes;
use tikv_proto::etcdserverpb as pb;
use tikv_proto::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use tikv_proto::etcdserverpb::request_op::Request;
use tikv_proto::etcdserverpb::response_op::Response;

use crate::record::in_range;

use super::{Changes, Etcd, EtcdError, range};

/// Operations or comparisons in one transaction.
const MAX_OPS: usize = 10_240;
/// Transactions within transactions.
const MAX_DEPTH: usize = 8;

/// Checks the shape of a transaction.
pub(crate) fn check_txn(txn: &pb::TxnRequest) -> Result<(), EtcdError> {
    check_level(txn, 0)
}

/// Checks one level of a transaction.
fn check_level(txn: &pb::TxnRequest, depth: usize) -> Result<(), EtcdError> {
    let longest = txn.compare.len().max(txn.success.len()).max(txn.failure.len());
    if longest > MAX_OPS || depth > MAX_DEPTH {
        return Err(EtcdError::TooManyOps);
    }
    if txn.compare.iter().any(|compare| compare.key.is_empty()) {
        return Err(EtcdError::EmptyKey);
    }
    for branch in [&txn.success, &txn.failure] {
        check_branch(branch, depth)?;
    }
    Ok(())
}

/// Checks one branch: no key may be set twice, or set and deleted.
fn check_branch(branch: &[pb::RequestOp], depth: usize) -> Result<(), EtcdError> {
    let mut puts: BTreeSet<Bytes> = BTreeSet::new();
    let mut deletes: Vec<&pb::DeleteRangeRequest> = Vec::new();
    for op in branch {
        match op.request.as_ref().ok_or(EtcdError::EmptyOp)? {
            Request::RequestRange(range) => range::check(range)?,
            Request::RequestPut(put) => {
                if !puts.insert(put.key.clone()) {
                    return Err(EtcdError::DuplicateKey);
                }
            }
            Request::RequestDeleteRange(delete) if delete.key.is_empty() => return Err(EtcdError::EmptyKey),
            Request::RequestDeleteRange(delete) => deletes.push(delete),
            Request::RequestTxn(txn) => check_level(txn, depth + 1)?,
        }
    }
    let covered = |key: &Bytes| deletes.iter().any(|delete| in_range(key, &delete.key, &delete.range_end));
    if puts.iter().any(covered) { Err(EtcdError::DuplicateKey) } else { Ok(()) }
}

/// The chosen operations of a transaction, with nested choices made.
struct Chosen {
    succeeded: bool,
    ops: Vec<ChosenOp>,
}

/// A chosen operation.
enum ChosenOp {
    Range(pb::RangeRequest),
    Put(pb::PutRequest),
    Delete(pb::DeleteRangeRequest),
    Txn(Chosen),
}

impl Etcd {
    /// Does a transaction whose shape has been checked. Nothing is changed if it is refused.
    pub(crate) fn txn(
        &mut self,
        txn: pb::TxnRequest,
        changes: &mut Changes,
    ) -> Result<pb::TxnResponse, EtcdError> {
        let chosen = self.choose(txn);
        self.check_chosen(&chosen)?;
        self.perform(chosen, changes)
    }

    /// Makes all comparisons before anything is changed.
    fn choose(&self, txn: pb::TxnRequest) -> Chosen {
        let succeeded = txn.compare.iter().all(|compare| self.holds(compare));
        let branch = if succeeded { txn.success } else { txn.failure };
        let ops = branch
            .into_iter()
            .filter_map(|op| op.request)
            .map(|request| match request {
                Request::RequestRange(range) => ChosenOp::Range(range),
                Request::RequestPut(put) => ChosenOp::Put(put),
                Request::RequestDeleteRange(delete) => ChosenOp::Delete(delete),
                Request::RequestTxn(txn) => ChosenOp::Txn(self.choose(txn)),
            })
            .collect();
        Chosen { succeeded, ops }
    }

    /// Refuses what would fail halfway.
    fn check_chosen(&self, chosen: &Chosen) -> Result<(), EtcdError> {
        for op in &chosen.ops {
            match op {
                ChosenOp::Put(put) => self.check_put(put)?,
                ChosenOp::Range(range) if range.revision > self.revision => {
                    return Err(EtcdError::FutureRevision);
                }
                ChosenOp::Range(range) if range.revision > 0 && range.revision < self.history.compacted() => {
                    return Err(EtcdError::Compacted);
                }
                ChosenOp::Txn(inner) => self.check_chosen(inner)?,
                ChosenOp::Range(_) | ChosenOp::Delete(_) => {}
            }
        }
        Ok(())
    }

    /// Does the chosen operations; later ones see what earlier ones did.
    fn perform(&mut self, chosen: Chosen, changes: &mut Changes) -> Result<pb::TxnResponse, EtcdError> {
        let mut responses = Vec::with_capacity(chosen.ops.len());
        for op in chosen.ops {
            let response = match op {
                ChosenOp::Range(range) => Response::ResponseRange(self.range(&range)?),
                ChosenOp::Put(put) => Response::ResponsePut(self.put(put, changes)),
                ChosenOp::Delete(delete) => Response::ResponseDeleteRange(self.delete(&delete, changes)),
                ChosenOp::Txn(inner) => Response::ResponseTxn(self.perform(inner, changes)?),
            };
            responses.push(pb::ResponseOp { response: Some(response) });
        }
        Ok(pb::TxnResponse { header: None, succeeded: chosen.succeeded, responses })
    }

    /// Whether a comparison holds, for every key of its range.
    fn holds(&self, compare: &pb::Compare) -> bool {
        let absent = pb::KeyValue::default();
        if compare.range_end.is_empty() {
            let kv = self.kvs.get(&compare.key);
            // A key that does not exist has no value to compare; its numbers are 0.
            if kv.is_none() && compare.target() == CompareTarget::Value {
                return false;
            }
            return holds_for(compare, kv.unwrap_or(&absent));
        }
        let mut found = range::scan(&self.kvs, &compare.key, &compare.range_end).peekable();
        if found.peek().is_none() {
            return compare.target() != CompareTarget::Value && holds_for(compare, &absent);
        }
        found.all(|kv| holds_for(compare, kv))
    }
}

/// Whether a comparison holds for one key.
fn holds_for(compare: &pb::Compare, kv: &pb::KeyValue) -> bool {
    let union = compare.target_union.as_ref();
    let ordering = match compare.target() {
        CompareTarget::Version => kv.version.cmp(&match union {
            Some(TargetUnion::Version(version)) => *version,
            _ => 0,
        }),
        CompareTarget::Create => kv.create_revision.cmp(&match union {
            Some(TargetUnion::CreateRevision(revision)) => *revision,
            _ => 0,
        }),
        CompareTarget::Mod => kv.mod_revision.cmp(&match union {
            Some(TargetUnion::ModRevision(revision)) => *revision,
            _ => 0,
        }),
        CompareTarget::Lease => kv.lease.cmp(&match union {
            Some(TargetUnion::Lease(lease)) => *lease,
            _ => 0,
        }),
        CompareTarget::Value => match union {
            Some(TargetUnion::Value(value)) => kv.value.cmp(value),
            _ => kv.value.cmp(&Bytes::new()),
        },
    };
    match compare.result() {
        CompareResult::Equal => ordering.is_eq(),
        CompareResult::NotEqual => ordering.is_ne(),
        CompareResult::Greater => ordering.is_gt(),
        CompareResult::Less => ordering.is_lt(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &'static str, value: &'static str) -> pb::RequestOp {
        let put = pb::PutRequest { key: key.into(), value: value.into(), ..Default::default() };
        pb::RequestOp { request: Some(Request::RequestPut(put)) }
    }

    fn absent(key: &'static str) -> pb::Compare {
        pb::Compare { target: CompareTarget::Create.into(), key: key.into(), ..Default::default() }
    }

    fn run(etcd: &mut Etcd, txn: pb::TxnRequest) -> Result<bool, EtcdError> {
        check_txn(&txn)?;
        let mut changes = Changes::default();
        let answer = etcd.txn(txn, &mut changes)?;
        etcd.finish(changes);
        Ok(answer.succeeded)
    }

    #[test]
    fn only_the_first_of_two_creators_wins() {
        let mut etcd = Etcd::new(10);
        let create = |value| pb::TxnRequest {
            compare: vec![absent("a")],
            success: vec![put("a", value), put("b", value)],
            failure: vec![],
        };
        assert_eq!(run(&mut etcd, create("1")), Ok(true));
        assert_eq!(etcd.revision(), 2);
        assert_eq!(run(&mut etcd, create("2")), Ok(false));
        assert_eq!(etcd.revision(), 2);
        assert_eq!(etcd.kvs[&b"b"[..]].mod_revision, 2);
    }

    #[test]
    fn a_refused_transaction_changes_nothing() {
        let mut etcd = Etcd::new(10);
        let mut leased = put("b", "1");
        if let Some(Request::RequestPut(put)) = &mut leased.request {
            put.lease = 9;
        }
        let txn = pb::TxnRequest { compare: vec![], success: vec![put("a", "1"), leased], failure: vec![] };
        assert_eq!(run(&mut etcd, txn), Err(EtcdError::LeaseNotFound));
        assert!(etcd.kvs.is_empty());
        let twice = pb::TxnRequest { success: vec![put("a", "1"), put("a", "2")], ..Default::default() };
        assert_eq!(run(&mut etcd, twice), Err(EtcdError::DuplicateKey));
    }

    #[test]
    fn values_of_absent_keys_equal_nothing() {
        let mut etcd = Etcd::new(10);
        let compare = pb::Compare {
            target: CompareTarget::Value.into(),
            key: "a".into(),
            target_union: Some(TargetUnion::Value(Bytes::new())),
            ..Default::default()
        };
        assert!(!etcd.holds(&compare));
        run(&mut etcd, pb::TxnRequest { success: vec![put("a", "")], ..Default::default() }).unwrap();
        assert!(etcd.holds(&compare));
    }
}
