//! Numbers.

use tidb_codec::field::tp;
use tidb_codec::{Datum, Decimal};

use super::{
    Builtin, Call, MANY, double_type, first_type, function, int_or_null, int_type, text_type, uint_type,
    varying,
};
use crate::coerce::{self, Integer};
use crate::error::{Result, SqlError};
use crate::operators;
use crate::result_type::ResultType;
use crate::tree::Expr;

/// Type of `ABS`, `ROUND` and the like: text becomes a double.
fn numeric_type(args: &[Expr]) -> ResultType {
    let ty = first_type(args);
    if ty.is_integer() {
        return if ty.is_unsigned() { ResultType::uint() } else { ResultType::int() };
    }
    if ty.tp == tp::NEW_DECIMAL { ty } else { ResultType::double() }
}

/// Type of `CEIL` and `FLOOR`.
fn whole_type(args: &[Expr]) -> ResultType {
    let ty = numeric_type(args);
    if ty.tp == tp::NEW_DECIMAL { ResultType::int() } else { ty }
}

/// `ABS(x)`.
fn abs(c: &Call<'_>) -> Result<Datum> {
    Ok(match c.ty.tp {
        tp::LONGLONG => match c.integer(0)? {
            None => Datum::Null,
            Some(Integer::Unsigned(v)) => Datum::Uint(v),
            Some(Integer::Signed(v)) => Datum::Int(
                v.checked_abs().ok_or_else(|| SqlError::out_of_range("BIGINT", &format!("abs({v})")))?,
            ),
        },
        tp::NEW_DECIMAL => c.decimal(0)?.map_or(Datum::Null, |v| Datum::Decimal(v.abs())),
        _ => c.double(0)?.map_or(Datum::Null, |v| Datum::Double(v.abs())),
    })
}

/// `ROUND(x[, d])` and `TRUNCATE(x, d)`.
fn rounded(c: &Call<'_>, half_up: bool) -> Result<Datum> {
    let digits = if c.has(1) { c.int(1)? } else { Some(0) };
    let Some(digits) = digits else { return Ok(Datum::Null) };
    let digits = digits.clamp(-81, 30) as i16;
    if matches!(c.ty.tp, tp::LONGLONG | tp::NEW_DECIMAL) {
        let Some(value) = c.decimal(0)? else { return Ok(Datum::Null) };
        let result =
            if half_up { value.round(digits).map_err(coerce::codec)? } else { value.truncate(digits) };
        return Ok(if c.ty.tp == tp::NEW_DECIMAL {
            Datum::Decimal(result)
        } else if c.ty.is_unsigned() {
            Datum::Uint(result.to_u64().map_err(coerce::codec)?)
        } else {
            Datum::Int(result.to_i64().map_err(coerce::codec)?)
        });
    }
    let Some(value) = c.double(0)? else { return Ok(Datum::Null) };
    let scale = 10f64.powi(i32::from(digits));
    let scaled = value * scale;
    if !scaled.is_finite() {
        return Ok(Datum::Double(value));
    }
    let whole = if half_up { scaled.round_ties_even() } else { scaled.trunc() };
    Ok(Datum::Double(whole / scale))
}

/// `CEIL` and `FLOOR`.
fn to_whole(
    c: &Call<'_>,
    decimal: fn(&Decimal) -> std::result::Result<Decimal, tidb_codec::CodecError>,
    double: fn(f64) -> f64,
) -> Result<Datum> {
    let value = c.value(0)?;
    if let Datum::Decimal(v) = &value {
        return decimal(v).and_then(|v| v.to_i64()).map(Datum::Int).map_err(coerce::codec);
    }
    if c.ty.tp == tp::LONGLONG {
        return Ok(value);
    }
    Ok(c.double(0)?.map_or(Datum::Null, |v| Datum::Double(double(v))))
}

/// A function of one double; results that are no number are NULL.
fn of_double(c: &Call<'_>, f: fn(f64) -> f64) -> Result<Datum> {
    Ok(match c.double(0)?.map(f) {
        Some(v) if v.is_finite() => Datum::Double(v),
        _ => Datum::Null,
    })
}

/// `POW(x, y)`; 1690 beyond a double.
fn pow(c: &Call<'_>) -> Result<Datum> {
    let (Some(x), Some(y)) = (c.double(0)?, c.double(1)?) else { return Ok(Datum::Null) };
    let value = x.powf(y);
    if value.is_finite() {
        Ok(Datum::Double(value))
    } else {
        Err(SqlError::out_of_range("DOUBLE", &format!("pow({x}, {y})")))
    }
}

/// `LOG([base, ]x)`; NULL where it is not defined.
fn log(c: &Call<'_>) -> Result<Datum> {
    let base = if c.has(1) { c.double(0)? } else { Some(std::f64::consts::E) };
    let value = c.double(if c.has(1) { 1 } else { 0 })?;
    Ok(match (base, value) {
        (Some(b), Some(v)) if b > 0.0 && b != 1.0 && v > 0.0 => Datum::Double(v.ln() / b.ln()),
        _ => Datum::Null,
    })
}

/// `RAND([seed])`: a number from 0 to below 1.
fn rand_(c: &Call<'_>) -> Result<Datum> {
    if c.has(0) {
        return Err(SqlError::unsupported("RAND with a seed"));
    }
    Ok(Datum::Double(rand::random::<f64>()))
}

/// `CONV(x, from, to)`: a number in another base.
fn conv(c: &Call<'_>) -> Result<Datum> {
    let (Some(text), Some(from), Some(to)) = (c.string(0)?, c.int(1)?, c.int(2)?) else {
        return Ok(Datum::Null);
    };
    let (from_base, to_base) = (from.unsigned_abs(), to.unsigned_abs());
    if !(2..=36).contains(&from_base) || !(2..=36).contains(&to_base) {
        return Ok(Datum::Null);
    }
    let text = text.trim();
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let radix = u32::try_from(from_base).unwrap_or(10);
    let magnitude = digits
        .chars()
        .map_while(|d| d.to_digit(radix))
        .fold(0u64, |sum, d| sum.saturating_mul(from_base).saturating_add(u64::from(d)));
    let value = if negative { magnitude.wrapping_neg() } else { magnitude };
    let (sign, mut rest) =
        if to < 0 && (value as i64) < 0 { ("-", (value as i64).unsigned_abs()) } else { ("", value) };
    let mut out = Vec::new();
    loop {
        let digit = char::from_digit((rest % to_base) as u32, 36).unwrap_or('0');
        out.push(digit.to_ascii_uppercase());
        rest /= to_base;
        if rest == 0 {
            break;
        }
    }
    let digits: String = out.iter().rev().collect();
    Ok(Datum::Bytes(format!("{sign}{digits}").into_bytes()))
}

/// Type of `MOD(a, b)`: as of `a % b`.
fn modulo_type(args: &[Expr]) -> ResultType {
    match args {
        [a, b] => operators::arithmetic_type(a.ty(), b.ty(), false, false),
        _ => ResultType::double(),
    }
}

/// The functions of this module.
pub(super) static TABLE: &[Builtin] = &[
    function("abs", 1, 1, numeric_type, abs),
    function("round", 1, 2, numeric_type, |c| rounded(c, true)),
    function("truncate", 2, 2, numeric_type, |c| rounded(c, false)),
    function("ceil", 1, 1, whole_type, |c| to_whole(c, Decimal::ceil, f64::ceil)),
    function("ceiling", 1, 1, whole_type, |c| to_whole(c, Decimal::ceil, f64::ceil)),
    function("floor", 1, 1, whole_type, |c| to_whole(c, Decimal::floor, f64::floor)),
    function("sign", 1, 1, int_type, |c| {
        Ok(int_or_null(c.double(0)?.map(|v| {
            if v > 0.0 {
                1
            } else if v < 0.0 {
                -1
            } else {
                0
            }
        })))
    }),
    function("mod", 2, 2, modulo_type, |c| operators::modulo(c.args, c.row, c.cx, c.ty)),
    function("pow", 2, 2, double_type, pow),
    function("power", 2, 2, double_type, pow),
    function("sqrt", 1, 1, double_type, |c| of_double(c, f64::sqrt)),
    function("exp", 1, 1, double_type, |c| of_double(c, f64::exp)),
    function("ln", 1, 1, double_type, |c| of_double(c, f64::ln)),
    function("log", 1, 2, double_type, log),
    function("log2", 1, 1, double_type, |c| of_double(c, f64::log2)),
    function("log10", 1, 1, double_type, |c| of_double(c, f64::log10)),
    function("sin", 1, 1, double_type, |c| of_double(c, f64::sin)),
    function("cos", 1, 1, double_type, |c| of_double(c, f64::cos)),
    function("tan", 1, 1, double_type, |c| of_double(c, f64::tan)),
    function("asin", 1, 1, double_type, |c| of_double(c, f64::asin)),
    function("acos", 1, 1, double_type, |c| of_double(c, f64::acos)),
    function("atan", 1, 1, double_type, |c| of_double(c, f64::atan)),
    function("radians", 1, 1, double_type, |c| of_double(c, f64::to_radians)),
    function("degrees", 1, 1, double_type, |c| of_double(c, f64::to_degrees)),
    function("pi", 0, 0, double_type, |_| Ok(Datum::Double(std::f64::consts::PI))),
    varying("rand", 0, 1, double_type, rand_),
    function("conv", 3, 3, text_type, conv),
    function("bin", 1, 1, text_type, |c| {
        Ok(c.integer(0)?.map_or(Datum::Null, |v| Datum::Bytes(format!("{:b}", v.bits()).into_bytes())))
    }),
    function("oct", 1, 1, text_type, |c| {
        Ok(c.integer(0)?.map_or(Datum::Null, |v| Datum::Bytes(format!("{:o}", v.bits()).into_bytes())))
    }),
    function("bit_count", 1, 1, int_type, |c| {
        Ok(int_or_null(c.integer(0)?.map(|v| i64::from(v.bits().count_ones()))))
    }),
    function("crc32", 1, 1, uint_type, |c| {
        Ok(c.bytes(0)?.map_or(Datum::Null, |b| Datum::Uint(u64::from(crc32(&b)))))
    }),
    function("values", 1, MANY, first_type, |_| {
        Err(SqlError::unsupported("VALUES() outside ON DUPLICATE KEY UPDATE"))
    }),
];

/// CRC-32 (IEEE) bit by bit: the function is for a value now and then.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    !crc
}
