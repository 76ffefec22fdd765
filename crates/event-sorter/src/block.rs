//! Blocks of a run: rows, compressed together, with a checksum.
//!
//! ```text
//! block  := raw length u32 LE | stored length u32 LE | crc32c u32 LE | stored bytes (lz4)
//!           (the checksum is over the stored bytes, then the raw length)
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

/// Appends a finished block to `file` and returns its length.
pub(crate) fn seal(raw: &[u8], file: &mut Vec<u8>) -> usize {
    let stored = lz4_flex::block::compress(raw);
    file.reserve(HEADER + stored.len());
    file.extend_from_slice(&(raw.len() as u32).to_le_bytes());
    file.extend_from_slice(&(stored.len() as u32).to_le_bytes());
    file.extend_from_slice(&checksum(&stored, raw.len() as u32).to_le_bytes());
    file.extend_from_slice(&stored);
    HEADER + stored.len()
}

/// Checksum of a block.
fn checksum(stored: &[u8], raw_len: u32) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(stored), &raw_len.to_le_bytes())
}

/// Checks and decompresses a block.
pub(crate) fn open(mut block: &[u8]) -> Result<Vec<u8>, &'static str> {
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
    lz4_flex::block::decompress(block, raw_len as usize).map_err(|_| "undecodable block")
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

    /// A block with two rows, and the rows.
    fn sample() -> (Vec<u8>, Vec<SortedRow>) {
        let written = vec![
            SortedRow { key: Bytes::from_static(b"key"), start_ts: 1, commit_ts: 2, ..SortedRow::default() },
            SortedRow {
                key: Bytes::from_static(b"other"),
                value: Bytes::from(vec![9; 1000]),
                old_value: Bytes::from_static(b"x"),
                start_ts: u64::MAX,
                commit_ts: 0,
            },
        ];
        let mut raw = Vec::new();
        written.iter().for_each(|row| append_row(row, &mut raw));
        let mut file = Vec::new();
        assert_eq!(seal(&raw, &mut file), file.len());
        (file, written)
    }

    #[test]
    fn a_block_reads_back_as_written() {
        let (file, written) = sample();
        assert_eq!(rows(Bytes::from(open(&file).unwrap())).unwrap(), written);
    }

    #[test]
    fn damaged_blocks_are_refused() {
        let (file, _) = sample();
        for at in 0..file.len() {
            let mut damaged = file.clone();
            damaged[at] ^= 0x10;
            let outcome = open(&damaged).and_then(|raw| rows(Bytes::from(raw)));
            assert!(outcome.is_err(), "byte {at}");
        }
        for length in 0..file.len() {
            assert!(open(&file[..length]).is_err(), "length {length}");
        }
    }

    #[test]
    fn truncated_rows_are_refused() {
        let (file, _) = sample();
        let raw = open(&file).unwrap();
        let first = ROW_HEADER + 3;
        for length in (1..raw.len()).filter(|&length| length != first) {
            assert!(rows(Bytes::copy_from_slice(&raw[..length])).is_err(), "length {length}");
        }
    }
}
