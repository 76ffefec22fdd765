//! Sorted runs: in memory while they are being written, on disk afterwards.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use crate::account::Held;
use crate::block::{self, HEADER, Sealer};
use crate::error::SorterError;
use crate::files::SpillFile;
use crate::quota::{MemoryQuota, Stage};
use crate::row::{OwnedPosition, Position, SortedRow};
use crate::segment::Segment;

/// Raw bytes after which a block is sealed. A larger row gets a block of its own.
const BLOCK_BYTES: usize = 64 << 10;
/// Bytes that are collected before they are handed to the system.
const WRITE_BYTES: usize = 1 << 20;

/// Where a block is and which rows it holds.
#[derive(Clone, Copy, Debug)]
struct BlockEntry {
    /// Offset in the file.
    offset: u64,
    /// Stored length with its header.
    length: u32,
    /// Ordinal of its first row in the run.
    first: usize,
}

/// A run on disk. Its index lives in memory: the file is useless after a restart anyway.
pub(crate) struct DiskRun {
    /// The file, shared with other runs.
    file: Arc<SpillFile>,
    /// Blocks in order.
    blocks: Vec<BlockEntry>,
    /// Rows in the run.
    rows: usize,
}

/// Writes runs to one file. Rows are copied once, into the bytes that are handed to the system.
pub(crate) struct RunWriter {
    /// The file, as readers know it.
    spill: Arc<SpillFile>,
    /// The file, as it is written.
    file: File,
    /// Bytes that were not handed to the system.
    pending: Vec<u8>,
    /// Length of the file with them.
    length: u64,
    /// Compresses blocks.
    sealer: Sealer,
}

impl RunWriter {
    /// A writer of an empty file.
    pub(crate) fn new(spill: Arc<SpillFile>, file: File) -> Self {
        let pending = Vec::with_capacity(WRITE_BYTES + 2 * BLOCK_BYTES);
        Self { spill, file, pending, length: 0, sealer: Sealer::default() }
    }

    /// Length of the file, with what was not flushed.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Appends the rows of a segment. They can be read after the next flush.
    pub(crate) fn write(&mut self, segment: &Segment) -> Result<DiskRun, SorterError> {
        let mut run = DiskRun { file: Arc::clone(&self.spill), blocks: Vec::new(), rows: 0 };
        while segment.get(run.rows).is_some() {
            let (start, first) = (Sealer::begin(&mut self.pending), run.rows);
            while let Some(row) = segment.get(run.rows)
                && self.pending.len() - start < HEADER + BLOCK_BYTES
            {
                block::append_row(row, &mut self.pending);
                run.rows += 1;
            }
            let length = self.sealer.seal(&mut self.pending, start);
            run.blocks.push(BlockEntry { offset: self.length, length: length as u32, first });
            self.length += length as u64;
            self.spill.grew(length as u64);
            if self.pending.len() >= WRITE_BYTES {
                self.flush()?;
            }
        }
        Ok(run)
    }

    /// Hands everything to the system.
    pub(crate) fn flush(&mut self) -> Result<(), SorterError> {
        self.file.write_all(&self.pending).map_err(|error| SorterError::io(self.spill.path(), error))?;
        self.pending.clear();
        Ok(())
    }
}

/// Where the rows of a run are.
enum Place {
    /// In memory, because the spill thread has not finished with it, or failed.
    Memory(Arc<Segment>),
    /// On disk.
    Disk(DiskRun),
}

/// Reads a run from its first row to its last, once.
pub(crate) struct RunCursor {
    /// Identity, by which the spill thread finds it again.
    pub(crate) id: u64,
    /// Where its rows are.
    place: Place,
    /// Ordinal of the next row.
    next: usize,
    /// Rows in the run.
    rows: usize,
    /// Memory that the run counts for while its rows are in memory.
    held: Held,
    /// Decoded rows of the current block, the next one first.
    block: VecDeque<SortedRow>,
    /// For rows on disk: position of the next row or of one before it, valid while `block` is empty.
    bound: OwnedPosition,
    /// Commit ts of the last row.
    last_commit_ts: u64,
}

impl RunCursor {
    /// A cursor over rows in memory; `None` if there are none. Nothing of the segment may have been taken.
    pub(crate) fn new(id: u64, segment: Arc<Segment>, held: Held) -> Option<Self> {
        let bound = OwnedPosition::of(segment.get(0)?.position());
        let last_commit_ts = segment.last_commit_ts()?;
        let rows = segment.len();
        let place = Place::Memory(segment);
        Some(Self { id, place, next: 0, rows, held, block: VecDeque::new(), bound, last_commit_ts })
    }

    /// Replaces the rows in memory by those on disk; returns the memory that this gives back.
    pub(crate) fn written(&mut self, run: DiskRun) -> Held {
        if let Place::Memory(segment) = &self.place
            && let Some(row) = segment.get(self.next)
        {
            self.bound = OwnedPosition::of(row.position());
        }
        self.place = Place::Disk(run);
        std::mem::take(&mut self.held)
    }

    /// Memory that the run counts for.
    pub(crate) fn held(&self) -> Held {
        self.held
    }

    /// Commit ts of the last row.
    pub(crate) fn last_commit_ts(&self) -> u64 {
        self.last_commit_ts
    }

    /// True when no row is left.
    pub(crate) fn is_done(&self) -> bool {
        self.next >= self.rows
    }

    /// True if the rows are in memory.
    pub(crate) fn is_in_memory(&self) -> bool {
        matches!(self.place, Place::Memory(_))
    }

    /// The rows that are left, wherever they are. The cursor stays where it is.
    pub(crate) fn rest(&self, quota: &Arc<MemoryQuota>) -> Result<Vec<SortedRow>, SorterError> {
        match &self.place {
            Place::Memory(segment) => {
                Ok((self.next..self.rows).filter_map(|ordinal| segment.get(ordinal)).cloned().collect())
            }
            Place::Disk(run) => {
                let mut rows = Vec::with_capacity(self.rows - self.next);
                while self.next + rows.len() < self.rows {
                    rows.extend(run.read_from(self.next + rows.len(), quota)?);
                }
                Ok(rows)
            }
        }
    }

    /// Bytes on disk of the whole run; 0 if it is in memory.
    pub(crate) fn stored_bytes(&self) -> u64 {
        match &self.place {
            Place::Memory(_) => 0,
            Place::Disk(run) => run.blocks.iter().map(|block| u64::from(block.length)).sum(),
        }
    }

    /// True if [`load`](Self::load) must be called before [`take`](Self::take); until then
    /// [`position`](Self::position) is only a lower bound.
    pub(crate) fn needs_disk(&self) -> bool {
        !self.is_done() && self.block.is_empty() && matches!(self.place, Place::Disk(_))
    }

    /// Position of the next row, or a lower bound of it if the disk is needed.
    pub(crate) fn position(&self) -> Option<Position<'_>> {
        if self.is_done() {
            return None;
        }
        match &self.place {
            Place::Memory(segment) => segment.get(self.next).map(SortedRow::position),
            Place::Disk(_) => Some(self.block.front().map_or(self.bound.borrow(), SortedRow::position)),
        }
    }

    /// Reads the block with the next row.
    pub(crate) fn load(&mut self, quota: &Arc<MemoryQuota>) -> Result<(), SorterError> {
        if let Place::Disk(run) = &self.place {
            self.block = run.read_from(self.next, quota)?;
        }
        Ok(())
    }

    /// Takes the next row, which must have been loaded.
    pub(crate) fn take(&mut self) -> Option<SortedRow> {
        let row = match &self.place {
            Place::Memory(segment) => segment.get(self.next).cloned(),
            Place::Disk(_) => {
                let row = self.block.pop_front();
                if self.block.is_empty()
                    && let Some(row) = &row
                {
                    self.bound = OwnedPosition::of(row.position());
                }
                row
            }
        }?;
        self.next += 1;
        Some(row)
    }
}

impl DiskRun {
    /// Reads the block that holds the row at `ordinal`, without the rows before it.
    fn read_from(
        &self,
        ordinal: usize,
        quota: &Arc<MemoryQuota>,
    ) -> Result<VecDeque<SortedRow>, SorterError> {
        let at = self.blocks.partition_point(|block| block.first <= ordinal);
        let Some(entry) = at.checked_sub(1).and_then(|at| self.blocks.get(at)) else {
            return Err(SorterError::Corrupt {
                path: self.file.path().to_owned(),
                offset: 0,
                reason: "no block holds the row",
            });
        };
        let stored = self.file.read(entry.offset, entry.length as usize)?;
        let corrupt =
            |reason| SorterError::Corrupt { path: self.file.path().to_owned(), offset: entry.offset, reason };
        let (raw, skip) = block::open(stored).map_err(corrupt)?;
        let raw = quota.own(Stage::Sorter, raw).split_off(skip);
        let mut rows = VecDeque::from(block::rows(raw).map_err(corrupt)?);
        let end = self.blocks.get(at).map_or(self.rows, |block| block.first);
        if rows.len() != end - entry.first {
            return Err(corrupt("wrong number of rows"));
        }
        rows.drain(..ordinal - entry.first);
        if rows.is_empty() {
            return Err(corrupt("no row left in the block"));
        }
        Ok(rows)
    }
}
