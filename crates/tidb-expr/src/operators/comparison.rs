//! Comparison operators, `IN` and `LIKE`.

use std::cmp::Ordering;

use tidb_codec::Datum;

use super::{arg, boolean};
use crate::error::Result;
use crate::eval::EvalContext;
use crate::result_type::ResultType;
use crate::tree::Expr;
use crate::{coerce, compare};

/// Whether the order of two operands is as wanted; NULL if either is.
fn comparison(args: &[Expr], row: &[Datum], cx: &EvalContext, holds: fn(Ordering) -> bool) -> Result<Datum> {
    Ok(boolean(compare::exprs(arg(args, 0)?, arg(args, 1)?, row, cx)?.map(holds)))
}

/// `a = b`.
pub fn eq(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    comparison(args, row, cx, Ordering::is_eq)
}

/// `a <> b`.
pub fn ne(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    comparison(args, row, cx, Ordering::is_ne)
}

/// `a < b`.
pub fn lt(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    comparison(args, row, cx, Ordering::is_lt)
}

/// `a <= b`.
pub fn le(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    comparison(args, row, cx, Ordering::is_le)
}

/// `a > b`.
pub fn gt(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    comparison(args, row, cx, Ordering::is_gt)
}

/// `a >= b`.
pub fn ge(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    comparison(args, row, cx, Ordering::is_ge)
}

/// `<=>`: NULL equals NULL.
pub fn null_safe_eq(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    let (a, b) = (arg(args, 0)?, arg(args, 1)?);
    let equal = match compare::exprs(a, b, row, cx)? {
        Some(order) => order.is_eq(),
        None => a.eval_ref(row, cx)?.is_null() && b.eval_ref(row, cx)?.is_null(),
    };
    Ok(boolean(Some(equal)))
}

/// `a IN (b, c, …)`; the first argument is `a`.
pub fn in_list(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
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
pub fn like(args: &[Expr], row: &[Datum], cx: &EvalContext, _: &ResultType) -> Result<Datum> {
    let (text, pattern, escape) = (arg(args, 0)?, arg(args, 1)?, arg(args, 2)?);
    let (value, mask, mark) =
        (text.eval_ref(row, cx)?, pattern.eval_ref(row, cx)?, escape.eval_ref(row, cx)?);
    let (Some(value), Some(mask)) = (coerce::text(&value, text.ty()), coerce::text(&mask, pattern.ty()))
    else {
        return Ok(Datum::Null);
    };
    let mark = coerce::string(&mark, escape.ty()).and_then(|s| s.chars().next());
    let collation = compare::common_collation(text, pattern);
    Ok(boolean(Some(crate::like::matches(&value, &mask, mark, collation))))
}
