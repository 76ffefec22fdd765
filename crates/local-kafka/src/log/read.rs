//! Reading: by offset for fetches, by time for offset queries. Blocks on files: not for async tasks.

use std::fs::File;
use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tracing::error;

use super::partition::PartitionLog;
use super::segment::{Segment, walk};
use crate::batch::{BatchHeader, find_by_timestamp};
use crate::platform::read_at;

/// Whole batches read from a partition.
#[derive(Debug)]
pub(crate) struct ReadRecords {
    /// The batches, as stored.
    pub(crate) records: Bytes,
    /// Whether more records follow.
    pub(crate) more: bool,
}

/// Why nothing could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReadError {
    /// The offset is before the first or behind the last record.
    #[error("the offset is out of range")]
    OutOfRange,
    /// The topic was deleted.
    #[error("the partition is closed")]
    Closed,
    /// The file system failed; details are in the log output.
    #[error("the records could not be read")]
    Storage,
}

/// A part of a segment file, independent of later changes to the partition.
struct Span {
    /// The open file, or the path to open.
    file: Result<Arc<File>, std::path::PathBuf>,
    /// An indexed position.
    position: u64,
    /// End of the intact batches.
    end: u64,
    /// Offset behind the last record of the segment.
    end_offset: i64,
}

impl Span {
    /// The part of `segment` from `position` on.
    fn of(segment: &Segment, position: u64) -> Self {
        Self {
            file: segment.file.clone().ok_or_else(|| segment.path.clone()),
            position,
            end: segment.size,
            end_offset: segment.end_offset,
        }
    }

    /// The open file.
    fn open(&self) -> io::Result<Arc<File>> {
        match &self.file {
            Ok(file) => Ok(Arc::clone(file)),
            Err(path) => File::open(path).map(Arc::new),
        }
    }
}

impl PartitionLog {
    /// Reads whole batches from the one which holds `offset` on, up to `max_bytes`; with `at_least_one` the first
    /// batch is returned even if it is larger.
    pub(crate) fn read(
        &self,
        offset: i64,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Result<ReadRecords, ReadError> {
        let Some((span, end)) = self.locate(offset)? else {
            return Ok(ReadRecords { records: Bytes::new(), more: false });
        };
        match read_span(&span, offset, max_bytes, at_least_one) {
            Ok((records, to_span_end)) => {
                let more = !to_span_end || span.end_offset < end;
                Ok(ReadRecords { records, more })
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(ReadError::OutOfRange),
            Err(e) => {
                error!(partition = %self.id, offset, error = %e, "cannot read");
                Err(ReadError::Storage)
            }
        }
    }

    /// The part of a file where `offset` is found, and the end of the log; `None` at the end of the log.
    fn locate(&self, offset: i64) -> Result<Option<(Span, i64)>, ReadError> {
        let state = self.state.read();
        if state.closed {
            return Err(ReadError::Closed);
        }
        let end = state.end();
        if offset < state.log_start || offset > end {
            return Err(ReadError::OutOfRange);
        }
        let behind = state.segments.partition_point(|s| s.end_offset <= offset);
        Ok(state.segments.get(behind).map(|s| (Span::of(s, s.position_before(offset)), end)))
    }

    /// Offset and timestamp of the first record with a timestamp of at least `timestamp`; exact for uncompressed
    /// batches, otherwise the start of the batch.
    pub(crate) fn offset_at_time(&self, timestamp: i64) -> Result<Option<(i64, i64)>, ReadError> {
        let (spans, log_start) = {
            let state = self.state.read();
            if state.closed {
                return Err(ReadError::Closed);
            }
            let newer = state.segments.iter().filter(|s| s.max_timestamp >= timestamp);
            let spans: Vec<Span> = newer.map(|s| Span::of(s, s.position_before_time(timestamp))).collect();
            (spans, state.log_start)
        };
        for span in spans {
            let mut found = None;
            let walked = span.open().and_then(|file| {
                walk(&file, span.position, span.end, true, |_, header, bytes| {
                    if header.last_offset() >= log_start {
                        found = find_by_timestamp(header, bytes, timestamp);
                    }
                    found.is_none()
                })
            });
            match walked {
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(e) => {
                    error!(partition = %self.id, timestamp, error = %e, "cannot search by time");
                    return Err(ReadError::Storage);
                }
            }
            if let Some((offset, at)) = found {
                return Ok(Some((offset.max(log_start), at)));
            }
        }
        Ok(None)
    }

    /// Offset and value of the largest timestamp; the last record of its batch.
    pub(crate) fn newest_timestamp(&self) -> Option<(i64, i64)> {
        let state = self.state.read();
        let newest = state.segments.iter().filter(|s| s.size > 0).max_by_key(|s| s.max_timestamp)?;
        Some((newest.max_timestamp_offset, newest.max_timestamp))
    }
}

/// Reads batches of one segment; also tells whether they reach to its end.
fn read_span(span: &Span, offset: i64, max_bytes: usize, at_least_one: bool) -> io::Result<(Bytes, bool)> {
    let file = span.open()?;
    let mut first = None;
    walk(&file, span.position, span.end, false, |position, header, _| {
        if header.last_offset() >= offset {
            first = Some((position, header.size));
        }
        first.is_none()
    })?;
    let Some((position, first_size)) = first else { return Ok((Bytes::new(), true)) };
    let available = usize::try_from(span.end - position).unwrap_or(usize::MAX);
    let mut length = available.min(max_bytes);
    if first_size > length {
        if !at_least_one {
            return Ok((Bytes::new(), false));
        }
        length = first_size.min(available);
    }
    let mut buffer = BytesMut::zeroed(length);
    let read = read_at(&file, &mut buffer, position)?;
    buffer.truncate(read);
    let whole = whole_batches(&buffer);
    buffer.truncate(whole);
    Ok((buffer.freeze(), whole == available))
}

/// Length of the whole batches at the start of `bytes`.
fn whole_batches(bytes: &[u8]) -> usize {
    let mut end = 0;
    while let Some(Ok(header)) = bytes.get(end..).map(BatchHeader::parse) {
        match end.checked_add(header.size) {
            Some(next) if next <= bytes.len() => end = next,
            _ => break,
        }
    }
    end
}
