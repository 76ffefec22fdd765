//! What a commit is going to write, and in which requests.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use tikv_proto::kvrpcpb;
use tikv_proto::kvrpcpb::prewrite_request::PessimisticAction;

use crate::client::TikvClient;
use crate::error::Result;
use crate::region::Region;

use super::buffer::Write;
use super::{HeldLock, TransactionMode, TransactionOptions};

/// Everything a commit needs, shared with the work behind it.
#[derive(Debug)]
pub(super) struct CommitPlan {
    pub(super) client: TikvClient,
    pub(super) options: TransactionOptions,
    pub(super) start_ts: u64,
    pub(super) for_update_ts: u64,
    pub(super) primary: Bytes,
    /// By key, ascending, each key once.
    pub(super) mutations: Vec<PlannedMutation>,
}

/// A mutation with its lock check.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PlannedMutation {
    pub(super) op: kvrpcpb::Op,
    pub(super) key: Bytes,
    pub(super) value: Bytes,
    pub(super) action: PessimisticAction,
}

/// Neighbouring mutations for one request to one region.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    pub(super) region: Arc<Region>,
    pub(super) range: Range<usize>,
}

impl PlannedMutation {
    /// Whether it leaves a lock that has to be committed.
    pub(super) fn locks(&self) -> bool {
        self.op != kvrpcpb::Op::CheckNotExists
    }
}

/// Turns buffered writes and held locks into mutations, by key.
pub(super) fn mutations_of(
    mode: TransactionMode,
    writes: BTreeMap<Bytes, Write>,
    locks: &BTreeMap<Bytes, HeldLock>,
) -> Vec<PlannedMutation> {
    let mut mutations: Vec<PlannedMutation> =
        writes.into_iter().map(|(key, write)| mutation_of(mode, key, write, locks)).collect();
    let only_locked: Vec<PlannedMutation> = locks
        .keys()
        .filter(|key| mutations.binary_search_by(|mutation| mutation.key.cmp(key)).is_err())
        .map(|key| PlannedMutation {
            op: kvrpcpb::Op::Lock,
            key: key.clone(),
            value: Bytes::new(),
            action: PessimisticAction::DoPessimisticCheck,
        })
        .collect();
    if !only_locked.is_empty() {
        mutations.extend(only_locked);
        mutations.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    }
    mutations
}

/// Turns one buffered write into a mutation.
fn mutation_of(
    mode: TransactionMode,
    key: Bytes,
    write: Write,
    locks: &BTreeMap<Bytes, HeldLock>,
) -> PlannedMutation {
    let lock = locks.get(&key);
    let must_be_absent = write.absent_before && !lock.is_some_and(|lock| lock.checked_absent);
    let op = match (&write.value, must_be_absent) {
        (Some(_), true) => kvrpcpb::Op::Insert,
        (Some(_), false) => kvrpcpb::Op::Put,
        (None, true) if lock.is_none() => kvrpcpb::Op::CheckNotExists,
        (None, _) if write.absent_before => kvrpcpb::Op::Lock,
        (None, _) => kvrpcpb::Op::Del,
    };
    let action = match (mode, lock) {
        (TransactionMode::Pessimistic, Some(_)) => PessimisticAction::DoPessimisticCheck,
        (TransactionMode::Pessimistic, None) if must_be_absent => PessimisticAction::DoConstraintCheck,
        _ => PessimisticAction::SkipPessimisticCheck,
    };
    PlannedMutation { op, key, value: write.value.unwrap_or_default(), action }
}

impl CommitPlan {
    /// The mutations of a batch.
    pub(super) fn slice(&self, range: &Range<usize>) -> &[PlannedMutation] {
        self.mutations.get(range.clone()).unwrap_or_default()
    }

    /// The keys of a batch that carry locks.
    pub(super) fn lock_keys(&self, range: &Range<usize>) -> Vec<Bytes> {
        self.slice(range)
            .iter()
            .filter(|mutation| mutation.locks())
            .map(|mutation| mutation.key.clone())
            .collect()
    }

    /// Divides mutations into requests: neighbours in one region, up to the size of a request.
    pub(super) async fn batches(&self, range: Range<usize>) -> Result<Vec<Batch>> {
        let limit = self.client.config().commit_batch_bytes;
        let mut batches: Vec<Batch> = Vec::new();
        let mut bytes = 0_usize;
        let first = range.start;
        for (offset, mutation) in self.slice(&range).iter().enumerate() {
            let index = first + offset;
            let size = mutation.key.len() + mutation.value.len();
            match batches.last_mut() {
                Some(batch) if bytes + size <= limit && batch.region.contains(&mutation.key) => {
                    batch.range.end = index + 1;
                    bytes += size;
                }
                last => {
                    let same = last
                        .map(|batch| Arc::clone(&batch.region))
                        .filter(|region| region.contains(&mutation.key));
                    let region = match same {
                        Some(region) => region,
                        None => self.client.regions().locate(&mutation.key).await?,
                    };
                    batches.push(Batch { region, range: index..index + 1 });
                    bytes = size;
                }
            }
        }
        Ok(batches)
    }

    /// Position of the primary key.
    pub(super) fn primary_index(&self) -> usize {
        self.mutations.binary_search_by(|mutation| mutation.key.cmp(&self.primary)).unwrap_or(0)
    }

    /// The context of a request to a region.
    pub(super) fn context(&self, region: &Region) -> kvrpcpb::Context {
        kvrpcpb::Context {
            txn_source: self.options.txn_source,
            request_source: self.options.request_source.clone(),
            ..region.context()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_and_claims_decide_the_operation() {
        let write = |value: Option<&'static str>, absent_before| Write {
            value: value.map(Bytes::from),
            absent_before,
        };
        let writes: BTreeMap<Bytes, Write> = [
            ("a", write(Some("1"), false)),
            ("b", write(Some("1"), true)),
            ("c", write(None, false)),
            ("d", write(None, true)),
            ("e", write(Some("1"), true)),
            ("f", write(None, true)),
        ]
        .into_iter()
        .map(|(key, write)| (Bytes::from(key), write))
        .collect();
        let checked = HeldLock { checked_absent: true };
        let locks = [("e", checked), ("f", checked), ("x", HeldLock { checked_absent: false })]
            .into_iter()
            .map(|(key, lock)| (Bytes::from(key), lock))
            .collect();
        let ops: Vec<_> = mutations_of(TransactionMode::Pessimistic, writes, &locks)
            .into_iter()
            .map(|mutation| (mutation.op, mutation.action))
            .collect();
        use PessimisticAction::{DoConstraintCheck, DoPessimisticCheck, SkipPessimisticCheck};
        use kvrpcpb::Op;
        assert_eq!(
            ops,
            [
                (Op::Put, SkipPessimisticCheck),
                (Op::Insert, DoConstraintCheck),
                (Op::Del, SkipPessimisticCheck),
                (Op::CheckNotExists, DoConstraintCheck),
                (Op::Put, DoPessimisticCheck),
                (Op::Lock, DoPessimisticCheck),
                (Op::Lock, DoPessimisticCheck),
            ]
        );
    }
}
