//! Types that `CAST` and `CONVERT` name, and the casts themselves.

use sqlparser::ast::DataType;
use tidb_codec::field::{flag, tp};
use tidb_codec::{Datum, TimeKind};

use super::coerce;
use super::eval::EvalContext;
use super::result_type::ResultType;
use super::tree::Expr;
use crate::collation;
use crate::convert;
use crate::error::{Result, SqlError};

/// The result type that a cast's type names.
///
/// # Errors
/// Types that no cast may name.
pub(crate) fn of(data_type: &DataType) -> Result<ResultType> {
    let text = data_type.to_string().to_ascii_uppercase();
    let (name, rest) = text.split_once('(').unwrap_or((text.as_str(), ""));
    let numbers: Vec<i64> = rest.split([')', ',']).filter_map(|n| n.trim().parse().ok()).collect();
    let number = |at: usize| numbers.get(at).copied();
    let fsp = || u8::try_from(number(0).unwrap_or(0)).unwrap_or(0).min(6);
    Ok(match name.trim() {
        "SIGNED" | "SIGNED INTEGER" => ResultType::int(),
        "UNSIGNED" | "UNSIGNED INTEGER" => ResultType::uint(),
        "CHAR" | "CHARACTER" | "VARCHAR" | "NCHAR" => {
            ResultType::text_of(number(0).unwrap_or(-1), collation::utf8mb4_bin())
        }
        "BINARY" | "VARBINARY" => {
            let ty = ResultType::text_of(number(0).unwrap_or(-1), collation::binary());
            if number(0).is_some() { ResultType { tp: tp::STRING, ..ty } } else { ty }
        }
        "DATE" => ResultType::date(),
        "DATETIME" => ResultType::datetime(fsp()),
        "TIME" => ResultType::duration(fsp()),
        "DECIMAL" | "NUMERIC" | "DEC" => ResultType::decimal(number(0).unwrap_or(10), number(1).unwrap_or(0)),
        "DOUBLE" | "DOUBLE PRECISION" | "REAL" => ResultType::double(),
        "FLOAT" => ResultType { tp: tp::FLOAT, decimal: -1, ..ResultType::double() },
        "JSON" => ResultType::json(),
        "YEAR" => ResultType { tp: tp::YEAR, flag: flag::UNSIGNED, flen: 4, ..ResultType::int() },
        other => return Err(SqlError::unsupported(format!("CAST to {other}"))),
    })
}

/// Casts a value.
pub(super) fn eval(expr: &Expr, ty: &ResultType, row: &[Datum], cx: &EvalContext) -> Result<Datum> {
    let value = expr.eval(row, cx)?;
    let from = expr.ty();
    if value.is_null() {
        return Ok(Datum::Null);
    }
    // Text is cut at the point, numbers are rounded.
    let value = match value {
        Datum::Bytes(text) if ty.tp == tp::LONGLONG => Datum::Bytes(whole_part(text)),
        other => other,
    };
    Ok(match ty.tp {
        tp::LONGLONG if ty.is_unsigned() => {
            coerce::integer(&value, from, cx)?.map_or(Datum::Null, |v| Datum::Uint(v.bits()))
        }
        tp::LONGLONG => coerce::int(&value, from, cx)?.map_or(Datum::Null, Datum::Int),
        tp::DOUBLE => coerce::double(&value, from, cx)?.map_or(Datum::Null, Datum::Double),
        tp::FLOAT => coerce::double(&value, from, cx)?.map_or(Datum::Null, |v| Datum::Float(v as f32)),
        tp::DATE => coerce::time(&value, from, TimeKind::Date, 0, cx)?.map_or(Datum::Null, Datum::Time),
        tp::DATETIME => {
            coerce::time(&value, from, TimeKind::DateTime, ty.fsp(), cx)?.map_or(Datum::Null, Datum::Time)
        }
        tp::DURATION => coerce::duration(&value, from, ty.fsp(), cx)?.map_or(Datum::Null, Datum::Duration),
        _ => convert::cast(value, from, ty, cx)?,
    })
}

/// A number's text without its fraction, when it has no exponent.
fn whole_part(mut text: Vec<u8>) -> Vec<u8> {
    let (prefix, complete) = coerce::number_prefix(&text);
    if complete
        && !prefix.contains(['e', 'E'])
        && let Some(point) = text.iter().position(|b| *b == b'.')
    {
        text.truncate(point);
    }
    text
}
