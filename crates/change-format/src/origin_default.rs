//! What a column is in rows that were written before it existed.

use jiff::tz::TimeZone;
use serde_json::Value;
use tidb_codec::field::{FieldType, tp};
use tidb_codec::{CodecError, Decimal, Duration, Json, Time, TimeKind, float, text};
use tidb_schema::ColumnInfo;

/// Column version from which TIMESTAMP defaults are stored in UTC.
const UTC_DEFAULTS_SINCE: u64 = 1;

/// The plain text of the column's value in a row that does not hold it; `None` for NULL.
///
/// # Errors
/// If the stored default is no value of the column's type.
pub(crate) fn text_of_missing(column: &ColumnInfo, zone: &TimeZone) -> Result<Option<Vec<u8>>, CodecError> {
    let field = &column.field_type;
    let mut out = Vec::new();
    if field.tp == tp::BIT
        && let Some(bits) = &column.origin_default_bit
    {
        text::write_u64(bits_value(bits), &mut out);
        return Ok(Some(out));
    }
    match &column.origin_default {
        Value::Null if !column.is_not_null() => return Ok(None),
        Value::Null => write_zero(field, &mut out),
        Value::String(default) => write_default(column, default, zone, &mut out)?,
        other => write_default(column, &other.to_string(), zone, &mut out)?,
    }
    Ok(Some(out))
}

/// The number that big-endian bytes stand for.
fn bits_value(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// Appends the text of a default that is stored as `default`.
fn write_default(
    column: &ColumnInfo,
    default: &str,
    zone: &TimeZone,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let field = &column.field_type;
    match field.tp {
        tp::TINY | tp::SHORT | tp::INT24 | tp::LONG | tp::LONGLONG | tp::YEAR => {
            Decimal::parse(default)?.round(0)?.write_text(out);
        }
        tp::FLOAT => float::write_f32(parse_float(default)? as f32, out),
        tp::DOUBLE => float::write_f64(parse_float(default)?, out),
        tp::NEW_DECIMAL => {
            let precision = u8::try_from(field.flen).unwrap_or(u8::MAX);
            let scale = u8::try_from(field.decimal).unwrap_or(0);
            Decimal::parse(default)?.fit(precision, scale)?.write_text(out);
        }
        tp::DATE | tp::NEW_DATE | tp::DATETIME | tp::TIMESTAMP => write_time(column, default, zone, out)?,
        tp::DURATION => Duration::parse(default, field.fsp())?.write_text(out),
        tp::BIT => text::write_u64(bits_value(default.as_bytes()), out),
        tp::ENUM => text::write_u64(member_number(field, default), out),
        tp::SET => text::write_u64(set_mask(field, default), out),
        tp::JSON => Json::parse(default)?.write_text(out)?,
        _ => {
            out.extend_from_slice(default.as_bytes());
            pad_binary(field, out);
        }
    }
    Ok(())
}

/// Appends a date or time. TIMESTAMP defaults are in UTC but in very old columns.
fn write_time(
    column: &ColumnInfo,
    default: &str,
    zone: &TimeZone,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let field = &column.field_type;
    let Some(kind) = TimeKind::of_column(field.tp) else { return Err(CodecError::UnsupportedType(field.tp)) };
    let time = Time::parse(default, kind, field.fsp())?;
    if kind == TimeKind::Timestamp && column.version >= UTC_DEFAULTS_SINCE {
        return text::write_time_packed(time.packed(), field.tp, field.fsp(), zone, out);
    }
    time.write_text(out);
    Ok(())
}

/// Reads a float.
fn parse_float(text: &str) -> Result<f64, CodecError> {
    text.trim().parse().map_err(|_| CodecError::IncorrectValue { kind: "double", text: text.to_owned() })
}

/// The number of an ENUM member from 1; 0 if there is none of that name. Defaults are stored as the name.
fn member_number(field: &FieldType, name: &str) -> u64 {
    let name = name.trim_end_matches(' ');
    let same = |member: &&String| member.trim_end_matches(' ') == name;
    let folded = |member: &&String| member.trim_end_matches(' ').to_lowercase() == name.to_lowercase();
    let exact = field.elems.iter().find(same);
    let found = exact.or_else(|| field.elems.iter().find(folded));
    let position = found.and_then(|found| field.elems.iter().position(|member| std::ptr::eq(member, found)));
    position.map_or(0, |position| position as u64 + 1)
}

/// The mask of a SET default, stored as names with commas between.
fn set_mask(field: &FieldType, names: &str) -> u64 {
    let numbers = names.split(',').map(|name| member_number(field, name));
    numbers.filter(|number| (1..=64).contains(number)).fold(0, |mask, number| mask | 1 << (number - 1))
}

/// Pads BINARY(n) with zero bytes.
fn pad_binary(field: &FieldType, out: &mut Vec<u8>) {
    if field.tp == tp::STRING && field.is_binary_string() {
        let len = usize::try_from(field.flen).unwrap_or(0).min(MAX_BINARY_LEN);
        out.resize(out.len().max(len), 0);
    }
}

/// Largest n of BINARY(n).
const MAX_BINARY_LEN: usize = 255;

/// Appends the zero of a type: what NOT NULL columns without default have.
fn write_zero(field: &FieldType, out: &mut Vec<u8>) {
    match field.tp {
        tp::ENUM => out.push(b'1'),
        tp::NEW_DECIMAL => {
            out.push(b'0');
            let scale = usize::try_from(field.decimal).unwrap_or(0).min(MAX_SCALE);
            if scale > 0 {
                out.push(b'.');
                out.resize(out.len() + scale, b'0');
            }
        }
        tp::DATE | tp::NEW_DATE | tp::DATETIME | tp::TIMESTAMP => {
            let kind = TimeKind::of_column(field.tp).unwrap_or(TimeKind::DateTime);
            Time::zero(kind, field.fsp()).write_text(out);
        }
        tp::DURATION => {
            if let Ok(zero) = Duration::new(0, field.fsp()) {
                zero.write_text(out);
            }
        }
        tp::JSON => out.extend_from_slice(b"null"),
        tp::VECTOR_FLOAT32 => out.extend_from_slice(b"[]"),
        _ if field.is_string() => pad_binary(field, out),
        _ => out.push(b'0'),
    }
}

/// Largest number of digits after the point of a decimal.
const MAX_SCALE: usize = 30;
