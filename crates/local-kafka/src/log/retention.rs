//! Removing records: on request, by age or size, and with the whole topic. Runs on the I/O thread of the partition.

use std::fs;
use std::io;

use tracing::{info, warn};

use super::append::Round;
use super::open::write_start_offset;
use super::partition::{LogState, PartitionLog};
use super::seal;
use super::segment::Segment;

/// Why records were not deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DeleteError {
    /// The offset is behind the last record.
    #[error("the offset is out of range")]
    OutOfRange,
    /// The topic was deleted, or the broker stops.
    #[error("the partition is closed")]
    Closed,
    /// The file system failed; details are in the log output.
    #[error("the first visible offset could not be stored")]
    Storage,
}

impl PartitionLog {
    /// Makes records before `offset` invisible (-1: all records) and deletes segments which only hold such.
    /// Returns the new first visible offset.
    pub(super) fn delete_records(&self, offset: i64, round: &mut Round) -> Result<i64, DeleteError> {
        let mut writer = self.writer.lock();
        let (end, start) = {
            let state = self.state.read();
            if state.closed {
                return Err(DeleteError::Closed);
            }
            (state.end(), state.log_start)
        };
        let offset = if offset == -1 { end } else { offset };
        if offset < 0 || offset > end {
            return Err(DeleteError::OutOfRange);
        }
        if offset <= start {
            return Ok(start);
        }
        write_start_offset(&self.dir, offset).map_err(|e| {
            warn!(partition = %self.id, error = %e, "cannot store the first visible offset");
            DeleteError::Storage
        })?;
        if offset == end {
            self.roll(&mut writer, end, round);
        }
        let removed = {
            let mut state = self.state.write();
            state.log_start = offset;
            take_front(&mut state, |_, next| next.base_offset <= offset)
        };
        self.remove_files(&removed);
        Ok(offset)
    }

    /// Deletes segments which are older or more than the settings of the topic allow.
    pub(super) fn apply_retention(&self, now_ms: i64, round: &mut Round) {
        let config = self.config();
        if config.retention_ms < 0 && config.retention_bytes < 0 {
            return;
        }
        let mut writer = self.writer.lock();
        let limit = (config.retention_ms >= 0).then(|| now_ms.saturating_sub(config.retention_ms));
        let expired = |s: &Segment| s.size > 0 && limit.is_some_and(|l| s.max_timestamp < l);
        let (end, roll) = {
            let state = self.state.read();
            (state.end(), !state.closed && state.segments.last().is_some_and(expired))
        };
        if roll {
            self.roll(&mut writer, end, round);
            // The empty segment carries the offset on to the next start.
            if let Err(e) = self.active_file() {
                warn!(partition = %self.id, error = %e, "cannot create a segment");
                return;
            }
        }
        let mut excess =
            u64::try_from(config.retention_bytes).ok().map_or(0, |m| self.size().saturating_sub(m));
        let removed = {
            let mut state = self.state.write();
            let removed = take_front(&mut state, |segment, _| {
                let surplus = segment.size > 0 && segment.size <= excess;
                excess -= if surplus { segment.size } else { 0 };
                expired(segment) || surplus
            });
            let first = state.segments.first().map_or(state.log_start, |s| s.base_offset);
            state.log_start = state.log_start.max(first);
            removed
        };
        if !removed.is_empty() {
            info!(partition = %self.id, segments = removed.len(), "retention deleted segments");
            self.remove_files(&removed);
        }
    }

    /// Ends the partition: appends and reads are refused from now on, waiting fetches wake up.
    pub(super) fn close(&self) {
        let _writer = self.writer.lock();
        {
            let mut state = self.state.write();
            state.closed = true;
            state.segments.clear();
        }
        self.waiters.ring();
    }

    /// Deletes the files of `segments`. What remains is found again on the next start and deleted then.
    fn remove_files(&self, segments: &[Segment]) {
        for segment in segments {
            for path in [segment.path.clone(), seal::path_of(&segment.path)] {
                match fs::remove_file(&path) {
                    Err(e) if e.kind() != io::ErrorKind::NotFound => {
                        warn!(partition = %self.id, path = %path.display(), error = %e, "cannot delete");
                    }
                    _ => {}
                }
            }
        }
    }
}

/// Takes segments from the front as long as `expendable` says so, given the segment and its successor. The last one stays.
fn take_front(state: &mut LogState, mut expendable: impl FnMut(&Segment, &Segment) -> bool) -> Vec<Segment> {
    let count =
        state.segments.windows(2).take_while(|w| matches!(w, [s, next] if expendable(s, next))).count();
    state.segments.drain(..count).collect()
}
