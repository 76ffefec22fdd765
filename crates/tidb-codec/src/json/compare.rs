//! MySQL's order of JSON values.

use super::read::{JsonRef, JsonValue};
use crate::{CodecError, Decimal, TimeKind, field::tp};
use std::cmp::Ordering;

/// Rank of a value's type; values of different ranks compare by it alone.
fn rank(value: &JsonValue<'_>) -> u8 {
    match value {
        JsonValue::Null => 0,
        JsonValue::Int(_) | JsonValue::Uint(_) | JsonValue::Double(_) => 1,
        JsonValue::String(_) => 2,
        JsonValue::Object(_) => 3,
        JsonValue::Array(_) => 4,
        JsonValue::Bool(_) => 5,
        JsonValue::Time(time) if time.kind() == TimeKind::Date => 6,
        JsonValue::Duration(_) => 7,
        JsonValue::Time(_) => 8,
        JsonValue::Opaque(tp::BIT, _) => 10,
        JsonValue::Opaque(
            tp::TINY_BLOB
            | tp::MEDIUM_BLOB
            | tp::LONG_BLOB
            | tp::BLOB
            | tp::STRING
            | tp::VARCHAR
            | tp::VAR_STRING,
            _,
        ) => 11,
        JsonValue::Opaque(..) => 9,
    }
}

/// Compares two values.
pub(super) fn compare(a: JsonRef<'_>, b: JsonRef<'_>) -> Result<Ordering, CodecError> {
    let (x, y) = (a.get()?, b.get()?);
    Ok(match (x, y) {
        (JsonValue::Bool(x), JsonValue::Bool(y)) => x.cmp(&y),
        (JsonValue::String(x), JsonValue::String(y)) => x.cmp(y),
        (JsonValue::Opaque(_, x), JsonValue::Opaque(_, y)) if rank(&a.get()?) == rank(&b.get()?) => x.cmp(y),
        (JsonValue::Time(x), JsonValue::Time(y)) if rank(&a.get()?) == rank(&b.get()?) => x.compare(&y),
        (JsonValue::Duration(x), JsonValue::Duration(y)) => x.compare(&y),
        (JsonValue::Array(x), JsonValue::Array(y)) => {
            for index in 0..x.min(y) {
                let order = compare(a.element(index)?, b.element(index)?)?;
                if order.is_ne() {
                    return Ok(order);
                }
            }
            x.cmp(&y)
        }
        (JsonValue::Object(x), JsonValue::Object(y)) => {
            if x != y {
                return Ok(x.cmp(&y));
            }
            for index in 0..x {
                let order = a.key(index)?.cmp(b.key(index)?);
                let order = if order.is_ne() {
                    order
                } else {
                    compare(a.object_value(index, x)?, b.object_value(index, y)?)?
                };
                if order.is_ne() {
                    return Ok(order);
                }
            }
            Ordering::Equal
        }
        (x, y) => compare_numbers(&x, &y).unwrap_or_else(|| rank(&x).cmp(&rank(&y))),
    })
}

/// Compares two numbers by value; `None` when one is no number.
fn compare_numbers(x: &JsonValue<'_>, y: &JsonValue<'_>) -> Option<Ordering> {
    use JsonValue::{Double, Int, Uint};
    Some(match (x, y) {
        (Int(x), Int(y)) => x.cmp(y),
        (Uint(x), Uint(y)) => x.cmp(y),
        (Int(x), Uint(y)) => i128::from(*x).cmp(&i128::from(*y)),
        (Uint(x), Int(y)) => i128::from(*x).cmp(&i128::from(*y)),
        (Double(x), Double(y)) => x.partial_cmp(y)?,
        (Double(x), Int(y)) => compare_double(*x, Decimal::from(*y)),
        (Double(x), Uint(y)) => compare_double(*x, Decimal::from(*y)),
        (Int(x), Double(y)) => compare_double(*y, Decimal::from(*x)).reverse(),
        (Uint(x), Double(y)) => compare_double(*y, Decimal::from(*x)).reverse(),
        _ => return None,
    })
}

/// Compares a double with a whole number.
fn compare_double(x: f64, y: Decimal) -> Ordering {
    match Decimal::from_f64(x) {
        Ok(x) => x.cmp(&y),
        Err(_) if x > 0.0 => Ordering::Greater,
        Err(_) => Ordering::Less,
    }
}
