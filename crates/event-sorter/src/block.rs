//! Blocks of a run: rows with a checksum, compressed together where that makes them smaller.
//!
//! ```text
//! block  := raw length u32 LE | stored length u32 LE | crc32c u32 LE | stored bytes
//!           (lz4 if they are fewer than the raw bytes, those themselves otherwise;
//!           the checksum is over the stored bytes, then the raw length)
//! row    := commit ts u64 LE | start ts u64 LE | key, value, old value lengths u32 LE each | key | value | old value
//! ```

use bytes::{Buf, Bytes};

use crate::row::SortedRow;

/// Bytes in front of the stored bytes of a block.
pub(crate) const HEADER: usize = 12;
/// Bytes in front of the key of a row.
const ROW_HEADER: usize = 28;

/// Appends one row to the raw bytes of a block. Lengths fit: a gRPC message cannot carry 4 GiB.
pub(crate) fn append_row(row: &SortedRow, raw: &mut Vec<u8>) {
    raw.reserve(ROW_HEADER + row.payload());
    raw.extend_from_slice(&row.commit_ts.to_le_bytes());
    raw.extend_from_slice(&row.start_ts.to_le_bytes());
    for part in [&row.key, &row.value, &row.old_value] {
        raw.extend_from_slice(&(part.len() as u32).to_le_bytes());
    }
    for part in [&row.key, &row.value, &row.old_value] {
        raw.extend_from_slice(part);
    }
}

/// Blocks that are stored as they are after one that hardly got smaller, before the next attempt: rows of one table
/// are alike, and an attempt costs more than to write the bytes.
const RAW_AFTER_FAILURE: u32 = 15;
/// An attempt must save at least the raw length divided by this: reading has to decompress, too.
const LEAST_SAVING: usize = 8;

/// Seals blocks where they lie in the buffer that goes to the file.
#[derive(Default)]
pub(crate) struct Sealer {
    /// Blocks left that are stored as they are.
    raw_left: u32,
    /// Where blocks are compressed.
    scratch: Vec<u8>,
}

impl Sealer {
    /// Begins a block at the end of `file`; rows are then appended to it.
    pub(crate) fn begin(file: &mut Vec<u8>) -> usize {
        let start = file.len();
        file.extend_from_slice(&[0; HEADER]);
        start
    }

    /// Ends the block that began at `start` and returns its length with the header.
    pub(crate) fn seal(&mut self, file: &mut Vec<u8>, start: usize) -> usize {
        let body = start + HEADER;
        let raw_len = file.len().saturating_sub(body);
        if self.raw_left > 0 {
            self.raw_left -= 1;
        } else if let Some(raw) = file.get(body..)
            && let Some(compressed) = Self::compress(raw, &mut self.scratch)
        {
            file.truncate(body);
            file.extend_from_slice(compressed);
        } else {
            self.raw_left = RAW_AFTER_FAILURE;
        }
        let crc = checksum(file.get(body..).unwrap_or_default(), raw_len as u32);
        let stored_len = file.len().saturating_sub(body);
        let header = [raw_len as u32, stored_len as u32, crc];
        if let Some(place) = file.get_mut(start..body) {
            for (place, number) in place.chunks_exact_mut(4).zip(header) {
                place.copy_from_slice(&number.to_le_bytes());
            }
        }
        HEADER + stored_len
    }

    /// The compressed bytes, if they are few enough.
    fn compress<'a>(raw: &[u8], scratch: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        scratch.resize(lz4_flex::block::get_maximum_output_size(raw.len()).max(scratch.len()), 0);
        let length = lz4_flex::block::compress_into(raw, scratch).ok()?;
        (length + raw.len() / LEAST_SAVING < raw.len()).then(|| scratch.get(..length)).flatten()
    }
}

/// Checksum of a block.
fn checksum(stored: &[u8], raw_len: u32) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(stored), &raw_len.to_le_bytes())
}

/// Checks a block; returns its raw bytes behind a header or nothing, and how many bytes that header has.
pub(crate) fn open(stored: Vec<u8>) -> Result<(Vec<u8>, usize), &'static str> {
    let mut block = stored.as_slice();
    if block.len() < HEADER {
        return Err("truncated header");
    }
    let raw_len = block.get_u32_le();
    let stored_len = block.get_u32_le() as usize;
    let crc = block.get_u32_le();
    if block.len() != stored_len {
        return Err("truncated block");
    }
    if checksum(block, raw_len) != crc {
        return Err("checksum mismatch");
    }
    if stored_len == raw_len as usize {
        return Ok((stored, HEADER));
    }
    let raw = lz4_flex::block::decompress(block, raw_len as usize).map_err(|_| "undecodable block")?;
    Ok((raw, 0))
}

/// Cuts the raw bytes of a block into rows, which are slices of it.
pub(crate) fn rows(mut raw: Bytes) -> Result<Vec<SortedRow>, &'static str> {
    let mut rows = Vec::new();
    while raw.has_remaining() {
        if raw.remaining() < ROW_HEADER {
            return Err("truncated row header");
        }
        let commit_ts = raw.get_u64_le();
        let start_ts = raw.get_u64_le();
        let lengths = [raw.get_u32_le() as usize, raw.get_u32_le() as usize, raw.get_u32_le() as usize];
        if lengths.iter().sum::<usize>() > raw.remaining() {
            return Err("truncated row");
        }
        let [key, value, old_value] = lengths.map(|length| raw.split_to(length));
        rows.push(SortedRow { key, value, old_value, start_ts, commit_ts });
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two rows, the second one with this value.
    fn two_rows(value: Vec<u8>) -> Vec<SortedRow> {
        vec![
            SortedRow { key: Bytes::from_static(b"key"), start_ts: 1, commit_ts: 2, ..SortedRow::default() },
            SortedRow {
                key: Bytes::from_static(b"other"),
                value: Bytes::from(value),
                old_value: Bytes::from_static(b"x"),
                start_ts: u64::MAX,
                commit_ts: 0,
            },
        ]
    }

    /// Bytes that don't compress.
    fn noise(count: usize) -> Vec<u8> {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        };
        std::iter::repeat_with(next).take(count).collect()
    }

    /// A file with one block.
    fn sealed(rows: &[SortedRow], sealer: &mut Sealer) -> Vec<u8> {
        let mut file = Vec::new();
        let start = Sealer::begin(&mut file);
        rows.iter().for_each(|row| append_row(row, &mut file));
        assert_eq!(sealer.seal(&mut file, start), file.len());
        file
    }

    /// Opens a block and cuts it into rows.
    fn read(file: &[u8]) -> Result<Vec<SortedRow>, &'static str> {
        let (raw, skip) = open(file.to_vec())?;
        rows(Bytes::from(raw).slice(skip..))
    }

    /// A block that compresses, and one that does not.
    fn samples() -> [(Vec<u8>, Vec<SortedRow>); 2] {
        [vec![9; 1000], noise(1000)].map(|value| {
            let rows = two_rows(value);
            (sealed(&rows, &mut Sealer::default()), rows)
        })
    }

    #[test]
    fn a_block_reads_back_as_written() {
        for (file, written) in samples() {
            assert_eq!(read(&file).unwrap(), written);
        }
    }

    #[test]
    fn blocks_that_do_not_get_smaller_are_stored_as_they_are() {
        let [(small, _), (large, rows)] = samples();
        assert!(small.len() < 200, "{}", small.len());
        let raw: usize = rows.iter().map(|row| ROW_HEADER + row.payload()).sum();
        assert_eq!(large.len(), HEADER + raw);
    }

    #[test]
    fn compression_is_tried_again_after_some_blocks() {
        let mut sealer = Sealer::default();
        sealed(&two_rows(noise(1000)), &mut sealer);
        let compressible = two_rows(vec![9; 1000]);
        let lengths: Vec<_> =
            (0..=RAW_AFTER_FAILURE).map(|_| sealed(&compressible, &mut sealer).len()).collect();
        let (last, before) = lengths.split_last().unwrap();
        assert!(before.iter().all(|&length| length > 1000), "{lengths:?}");
        assert!(*last < 200, "{lengths:?}");
    }

    #[test]
    fn damaged_blocks_are_refused() {
        for (file, _) in samples() {
            for at in 0..file.len() {
                let mut damaged = file.clone();
                damaged[at] ^= 0x10;
                assert!(read(&damaged).is_err(), "byte {at}");
            }
            for length in 0..file.len() {
                assert!(read(&file[..length]).is_err(), "length {length}");
            }
        }
    }

    #[test]
    fn truncated_rows_are_refused() {
        for (file, _) in samples() {
            let (raw, skip) = open(file).unwrap();
            let raw = &raw[skip..];
            let first = ROW_HEADER + 3;
            for length in (1..raw.len()).filter(|&length| length != first) {
                assert!(rows(Bytes::copy_from_slice(&raw[..length])).is_err(), "length {length}");
            }
        }
    }
}
