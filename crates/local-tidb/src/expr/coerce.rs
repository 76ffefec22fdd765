//! Reading a value as another kind, the way MySQL does it for the arguments of functions and operators.

use std::borrow::Cow;

use tidb_codec::field::tp;
use tidb_codec::{Datum, Decimal, Duration, Json, Time, TimeKind, float};

use super::eval::{EvalContext, Level};
use super::result_type::ResultType;
use crate::error::{Result, SqlError};

/// A codec failure as an error of an expression.
pub(crate) fn codec(error: tidb_codec::CodecError) -> SqlError {
    use tidb_codec::CodecError;
    match error {
        CodecError::IncorrectValue { kind, text } => SqlError::incorrect_value(kind, &text),
        CodecError::OutOfRange { kind, value } => SqlError::out_of_range(&kind.to_uppercase(), &value),
        other => SqlError::internal(other),
    }
}

/// Text of an ENUM or SET value.
fn member_text(value: &Datum, ty: &ResultType) -> Vec<u8> {
    let elems = ty.elems.as_deref().unwrap_or_default();
    match value {
        Datum::Enum(n) => usize::try_from(*n)
            .ok()
            .and_then(|n| n.checked_sub(1))
            .and_then(|at| elems.get(at))
            .map(|e| e.as_bytes().to_vec())
            .unwrap_or_default(),
        Datum::Set(mask) => {
            let chosen: Vec<&str> = elems
                .iter()
                .enumerate()
                .filter(|(at, _)| mask >> at & 1 == 1)
                .map(|(_, e)| e.as_str())
                .collect();
            chosen.join(",").into_bytes()
        }
        _ => Vec::new(),
    }
}

/// Bytes of a BIT value of its type's width.
fn bit_text(bits: u64, ty: &ResultType) -> Vec<u8> {
    let width = usize::try_from(ty.flen.clamp(1, 64)).unwrap_or(64).div_ceil(8);
    bits.to_be_bytes().into_iter().skip(8 - width).collect()
}

/// The value as text; `None` is NULL.
pub(crate) fn text<'a>(value: &'a Datum, ty: &ResultType) -> Option<Cow<'a, [u8]>> {
    let mut out = Vec::new();
    match value {
        Datum::Null => return None,
        Datum::Bytes(bytes) => return Some(Cow::Borrowed(bytes)),
        Datum::Int(v) if ty.tp == tp::YEAR => out.extend_from_slice(format!("{v:04}").as_bytes()),
        Datum::Int(v) => tidb_codec::text::write_i64(*v, &mut out),
        Datum::Uint(v) => tidb_codec::text::write_u64(*v, &mut out),
        Datum::Float(v) if has_scale(ty) => out = format!("{v:.*}", scale_of(ty)).into_bytes(),
        Datum::Double(v) if has_scale(ty) => out = format!("{v:.*}", scale_of(ty)).into_bytes(),
        Datum::Float(v) => float::write_f32_sql(*v, &mut out),
        Datum::Double(v) => float::write_f64_sql(*v, &mut out),
        Datum::Decimal(v) => out = v.to_string().into_bytes(),
        Datum::Time(v) => v.write_text(&mut out),
        Datum::Duration(v) => v.write_text(&mut out),
        Datum::Json(v) => out = v.to_string().into_bytes(),
        Datum::Enum(_) | Datum::Set(_) => out = member_text(value, ty),
        Datum::Bit(bits) => out = bit_text(*bits, ty),
        Datum::Vector(values) => {
            out.push(b'[');
            for (at, v) in values.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                float::write_f32(*v, &mut out);
            }
            out.push(b']');
        }
    }
    Some(Cow::Owned(out))
}

/// FLOAT(M,D) and DOUBLE(M,D) columns print with D digits.
fn has_scale(ty: &ResultType) -> bool {
    matches!(ty.tp, tp::FLOAT | tp::DOUBLE) && (0..31).contains(&ty.decimal)
}

/// Fraction digits of a type.
fn scale_of(ty: &ResultType) -> usize {
    usize::try_from(ty.decimal).unwrap_or(0)
}

/// The value as text that is certainly UTF-8: other bytes become replacement characters.
pub(crate) fn string(value: &Datum, ty: &ResultType) -> Option<String> {
    text(value, ty).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// The longest start of `text` that is a number, and whether that is all of it (blanks around it aside).
pub(crate) fn number_prefix(text: &[u8]) -> (&str, bool) {
    let text = text.trim_ascii();
    let digits = |from: usize| text.iter().skip(from).take_while(|b| b.is_ascii_digit()).count();
    let mut at = usize::from(matches!(text.first(), Some(b'+' | b'-')));
    let whole = digits(at);
    at += whole;
    let mut fraction = 0;
    if text.get(at) == Some(&b'.') {
        fraction = digits(at + 1);
        if whole + fraction > 0 {
            at += 1 + fraction;
        }
    }
    if whole + fraction == 0 {
        return ("", text.is_empty());
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits(at + 1 + sign);
        if exponent > 0 {
            at += 1 + sign + exponent;
        }
    }
    let prefix = text.get(..at).unwrap_or_default();
    (std::str::from_utf8(prefix).unwrap_or_default(), at == text.len())
}

/// Warns that text was only partly a number.
fn truncated(kind: &str, text: &[u8], cx: &EvalContext) {
    let shown = String::from_utf8_lossy(text);
    cx.warn(Level::Warning, &SqlError::new(1292, format!("Truncated incorrect {kind} value: '{shown}'")));
}

/// Text as a double.
pub(crate) fn text_to_f64(text: &[u8], cx: &EvalContext) -> f64 {
    let (prefix, complete) = number_prefix(text);
    if !complete {
        truncated("DOUBLE", text, cx);
    }
    let value: f64 = prefix.parse().unwrap_or(0.0);
    value.clamp(-f64::MAX, f64::MAX)
}

/// Text as a decimal.
pub(crate) fn text_to_decimal(text: &[u8], cx: &EvalContext) -> Decimal {
    let (prefix, complete) = number_prefix(text);
    if !complete {
        truncated("DECIMAL", text, cx);
    }
    Decimal::parse(prefix).unwrap_or(Decimal::ZERO)
}

/// The value as a double; `None` is NULL.
pub(crate) fn double(value: &Datum, ty: &ResultType, cx: &EvalContext) -> Result<Option<f64>> {
    Ok(Some(match value {
        Datum::Null => return Ok(None),
        Datum::Int(v) => *v as f64,
        Datum::Uint(v) | Datum::Enum(v) | Datum::Set(v) | Datum::Bit(v) => *v as f64,
        Datum::Float(v) => f64::from(*v),
        Datum::Double(v) => *v,
        Datum::Decimal(v) => v.to_f64(),
        Datum::Bytes(v) => text_to_f64(v, cx),
        Datum::Time(v) => v.to_number() as f64 + f64::from(v.micro()) / 1e6,
        Datum::Duration(v) => {
            let fraction = f64::from(v.micros()) / 1e6;
            v.to_number() as f64 + if v.is_negative() { -fraction } else { fraction }
        }
        Datum::Json(_) => text_to_f64(&text(value, ty).unwrap_or_default(), cx),
        Datum::Vector(_) => return Err(SqlError::unsupported("VECTOR arithmetic")),
    }))
}

/// The value as a decimal; `None` is NULL.
pub(crate) fn decimal(value: &Datum, ty: &ResultType, cx: &EvalContext) -> Result<Option<Decimal>> {
    Ok(Some(match value {
        Datum::Null => return Ok(None),
        Datum::Int(v) => Decimal::from(*v),
        Datum::Uint(v) | Datum::Enum(v) | Datum::Set(v) | Datum::Bit(v) => Decimal::from(*v),
        Datum::Float(v) => Decimal::from_f64(f64::from(*v)).map_err(codec)?,
        Datum::Double(v) => Decimal::from_f64(*v).map_err(codec)?,
        Datum::Decimal(v) => *v,
        Datum::Bytes(v) => text_to_decimal(v, cx),
        Datum::Time(v) => {
            Decimal::parse(&with_fraction(v.to_number(), false, v.micro(), v.fsp())).map_err(codec)?
        }
        Datum::Duration(v) => {
            Decimal::parse(&with_fraction(v.to_number(), v.is_negative(), v.micros(), v.fsp()))
                .map_err(codec)?
        }
        Datum::Json(_) => text_to_decimal(&text(value, ty).unwrap_or_default(), cx),
        Datum::Vector(_) => return Err(SqlError::unsupported("VECTOR arithmetic")),
    }))
}

/// A time as number text, with its fraction digits.
fn with_fraction(number: i64, negative: bool, micros: u32, fsp: u8) -> String {
    let sign = if negative { "-" } else { "" };
    let whole = number.unsigned_abs();
    if fsp == 0 {
        return format!("{sign}{whole}");
    }
    let digits = format!("{micros:06}");
    format!("{sign}{whole}.{}", digits.get(..usize::from(fsp)).unwrap_or_default())
}

/// A whole number of either sign convention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Integer {
    /// Signed.
    Signed(i64),
    /// Unsigned.
    Unsigned(u64),
}

impl Integer {
    /// As a wider number.
    pub(crate) fn wide(self) -> i128 {
        match self {
            Self::Signed(v) => i128::from(v),
            Self::Unsigned(v) => i128::from(v),
        }
    }

    /// The same 64 bits.
    pub(crate) fn bits(self) -> u64 {
        match self {
            Self::Signed(v) => v as u64,
            Self::Unsigned(v) => v,
        }
    }
}

/// The value as a whole number, rounded; beyond 64 bits it becomes the nearest bound. `None` is NULL.
pub(crate) fn integer(value: &Datum, ty: &ResultType, cx: &EvalContext) -> Result<Option<Integer>> {
    Ok(Some(match value {
        Datum::Null => return Ok(None),
        Datum::Int(v) => Integer::Signed(*v),
        Datum::Uint(v) | Datum::Enum(v) | Datum::Set(v) | Datum::Bit(v) => Integer::Unsigned(*v),
        Datum::Float(_) | Datum::Double(_) => round_to_integer(double(value, ty, cx)?.unwrap_or_default()),
        Datum::Bytes(bytes) => {
            let (prefix, complete) = number_prefix(bytes);
            if !complete {
                truncated("INTEGER", bytes, cx);
            }
            match (prefix.parse::<i64>(), prefix.parse::<u64>()) {
                (Ok(v), _) => Integer::Signed(v),
                (_, Ok(v)) => Integer::Unsigned(v),
                _ => decimal_to_integer(&Decimal::parse(prefix).unwrap_or(Decimal::ZERO)),
            }
        }
        other => decimal_to_integer(&decimal(other, ty, cx)?.unwrap_or(Decimal::ZERO)),
    }))
}

/// The whole number next to a double.
fn round_to_integer(value: f64) -> Integer {
    let rounded = value.round();
    if rounded >= 9_223_372_036_854_775_808.0 {
        Integer::Unsigned(rounded as u64)
    } else {
        Integer::Signed(rounded as i64)
    }
}

/// Rounds a decimal to a whole number.
pub(crate) fn decimal_to_integer(value: &Decimal) -> Integer {
    let text = value.clone().round(0).map(|d| d.to_string()).unwrap_or_default();
    match (text.parse::<i64>(), text.parse::<u64>()) {
        (Ok(v), _) => Integer::Signed(v),
        (_, Ok(v)) => Integer::Unsigned(v),
        _ if text.starts_with('-') => Integer::Signed(i64::MIN),
        _ => Integer::Unsigned(u64::MAX),
    }
}

/// The value as a signed number; unsigned ones keep their bits. `None` is NULL.
pub(crate) fn int(value: &Datum, ty: &ResultType, cx: &EvalContext) -> Result<Option<i64>> {
    Ok(integer(value, ty, cx)?.map(|v| v.bits() as i64))
}

/// The value as a truth; `None` is NULL.
pub(crate) fn truth(value: &Datum, ty: &ResultType, cx: &EvalContext) -> Result<Option<bool>> {
    Ok(match value {
        Datum::Null => None,
        Datum::Int(v) => Some(*v != 0),
        Datum::Uint(v) | Datum::Enum(v) | Datum::Set(v) | Datum::Bit(v) => Some(*v != 0),
        Datum::Time(v) => Some(!v.is_zero()),
        Datum::Duration(v) => Some(v.nanos() != 0),
        Datum::Decimal(v) => Some(!v.is_zero()),
        other => double(other, ty, cx)?.map(|v| v != 0.0),
    })
}

/// The value as a date and time. `None` is NULL; what is no time is NULL with a warning.
pub(crate) fn time(
    value: &Datum,
    ty: &ResultType,
    kind: TimeKind,
    fsp: u8,
    cx: &EvalContext,
) -> Result<Option<Time>> {
    let parsed = match value {
        Datum::Null => return Ok(None),
        Datum::Time(v) => v.with_kind(kind, fsp),
        Datum::Duration(v) => return duration_today(v, kind, fsp, cx).map(Some),
        Datum::Int(v) => Time::from_number(*v, kind, fsp),
        Datum::Uint(v) => Time::from_number(i64::try_from(*v).unwrap_or(i64::MAX), kind, fsp),
        other => Time::parse(&string(other, ty).unwrap_or_default(), kind, fsp),
    };
    match parsed {
        Ok(time) => Ok(Some(time)),
        Err(_) => {
            let shown = string(value, ty).unwrap_or_default();
            cx.bad_value(SqlError::incorrect_value("datetime", &shown))?;
            Ok(None)
        }
    }
}

/// A time of day, today.
pub(crate) fn duration_today(value: &Duration, kind: TimeKind, fsp: u8, cx: &EvalContext) -> Result<Time> {
    let today = now(cx, TimeKind::Date, 0)?;
    let micros = today.to_unix_micros().map_err(codec)? + value.nanos() / 1000;
    Time::from_unix_micros(micros, kind, fsp).map_err(codec)
}

/// The statement's time in the session's zone; fraction digits beyond `fsp` are cut.
pub(crate) fn now(cx: &EvalContext, kind: TimeKind, fsp: u8) -> Result<Time> {
    let unit = 10i64.pow(6 - u32::from(fsp.min(6)));
    let micros = cx.now.as_microsecond() / unit * unit;
    let utc = Time::from_unix_micros(micros, TimeKind::DateTime, fsp).map_err(codec)?;
    utc.from_utc_to(&cx.zone).and_then(|t| t.with_kind(kind, fsp)).map_err(codec)
}

/// The value as a span of time. `None` is NULL; what is none is NULL with a warning.
pub(crate) fn duration(
    value: &Datum,
    ty: &ResultType,
    fsp: u8,
    cx: &EvalContext,
) -> Result<Option<Duration>> {
    let parsed = match value {
        Datum::Null => return Ok(None),
        Datum::Duration(v) => v.round(fsp),
        Datum::Time(v) => {
            let parts = v.parts();
            Duration::from_parts(false, u64::from(parts.hour), parts.minute, parts.second, parts.micro, fsp)
        }
        Datum::Int(v) => Duration::from_number(*v, fsp),
        other => Duration::parse(&string(other, ty).unwrap_or_default(), fsp),
    };
    match parsed {
        Ok(span) => Ok(Some(span)),
        Err(_) => {
            let shown = string(value, ty).unwrap_or_default();
            cx.bad_value(SqlError::incorrect_value("time", &shown))?;
            Ok(None)
        }
    }
}

/// The value as JSON: text is parsed.
///
/// # Errors
/// 3140 for text that is no JSON.
pub(crate) fn json_document(value: &Datum, ty: &ResultType, function: &str) -> Result<Option<Json>> {
    match value {
        Datum::Null => Ok(None),
        Datum::Json(v) => Ok(Some(v.clone())),
        other => {
            let source = string(other, ty).unwrap_or_default();
            Json::parse(&source)
                .map(Some)
                .map_err(|e| SqlError::new(3140, format!("Invalid JSON text: {e} (in {function})")))
        }
    }
}
