//! Literals of SQL text as values.

use sqlparser::ast::{Expr as Ast, Value};
use tidb_codec::{Datum, Decimal};

use super::result_type::ResultType;
use crate::convert::LITERAL_BITS;
use crate::error::{Result, SqlError};

/// A number as MySQL reads it: whole, exact or approximate.
pub fn number(text: &str) -> Result<(Datum, ResultType)> {
    let digits = i64::try_from(text.len()).unwrap_or(i64::MAX);
    if text.contains(['e', 'E']) {
        let value: f64 = text.parse().map_err(|_| {
            SqlError::new(1367, format!("Illegal double '{text}' value found during parsing"))
        })?;
        return if value.is_finite() {
            Ok((Datum::Double(value), ResultType::double()))
        } else {
            Err(SqlError::new(1367, format!("Illegal double '{text}' value found during parsing")))
        };
    }
    if !text.contains('.') {
        if let Ok(value) = text.parse::<i64>() {
            return Ok((Datum::Int(value), ResultType { flen: digits, ..ResultType::int() }));
        }
        if let Ok(value) = text.parse::<u64>() {
            return Ok((Datum::Uint(value), ResultType { flen: digits, ..ResultType::uint() }));
        }
    }
    let value = Decimal::parse(text)
        .map_err(|_| SqlError::new(1367, format!("Illegal decimal '{text}' value found during parsing")))?;
    let scale = i64::from(value.scale());
    Ok((Datum::Decimal(value), ResultType::decimal(i64::from(value.precision()), scale)))
}

/// Type of `x'…'` and `b'…'`: bytes that are a number where a number is wanted.
fn bits_type(len: usize) -> ResultType {
    let flen = i64::try_from(len).unwrap_or(i64::MAX);
    let ty = ResultType::text_of(flen, crate::collation::binary());
    ResultType { flag: ty.flag | LITERAL_BITS, ..ty }
}

/// Bytes of a text of binary digits, filled up with zeros on the left.
fn binary_digits(digits: &str) -> Vec<u8> {
    let bits: Vec<u8> = digits.bytes().filter(|b| matches!(b, b'0' | b'1')).map(|b| b - b'0').collect();
    let missing = (8 - bits.len() % 8) % 8;
    let padded: Vec<u8> = std::iter::repeat_n(0, missing).chain(bits).collect();
    padded.chunks(8).map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | bit)).collect()
}

/// The value of a literal, but for placeholders.
///
/// # Errors
/// Forms that MySQL does not have, numbers out of range.
pub fn value(literal: &Value) -> Result<(Datum, ResultType)> {
    let text = |s: &str| {
        let flen = i64::try_from(s.chars().count()).unwrap_or(i64::MAX);
        (Datum::Bytes(s.as_bytes().to_vec()), ResultType::text_of(flen, crate::collation::utf8mb4_bin()))
    };
    Ok(match literal {
        Value::Number(digits, _) => number(digits)?,
        Value::SingleQuotedString(s) | Value::DoubleQuotedString(s) | Value::NationalStringLiteral(s) => {
            text(s)
        }
        Value::HexStringLiteral(digits) => {
            let bytes = super::functions::unhex_text(digits.as_bytes())
                .ok_or_else(|| SqlError::new(1064, format!("invalid hexadecimal literal '{digits}'")))?;
            let ty = bits_type(bytes.len());
            (Datum::Bytes(bytes), ty)
        }
        Value::SingleQuotedByteStringLiteral(digits) => {
            let bytes = binary_digits(digits);
            let ty = bits_type(bytes.len());
            (Datum::Bytes(bytes), ty)
        }
        Value::Boolean(v) => (Datum::Int(i64::from(*v)), ResultType { flen: 1, ..ResultType::int() }),
        Value::Null => (Datum::Null, ResultType::null()),
        other => return Err(SqlError::unsupported(format!("literal {other}"))),
    })
}

/// The value of an expression that is nothing but a literal, perhaps with a sign: what most rows of an INSERT are
/// made of. `None` for anything else.
pub fn plain(expr: &Ast) -> Result<Option<(Datum, ResultType)>> {
    use sqlparser::ast::UnaryOperator::{Minus, Plus};
    match expr {
        Ast::Value(v) if !matches!(v.value, Value::Placeholder(_)) => value(&v.value).map(Some),
        Ast::Nested(inner) => plain(inner),
        Ast::UnaryOp { op: Plus, expr } => plain(expr),
        Ast::UnaryOp { op: Minus, expr } => match expr.as_ref() {
            Ast::Value(v) => match &v.value {
                Value::Number(digits, _) => number(&format!("-{digits}")).map(Some),
                _ => Ok(None),
            },
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}
