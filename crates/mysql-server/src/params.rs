//! Parameters of COM_STMT_EXECUTE.

use crate::column::column_type as kind;
use crate::error::ProtocolError;
use crate::value::{DateTime, Time};
use crate::wire::Reader;

/// One bound parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Param {
    /// SQL NULL.
    Null,
    /// A signed integer.
    Int(i64),
    /// An unsigned integer.
    UInt(u64),
    /// A FLOAT.
    Float(f32),
    /// A DOUBLE.
    Double(f64),
    /// A string, decimal text or blob.
    Bytes(Vec<u8>),
    /// A date or datetime; `true` when only a date was sent.
    DateTime(DateTime, bool),
    /// A span of time.
    Time(Time),
}

/// Reads the parameters of one execution. `types` keeps those of the last one, as clients send them only when they
/// change. `long_data[i]` holds what COM_STMT_SEND_LONG_DATA sent for parameter `i`.
pub(crate) fn parse(
    body: &[u8],
    types: &mut Vec<(u8, bool)>,
    long_data: &[Option<Vec<u8>>],
) -> Result<Vec<Param>, ProtocolError> {
    let count = long_data.len();
    if count == 0 {
        return Ok(Vec::new());
    }
    let mut reader = Reader::new(body);
    let nulls = reader.take(count.div_ceil(8))?;
    if reader.u8()? == 1 {
        types.clear();
        for _ in 0..count {
            let tag = reader.u8()?;
            types.push((tag, reader.u8()? & 0x80 != 0));
        }
    }
    if types.len() != count {
        return Err(ProtocolError::Malformed("parameter types were never sent"));
    }
    let mut params = Vec::with_capacity(count);
    for (i, ((tag, unsigned), long)) in types.iter().zip(long_data).enumerate() {
        let is_null = nulls.get(i / 8).is_some_and(|byte| byte & (1 << (i % 8)) != 0);
        params.push(match long {
            Some(bytes) => Param::Bytes(bytes.clone()),
            None if is_null => Param::Null,
            None => one(&mut reader, *tag, *unsigned)?,
        });
    }
    Ok(params)
}

/// Reads one value of the given type.
fn one(reader: &mut Reader<'_>, tag: u8, unsigned: bool) -> Result<Param, ProtocolError> {
    Ok(match (tag, unsigned) {
        (kind::NULL, _) => Param::Null,
        (kind::TINY, true) => Param::UInt(reader.u8()?.into()),
        (kind::TINY, false) => Param::Int((reader.u8()? as i8).into()),
        (kind::SHORT | kind::YEAR, true) => Param::UInt(reader.u16()?.into()),
        (kind::SHORT | kind::YEAR, false) => Param::Int((reader.u16()? as i16).into()),
        (kind::LONG | kind::INT24, true) => Param::UInt(reader.u32()?.into()),
        (kind::LONG | kind::INT24, false) => Param::Int((reader.u32()? as i32).into()),
        (kind::LONGLONG, true) => Param::UInt(reader.u64()?),
        (kind::LONGLONG, false) => Param::Int(reader.u64()? as i64),
        (kind::FLOAT, _) => Param::Float(f32::from_le_bytes(reader.array()?)),
        (kind::DOUBLE, _) => Param::Double(f64::from_le_bytes(reader.array()?)),
        (kind::DATE | kind::DATETIME | kind::TIMESTAMP, _) => datetime(reader)?,
        (kind::TIME, _) => time(reader)?,
        (0 | 15 | 16 | 245..=254, _) => Param::Bytes(reader.lenenc_bytes()?.to_vec()),
        _ => return Err(ProtocolError::Malformed("unknown parameter type")),
    })
}

/// Date and time in its 0, 4, 7 or 11 byte form.
fn datetime(reader: &mut Reader<'_>) -> Result<Param, ProtocolError> {
    let length = reader.u8()?;
    let mut at = DateTime::default();
    if !matches!(length, 0 | 4 | 7 | 11) {
        return Err(ProtocolError::Malformed("bad length of a date parameter"));
    }
    if length >= 4 {
        (at.year, at.month, at.day) = (reader.u16()?, reader.u8()?, reader.u8()?);
    }
    if length >= 7 {
        (at.hour, at.minute, at.second) = (reader.u8()?, reader.u8()?, reader.u8()?);
    }
    if length == 11 {
        at.micros = reader.u32()?;
    }
    Ok(Param::DateTime(at, length == 4))
}

/// A span of time in its 0, 8 or 12 byte form.
fn time(reader: &mut Reader<'_>) -> Result<Param, ProtocolError> {
    let length = reader.u8()?;
    if !matches!(length, 0 | 8 | 12) {
        return Err(ProtocolError::Malformed("bad length of a time parameter"));
    }
    let mut span = Time::default();
    if length >= 8 {
        span.negative = reader.u8()? != 0;
        let days = reader.u32()?;
        let hours = u32::from(reader.u8()?);
        span.hours = days
            .checked_mul(24)
            .and_then(|h| h.checked_add(hours))
            .ok_or(ProtocolError::Malformed("time overflows"))?;
        (span.minutes, span.seconds) = (reader.u8()?, reader.u8()?);
    }
    if length == 12 {
        span.micros = reader.u32()?;
    }
    Ok(Param::Time(span))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn types_are_remembered_between_executions() {
        let mut types = Vec::new();
        let first =
            parse(&[0, 1, kind::TINY, 0, kind::VAR_STRING, 0, 5, 2, b'a', b'b'], &mut types, &[None, None]);
        assert_eq!(first.expect("valid"), [Param::Int(5), Param::Bytes(b"ab".to_vec())]);
        let second = parse(&[0b10, 0, 7], &mut types, &[None, None]);
        assert_eq!(second.expect("valid"), [Param::Int(7), Param::Null]);
        assert!(parse(&[0, 0], &mut Vec::new(), &[None]).is_err());
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes: Vec<u8>, n in 0usize..9) {
            let _ = parse(&bytes, &mut Vec::new(), &vec![None; n]);
        }
    }
}
