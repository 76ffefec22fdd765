//! Values behind a type flag: those of row format v1 and of clustered keys.

use jiff::tz::TimeZone;
use tidb_codec::field::{FieldType, tp};
use tidb_codec::{CodecError, float, memcomparable, text, varint};

/// NULL.
pub(crate) const NIL: u8 = 0;
/// Byte string in comparable form.
const BYTES: u8 = 1;
/// Byte string behind its length.
const COMPACT_BYTES: u8 = 2;
/// Signed integer in comparable form.
const INT: u8 = 3;
/// Unsigned integer in comparable form.
const UINT: u8 = 4;
/// Double in comparable form.
const FLOAT: u8 = 5;
/// Decimal: precision, scale, digits.
const DECIMAL: u8 = 6;
/// Duration: nanoseconds in comparable form.
const DURATION: u8 = 7;
/// Signed integer as zig-zag LEB128.
const VARINT: u8 = 8;
/// Unsigned integer as LEB128.
const UVARINT: u8 = 9;
/// Binary JSON.
const JSON: u8 = 10;
/// Vector of float32.
const VECTOR: u8 = 20;

/// Appends the plain text of a flagged value of a column; strings as they are. NULL is not allowed here.
///
/// # Errors
/// If the bytes are no value, or not one of the column's type.
pub(crate) fn write_plain(
    field: &FieldType,
    flagged: &[u8],
    zone: &TimeZone,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let Some((flag, rest)) = flagged.split_first() else {
        return Err(CodecError::Truncated { what: "datum flag", needed: 1, have: 0 });
    };
    match *flag {
        INT => write_signed(field, memcomparable::decode_i64(rest)?.0, zone, out),
        VARINT => write_signed(field, varint::decode_varint(rest)?.0, zone, out),
        UINT => write_unsigned(field, memcomparable::decode_u64(rest)?.0, zone, out),
        UVARINT => write_unsigned(field, varint::decode_uvarint(rest)?.0, zone, out),
        BYTES => memcomparable::decode_bytes_into(rest, out).map(|_| ()),
        COMPACT_BYTES => {
            out.extend_from_slice(varint::decode_compact_bytes(rest)?.0);
            Ok(())
        }
        FLOAT => {
            let value = memcomparable::decode_f64(rest)?.0;
            if field.tp == tp::FLOAT {
                float::write_f32(value as f32, out)
            } else {
                float::write_f64(value, out)
            }
            Ok(())
        }
        DECIMAL => text::write_decimal_bin(rest, u8::try_from(field.decimal).ok(), out).map(|_| ()),
        DURATION => text::write_duration(memcomparable::decode_i64(rest)?.0, field.fsp(), out),
        JSON => text::write_json(rest, out),
        VECTOR => text::write_vector(rest, out),
        code => Err(CodecError::UnknownCode { what: "datum flag", code }),
    }
}

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

/// Appends a value that is stored as a signed integer.
fn write_signed(field: &FieldType, value: i64, zone: &TimeZone, out: &mut Vec<u8>) -> Result<(), CodecError> {
    match field.tp {
        tp::DURATION => text::write_duration(value, field.fsp(), out),
        _ if field.is_unsigned() && field.is_integer() => write_unsigned(field, value as u64, zone, out),
        _ => {
            text::write_i64(value, out);
            Ok(())
        }
    }
}

/// Appends a value that is stored as an unsigned integer.
fn write_unsigned(
    field: &FieldType,
    value: u64,
    zone: &TimeZone,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    if field.is_time() {
        return text::write_time_packed(value, field.tp, field.fsp(), zone, out);
    }
    text::write_u64(value, out);
    Ok(())
}
