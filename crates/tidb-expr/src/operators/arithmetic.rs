//! `+`, `-`, `*` and the types of arithmetic.

use tidb_codec::field::tp;
use tidb_codec::{Datum, Decimal};

use super::arg;
use super::division::DIVISION_DIGITS;
use crate::coerce::{self, Integer};
use crate::error::{Result, SqlError};
use crate::eval::EvalContext;
use crate::result_type::ResultType;
use crate::tree::Expr;

/// Most fraction digits of a decimal.
const MAX_SCALE: u8 = 30;

/// How two operands' arithmetic is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// As 64-bit whole numbers.
    Int,
    /// As exact decimals.
    Decimal,
    /// As doubles.
    Double,
}

/// The class of an operand's type.
pub(super) fn class_of(ty: &ResultType) -> Class {
    match ty.tp {
        _ if ty.is_integer() => Class::Int,
        tp::NEW_DECIMAL => Class::Decimal,
        tp::NULL => Class::Int,
        tp::DATE | tp::DATETIME | tp::TIMESTAMP | tp::DURATION => {
            if ty.fsp() == 0 {
                Class::Int
            } else {
                Class::Decimal
            }
        }
        _ => Class::Double,
    }
}

/// Type of `a op b` for `+ - * %`; `/` is `divides`.
pub fn arithmetic_type(a: &ResultType, b: &ResultType, divides: bool, multiplies: bool) -> ResultType {
    let (left, right) = (class_of(a), class_of(b));
    if left == Class::Double || right == Class::Double {
        return ResultType::double();
    }
    let scale = |ty: &ResultType| if ty.is_integer() { 0 } else { ty.decimal.clamp(0, 30) };
    let digits = |ty: &ResultType| ty.flen.max(1) - scale(ty);
    if divides {
        let out = (scale(a) + i64::from(DIVISION_DIGITS)).min(i64::from(MAX_SCALE));
        return ResultType::decimal((digits(a) + scale(b) + out).min(65), out);
    }
    if left == Class::Int && right == Class::Int {
        return if a.is_unsigned() || b.is_unsigned() { ResultType::uint() } else { ResultType::int() };
    }
    if multiplies {
        let out = (scale(a) + scale(b)).min(i64::from(MAX_SCALE));
        return ResultType::decimal((digits(a) + digits(b) + out).min(65), out);
    }
    let out = scale(a).max(scale(b));
    ResultType::decimal((digits(a).max(digits(b)) + out + 1).min(65), out)
}

/// Text of an operation for messages, like TiDB's.
pub(super) fn shown(a: &Datum, a_type: &ResultType, op: &str, b: &Datum, b_type: &ResultType) -> String {
    let text = |v: &Datum, ty: &ResultType| coerce::string(v, ty).unwrap_or_else(|| "NULL".to_owned());
    format!("({} {op} {})", text(a, a_type), text(b, b_type))
}

/// One arithmetic operation for each class.
struct Operation {
    /// The operator, for messages.
    sign: &'static str,
    /// On whole numbers; `None` on overflow.
    int: fn(i128, i128) -> Option<i128>,
    /// On decimals.
    decimal: fn(&Decimal, &Decimal) -> std::result::Result<Decimal, tidb_codec::CodecError>,
    /// On doubles.
    double: fn(f64, f64) -> f64,
}

/// Evaluates an operation in the class of its result type.
///
/// # Errors
/// 1690 for a result beyond the type.
fn arithmetic(
    args: &[Expr],
    row: &[Datum],
    cx: &EvalContext,
    ty: &ResultType,
    op: &Operation,
) -> Result<Datum> {
    let (left, right) = (arg(args, 0)?, arg(args, 1)?);
    let (a, b) = (left.eval(row, cx)?, right.eval(row, cx)?);
    if a.is_null() || b.is_null() {
        return Ok(Datum::Null);
    }
    let out_of_range =
        |kind: &str| SqlError::out_of_range(kind, &shown(&a, left.ty(), op.sign, &b, right.ty()));
    match class_of(ty) {
        Class::Int => {
            let x = coerce::integer(&a, left.ty(), cx)?.map(Integer::wide).unwrap_or_default();
            let y = coerce::integer(&b, right.ty(), cx)?.map(Integer::wide).unwrap_or_default();
            let unsigned = left.ty().is_unsigned() || right.ty().is_unsigned();
            let result = (op.int)(x, y);
            if unsigned && !(cx.mode.no_unsigned_subtraction && op.sign == "-") {
                let value = result.and_then(|v| u64::try_from(v).ok());
                return value.map(Datum::Uint).ok_or_else(|| out_of_range("BIGINT UNSIGNED"));
            }
            result.and_then(|v| i64::try_from(v).ok()).map(Datum::Int).ok_or_else(|| out_of_range("BIGINT"))
        }
        Class::Decimal => {
            let x = coerce::decimal(&a, left.ty(), cx)?.unwrap_or(Decimal::ZERO);
            let y = coerce::decimal(&b, right.ty(), cx)?.unwrap_or(Decimal::ZERO);
            (op.decimal)(&x, &y).map(Datum::Decimal).map_err(|_| out_of_range("DECIMAL"))
        }
        Class::Double => {
            let x = coerce::double(&a, left.ty(), cx)?.unwrap_or_default();
            let y = coerce::double(&b, right.ty(), cx)?.unwrap_or_default();
            let value = (op.double)(x, y);
            if value.is_finite() { Ok(Datum::Double(value)) } else { Err(out_of_range("DOUBLE")) }
        }
    }
}

/// `a + b`.
pub fn add(args: &[Expr], row: &[Datum], cx: &EvalContext, ty: &ResultType) -> Result<Datum> {
    let op = Operation { sign: "+", int: i128::checked_add, decimal: Decimal::add, double: |a, b| a + b };
    arithmetic(args, row, cx, ty, &op)
}

/// `a - b`.
pub fn subtract(args: &[Expr], row: &[Datum], cx: &EvalContext, ty: &ResultType) -> Result<Datum> {
    let op = Operation { sign: "-", int: i128::checked_sub, decimal: Decimal::sub, double: |a, b| a - b };
    arithmetic(args, row, cx, ty, &op)
}

/// `a * b`.
pub fn multiply(args: &[Expr], row: &[Datum], cx: &EvalContext, ty: &ResultType) -> Result<Datum> {
    let op = Operation { sign: "*", int: i128::checked_mul, decimal: Decimal::mul, double: |a, b| a * b };
    arithmetic(args, row, cx, ty, &op)
}

/// `-a`.
pub fn negate(args: &[Expr], row: &[Datum], cx: &EvalContext, ty: &ResultType) -> Result<Datum> {
    let operand = arg(args, 0)?;
    let value = operand.eval(row, cx)?;
    if value.is_null() {
        return Ok(Datum::Null);
    }
    match class_of(ty) {
        Class::Int => {
            let wide = coerce::integer(&value, operand.ty(), cx)?.map(Integer::wide).unwrap_or_default();
            i64::try_from(-wide)
                .map(Datum::Int)
                .map_err(|_| SqlError::out_of_range("BIGINT", &format!("-({wide})")))
        }
        Class::Decimal => {
            Ok(Datum::Decimal(-coerce::decimal(&value, operand.ty(), cx)?.unwrap_or(Decimal::ZERO)))
        }
        Class::Double => Ok(Datum::Double(-coerce::double(&value, operand.ty(), cx)?.unwrap_or_default())),
    }
}
