//! Logic, comparison, arithmetic and bit operators.

use std::cmp::Ordering;

use tidb_codec::field::tp;
use tidb_codec::{Datum, Decimal};

use super::coerce::{self, Integer};
use super::compare;
use super::eval::EvalContext;
use super::result_type::ResultType;
use super::tree::Expr;
use crate::error::{Result, SqlError};

/// Fraction digits that division adds (`div_precision_increment`).
const DIVISION_DIGITS: u8 = 4;
/// Most fraction digits of a decimal.
const MAX_SCALE: u8 = 30;

fn boolean(value: Option<bool>) -> Datum {
    value.map_or(Datum::Null, |v| Datum::Int(i64::from(v)))
}

/// The argument at a position; functions are only built with as many as they take.
pub(crate) fn arg(args: &[Expr], at: usize) -> Result<&Expr> {
    args.get(at).ok_or_else(|| SqlError::internal("missing argument"))
}

fn truth_of(expr: &Expr, row: &[Datum], cx: &EvalContext) -> Result<Option<bool>> {
    coerce::truth(&expr.eval(row, cx)?, expr.ty(), cx)
}

pub(crate) fn and(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    let mut all = Some(true);
    for arg in args {
        match truth_of(arg, row, cx)? {
            Some(false) => return Ok(Datum::Int(0)),
            other => all = all.and(other),
        }
    }
    Ok(boolean(all))
}

pub(crate) fn or(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    let mut none = Some(false);
    for arg in args {
        match truth_of(arg, row, cx)? {
            Some(true) => return Ok(Datum::Int(1)),
            other => none = none.and(other),
        }
    }
    Ok(boolean(none))
}

pub(crate) fn xor(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    let left = truth_of(arg(args, 0)?, row, cx)?;
    let right = truth_of(arg(args, 1)?, row, cx)?;
    Ok(boolean(left.zip(right).map(|(l, r)| l != r)))
}

pub(crate) fn not(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    Ok(boolean(truth_of(arg(args, 0)?, row, cx)?.map(|v| !v)))
}

pub(crate) fn is_null(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    Ok(boolean(Some(arg(args, 0)?.eval(row, cx)?.is_null())))
}

pub(crate) fn is_true(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    Ok(boolean(Some(truth_of(arg(args, 0)?, row, cx)? == Some(true))))
}

pub(crate) fn is_false(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    Ok(boolean(Some(truth_of(arg(args, 0)?, row, cx)? == Some(false))))
}

fn comparison(args: &[Expr], row: &[Datum], cx: &EvalContext, holds: fn(Ordering) -> bool) -> Result<Datum> {
    Ok(boolean(compare::exprs(arg(args, 0)?, arg(args, 1)?, row, cx)?.map(holds)))
}

pub(crate) fn eq(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    comparison(args, row, cx, Ordering::is_eq)
}

pub(crate) fn ne(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    comparison(args, row, cx, Ordering::is_ne)
}

pub(crate) fn lt(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    comparison(args, row, cx, Ordering::is_lt)
}

pub(crate) fn le(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    comparison(args, row, cx, Ordering::is_le)
}

pub(crate) fn gt(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    comparison(args, row, cx, Ordering::is_gt)
}

pub(crate) fn ge(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    comparison(args, row, cx, Ordering::is_ge)
}

/// `<=>`: NULL equals NULL.
pub(crate) fn null_safe_eq(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    let (a, b) = (arg(args, 0)?, arg(args, 1)?);
    let equal = match compare::exprs(a, b, row, cx)? {
        Some(order) => order.is_eq(),
        None => a.eval(row, cx)?.is_null() && b.eval(row, cx)?.is_null(),
    };
    Ok(boolean(Some(equal)))
}

/// `a IN (b, c, …)`; the first argument is `a`.
pub(crate) fn in_list(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    let left = arg(args, 0)?;
    let mut unknown = false;
    for candidate in args.iter().skip(1) {
        match compare::exprs(left, candidate, row, cx)? {
            Some(Ordering::Equal) => return Ok(Datum::Int(1)),
            Some(_) => {}
            None => unknown = true,
        }
    }
    Ok(if unknown { Datum::Null } else { Datum::Int(0) })
}

/// `a LIKE b ESCAPE c`; the third argument is the escape character's text.
pub(crate) fn like(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    let (text, pattern, escape) = (arg(args, 0)?, arg(args, 1)?, arg(args, 2)?);
    let (value, mask, mark) = (text.eval(row, cx)?, pattern.eval(row, cx)?, escape.eval(row, cx)?);
    let (Some(value), Some(mask)) = (coerce::text(&value, text.ty()), coerce::text(&mask, pattern.ty()))
    else {
        return Ok(Datum::Null);
    };
    let mark = coerce::string(&mark, escape.ty()).and_then(|s| s.chars().next());
    let collation = compare::common_collation(text, pattern);
    Ok(boolean(Some(super::like::matches(&value, &mask, mark, collation))))
}

/// How two operands' arithmetic is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Int,
    Decimal,
    Double,
}

/// The class of an operand's type.
fn class_of(ty: &ResultType) -> Class {
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
pub(crate) fn arithmetic_type(a: &ResultType, b: &ResultType, divides: bool, multiplies: bool) -> ResultType {
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
fn shown(a: &Datum, a_type: &ResultType, op: &str, b: &Datum, b_type: &ResultType) -> String {
    let text = |v: &Datum, ty: &ResultType| coerce::string(v, ty).unwrap_or_else(|| "NULL".to_owned());
    format!("({} {op} {})", text(a, a_type), text(b, b_type))
}

/// One arithmetic operation for each class.
struct Operation {
    sign: &'static str,
    int: fn(i128, i128) -> Option<i128>,
    decimal: fn(&Decimal, &Decimal) -> std::result::Result<Decimal, tidb_codec::CodecError>,
    double: fn(f64, f64) -> f64,
}

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

pub(crate) fn add(args: &[Expr], row: &[Datum], cx: &EvalContext, ty: &ResultType) -> Result<Datum> {
    let op = Operation { sign: "+", int: i128::checked_add, decimal: Decimal::add, double: |a, b| a + b };
    arithmetic(args, row, cx, ty, &op)
}

pub(crate) fn subtract(args: &[Expr], row: &[Datum], cx: &EvalContext, ty: &ResultType) -> Result<Datum> {
    let op = Operation { sign: "-", int: i128::checked_sub, decimal: Decimal::sub, double: |a, b| a - b };
    arithmetic(args, row, cx, ty, &op)
}

pub(crate) fn multiply(args: &[Expr], row: &[Datum], cx: &EvalContext, ty: &ResultType) -> Result<Datum> {
    let op = Operation { sign: "*", int: i128::checked_mul, decimal: Decimal::mul, double: |a, b| a * b };
    arithmetic(args, row, cx, ty, &op)
}

/// A division by zero is NULL: with a warning, or an error when writing.
pub(crate) fn by_zero(cx: &EvalContext) -> Result<Datum> {
    if cx.mode.error_for_division_by_zero {
        cx.bad_value(SqlError::new(1365, "Division by 0"))?;
    }
    Ok(Datum::Null)
}

pub(crate) fn divide(args: &[Expr], row: &[Datum], cx: &EvalContext, ty: &ResultType) -> Result<Datum> {
    let (left, right) = (arg(args, 0)?, arg(args, 1)?);
    let (a, b) = (left.eval(row, cx)?, right.eval(row, cx)?);
    if class_of(ty) == Class::Double {
        let (Some(x), Some(y)) = (coerce::double(&a, left.ty(), cx)?, coerce::double(&b, right.ty(), cx)?)
        else {
            return Ok(Datum::Null);
        };
        return if y == 0.0 { by_zero(cx) } else { Ok(Datum::Double(x / y)) };
    }
    let (Some(x), Some(y)) = (coerce::decimal(&a, left.ty(), cx)?, coerce::decimal(&b, right.ty(), cx)?)
    else {
        return Ok(Datum::Null);
    };
    if y.is_zero() {
        return by_zero(cx);
    }
    x.div(&y, DIVISION_DIGITS).map(Datum::Decimal).map_err(coerce::codec)
}

/// `DIV`: the quotient's whole part.
pub(crate) fn int_divide(args: &[Expr], row: &[Datum], cx: &EvalContext, ty: &ResultType) -> Result<Datum> {
    let (left, right) = (arg(args, 0)?, arg(args, 1)?);
    let (a, b) = (left.eval(row, cx)?, right.eval(row, cx)?);
    let whole = |v: &ResultType| class_of(v) == Class::Int;
    let quotient = if whole(left.ty()) && whole(right.ty()) {
        let (Some(x), Some(y)) = (coerce::integer(&a, left.ty(), cx)?, coerce::integer(&b, right.ty(), cx)?)
        else {
            return Ok(Datum::Null);
        };
        if y.wide() == 0 {
            return by_zero(cx);
        }
        x.wide() / y.wide()
    } else {
        let (Some(x), Some(y)) = (coerce::double(&a, left.ty(), cx)?, coerce::double(&b, right.ty(), cx)?)
        else {
            return Ok(Datum::Null);
        };
        if y == 0.0 {
            return by_zero(cx);
        }
        (x / y).trunc() as i128
    };
    let fits = if ty.is_unsigned() {
        u64::try_from(quotient).map(Datum::Uint).ok()
    } else {
        i64::try_from(quotient).map(Datum::Int).ok()
    };
    fits.ok_or_else(|| SqlError::out_of_range("BIGINT", &shown(&a, left.ty(), "DIV", &b, right.ty())))
}

pub(crate) fn modulo(args: &[Expr], row: &[Datum], cx: &EvalContext, ty: &ResultType) -> Result<Datum> {
    let (left, right) = (arg(args, 0)?, arg(args, 1)?);
    let b = right.eval(row, cx)?;
    if coerce::truth(&b, right.ty(), cx)? == Some(false) {
        return by_zero(cx);
    }
    let a = left.eval(row, cx)?;
    let (Some(x), Some(y)) = (coerce::integer(&a, left.ty(), cx)?, coerce::integer(&b, right.ty(), cx)?)
    else {
        return Ok(Datum::Null);
    };
    match class_of(ty) {
        Class::Int => {
            let rest = x.wide() % y.wide();
            Ok(if left.ty().is_unsigned() { Datum::Uint(rest as u64) } else { Datum::Int(rest as i64) })
        }
        Class::Decimal => {
            let x = coerce::decimal(&a, left.ty(), cx)?.unwrap_or(Decimal::ZERO);
            let y = coerce::decimal(&b, right.ty(), cx)?.unwrap_or(Decimal::ZERO);
            x.rem(&y).map(Datum::Decimal).map_err(coerce::codec)
        }
        Class::Double => {
            let x = coerce::double(&a, left.ty(), cx)?.unwrap_or_default();
            let y = coerce::double(&b, right.ty(), cx)?.unwrap_or_default();
            Ok(Datum::Double(x % y))
        }
    }
}

pub(crate) fn negate(args: &[Expr], row: &[Datum], cx: &EvalContext, ty: &ResultType) -> Result<Datum> {
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

fn bits(args: &[Expr], row: &[Datum], cx: &EvalContext, op: fn(u64, u64) -> u64) -> Result<Datum> {
    let (left, right) = (arg(args, 0)?, arg(args, 1)?);
    let a = coerce::integer(&left.eval(row, cx)?, left.ty(), cx)?;
    let b = coerce::integer(&right.eval(row, cx)?, right.ty(), cx)?;
    Ok(a.zip(b).map_or(Datum::Null, |(a, b)| Datum::Uint(op(a.bits(), b.bits()))))
}

pub(crate) fn bit_and(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    bits(args, row, cx, |a, b| a & b)
}

pub(crate) fn bit_or(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    bits(args, row, cx, |a, b| a | b)
}

pub(crate) fn bit_xor(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    bits(args, row, cx, |a, b| a ^ b)
}

pub(crate) fn shift_left(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    bits(args, row, cx, |a, b| u32::try_from(b).ok().and_then(|b| a.checked_shl(b)).unwrap_or(0))
}

pub(crate) fn shift_right(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    bits(args, row, cx, |a, b| u32::try_from(b).ok().and_then(|b| a.checked_shr(b)).unwrap_or(0))
}

pub(crate) fn bit_not(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    let operand = arg(args, 0)?;
    let value = coerce::integer(&operand.eval(row, cx)?, operand.ty(), cx)?;
    Ok(value.map_or(Datum::Null, |v| Datum::Uint(!v.bits())))
}

/// `CASE`: pairs of condition and result, then perhaps an `ELSE`.
pub(crate) fn case_when(args: &[Expr], row: &[Datum], cx: &EvalContext, ty: &ResultType) -> Result<Datum> {
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
pub(crate) fn adapt(expr: &Expr, row: &[Datum], cx: &EvalContext, ty: &ResultType) -> Result<Datum> {
    let value = expr.eval(row, cx)?;
    adapt_value(value, expr.ty(), ty, cx)
}

/// Gives a value the kind of a wider type.
pub(crate) fn adapt_value(
    value: Datum,
    from: &ResultType,
    ty: &ResultType,
    cx: &EvalContext,
) -> Result<Datum> {
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
