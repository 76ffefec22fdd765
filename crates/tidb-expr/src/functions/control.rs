//! Choosing between values.

use std::cmp::Ordering;

use tidb_codec::Datum;

use super::{Builtin, Call, MANY, first_type, function, int_type, merged_type};
use crate::error::Result;
use crate::operators::adapt;
use crate::result_type::ResultType;
use crate::tree::Expr;
use crate::{coerce, compare};

/// Type of `IF`: that of its results.
fn if_type(args: &[Expr]) -> ResultType {
    merged_type(args.get(1..).unwrap_or_default())
}

/// `IF(condition, a, b)`.
fn if_(c: &Call<'_>) -> Result<Datum> {
    let chosen = if c.arg(0)?.is_true(c.row, c.cx)? { 1 } else { 2 };
    adapt(c.arg(chosen)?, c.row, c.cx, c.ty)
}

/// `COALESCE(a, …)`: the first that is not NULL.
fn coalesce(c: &Call<'_>) -> Result<Datum> {
    for arg in c.args {
        let value = adapt(arg, c.row, c.cx, c.ty)?;
        if !value.is_null() {
            return Ok(value);
        }
    }
    Ok(Datum::Null)
}

/// `NULLIF(a, b)`: NULL if they are equal, else `a`.
fn nullif(c: &Call<'_>) -> Result<Datum> {
    let equal = compare::exprs(c.arg(0)?, c.arg(1)?, c.row, c.cx)? == Some(Ordering::Equal);
    if equal { Ok(Datum::Null) } else { c.value(0) }
}

/// The least (or greatest) of the arguments.
fn extreme(c: &Call<'_>, wanted: Ordering) -> Result<Datum> {
    let mut best: Option<Datum> = None;
    for arg in c.args {
        let value = adapt(arg, c.row, c.cx, c.ty)?;
        if value.is_null() {
            return Ok(Datum::Null);
        }
        let better = match &best {
            Some(best) => compare::values(&value, best, c.ty.collation, c.cx)? == Some(wanted),
            None => true,
        };
        if better {
            best = Some(value);
        }
    }
    Ok(best.unwrap_or(Datum::Null))
}

/// `INTERVAL(n, a, b, …)`: how many of the sorted rest are not above the first.
fn interval(c: &Call<'_>) -> Result<Datum> {
    let Some(n) = c.double(0)? else { return Ok(Datum::Int(-1)) };
    let mut count = 0;
    for at in 1..c.args.len() {
        if c.double(at)?.is_some_and(|bound| bound > n) {
            break;
        }
        count += 1;
    }
    Ok(Datum::Int(count))
}

/// `ISNULL(x)`.
fn is_null(c: &Call<'_>) -> Result<Datum> {
    Ok(Datum::Int(i64::from(c.value(0)?.is_null())))
}

/// `STRCMP`: −1, 0 or 1.
fn strcmp(c: &Call<'_>) -> Result<Datum> {
    let (a, b) = (c.value(0)?, c.value(1)?);
    let (Some(x), Some(y)) = (coerce::text(&a, c.arg(0)?.ty()), coerce::text(&b, c.arg(1)?.ty())) else {
        return Ok(Datum::Null);
    };
    Ok(Datum::Int(compare::common_collation(c.arg(0)?, c.arg(1)?).compare(&x, &y) as i64))
}

/// The functions of this module.
pub(super) static TABLE: &[Builtin] = &[
    function("if", 3, 3, if_type, if_),
    function("ifnull", 2, 2, merged_type, coalesce),
    function("coalesce", 1, MANY, merged_type, coalesce),
    function("nullif", 2, 2, first_type, nullif),
    function("greatest", 2, MANY, merged_type, |c| extreme(c, Ordering::Greater)),
    function("least", 2, MANY, merged_type, |c| extreme(c, Ordering::Less)),
    function("interval", 2, MANY, int_type, interval),
    function("isnull", 1, 1, int_type, is_null),
    function("strcmp", 2, 2, int_type, strcmp),
    function("any_value", 1, 1, first_type, |c| c.value(0)),
];
