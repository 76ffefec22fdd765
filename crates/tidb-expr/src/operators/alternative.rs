//! `CASE`, and the common kind of several alternatives.

use tidb_codec::Datum;
use tidb_codec::field::tp;

use crate::coerce;
use crate::error::Result;
use crate::eval::EvalContext;
use crate::result_type::ResultType;
use crate::tree::Expr;

/// `CASE`: pairs of condition and result, then perhaps an `ELSE`.
pub fn case_when(args: &[Expr], row: &[Datum], cx: &EvalContext, ty: &ResultType) -> Result<Datum> {
    let mut rest = args;
    while let [condition, result, tail @ ..] = rest {
        if condition.is_true(row, cx)? {
            return adapt(result, row, cx, ty);
        }
        rest = tail;
    }
    rest.first().map_or(Ok(Datum::Null), |otherwise| adapt(otherwise, row, cx, ty))
}

/// Evaluates one of several alternatives and gives it the kind of their common type.
pub fn adapt(expr: &Expr, row: &[Datum], cx: &EvalContext, ty: &ResultType) -> Result<Datum> {
    let value = expr.eval(row, cx)?;
    adapt_value(value, expr.ty(), ty, cx)
}

/// Gives a value the kind of a wider type.
pub fn adapt_value(value: Datum, from: &ResultType, ty: &ResultType, cx: &EvalContext) -> Result<Datum> {
    if value.is_null() || from.tp == ty.tp && from.is_unsigned() == ty.is_unsigned() {
        return Ok(value);
    }
    Ok(match ty.tp {
        _ if ty.is_string() => {
            coerce::text(&value, from).map_or(Datum::Null, |t| Datum::Bytes(t.into_owned()))
        }
        tp::NEW_DECIMAL => coerce::decimal(&value, from, cx)?.map_or(Datum::Null, Datum::Decimal),
        tp::DOUBLE => coerce::double(&value, from, cx)?.map_or(Datum::Null, Datum::Double),
        tp::LONGLONG if ty.is_unsigned() => {
            coerce::integer(&value, from, cx)?.map_or(Datum::Null, |v| Datum::Uint(v.bits()))
        }
        tp::LONGLONG => coerce::int(&value, from, cx)?.map_or(Datum::Null, Datum::Int),
        tp::DATETIME => coerce::time(&value, from, tidb_codec::TimeKind::DateTime, ty.fsp(), cx)?
            .map_or(Datum::Null, Datum::Time),
        _ => value,
    })
}
