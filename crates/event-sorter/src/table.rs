//! One physical table: its arriving rows, its sorted rows and its runs.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::account::{Account, Held};
use crate::error::SorterError;
use crate::inbox::Inbox;
use crate::merge::Merge;
use crate::row::{OwnedPosition, SortedRow};
use crate::run::{DiskRun, RunCursor};
use crate::segment::Segment;

/// How much one [`fetch`](crate::Sorter::fetch) may return. A batch ends at the first row that reaches a limit, so it
/// holds at least one row if there is any.
#[derive(Clone, Copy, Debug)]
pub struct FetchLimit {
    /// Number of rows.
    pub rows: usize,
    /// Bytes of keys and values.
    pub bytes: usize,
}

impl Default for FetchLimit {
    /// 4,096 rows or 4 MiB: large enough to amortise the call, small enough for several in flight.
    fn default() -> Self {
        Self { rows: 4096, bytes: 4 << 20 }
    }
}

/// Rows in order, as far as the limits allowed.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The rows, ordered by (commit ts, start ts, delete < update < insert, key).
    pub rows: Vec<SortedRow>,
    /// Everything up to this commit ts has been handed out, by this batch or earlier ones.
    pub complete_ts: u64,
    /// True if the last row is the last one of its transaction in this table.
    pub ends_transaction: bool,
    /// True if nothing up to the requested bound is left.
    pub exhausted: bool,
}

impl Batch {
    /// The rows by transaction: slices of equal (commit ts, start ts). The last one may go on in the next batch
    /// unless [`ends_transaction`](Self::ends_transaction) is set.
    pub fn transactions(&self) -> impl Iterator<Item = &[SortedRow]> {
        self.rows.chunk_by(SortedRow::same_transaction)
    }
}

/// Runs of a table from which small ones are joined. A run that is being read costs a block (64 KiB) of memory.
const MAX_RUNS: usize = 64;
/// Bytes on disk that are read back to be joined at once.
const JOIN_BYTES: u64 = 8 << 20;

/// Takes out the smallest runs on disk if there are too many, as far as their bytes allow.
fn take_small(runs: &mut Vec<RunCursor>) -> Vec<RunCursor> {
    if runs.len() < MAX_RUNS {
        return Vec::new();
    }
    runs.sort_by_key(RunCursor::stored_bytes);
    let mut bytes = 0;
    let count = runs
        .iter()
        .take_while(|run| {
            bytes += run.stored_bytes();
            bytes <= JOIN_BYTES
        })
        .count();
    runs.drain(..count).collect()
}

/// The sorted side of a table.
#[derive(Default)]
struct Reader {
    /// Sorted rows in memory; every segment lies before the next one.
    ready: VecDeque<Segment>,
    /// Runs on disk, or on their way there.
    runs: Vec<RunCursor>,
    /// Rows up to here have left the inbox.
    sorted_upto: u64,
    /// Position of the last row handed out.
    last: Option<OwnedPosition>,
    /// Rows up to here have been handed out or released.
    done_upto: u64,
}

/// A table of the sorter.
pub(crate) struct Table {
    /// Physical table id.
    pub(crate) id: i64,
    /// Arriving rows. Held for moments only: pushing never waits for sorting or for the disk.
    inbox: Mutex<Inbox>,
    /// Sorted rows. Held while sorting and while reading blocks.
    reader: Mutex<Reader>,
    /// Resolved ts, readable without a lock.
    resolved_ts: AtomicU64,
    /// Rows of this table in memory.
    rows: AtomicUsize,
    /// Their weight.
    weight: AtomicUsize,
    /// Counters of all tables.
    account: Arc<Account>,
}

/// Rows that the spill thread shall write.
pub(crate) struct ToSpill {
    /// Identity of the run.
    pub(crate) run: u64,
    /// The rows.
    pub(crate) segment: Arc<Segment>,
}

impl Table {
    /// An empty table whose rows come after `start_ts`.
    pub(crate) fn new(id: i64, start_ts: u64, account: Arc<Account>) -> Self {
        Self {
            id,
            inbox: Mutex::new(Inbox::new(start_ts)),
            reader: Mutex::new(Reader { sorted_upto: start_ts, done_upto: start_ts, ..Reader::default() }),
            resolved_ts: AtomicU64::new(start_ts),
            rows: AtomicUsize::new(0),
            weight: AtomicUsize::new(0),
            account,
        }
    }

    /// Weight of the rows in memory.
    pub(crate) fn weight(&self) -> usize {
        self.weight.load(Ordering::Relaxed)
    }

    /// The resolved ts.
    pub(crate) fn resolved_ts(&self) -> u64 {
        self.resolved_ts.load(Ordering::Acquire)
    }

    /// Counts rows in.
    fn add(&self, held: Held) {
        self.rows.fetch_add(held.rows, Ordering::Relaxed);
        self.weight.fetch_add(held.weight, Ordering::Relaxed);
        self.account.add(held);
    }

    /// Counts rows out.
    fn sub(&self, held: Held) {
        self.rows.fetch_sub(held.rows, Ordering::Relaxed);
        self.weight.fetch_sub(held.weight, Ordering::Relaxed);
        self.account.sub(held);
    }

    /// Appends rows in any order.
    pub(crate) fn push(&self, rows: Vec<SortedRow>) -> Result<(), SorterError> {
        let count = rows.len();
        let mut inbox = self.inbox.lock();
        match inbox.push(rows) {
            Ok(weight) => {
                // Counted under the lock: whoever takes the rows out counts them out.
                self.add(Held { rows: count, weight });
                Ok(())
            }
            Err(commit_ts) => {
                Err(SorterError::LateRow { table: self.id, commit_ts, resolved_ts: inbox.resolved_ts })
            }
        }
    }

    /// Moves the resolved ts forward; true if it moved.
    pub(crate) fn resolve(&self, ts: u64) -> bool {
        let mut inbox = self.inbox.lock();
        let moved = ts > inbox.resolved_ts;
        if moved {
            inbox.resolved_ts = ts;
            self.resolved_ts.store(ts, Ordering::Release);
        }
        moved
    }

    /// True if a fetch up to `upper` would read from disk.
    pub(crate) fn needs_disk(&self, upper: u64) -> bool {
        let reader = self.reader.lock();
        reader.runs.iter().any(|run| {
            !run.is_in_memory() && run.position().is_some_and(|position| position.commit_ts <= upper)
        })
    }

    /// Sorts the resolved rows of the inbox.
    fn sort_resolved(&self, reader: &mut Reader) {
        let (rows, upto, weight) = {
            let mut inbox = self.inbox.lock();
            let upto = inbox.resolved_ts;
            let (rows, weight) = inbox.take_upto(upto);
            (rows, upto, weight)
        };
        reader.sorted_upto = upto;
        if rows.is_empty() {
            return;
        }
        let count = rows.len();
        let segment = Segment::sort(rows);
        if segment.len() < count {
            self.sub(Held { rows: count - segment.len(), weight: weight - segment.weight() });
        }
        reader.ready.push_back(segment);
    }

    /// Hands out rows in order.
    pub(crate) fn fetch(&self, upper: u64, limit: FetchLimit) -> Result<Batch, SorterError> {
        let mut guard = self.reader.lock();
        let reader = &mut *guard;
        let upper = upper.min(self.resolved_ts());
        if upper > reader.sorted_upto {
            self.sort_resolved(reader);
        }
        let mut batch = Batch::default();
        let mut bytes = 0;
        let mut merge = Merge::new(&mut reader.ready, &mut reader.runs, upper, &self.account.quota);
        let outcome = loop {
            let position = match merge.peek() {
                Ok(Some(position)) => position,
                Ok(None) => break Ok(None),
                Err(error) => break Err(error),
            };
            let last = batch.rows.last().map(SortedRow::position);
            let order =
                last.or(reader.last.as_ref().map(OwnedPosition::borrow)).map(|last| last.cmp(&position));
            if order == Some(std::cmp::Ordering::Greater) {
                break Err(SorterError::Disorder { table: self.id, commit_ts: position.commit_ts });
            }
            let repeated = order == Some(std::cmp::Ordering::Equal);
            if !repeated && (batch.rows.len() >= limit.rows.max(1) || bytes >= limit.bytes.max(1)) {
                let same = last.is_some_and(|last| {
                    (last.commit_ts, last.start_ts) == (position.commit_ts, position.start_ts)
                });
                break Ok(Some((position.commit_ts, same)));
            }
            match merge.take() {
                Some(row) if !repeated => {
                    bytes += row.payload();
                    batch.rows.push(row);
                }
                _ => {}
            }
        };
        self.sub(merge.freed);
        self.drop_finished_runs(reader);
        if let Some(row) = batch.rows.last() {
            reader.last = Some(OwnedPosition::of(row.position()));
        }
        let more = match (outcome, batch.rows.last()) {
            (Ok(more), _) => more,
            // The rows before the bad block are good; the next call meets the error again.
            (Err(_), Some(row)) => Some((row.commit_ts, true)),
            (Err(error), None) => return Err(error),
        };
        batch.exhausted = more.is_none();
        batch.ends_transaction = !batch.rows.is_empty() && !more.is_some_and(|(_, same)| same);
        reader.done_upto = reader.done_upto.max(more.map_or(upper, |(next, _)| next.saturating_sub(1)));
        batch.complete_ts = reader.done_upto;
        Ok(batch)
    }

    /// Drops everything up to `upto` that has not been fetched.
    pub(crate) fn release(&self, upto: u64) -> Result<(), SorterError> {
        let mut guard = self.reader.lock();
        let reader = &mut *guard;
        let (rows, weight) = self.inbox.lock().take_upto(upto);
        self.sub(Held { rows: rows.len(), weight });
        reader.runs.retain(|run| {
            let keep = run.last_commit_ts() > upto;
            if !keep {
                self.sub(run.held());
            }
            keep
        });
        let mut merge = Merge::new(&mut reader.ready, &mut reader.runs, upto, &self.account.quota);
        let outcome = loop {
            match merge.peek() {
                Ok(Some(_)) => drop(merge.take()),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.sub(merge.freed);
        self.drop_finished_runs(reader);
        reader.done_upto = reader.done_upto.max(upto.min(self.resolved_ts()));
        outcome
    }

    /// Forgets runs that have been read to the end.
    fn drop_finished_runs(&self, reader: &mut Reader) {
        reader.runs.retain(|run| {
            if run.is_done() {
                self.sub(run.held());
            }
            !run.is_done()
        });
    }

    /// Takes all rows in memory, sorted, to be written; they stay readable meanwhile. `run` names the new run. Small
    /// runs are joined with it when there are too many.
    pub(crate) fn start_spill(&self, run: u64) -> Option<ToSpill> {
        let mut reader = self.reader.lock();
        let mut before = Held::default();
        // Runs left in memory by a spill that failed.
        let mut joined: Vec<RunCursor> = reader.runs.extract_if(.., |run| run.is_in_memory()).collect();
        joined.append(&mut take_small(&mut reader.runs));
        let mut rows = Vec::new();
        for cursor in joined {
            match cursor.rest(&self.account.quota) {
                Ok(mut rest) => {
                    before.add(cursor.held());
                    rows.append(&mut rest);
                }
                // It stays as it is; whoever reads it meets the error.
                Err(_) => reader.runs.push(cursor),
            }
        }
        for segment in reader.ready.drain(..) {
            before.add(Held { rows: segment.len(), weight: segment.weight() });
            rows.extend(segment.into_rest());
        }
        let (mut arrived, weight) = self.inbox.lock().take_upto(u64::MAX);
        before.add(Held { rows: arrived.len(), weight });
        if rows.is_empty() {
            rows = arrived;
        } else {
            rows.reserve_exact(arrived.len());
            rows.append(&mut arrived);
        }
        let segment = Arc::new(Segment::sort(rows));
        segment.debug_check();
        let held = Held { rows: segment.len(), weight: segment.weight() };
        // One change, not two: in between, the rows would count as gone, and who waits for memory would go on.
        self.sub(Held {
            rows: before.rows.saturating_sub(held.rows),
            weight: before.weight.saturating_sub(held.weight),
        });
        self.add(Held {
            rows: held.rows.saturating_sub(before.rows),
            weight: held.weight.saturating_sub(before.weight),
        });
        reader.runs.push(RunCursor::new(run, Arc::clone(&segment), held)?);
        Some(ToSpill { run, segment })
    }

    /// Replaces rows in memory by the run on disk.
    pub(crate) fn finish_spill(&self, id: u64, run: DiskRun) {
        let mut reader = self.reader.lock();
        if let Some(cursor) = reader.runs.iter_mut().find(|cursor| cursor.id == id) {
            let held = cursor.written(run);
            self.sub(held);
        }
    }

    /// Number of runs.
    pub(crate) fn runs(&self) -> usize {
        self.reader.lock().runs.len()
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        let held =
            Held { rows: self.rows.load(Ordering::Relaxed), weight: self.weight.load(Ordering::Relaxed) };
        self.account.sub(held);
    }
}
