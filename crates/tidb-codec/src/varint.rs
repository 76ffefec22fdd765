//! Variable-length integers (LEB128, zig-zag for signed ones) and length-prefixed bytes.

use crate::{CodecError, cursor};

/// Most bytes a 64-bit LEB128 number takes.
const MAX_LEN: usize = 10;

/// Appends an unsigned LEB128 number.
#[inline]
pub fn encode_uvarint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads an unsigned LEB128 number; returns it and what follows.
///
/// # Errors
/// Input cut short, or a number beyond 64 bits.
#[inline]
pub fn decode_uvarint(bytes: &[u8]) -> Result<(u64, &[u8]), CodecError> {
    let mut value = 0u64;
    for (index, byte) in bytes.iter().take(MAX_LEN).enumerate() {
        let part = u64::from(byte & 0x7F);
        if index == MAX_LEN - 1 && *byte > 1 {
            return Err(CodecError::Malformed { what: "varint", reason: "more than 64 bits" });
        }
        value |= part << (7 * index);
        if byte & 0x80 == 0 {
            return Ok((value, bytes.get(index + 1..).unwrap_or_default()));
        }
    }
    Err(CodecError::Truncated { what: "varint", needed: bytes.len() + 1, have: bytes.len() })
}

/// Appends a signed number, zig-zag then LEB128.
#[inline]
pub fn encode_varint(value: i64, out: &mut Vec<u8>) {
    encode_uvarint(((value << 1) ^ (value >> 63)) as u64, out);
}

/// Reads what [`encode_varint`] wrote; returns it and what follows.
///
/// # Errors
/// As [`decode_uvarint`].
#[inline]
pub fn decode_varint(bytes: &[u8]) -> Result<(i64, &[u8]), CodecError> {
    let (raw, rest) = decode_uvarint(bytes)?;
    Ok(((raw >> 1) as i64 ^ -((raw & 1) as i64), rest))
}

/// Appends `data` behind its length as a signed varint ("compact bytes").
pub fn encode_compact_bytes(data: &[u8], out: &mut Vec<u8>) {
    out.reserve(MAX_LEN + data.len());
    encode_varint(data.len() as i64, out);
    out.extend_from_slice(data);
}

/// Reads what [`encode_compact_bytes`] wrote; returns it and what follows.
///
/// # Errors
/// A negative length, or input cut short.
#[inline]
pub fn decode_compact_bytes(bytes: &[u8]) -> Result<(&[u8], &[u8]), CodecError> {
    let (len, rest) = decode_varint(bytes)?;
    let len = usize::try_from(len)
        .map_err(|_| CodecError::Malformed { what: "compact bytes", reason: "negative length" })?;
    cursor::take_slice(rest, len, "compact bytes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_and_bytes_round_trip(a: i64, b: u64, data: Vec<u8>) {
            let mut out = Vec::new();
            encode_varint(a, &mut out);
            encode_uvarint(b, &mut out);
            encode_compact_bytes(&data, &mut out);
            let (x, rest) = decode_varint(&out).unwrap();
            let (y, rest) = decode_uvarint(rest).unwrap();
            let (z, rest) = decode_compact_bytes(rest).unwrap();
            prop_assert_eq!((x, y, z, rest), (a, b, &data[..], &[][..]));
        }
    }

    #[test]
    fn overlong_numbers_are_refused() {
        assert!(matches!(decode_uvarint(&[0xFF; 10]), Err(CodecError::Malformed { .. })));
        assert!(matches!(decode_uvarint(&[0xFF; 9]), Err(CodecError::Truncated { .. })));
        assert!(matches!(decode_uvarint(&[]), Err(CodecError::Truncated { .. })));
        assert!(decode_compact_bytes(&[1]).is_err());
    }
}
