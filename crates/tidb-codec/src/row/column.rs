//! Values of single columns as format v2 holds them.

use crate::{
    CodecError, Datum, Decimal, Duration, FieldType, Json, Time, TimeKind, cursor, field::tp, memcomparable,
};

/// Most dimensions of a vector.
const MAX_VECTOR_DIMENSIONS: usize = 16_383;

/// Reads a signed integer of 1, 2, 4 or 8 little-endian bytes.
///
/// # Errors
/// Any other length.
#[inline]
pub fn decode_int(raw: &[u8]) -> Result<i64, CodecError> {
    match *raw {
        [a] => Ok(i64::from(a as i8)),
        [a, b] => Ok(i64::from(i16::from_le_bytes([a, b]))),
        [a, b, c, d] => Ok(i64::from(i32::from_le_bytes([a, b, c, d]))),
        [a, b, c, d, e, f, g, h] => Ok(i64::from_le_bytes([a, b, c, d, e, f, g, h])),
        _ => Err(CodecError::Malformed { what: "integer column", reason: "not 1, 2, 4 or 8 bytes" }),
    }
}

/// Reads an unsigned integer of 1, 2, 4 or 8 little-endian bytes.
///
/// # Errors
/// Any other length.
#[inline]
pub fn decode_uint(raw: &[u8]) -> Result<u64, CodecError> {
    match *raw {
        [a] => Ok(u64::from(a)),
        [a, b] => Ok(u64::from(u16::from_le_bytes([a, b]))),
        [a, b, c, d] => Ok(u64::from(u32::from_le_bytes([a, b, c, d]))),
        [a, b, c, d, e, f, g, h] => Ok(u64::from_le_bytes([a, b, c, d, e, f, g, h])),
        _ => Err(CodecError::Malformed { what: "integer column", reason: "not 1, 2, 4 or 8 bytes" }),
    }
}

/// Reads a FLOAT or DOUBLE: both are stored as comparable doubles.
///
/// # Errors
/// Anything but eight bytes, or no number: SQL has neither NaN nor infinity.
#[inline]
pub fn decode_float(raw: &[u8]) -> Result<f64, CodecError> {
    let (value, rest) = memcomparable::decode_f64(raw)?;
    cursor::expect_end(rest, "float column")?;
    finite(value)
}

/// Refuses what is no number.
#[inline]
pub(crate) fn finite(value: f64) -> Result<f64, CodecError> {
    if value.is_finite() {
        Ok(value)
    } else {
        Err(CodecError::Malformed { what: "float", reason: "not a number" })
    }
}

/// A stored double as the FLOAT that it stands for.
///
/// # Errors
/// A number beyond those of a FLOAT.
#[inline]
pub(crate) fn narrow(value: f64) -> Result<f32, CodecError> {
    finite(f64::from(value as f32)).map(|value| value as f32)
}

/// Digits after the point of a DECIMAL column, if its type says so.
#[inline]
pub(crate) fn decimal_scale(field: &FieldType) -> Option<u8> {
    u8::try_from(field.decimal).ok()
}

/// Length of a stored vector at the start of `bytes`.
pub(crate) fn vector_len(bytes: &[u8]) -> Result<usize, CodecError> {
    let (dimensions, _) = cursor::take::<4>(bytes, "vector")?;
    let dimensions = u32::from_le_bytes(dimensions) as usize;
    if dimensions > MAX_VECTOR_DIMENSIONS {
        return Err(CodecError::Malformed { what: "vector", reason: "too many dimensions" });
    }
    Ok(4 + dimensions * 4)
}

/// Elements of a stored vector: number of dimensions, then floats.
///
/// # Errors
/// Too many dimensions, bytes missing or left over, or an element that is no number: TiDB stores neither NaN nor
/// infinity.
pub(crate) fn vector_elements(raw: &[u8]) -> Result<impl Iterator<Item = f32> + '_, CodecError> {
    let (stored, rest) = cursor::take_slice(raw, vector_len(raw)?, "vector")?;
    cursor::expect_end(rest, "vector")?;
    let (elements, _) = stored.get(4..).unwrap_or_default().as_chunks::<4>();
    let elements = elements.iter().map(|bytes| f32::from_le_bytes(*bytes));
    if elements.clone().any(|element| !element.is_finite()) {
        return Err(CodecError::Malformed { what: "vector", reason: "an element is not a number" });
    }
    Ok(elements)
}

/// Reads a stored vector.
///
/// # Errors
/// As [`vector_elements`].
pub(crate) fn decode_vector(raw: &[u8]) -> Result<Vec<f32>, CodecError> {
    Ok(vector_elements(raw)?.collect())
}

/// Appends a vector.
///
/// # Errors
/// Too many dimensions.
pub(crate) fn encode_vector(elements: &[f32], out: &mut Vec<u8>) -> Result<(), CodecError> {
    if elements.len() > MAX_VECTOR_DIMENSIONS {
        return Err(CodecError::OutOfRange { kind: "vector dimension", value: elements.len().to_string() });
    }
    out.extend_from_slice(&(elements.len() as u32).to_le_bytes());
    for element in elements {
        out.extend_from_slice(&element.to_le_bytes());
    }
    Ok(())
}

/// Decodes a column value of format v2.
///
/// # Errors
/// Bytes that are no value of the type, or a type that is not supported.
pub fn decode_column(field: &FieldType, raw: &[u8]) -> Result<Datum, CodecError> {
    Ok(match field.tp {
        tp::TINY | tp::SHORT | tp::INT24 | tp::LONG | tp::LONGLONG if field.is_unsigned() => {
            Datum::Uint(field.checked_uint(decode_uint(raw)?)?)
        }
        tp::TINY | tp::SHORT | tp::INT24 | tp::LONG | tp::LONGLONG | tp::YEAR => {
            Datum::Int(field.checked_int(decode_int(raw)?)?)
        }
        tp::FLOAT => Datum::Float(narrow(decode_float(raw)?)?),
        tp::DOUBLE => Datum::Double(decode_float(raw)?),
        tp::NEW_DECIMAL => {
            let (value, rest) = Decimal::decode(raw)?;
            cursor::expect_end(rest, "decimal column")?;
            match decimal_scale(field) {
                Some(scale) if value.scale() > scale => Datum::Decimal(value.round(i16::from(scale))?),
                _ => Datum::Decimal(value),
            }
        }
        tp::DATE | tp::NEW_DATE => Datum::Time(Time::from_packed(decode_uint(raw)?, TimeKind::Date, 0)?),
        tp::DATETIME => Datum::Time(Time::from_packed(decode_uint(raw)?, TimeKind::DateTime, field.fsp())?),
        tp::TIMESTAMP => Datum::Time(Time::from_packed(decode_uint(raw)?, TimeKind::Timestamp, field.fsp())?),
        tp::DURATION => Datum::Duration(Duration::new(decode_int(raw)?, field.fsp())?),
        tp::ENUM => Datum::Enum(field.stored_enum(decode_uint(raw)?)),
        tp::SET => Datum::Set(field.stored_set(decode_uint(raw)?)?),
        tp::BIT => Datum::Bit(field.checked_uint(decode_uint(raw)?)?),
        tp::JSON => Datum::Json(Json::from_stored(raw)?),
        tp::VECTOR_FLOAT32 => Datum::Vector(decode_vector(raw)?),
        _ if field.is_string() => Datum::Bytes(raw.to_vec()),
        code => return Err(CodecError::UnsupportedType(code)),
    })
}

/// Appends a signed integer in the fewest of 1, 2, 4 or 8 bytes.
#[inline]
pub(crate) fn encode_int(value: i64, out: &mut Vec<u8>) {
    if let Ok(short) = i8::try_from(value) {
        out.extend_from_slice(&short.to_le_bytes());
    } else if let Ok(short) = i16::try_from(value) {
        out.extend_from_slice(&short.to_le_bytes());
    } else if let Ok(short) = i32::try_from(value) {
        out.extend_from_slice(&short.to_le_bytes());
    } else {
        out.extend_from_slice(&value.to_le_bytes());
    }
}

/// Appends an unsigned integer in the fewest of 1, 2, 4 or 8 bytes.
#[inline]
pub(crate) fn encode_uint(value: u64, out: &mut Vec<u8>) {
    if let Ok(short) = u8::try_from(value) {
        out.push(short);
    } else if let Ok(short) = u16::try_from(value) {
        out.extend_from_slice(&short.to_le_bytes());
    } else if let Ok(short) = u32::try_from(value) {
        out.extend_from_slice(&short.to_le_bytes());
    } else {
        out.extend_from_slice(&value.to_le_bytes());
    }
}

/// Appends a value as format v2 holds it; `field` gives a DECIMAL its precision and scale. NULL has no bytes.
///
/// # Errors
/// A decimal too large for the column, or an overlong vector.
pub fn encode_column(field: &FieldType, datum: &Datum, out: &mut Vec<u8>) -> Result<(), CodecError> {
    match datum {
        Datum::Null => {}
        Datum::Int(value) => encode_int(*value, out),
        Datum::Uint(value) | Datum::Enum(value) | Datum::Set(value) | Datum::Bit(value) => {
            encode_uint(*value, out);
        }
        Datum::Float(value) => memcomparable::encode_f64(f64::from(*value), out),
        Datum::Double(value) => memcomparable::encode_f64(*value, out),
        Datum::Decimal(value) if field.tp == tp::NEW_DECIMAL => value.encode_column(field, out)?,
        Datum::Decimal(value) => value.encode_own(out)?,
        Datum::Bytes(value) => out.extend_from_slice(value),
        Datum::Time(value) => encode_uint(value.packed(), out),
        Datum::Duration(value) => encode_int(value.nanos(), out),
        Datum::Json(value) => value.write_stored(out),
        Datum::Vector(value) => encode_vector(value, out)?,
    }
    Ok(())
}

/// Refuses a value of a kind the column cannot hold, so that it does not become another value when read.
pub(crate) fn check_kind(field: &FieldType, datum: &Datum) -> Result<(), CodecError> {
    let expected = match (field.tp, datum) {
        (_, Datum::Null) => return Ok(()),
        (tp::YEAR, Datum::Int(_)) => return Ok(()),
        (tp::YEAR, Datum::Uint(value)) if i64::try_from(*value).is_ok() => return Ok(()),
        (tp::TINY | tp::SHORT | tp::INT24 | tp::LONG | tp::LONGLONG, Datum::Int(value)) => {
            if !field.is_unsigned() {
                return Ok(());
            }
            return if *value >= 0 { Ok(()) } else { Err(out_of_range("unsigned integer", value)) };
        }
        (tp::TINY | tp::SHORT | tp::INT24 | tp::LONG | tp::LONGLONG, Datum::Uint(value)) => {
            if field.is_unsigned() {
                return Ok(());
            }
            return if i64::try_from(*value).is_ok() { Ok(()) } else { Err(out_of_range("integer", value)) };
        }
        (tp::FLOAT, Datum::Float(_)) | (tp::DOUBLE, Datum::Double(_)) => return Ok(()),
        (tp::NEW_DECIMAL, Datum::Decimal(_)) | (tp::DURATION, Datum::Duration(_)) => return Ok(()),
        (tp::ENUM, Datum::Enum(_)) | (tp::SET, Datum::Set(_)) | (tp::BIT, Datum::Bit(_)) => return Ok(()),
        (tp::JSON, Datum::Json(_)) | (tp::VECTOR_FLOAT32, Datum::Vector(_)) => return Ok(()),
        (code, Datum::Time(time)) if TimeKind::of_column(code) == Some(time.kind()) => return Ok(()),
        (_, Datum::Bytes(_)) if field.is_string() => return Ok(()),
        (tp::TINY | tp::SHORT | tp::INT24 | tp::LONG | tp::LONGLONG | tp::YEAR, _) => "integer",
        (tp::FLOAT, _) => "float",
        (tp::DOUBLE, _) => "double",
        (tp::NEW_DECIMAL, _) => "decimal",
        (tp::DURATION, _) => "duration",
        (tp::ENUM, _) => "enum",
        (tp::SET, _) => "set",
        (tp::BIT, _) => "bit",
        (tp::JSON, _) => "JSON",
        (tp::VECTOR_FLOAT32, _) => "vector",
        _ if field.is_time() => "time of the column's type",
        _ if field.is_string() => "string",
        (code, _) => return Err(CodecError::UnsupportedType(code)),
    };
    Err(CodecError::KindMismatch { expected, found: datum.kind() })
}

/// An integer outside its column's range.
fn out_of_range(kind: &'static str, value: &impl ToString) -> CodecError {
    CodecError::OutOfRange { kind, value: value.to_string() }
}

/// An integer of the other sign kind, as its column stores it.
pub(crate) fn coerce_integer(field: &FieldType, datum: &Datum) -> Option<Datum> {
    match (datum, field.is_unsigned() && field.tp != tp::YEAR) {
        (Datum::Int(value), true) if field.is_integer() => u64::try_from(*value).ok().map(Datum::Uint),
        (Datum::Uint(value), false) if field.is_integer() => i64::try_from(*value).ok().map(Datum::Int),
        _ => None,
    }
}
