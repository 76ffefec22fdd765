//! Values with a leading type flag: handles and index keys (comparable form), row format v1 (compact form).

use super::Datum;
use crate::{
    CodecError, Decimal, Duration, FieldType, Json, collation::Collation, cursor, json, memcomparable,
    row::column, varint,
};

/// NULL; sorts before everything else.
pub(crate) const NIL: u8 = 0;
/// Comparable byte string.
pub(crate) const BYTES: u8 = 1;
/// Byte string behind its length.
pub(crate) const COMPACT_BYTES: u8 = 2;
/// Comparable signed integer.
pub(crate) const INT: u8 = 3;
/// Comparable unsigned integer.
pub(crate) const UINT: u8 = 4;
/// Comparable double.
pub(crate) const FLOAT: u8 = 5;
/// Decimal: precision, scale, digits.
pub(crate) const DECIMAL: u8 = 6;
/// Duration: comparable nanoseconds.
pub(crate) const DURATION: u8 = 7;
/// Zig-zag LEB128.
pub(crate) const VARINT: u8 = 8;
/// LEB128.
pub(crate) const UVARINT: u8 = 9;
/// Binary JSON.
pub(crate) const JSON: u8 = 10;
/// Vector of float32.
pub(crate) const VECTOR: u8 = 20;

/// Appends a value in comparable form. Byte strings are taken as they are: a collation's sort key is the
/// caller's business, see [`encode_key_column`]. A decimal keeps its own precision and scale.
///
/// # Errors
/// A decimal that has no binary form.
pub fn encode_key(datum: &Datum, out: &mut Vec<u8>) -> Result<(), CodecError> {
    match datum {
        Datum::Null => out.push(NIL),
        Datum::Int(value) => {
            out.push(INT);
            memcomparable::encode_i64(*value, out);
        }
        Datum::Uint(value) | Datum::Enum(value) | Datum::Set(value) | Datum::Bit(value) => {
            out.push(UINT);
            memcomparable::encode_u64(*value, out);
        }
        Datum::Float(value) => {
            out.push(FLOAT);
            memcomparable::encode_f64(f64::from(*value), out);
        }
        Datum::Double(value) => {
            out.push(FLOAT);
            memcomparable::encode_f64(*value, out);
        }
        Datum::Decimal(value) => {
            out.push(DECIMAL);
            value.encode_own(out)?;
        }
        Datum::Bytes(value) => {
            out.push(BYTES);
            memcomparable::encode_bytes(value, out);
        }
        Datum::Time(value) => {
            out.push(UINT);
            memcomparable::encode_u64(value.packed(), out);
        }
        Datum::Duration(value) => {
            out.push(DURATION);
            memcomparable::encode_i64(value.nanos(), out);
        }
        Datum::Json(value) => {
            out.push(JSON);
            value.write_stored(out);
        }
        Datum::Vector(value) => {
            out.push(VECTOR);
            column::encode_vector(value, out)?;
        }
    }
    Ok(())
}

/// Appends a column's value as it stands in a handle or index key: strings as their sort key under the
/// column's collation, decimals with the column's precision and scale. `prefix` is the length of a prefix
/// index column, in characters (bytes for binary strings).
///
/// A TIMESTAMP must be in UTC.
///
/// # Errors
/// A value the column cannot hold, or a collation without sort keys here.
pub fn encode_key_column(
    field: &FieldType,
    datum: &Datum,
    prefix: Option<usize>,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    column::check_kind(field, datum)?;
    match datum {
        Datum::Bytes(value) => {
            let collation = Collation::of_column(field)?;
            let value = match prefix {
                Some(len) => collation.prefix(field, value, len),
                None => value,
            };
            out.push(BYTES);
            collation.write_encoded_sort_key(value, out);
            Ok(())
        }
        Datum::Decimal(value) => {
            out.push(DECIMAL);
            value.encode_column(field, out)
        }
        _ => match column::coerce_integer(field, datum) {
            Some(coerced) => encode_key(&coerced, out),
            None => encode_key(datum, out),
        },
    }
}

/// Appends a value in the compact form of row format v1.
///
/// # Errors
/// A decimal that has no binary form.
pub fn encode_value(datum: &Datum, out: &mut Vec<u8>) -> Result<(), CodecError> {
    match datum {
        Datum::Int(value) => {
            out.push(VARINT);
            varint::encode_varint(*value, out);
        }
        Datum::Uint(value) | Datum::Enum(value) | Datum::Set(value) | Datum::Bit(value) => {
            out.push(UVARINT);
            varint::encode_uvarint(*value, out);
        }
        Datum::Bytes(value) => {
            out.push(COMPACT_BYTES);
            varint::encode_compact_bytes(value, out);
        }
        Datum::Time(value) => {
            out.push(UVARINT);
            varint::encode_uvarint(value.packed(), out);
        }
        Datum::Duration(value) => {
            out.push(VARINT);
            varint::encode_varint(value.nanos(), out);
        }
        _ => return encode_key(datum, out),
    }
    Ok(())
}

/// Like [`encode_value`] for a column: a DECIMAL gets the column's precision and scale.
pub(crate) fn encode_value_column(
    field: &FieldType,
    datum: &Datum,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    match datum {
        Datum::Decimal(value) => {
            out.push(DECIMAL);
            value.encode_column(field, out)
        }
        _ => encode_value(datum, out),
    }
}

/// Whether a flagged value is NULL.
#[inline]
pub fn is_null(bytes: &[u8]) -> bool {
    bytes.first() == Some(&NIL)
}

/// Reads a flagged value of either form; returns it and what follows. Times, enums, sets and bits come out
/// as integers and floats as doubles: see [`Datum::into_column`].
///
/// # Errors
/// An unknown flag or a malformed value.
pub fn decode_one(bytes: &[u8]) -> Result<(Datum, &[u8]), CodecError> {
    let (flag, rest) = cursor::take_u8(bytes, "datum flag")?;
    Ok(match flag {
        NIL => (Datum::Null, rest),
        BYTES => {
            let (value, rest) = memcomparable::decode_bytes(rest)?;
            (Datum::Bytes(value), rest)
        }
        COMPACT_BYTES => {
            let (value, rest) = varint::decode_compact_bytes(rest)?;
            (Datum::Bytes(value.to_vec()), rest)
        }
        INT => {
            let (value, rest) = memcomparable::decode_i64(rest)?;
            (Datum::Int(value), rest)
        }
        UINT => {
            let (value, rest) = memcomparable::decode_u64(rest)?;
            (Datum::Uint(value), rest)
        }
        FLOAT => {
            let (value, rest) = memcomparable::decode_f64(rest)?;
            (Datum::Double(column::finite(value)?), rest)
        }
        DECIMAL => {
            let (value, rest) = Decimal::decode(rest)?;
            (Datum::Decimal(value), rest)
        }
        DURATION => {
            let (value, rest) = memcomparable::decode_i64(rest)?;
            (Datum::Duration(Duration::new(value, Duration::MAX_FSP)?), rest)
        }
        VARINT => {
            let (value, rest) = varint::decode_varint(rest)?;
            (Datum::Int(value), rest)
        }
        UVARINT => {
            let (value, rest) = varint::decode_uvarint(rest)?;
            (Datum::Uint(value), rest)
        }
        JSON => {
            let (value, rest) = cursor::take_slice(rest, json::stored_len(rest)?, "JSON")?;
            (Datum::Json(Json::from_stored(value)?), rest)
        }
        VECTOR => {
            let (value, rest) = cursor::take_slice(rest, column::vector_len(rest)?, "vector")?;
            (Datum::Vector(column::decode_vector(value)?), rest)
        }
        code => return Err(CodecError::UnknownCode { what: "datum flag", code }),
    })
}

/// Skips a flagged value of either form; returns what follows.
///
/// # Errors
/// As [`decode_one`].
pub fn skip_one(bytes: &[u8]) -> Result<&[u8], CodecError> {
    let (flag, rest) = cursor::take_u8(bytes, "datum flag")?;
    let fixed = |len| cursor::take_slice(rest, len, "datum").map(|(_, rest)| rest);
    match flag {
        NIL => Ok(rest),
        BYTES => memcomparable::skip_bytes(rest),
        COMPACT_BYTES => varint::decode_compact_bytes(rest).map(|(_, rest)| rest),
        INT | UINT | FLOAT | DURATION => fixed(size_of::<u64>()),
        DECIMAL => fixed(crate::decimal::stored_len(rest)?),
        VARINT => varint::decode_varint(rest).map(|(_, rest)| rest),
        UVARINT => varint::decode_uvarint(rest).map(|(_, rest)| rest),
        JSON => fixed(json::stored_len(rest)?),
        VECTOR => fixed(column::vector_len(rest)?),
        code => Err(CodecError::UnknownCode { what: "datum flag", code }),
    }
}
