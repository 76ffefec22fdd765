//! Numbers: integers, YEAR, BIT, FLOAT, DOUBLE, DECIMAL.

use tidb_codec::field::tp;
use tidb_codec::{Datum, Decimal};

use super::Target;
use crate::coerce::{self, Integer};
use crate::error::Result;
use crate::{EvalContext, ResultType};

/// Bounds of an integer column.
fn bounds(code: u8, unsigned: bool) -> (i128, i128) {
    let bits = match code {
        tp::TINY => 8,
        tp::SHORT => 16,
        tp::INT24 => 24,
        tp::LONG => 32,
        _ => 64,
    };
    if unsigned { (0, (1i128 << bits) - 1) } else { (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1) }
}

/// Name of an integer type in messages.
fn kind_name(code: u8) -> &'static str {
    match code {
        tp::TINY => "tinyint",
        tp::SHORT => "smallint",
        tp::INT24 => "mediumint",
        tp::LONG => "int",
        _ => "bigint",
    }
}

/// Text as a whole number: fractions are rounded.
fn text_integer(text: &[u8], kind: &str, target: Target<'_>, cx: &EvalContext) -> Result<i128> {
    let (prefix, complete) = coerce::number_prefix(text);
    if prefix.is_empty() {
        cx.bad_value(target.incorrect(kind, &String::from_utf8_lossy(text)))?;
        return Ok(0);
    }
    if !complete {
        cx.bad_value(target.truncated())?;
    }
    if let Ok(value) = prefix.parse::<i64>() {
        return Ok(i128::from(value));
    }
    Ok(match Decimal::parse(prefix) {
        Ok(value) => coerce::decimal_to_integer(&value).wide(),
        Err(_) if prefix.starts_with('-') => i128::MIN,
        Err(_) => i128::MAX,
    })
}

/// Any value as a whole number that may be out of the column's range.
fn whole(value: &Datum, from: &ResultType, kind: &str, target: Target<'_>, cx: &EvalContext) -> Result<i128> {
    Ok(match value {
        Datum::Int(v) => i128::from(*v),
        Datum::Uint(v) | Datum::Enum(v) | Datum::Set(v) | Datum::Bit(v) => i128::from(*v),
        Datum::Double(v) => v.round() as i128,
        Datum::Float(v) => v.round() as i128,
        // Hexadecimal and bit literals are numbers here.
        Datum::Bytes(text)
            if from.collation.is_binary() && from.tp == tp::VAR_STRING && from.flag & LITERAL_BITS != 0 =>
        {
            text.iter().fold(0i128, |sum, byte| (sum << 8 | i128::from(*byte)) & i128::from(u64::MAX))
        }
        Datum::Bytes(text) => text_integer(text, kind, target, cx)?,
        Datum::Json(_) => {
            let text = coerce::text(value, from).unwrap_or_default();
            text_integer(&text, kind, target, cx)?
        }
        other => coerce::integer(other, from, cx)?.map_or(0, Integer::wide),
    })
}

/// Flag in a literal's type: it was written as `x'…'` or `b'…'`, a number where a number is wanted.
pub const LITERAL_BITS: u32 = 1 << 30;

/// A value for a column of whole numbers.
pub(super) fn integer(
    value: &Datum,
    from: &ResultType,
    target: Target<'_>,
    cx: &EvalContext,
) -> Result<Datum> {
    let field = target.field;
    let unsigned = field.is_unsigned();
    let number = whole(value, from, kind_name(field.tp), target, cx)?;
    let (low, high) = bounds(field.tp, unsigned);
    if number < low || number > high {
        cx.bad_value(target.out_of_range())?;
    }
    let fitted = number.clamp(low, high);
    Ok(if unsigned { Datum::Uint(fitted as u64) } else { Datum::Int(fitted as i64) })
}

/// A value for a `YEAR` column.
pub(super) fn year(value: &Datum, from: &ResultType, target: Target<'_>, cx: &EvalContext) -> Result<Datum> {
    let number = match value {
        Datum::Time(time) => i128::from(time.year()),
        other => whole(other, from, "year", target, cx)?,
    };
    // '0' and '00' as text are the year 2000, the number 0 is the zero year.
    let short_text = matches!(value, Datum::Bytes(text) if text.len() < 4);
    let year = match number {
        0 if short_text => 2000,
        1..=69 => number + 2000,
        70..=99 => number + 1900,
        other => other,
    };
    if year == 0 || (1901..=2155).contains(&year) {
        return Ok(Datum::Int(year as i64));
    }
    cx.bad_value(target.out_of_range())?;
    Ok(Datum::Int(if year > 2155 {
        2155
    } else if year > 0 {
        1901
    } else {
        0
    }))
}

/// A value for a `BIT` column.
pub(super) fn bit(value: &Datum, from: &ResultType, target: Target<'_>, cx: &EvalContext) -> Result<Datum> {
    let width = u32::try_from(target.field.flen.clamp(1, 64)).unwrap_or(64);
    let max = if width == 64 { u64::MAX } else { (1u64 << width) - 1 };
    let bits = match value {
        Datum::Bytes(text) => {
            let significant = text.iter().skip_while(|b| **b == 0);
            if significant.clone().count() > 8 {
                None
            } else {
                Some(significant.fold(0u64, |sum, byte| sum << 8 | u64::from(*byte)))
            }
        }
        // A negative number is its 64 bits, as in MySQL.
        Datum::Int(v) => Some(*v as u64),
        other => u64::try_from(whole(other, from, "bit", target, cx)?).ok(),
    };
    match bits {
        Some(bits) if bits <= max => Ok(Datum::Bit(bits)),
        _ => {
            cx.bad_value(target.too_long())?;
            Ok(Datum::Bit(max))
        }
    }
}

/// A value for a `FLOAT` or `DOUBLE` column.
pub(super) fn float(value: &Datum, from: &ResultType, target: Target<'_>, cx: &EvalContext) -> Result<Datum> {
    let field = target.field;
    let number = match value {
        Datum::Bytes(text) => {
            let (prefix, complete) = coerce::number_prefix(text);
            if prefix.is_empty() {
                let kind = if field.tp == tp::FLOAT { "float" } else { "double" };
                cx.bad_value(target.incorrect(kind, &String::from_utf8_lossy(text)))?;
            } else if !complete {
                cx.bad_value(target.truncated())?;
            }
            prefix.parse::<f64>().unwrap_or(0.0)
        }
        other => coerce::double(other, from, cx)?.unwrap_or(0.0),
    };
    let mut number = number;
    let mut max = if field.tp == tp::FLOAT { f64::from(f32::MAX) } else { f64::MAX };
    if field.decimal >= 0 && field.flen >= field.decimal {
        let scale = 10f64.powi(i32::try_from(field.decimal).unwrap_or(0));
        if number.abs() < 1e15 {
            number = (number * scale).round() / scale;
        }
        max = 10f64.powi(i32::try_from(field.flen - field.decimal).unwrap_or(0)) - 1.0 / scale;
    }
    let low = if field.is_unsigned() { 0.0 } else { -max };
    // The nearest single of a double may be the largest one though the double is slightly above it.
    let fits = if field.tp == tp::FLOAT {
        (number as f32).is_finite() && (number as f32) >= low as f32
    } else {
        number >= low
    };
    if !fits || number > max && (field.decimal >= 0 || field.tp == tp::DOUBLE) {
        cx.bad_value(target.out_of_range())?;
    }
    let number = number.clamp(low, max);
    Ok(if field.tp == tp::FLOAT { Datum::Float(number as f32) } else { Datum::Double(number) })
}

/// A value for a `DECIMAL` column.
pub(super) fn decimal(
    value: &Datum,
    from: &ResultType,
    target: Target<'_>,
    cx: &EvalContext,
) -> Result<Datum> {
    let field = target.field;
    let precision = u8::try_from(field.flen).unwrap_or(10);
    let scale = u8::try_from(field.decimal).unwrap_or(0);
    let number = match value {
        Datum::Bytes(text) => {
            let (prefix, complete) = coerce::number_prefix(text);
            if prefix.is_empty() {
                cx.bad_value(target.incorrect("decimal", &String::from_utf8_lossy(text)))?;
            } else if !complete {
                cx.bad_value(target.truncated())?;
            }
            match Decimal::parse(if prefix.is_empty() { "0" } else { prefix }) {
                Ok(number) => number,
                Err(_) => {
                    cx.bad_value(target.out_of_range())?;
                    Decimal::limit(prefix.starts_with('-'), precision, scale)
                }
            }
        }
        other => coerce::decimal(other, from, cx)?.unwrap_or(Decimal::ZERO),
    };
    if number.is_negative() && field.is_unsigned() {
        cx.bad_value(target.out_of_range())?;
        return Ok(Datum::Decimal(zero(scale)));
    }
    match number.fit(precision, scale) {
        Ok(fitted) => Ok(Datum::Decimal(fitted)),
        Err(_) => {
            cx.bad_value(target.out_of_range())?;
            Ok(Datum::Decimal(Decimal::limit(number.is_negative(), precision, scale)))
        }
    }
}

/// Zero with a scale.
fn zero(scale: u8) -> Decimal {
    Decimal::ZERO.round(i16::from(scale)).unwrap_or(Decimal::ZERO)
}
