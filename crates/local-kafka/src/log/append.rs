//! Appending batches: sequence check, offsets, one vectored write, then the readers are told.

use std::fs::{self, File};
use std::io::{self, IoSlice, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use tokio::sync::oneshot;
use tracing::{error, warn};

use super::open::load;
use super::partition::{PartitionLog, Writer};
use super::producers::{Sequence, SequenceError};
use super::seal;
use super::segment::Segment;
use crate::batch::{BatchHeader, REWRITTEN_LEN, rewritten_prefix};
use crate::limits::MAX_IO_SLICES;
use crate::platform;

/// The leader epoch of every batch: a single node never changes its leader.
pub(crate) const LEADER_EPOCH: i32 = 0;

/// A batch was stored, or recognised as stored before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Appended {
    /// Offset of its first record.
    pub(crate) base_offset: i64,
    /// First visible offset of the partition.
    pub(crate) log_start: i64,
}

/// Why a batch was not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AppendError {
    /// The topic was deleted, or the broker stops.
    #[error("the partition is closed")]
    Closed,
    /// The file system failed; details are in the log output.
    #[error("the record batch could not be written")]
    Storage,
    /// The epoch of the producer is older than one seen before.
    #[error("the producer epoch is stale")]
    StaleEpoch,
    /// Batches of the producer are missing.
    #[error("the sequence number of the batch leaves a gap")]
    OutOfOrder,
    /// Stored before, too long ago to tell the offset.
    #[error("the batch was stored before")]
    Duplicate,
}

impl From<SequenceError> for AppendError {
    fn from(e: SequenceError) -> Self {
        match e {
            SequenceError::StaleEpoch => Self::StaleEpoch,
            SequenceError::OutOfOrder => Self::OutOfOrder,
            SequenceError::Duplicate => Self::Duplicate,
        }
    }
}

/// Where the outcome of an append goes.
pub(super) type Reply = oneshot::Sender<Result<Appended, AppendError>>;

/// One checked batch on its way into the log.
#[derive(Debug)]
pub(super) struct AppendJob {
    /// The batch as received.
    pub(super) batch: Bytes,
    /// Its header.
    pub(super) header: BatchHeader,
    /// Where the outcome goes.
    pub(super) reply: Reply,
}

/// Outcomes and files of one round of appends.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// Outcomes to be told once the files are as durable as the policy asks for.
    pub(super) outcomes: Vec<(Reply, Result<Appended, AppendError>)>,
    /// Files which were written.
    pub(super) written: Vec<Arc<File>>,
}

/// A batch with its offset, not yet written.
struct Staged {
    /// The job.
    job: AppendJob,
    /// Base offset, length and leader epoch as they go to disk.
    prefix: [u8; REWRITTEN_LEN],
}

impl PartitionLog {
    /// Appends `jobs` in order. Runs on the I/O thread of the partition.
    pub(super) fn append(&self, jobs: Vec<AppendJob>, round: &mut Round) {
        let mut writer = self.writer.lock();
        if self.state.read().closed {
            refuse(jobs, AppendError::Closed, round);
            return;
        }
        if writer.stale
            && let Err(e) = self.reload(&mut writer)
        {
            error!(partition = %self.id, error = %e, "the partition stays offline");
            refuse(jobs, AppendError::Storage, round);
            return;
        }
        let segment_bytes = u64::try_from(self.config().segment_bytes).unwrap_or(u64::MAX);
        let (mut next, mut size) = self.tail();
        let mut staged: Vec<Staged> = Vec::new();
        for mut job in jobs {
            match writer.producers.check(&job.header) {
                Err(e) => round.outcomes.push((job.reply, Err(e.into()))),
                Ok(Sequence::Repeated(base_offset)) => {
                    // An earlier copy may still be staged: its outcome decides over this one too.
                    self.write_staged(&mut writer, &mut staged, round);
                    let outcome = if writer.stale {
                        Err(AppendError::Storage)
                    } else {
                        Ok(self.appended_at(base_offset))
                    };
                    round.outcomes.push((job.reply, outcome));
                }
                Ok(Sequence::Next) => {
                    if size > 0 && size + job.header.size as u64 > segment_bytes {
                        self.write_staged(&mut writer, &mut staged, round);
                        self.roll(&mut writer, next, round);
                        size = 0;
                    }
                    job.header.base_offset = next;
                    next = job.header.next_offset();
                    size += job.header.size as u64;
                    writer.producers.record(&job.header);
                    let prefix = rewritten_prefix(&job.header, job.header.base_offset, LEADER_EPOCH);
                    staged.push(Staged { job, prefix });
                }
            }
        }
        self.write_staged(&mut writer, &mut staged, round);
    }

    /// Offset behind the last record and size of the segment being written.
    fn tail(&self) -> (i64, u64) {
        let state = self.state.read();
        (state.end(), state.segments.last().map_or(0, |s| s.size))
    }

    /// The outcome of a stored batch.
    fn appended_at(&self, base_offset: i64) -> Appended {
        Appended { base_offset, log_start: self.state.read().log_start }
    }

    /// Writes what is staged and tells the readers. After a failure the writer is stale and everything is refused.
    fn write_staged(&self, writer: &mut Writer, staged: &mut Vec<Staged>, round: &mut Round) {
        if staged.is_empty() {
            return;
        }
        let written =
            if writer.stale { Err(io::Error::other("an earlier write failed")) } else { self.write(staged) };
        match written {
            Ok(file) => {
                self.publish(staged);
                for Staged { job, .. } in staged.drain(..) {
                    let outcome = Ok(self.appended_at(job.header.base_offset));
                    round.outcomes.push((job.reply, outcome));
                }
                if !round.written.iter().any(|f| Arc::ptr_eq(f, &file)) {
                    round.written.push(file);
                }
            }
            Err(e) => {
                error!(partition = %self.id, error = %e, "cannot append");
                writer.stale = true;
                refuse(staged.drain(..).map(|s| s.job), AppendError::Storage, round);
            }
        }
    }

    /// Writes the staged batches behind the last one.
    fn write(&self, staged: &[Staged]) -> io::Result<Arc<File>> {
        let file = self.active_file()?;
        let mut slices: Vec<IoSlice<'_>> = Vec::with_capacity(MAX_IO_SLICES.min(staged.len() * 2));
        for chunk in staged.chunks(MAX_IO_SLICES / 2) {
            slices.clear();
            for s in chunk {
                slices.push(IoSlice::new(&s.prefix));
                slices.push(IoSlice::new(s.job.batch.get(REWRITTEN_LEN..).unwrap_or_default()));
            }
            write_all_vectored(&file, &mut slices)?;
        }
        Ok(file)
    }

    /// Makes written batches visible.
    fn publish(&self, staged: &[Staged]) {
        let mut bytes = 0;
        {
            let mut state = self.state.write();
            if let Some(segment) = state.segments.last_mut() {
                for s in staged {
                    segment.note(&s.job.header);
                    bytes += s.job.header.size as u64;
                }
            }
        }
        self.appended.fetch_add(bytes, Ordering::Release);
        self.waiters.ring();
    }

    /// The file being written, positioned at its end; opened, and created with its directory, when needed.
    pub(super) fn active_file(&self) -> io::Result<Arc<File>> {
        let (segment, existing) = {
            let state = self.state.read();
            match state.segments.last() {
                Some(Segment { file: Some(file), .. }) => return Ok(Arc::clone(file)),
                Some(segment) => (segment.clone(), true),
                None => (Segment::new(&self.dir, state.log_start), false),
            }
        };
        let fresh = !segment.path.exists();
        if fresh {
            fs::create_dir_all(&self.dir)?;
        }
        let mut file =
            File::options().read(true).write(true).create(true).truncate(false).open(&segment.path)?;
        file.set_len(segment.size)?;
        file.seek(SeekFrom::Start(segment.size))?;
        if fresh {
            // The directory itself, that of the topic, and that of all topics.
            for dir in self.dir.ancestors().take(3) {
                platform::sync_dir(dir)?;
            }
        }
        let file = Arc::new(file);
        let mut state = self.state.write();
        if !existing {
            state.segments.push(segment);
        }
        if let Some(active) = state.segments.last_mut() {
            active.file = Some(Arc::clone(&file));
        }
        Ok(file)
    }

    /// Completes the segment being written and starts the next one at `base_offset`.
    pub(super) fn roll(&self, writer: &mut Writer, base_offset: i64, round: &mut Round) {
        if writer.stale {
            return;
        }
        let complete = self.state.read().segments.last().cloned();
        let Some(complete) = complete else { return };
        if let Err(e) = seal::write(&complete, &writer.producers) {
            warn!(partition = %self.id, error = %e, "cannot seal a segment; it will be scanned on the next start");
        }
        if let Some(file) = &complete.file
            && !round.written.iter().any(|f| Arc::ptr_eq(f, file))
        {
            round.written.push(Arc::clone(file));
        }
        let mut state = self.state.write();
        if let Some(last) = state.segments.last_mut() {
            last.file = None;
        }
        state.segments.push(Segment::new(&self.dir, base_offset));
    }

    /// Reads the files again after a failed write, without what the failed write left behind.
    fn reload(&self, writer: &mut Writer) -> io::Result<()> {
        let (path, size) = {
            let mut state = self.state.write();
            let Some(active) = state.segments.last_mut() else {
                writer.stale = false;
                return Ok(());
            };
            active.file = None;
            (active.path.clone(), active.size)
        };
        match File::options().write(true).open(&path) {
            Ok(file) => file.set_len(size)?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        let loaded = load(&self.dir, &self.id)?;
        let mut state = self.state.write();
        if !loaded.segments.is_empty() {
            state.segments = loaded.segments;
        }
        writer.producers = loaded.producers;
        writer.stale = false;
        Ok(())
    }
}

/// Gives every job the same negative outcome.
fn refuse(jobs: impl IntoIterator<Item = AppendJob>, error: AppendError, round: &mut Round) {
    round.outcomes.extend(jobs.into_iter().map(|job| (job.reply, Err(error))));
}

/// Writes all bytes of `slices` at the cursor of the file.
fn write_all_vectored(mut file: &File, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
    while !slices.is_empty() {
        match file.write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => IoSlice::advance_slices(&mut slices, n),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
