//! Commit: turn the locks of a transaction into versions.

use super::{Execution, Key, TxnError};
use crate::cdc::{OldValue, RowChange, RowKind};
use crate::mvcc::{self, Fate, Versions};
use crate::record::{Lock, LockKind, WriteKind, WriteRecord};
use bytes::Bytes;

/// Commits one key. Committing twice is not an error.
pub(crate) fn commit<V: Versions>(
    exec: &mut Execution<'_, V>,
    key: &Key,
    start_ts: u64,
    commit_ts: u64,
) -> Result<(), TxnError> {
    if commit_ts <= start_ts {
        return Err(TxnError::Invalid(format!(
            "invalid transaction: commit ts {commit_ts} is not after start ts {start_ts}"
        )));
    }
    let Some(lock) = exec.own_lock(key, start_ts) else {
        return match mvcc::fate(exec.view, &key.encoded, start_ts)? {
            Fate::Committed { .. } => Ok(()),
            _ => Err(TxnError::TxnLockNotFound { start_ts, commit_ts, key: key.raw.clone() }),
        };
    };
    if commit_ts < lock.min_commit_ts {
        return Err(TxnError::CommitTsExpired {
            start_ts,
            commit_ts,
            key: key.raw.clone(),
            min_commit_ts: lock.min_commit_ts,
        });
    }
    commit_lock(exec, key, &lock, commit_ts);
    Ok(())
}

/// Turns one lock into a version.
pub(super) fn commit_lock<V: Versions>(exec: &mut Execution<'_, V>, key: &Key, lock: &Lock, commit_ts: u64) {
    let kind = match lock.kind {
        LockKind::Put => WriteKind::Put,
        LockKind::Delete => WriteKind::Delete,
        // A pessimistic lock that was never prewritten holds no change.
        LockKind::Lock | LockKind::Pessimistic => WriteKind::Lock,
    };
    let record = WriteRecord {
        kind,
        start_ts: lock.start_ts,
        txn_source: lock.txn_source,
        overlapped_rollback: false,
        value: lock.value.clone(),
    };
    exec.put_version(key, commit_ts, &record);
    exec.remove_lock(key, lock);
    if kind.changes_data() {
        exec.writes.rows.push(RowChange {
            kind: RowKind::Commit,
            key: key.raw.clone(),
            start_ts: lock.start_ts,
            commit_ts,
            is_put: kind == WriteKind::Put,
            value: Bytes::new(),
            old_value: OldValue::Known(Bytes::new()),
            txn_source: lock.txn_source,
        });
    }
}
