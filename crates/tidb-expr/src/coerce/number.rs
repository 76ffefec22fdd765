//! Values as numbers.

use tidb_codec::{Datum, Decimal};

use super::codec;
use super::text::text;
use crate::error::{Result, SqlError};
use crate::eval::{EvalContext, Level};
use crate::result_type::ResultType;

/// The longest start of `text` that is a number, and whether that is all of it (blanks around it aside).
pub fn number_prefix(text: &[u8]) -> (&str, bool) {
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

/// Text was only partly a number: a warning, or an error where reading is strict.
fn truncated(kind: &str, text: &[u8], cx: &EvalContext) -> Result<()> {
    let shown = String::from_utf8_lossy(text);
    let error = SqlError::new(1292, format!("Truncated incorrect {kind} value: '{shown}'"));
    if cx.strict_reading {
        return Err(error);
    }
    cx.warn(Level::Warning, &error);
    Ok(())
}

/// Text as a double.
fn text_to_f64(text: &[u8], cx: &EvalContext) -> Result<f64> {
    let (prefix, complete) = number_prefix(text);
    if !complete {
        truncated("DOUBLE", text, cx)?;
    }
    let value: f64 = prefix.parse().unwrap_or(0.0);
    Ok(value.clamp(-f64::MAX, f64::MAX))
}

/// Text as a decimal.
fn text_to_decimal(text: &[u8], cx: &EvalContext) -> Result<Decimal> {
    let (prefix, complete) = number_prefix(text);
    if !complete {
        truncated("DECIMAL", text, cx)?;
    }
    Ok(Decimal::parse(prefix).unwrap_or(Decimal::ZERO))
}

/// The value as a double; `None` is NULL.
pub fn double(value: &Datum, ty: &ResultType, cx: &EvalContext) -> Result<Option<f64>> {
    Ok(Some(match value {
        Datum::Null => return Ok(None),
        Datum::Int(v) => *v as f64,
        Datum::Uint(v) | Datum::Enum(v) | Datum::Set(v) | Datum::Bit(v) => *v as f64,
        Datum::Float(v) => f64::from(*v),
        Datum::Double(v) => *v,
        Datum::Decimal(v) => v.to_f64(),
        Datum::Bytes(v) => text_to_f64(v, cx)?,
        Datum::Time(v) => v.to_number() as f64 + f64::from(v.micro()) / 1e6,
        Datum::Duration(v) => {
            let fraction = f64::from(v.micros()) / 1e6;
            v.to_number() as f64 + if v.is_negative() { -fraction } else { fraction }
        }
        Datum::Json(_) => text_to_f64(&text(value, ty).unwrap_or_default(), cx)?,
        Datum::Vector(_) => return Err(SqlError::unsupported("VECTOR arithmetic")),
    }))
}

/// The value as a decimal; `None` is NULL.
pub fn decimal(value: &Datum, ty: &ResultType, cx: &EvalContext) -> Result<Option<Decimal>> {
    Ok(Some(match value {
        Datum::Null => return Ok(None),
        Datum::Int(v) => Decimal::from(*v),
        Datum::Uint(v) | Datum::Enum(v) | Datum::Set(v) | Datum::Bit(v) => Decimal::from(*v),
        Datum::Float(v) => Decimal::from_f64(f64::from(*v)).map_err(codec)?,
        Datum::Double(v) => Decimal::from_f64(*v).map_err(codec)?,
        Datum::Decimal(v) => *v,
        Datum::Bytes(v) => text_to_decimal(v, cx)?,
        Datum::Time(v) => {
            Decimal::parse(&with_fraction(v.to_number(), false, v.micro(), v.fsp())).map_err(codec)?
        }
        Datum::Duration(v) => {
            Decimal::parse(&with_fraction(v.to_number(), v.is_negative(), v.micros(), v.fsp()))
                .map_err(codec)?
        }
        Datum::Json(_) => text_to_decimal(&text(value, ty).unwrap_or_default(), cx)?,
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
pub enum Integer {
    /// Signed.
    Signed(i64),
    /// Unsigned.
    Unsigned(u64),
}

impl Integer {
    /// As a wider number.
    pub fn wide(self) -> i128 {
        match self {
            Self::Signed(v) => i128::from(v),
            Self::Unsigned(v) => i128::from(v),
        }
    }

    /// The same 64 bits.
    pub fn bits(self) -> u64 {
        match self {
            Self::Signed(v) => v as u64,
            Self::Unsigned(v) => v,
        }
    }
}

/// The value as a whole number, rounded; beyond 64 bits it becomes the nearest bound. `None` is NULL.
pub fn integer(value: &Datum, ty: &ResultType, cx: &EvalContext) -> Result<Option<Integer>> {
    Ok(Some(match value {
        Datum::Null => return Ok(None),
        Datum::Int(v) => Integer::Signed(*v),
        Datum::Uint(v) | Datum::Enum(v) | Datum::Set(v) | Datum::Bit(v) => Integer::Unsigned(*v),
        Datum::Float(_) | Datum::Double(_) => round_to_integer(double(value, ty, cx)?.unwrap_or_default()),
        Datum::Bytes(bytes) => {
            let (prefix, complete) = number_prefix(bytes);
            if !complete {
                truncated("INTEGER", bytes, cx)?;
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
pub fn decimal_to_integer(value: &Decimal) -> Integer {
    let text = value.clone().round(0).map(|d| d.to_string()).unwrap_or_default();
    match (text.parse::<i64>(), text.parse::<u64>()) {
        (Ok(v), _) => Integer::Signed(v),
        (_, Ok(v)) => Integer::Unsigned(v),
        _ if text.starts_with('-') => Integer::Signed(i64::MIN),
        _ => Integer::Unsigned(u64::MAX),
    }
}

/// The value as a signed number; unsigned ones keep their bits. `None` is NULL.
pub fn int(value: &Datum, ty: &ResultType, cx: &EvalContext) -> Result<Option<i64>> {
    Ok(integer(value, ty, cx)?.map(|v| v.bits() as i64))
}

/// The value as a truth; `None` is NULL.
pub fn truth(value: &Datum, ty: &ResultType, cx: &EvalContext) -> Result<Option<bool>> {
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
