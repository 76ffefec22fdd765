//! Rollback, clean-up and resolution of locks.

use super::commit::commit_lock;
use super::{Execution, Key, TxnError};
use crate::mvcc::{self, Fate, Versions};

/// Rolls back one key and leaves the mark. Rolling back twice is not an error.
pub(crate) fn batch_rollback<V: Versions>(
    exec: &mut Execution<'_, V>,
    key: &Key,
    start_ts: u64,
) -> Result<(), TxnError> {
    // A later one-phase commit must not take this timestamp: the mark would be overwritten.
    exec.max_ts.update(start_ts);
    if let Some(lock) = exec.own_lock(key, start_ts) {
        return Ok(exec.roll_back_lock(key, &lock)?);
    }
    match mvcc::fate(exec.view, &key.encoded, start_ts)? {
        Fate::Committed { commit_ts, .. } => Err(TxnError::Committed { start_ts, commit_ts }),
        Fate::RolledBack => Ok(()),
        Fate::Unknown { .. } => Ok(exec.mark_rollback(key, start_ts)?),
    }
}

/// Rolls back one key, unless its lock is alive at `current_ts` (0: whether alive or not).
pub(crate) fn cleanup<V: Versions>(
    exec: &mut Execution<'_, V>,
    key: &Key,
    start_ts: u64,
    current_ts: u64,
) -> Result<(), TxnError> {
    if let Some(lock) = exec.own_lock(key, start_ts)
        && current_ts != 0
        && !lock.is_expired(current_ts)
    {
        return Err(TxnError::Locked(Box::new(lock.info(&key.raw))));
    }
    batch_rollback(exec, key, start_ts)
}

/// Ends the lock of a transaction whose outcome is known: `commit_ts` 0 is a rollback. No lock, nothing to do.
pub(crate) fn resolve<V: Versions>(
    exec: &mut Execution<'_, V>,
    key: &Key,
    start_ts: u64,
    commit_ts: u64,
) -> Result<(), TxnError> {
    let Some(lock) = exec.own_lock(key, start_ts) else {
        if commit_ts == 0 {
            return batch_rollback(exec, key, start_ts);
        }
        return Ok(());
    };
    if commit_ts == 0 {
        exec.max_ts.update(start_ts);
        return Ok(exec.roll_back_lock(key, &lock)?);
    }
    if commit_ts <= start_ts {
        return Err(TxnError::Invalid(format!(
            "invalid transaction: commit ts {commit_ts} is not after start ts {start_ts}"
        )));
    }
    commit_lock(exec, key, &lock, commit_ts);
    Ok(())
}
