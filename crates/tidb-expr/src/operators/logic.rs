//! Logic operators and tests of truth.

use tidb_codec::Datum;

use super::{arg, boolean};
use crate::coerce;
use crate::error::Result;
use crate::eval::EvalContext;
use crate::result_type::ResultType;
use crate::tree::Expr;

/// Whether an expression is true; `None` for NULL.
fn truth_of(expr: &Expr, row: &[Datum], cx: &EvalContext) -> Result<Option<bool>> {
    coerce::truth(&*expr.eval_ref(row, cx)?, expr.ty(), cx)
}

/// `a AND b …`: stops at the first that is false.
pub fn and(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    let mut all = Some(true);
    for arg in args {
        match truth_of(arg, row, cx)? {
            Some(false) => return Ok(Datum::Int(0)),
            other => all = all.and(other),
        }
    }
    Ok(boolean(all))
}

/// `a OR b …`: stops at the first that is true.
pub fn or(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    let mut none = Some(false);
    for arg in args {
        match truth_of(arg, row, cx)? {
            Some(true) => return Ok(Datum::Int(1)),
            other => none = none.and(other),
        }
    }
    Ok(boolean(none))
}

/// `a XOR b`.
pub fn xor(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    let left = truth_of(arg(args, 0)?, row, cx)?;
    let right = truth_of(arg(args, 1)?, row, cx)?;
    Ok(boolean(left.zip(right).map(|(l, r)| l != r)))
}

/// `NOT a`.
pub fn not(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    Ok(boolean(truth_of(arg(args, 0)?, row, cx)?.map(|v| !v)))
}

/// `a IS NULL`.
pub fn is_null(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    Ok(boolean(Some(arg(args, 0)?.eval_ref(row, cx)?.is_null())))
}

/// `a IS TRUE`.
pub fn is_true(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    Ok(boolean(Some(truth_of(arg(args, 0)?, row, cx)? == Some(true))))
}

/// `a IS FALSE`.
pub fn is_false(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    Ok(boolean(Some(truth_of(arg(args, 0)?, row, cx)? == Some(false))))
}
