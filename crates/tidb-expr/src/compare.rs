//! Comparing values of any two kinds.

use std::cmp::Ordering;

use tidb_codec::field::tp;
use tidb_codec::{Datum, Json, TimeKind};

use super::coerce;
use super::eval::EvalContext;
use super::result_type::ResultType;
use super::tree::Expr;
use crate::collation::{self, Collation};
use crate::error::{Result, SqlError};

/// Fraction digits kept when text is compared with a time.
const FULL_FSP: u8 = 6;

/// The collation by which two expressions' texts compare: bytes if either is a byte string, else that of a column,
/// else that of the left one.
pub fn common_collation(a: &Expr, b: &Expr) -> Collation {
    pick(a.ty(), matches!(a, Expr::Column { .. }), b.ty(), matches!(b, Expr::Column { .. }))
}

/// The collation of two types, of which either may be a column's.
fn pick(a: &ResultType, a_column: bool, b: &ResultType, b_column: bool) -> Collation {
    let textual = |ty: &ResultType| ty.is_string() || matches!(ty.tp, tp::ENUM | tp::SET);
    match (textual(a), textual(b)) {
        (true, true) if a.collation.is_binary() || b.collation.is_binary() => collation::binary(),
        (true, true) if b_column && !a_column => b.collation,
        (true, true) if !a_column && !a.collation.is_binary() && a.collation == collation::utf8mb4_bin() => {
            b.collation
        }
        (true, _) => a.collation,
        (_, true) => b.collation,
        _ => collation::utf8mb4_bin(),
    }
}

/// Compares two expressions for a row; `None` when either is NULL. Row values compare part by part.
///
/// # Errors
/// Values that do not compare, rows of different length.
pub fn exprs(a: &Expr, b: &Expr, row: &[Datum], cx: &EvalContext) -> Result<Option<Ordering>> {
    match (a, b) {
        (Expr::Row(left), Expr::Row(right)) => {
            if left.len() != right.len() {
                return Err(SqlError::new(1241, format!("Operand should contain {} column(s)", left.len())));
            }
            for (l, r) in left.iter().zip(right) {
                match exprs(l, r, row, cx)? {
                    Some(Ordering::Equal) => {}
                    other => return Ok(other),
                }
            }
            Ok(Some(Ordering::Equal))
        }
        _ => {
            let (left, right) = (a.eval_ref(row, cx)?, b.eval_ref(row, cx)?);
            typed(&left, a.ty(), &right, b.ty(), common_collation(a, b), cx)
        }
    }
}

/// Compares two values with their types.
///
/// # Errors
/// Values that do not compare.
pub fn typed(
    a: &Datum,
    a_type: &ResultType,
    b: &Datum,
    b_type: &ResultType,
    collation: Collation,
    cx: &EvalContext,
) -> Result<Option<Ordering>> {
    use Datum::{Bit, Bytes, Enum, Set};
    match (a, b) {
        (Enum(_) | Set(_) | Bit(_), Bytes(_)) | (Bytes(_), Enum(_) | Set(_) | Bit(_)) => {
            let (left, right) = (coerce::text(a, a_type), coerce::text(b, b_type));
            Ok(left.zip(right).map(|(l, r)| collation.compare(&l, &r)))
        }
        _ => values(a, b, collation, cx),
    }
}

/// Compares two values by their kinds alone; `None` when either is NULL.
///
/// # Errors
/// Values that do not compare.
pub fn values(a: &Datum, b: &Datum, collation: Collation, cx: &EvalContext) -> Result<Option<Ordering>> {
    use Datum::{Bit, Bytes, Decimal, Double, Duration, Enum, Float, Int, Json, Null, Set, Time, Uint};
    Ok(Some(match (a, b) {
        (Null, _) | (_, Null) => return Ok(None),
        (Int(a), Int(b)) => a.cmp(b),
        (Uint(a) | Enum(a) | Set(a) | Bit(a), Uint(b) | Enum(b) | Set(b) | Bit(b)) => a.cmp(b),
        (Int(a), Uint(b) | Enum(b) | Set(b) | Bit(b)) => i128::from(*a).cmp(&i128::from(*b)),
        (Uint(a) | Enum(a) | Set(a) | Bit(a), Int(b)) => i128::from(*a).cmp(&i128::from(*b)),
        (Bytes(a), Bytes(b)) => collation.compare(a, b),
        (Json(a), Json(b)) => a.compare(b),
        (Json(a), other) => a.compare(&scalar_json(other)?),
        (other, Json(b)) => scalar_json(other)?.compare(b),
        (Time(a), Time(b)) => a.compare(b),
        (Duration(a), Duration(b)) => a.compare(b),
        (Time(t), Duration(d)) => t.compare(&coerce::duration_today(d, TimeKind::DateTime, FULL_FSP, cx)?),
        (Duration(d), Time(t)) => coerce::duration_today(d, TimeKind::DateTime, FULL_FSP, cx)?.compare(t),
        (Time(_), Bytes(_) | Int(_) | Uint(_)) => return with_time(a, b, cx),
        (Bytes(_) | Int(_) | Uint(_), Time(_)) => return Ok(with_time(b, a, cx)?.map(Ordering::reverse)),
        (Duration(_), Bytes(_)) => return with_duration(a, b, cx),
        (Bytes(_), Duration(_)) => return Ok(with_duration(b, a, cx)?.map(Ordering::reverse)),
        (Decimal(_), Decimal(_) | Int(_) | Uint(_)) | (Int(_) | Uint(_), Decimal(_)) => {
            let ty = ResultType::null();
            let (left, right) = (coerce::decimal(a, &ty, cx)?, coerce::decimal(b, &ty, cx)?);
            return Ok(left.zip(right).map(|(l, r)| l.cmp(&r)));
        }
        (
            Float(_) | Double(_) | Decimal(_) | Bytes(_) | Int(_) | Uint(_) | Enum(_) | Set(_) | Bit(_)
            | Time(_) | Duration(_),
            _,
        ) => {
            let ty = ResultType::null();
            let (left, right) = (coerce::double(a, &ty, cx)?, coerce::double(b, &ty, cx)?);
            return Ok(left.zip(right).and_then(|(l, r)| l.partial_cmp(&r)));
        }
        (Datum::Vector(_), _) => return Err(SqlError::unsupported("VECTOR comparison")),
    }))
}

/// A plain value as JSON, for comparison with JSON.
fn scalar_json(value: &Datum) -> Result<Json> {
    super::json_value::from_datum(value, &ResultType::text())
}

/// Compares a time with text or a number, which is read as a time; if it is none, both are texts.
fn with_time(time: &Datum, other: &Datum, cx: &EvalContext) -> Result<Option<Ordering>> {
    let Datum::Time(left) = time else { return Ok(None) };
    let ty = ResultType::text();
    let parsed = match other {
        Datum::Bytes(text) => std::str::from_utf8(text)
            .ok()
            .and_then(|t| tidb_codec::Time::parse(t, TimeKind::DateTime, FULL_FSP).ok()),
        Datum::Int(v) => tidb_codec::Time::from_number(*v, TimeKind::DateTime, 0).ok(),
        Datum::Uint(v) => {
            i64::try_from(*v).ok().and_then(|v| tidb_codec::Time::from_number(v, TimeKind::DateTime, 0).ok())
        }
        _ => None,
    };
    if let Some(right) = parsed {
        return Ok(Some(left.compare(&right)));
    }
    let shown = coerce::string(other, &ty).unwrap_or_default();
    cx.bad_value(SqlError::incorrect_value("datetime", &shown))?;
    let own = coerce::text(time, &ty).unwrap_or_default().into_owned();
    Ok(Some(own.as_slice().cmp(shown.as_bytes())))
}

/// Compares a span with text.
fn with_duration(span: &Datum, other: &Datum, cx: &EvalContext) -> Result<Option<Ordering>> {
    let Datum::Duration(left) = span else { return Ok(None) };
    Ok(coerce::duration(other, &ResultType::text(), FULL_FSP, cx)?.map(|right| left.compare(&right)))
}

/// Order of values in `ORDER BY`, `GROUP BY` and `DISTINCT`: NULL first, values that do not compare are equal.
pub fn order(a: &Datum, b: &Datum, collation: Collation, cx: &EvalContext) -> Ordering {
    match (a.is_null(), b.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => values(a, b, collation, cx).ok().flatten().unwrap_or(Ordering::Equal),
    }
}
