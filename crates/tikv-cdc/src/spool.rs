//! Where spilled transactions are: logs on disk, which a [`Sorter`] of their own writes and orders.
//!
//! A log is a table of the sorter; its rows are ordered by (start ts, key, order of arrival). The sorter brings what a
//! log needs: one thread that writes sorted runs of blocks with checksums, a bound on what waits for the disk, merging
//! with a block of memory per run, a directory that is emptied when it is opened, and errors for a full or damaged disk.
//!
//! ```text
//! key   := key length u32 BE | key | order u64 BE
//! value := row type u8 | operation i32 LE | commit ts u64 LE | generation u64 LE | value length u32 LE | value | old value
//! ```
//!
//! The length in front keeps equal keys together whatever the keys are; the order of different keys does not matter.

use std::path::Path;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use event_sorter::{
    FetchLimit, MemoryQuota, SortedRow, Sorter, SorterConfig, SorterError, SorterStats, Stage, UntilWritable,
};
use tikv_proto::cdcpb::event::{LogType, Row};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::matcher::MatchError;
use crate::row::RowChange;
use crate::spilling::{Join, LogEntry, LogId, OWN_LOG_BYTES, Replay};

/// Part of the memory quota that prewrites may hold before they are spilled: one in this many.
const WAITING_SHARE: usize = 16;
/// Part of the memory quota that spilled rows may hold on their way to disk: one in this many.
const BUFFER_SHARE: usize = 8;
/// Spill files that may be open for reading at the same time.
const OPEN_FILES: usize = 64;
/// Rows are encoded in pieces of this many bytes.
const PIECE_BYTES: usize = 1 << 20;
/// How much a join reads at once.
const JOIN_BATCH: FetchLimit = FetchLimit { rows: 4096, bytes: 1 << 20 };
/// Batches of a join that may wait for the stream.
pub(crate) const JOIN_QUEUE: usize = 2;
/// The commit ts of all rows of the sorter: they are ordered by what follows it.
const ORDINAL: u64 = 1;
/// Bytes in front of the value.
const VALUE_HEADER: usize = 25;

/// Why spilled rows are lost. The files are worth nothing after that; the changes have to be read from the stores again.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpoolError {
    /// The disk is full, or failed, or gave back something else than was written.
    #[error("prewrites cannot be kept on disk: {0}")]
    Sorter(#[from] SorterError),
    /// The thread that read them back is gone.
    #[error("reading prewrites back from disk was interrupted")]
    Interrupted,
    /// A row that was read back does not have its form.
    #[error("a prewrite that was kept on disk is damaged: {reason}")]
    Damaged {
        /// What is wrong.
        reason: &'static str,
    },
}

/// Limits of a [`PrewriteSpool`].
#[derive(Clone, Copy, Debug)]
pub struct SpoolConfig {
    /// Bytes of prewrites that may wait in memory, see [`Stage::Prewrites`].
    pub waiting_limit: usize,
    /// Bytes of spilled rows that may be in memory on their way to disk.
    pub buffer_limit: usize,
    /// Bytes from which a transaction gets a log of its own.
    pub own_log: usize,
}

impl SpoolConfig {
    /// Limits that fit a memory quota: a sixteenth of it for prewrites in memory, an eighth on their way to disk.
    pub fn for_quota(quota: &MemoryQuota) -> Self {
        Self {
            waiting_limit: quota.limit() / WAITING_SHARE,
            buffer_limit: quota.limit() / BUFFER_SHARE,
            own_log: OWN_LOG_BYTES,
        }
    }
}

/// Keeps rows of transactions that are too large for memory. Shared by all streams of a client.
#[derive(Debug)]
pub struct PrewriteSpool {
    /// Writes and orders.
    sorter: Sorter,
    /// What rows in memory are charged to.
    quota: Arc<MemoryQuota>,
    /// Limits.
    config: SpoolConfig,
}

impl PrewriteSpool {
    /// Opens a spool on a directory of its own, with limits that fit the quota. Files of an earlier process in it are
    /// removed.
    ///
    /// # Errors
    /// The directory cannot be used, see [`Sorter::open`].
    pub fn open(dir: &Path, quota: &Arc<MemoryQuota>) -> Result<Self, SorterError> {
        Self::with(dir, quota, SpoolConfig::for_quota(quota))
    }

    /// Opens a spool with limits.
    ///
    /// # Errors
    /// The directory cannot be used, see [`Sorter::open`].
    pub fn with(dir: &Path, quota: &Arc<MemoryQuota>, config: SpoolConfig) -> Result<Self, SorterError> {
        let limits = SorterConfig { memory_limit: config.buffer_limit, max_open_files: OPEN_FILES };
        let sorter = Sorter::open(dir, limits, Arc::clone(quota))?;
        Ok(Self { sorter, quota: Arc::clone(quota), config })
    }

    /// True if prewrites in memory take more than their share: of all that the spool's streams may use together, or of
    /// what the consumer of one of them may use.
    pub(crate) fn is_needed(&self, consumer: &MemoryQuota) -> bool {
        self.quota.used_by(Stage::Prewrites) >= self.config.waiting_limit
            || consumer.used_by(Stage::Prewrites) >= consumer.limit() / WAITING_SHARE
    }

    /// Bytes of prewrites that may wait in memory.
    pub fn waiting_limit(&self) -> usize {
        self.config.waiting_limit
    }

    /// Bytes from which a transaction gets a log of its own.
    pub fn own_log(&self) -> usize {
        self.config.own_log
    }

    /// What is on disk and on its way there.
    pub fn stats(&self) -> SorterStats {
        self.sorter.stats()
    }

    /// Makes a log.
    pub fn create(&self, log: LogId) {
        self.sorter.add_table(table(log), 0);
    }

    /// Removes a log with everything in it.
    pub fn remove(&self, log: LogId) {
        self.sorter.remove_table(table(log));
    }

    /// Waits until rows may be appended without exceeding the limit.
    pub(crate) fn until_writable(&self) -> UntilWritable {
        self.sorter.until_writable()
    }

    /// Appends rows. Never waits; whoever has a choice waits for [`until_writable`](Self::until_writable) before.
    ///
    /// # Errors
    /// The disk took nothing lately, and memory is full; or the log is not there.
    pub fn append(&self, entries: Vec<LogEntry>) -> Result<(), SpoolError> {
        let mut entries = entries.into_iter();
        while !entries.as_slice().is_empty() {
            let mut size = 0;
            let count = entries
                .as_slice()
                .iter()
                .take_while(|entry| {
                    let goes_on = size < PIECE_BYTES;
                    size += encoded_len(&entry.row);
                    goes_on
                })
                .count();
            self.append_piece(entries.by_ref().take(count))?;
        }
        Ok(())
    }

    /// Appends rows that fit one allocation.
    fn append_piece(&self, entries: impl Iterator<Item = LogEntry>) -> Result<(), SpoolError> {
        let mut buffer = Vec::new();
        let mut places = Vec::new();
        for LogEntry { log, order, row } in entries {
            let (key, value) = encode(order, &row, &mut buffer);
            places.push((log, row.start_ts, key, value));
        }
        buffer.shrink_to_fit();
        let mut buffer: Bytes = self.quota.own(Stage::Sorter, buffer);
        let mut logs: Vec<(LogId, Vec<SortedRow>)> = Vec::new();
        for (log, start_ts, key, value) in places {
            let (key, value) = (buffer.split_to(key), buffer.split_to(value));
            let row = SortedRow { key, value, old_value: Bytes::new(), start_ts, commit_ts: ORDINAL };
            match logs.iter_mut().rev().find(|(known, _)| *known == log) {
                Some((_, rows)) => rows.push(row),
                None => logs.push((log, vec![row])),
            }
        }
        for (log, rows) in logs {
            self.sorter.push(table(log), rows)?;
        }
        Ok(())
    }
}

/// The table of a log.
fn table(log: LogId) -> i64 {
    i64::try_from(log.number()).unwrap_or(i64::MAX)
}

/// Bytes that a row takes in memory of a log.
fn encoded_len(row: &Row) -> usize {
    VALUE_HEADER + 12 + row.key.len() + row.value.len() + row.old_value.len()
}

/// Appends a row; returns the lengths of its key and value. Lengths fit: a gRPC message cannot carry 4 GiB.
fn encode(order: u64, row: &Row, to: &mut Vec<u8>) -> (usize, usize) {
    let start = to.len();
    to.reserve(encoded_len(row));
    to.extend_from_slice(&(row.key.len() as u32).to_be_bytes());
    to.extend_from_slice(&row.key);
    to.extend_from_slice(&order.to_be_bytes());
    let middle = to.len();
    to.push(row.r#type as u8);
    to.extend_from_slice(&row.op_type.to_le_bytes());
    to.extend_from_slice(&row.commit_ts.to_le_bytes());
    to.extend_from_slice(&row.generation.to_le_bytes());
    to.extend_from_slice(&(row.value.len() as u32).to_le_bytes());
    to.extend_from_slice(&row.value);
    to.extend_from_slice(&row.old_value);
    (middle - start, to.len() - middle)
}

/// Reads a row back, with its order.
fn decode(sorted: SortedRow) -> Result<(u64, Row), SpoolError> {
    let damaged = |reason| SpoolError::Damaged { reason };
    let SortedRow { mut key, mut value, start_ts, .. } = sorted;
    if key.len() < 12 || value.len() < VALUE_HEADER {
        return Err(damaged("it is too short"));
    }
    let key_len = key.get_u32() as usize;
    if key.len() != key_len.saturating_add(8) {
        return Err(damaged("its key has the wrong length"));
    }
    let row_key = key.split_to(key_len);
    let order = key.get_u64();
    let kind = i32::from(value.get_u8());
    let op_type = value.get_i32_le();
    let (commit_ts, generation) = (value.get_u64_le(), value.get_u64_le());
    let value_len = value.get_u32_le() as usize;
    if value_len > value.len() {
        return Err(damaged("its value has the wrong length"));
    }
    let new_value = value.split_to(value_len);
    let row = Row {
        start_ts,
        commit_ts,
        r#type: kind,
        op_type,
        key: row_key,
        value: new_value,
        old_value: value,
        generation,
        ..Row::default()
    };
    match LogType::try_from(kind) {
        Ok(LogType::Prewrite | LogType::Commit | LogType::Rollback) => Ok((order, row)),
        _ => Err(damaged("its type is not known")),
    }
}

/// Why a join failed.
#[derive(Clone, Debug)]
pub(crate) enum JoinFailure {
    /// The rows do not fit together.
    Match(MatchError),
    /// The rows are lost.
    Spool(SpoolError),
    /// Nobody waits for the rows any more.
    Cancelled,
}

impl From<SpoolError> for JoinFailure {
    fn from(error: SpoolError) -> Self {
        Self::Spool(error)
    }
}

impl From<SorterError> for JoinFailure {
    fn from(error: SorterError) -> Self {
        Self::Spool(error.into())
    }
}

/// What a join tells.
#[derive(Debug)]
pub(crate) enum JoinEvent {
    /// Complete changes.
    Rows(Vec<RowChange>),
    /// The end: whether locks are left, or why it failed.
    Done(Result<bool, JoinFailure>),
}

/// Joins a log, telling what comes out; the sealed log is removed. Blocks: for threads that may.
pub(crate) fn join(spool: &PrewriteSpool, join: Join, runtime: &Handle, events: &mpsc::Sender<JoinEvent>) {
    let outcome = join_log(spool, join, runtime, |rows| {
        events.blocking_send(JoinEvent::Rows(rows)).map_err(|_| JoinFailure::Cancelled)
    });
    spool.remove(join.sealed);
    // If nobody waits, nobody has to be told.
    let _gone = events.blocking_send(JoinEvent::Done(outcome));
}

/// Body of [`join`]: true if locks are left.
fn join_log(
    spool: &PrewriteSpool,
    join: Join,
    runtime: &Handle,
    mut deliver: impl FnMut(Vec<RowChange>) -> Result<(), JoinFailure>,
) -> Result<bool, JoinFailure> {
    let sealed = table(join.sealed);
    spool.sorter.resolve(sealed, ORDINAL)?;
    let mut replay = Replay::new(join);
    let mut any_left = false;
    loop {
        let batch = spool.sorter.fetch(sealed, ORDINAL, JOIN_BATCH)?;
        let (mut rows, mut left) = (Vec::new(), Vec::new());
        for sorted in batch.rows {
            let (order, row) = decode(sorted)?;
            replay.take(order, row, &mut rows, &mut left).map_err(JoinFailure::Match)?;
        }
        if batch.exhausted {
            replay.finish(&mut rows, &mut left).map_err(JoinFailure::Match)?;
        }
        if !rows.is_empty() {
            deliver(rows)?;
        }
        if !left.is_empty() {
            any_left = true;
            runtime.block_on(spool.until_writable())?;
            spool.append(left)?;
        }
        if batch.exhausted {
            return Ok(any_left);
        }
    }
}

#[cfg(test)]
mod tests;
