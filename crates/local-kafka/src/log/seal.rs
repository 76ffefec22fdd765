//! The seal of a complete segment: index and producer state, kept beside the log so that opening it need not read it.
//!
//! Layout (big endian): magic, CRC-32C of the rest, size, end offset, max timestamp and its offset, the index, the
//! producers. A seal which does not fit its log file is ignored, and written again after a scan.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bytes::{Buf, BufMut};

use super::producers::{Producer, ProducerTable, SentBatch};
use super::segment::{IndexEntry, Segment};

/// First bytes of a seal; the last one counts format versions.
const MAGIC: &[u8; 8] = b"TGSEAL\0\x01";

/// The seal file of a segment file.
pub(super) fn path_of(segment: &Path) -> PathBuf {
    segment.with_extension("seal")
}

/// Writes the seal of `segment` with the producers known at its end.
pub(super) fn write(segment: &Segment, producers: &ProducerTable) -> io::Result<()> {
    let mut body = Vec::with_capacity(64 + segment.index.len() * 24);
    body.put_u64(segment.size);
    body.put_i64(segment.end_offset);
    body.put_i64(segment.max_timestamp);
    body.put_i64(segment.max_timestamp_offset);
    body.put_u32(u32::try_from(segment.index.len()).unwrap_or(u32::MAX));
    for entry in &segment.index {
        body.put_i64(entry.offset);
        body.put_u64(entry.position);
        body.put_i64(entry.newest_before);
    }
    let producers = producers.iter();
    body.put_u32(u32::try_from(producers.len()).unwrap_or(u32::MAX));
    for (id, producer) in producers {
        body.put_i64(id);
        body.put_i16(producer.epoch);
        body.put_i64(producer.last_timestamp);
        body.put_i64(producer.last_offset);
        body.put_u8(u8::try_from(producer.sent.len()).unwrap_or(u8::MAX));
        for sent in &producer.sent {
            body.put_i32(sent.first_sequence);
            body.put_i32(sent.last_sequence);
            body.put_i64(sent.base_offset);
        }
    }
    let mut file = Vec::with_capacity(body.len() + 12);
    file.put_slice(MAGIC);
    file.put_u32(crc32c::crc32c(&body));
    file.put_slice(&body);
    let path = path_of(&segment.path);
    let temporary = path.with_extension("seal.new");
    fs::write(&temporary, file)?;
    fs::rename(temporary, path)
}

/// Fills `segment` from its seal and returns the producers at its end; `None` if there is no seal which fits a log
/// file of `file_size` bytes.
pub(super) fn read(segment: &mut Segment, file_size: u64) -> Option<ProducerTable> {
    let file = fs::read(path_of(&segment.path)).ok()?;
    let mut rest = file.strip_prefix(MAGIC.as_slice())?;
    let crc = rest.try_get_u32().ok()?;
    if crc32c::crc32c(rest) != crc {
        return None;
    }
    let mut sealed = Segment { index: Vec::new(), file: None, ..segment.clone() };
    sealed.size = rest.try_get_u64().ok()?;
    sealed.end_offset = rest.try_get_i64().ok()?;
    sealed.max_timestamp = rest.try_get_i64().ok()?;
    sealed.max_timestamp_offset = rest.try_get_i64().ok()?;
    for _ in 0..rest.try_get_u32().ok()? {
        sealed.index.push(IndexEntry {
            offset: rest.try_get_i64().ok()?,
            position: rest.try_get_u64().ok()?,
            newest_before: rest.try_get_i64().ok()?,
        });
    }
    let producers = read_producers(&mut rest)?;
    if sealed.size != file_size || sealed.end_offset < sealed.base_offset {
        return None;
    }
    *segment = sealed;
    Some(producers)
}

/// Reads the producer part of a seal.
fn read_producers(rest: &mut &[u8]) -> Option<ProducerTable> {
    let mut table = ProducerTable::default();
    for _ in 0..rest.try_get_u32().ok()? {
        let id = rest.try_get_i64().ok()?;
        let mut producer = Producer {
            epoch: rest.try_get_i16().ok()?,
            last_timestamp: rest.try_get_i64().ok()?,
            last_offset: rest.try_get_i64().ok()?,
            sent: VecDeque::new(),
        };
        for _ in 0..rest.try_get_u8().ok()? {
            producer.sent.push_back(SentBatch {
                first_sequence: rest.try_get_i32().ok()?,
                last_sequence: rest.try_get_i32().ok()?,
                base_offset: rest.try_get_i64().ok()?,
            });
        }
        table.restore(id, producer);
    }
    Some(table)
}
