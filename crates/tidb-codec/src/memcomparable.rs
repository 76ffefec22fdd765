//! Encodings whose byte order is the order of the values.

use crate::{CodecError, cursor};

/// Data bytes of one group of an encoded byte string.
const GROUP: usize = 8;
/// Marker of a full group that is followed by another; `MARKER - pad` ends the string.
const MARKER: u8 = 0xFF;
/// The sign bit of 64-bit values.
const SIGN: u64 = 1 << 63;

/// Length of `len` bytes once encoded by [`encode_bytes`].
#[inline]
pub const fn encoded_len(len: usize) -> usize {
    (len / GROUP + 1) * (GROUP + 1)
}

/// Appends `data` in groups of eight bytes, each followed by a marker.
pub fn encode_bytes(data: &[u8], out: &mut Vec<u8>) {
    out.reserve(encoded_len(data.len()));
    let mut groups = data.chunks_exact(GROUP);
    for group in &mut groups {
        out.extend_from_slice(group);
        out.push(MARKER);
    }
    let tail = groups.remainder();
    let pad = GROUP - tail.len();
    out.extend_from_slice(tail);
    out.extend_from_slice(&[0; GROUP][..pad]);
    out.push(MARKER - pad as u8);
}

/// Reads a byte string written by [`encode_bytes`]; returns it and what follows.
///
/// # Errors
/// Input cut short, an impossible marker, or padding that is not zero.
pub fn decode_bytes(bytes: &[u8]) -> Result<(Vec<u8>, &[u8]), CodecError> {
    let mut out = Vec::new();
    let rest = decode_bytes_into(bytes, &mut out)?;
    Ok((out, rest))
}

/// Like [`decode_bytes`], appending to `out`.
///
/// # Errors
/// As [`decode_bytes`]; `out` may then hold a part of the string.
pub fn decode_bytes_into<'a>(bytes: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8], CodecError> {
    let mut rest = bytes;
    loop {
        let (group, after) = cursor::take::<{ GROUP + 1 }>(rest, "memory-comparable bytes")?;
        rest = after;
        let used = group_len(&group)?;
        out.extend_from_slice(group.get(..used).unwrap_or_default());
        if used < GROUP {
            return Ok(rest);
        }
    }
}

/// Skips a byte string written by [`encode_bytes`]; returns what follows.
///
/// # Errors
/// As [`decode_bytes`].
pub fn skip_bytes(bytes: &[u8]) -> Result<&[u8], CodecError> {
    let mut rest = bytes;
    loop {
        let (group, after) = cursor::take::<{ GROUP + 1 }>(rest, "memory-comparable bytes")?;
        rest = after;
        if group_len(&group)? < GROUP {
            return Ok(rest);
        }
    }
}

/// Number of data bytes in a group, after checking its padding.
#[inline]
fn group_len(group: &[u8; GROUP + 1]) -> Result<usize, CodecError> {
    let [data @ .., marker] = group;
    let pad = usize::from(MARKER - marker);
    let Some(used) = GROUP.checked_sub(pad) else {
        return Err(CodecError::UnknownCode { what: "memory-comparable group marker", code: *marker });
    };
    if data.iter().skip(used).any(|byte| *byte != 0) {
        return Err(CodecError::Malformed { what: "memory-comparable bytes", reason: "padding is not zero" });
    }
    Ok(used)
}

/// Appends a signed integer: eight big-endian bytes with the sign bit flipped.
#[inline]
pub fn encode_i64(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(&i64_bytes(value));
}

/// The bytes [`encode_i64`] writes.
#[inline]
pub const fn i64_bytes(value: i64) -> [u8; 8] {
    ((value as u64) ^ SIGN).to_be_bytes()
}

/// Reads what [`encode_i64`] wrote; returns it and what follows.
///
/// # Errors
/// Fewer than eight bytes.
#[inline]
pub fn decode_i64(bytes: &[u8]) -> Result<(i64, &[u8]), CodecError> {
    let (head, rest) = cursor::take::<8>(bytes, "comparable int64")?;
    Ok(((u64::from_be_bytes(head) ^ SIGN) as i64, rest))
}

/// Appends an unsigned integer: eight big-endian bytes.
#[inline]
pub fn encode_u64(value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// Reads what [`encode_u64`] wrote; returns it and what follows.
///
/// # Errors
/// Fewer than eight bytes.
#[inline]
pub fn decode_u64(bytes: &[u8]) -> Result<(u64, &[u8]), CodecError> {
    let (head, rest) = cursor::take::<8>(bytes, "comparable uint64")?;
    Ok((u64::from_be_bytes(head), rest))
}

/// Appends an unsigned integer so that larger values sort first (commit timestamps in MVCC keys).
#[inline]
pub fn encode_u64_desc(value: u64, out: &mut Vec<u8>) {
    encode_u64(!value, out);
}

/// Reads what [`encode_u64_desc`] wrote; returns it and what follows.
///
/// # Errors
/// Fewer than eight bytes.
#[inline]
pub fn decode_u64_desc(bytes: &[u8]) -> Result<(u64, &[u8]), CodecError> {
    let (value, rest) = decode_u64(bytes)?;
    Ok((!value, rest))
}

/// Appends a float in comparable form. Negative zero becomes zero, as in TiDB.
#[inline]
pub fn encode_f64(value: f64, out: &mut Vec<u8>) {
    let bits = value.to_bits();
    let comparable = if value >= 0.0 { bits | SIGN } else { !bits };
    encode_u64(comparable, out);
}

/// Reads what [`encode_f64`] wrote; returns it and what follows.
///
/// # Errors
/// Fewer than eight bytes.
#[inline]
pub fn decode_f64(bytes: &[u8]) -> Result<(f64, &[u8]), CodecError> {
    let (comparable, rest) = decode_u64(bytes)?;
    let bits = if comparable & SIGN != 0 { comparable ^ SIGN } else { !comparable };
    Ok((f64::from_bits(bits), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes_of(data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode_bytes(data, &mut out);
        out
    }

    #[test]
    fn known_byte_strings() {
        assert_eq!(bytes_of(b""), [0, 0, 0, 0, 0, 0, 0, 0, 0xF7]);
        assert_eq!(bytes_of(&[1, 2, 3]), [1, 2, 3, 0, 0, 0, 0, 0, 0xFA]);
        assert_eq!(
            bytes_of(&[1, 2, 3, 4, 5, 6, 7, 8]),
            [1, 2, 3, 4, 5, 6, 7, 8, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0xF7]
        );
    }

    #[test]
    fn bad_markers_and_padding_are_refused() {
        assert!(matches!(decode_bytes(&[0, 0, 0, 0, 0, 0, 0, 0, 0xF6]), Err(CodecError::UnknownCode { .. })));
        assert!(matches!(decode_bytes(&[1, 0, 0, 1, 0, 0, 0, 0, 0xF8]), Err(CodecError::Malformed { .. })));
        assert!(matches!(decode_bytes(&[1, 0]), Err(CodecError::Truncated { .. })));
    }

    proptest! {
        #[test]
        fn bytes_round_trip_and_keep_order(a: Vec<u8>, b: Vec<u8>, tail: [u8; 3]) {
            let mut encoded = bytes_of(&a);
            prop_assert_eq!(encoded.len(), encoded_len(a.len()));
            prop_assert_eq!(encoded.cmp(&bytes_of(&b)), a.cmp(&b));
            encoded.extend_from_slice(&tail);
            prop_assert_eq!(skip_bytes(&encoded).unwrap(), &tail[..]);
            let (decoded, rest) = decode_bytes(&encoded).unwrap();
            prop_assert_eq!(decoded, a);
            prop_assert_eq!(rest, &tail[..]);
        }

        #[test]
        fn numbers_round_trip_and_keep_order(a: i64, b: i64, x: f64, y: f64) {
            let key = |v| i64_bytes(v);
            prop_assert_eq!(key(a).cmp(&key(b)), a.cmp(&b));
            prop_assert_eq!(decode_i64(&key(a)).unwrap().0, a);
            let float = |v| { let mut out = Vec::new(); encode_f64(v, &mut out); out };
            prop_assert_eq!(Some(float(x).cmp(&float(y))), x.partial_cmp(&y));
            prop_assert_eq!(decode_f64(&float(x)).unwrap().0, x);
            let desc = |v| { let mut out = Vec::new(); encode_u64_desc(v, &mut out); out };
            prop_assert_eq!(desc(a as u64).cmp(&desc(b as u64)), (b as u64).cmp(&(a as u64)));
            prop_assert_eq!(decode_u64_desc(&desc(a as u64)).unwrap().0, a as u64);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = decode_bytes(&bytes);
            let _ = skip_bytes(&bytes);
        }
    }
}
