//! Pessimistic locks: taken while the transaction runs, before its prewrite. They live in memory only.

use super::{Conflict, Execution, Key, TxnError};
use crate::mvcc::{self, Fate, Versions};
use crate::record::{Lock, LockKind, ValueRef, WriteKind, WriteRecord};
use bytes::Bytes;
use tikv_proto::kvrpcpb::write_conflict::Reason;

/// One key to lock.
#[derive(Clone, Debug)]
pub(crate) struct LockTarget {
    /// The key.
    pub(crate) key: Key,
    /// Fail if the key exists.
    pub(crate) must_be_new: bool,
}

/// A lock command: all keys or none.
#[derive(Clone, Debug)]
pub(crate) struct LockRequest {
    /// Raw primary key.
    pub(crate) primary: Bytes,
    /// Start timestamp.
    pub(crate) start_ts: u64,
    /// Nothing newer than this may be committed on the keys.
    pub(crate) for_update_ts: u64,
    /// Life time in milliseconds.
    pub(crate) ttl_ms: u64,
    /// The transaction will not commit before this.
    pub(crate) min_commit_ts: u64,
    /// Answer with the values.
    pub(crate) return_values: bool,
    /// Answer whether the keys exist.
    pub(crate) check_existence: bool,
    /// Lock only keys that exist.
    pub(crate) lock_only_if_exists: bool,
    /// The keys.
    pub(crate) targets: Vec<LockTarget>,
}

/// What is told about a key.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct LockedKey {
    /// Its value, if it exists and was asked for.
    pub(crate) value: Option<Bytes>,
    /// Whether it exists, if that was asked for.
    pub(crate) exists: bool,
}

/// Keys in the order of the request.
pub(crate) type LockOutcome = Vec<LockedKey>;

/// Locks the keys.
pub(crate) fn pessimistic_lock<V: Versions>(
    exec: &mut Execution<'_, V>,
    request: &LockRequest,
) -> Result<LockOutcome, TxnError> {
    // An older key may be locked at a timestamp that a one-phase commit must stay above.
    exec.max_ts.update(request.for_update_ts);
    request.targets.iter().map(|target| lock_one(exec, request, target)).collect()
}

fn lock_one<V: Versions>(
    exec: &mut Execution<'_, V>,
    request: &LockRequest,
    target: &LockTarget,
) -> Result<LockedKey, TxnError> {
    let key = &target.key;
    let held = exec.locks.get(&key.raw);
    if let Some(lock) = &held {
        if lock.start_ts != request.start_ts {
            return Err(TxnError::Locked(Box::new(lock.info(&key.raw))));
        }
        if lock.kind != LockKind::Pessimistic {
            return Err(TxnError::Invalid(format!(
                "LockTypeNotMatch: transaction {} has prewritten the key already",
                request.start_ts
            )));
        }
    }
    let needs_version =
        held.is_none() || target.must_be_new || request.return_values || request.check_existence;
    let newest = if needs_version { check_versions(exec, request, key, held.is_none())? } else { None };
    let exists = newest.as_ref().is_some_and(|record| record.kind == WriteKind::Put);
    if target.must_be_new && exists {
        return Err(TxnError::AlreadyExist { key: key.raw.clone() });
    }
    let value = match newest {
        Some(record) if exists && request.return_values => {
            Some(mvcc::value_of(exec.view, &key.encoded, record.start_ts, &record.value)?)
        }
        _ => None,
    };
    if exists || !request.lock_only_if_exists {
        put(exec, request, key, held.as_deref());
    }
    Ok(LockedKey { value, exists })
}

/// Checks for newer commits and for a rollback of the transaction; returns the newest data version.
fn check_versions<V: Versions>(
    exec: &Execution<'_, V>,
    request: &LockRequest,
    key: &Key,
    is_new: bool,
) -> Result<Option<WriteRecord>, TxnError> {
    let start_ts = request.start_ts;
    for version in exec.view.versions(&key.encoded, u64::MAX) {
        let (commit_ts, record) = version.map_err(TxnError::from)?;
        let rolled_back = record.kind == WriteKind::Rollback;
        if is_new && commit_ts > request.for_update_ts && !rolled_back {
            return Err(TxnError::Conflict(Box::new(Conflict {
                start_ts,
                conflict_start_ts: record.start_ts,
                conflict_commit_ts: commit_ts,
                key: key.raw.clone(),
                primary: request.primary.clone(),
                reason: Reason::PessimisticRetry,
            })));
        }
        if is_new && record.start_ts == start_ts {
            return Err(if rolled_back {
                TxnError::PessimisticLockRolledBack { start_ts }
            } else {
                TxnError::Committed { start_ts, commit_ts }
            });
        }
        if is_new && commit_ts == start_ts && record.overlapped_rollback {
            return Err(TxnError::PessimisticLockRolledBack { start_ts });
        }
        if record.kind.changes_data() {
            if is_new && commit_ts >= start_ts {
                // The mark of a rollback may still hide below a version newer than the transaction's start.
                check_fate(exec, key, start_ts)?;
            }
            return Ok(Some(record));
        }
    }
    Ok(None)
}

fn check_fate<V: Versions>(exec: &Execution<'_, V>, key: &Key, start_ts: u64) -> Result<(), TxnError> {
    match mvcc::fate(exec.view, &key.encoded, start_ts)? {
        Fate::RolledBack => Err(TxnError::PessimisticLockRolledBack { start_ts }),
        Fate::Committed { commit_ts, .. } => Err(TxnError::Committed { start_ts, commit_ts }),
        Fate::Unknown { .. } => Ok(()),
    }
}

fn put<V: Versions>(exec: &mut Execution<'_, V>, request: &LockRequest, key: &Key, held: Option<&Lock>) {
    if let Some(lock) = held
        && lock.for_update_ts >= request.for_update_ts
        && lock.ttl_ms >= request.ttl_ms
    {
        return;
    }
    let lock = Lock {
        kind: LockKind::Pessimistic,
        start_ts: request.start_ts,
        primary: held.map_or_else(|| request.primary.clone(), |lock| lock.primary.clone()),
        ttl_ms: request.ttl_ms.max(held.map_or(0, |lock| lock.ttl_ms)),
        for_update_ts: request.for_update_ts.max(held.map_or(0, |lock| lock.for_update_ts)),
        min_commit_ts: request.min_commit_ts.max(held.map_or(0, |lock| lock.min_commit_ts)),
        txn_size: 0,
        txn_source: 0,
        value: ValueRef::None,
    };
    exec.put_lock(key, lock);
}

/// Gives up a pessimistic lock that is not newer than `for_update_ts`; leaves no mark.
pub(crate) fn pessimistic_rollback<V: Versions>(
    exec: &mut Execution<'_, V>,
    key: &Key,
    start_ts: u64,
    for_update_ts: u64,
) {
    if let Some(lock) = exec.own_lock(key, start_ts)
        && lock.kind == LockKind::Pessimistic
        && lock.for_update_ts <= for_update_ts
    {
        exec.undo_lock(key, &lock);
    }
}
