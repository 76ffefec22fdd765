//! The thread that writes runs.
//!
//! One thread per sorter does all writing, so that no caller of the sorter waits for the disk when pushing. It is
//! woken when the rows in memory, or the whole quota, get high; it then writes the largest tables until enough is
//! free. Rows stay readable while they are written.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex, RwLock};

use crate::account::Account;
use crate::error::SorterError;
use crate::files::SpillDir;
use crate::quota::{CRITICAL_SHARE, HIGH_SHARE};
use crate::run::{DiskRun, RunWriter};
use crate::table::Table;

/// Spilling starts above this share of the sorter's own limit...
const START_SHARE: f64 = 0.75;
/// ...and goes on down to this one.
const STOP_SHARE: f64 = 0.4;
/// Under pressure from others (the quota is high), less than this share of the own limit is not worth a file, until
/// the pressure is critical: few small rows may keep many large frames in memory.
const WORTH_SHARE: f64 = 1.0 / 16.0;
/// Bytes after which finished runs are handed over, so that their memory is free before the whole file is written.
const HAND_OVER_BYTES: u64 = 8 << 20;
/// Pause after a failed attempt.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What the thread is asked to do.
#[derive(Default)]
struct Orders {
    /// Look whether something must be written, or a file removed.
    look: bool,
    /// End.
    stop: bool,
}

/// Shared by the sorter and its thread.
pub(crate) struct Spiller {
    /// Counters and limits.
    pub(crate) account: Arc<Account>,
    /// Files.
    pub(crate) dir: Arc<SpillDir>,
    /// All tables.
    pub(crate) tables: RwLock<HashMap<i64, Arc<Table>>>,
    /// What to do next.
    orders: Mutex<Orders>,
    /// Signals new orders.
    changed: Condvar,
    /// True from an order until the thread has seen it.
    ordered: AtomicBool,
    /// Number of the next run.
    next_run: AtomicU64,
    /// Runs written since the start.
    pub(crate) runs_written: AtomicU64,
    /// Bytes written since the start.
    pub(crate) bytes_written: AtomicU64,
}

impl Spiller {
    /// Nothing to do yet.
    pub(crate) fn new(account: Arc<Account>, dir: Arc<SpillDir>) -> Self {
        Self {
            account,
            dir,
            tables: RwLock::default(),
            orders: Mutex::default(),
            changed: Condvar::new(),
            ordered: AtomicBool::new(false),
            next_run: AtomicU64::new(0),
            runs_written: AtomicU64::new(0),
            bytes_written: AtomicU64::new(0),
        }
    }

    /// Wakes the thread if there is something to write. Cheap when there is not.
    pub(crate) fn kick_if_high(&self) {
        if self.excess().is_some() {
            self.kick();
        }
    }

    /// Wakes the thread.
    pub(crate) fn kick(&self) {
        if !self.ordered.swap(true, Ordering::AcqRel) {
            self.orders.lock().look = true;
            self.changed.notify_one();
        }
    }

    /// Ends the thread.
    pub(crate) fn stop(&self) {
        self.orders.lock().stop = true;
        self.changed.notify_one();
    }

    /// Weight to write now, if any.
    fn excess(&self) -> Option<usize> {
        let weight = self.account.weight();
        let share = |share: f64| (self.account.limit as f64 * share) as usize;
        if weight > share(START_SHARE) {
            Some(weight - share(STOP_SHARE))
        } else {
            let least = match self.account.quota.pressure() {
                pressure if pressure >= CRITICAL_SHARE => 0,
                pressure if pressure >= HIGH_SHARE => share(WORTH_SHARE),
                _ => return None,
            };
            (weight > least).then_some(weight)
        }
    }

    /// Body of the thread.
    pub(crate) fn run(&self) {
        let mut retry = false;
        loop {
            {
                let mut orders = self.orders.lock();
                while !orders.look && !orders.stop {
                    if retry {
                        self.changed.wait_for(&mut orders, RETRY_AFTER);
                        break;
                    }
                    self.changed.wait(&mut orders);
                }
                if orders.stop {
                    break;
                }
                orders.look = false;
            }
            self.ordered.store(false, Ordering::Release);
            retry = self.work();
        }
        self.dir.remove_garbage();
    }

    /// Writes until enough is free; true if it failed and should be tried again.
    fn work(&self) -> bool {
        self.dir.remove_garbage();
        while let Some(excess) = self.excess() {
            match self.spill(excess) {
                Ok(0) => break,
                Ok(_) => self.account.set_failure(None),
                Err(error) => {
                    tracing::error!(%error, "sorted rows could not be written to disk");
                    self.account.set_failure(Some(error));
                    return true;
                }
            }
        }
        false
    }

    /// The largest tables whose weights sum up to `excess`.
    fn victims(&self, excess: usize) -> Vec<Arc<Table>> {
        let mut tables: Vec<(usize, Arc<Table>)> = self
            .tables
            .read()
            .values()
            .filter(|table| table.weight() > 0)
            .map(|table| (table.weight(), Arc::clone(table)))
            .collect();
        tables.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
        let mut sum = 0;
        tables
            .into_iter()
            .take_while(|(weight, _)| {
                let wanted = sum < excess;
                sum += weight;
                wanted
            })
            .map(|(_, table)| table)
            .collect()
    }

    /// Writes one file with runs of the largest tables; returns the number of runs.
    fn spill(&self, excess: usize) -> Result<usize, SorterError> {
        let victims = self.victims(excess);
        if victims.is_empty() {
            return Ok(0);
        }
        let (spill, file) = self.dir.create()?;
        let mut writer = RunWriter::new(spill, file);
        let mut written = Written::default();
        for table in victims {
            let Some(todo) = table.start_spill(self.next_run.fetch_add(1, Ordering::Relaxed)) else {
                continue;
            };
            let run = writer.write(&todo.segment)?;
            drop(todo.segment);
            written.runs.push((table, todo.run, run));
            if writer.length() - written.handed_over >= HAND_OVER_BYTES {
                self.hand_over(&mut writer, &mut written)?;
            }
        }
        self.hand_over(&mut writer, &mut written)?;
        Ok(written.count)
    }

    /// Makes written runs readable and frees their rows.
    fn hand_over(&self, writer: &mut RunWriter, written: &mut Written) -> Result<(), SorterError> {
        writer.flush()?;
        // Counted before memory is given back: who waits for the memory sees what was written.
        self.runs_written.fetch_add(written.runs.len() as u64, Ordering::SeqCst);
        self.bytes_written.fetch_add(writer.length() - written.handed_over, Ordering::SeqCst);
        for (table, id, run) in written.runs.drain(..) {
            table.finish_spill(id, run);
            written.count += 1;
        }
        written.handed_over = writer.length();
        Ok(())
    }
}

/// Progress in one spill file.
#[derive(Default)]
struct Written {
    /// Length of the file at the last hand-over.
    handed_over: u64,
    /// Runs not handed over yet.
    runs: Vec<(Arc<Table>, u64, DiskRun)>,
    /// Runs handed over.
    count: usize,
}
