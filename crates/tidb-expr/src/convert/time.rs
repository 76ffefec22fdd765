//! DATE, DATETIME, TIMESTAMP, TIME.

use tidb_codec::{Datum, Duration, Time, TimeKind};

use super::Target;
use crate::coerce;
use crate::error::Result;
use crate::{EvalContext, ResultType};

/// A value for a `DATE`, `DATETIME` or `TIMESTAMP` column.
pub(super) fn date_time(
    value: &Datum,
    from: &ResultType,
    target: Target<'_>,
    cx: &EvalContext,
) -> Result<Datum> {
    let field = target.field;
    let kind = TimeKind::of_column(field.tp).unwrap_or(TimeKind::DateTime);
    let fsp = field.fsp();
    let shown = || coerce::string(value, from).unwrap_or_default();
    let parsed = match value {
        Datum::Time(time) => time.with_kind(kind, fsp).ok(),
        Datum::Duration(span) => Some(coerce::duration_today(span, kind, fsp, cx)?),
        Datum::Int(v) => Time::from_number(*v, kind, fsp).ok(),
        Datum::Uint(v) => i64::try_from(*v).ok().and_then(|v| Time::from_number(v, kind, fsp).ok()),
        _ => parse(&shown(), kind, fsp, cx),
    };
    let accepted = parsed.filter(|time| is_accepted(time, kind, cx));
    match accepted {
        Some(time) => Ok(Datum::Time(time)),
        None => {
            cx.bad_value(target.incorrect_time(message_kind(kind), &shown()))?;
            Ok(Datum::Time(Time::zero(kind, fsp)))
        }
    }
}

/// Word for the kind in messages: TIMESTAMP errors speak of datetime too.
fn message_kind(kind: TimeKind) -> &'static str {
    match kind {
        TimeKind::Date => "date",
        TimeKind::DateTime => "datetime",
        TimeKind::Timestamp => "timestamp",
    }
}

/// Text, perhaps with an offset from UTC behind it.
fn parse(text: &str, kind: TimeKind, fsp: u8, cx: &EvalContext) -> Option<Time> {
    let (time, offset) = Time::parse_with_offset(text, kind, fsp).ok()?;
    let Some(seconds) = offset else { return Some(time) };
    let micros = time.to_unix_micros().ok()? - i64::from(seconds) * 1_000_000;
    let utc = Time::from_unix_micros(micros, TimeKind::DateTime, fsp).ok()?;
    utc.from_utc_to(&cx.zone).and_then(|t| t.with_kind(kind, fsp)).ok()
}

/// Zero dates as the SQL mode says; a TIMESTAMP must be an instant between 1970 and 2038.
fn is_accepted(time: &Time, kind: TimeKind, cx: &EvalContext) -> bool {
    if time.is_zero() {
        return !(cx.mode.no_zero_date && cx.mode.strict);
    }
    if time.has_zero_part() {
        return kind != TimeKind::Timestamp && !cx.mode.no_zero_in_date;
    }
    kind != TimeKind::Timestamp || time.to_utc_from(&cx.zone).is_ok()
}

/// A value for a `TIME` column.
pub(super) fn duration(
    value: &Datum,
    from: &ResultType,
    target: Target<'_>,
    cx: &EvalContext,
) -> Result<Datum> {
    let fsp = target.field.fsp();
    let shown = || coerce::string(value, from).unwrap_or_default();
    let parsed = match value {
        Datum::Duration(span) => span.round(fsp),
        Datum::Int(v) => Duration::from_number(*v, fsp),
        Datum::Time(_) => match coerce::duration(value, from, fsp, cx)? {
            Some(span) => Ok(span),
            None => return Ok(Datum::Null),
        },
        _ => Duration::parse(&shown(), fsp),
    };
    match parsed {
        Ok(span) => Ok(Datum::Duration(span)),
        Err(tidb_codec::CodecError::OutOfRange { .. }) => {
            cx.bad_value(target.incorrect_time("time", &shown()))?;
            Ok(Datum::Duration(Duration::limit(shown().trim_start().starts_with('-'), fsp)))
        }
        Err(_) => {
            cx.bad_value(target.incorrect_time("time", &shown()))?;
            Ok(Datum::Duration(Duration::ZERO))
        }
    }
}
