//! `/`, `DIV` and `%`.

use tidb_codec::{Datum, Decimal};

use super::arg;
use super::arithmetic::{Class, class_of, shown};
use crate::coerce;
use crate::error::{Result, SqlError};
use crate::eval::EvalContext;
use crate::result_type::ResultType;
use crate::tree::Expr;

/// Fraction digits that division adds (`div_precision_increment`).
pub(super) const DIVISION_DIGITS: u8 = 4;

/// A division by zero is NULL: with a warning, or an error when writing.
fn by_zero(cx: &EvalContext) -> Result<Datum> {
    if cx.mode.error_for_division_by_zero {
        cx.bad_value(SqlError::new(1365, "Division by 0"))?;
    }
    Ok(Datum::Null)
}

/// `a / b`: exact for exact numbers, with more fraction digits than `a` has.
pub fn divide(args: &[Expr], row: &[Datum], cx: &EvalContext, ty: &ResultType) -> Result<Datum> {
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
pub fn int_divide(args: &[Expr], row: &[Datum], cx: &EvalContext, ty: &ResultType) -> Result<Datum> {
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

/// `a % b`: the rest has the sign of `a`.
pub fn modulo(args: &[Expr], row: &[Datum], cx: &EvalContext, ty: &ResultType) -> Result<Datum> {
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
