//! Values as times.

use tidb_codec::{Datum, Duration, Time, TimeKind};

use super::codec;
use super::text::string;
use crate::error::{Result, SqlError};
use crate::eval::EvalContext;
use crate::result_type::ResultType;

/// The value as a date and time. `None` is NULL; what is no time is NULL with a warning.
pub fn time(
    value: &Datum,
    ty: &ResultType,
    kind: TimeKind,
    fsp: u8,
    cx: &EvalContext,
) -> Result<Option<Time>> {
    let parsed = match value {
        Datum::Null => return Ok(None),
        Datum::Time(v) => v.with_kind(kind, fsp),
        Datum::Duration(v) => return duration_today(v, kind, fsp, cx).map(Some),
        Datum::Int(v) => Time::from_number(*v, kind, fsp),
        Datum::Uint(v) => Time::from_number(i64::try_from(*v).unwrap_or(i64::MAX), kind, fsp),
        other => Time::parse(&string(other, ty).unwrap_or_default(), kind, fsp),
    };
    match parsed {
        Ok(time) => Ok(Some(time)),
        Err(_) => {
            let shown = string(value, ty).unwrap_or_default();
            cx.bad_value(SqlError::incorrect_value("datetime", &shown))?;
            Ok(None)
        }
    }
}

/// A time of day, today.
pub fn duration_today(value: &Duration, kind: TimeKind, fsp: u8, cx: &EvalContext) -> Result<Time> {
    let today = now(cx, TimeKind::Date, 0)?;
    let micros = today.to_unix_micros().map_err(codec)? + value.nanos() / 1000;
    Time::from_unix_micros(micros, kind, fsp).map_err(codec)
}

/// The statement's time in the session's zone; fraction digits beyond `fsp` are cut.
pub fn now(cx: &EvalContext, kind: TimeKind, fsp: u8) -> Result<Time> {
    let unit = 10i64.pow(6 - u32::from(fsp.min(6)));
    let micros = cx.now.as_microsecond() / unit * unit;
    let utc = Time::from_unix_micros(micros, TimeKind::DateTime, fsp).map_err(codec)?;
    utc.from_utc_to(&cx.zone).and_then(|t| t.with_kind(kind, fsp)).map_err(codec)
}

/// The value as a span of time. `None` is NULL; what is none is NULL with a warning.
pub fn duration(value: &Datum, ty: &ResultType, fsp: u8, cx: &EvalContext) -> Result<Option<Duration>> {
    let parsed = match value {
        Datum::Null => return Ok(None),
        Datum::Duration(v) => v.round(fsp),
        Datum::Time(v) => {
            let parts = v.parts();
            Duration::from_parts(false, u64::from(parts.hour), parts.minute, parts.second, parts.micro, fsp)
        }
        Datum::Int(v) => Duration::from_number(*v, fsp),
        other => Duration::parse(&string(other, ty).unwrap_or_default(), fsp),
    };
    match parsed {
        Ok(span) => Ok(Some(span)),
        Err(_) => {
            let shown = string(value, ty).unwrap_or_default();
            cx.bad_value(SqlError::incorrect_value("time", &shown))?;
            Ok(None)
        }
    }
}
