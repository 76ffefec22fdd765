//! Integers behind a type flag: those of row format v1 and of clustered keys.

use tidb_codec::{memcomparable, varint};

/// NULL.
pub(crate) const NIL: u8 = 0;
/// Signed integer in comparable form.
const INT: u8 = 3;
/// Unsigned integer in comparable form.
const UINT: u8 = 4;
/// Signed integer as zig-zag LEB128.
const VARINT: u8 = 8;
/// Unsigned integer as LEB128.
const UVARINT: u8 = 9;

/// The value of a flagged integer, for comparison with limits.
pub(crate) fn unsigned_value(flagged: &[u8]) -> Option<u64> {
    let (flag, rest) = flagged.split_first()?;
    match *flag {
        INT => memcomparable::decode_i64(rest).ok().map(|(value, _)| value as u64),
        VARINT => varint::decode_varint(rest).ok().map(|(value, _)| value as u64),
        UINT => memcomparable::decode_u64(rest).ok().map(|(value, _)| value),
        UVARINT => varint::decode_uvarint(rest).ok().map(|(value, _)| value),
        _ => None,
    }
}
