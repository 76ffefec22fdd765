//! From stored bytes straight to text, as TiDB prints it: no value in between, nothing allocated per column.

pub(crate) mod digits;

use crate::{
    CodecError, Datum, FieldType, cursor,
    datum::{self, flagged},
    decimal, duration,
    field::tp,
    float, json, memcomparable,
    row::column,
    time::{self, TimeKind},
    varint,
};
use jiff::tz::TimeZone;

/// Appends `[-]HH:MM:SS[.f]`.
///
/// # Errors
/// A span that no TIME column can hold.
#[inline]
pub fn write_duration(nanos: i64, fsp: u8, out: &mut Vec<u8>) -> Result<(), CodecError> {
    duration::Duration::new(nanos, fsp)?;
    push_duration(nanos, fsp, out);
    Ok(())
}

/// Appends a span that is known to be in range.
#[inline]
pub(crate) fn push_duration(nanos: i64, fsp: u8, out: &mut Vec<u8>) {
    let second = duration::SECOND as u64;
    let total = nanos.unsigned_abs();
    if nanos < 0 {
        out.push(b'-');
    }
    let seconds = total / second;
    let hours = seconds / 3600;
    if hours >= 100 {
        out.push(b'0' + (hours / 100 % 10) as u8);
    }
    digits::push_two((hours % 100) as u32, out);
    out.push(b':');
    digits::push_two((seconds / 60 % 60) as u32, out);
    out.push(b':');
    digits::push_two((seconds % 60) as u32, out);
    digits::push_fraction((total % second / 1000) as u32, fsp, out);
}

/// Appends a packed DATE, DATETIME or TIMESTAMP (`tp` is the column's type code) with `fsp` digits after the
/// second. A TIMESTAMP other than zero is moved from UTC to `zone`.
///
/// # Errors
/// A type code that is no time, a packed value that is no time, or a TIMESTAMP that is no instant.
#[inline]
pub fn write_time_packed(
    packed: u64,
    tp: u8,
    fsp: u8,
    zone: &TimeZone,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    match TimeKind::of_column(tp) {
        Some(kind) => time::write_packed(packed, kind, fsp, zone, out),
        None => Err(CodecError::UnsupportedType(tp)),
    }
}

/// Appends a stored DECIMAL (precision, scale, digits), rounded to `scale` digits after the point if it has
/// more; returns what follows it.
///
/// # Errors
/// A malformed decimal.
#[inline]
pub fn write_decimal_bin<'a>(
    stored: &'a [u8],
    scale: Option<u8>,
    out: &mut Vec<u8>,
) -> Result<&'a [u8], CodecError> {
    decimal::write_stored_text(stored, scale, out)
}

/// Appends the MySQL text of a stored JSON value (type code, then value).
///
/// # Errors
/// A malformed JSON value; a part of the text may then have been appended.
#[inline]
pub fn write_json(stored: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
    json::JsonRef::from_stored(stored)?.write_text(out)
}

/// Appends a stored VECTOR as `[1,2.5]`.
///
/// # Errors
/// A malformed vector.
pub fn write_vector(stored: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
    out.push(b'[');
    for (index, value) in column::vector_elements(stored)?.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        float::write_f32(value, out);
    }
    out.push(b']');
    Ok(())
}

/// Appends the text of a column value of row format v2: integers, floats, decimals and times in their
/// decimal forms, ENUM, SET and BIT as numbers, JSON and VECTOR as text, byte strings as they are.
///
/// # Errors
/// Bytes that are no value of the type, or a type that is not supported.
pub fn write_column(
    field: &FieldType,
    raw: &[u8],
    zone: &TimeZone,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    match field.tp {
        tp::TINY | tp::SHORT | tp::INT24 | tp::LONG | tp::LONGLONG | tp::YEAR => {
            let mut buffer = itoa::Buffer::new();
            let text = if field.is_unsigned() && field.tp != tp::YEAR {
                buffer.format(field.checked_uint(column::decode_uint(raw)?)?)
            } else {
                buffer.format(field.checked_int(column::decode_int(raw)?)?)
            };
            out.extend_from_slice(text.as_bytes());
        }
        tp::ENUM => write_u64(field.stored_enum(column::decode_uint(raw)?), out),
        tp::SET => write_u64(field.stored_set(column::decode_uint(raw)?)?, out),
        tp::BIT => write_u64(field.checked_uint(column::decode_uint(raw)?)?, out),
        tp::FLOAT => float::write_f32(column::narrow(column::decode_float(raw)?)?, out),
        tp::DOUBLE => float::write_f64(column::decode_float(raw)?, out),
        tp::NEW_DECIMAL => {
            let rest = write_decimal_bin(raw, column::decimal_scale(field), out)?;
            cursor::expect_end(rest, "decimal column")?;
        }
        tp::DATE | tp::NEW_DATE | tp::DATETIME | tp::TIMESTAMP => {
            write_time_packed(column::decode_uint(raw)?, field.tp, field.fsp(), zone, out)?;
        }
        tp::DURATION => write_duration(column::decode_int(raw)?, field.fsp(), out)?,
        tp::JSON => write_json(raw, out)?,
        tp::VECTOR_FLOAT32 => write_vector(raw, out)?,
        _ if field.is_string() => out.extend_from_slice(raw),
        code => return Err(CodecError::UnsupportedType(code)),
    }
    Ok(())
}

/// Appends the text of a flagged value: a column of row format v1, or of a handle. Returns what follows it.
/// Byte strings of a handle are the sort key of their collation.
///
/// # Errors
/// NULL, a value the column cannot have, or malformed bytes.
pub fn write_flagged<'a>(
    field: &FieldType,
    bytes: &'a [u8],
    zone: &TimeZone,
    out: &mut Vec<u8>,
) -> Result<&'a [u8], CodecError> {
    let (flag, body) = cursor::take_u8(bytes, "datum flag")?;
    match flag {
        flagged::BYTES if field.is_string() => return memcomparable::decode_bytes_into(body, out),
        flagged::COMPACT_BYTES if field.is_string() => {
            let (value, rest) = varint::decode_compact_bytes(body)?;
            out.extend_from_slice(value);
            return Ok(rest);
        }
        flagged::DECIMAL if field.tp == tp::NEW_DECIMAL => {
            return write_decimal_bin(body, column::decimal_scale(field), out);
        }
        flagged::JSON if field.tp == tp::JSON => {
            let (value, rest) = cursor::take_slice(body, json::stored_len(body)?, "JSON")?;
            write_json(value, out)?;
            return Ok(rest);
        }
        _ => {}
    }
    let (datum, rest) = datum::decode_one(bytes)?;
    write_datum(&datum.into_column(field)?, zone, out)?;
    Ok(rest)
}

/// Appends the text of a value, by the same rules as [`write_column`].
///
/// # Errors
/// NULL, which has no text, or a TIMESTAMP that is no instant.
pub fn write_datum(datum: &Datum, zone: &TimeZone, out: &mut Vec<u8>) -> Result<(), CodecError> {
    match datum {
        Datum::Null => return Err(CodecError::KindMismatch { expected: "value", found: datum.kind() }),
        Datum::Int(value) => write_i64(*value, out),
        Datum::Uint(value) | Datum::Enum(value) | Datum::Set(value) | Datum::Bit(value) => {
            write_u64(*value, out)
        }
        Datum::Float(value) => float::write_f32(*value, out),
        Datum::Double(value) => float::write_f64(*value, out),
        Datum::Decimal(value) => value.write_text(out),
        Datum::Bytes(value) => out.extend_from_slice(value),
        Datum::Time(value) => time::write_packed(value.packed(), value.kind(), value.fsp(), zone, out)?,
        Datum::Duration(value) => value.write_text(out),
        Datum::Json(value) => value.write_text(out)?,
        Datum::Vector(elements) => {
            out.push(b'[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                float::write_f32(*element, out);
            }
            out.push(b']');
        }
    }
    Ok(())
}

/// Appends an unsigned integer.
#[inline]
pub fn write_u64(value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends a signed integer.
#[inline]
pub fn write_i64(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Time, datum::Datum};

    #[test]
    fn timestamps_move_to_the_zone_and_zero_stays() {
        let zone = TimeZone::get("America/New_York").unwrap();
        let written = |packed| {
            let mut out = Vec::new();
            write_time_packed(packed, tp::TIMESTAMP, 3, &zone, &mut out)
                .map(|()| String::from_utf8(out).unwrap())
        };
        let packed = Time::parse("2024-03-10 06:59:59.5", TimeKind::Timestamp, 6).unwrap().packed();
        assert_eq!(written(packed).unwrap(), "2024-03-10 01:59:59.500");
        // One second later the clocks have gone forward.
        let packed = Time::parse("2024-03-10 07:00:00", TimeKind::Timestamp, 6).unwrap().packed();
        assert_eq!(written(packed).unwrap(), "2024-03-10 03:00:00.000");
        assert_eq!(written(0).unwrap(), "0000-00-00 00:00:00.000");
        let zero_month = Time::parse("2024-00-10 00:00:00", TimeKind::DateTime, 0).unwrap().packed();
        assert!(written(zero_month).is_err());
        let mut out = Vec::new();
        write_time_packed(zero_month, tp::DATETIME, 0, &zone, &mut out).unwrap();
        assert_eq!(out, b"2024-00-10 00:00:00");
    }

    #[test]
    fn vectors_have_no_blanks_and_null_has_no_text() {
        let mut out = Vec::new();
        write_vector(b"\x02\0\0\0\0\0\x80\x3f\0\0\x20\xc0", &mut out).unwrap();
        assert_eq!(out, b"[1,-2.5]");
        assert!(write_vector(b"\x02\0\0\0\0\0\x80\x3f", &mut out).is_err());
        // Infinity and NaN: found by fuzzing.
        assert!(write_vector(b"\x01\0\0\0\0\0\x80\x7f", &mut out).is_err());
        assert!(write_vector(b"\x01\0\0\0\xff\xff\xff\xff", &mut out).is_err());
        assert!(write_datum(&Datum::Null, &TimeZone::UTC, &mut out).is_err());
        assert!(write_duration(i64::MAX, 0, &mut out).is_err());
    }
}
