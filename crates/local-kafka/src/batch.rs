//! Record batches of format 2: their header, their checksum, and the few record fields a broker needs.
//!
//! Layout (big endian): base offset i64, length i32, partition leader epoch i32, magic i8, CRC-32C u32, attributes i16,
//! last offset delta i32, base timestamp i64, max timestamp i64, producer id i64, producer epoch i16,
//! base sequence i32, record count i32, records. The length counts from the leader epoch on, the checksum covers
//! everything from the attributes on; so base offset and leader epoch can be rewritten without touching it.

use bytes::Buf;
use kafka_protocol::ResponseError;

/// Bytes of a batch header.
pub(crate) const HEADER_LEN: usize = 61;
/// Bytes in front of what the length field counts.
pub(crate) const LENGTH_OFFSET: usize = 12;
/// Bytes of base offset, length and leader epoch: the part a broker rewrites.
pub(crate) const REWRITTEN_LEN: usize = 16;
/// First byte covered by the checksum.
const CRC_START: usize = 21;
/// The only record format served.
const MAGIC: i8 = 2;
/// Attribute bits of the compression codec.
const COMPRESSION_MASK: i16 = 0x07;
/// Highest known compression codec (zstd).
const MAX_COMPRESSION: i16 = 4;
/// Attribute bit: timestamps were set by the broker.
const LOG_APPEND_TIME: i16 = 0x08;
/// Attribute bit: the batch belongs to a transaction.
const TRANSACTIONAL: i16 = 0x10;
/// Attribute bit: the batch holds transaction markers.
const CONTROL: i16 = 0x20;

/// Why bytes are not an acceptable record batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BatchError {
    /// Fewer bytes than the header or the length field asks for.
    #[error("the record batch is incomplete")]
    Incomplete,
    /// A length field which cannot be right.
    #[error("the record batch has an impossible length")]
    Length,
    /// A record format other than 2.
    #[error("record format {0} is not supported, only 2")]
    Magic(i8),
    /// The checksum does not match.
    #[error("the checksum of the record batch is wrong")]
    Crc,
    /// Record count and offset delta contradict each other.
    #[error("the record count of the batch contradicts its offsets")]
    Count,
    /// More than one batch for a partition in one request.
    #[error("a produce request may hold one record batch per partition")]
    SeveralBatches,
    /// An unknown compression codec.
    #[error("compression codec {0} is not known")]
    Compression(i16),
    /// A transactional batch.
    #[error("transactions are not supported")]
    Transactional,
    /// A control batch sent by a client.
    #[error("clients may not send control batches")]
    Control,
    /// Producer id without a valid epoch or sequence.
    #[error("the producer fields of the batch are invalid")]
    Producer,
}

impl BatchError {
    /// The error code told to the producer.
    pub(crate) fn response(self) -> ResponseError {
        match self {
            Self::Incomplete | Self::Length | Self::Crc => ResponseError::CorruptMessage,
            Self::Magic(_) => ResponseError::UnsupportedForMessageFormat,
            Self::Count | Self::SeveralBatches | Self::Control | Self::Producer => {
                ResponseError::InvalidRecord
            }
            Self::Compression(_) => ResponseError::UnsupportedCompressionType,
            Self::Transactional => ResponseError::InvalidTxnState,
        }
    }
}

/// The header of a record batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchHeader {
    /// Offset of the first record.
    pub(crate) base_offset: i64,
    /// Bytes of the whole batch, header included.
    pub(crate) size: usize,
    /// Checksum as stored.
    crc: u32,
    /// Attribute bits.
    attributes: i16,
    /// Offset of the last record relative to the first.
    pub(crate) last_offset_delta: i32,
    /// Timestamp of the first record (milliseconds).
    base_timestamp: i64,
    /// Largest timestamp (milliseconds).
    pub(crate) max_timestamp: i64,
    /// Id of an idempotent producer, or -1.
    pub(crate) producer_id: i64,
    /// Epoch of the producer.
    pub(crate) producer_epoch: i16,
    /// Sequence number of the first record.
    pub(crate) base_sequence: i32,
    /// Records in the batch.
    record_count: i32,
}

impl BatchHeader {
    /// Reads a header; checks only that the fields can be a header of format 2.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        let mut b = bytes.get(..HEADER_LEN).ok_or(BatchError::Incomplete)?;
        let base_offset = b.get_i64();
        let length = b.get_i32();
        let _leader_epoch = b.get_i32();
        let magic = b.get_i8();
        if magic != MAGIC {
            return Err(BatchError::Magic(magic));
        }
        let size = usize::try_from(length).map_err(|_| BatchError::Length)?.saturating_add(LENGTH_OFFSET);
        if size < HEADER_LEN {
            return Err(BatchError::Length);
        }
        Ok(Self {
            base_offset,
            size,
            crc: b.get_u32(),
            attributes: b.get_i16(),
            last_offset_delta: b.get_i32(),
            base_timestamp: b.get_i64(),
            max_timestamp: b.get_i64(),
            producer_id: b.get_i64(),
            producer_epoch: b.get_i16(),
            base_sequence: b.get_i32(),
            record_count: b.get_i32(),
        })
    }

    /// Offset of the last record.
    pub(crate) fn last_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta))
    }

    /// Offset behind the last record.
    pub(crate) fn next_offset(&self) -> i64 {
        self.last_offset().saturating_add(1)
    }

    /// Sequence number of the last record; sequence numbers wrap to 0 behind `i32::MAX`.
    pub(crate) fn last_sequence(&self) -> i32 {
        advance_sequence(self.base_sequence, self.last_offset_delta)
    }

    /// Whether `batch` (exactly `self.size` bytes) has the checksum of this header.
    pub(crate) fn checksum_matches(&self, batch: &[u8]) -> bool {
        batch.get(CRC_START..).is_some_and(|covered| crc32c::crc32c(covered) == self.crc)
    }

    /// Whether the records are compressed.
    fn compressed(&self) -> bool {
        self.attributes & COMPRESSION_MASK != 0
    }
}

/// `sequence` advanced by `by` records.
pub(crate) fn advance_sequence(sequence: i32, by: i32) -> i32 {
    let sum = i64::from(sequence) + i64::from(by);
    let wrapped = if sum > i64::from(i32::MAX) { sum - i64::from(i32::MAX) - 1 } else { sum };
    i32::try_from(wrapped).unwrap_or(0)
}

/// Checks the records of one partition of a produce request: exactly one whole, intact batch.
pub(crate) fn validate_produced(batch: &[u8]) -> Result<BatchHeader, BatchError> {
    let header = BatchHeader::parse(batch)?;
    if batch.len() < header.size {
        return Err(BatchError::Incomplete);
    }
    if batch.len() > header.size {
        return Err(BatchError::SeveralBatches);
    }
    if !header.checksum_matches(batch) {
        return Err(BatchError::Crc);
    }
    if header.record_count < 1 || header.last_offset_delta != header.record_count - 1 {
        return Err(BatchError::Count);
    }
    let compression = header.attributes & COMPRESSION_MASK;
    if compression > MAX_COMPRESSION {
        return Err(BatchError::Compression(compression));
    }
    if header.attributes & CONTROL != 0 {
        return Err(BatchError::Control);
    }
    if header.attributes & TRANSACTIONAL != 0 {
        return Err(BatchError::Transactional);
    }
    if header.producer_id >= 0 && (header.producer_epoch < 0 || header.base_sequence < 0) {
        return Err(BatchError::Producer);
    }
    Ok(header)
}

/// The first bytes of a batch with a new base offset and leader epoch.
pub(crate) fn rewritten_prefix(
    header: &BatchHeader,
    base_offset: i64,
    leader_epoch: i32,
) -> [u8; REWRITTEN_LEN] {
    let length = u32::try_from(header.size - LENGTH_OFFSET).unwrap_or(u32::MAX);
    let mut prefix = [0; REWRITTEN_LEN];
    prefix[..8].copy_from_slice(&base_offset.to_be_bytes());
    prefix[8..12].copy_from_slice(&length.to_be_bytes());
    prefix[12..].copy_from_slice(&leader_epoch.to_be_bytes());
    prefix
}

/// Offset and timestamp of the first record of `batch` with a timestamp of at least `timestamp`.
///
/// Compressed records are not unpacked: such a batch answers with its first record, which may be earlier than asked
/// for but never later. `None` if no record is that new.
pub(crate) fn find_by_timestamp(header: &BatchHeader, batch: &[u8], timestamp: i64) -> Option<(i64, i64)> {
    if header.max_timestamp < timestamp {
        return None;
    }
    if header.attributes & LOG_APPEND_TIME != 0 {
        return Some((header.base_offset, header.max_timestamp));
    }
    if header.compressed() {
        return Some((header.base_offset, header.base_timestamp.max(0)));
    }
    records(header, batch).find(|&(_, at)| at >= timestamp)
}

/// Offsets and timestamps of the records of an uncompressed batch, as far as they can be read.
fn records<'a>(header: &BatchHeader, batch: &'a [u8]) -> impl Iterator<Item = (i64, i64)> + 'a {
    let mut rest = batch.get(HEADER_LEN..).unwrap_or_default();
    let (offset, timestamp) = (header.base_offset, header.base_timestamp);
    std::iter::from_fn(move || {
        let length = usize::try_from(varint(&mut rest)?).ok()?;
        let (mut record, behind) = rest.split_at_checked(length)?;
        rest = behind;
        record = record.get(1..)?;
        let timestamp_delta = varint(&mut record)?;
        let offset_delta = varint(&mut record)?;
        Some((offset.checked_add(offset_delta)?, timestamp.checked_add(timestamp_delta)?))
    })
}

/// Takes a zigzag variable length integer from the front of `bytes`.
fn varint(bytes: &mut &[u8]) -> Option<i64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    None
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
