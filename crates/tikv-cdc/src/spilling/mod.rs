//! Keeps transactions that are too large for memory out of it. No I/O: this module decides, [`PrewriteSpool`] writes.
//!
//! Between the prewrite of a transaction and its commit lie the values of everything it changes. When they take more
//! memory than their share of the quota, a [`SpillingMatcher`] moves all that waits in it to *logs*, which live on disk.
//! From then on a transaction of the registration is either wholly in memory or wholly in one log: every later prewrite,
//! commit and roll-back of a spilled transaction is appended to its log, in order of arrival, and nothing is looked up.
//! A large transaction gets a log of its own; small ones share one, so that logs are few.
//!
//! A log is joined when the store announces a resolved ts R at or above a commit ts in it: all commits up to R are there
//! by then. The log is sealed (what comes later goes to a fresh one), read back ordered by (start ts, key, order of
//! arrival), and the rows of each key are given to an ordinary [`Matcher`], in the state in which they would have met
//! it: so the rules of matching, with their exceptions before the end of the scan, are written once. Locks that are left
//! go to the fresh log. R is held back until the rows of all logs that it concerns are delivered. Roll-backs alone are
//! a reason to join, too, so that a log of a transaction that was given up goes away.
//!
//! # Why memory is bounded
//!
//! * Rows that wait in the matchers of a stream are at most the limit ([`PrewriteSpool::waiting_limit`]) plus one frame,
//!   because after each frame that exceeds it the stream spills at least half of what it has there.
//! * Rows on their way to disk are bounded by the spool's sorter, for which the stream stops reading. It goes on without
//!   a commit having to be read, so this cannot be what it waits for.
//! * What stays in memory of a spilled registration is this index: some 200 bytes per log, of which there is one per
//!   registration and one per [`OWN_LOG_BYTES`] of spilled rows at most (usually one per transaction and region), and
//!   24 bytes per spilled transaction, of which a registration may have [`MAX_SPILLED_TRANSACTIONS`]. The sorter adds
//!   24 bytes per 64 KiB on disk.
//! * A join, one per stream at a time, holds the batch that it reads and two that wait for the stream, a block of each
//!   run of the log, and the rows of one key.

mod replay;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use tikv_proto::cdcpb::event::{LogType, Row};

use crate::matcher::{MatchError, Matcher};
use crate::row::RowChange;
pub use replay::Replay;

#[cfg(doc)]
use crate::PrewriteSpool;

/// A transaction of which at least this much waits in one registration gets a log of its own.
pub const OWN_LOG_BYTES: usize = 64 << 10;
/// Spilled transactions of one registration.
pub const MAX_SPILLED_TRANSACTIONS: usize = 1 << 20;

/// Names a log; unique in the process, because logs of all registrations are in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogId(u64);

impl LogId {
    /// A name that was not used before.
    pub(crate) fn new() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// The name as a number.
    pub(crate) fn number(self) -> u64 {
        self.0
    }
}

/// A row for a log.
#[derive(Clone, Debug, PartialEq)]
pub struct LogEntry {
    /// Which log.
    pub log: LogId,
    /// Place in the order of arrival of the registration.
    pub order: u64,
    /// The row: a prewrite, commit or roll-back.
    pub row: Row,
}

/// What a resolved ts means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// Nothing: it is not ahead, or the scan is not complete.
    Ignored,
    /// The region is resolved up to it.
    Moved,
    /// Logs must be joined first, see [`SpillingMatcher::next_join`].
    Held,
}

/// A log that has to be joined.
#[derive(Clone, Copy, Debug)]
pub struct Join {
    /// What is read. Nothing is appended to it any more.
    pub sealed: LogId,
    /// Where locks go that are left; it has to be created.
    pub fresh: LogId,
    /// Order of the locks that are left: before everything that came after sealing.
    order: u64,
    /// Order of the end of the scan.
    initialized_at: u64,
    /// Start of the subscription.
    start_ts: u64,
    /// Start of the registration.
    checkpoint_ts: u64,
    /// Resolved ts of the region before the join.
    resolved_ts: u64,
}

/// A log with the transactions in it.
#[derive(Debug)]
struct Group {
    /// Where rows go now.
    log: LogId,
    /// True if more transactions may be added.
    shared: bool,
    /// Smallest start ts of its transactions.
    first_start_ts: u64,
    /// Smallest commit ts in the log.
    first_commit_ts: Option<u64>,
    /// True if there is a roll-back in the log.
    rolled_back: bool,
    /// True if anything was appended since the log was sealed last.
    appended: bool,
}

impl Group {
    /// Nothing in it.
    fn new(shared: bool) -> Self {
        Self {
            log: LogId::new(),
            shared,
            first_start_ts: u64::MAX,
            first_commit_ts: None,
            rolled_back: false,
            appended: false,
        }
    }

    /// True if it must be joined before the region is resolved up to `ts`.
    fn is_due(&self, ts: u64) -> bool {
        self.first_commit_ts.is_some_and(|first| first <= ts)
            || (self.rolled_back && self.first_start_ts < ts)
    }

    /// Appends a row.
    fn append(&mut self, order: u64, row: Row, entries: &mut Vec<LogEntry>) {
        self.appended = true;
        if row.r#type == LogType::Commit as i32 {
            let first = self.first_commit_ts.map_or(row.commit_ts, |first| first.min(row.commit_ts));
            self.first_commit_ts = Some(first);
        } else if row.r#type == LogType::Rollback as i32 {
            self.rolled_back = true;
        }
        entries.push(LogEntry { log: self.log, order, row });
    }
}

/// The transactions of a registration that do not wait in memory.
#[derive(Debug)]
struct Spilled {
    /// Logs by number.
    groups: HashMap<u32, Group>,
    /// Number of the next group.
    next_group: u32,
    /// Group of each spilled transaction, by start ts.
    transactions: HashMap<u64, u32>,
    /// Order of the next row.
    order: u64,
    /// Order of the end of the scan; `None` before it.
    initialized_at: Option<u64>,
    /// Resolved ts that waits for joins.
    held: Option<u64>,
    /// The group that is being joined.
    joining: Option<u32>,
}

impl Spilled {
    /// The order of a row that comes now.
    fn next_order(&mut self) -> u64 {
        self.order += 1;
        self.order
    }
}

/// A [`Matcher`] that gives transactions away when it has to.
#[derive(Debug)]
pub struct SpillingMatcher {
    /// What waits in memory.
    matcher: Matcher,
    /// What waits elsewhere.
    spilled: Option<Box<Spilled>>,
}

impl SpillingMatcher {
    /// See [`Matcher::new`].
    pub fn new(start_ts: u64, checkpoint_ts: u64) -> Self {
        Self { matcher: Matcher::new(start_ts, checkpoint_ts), spilled: None }
    }

    /// What waits in memory.
    pub fn matcher(&self) -> &Matcher {
        &self.matcher
    }

    /// True if rows of the transaction go to a log.
    pub fn is_spilled(&self, start_ts: u64) -> bool {
        self.spilled.as_ref().is_some_and(|spilled| spilled.transactions.contains_key(&start_ts))
    }

    /// Bytes of bookkeeping in memory, see [`Matcher::bookkeeping`].
    pub fn bookkeeping(&self) -> usize {
        let spilled = self.spilled.as_ref().map_or(0, |spilled| {
            spilled.groups.capacity() * std::mem::size_of::<(u32, Group)>()
                + spilled.transactions.capacity() * std::mem::size_of::<(u64, u32)>()
        });
        self.matcher.bookkeeping() + spilled
    }

    /// Takes one row of the stream; changes that are complete now are appended to `out`, rows of spilled transactions to
    /// `entries`.
    ///
    /// # Errors
    /// See [`Matcher::on_row`].
    pub fn on_row(
        &mut self,
        row: Row,
        out: &mut Vec<RowChange>,
        entries: &mut Vec<LogEntry>,
    ) -> Result<(), MatchError> {
        if let Some(spilled) = &mut self.spilled {
            match LogType::try_from(row.r#type) {
                Ok(LogType::Prewrite | LogType::Commit | LogType::Rollback) => {
                    if let Some(group) = spilled.transactions.get(&row.start_ts).copied() {
                        let order = spilled.next_order();
                        if let Some(group) = spilled.groups.get_mut(&group) {
                            group.append(order, row, entries);
                        }
                        return Ok(());
                    }
                }
                Ok(LogType::Initialized) if spilled.initialized_at.is_none() => {
                    spilled.initialized_at = Some(spilled.next_order());
                }
                _ => {}
            }
        }
        self.matcher.on_row(row, out)
    }

    /// Moves everything that waits in memory to logs, which the caller creates: transactions of at least `own_log` bytes
    /// to logs of their own. Returns the new logs.
    ///
    /// # Errors
    /// [`MatchError::TooManyTransactions`].
    pub fn spill(&mut self, own_log: usize, entries: &mut Vec<LogEntry>) -> Result<Vec<LogId>, MatchError> {
        let sizes = self.matcher.waiting_by_transaction();
        if sizes.is_empty() {
            return Ok(Vec::new());
        }
        let initialized = self.matcher.is_initialized();
        let spilled = self.spilled.get_or_insert_with(|| {
            Box::new(Spilled {
                groups: HashMap::new(),
                next_group: 0,
                transactions: HashMap::new(),
                order: 0,
                initialized_at: initialized.then_some(0),
                held: None,
                joining: None,
            })
        });
        if spilled.transactions.len() + sizes.len() > MAX_SPILLED_TRANSACTIONS {
            return Err(MatchError::TooManyTransactions { limit: MAX_SPILLED_TRANSACTIONS });
        }
        let mut created = Vec::new();
        let mut shared = spilled.groups.iter().find(|(_, group)| group.shared).map(|(number, _)| *number);
        for (start_ts, bytes) in sizes {
            let small = bytes < own_log;
            let number = shared.filter(|_| small).unwrap_or_else(|| {
                let number = spilled.next_group;
                spilled.next_group = number.wrapping_add(1);
                let group = Group::new(small);
                created.push(group.log);
                spilled.groups.insert(number, group);
                if small {
                    shared = Some(number);
                }
                number
            });
            spilled.transactions.insert(start_ts, number);
        }
        for row in self.matcher.take_waiting() {
            let order = spilled.next_order();
            let group = spilled.transactions.get(&row.start_ts);
            if let Some(group) = group.and_then(|number| spilled.groups.get_mut(number)) {
                group.first_start_ts = group.first_start_ts.min(row.start_ts);
                group.append(order, row, entries);
            }
        }
        Ok(created)
    }

    /// Takes a resolved ts.
    pub fn on_resolved(&mut self, ts: u64) -> Resolved {
        if let Some(spilled) = &mut self.spilled
            && self.matcher.is_initialized()
            && ts > self.matcher.resolved_ts()
            && (spilled.held.is_some() || spilled.groups.values().any(|group| group.is_due(ts)))
        {
            spilled.held = spilled.held.max(Some(ts));
            return Resolved::Held;
        }
        if self.matcher.on_resolved(ts) { Resolved::Moved } else { Resolved::Ignored }
    }

    /// Seals the next log that the held resolved ts needs; `None` if there is none, or one is being joined already.
    pub fn next_join(&mut self) -> Option<Join> {
        let spilled = self.spilled.as_mut()?;
        let (held, initialized_at) = (spilled.held?, spilled.initialized_at?);
        if spilled.joining.is_some() {
            return None;
        }
        let due = spilled.groups.iter().filter(|(_, group)| group.is_due(held));
        let number = due.map(|(number, _)| *number).min()?;
        let order = spilled.next_order();
        let group = spilled.groups.get_mut(&number)?;
        let fresh = LogId::new();
        let sealed = std::mem::replace(&mut group.log, fresh);
        (group.first_commit_ts, group.rolled_back, group.appended) = (None, false, false);
        spilled.joining = Some(number);
        let (start_ts, checkpoint_ts) = self.matcher.bounds();
        let resolved_ts = self.matcher.resolved_ts();
        Some(Join { sealed, fresh, order, initialized_at, start_ts, checkpoint_ts, resolved_ts })
    }

    /// The rows of a join are delivered; `left` tells whether locks went to the fresh log. Returns the resolved ts that
    /// was held, if no further join is needed, and the log that is not needed any more.
    pub fn joined(&mut self, left: bool) -> (Option<u64>, Option<LogId>) {
        let Some(spilled) = &mut self.spilled else { return (None, None) };
        let mut unused = None;
        if let Some(number) = spilled.joining.take()
            && let Some(group) = spilled.groups.get(&number)
            && !left
            && !group.appended
        {
            unused = Some(group.log);
            spilled.groups.remove(&number);
            spilled.transactions.retain(|_, group| *group != number);
        }
        let Some(held) = spilled.held else { return (None, unused) };
        if spilled.groups.values().any(|group| group.is_due(held)) {
            return (None, unused);
        }
        spilled.held = None;
        if spilled.groups.is_empty() {
            self.spilled = None;
        }
        (self.matcher.on_resolved(held).then_some(held), unused)
    }

    /// The present logs, to be removed when the registration ends.
    pub fn logs(&self) -> impl Iterator<Item = LogId> {
        self.spilled.iter().flat_map(|spilled| spilled.groups.values()).map(|group| group.log)
    }
}

#[cfg(test)]
mod tests;
