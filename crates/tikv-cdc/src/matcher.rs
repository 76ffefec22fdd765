//! Pairs prewrites with their commits, for one registration (one region of one subscription).
//!
//! A store sends the value of a change when the transaction locks the key, and the commit ts when it commits. While the
//! initial scan of a registration runs, live events are mixed with those of the scan: a commit may come before its
//! prewrite (which the scan still has to deliver), or without one (the scan delivers the change as a committed row).
//! Such commits and roll-backs wait for the end of the scan.

use std::collections::HashMap;

use bytes::Bytes;
use tidb_codec::Sensitive;
use tikv_proto::cdcpb::event::row::OpType;
use tikv_proto::cdcpb::event::{LogType, Row};

use crate::row::{Op, RowChange};

/// Capacity of the prewrite map from which it is given back once the region has been quiet.
const SHRINK_CAPACITY: usize = 64;
/// Advances of the resolved ts without any prewrite after which a region counts as quiet; at the usual cadence of a
/// store, 1 s, that is 5 s.
const QUIET_ADVANCES: u32 = 5;

/// A broken promise of the store. The registration must be started again; for [`MatchError::Late`] that does not help,
/// because what was delivered before is incomplete.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MatchError {
    /// A commit after the end of the scan has no prewrite.
    #[error("commit {commit_ts} of transaction {start_ts} has no prewrite (key {})", Sensitive(hex(key)))]
    CommitWithoutPrewrite {
        /// Start ts of the transaction.
        start_ts: u64,
        /// Its commit ts.
        commit_ts: u64,
        /// Raw key.
        key: Bytes,
    },
    /// A change at or below the resolved ts that the store had announced.
    #[error(
        "a change committed at {commit_ts} (transaction {start_ts}, key {}) came after resolved ts {resolved_ts}",
        Sensitive(hex(key))
    )]
    Late {
        /// Start ts of the transaction.
        start_ts: u64,
        /// Its commit ts.
        commit_ts: u64,
        /// Resolved ts of the region.
        resolved_ts: u64,
        /// Raw key.
        key: Bytes,
    },
    /// A commit ts that is not above the start ts.
    #[error("transaction {start_ts} commits at {commit_ts}, which is not later")]
    CommitBeforeStart {
        /// Start ts of the transaction.
        start_ts: u64,
        /// Its commit ts.
        commit_ts: u64,
    },
    /// More transactions are open than the index of spilled ones may hold.
    #[error("more than {limit} transactions of one region wait for their commit on disk")]
    TooManyTransactions {
        /// The bound.
        limit: usize,
    },
    /// A row type or operation that is not known.
    #[error("unknown row type {log_type} or operation {op_type}")]
    UnknownRow {
        /// Wire value of the row type.
        log_type: i32,
        /// Wire value of the operation.
        op_type: i32,
    },
}

/// Hexadecimal text of a key, cut to a length that fits a log line.
fn hex(key: &[u8]) -> String {
    let shown: String = key.iter().take(64).map(|byte| format!("{byte:02x}")).collect();
    if key.len() > 64 { format!("{shown}… ({} bytes)", key.len()) } else { shown }
}

/// What identifies the write of one transaction to one key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct WriteId {
    /// Start ts of the transaction.
    start_ts: u64,
    /// Raw key.
    key: Bytes,
}

/// A lock whose commit is not known yet.
#[derive(Clone, Debug)]
struct Prewrite {
    /// Wire value of the operation.
    op: i32,
    /// New value.
    value: Bytes,
    /// Value before.
    old_value: Bytes,
    /// Counts the rewrites of a pipelined transaction.
    generation: u64,
}

impl Prewrite {
    /// True if it tells that the lock lives, but not its value: nothing is put without a value.
    fn is_heartbeat(&self) -> bool {
        self.value.is_empty() && self.op == OpType::Put as i32
    }
}

/// A commit that waits for the end of the scan.
#[derive(Clone, Debug)]
struct Commit {
    /// Whose.
    write: WriteId,
    /// When.
    commit_ts: u64,
    /// Wire value of the operation.
    op: i32,
}

/// The matching state of one registration.
#[derive(Debug)]
pub struct Matcher {
    /// Changes up to here are not wanted by the subscription.
    start_ts: u64,
    /// Changes up to here had been delivered by earlier registrations of the range.
    checkpoint_ts: u64,
    /// The last resolved ts.
    resolved_ts: u64,
    /// True once the scan is complete.
    initialized: bool,
    /// Locks whose commit is not known yet.
    prewrites: HashMap<WriteId, Prewrite>,
    /// Commits seen during the scan, without a usable prewrite.
    cached_commits: Vec<Commit>,
    /// Roll-backs seen during the scan.
    cached_rollbacks: Vec<WriteId>,
    /// Advances of the resolved ts since the last prewrite.
    quiet: u32,
    /// Bytes of keys and values of everything that waits.
    waiting: usize,
}

/// Bytes of key and values of a lock.
fn lock_bytes(write: &WriteId, prewrite: &Prewrite) -> usize {
    write.key.len() + prewrite.value.len() + prewrite.old_value.len()
}

impl Matcher {
    /// A registration that was made with `checkpoint_ts`, of a subscription that began at `start_ts`.
    pub fn new(start_ts: u64, checkpoint_ts: u64) -> Self {
        Self {
            start_ts,
            checkpoint_ts,
            resolved_ts: checkpoint_ts,
            initialized: false,
            prewrites: HashMap::new(),
            cached_commits: Vec::new(),
            cached_rollbacks: Vec::new(),
            quiet: 0,
            waiting: 0,
        }
    }

    /// A matcher for rows that waited elsewhere while the region was resolved up to `resolved_ts`.
    pub(crate) fn replaying(start_ts: u64, checkpoint_ts: u64, resolved_ts: u64) -> Self {
        Self { resolved_ts, ..Self::new(start_ts, checkpoint_ts) }
    }

    /// Where the subscription began, and the registration.
    pub(crate) fn bounds(&self) -> (u64, u64) {
        (self.start_ts, self.checkpoint_ts)
    }

    /// True once the scan is complete.
    pub fn is_initialized(&self) -> bool {
        self.initialized
    }

    /// The last resolved ts, at first the checkpoint ts.
    pub fn resolved_ts(&self) -> u64 {
        self.resolved_ts
    }

    /// Number of prewrites that wait for their commit.
    pub fn pending(&self) -> usize {
        self.prewrites.len()
    }

    /// Bytes of keys and values of the rows that wait: prewrites, and during the scan commits and roll-backs.
    pub fn waiting_bytes(&self) -> usize {
        self.waiting
    }

    /// Takes out everything that waits, as rows that bring a new matcher into the same state when it takes them in this
    /// order: commits and roll-backs of the scan come before the prewrites, because they wait for its end.
    pub(crate) fn take_waiting(&mut self) -> impl Iterator<Item = Row> + use<> {
        self.waiting = 0;
        let commits = std::mem::take(&mut self.cached_commits).into_iter().map(|commit| Row {
            start_ts: commit.write.start_ts,
            key: commit.write.key,
            commit_ts: commit.commit_ts,
            r#type: LogType::Commit as i32,
            op_type: commit.op,
            ..Row::default()
        });
        let rollbacks = std::mem::take(&mut self.cached_rollbacks).into_iter().map(|write| Row {
            start_ts: write.start_ts,
            key: write.key,
            r#type: LogType::Rollback as i32,
            ..Row::default()
        });
        let prewrites = std::mem::take(&mut self.prewrites).into_iter().map(|(write, prewrite)| Row {
            start_ts: write.start_ts,
            key: write.key,
            r#type: LogType::Prewrite as i32,
            op_type: prewrite.op,
            value: prewrite.value,
            old_value: prewrite.old_value,
            generation: prewrite.generation,
            ..Row::default()
        });
        commits.chain(rollbacks).chain(prewrites)
    }

    /// The lock that is left of one key, and the state of before the scan for the next key.
    pub(crate) fn next_key(&mut self) -> Option<Row> {
        self.initialized = false;
        if self.waiting == 0 && self.prewrites.is_empty() {
            return None;
        }
        self.take_waiting().next()
    }

    /// Bytes of the rows that wait, by transaction.
    pub(crate) fn waiting_by_transaction(&self) -> HashMap<u64, usize> {
        let commits =
            self.cached_commits.iter().map(|commit| (commit.write.start_ts, commit.write.key.len()));
        let rollbacks = self.cached_rollbacks.iter().map(|write| (write.start_ts, write.key.len()));
        let prewrites =
            self.prewrites.iter().map(|(write, prewrite)| (write.start_ts, lock_bytes(write, prewrite)));
        let mut bytes = HashMap::new();
        for (start_ts, size) in commits.chain(rollbacks).chain(prewrites) {
            *bytes.entry(start_ts).or_default() += size;
        }
        bytes
    }

    /// Bytes of bookkeeping that the matcher allocates, without keys and values, which belong to their frames.
    pub fn bookkeeping(&self) -> usize {
        self.prewrites.capacity() * std::mem::size_of::<(WriteId, Prewrite)>()
            + self.cached_commits.capacity() * std::mem::size_of::<Commit>()
            + self.cached_rollbacks.capacity() * std::mem::size_of::<WriteId>()
    }

    /// Takes one row of the stream; changes that are complete now are appended to `out`.
    ///
    /// # Errors
    /// The store broke its promises, see [`MatchError`]. The matcher must not be used any more.
    pub fn on_row(&mut self, row: Row, out: &mut Vec<RowChange>) -> Result<(), MatchError> {
        match LogType::try_from(row.r#type) {
            Ok(LogType::Prewrite) => self.on_prewrite(row),
            Ok(LogType::Commit) => return self.on_commit(row, out),
            Ok(LogType::Committed) => return self.on_committed(row, out),
            Ok(LogType::Rollback) => self.on_rollback(row),
            Ok(LogType::Initialized) => return self.on_initialized(out),
            Ok(LogType::Unknown) | Err(_) => return Err(unknown(row.r#type, row.op_type)),
        }
        Ok(())
    }

    /// Takes a resolved ts; true if it moved. It does not before the scan is complete.
    pub fn on_resolved(&mut self, ts: u64) -> bool {
        if !self.initialized || ts <= self.resolved_ts {
            return false;
        }
        self.resolved_ts = ts;
        self.quiet = self.quiet.saturating_add(1);
        if self.quiet >= QUIET_ADVANCES
            && self.prewrites.is_empty()
            && self.prewrites.capacity() > SHRINK_CAPACITY
        {
            self.prewrites = HashMap::new();
        }
        true
    }

    /// A lock. Repeated ones come from pipelined transactions: a newer generation wins, a heartbeat without value
    /// changes nothing.
    fn on_prewrite(&mut self, row: Row) {
        self.quiet = 0;
        let write = WriteId { start_ts: row.start_ts, key: row.key };
        let new = Prewrite {
            op: row.op_type,
            value: row.value,
            old_value: row.old_value,
            generation: row.generation,
        };
        let bytes = lock_bytes(&write, &new);
        match self.prewrites.entry(write) {
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(new);
                self.waiting += bytes;
            }
            std::collections::hash_map::Entry::Occupied(mut entry) => {
                let old = entry.get();
                if !new.value.is_empty() && (new.generation >= old.generation || old.is_heartbeat()) {
                    self.waiting += bytes;
                    let replaced = entry.insert(new);
                    self.waiting -= lock_bytes(entry.key(), &replaced);
                }
            }
        }
    }

    /// A commit of a lock.
    fn on_commit(&mut self, row: Row, out: &mut Vec<RowChange>) -> Result<(), MatchError> {
        let commit = Commit {
            write: WriteId { start_ts: row.start_ts, key: row.key },
            commit_ts: row.commit_ts,
            op: row.op_type,
        };
        let usable = self.prewrites.get(&commit.write).is_some_and(|found| {
            if self.initialized {
                !found.is_heartbeat()
            } else {
                !(found.value.is_empty() || found.generation > 0)
            }
        });
        if usable {
            self.emit_commit(commit, out)
        } else if self.initialized {
            let Commit { write: WriteId { start_ts, key }, commit_ts, .. } = commit;
            Err(MatchError::CommitWithoutPrewrite { start_ts, commit_ts, key })
        } else {
            self.waiting += commit.write.key.len();
            self.cached_commits.push(commit);
            Ok(())
        }
    }

    /// Joins a commit with its prewrite, if there is one.
    fn emit_commit(&mut self, commit: Commit, out: &mut Vec<RowChange>) -> Result<(), MatchError> {
        let Some(prewrite) = self.remove_prewrite(&commit.write) else { return Ok(()) };
        if prewrite.is_heartbeat() {
            // Only a sign of life was seen of the lock: the scan came after its commit and delivered the change.
            return Ok(());
        }
        let Some(op) = Op::from_wire(commit.op).or_else(|| Op::from_wire(prewrite.op)) else {
            return Err(unknown(LogType::Commit as i32, commit.op));
        };
        let WriteId { start_ts, key } = commit.write;
        let Prewrite { value, old_value, .. } = prewrite;
        self.emit(RowChange { key, value, old_value, start_ts, commit_ts: commit.commit_ts, op }, out)
    }

    /// A change that is complete in itself: of the scan, or of a one-phase commit.
    fn on_committed(&mut self, row: Row, out: &mut Vec<RowChange>) -> Result<(), MatchError> {
        if !self.initialized && row.commit_ts <= self.checkpoint_ts {
            // Older than asked for; the earlier registration of the range delivered it.
            return Ok(());
        }
        let Some(op) = Op::from_wire(row.op_type) else { return Err(unknown(row.r#type, row.op_type)) };
        let Row { start_ts, commit_ts, key, value, old_value, .. } = row;
        self.emit(RowChange { key, value, old_value, start_ts, commit_ts, op }, out)
    }

    /// A lock that was removed without a commit.
    fn on_rollback(&mut self, row: Row) {
        let write = WriteId { start_ts: row.start_ts, key: row.key };
        if self.initialized {
            self.remove_prewrite(&write);
        } else {
            self.waiting += write.key.len();
            self.cached_rollbacks.push(write);
        }
    }

    /// Takes a lock out.
    fn remove_prewrite(&mut self, write: &WriteId) -> Option<Prewrite> {
        let prewrite = self.prewrites.remove(write)?;
        self.waiting -= lock_bytes(write, &prewrite);
        Some(prewrite)
    }

    /// The scan is complete: what waited for it is looked at again. Commits that still have no prewrite were delivered
    /// by the scan as committed rows.
    pub(crate) fn on_initialized(&mut self, out: &mut Vec<RowChange>) -> Result<(), MatchError> {
        self.initialized = true;
        for commit in std::mem::take(&mut self.cached_commits) {
            self.waiting -= commit.write.key.len();
            self.emit_commit(commit, out)?;
        }
        for write in std::mem::take(&mut self.cached_rollbacks) {
            self.waiting -= write.key.len();
            self.remove_prewrite(&write);
        }
        Ok(())
    }

    /// Checks a complete change and hands it out.
    fn emit(&self, row: RowChange, out: &mut Vec<RowChange>) -> Result<(), MatchError> {
        if row.commit_ts <= row.start_ts {
            return Err(MatchError::CommitBeforeStart { start_ts: row.start_ts, commit_ts: row.commit_ts });
        }
        if row.commit_ts <= self.start_ts {
            return Ok(());
        }
        if row.commit_ts <= self.resolved_ts {
            let RowChange { start_ts, commit_ts, key, .. } = row;
            return Err(MatchError::Late { start_ts, commit_ts, resolved_ts: self.resolved_ts, key });
        }
        out.push(row);
        Ok(())
    }
}

/// The error for a wire value that is not known.
fn unknown(log_type: i32, op_type: i32) -> MatchError {
    MatchError::UnknownRow { log_type, op_type }
}

#[cfg(test)]
mod tests;
