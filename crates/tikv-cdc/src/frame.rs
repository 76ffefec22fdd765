//! Frames of the change stream, charged to the memory quota from the moment they arrive.
//!
//! A frame (up to several MiB) is one allocation; the rows decoded from it are slices. One small row that is kept keeps
//! the whole frame, so it is the frame that is charged, until its last row is gone. Rows that may be kept long because
//! they wait for others (prewrites for their commit, commits for the end of the scan) are therefore copied out of the
//! frame ([`detach_waiting`]) and charged as prewrites. So the rest of a frame is soon free, and a stream that is not
//! read because frames fill the memory cannot be what those rows wait for.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use event_sorter::{MemoryQuota, Stage};
use prost::Message;
use tikv_proto::cdcpb::event::{LogType, Row};
use tikv_proto::cdcpb::{ChangeDataEvent, ChangeDataRequest};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// One message of a store.
#[derive(Debug)]
pub(crate) struct Frame {
    /// Its content; rows are slices of the received bytes.
    pub(crate) event: ChangeDataEvent,
    /// Its size on the wire.
    pub(crate) bytes: usize,
}

/// Encodes requests and decodes frames.
pub(crate) struct FrameCodec {
    /// What frames are charged to.
    pub(crate) quota: Arc<MemoryQuota>,
}

impl Codec for FrameCodec {
    type Encode = ChangeDataRequest;
    type Decode = Frame;
    type Encoder = RequestEncoder;
    type Decoder = FrameDecoder;

    fn encoder(&mut self) -> RequestEncoder {
        RequestEncoder
    }

    fn decoder(&mut self) -> FrameDecoder {
        FrameDecoder { quota: Arc::clone(&self.quota) }
    }
}

/// Encodes requests.
pub(crate) struct RequestEncoder;

impl Encoder for RequestEncoder {
    type Item = ChangeDataRequest;
    type Error = Status;

    fn encode(&mut self, item: ChangeDataRequest, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(buffer).map_err(|error| Status::internal(format!("unencodable request: {error}")))
    }
}

/// Decodes frames.
pub(crate) struct FrameDecoder {
    /// What frames are charged to.
    quota: Arc<MemoryQuota>,
}

impl Decoder for FrameDecoder {
    type Item = Frame;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Frame>, Status> {
        let received = buffer.copy_to_bytes(buffer.remaining());
        let bytes = received.len();
        let event = ChangeDataEvent::decode(self.quota.own(Stage::Frames, received))
            .map_err(|error| Status::internal(format!("undecodable change event: {error}")))?;
        Ok(Some(Frame { event, bytes }))
    }
}

/// Copies the rows of an event that will wait for others in memory into one allocation of their own: prewrites, and
/// while the scan runs commits and roll-backs; those of transactions that are `spilled` (by start ts) wait elsewhere.
pub(crate) fn detach_waiting(
    rows: &mut [Row],
    initialized: bool,
    quota: &Arc<MemoryQuota>,
    spilled: impl Fn(u64) -> bool,
) {
    let waits = |row: &Row| match LogType::try_from(row.r#type) {
        Ok(LogType::Prewrite) => !spilled(row.start_ts),
        Ok(LogType::Commit | LogType::Rollback) => !initialized && !spilled(row.start_ts),
        _ => false,
    };
    let size = rows.iter().filter(|row| waits(row)).map(payload).sum();
    if size == 0 {
        return;
    }
    let mut copy = Vec::with_capacity(size);
    for row in rows.iter().filter(|row| waits(row)) {
        copy.extend_from_slice(&row.key);
        copy.extend_from_slice(&row.value);
        copy.extend_from_slice(&row.old_value);
    }
    let mut copy: Bytes = quota.own(Stage::Prewrites, copy);
    for row in rows.iter_mut().filter(|row| waits(row)) {
        row.key = copy.split_to(row.key.len());
        row.value = copy.split_to(row.value.len());
        row.old_value = copy.split_to(row.old_value.len());
    }
}

/// Bytes of key and values.
fn payload(row: &Row) -> usize {
    row.key.len() + row.value.len() + row.old_value.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_wait_leave_their_frame_and_keep_only_themselves_in_memory() {
        for (initialized, kept) in [(true, 60), (false, 90)] {
            let quota = MemoryQuota::new(1 << 20);
            let frame = quota.own(Stage::Frames, vec![3_u8; 100_000]);
            let row = |kind: LogType, at: usize| Row {
                r#type: kind as i32,
                key: frame.slice(at..at + 10),
                value: frame.slice(at + 10..at + 30),
                ..Row::default()
            };
            let mut rows = vec![
                row(LogType::Prewrite, 0),
                row(LogType::Commit, 50),
                row(LogType::Committed, 500),
                row(LogType::Prewrite, 90),
            ];
            let before = rows.clone();
            detach_waiting(&mut rows, initialized, &quota, |_| false);
            assert_eq!(rows, before);
            drop((frame, before));
            assert_eq!((quota.used_by(Stage::Frames), quota.used_by(Stage::Prewrites)), (100_000, kept));
            rows.remove(2);
            if initialized {
                rows.remove(1);
            }
            assert_eq!((quota.used_by(Stage::Frames), quota.used_by(Stage::Prewrites)), (0, kept));
            drop(rows);
            assert_eq!(quota.used(), 0);
        }
    }
}
