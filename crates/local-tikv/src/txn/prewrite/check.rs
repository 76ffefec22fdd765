//! The checks of prewrite, key by key.

use super::{Mutation, Newest, PessimisticCheck, Plan, Prewrite};
use crate::mvcc::{self, Fate, Versions};
use crate::record::{Lock, LockKind, WriteKind, WriteRecord};
use crate::txn::{Conflict, Execution, TxnError};
use std::sync::Arc;
use tikv_proto::kvrpcpb::{Assertion, AssertionFailed, AssertionLevel, write_conflict::Reason};

/// Decides what is to be done with a key.
pub(super) fn check<V: Versions>(
    exec: &Execution<'_, V>,
    command: &Prewrite,
    mutation: &Mutation,
) -> Result<Plan, TxnError> {
    let key = &mutation.key;
    let held = exec.locks.get(&key.raw);
    if let Some(lock) = &held {
        if lock.start_ts != command.start_ts {
            if matches!(mutation.check, PessimisticCheck::Locked { .. }) {
                return lost_pessimistic_lock(exec, command, mutation);
            }
            return Err(TxnError::Locked(Box::new(lock.info(&key.raw))));
        }
        if lock.kind != LockKind::Pessimistic {
            return Ok(Plan::AlreadyLocked);
        }
        if let PessimisticCheck::Locked { expected_for_update_ts } = mutation.check
            && expected_for_update_ts != 0
            && expected_for_update_ts != lock.for_update_ts
        {
            return Err(TxnError::PessimisticLockNotFound { start_ts: command.start_ts });
        }
    }
    let newest = match (mutation.check, &held) {
        (_, Some(_)) => None,
        (PessimisticCheck::Locked { .. }, None) => return amend(exec, command, mutation),
        (PessimisticCheck::None, None) if command.for_update_ts != 0 || command.skip_constraint_check => None,
        (check, None) => match check_constraints(exec, command, mutation, check)? {
            Ok(newest) => Some(newest),
            Err(commit_ts) => return Ok(Plan::AlreadyCommitted { commit_ts }),
        },
    };
    finish_check(exec, command, mutation, held, newest)
}

fn finish_check<V: Versions>(
    exec: &Execution<'_, V>,
    command: &Prewrite,
    mutation: &Mutation,
    held: Option<Arc<Lock>>,
    newest: Newest,
) -> Result<Plan, TxnError> {
    let newest = check_assertion(exec, command, mutation, newest)?;
    if mutation.kind.is_none() {
        return Ok(Plan::Checked);
    }
    Ok(Plan::Write { held, newest })
}

/// Looks for newer commits; the inner error is the commit timestamp of an earlier attempt.
fn check_constraints<V: Versions>(
    exec: &Execution<'_, V>,
    command: &Prewrite,
    mutation: &Mutation,
    check: PessimisticCheck,
) -> Result<Result<Option<(u64, WriteRecord)>, u64>, TxnError> {
    let start_ts = command.start_ts;
    let conflict = |commit_ts: u64, record: &WriteRecord, reason: Reason| {
        TxnError::Conflict(Box::new(Conflict {
            start_ts,
            conflict_start_ts: record.start_ts,
            conflict_commit_ts: commit_ts,
            key: mutation.key.raw.clone(),
            primary: command.primary.clone(),
            reason,
        }))
    };
    for version in exec.view.versions(&mutation.key.encoded, u64::MAX) {
        let (commit_ts, record) = version.map_err(TxnError::from)?;
        if commit_ts > start_ts && record.kind != WriteKind::Rollback {
            if let Fate::Committed { commit_ts, .. } = mvcc::fate(exec.view, &mutation.key.encoded, start_ts)?
            {
                return Ok(Err(commit_ts));
            }
            let reason = match check {
                PessimisticCheck::Constraints => Reason::LazyUniquenessCheck,
                _ => Reason::Optimistic,
            };
            return Err(conflict(commit_ts, &record, reason));
        }
        if commit_ts == start_ts && (record.kind == WriteKind::Rollback || record.overlapped_rollback) {
            return Err(conflict(commit_ts, &record, Reason::SelfRolledBack));
        }
        if record.kind.changes_data() {
            if mutation.must_be_new && record.kind == WriteKind::Put {
                return Err(TxnError::AlreadyExist { key: mutation.key.raw.clone() });
            }
            return Ok(Ok(Some((commit_ts, record))));
        }
    }
    Ok(Ok(None))
}

/// The pessimistic lock is not there: it may have been lost (it lives in memory), with nobody writing since.
fn amend<V: Versions>(
    exec: &Execution<'_, V>,
    command: &Prewrite,
    mutation: &Mutation,
) -> Result<Plan, TxnError> {
    for version in exec.view.versions(&mutation.key.encoded, u64::MAX) {
        let (commit_ts, record) = version.map_err(TxnError::from)?;
        if commit_ts >= command.start_ts && record.kind != WriteKind::Rollback
            || record.start_ts == command.start_ts
            || (commit_ts == command.start_ts && record.overlapped_rollback)
        {
            return lost_pessimistic_lock(exec, command, mutation);
        }
        if record.kind.changes_data() {
            return finish_check(exec, command, mutation, None, Some(Some((commit_ts, record))));
        }
    }
    finish_check(exec, command, mutation, None, Some(None))
}

fn lost_pessimistic_lock<V: Versions>(
    exec: &Execution<'_, V>,
    command: &Prewrite,
    mutation: &Mutation,
) -> Result<Plan, TxnError> {
    match mvcc::fate(exec.view, &mutation.key.encoded, command.start_ts)? {
        Fate::Committed { commit_ts, .. } => Ok(Plan::AlreadyCommitted { commit_ts }),
        _ => Err(TxnError::PessimisticLockNotFound { start_ts: command.start_ts }),
    }
}

fn check_assertion<V: Versions>(
    exec: &Execution<'_, V>,
    command: &Prewrite,
    mutation: &Mutation,
    newest: Newest,
) -> Result<Newest, TxnError> {
    if mutation.assertion == Assertion::None || command.assertion_level == AssertionLevel::Off {
        return Ok(newest);
    }
    let newest = match newest {
        None if command.assertion_level == AssertionLevel::Strict => {
            Some(mvcc::data_version(exec.view, &mutation.key.encoded, u64::MAX)?)
        }
        newest => newest,
    };
    let Some(version) = &newest else { return Ok(newest) };
    let existing = version.as_ref().filter(|(_, record)| record.kind == WriteKind::Put);
    let holds = match mutation.assertion {
        Assertion::Exist => existing.is_some(),
        Assertion::NotExist => existing.is_none(),
        Assertion::None => true,
    };
    if holds {
        return Ok(newest);
    }
    Err(TxnError::AssertionFailed(Box::new(AssertionFailed {
        start_ts: command.start_ts,
        key: mutation.key.raw.clone(),
        assertion: mutation.assertion.into(),
        existing_start_ts: existing.map_or(0, |(_, record)| record.start_ts),
        existing_commit_ts: existing.map_or(0, |(commit_ts, _)| *commit_ts),
    })))
}
