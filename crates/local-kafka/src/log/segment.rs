//! One segment file: its place in the log and its sparse index.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::batch::{BatchHeader, HEADER_LEN};
use crate::limits::{INDEX_INTERVAL_BYTES, SCAN_CHUNK_BYTES};
use crate::platform::read_at;

/// One entry of the sparse index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IndexEntry {
    /// Base offset of a batch.
    pub(super) offset: i64,
    /// Its position in the file.
    pub(super) position: u64,
    /// Largest timestamp of all batches before it in this segment (`i64::MIN` for the first).
    pub(super) newest_before: i64,
}

/// A segment file and what is known about its content.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    /// The file.
    pub(super) path: PathBuf,
    /// First offset it may hold; part of its name.
    pub(super) base_offset: i64,
    /// Offset behind its last record.
    pub(super) end_offset: i64,
    /// Bytes of intact batches.
    pub(super) size: u64,
    /// Largest timestamp of its records, `i64::MIN` if it is empty.
    pub(super) max_timestamp: i64,
    /// Last offset of the batch with that timestamp.
    pub(super) max_timestamp_offset: i64,
    /// Sparse index, by offset and position.
    pub(super) index: Vec<IndexEntry>,
    /// The open file; only the segment being written keeps one.
    pub(super) file: Option<Arc<File>>,
}

/// Name of the segment file which starts at `base_offset`.
pub(super) fn file_name(base_offset: i64) -> String {
    format!("{base_offset:020}.log")
}

impl Segment {
    /// An empty segment.
    pub(super) fn new(dir: &Path, base_offset: i64) -> Self {
        Self {
            path: dir.join(file_name(base_offset)),
            base_offset,
            end_offset: base_offset,
            size: 0,
            max_timestamp: i64::MIN,
            max_timestamp_offset: -1,
            index: Vec::new(),
            file: None,
        }
    }

    /// Takes note of a batch written at the end of the file; `header` has its final base offset.
    pub(super) fn note(&mut self, header: &BatchHeader) {
        let due = self.index.last().is_none_or(|last| self.size - last.position >= INDEX_INTERVAL_BYTES);
        if due {
            self.index.push(IndexEntry {
                offset: header.base_offset,
                position: self.size,
                newest_before: self.max_timestamp,
            });
        }
        if header.max_timestamp > self.max_timestamp {
            self.max_timestamp = header.max_timestamp;
            self.max_timestamp_offset = header.last_offset();
        }
        self.size += header.size as u64;
        self.end_offset = header.next_offset();
    }

    /// Position of an indexed batch at or before the one which holds `offset`.
    pub(super) fn position_before(&self, offset: i64) -> u64 {
        let behind = self.index.partition_point(|e| e.offset <= offset);
        behind.checked_sub(1).and_then(|i| self.index.get(i)).map_or(0, |e| e.position)
    }

    /// Position of an indexed batch at or before the first one with a record of at least `timestamp`.
    pub(super) fn position_before_time(&self, timestamp: i64) -> u64 {
        let behind = self.index.partition_point(|e| e.newest_before < timestamp);
        behind.checked_sub(1).and_then(|i| self.index.get(i)).map_or(0, |e| e.position)
    }
}

/// Walks over the batches of a segment file from `position` to `end`; `visit` gets each header with its position and,
/// if `whole` is set, its bytes, and returns whether to go on.
///
/// Returns the position behind the last intact batch visited. Stops silently at bytes which are no batch.
pub(super) fn walk(
    file: &File,
    position: u64,
    end: u64,
    whole: bool,
    mut visit: impl FnMut(u64, &BatchHeader, &[u8]) -> bool,
) -> io::Result<u64> {
    let mut buffer: Vec<u8> = Vec::new();
    let mut buffer_at = position;
    let mut at = position;
    loop {
        let wanted = if whole { SCAN_CHUNK_BYTES } else { HEADER_LEN };
        if !fill(file, &mut buffer, &mut buffer_at, at, HEADER_LEN, wanted, end)? {
            return Ok(at);
        }
        let start = usize::try_from(at - buffer_at).unwrap_or(usize::MAX);
        let Some(Ok(header)) = buffer.get(start..).map(BatchHeader::parse) else { return Ok(at) };
        if at + header.size as u64 > end {
            return Ok(at);
        }
        let needed = if whole { header.size } else { HEADER_LEN };
        if !fill(file, &mut buffer, &mut buffer_at, at, needed, needed, end)? {
            return Ok(at);
        }
        let start = usize::try_from(at - buffer_at).unwrap_or(usize::MAX);
        let bytes = buffer.get(start..).and_then(|b| b.get(..needed)).unwrap_or_default();
        if !visit(at, &header, bytes) {
            return Ok(at);
        }
        at += header.size as u64;
    }
}

/// Makes `buffer` hold at least `needed` bytes from file position `at` on, reading up to `wanted`.
/// Returns false if there are fewer before `end`.
fn fill(
    file: &File,
    buffer: &mut Vec<u8>,
    buffer_at: &mut u64,
    at: u64,
    needed: usize,
    wanted: usize,
    end: u64,
) -> io::Result<bool> {
    let available = end.saturating_sub(at);
    if available < needed as u64 {
        return Ok(false);
    }
    if at >= *buffer_at && at + needed as u64 <= *buffer_at + buffer.len() as u64 {
        return Ok(true);
    }
    let length =
        usize::try_from(available).unwrap_or(usize::MAX).min(wanted.max(needed).max(SCAN_CHUNK_BYTES / 8));
    buffer.resize(length, 0);
    *buffer_at = at;
    let read = read_at(file, buffer, at)?;
    buffer.truncate(read);
    Ok(read >= needed)
}
