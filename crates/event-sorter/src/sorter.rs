//! The sorter: all tables of a process or changefeed under one memory limit.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::JoinHandle;

use parking_lot::Mutex;

use crate::account::Account;
use crate::error::SorterError;
use crate::files::SpillDir;
use crate::quota::MemoryQuota;
use crate::row::SortedRow;
use crate::spiller::Spiller;
use crate::table::{Batch, FetchLimit, Table};

/// Share of the limit from which on rows will be written to disk soon...
const HEAVY_SHARE: f64 = 0.6;
/// ...and the one below which there is room again for a while.
const LIGHT_SHARE: f64 = 0.5;

/// A share of a limit.
fn share_of(limit: usize, share: f64) -> usize {
    (limit as f64 * share) as usize
}

/// Settings of a sorter.
#[derive(Clone, Copy, Debug)]
pub struct SorterConfig {
    /// Bytes of rows (payload and bookkeeping) that may stay in memory. Spilling starts at three quarters; above it
    /// [`Sorter::until_writable`] waits.
    pub memory_limit: usize,
    /// Spill files that may be open for reading at the same time.
    pub max_open_files: usize,
}

impl Default for SorterConfig {
    /// 256 MiB and 64 files.
    fn default() -> Self {
        Self { memory_limit: 256 << 20, max_open_files: 64 }
    }
}

/// What a sorter holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SorterStats {
    /// Tables.
    pub tables: usize,
    /// Rows in memory.
    pub rows_in_memory: usize,
    /// Their weight in bytes.
    pub bytes_in_memory: usize,
    /// Bytes in spill files.
    pub bytes_on_disk: u64,
    /// Spill files.
    pub files: u64,
    /// Runs written since the start.
    pub runs_written: u64,
    /// Bytes written since the start.
    pub bytes_written: u64,
}

/// Orders the rows of many tables. All methods are safe to call from several threads.
///
/// Nothing here is async, and only [`fetch`](Self::fetch) and [`release`](Self::release) may touch the disk, reading
/// at most what the limits ask for in blocks of 64 KiB (usually from the page cache). A caller on an async worker
/// that cannot afford it asks [`needs_disk`](Self::needs_disk) first and moves the call to a blocking thread.
/// Writing is done by one dedicated thread; [`until_writable`](Self::until_writable) is the back-pressure.
pub struct Sorter {
    /// Shared with the spill thread.
    spiller: Arc<Spiller>,
    /// Kept alive for the quota, which holds it weakly.
    _on_high: Arc<dyn Fn() + Send + Sync>,
    /// The spill thread.
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Sorter {
    /// Opens a sorter on a directory of its own: it is created if missing, and spill files of an earlier process in
    /// it are removed.
    pub fn open(dir: &Path, config: SorterConfig, quota: Arc<MemoryQuota>) -> Result<Self, SorterError> {
        let dir = SpillDir::open(dir, config.max_open_files)?;
        let account = Arc::new(Account::new(Arc::clone(&quota), config.memory_limit));
        let spiller = Arc::new(Spiller::new(account, dir));
        let kicked = Arc::downgrade(&spiller);
        let on_high: Arc<dyn Fn() + Send + Sync> = Arc::new(move || {
            if let Some(spiller) = kicked.upgrade() {
                spiller.kick();
            }
        });
        quota.on_high(&on_high);
        let worker = Arc::clone(&spiller);
        let thread = std::thread::Builder::new()
            .name("sorter-spill".to_owned())
            .spawn(move || worker.run())
            .map_err(|error| SorterError::Thread { source: Arc::new(error) })?;
        Ok(Self { spiller, _on_high: on_high, thread: Mutex::new(Some(thread)) })
    }

    /// Adds a table whose rows all have commit ts above `start_ts`. A table that exists is replaced.
    pub fn add_table(&self, table: i64, start_ts: u64) {
        let added = Arc::new(Table::new(table, start_ts, Arc::clone(&self.spiller.account)));
        let _replaced = self.spiller.tables.write().insert(table, added);
    }

    /// Removes a table with everything in it; false if there was none.
    pub fn remove_table(&self, table: i64) -> bool {
        let removed = self.spiller.tables.write().remove(&table);
        if removed.is_some() {
            self.spiller.kick();
        }
        removed.is_some()
    }

    /// Appends rows of a table in any order. Never waits; call [`until_writable`](Self::until_writable) before
    /// pushing more. If a row is at or below the resolved ts, none is appended.
    ///
    /// Fails also when the disk refused spilled rows and memory is full.
    pub fn push(&self, table: i64, rows: Vec<SortedRow>) -> Result<(), SorterError> {
        let account = &self.spiller.account;
        if account.weight() > account.limit
            && let Some(failure) = account.failure()
        {
            return Err(failure);
        }
        self.push_anyway(table, rows)
    }

    /// Like [`push`](Self::push), but takes the rows although the disk refuses others: for a caller that has them in
    /// its hands already, takes a bounded number at a time, and asks [`until_writable`](Self::until_writable) before
    /// it takes more.
    pub fn push_anyway(&self, table: i64, rows: Vec<SortedRow>) -> Result<(), SorterError> {
        self.table(table)?.push(rows)?;
        self.spiller.kick_if_high();
        Ok(())
    }

    /// Moves the resolved ts of a table forward: no row at or below `ts` will be pushed any more. True if it moved.
    pub fn resolve(&self, table: i64, ts: u64) -> Result<bool, SorterError> {
        Ok(self.table(table)?.resolve(ts))
    }

    /// The resolved ts of a table.
    pub fn resolved_ts(&self, table: i64) -> Result<u64, SorterError> {
        Ok(self.table(table)?.resolved_ts())
    }

    /// Hands out the next rows of a table in order, up to the smaller of `upper_ts` and the resolved ts. What is
    /// handed out is gone from the sorter. Repeated deliveries of one change come out once.
    pub fn fetch(&self, table: i64, upper_ts: u64, limit: FetchLimit) -> Result<Batch, SorterError> {
        self.table(table)?.fetch(upper_ts, limit)
    }

    /// Drops the rows of a table up to `upto_ts` that have not been fetched.
    pub fn release(&self, table: i64, upto_ts: u64) -> Result<(), SorterError> {
        self.table(table)?.release(upto_ts)
    }

    /// True if a fetch up to `upper_ts` would read from disk.
    pub fn needs_disk(&self, table: i64, upper_ts: u64) -> Result<bool, SorterError> {
        Ok(self.table(table)?.needs_disk(upper_ts))
    }

    /// Waits until the rows in memory are within the limit. Fails if they are not and the disk refuses to take more.
    pub fn until_writable(&self) -> UntilWritable {
        self.until_at_most(self.spiller.account.limit)
    }

    /// True if rows will be written to disk soon unless some are fetched.
    pub fn is_heavy(&self) -> bool {
        let account = &self.spiller.account;
        account.weight() > share_of(account.limit, HEAVY_SHARE)
    }

    /// Waits until the rows in memory are well below the level of [`is_heavy`](Self::is_heavy): for a caller that
    /// would rather wait for rows to be fetched than have them written to disk. It may wait for ever if nobody fetches.
    pub fn until_light(&self) -> UntilWritable {
        self.until_at_most(share_of(self.spiller.account.limit, LIGHT_SHARE))
    }

    /// Waits for the rows in memory to weigh no more than `level`.
    fn until_at_most(&self, level: usize) -> UntilWritable {
        UntilWritable { account: Arc::clone(&self.spiller.account), level, registered: None }
    }

    /// Like [`until_writable`](Self::until_writable), for threads that may block.
    ///
    /// # Errors
    /// See [`until_writable`](Self::until_writable).
    pub fn wait_writable(&self) -> Result<(), SorterError> {
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut context = Context::from_waker(&waker);
        let mut wait = std::pin::pin!(self.until_writable());
        loop {
            match wait.as_mut().poll(&mut context) {
                Poll::Ready(outcome) => return outcome,
                Poll::Pending => std::thread::park(),
            }
        }
    }

    /// Why the last spill failed; `None` after one that worked.
    pub fn failure(&self) -> Option<SorterError> {
        self.spiller.account.failure()
    }

    /// What the sorter holds.
    pub fn stats(&self) -> SorterStats {
        let (bytes_on_disk, files) = self.spiller.dir.usage();
        SorterStats {
            tables: self.spiller.tables.read().len(),
            rows_in_memory: self.spiller.account.rows(),
            bytes_in_memory: self.spiller.account.weight(),
            bytes_on_disk,
            files,
            runs_written: self.spiller.runs_written.load(Ordering::Relaxed),
            bytes_written: self.spiller.bytes_written.load(Ordering::Relaxed),
        }
    }

    /// Number of runs of a table that have not been read to the end.
    pub fn runs(&self, table: i64) -> Result<usize, SorterError> {
        Ok(self.table(table)?.runs())
    }

    /// Finds a table.
    fn table(&self, table: i64) -> Result<Arc<Table>, SorterError> {
        self.spiller.tables.read().get(&table).cloned().ok_or(SorterError::UnknownTable { table })
    }
}

impl Drop for Sorter {
    fn drop(&mut self) {
        self.spiller.tables.write().clear();
        self.spiller.stop();
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the spill thread had panicked");
        }
    }
}

impl std::fmt::Debug for Sorter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sorter").field("stats", &self.stats()).finish()
    }
}

/// Wakes a thread that waits.
struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Future of [`Sorter::until_writable`] and [`Sorter::until_light`].
pub struct UntilWritable {
    /// What is waited for.
    account: Arc<Account>,
    /// Weight that is waited for.
    level: usize,
    /// Identity among the waiters.
    registered: Option<u64>,
}

impl UntilWritable {
    /// The outcome, if there is one now.
    pub fn outcome(&self) -> Option<Result<(), SorterError>> {
        if self.account.weight() <= self.level {
            return Some(Ok(()));
        }
        self.account.failure().map(Err)
    }
}

impl Future for UntilWritable {
    type Output = Result<(), SorterError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(outcome) = self.outcome() {
            return Poll::Ready(outcome);
        }
        let level = self.level.saturating_add(1);
        let id = self.account.waiters.register(self.registered, level, cx.waker());
        self.registered = Some(id);
        self.outcome().map_or(Poll::Pending, Poll::Ready)
    }
}

impl Drop for UntilWritable {
    fn drop(&mut self) {
        if let Some(id) = self.registered {
            self.account.waiters.forget(id);
        }
    }
}
