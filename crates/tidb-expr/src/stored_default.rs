//! Defaults of columns as the schema stores them.

use jiff::tz::TimeZone;
use serde_json::Value;
use tidb_codec::field::{FieldType, tp};
use tidb_codec::{Datum, Decimal, Duration, Json, Time, TimeKind};
use tidb_schema::ColumnInfo;

use crate::convert::{self, Target};
use crate::error::Result;
use crate::{EvalContext, ModeFlags, ResultType, SessionFacts, coerce};

/// Column version from which TIMESTAMP defaults are stored in UTC; before, they are in the zone of the cluster.
const UTC_DEFAULTS_SINCE: u64 = 1;

/// A context that takes stored defaults as they are.
fn lenient(zone: &TimeZone) -> EvalContext {
    let mode = ModeFlags::from_names("");
    EvalContext::new(jiff::Timestamp::UNIX_EPOCH, zone.clone(), mode, SessionFacts::default())
}

/// Reads a default as stored in the schema; `bits` is that of a BIT column.
///
/// # Errors
/// A default that is no value of the column's type.
pub fn read(column: &ColumnInfo, default: &Value, bits: Option<&Vec<u8>>, zone: &TimeZone) -> Result<Datum> {
    let field = &column.field_type;
    if field.tp == tp::BIT {
        let bytes =
            bits.cloned().or_else(|| default.as_str().map(|s| s.as_bytes().to_vec())).unwrap_or_default();
        return Ok(Datum::Bit(bytes.iter().fold(0, |sum, b| sum << 8 | u64::from(*b))));
    }
    let text = match default {
        Value::String(s) => s.clone(),
        other => other.to_string(),
    };
    let utc = field.tp == tp::TIMESTAMP && column.version >= UTC_DEFAULTS_SINCE;
    let own_zone = if utc { TimeZone::UTC } else { zone.clone() };
    let cx = lenient(&own_zone);
    let target = Target { name: &column.name.o, field, row: 1 };
    let value = convert::to_column(Datum::Bytes(text.into_bytes()), &ResultType::text(), target, &cx)?;
    match value {
        Datum::Time(time) if utc && !time.is_zero() => {
            time.from_utc_to(zone).map(Datum::Time).map_err(coerce::codec)
        }
        other => Ok(other),
    }
}

/// The value that rows older than a column have.
///
/// # Errors
/// As [`read`].
pub fn origin(column: &ColumnInfo, zone: &TimeZone) -> Result<Datum> {
    if !column.origin_default.is_null() || column.origin_default_bit.is_some() {
        return read(column, &column.origin_default, column.origin_default_bit.as_ref(), zone);
    }
    Ok(if column.is_not_null() { zero(&column.field_type) } else { Datum::Null })
}

/// The zero value of a type.
pub fn zero(field: &FieldType) -> Datum {
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
            let kind = TimeKind::of_column(field.tp).unwrap_or(TimeKind::DateTime);
            Datum::Time(Time::zero(kind, field.fsp()))
        }
        tp::DURATION => Datum::Duration(Duration::new(0, field.fsp()).unwrap_or(Duration::ZERO)),
        tp::ENUM => Datum::Enum(1),
        tp::SET => Datum::Set(0),
        tp::BIT => Datum::Bit(0),
        tp::JSON => Datum::Json(Json::null()),
        _ => Datum::Bytes(Vec::new()),
    }
}
