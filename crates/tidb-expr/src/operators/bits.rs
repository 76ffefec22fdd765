//! Bit operators: operands and results are unsigned 64-bit numbers.

use tidb_codec::Datum;

use super::arg;
use crate::coerce;
use crate::error::Result;
use crate::eval::EvalContext;
use crate::result_type::ResultType;
use crate::tree::Expr;

/// An operation on the bits of two operands; NULL if either is.
fn bits(args: &[Expr], row: &[Datum], cx: &EvalContext, op: fn(u64, u64) -> u64) -> Result<Datum> {
    let (left, right) = (arg(args, 0)?, arg(args, 1)?);
    let a = coerce::integer(&left.eval(row, cx)?, left.ty(), cx)?;
    let b = coerce::integer(&right.eval(row, cx)?, right.ty(), cx)?;
    Ok(a.zip(b).map_or(Datum::Null, |(a, b)| Datum::Uint(op(a.bits(), b.bits()))))
}

/// `a & b`.
pub fn bit_and(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    bits(args, row, cx, |a, b| a & b)
}

/// `a | b`.
pub fn bit_or(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    bits(args, row, cx, |a, b| a | b)
}

/// `a ^ b`.
pub fn bit_xor(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    bits(args, row, cx, |a, b| a ^ b)
}

/// `a << b`: 0 when all bits are shifted out.
pub fn shift_left(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    bits(args, row, cx, |a, b| u32::try_from(b).ok().and_then(|b| a.checked_shl(b)).unwrap_or(0))
}

/// `a >> b`: 0 when all bits are shifted out.
pub fn shift_right(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    bits(args, row, cx, |a, b| u32::try_from(b).ok().and_then(|b| a.checked_shr(b)).unwrap_or(0))
}

/// `~a`.
pub fn bit_not(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    let operand = arg(args, 0)?;
    let value = coerce::integer(&operand.eval(row, cx)?, operand.ty(), cx)?;
    Ok(value.map_or(Datum::Null, |v| Datum::Uint(!v.bits())))
}
