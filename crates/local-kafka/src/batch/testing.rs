//! Batches for tests.

use super::*;

/// An uncompressed batch with one record per timestamp (milliseconds, none before the first).
pub(crate) fn batch(timestamps: &[i64], producer: Option<(i64, i16, i32)>) -> Vec<u8> {
    let base = timestamps[0];
    let (pid, epoch, sequence) = producer.unwrap_or((-1, -1, -1));
    let mut out = vec![0; 8];
    out.extend(0_i32.to_be_bytes());
    out.extend((-1_i32).to_be_bytes());
    out.push(2);
    out.extend(0_u32.to_be_bytes());
    out.extend(0_i16.to_be_bytes());
    out.extend((timestamps.len() as i32 - 1).to_be_bytes());
    out.extend(base.to_be_bytes());
    out.extend(timestamps.iter().max().unwrap().to_be_bytes());
    out.extend(pid.to_be_bytes());
    out.extend(epoch.to_be_bytes());
    out.extend(sequence.to_be_bytes());
    out.extend((timestamps.len() as i32).to_be_bytes());
    for (i, t) in timestamps.iter().enumerate() {
        let mut record = vec![0];
        put_varint(t - base, &mut record);
        put_varint(i as i64, &mut record);
        put_varint(-1, &mut record);
        put_varint(3, &mut record);
        record.extend(b"abc");
        put_varint(0, &mut record);
        put_varint(record.len() as i64, &mut out);
        out.extend(record);
    }
    let length = (out.len() - LENGTH_OFFSET) as i32;
    out[8..12].copy_from_slice(&length.to_be_bytes());
    let crc = crc32c::crc32c(&out[CRC_START..]);
    out[17..21].copy_from_slice(&crc.to_be_bytes());
    out
}

fn put_varint(value: i64, out: &mut Vec<u8>) {
    let mut v = ((value << 1) ^ (value >> 63)) as u64;
    while v >= 0x80 {
        out.push(v as u8 | 0x80);
        v >>= 7;
    }
    out.push(v as u8);
}
