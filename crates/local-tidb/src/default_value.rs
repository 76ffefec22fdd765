//! Default values of columns.

use jiff::tz::TimeZone;
use serde_json::Value;
use tidb_codec::field::{flag, tp};
use tidb_codec::{Datum, Decimal, Duration, Json, Time};

use crate::catalog::Column;
use crate::convert::{self, Target};
use crate::error::{Result, SqlError};
use crate::expr::{EvalContext, ModeFlags, ResultType, SessionFacts, coerce};
use crate::store::row::time_kind;

/// Text that stands for the time of the statement in a default.
pub(crate) const CURRENT_TIMESTAMP: &str = "CURRENT_TIMESTAMP";

/// A context that takes stored defaults as they are.
fn lenient(zone: &TimeZone) -> EvalContext {
    let mode = ModeFlags::from_names("");
    EvalContext::new(jiff::Timestamp::UNIX_EPOCH, zone.clone(), mode, SessionFacts::default())
}

/// Reads a default as stored in the schema.
fn from_stored(column: &Column, default: &Value, bits: Option<&Vec<u8>>, zone: &TimeZone) -> Result<Datum> {
    if column.ty.tp == tp::BIT {
        let bytes =
            bits.cloned().or_else(|| default.as_str().map(|s| s.as_bytes().to_vec())).unwrap_or_default();
        return Ok(Datum::Bit(bytes.iter().fold(0, |sum, b| sum << 8 | u64::from(*b))));
    }
    let text = match default {
        Value::String(s) => s.clone(),
        other => other.to_string(),
    };
    // Stored TIMESTAMP defaults are in UTC.
    let utc = column.ty.tp == tp::TIMESTAMP;
    let own_zone = if utc { TimeZone::UTC } else { zone.clone() };
    let cx = lenient(&own_zone);
    let target = Target { name: column.name(), field: &column.info.field_type, row: 1 };
    let value = convert::to_column(Datum::Bytes(text.into_bytes()), &ResultType::text(), target, &cx)?;
    match value {
        Datum::Time(time) if utc => time.from_utc_to(zone).map(Datum::Time).map_err(coerce::codec),
        other => Ok(other),
    }
}

/// The value that rows older than a column have.
///
/// # Errors
/// A stored default that cannot be read.
pub(crate) fn origin(column: &Column, zone: &TimeZone) -> Result<Datum> {
    let info = &column.info;
    if !info.origin_default.is_null() || info.origin_default_bit.is_some() {
        return from_stored(column, &info.origin_default, info.origin_default_bit.as_ref(), zone);
    }
    Ok(if column.is_not_null() { zero(column) } else { Datum::Null })
}

/// The value of a column that an INSERT leaves out; `None` when it has no default.
///
/// # Errors
/// A stored default that cannot be read.
pub(crate) fn current(column: &Column, cx: &EvalContext) -> Result<Option<Datum>> {
    let info = &column.info;
    if info.default_is_expr {
        return Err(SqlError::unsupported(format!("expression default of column '{}'", column.name())));
    }
    if info.default.as_str() == Some(CURRENT_TIMESTAMP) && column.ty.is_time() {
        return coerce::now(cx, time_kind(column), column.ty.fsp()).map(|t| Some(Datum::Time(t)));
    }
    if !info.default.is_null() || info.default_bit.is_some() {
        return from_stored(column, &info.default, info.default_bit.as_ref(), &cx.zone).map(Some);
    }
    Ok(if column.is_not_null() { None } else { Some(Datum::Null) })
}

/// Whether a column takes the statement's time at every UPDATE.
pub(crate) fn updates_now(column: &Column) -> bool {
    column.info.has_flag(flag::ON_UPDATE_NOW)
}

/// The zero value of a column's type.
pub(crate) fn zero(column: &Column) -> Datum {
    let field = &column.info.field_type;
    match field.tp {
        tp::TINY | tp::SHORT | tp::INT24 | tp::LONG | tp::LONGLONG if field.is_unsigned() => Datum::Uint(0),
        tp::TINY | tp::SHORT | tp::INT24 | tp::LONG | tp::LONGLONG | tp::YEAR => Datum::Int(0),
        tp::FLOAT => Datum::Float(0.0),
        tp::DOUBLE => Datum::Double(0.0),
        tp::NEW_DECIMAL => {
            let scale = i16::try_from(field.decimal).unwrap_or(0);
            Datum::Decimal(Decimal::ZERO.round(scale).unwrap_or(Decimal::ZERO))
        }
        tp::DATE | tp::NEW_DATE | tp::DATETIME | tp::TIMESTAMP => {
            Datum::Time(Time::zero(time_kind(column), field.fsp()))
        }
        tp::DURATION => Datum::Duration(Duration::new(0, field.fsp()).unwrap_or(Duration::ZERO)),
        tp::ENUM => Datum::Enum(1),
        tp::SET => Datum::Set(0),
        tp::BIT => Datum::Bit(0),
        tp::JSON => Datum::Json(Json::null()),
        _ => Datum::Bytes(Vec::new()),
    }
}
