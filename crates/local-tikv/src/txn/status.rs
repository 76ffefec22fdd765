//! What became of a transaction, asked by others that met its locks; and its heart beat.

use super::{Execution, Key, TxnError};
use crate::mvcc::{self, Fate, Versions};
use crate::record::{Lock, LockKind};
use tikv_proto::kvrpcpb;

/// Question about a transaction, put to its primary key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckStatus {
    /// Start timestamp of the transaction.
    pub(crate) start_ts: u64,
    /// Read timestamp of who asks.
    pub(crate) caller_start_ts: u64,
    /// Current timestamp: decides about expiry.
    pub(crate) current_ts: u64,
    /// Roll the transaction back if there is no trace of it.
    pub(crate) rollback_if_not_exist: bool,
    /// The lock in the way is pessimistic.
    pub(crate) resolving_pessimistic_lock: bool,
    /// Fail if the lock names another primary.
    pub(crate) verify_is_primary: bool,
}

/// What was done to answer; the names are the protocol's.
pub(crate) type StatusAction = kvrpcpb::Action;

/// State of a transaction.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TxnStatus {
    /// Committed.
    Committed {
        /// When.
        commit_ts: u64,
    },
    /// Rolled back, now or before.
    RolledBack {
        /// What was done.
        action: StatusAction,
    },
    /// Its primary is locked.
    Alive {
        /// The lock.
        lock: Lock,
        /// What was done.
        action: StatusAction,
    },
}

/// Looks at the primary lock; rolls it back if it has expired, else moves its minimal commit ts past the caller.
pub(crate) fn check_txn_status<V: Versions>(
    exec: &mut Execution<'_, V>,
    key: &Key,
    check: &CheckStatus,
) -> Result<TxnStatus, TxnError> {
    exec.max_ts.update(check.start_ts);
    for ts in [check.current_ts, check.caller_start_ts] {
        if ts != u64::MAX {
            exec.max_ts.update(ts);
        }
    }
    match exec.own_lock(key, check.start_ts) {
        Some(lock) => check_locked(exec, key, check, &lock),
        None => check_unlocked(exec, key, check),
    }
}

fn check_locked<V: Versions>(
    exec: &mut Execution<'_, V>,
    key: &Key,
    check: &CheckStatus,
    lock: &Lock,
) -> Result<TxnStatus, TxnError> {
    if check.verify_is_primary && lock.primary != key.raw {
        return Err(TxnError::PrimaryMismatch(Box::new(lock.info(&key.raw))));
    }
    if lock.is_expired(check.current_ts) {
        if lock.kind == LockKind::Pessimistic && check.resolving_pessimistic_lock {
            exec.undo_lock(key, lock);
            return Ok(TxnStatus::RolledBack { action: StatusAction::TtlExpirePessimisticRollback });
        }
        exec.roll_back_lock(key, lock)?;
        return Ok(TxnStatus::RolledBack { action: StatusAction::TtlExpireRollback });
    }
    let mut lock = lock.clone();
    if lock.min_commit_ts != 0
        && check.caller_start_ts != u64::MAX
        && check.caller_start_ts >= lock.min_commit_ts
    {
        lock.min_commit_ts = check.caller_start_ts.saturating_add(1).max(check.current_ts);
        exec.put_lock(key, lock.clone());
    }
    let pushed = check.caller_start_ts == u64::MAX
        || (lock.min_commit_ts != 0 && lock.min_commit_ts > check.caller_start_ts);
    let action = if pushed { StatusAction::MinCommitTsPushed } else { StatusAction::NoAction };
    Ok(TxnStatus::Alive { lock, action })
}

fn check_unlocked<V: Versions>(
    exec: &mut Execution<'_, V>,
    key: &Key,
    check: &CheckStatus,
) -> Result<TxnStatus, TxnError> {
    match mvcc::fate(exec.view, &key.encoded, check.start_ts)? {
        Fate::Committed { commit_ts, .. } => Ok(TxnStatus::Committed { commit_ts }),
        Fate::RolledBack => Ok(TxnStatus::RolledBack { action: StatusAction::NoAction }),
        Fate::Unknown { .. } if !check.rollback_if_not_exist => {
            Err(TxnError::TxnNotFound { start_ts: check.start_ts, primary: key.raw.clone() })
        }
        Fate::Unknown { .. } if check.resolving_pessimistic_lock => {
            Ok(TxnStatus::RolledBack { action: StatusAction::LockNotExistDoNothing })
        }
        Fate::Unknown { .. } => {
            exec.mark_rollback(key, check.start_ts)?;
            Ok(TxnStatus::RolledBack { action: StatusAction::LockNotExistRollback })
        }
    }
}

/// State of one secondary key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SecondaryStatus {
    /// Locked.
    Locked(Lock),
    /// Committed.
    Committed {
        /// When.
        commit_ts: u64,
    },
    /// Rolled back, now or before.
    RolledBack,
}

/// Looks at a secondary key; one that is not locked is made uncommittable.
pub(crate) fn check_secondary<V: Versions>(
    exec: &mut Execution<'_, V>,
    key: &Key,
    start_ts: u64,
) -> Result<SecondaryStatus, TxnError> {
    exec.max_ts.update(start_ts);
    if let Some(lock) = exec.own_lock(key, start_ts) {
        if lock.kind == LockKind::Pessimistic {
            exec.roll_back_lock(key, &lock)?;
            return Ok(SecondaryStatus::RolledBack);
        }
        return Ok(SecondaryStatus::Locked(Lock::clone(&lock)));
    }
    match mvcc::fate(exec.view, &key.encoded, start_ts)? {
        Fate::Committed { commit_ts, .. } => Ok(SecondaryStatus::Committed { commit_ts }),
        Fate::RolledBack => Ok(SecondaryStatus::RolledBack),
        Fate::Unknown { .. } => {
            exec.mark_rollback(key, start_ts)?;
            Ok(SecondaryStatus::RolledBack)
        }
    }
}

/// Prolongs the primary lock to at least `ttl_ms`; returns its life time.
pub(crate) fn heart_beat<V: Versions>(
    exec: &mut Execution<'_, V>,
    key: &Key,
    start_ts: u64,
    ttl_ms: u64,
    min_commit_ts: u64,
) -> Result<u64, TxnError> {
    let Some(lock) = exec.own_lock(key, start_ts) else {
        return Err(TxnError::TxnNotFound { start_ts, primary: key.raw.clone() });
    };
    if ttl_ms <= lock.ttl_ms && min_commit_ts <= lock.min_commit_ts {
        return Ok(lock.ttl_ms);
    }
    let mut lock = Lock::clone(&lock);
    lock.ttl_ms = lock.ttl_ms.max(ttl_ms);
    lock.min_commit_ts = lock.min_commit_ts.max(min_commit_ts);
    let ttl_ms = lock.ttl_ms;
    exec.put_lock(key, lock);
    Ok(ttl_ms)
}
