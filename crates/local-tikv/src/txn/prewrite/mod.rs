//! Prewrite: check every key, then lock all of them, or commit in one phase.

mod check;

use super::{Execution, Key, TxnError};
use crate::cdc::{RowChange, RowKind};
use crate::mvcc::Versions;
use crate::record::{Lock, LockKind, ValueRef, WriteKind, WriteRecord};
use bytes::Bytes;
use std::sync::Arc;
use tikv_proto::kvrpcpb::{Assertion, AssertionLevel};

/// How a key of a pessimistic transaction is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum PessimisticCheck {
    /// The key was never locked and needs no check; also every key of an optimistic transaction.
    #[default]
    None,
    /// The key must hold the transaction's pessimistic lock.
    Locked {
        /// The lock must have been taken at exactly this timestamp; 0 for any.
        expected_for_update_ts: u64,
    },
    /// The key is checked as in an optimistic transaction.
    Constraints,
}

/// One write of the transaction.
#[derive(Clone, Debug)]
pub(crate) struct Mutation {
    /// Its key.
    pub(crate) key: Key,
    /// What to lock; `None` only checks that the key does not exist.
    pub(crate) kind: Option<LockKind>,
    /// The new value of a `Put`.
    pub(crate) value: Bytes,
    /// The key must not exist.
    pub(crate) must_be_new: bool,
    /// What the client believes about the key.
    pub(crate) assertion: Assertion,
    /// Check of a pessimistic transaction.
    pub(crate) check: PessimisticCheck,
}

/// Wish to commit at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OnePhase {
    /// Commit no later than this; 0 for no limit.
    pub(crate) max_commit_ts: u64,
}

/// A prewrite command.
#[derive(Clone, Debug)]
pub(crate) struct Prewrite {
    /// Raw primary key.
    pub(crate) primary: Bytes,
    /// Start timestamp.
    pub(crate) start_ts: u64,
    /// Life time of the locks in milliseconds.
    pub(crate) ttl_ms: u64,
    /// Newest lock timestamp; 0 in optimistic transactions.
    pub(crate) for_update_ts: u64,
    /// The transaction will not commit before this.
    pub(crate) min_commit_ts: u64,
    /// Number of keys of the transaction.
    pub(crate) txn_size: u64,
    /// Source tag.
    pub(crate) txn_source: u64,
    /// Do not look for newer commits.
    pub(crate) skip_constraint_check: bool,
    /// When assertions are checked.
    pub(crate) assertion_level: AssertionLevel,
    /// Commit at once if possible.
    pub(crate) one_phase: Option<OnePhase>,
    /// The writes.
    pub(crate) mutations: Vec<Mutation>,
}

/// Newest version that changed data: not looked up, or known.
type Newest = Option<Option<(u64, WriteRecord)>>;

/// What is to be done with a key.
enum Plan {
    /// Write it; the pessimistic lock in its place, and the newest version if it was read.
    Write { held: Option<Arc<Lock>>, newest: Newest },
    /// Nothing: it was only checked.
    Checked,
    /// Nothing: an earlier attempt locked it.
    AlreadyLocked,
    /// Nothing: an earlier attempt led to a commit.
    AlreadyCommitted { commit_ts: u64 },
}

/// Result of a prewrite without conflicts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prewritten {
    /// Commit timestamp if the transaction is committed; 0 if it is only locked.
    pub(crate) one_pc_commit_ts: u64,
}

/// Runs the command. Locks of others are all reported; any other error ends it at once.
pub(crate) fn prewrite<V: Versions>(
    exec: &mut Execution<'_, V>,
    command: &Prewrite,
) -> Result<Prewritten, Vec<TxnError>> {
    let mut plans = Vec::with_capacity(command.mutations.len());
    let mut locked = Vec::new();
    for mutation in &command.mutations {
        match check::check(exec, command, mutation) {
            Ok(plan) => plans.push(plan),
            Err(error @ TxnError::Locked(_)) => locked.push(error),
            Err(error) => return Err(vec![error]),
        }
    }
    if !locked.is_empty() {
        return Err(locked);
    }
    apply(exec, command, plans).map_err(|error| vec![error])
}

fn apply<V: Versions>(
    exec: &mut Execution<'_, V>,
    command: &Prewrite,
    plans: Vec<Plan>,
) -> Result<Prewritten, TxnError> {
    if let Some(wish) = command.one_phase {
        let earlier = plans.iter().find_map(|plan| match plan {
            Plan::AlreadyCommitted { commit_ts } => Some(*commit_ts),
            _ => None,
        });
        if let Some(one_pc_commit_ts) = earlier {
            return Ok(Prewritten { one_pc_commit_ts });
        }
        let all_free = !plans.iter().any(|plan| matches!(plan, Plan::AlreadyLocked));
        if all_free && let Some(commit_ts) = choose_commit_ts(exec, command, wish) {
            for (mutation, plan) in command.mutations.iter().zip(plans) {
                if let (Some(kind), Plan::Write { held, newest }) = (mutation.kind, plan) {
                    commit_now(exec, command, mutation, kind, held.as_deref(), &newest, commit_ts)?;
                }
            }
            return Ok(Prewritten { one_pc_commit_ts: commit_ts });
        }
    }
    for (mutation, plan) in command.mutations.iter().zip(plans) {
        if let (Some(kind), Plan::Write { held, newest }) = (mutation.kind, plan) {
            lock(exec, command, mutation, kind, held.as_deref(), &newest)?;
        }
    }
    Ok(Prewritten::default())
}

/// Announces the commit, then chooses its timestamp: past every read so far. `None` if that is too late.
fn choose_commit_ts<V: Versions>(
    exec: &mut Execution<'_, V>,
    command: &Prewrite,
    wish: OnePhase,
) -> Option<u64> {
    let keys = command.mutations.iter().map(|mutation| Box::from(&*mutation.key.raw));
    let guard = exec.locks.announce(exec.region_id, command.start_ts, keys);
    let commit_ts = exec
        .max_ts
        .get()
        .max(command.start_ts)
        .max(command.for_update_ts)
        .saturating_add(1)
        .max(command.min_commit_ts);
    if wish.max_commit_ts != 0 && commit_ts > wish.max_commit_ts {
        return None;
    }
    exec.in_flight = Some(guard);
    Some(commit_ts)
}

fn lock<V: Versions>(
    exec: &mut Execution<'_, V>,
    command: &Prewrite,
    mutation: &Mutation,
    kind: LockKind,
    held: Option<&Lock>,
    newest: &Newest,
) -> Result<(), TxnError> {
    let key = &mutation.key;
    let value = match kind {
        LockKind::Put => exec.store_value(key, command.start_ts, &mutation.value),
        _ => ValueRef::None,
    };
    let lock = Lock {
        kind,
        start_ts: command.start_ts,
        primary: command.primary.clone(),
        ttl_ms: command.ttl_ms.max(held.map_or(0, |lock| lock.ttl_ms)),
        for_update_ts: command.for_update_ts,
        min_commit_ts: command.min_commit_ts.max(held.map_or(0, |lock| lock.min_commit_ts)),
        txn_size: command.txn_size,
        txn_source: command.txn_source,
        value,
    };
    if kind.changes_data() {
        let read_ts = command.for_update_ts.max(command.start_ts);
        let old_value = exec.old_value(key, read_ts, newest.as_ref().map(Option::as_ref))?;
        exec.writes.rows.push(RowChange {
            kind: RowKind::Prewrite,
            key: key.raw.clone(),
            start_ts: command.start_ts,
            commit_ts: 0,
            is_put: kind == LockKind::Put,
            value: mutation.value.clone(),
            old_value,
            txn_source: command.txn_source,
        });
    }
    exec.put_lock(key, lock);
    Ok(())
}

fn commit_now<V: Versions>(
    exec: &mut Execution<'_, V>,
    command: &Prewrite,
    mutation: &Mutation,
    kind: LockKind,
    held: Option<&Lock>,
    newest: &Newest,
    commit_ts: u64,
) -> Result<(), TxnError> {
    let key = &mutation.key;
    let (kind, value) = match kind {
        LockKind::Put => (WriteKind::Put, exec.store_value(key, command.start_ts, &mutation.value)),
        LockKind::Delete => (WriteKind::Delete, ValueRef::None),
        LockKind::Lock | LockKind::Pessimistic => (WriteKind::Lock, ValueRef::None),
    };
    if kind.changes_data() {
        let old_value =
            exec.old_value(key, commit_ts.saturating_sub(1), newest.as_ref().map(Option::as_ref))?;
        exec.writes.rows.push(RowChange {
            kind: RowKind::Committed,
            key: key.raw.clone(),
            start_ts: command.start_ts,
            commit_ts,
            is_put: kind == WriteKind::Put,
            value: mutation.value.clone(),
            old_value,
            txn_source: command.txn_source,
        });
    }
    let record = WriteRecord {
        kind,
        start_ts: command.start_ts,
        txn_source: command.txn_source,
        overlapped_rollback: false,
        value,
    };
    exec.put_version(key, commit_ts, &record);
    if let Some(lock) = held {
        exec.remove_lock(key, lock);
    }
    Ok(())
}
