//! Dates and times.

use tidb_codec::{Datum, Duration, Time, TimeKind};

use super::{Builtin, Call, fraction_digits, function, int_or_null, int_type};
use crate::coerce;
use crate::error::{Result, SqlError};
use crate::result_type::ResultType;
use crate::tree::Expr;

/// Days from 0000-00-00 to 1970-01-01 as `TO_DAYS` counts them.
const EPOCH_DAYS: i64 = 719_528;
/// Microseconds of a day.
const DAY_MICROS: i64 = 86_400_000_000;

/// Fraction digits given as a constant argument.
fn fsp_of(args: &[Expr]) -> u8 {
    match args.first() {
        Some(Expr::Const { value: Datum::Int(n), .. }) => u8::try_from(*n).unwrap_or(6).min(6),
        _ => 0,
    }
}

/// A time with the fraction digits that the argument gives.
fn datetime_type(args: &[Expr]) -> ResultType {
    ResultType::datetime(fsp_of(args))
}

/// A time of day with the fraction digits that the argument gives.
fn duration_type(args: &[Expr]) -> ResultType {
    ResultType::duration(fsp_of(args))
}

/// A date.
fn date_type(_: &[Expr]) -> ResultType {
    ResultType::date()
}

/// A time with microseconds.
pub(super) fn micro_datetime(_: &[Expr]) -> ResultType {
    ResultType::datetime(6)
}

/// A time of day with microseconds.
fn micro_duration(_: &[Expr]) -> ResultType {
    ResultType::duration(6)
}

/// `NOW([fsp])`: the statement's time in the session's zone.
fn now(c: &Call<'_>) -> Result<Datum> {
    coerce::now(c.cx, TimeKind::DateTime, fsp_of(c.args)).map(Datum::Time)
}

/// The statement's time in UTC.
fn utc(c: &Call<'_>, fsp: u8) -> Result<Time> {
    let unit = 10i64.pow(6 - u32::from(fsp));
    Time::from_unix_micros(c.cx.now.as_microsecond() / unit * unit, TimeKind::DateTime, fsp)
        .map_err(coerce::codec)
}

/// The time of day of a time.
fn clock(time: Time, fsp: u8) -> Result<Datum> {
    Duration::from_parts(false, u64::from(time.hour()), time.minute(), time.second(), time.micro(), fsp)
        .map(Datum::Duration)
        .map_err(coerce::codec)
}

/// One number of a date.
fn part(c: &Call<'_>, of: fn(&Time) -> i64) -> Result<Datum> {
    Ok(int_or_null(c.time(0)?.as_ref().map(of)))
}

/// One number of a time of day, which may also be a TIME or its text.
fn clock_part(c: &Call<'_>, of_span: fn(&Duration) -> i64, of_time: fn(&Time) -> i64) -> Result<Datum> {
    let value = c.value(0)?;
    if let Datum::Time(time) = &value {
        return Ok(Datum::Int(of_time(time)));
    }
    let fsp = if let Datum::Bytes(text) = &value { fraction_digits(text) } else { 0 };
    Ok(int_or_null(coerce::duration(&value, c.arg(0)?.ty(), fsp, c.cx)?.as_ref().map(of_span)))
}

/// Days since 0000-00-00; `None` with zero parts.
fn days(time: &Time) -> Option<i64> {
    if time.has_zero_part() {
        return None;
    }
    Some(time.to_unix_micros().ok()?.div_euclid(DAY_MICROS) + EPOCH_DAYS)
}

/// 0 for Monday.
pub(super) fn weekday(time: &Time) -> Option<i64> {
    days(time).map(|d| (d + 5).rem_euclid(7))
}

/// 1 for the first of January; `None` with zero parts.
pub(super) fn day_of_year(time: &Time) -> Option<i64> {
    time.to_civil().map(|civil| i64::from(civil.day_of_year()))
}

/// `DATE(x)`.
fn date(c: &Call<'_>) -> Result<Datum> {
    let time = c.time(0)?;
    Ok(time.and_then(|t| t.with_kind(TimeKind::Date, 0).ok()).map_or(Datum::Null, Datum::Time))
}

/// `TIME(x)`.
fn time_of(c: &Call<'_>) -> Result<Datum> {
    let value = c.value(0)?;
    let fsp = match &value {
        Datum::Bytes(text) => fraction_digits(text),
        Datum::Time(t) => t.fsp(),
        Datum::Duration(d) => d.fsp(),
        _ => 0,
    };
    Ok(coerce::duration(&value, c.arg(0)?.ty(), fsp, c.cx)?.map_or(Datum::Null, Datum::Duration))
}

/// `TIMESTAMP(x[, time])`.
fn timestamp(c: &Call<'_>) -> Result<Datum> {
    let Some(time) = c.time(0)? else { return Ok(Datum::Null) };
    let time = time.with_kind(TimeKind::DateTime, time.fsp()).map_err(coerce::codec)?;
    if !c.has(1) {
        return Ok(Datum::Time(time));
    }
    let Some(span) = coerce::duration(&c.value(1)?, c.arg(1)?.ty(), 6, c.cx)? else { return Ok(Datum::Null) };
    let micros = time.to_unix_micros().map_err(coerce::codec)? + span.nanos() / 1000;
    Time::from_unix_micros(micros, TimeKind::DateTime, 6).map(Datum::Time).map_err(coerce::codec)
}

/// `DATEDIFF(a, b)`: days from `b` to `a`.
fn datediff(c: &Call<'_>) -> Result<Datum> {
    let (Some(a), Some(b)) = (c.time(0)?, c.time(1)?) else { return Ok(Datum::Null) };
    Ok(int_or_null(days(&a).zip(days(&b)).map(|(a, b)| a - b)))
}

/// `LAST_DAY(x)`: the last day of the date's month.
fn last_day(c: &Call<'_>) -> Result<Datum> {
    let Some(time) = c.time(0)?.filter(|t| t.month() > 0) else { return Ok(Datum::Null) };
    let mut parts = time.parts();
    parts.day = 31;
    while !parts.day_exists() {
        parts.day -= 1;
    }
    Ok(Time::new(parts, TimeKind::Date, 0).map_or(Datum::Null, Datum::Time))
}

/// `TIMESTAMPDIFF(unit, a, b)`: the unit is the first argument, as text.
fn timestampdiff(c: &Call<'_>) -> Result<Datum> {
    let (Some(unit), Some(a), Some(b)) = (c.string(0)?, c.time(1)?, c.time(2)?) else {
        return Ok(Datum::Null);
    };
    let (Ok(from), Ok(to)) = (a.to_unix_micros(), b.to_unix_micros()) else { return Ok(Datum::Null) };
    let micros = to - from;
    let months = || {
        let count = |t: &Time| i64::from(t.year()) * 12 + i64::from(t.month());
        let rest = |t: &Time| (t.day(), t.hour(), t.minute(), t.second(), t.micro());
        let whole = count(&b) - count(&a);
        match whole {
            1.. if rest(&b) < rest(&a) => whole - 1,
            ..=-1 if rest(&b) > rest(&a) => whole + 1,
            other => other,
        }
    };
    let value = match unit.to_ascii_lowercase().trim_start_matches("sql_tsi_") {
        "microsecond" => micros,
        "second" => micros / 1_000_000,
        "minute" => micros / 60_000_000,
        "hour" => micros / 3_600_000_000,
        "day" => micros / DAY_MICROS,
        "week" => micros / (7 * DAY_MICROS),
        "month" => months(),
        "quarter" => months() / 3,
        "year" => months() / 12,
        other => return Err(SqlError::unsupported(format!("TIMESTAMPDIFF({other})"))),
    };
    Ok(Datum::Int(value))
}

/// `SEC_TO_TIME(x)`.
fn sec_to_time(c: &Call<'_>) -> Result<Datum> {
    let Some(seconds) = c.int(0)? else { return Ok(Datum::Null) };
    let span = Duration::new(seconds.saturating_mul(1_000_000_000), 0);
    Ok(Datum::Duration(span.unwrap_or_else(|_| Duration::limit(seconds < 0, 0))))
}

/// `TIME_TO_SEC(x)`.
fn time_to_sec(c: &Call<'_>) -> Result<Datum> {
    let value = c.value(0)?;
    Ok(int_or_null(coerce::duration(&value, c.arg(0)?.ty(), 0, c.cx)?.map(|d| d.nanos() / 1_000_000_000)))
}

/// The functions of this module.
pub(super) static TABLE: &[Builtin] = &[
    function("now", 0, 1, datetime_type, now),
    function("current_timestamp", 0, 1, datetime_type, now),
    function("localtime", 0, 1, datetime_type, now),
    function("localtimestamp", 0, 1, datetime_type, now),
    function("sysdate", 0, 1, datetime_type, now),
    function("curdate", 0, 0, date_type, |c| coerce::now(c.cx, TimeKind::Date, 0).map(Datum::Time)),
    function("current_date", 0, 0, date_type, |c| coerce::now(c.cx, TimeKind::Date, 0).map(Datum::Time)),
    function("curtime", 0, 1, duration_type, |c| {
        clock(coerce::now(c.cx, TimeKind::DateTime, fsp_of(c.args))?, fsp_of(c.args))
    }),
    function("current_time", 0, 1, duration_type, |c| {
        clock(coerce::now(c.cx, TimeKind::DateTime, fsp_of(c.args))?, fsp_of(c.args))
    }),
    function("utc_timestamp", 0, 1, datetime_type, |c| utc(c, fsp_of(c.args)).map(Datum::Time)),
    function("utc_date", 0, 0, date_type, |c| {
        utc(c, 0)?.with_kind(TimeKind::Date, 0).map(Datum::Time).map_err(coerce::codec)
    }),
    function("utc_time", 0, 1, duration_type, |c| clock(utc(c, fsp_of(c.args))?, fsp_of(c.args))),
    function("year", 1, 1, int_type, |c| part(c, |t| i64::from(t.year()))),
    function("month", 1, 1, int_type, |c| part(c, |t| i64::from(t.month()))),
    function("day", 1, 1, int_type, |c| part(c, |t| i64::from(t.day()))),
    function("dayofmonth", 1, 1, int_type, |c| part(c, |t| i64::from(t.day()))),
    function("quarter", 1, 1, int_type, |c| part(c, |t| i64::from(t.month().div_ceil(3)))),
    function("hour", 1, 1, int_type, |c| clock_part(c, |d| d.hours() as i64, |t| i64::from(t.hour()))),
    function("minute", 1, 1, int_type, |c| {
        clock_part(c, |d| i64::from(d.minutes()), |t| i64::from(t.minute()))
    }),
    function("second", 1, 1, int_type, |c| {
        clock_part(c, |d| i64::from(d.seconds()), |t| i64::from(t.second()))
    }),
    function("microsecond", 1, 1, int_type, |c| {
        clock_part(c, |d| i64::from(d.micros()), |t| i64::from(t.micro()))
    }),
    function("dayofweek", 1, 1, int_type, |c| {
        Ok(int_or_null(c.time(0)?.as_ref().and_then(weekday).map(|d| (d + 1) % 7 + 1)))
    }),
    function("weekday", 1, 1, int_type, |c| Ok(int_or_null(c.time(0)?.as_ref().and_then(weekday)))),
    function("dayofyear", 1, 1, int_type, |c| Ok(int_or_null(c.time(0)?.as_ref().and_then(day_of_year)))),
    function("to_days", 1, 1, int_type, |c| Ok(int_or_null(c.time(0)?.as_ref().and_then(days)))),
    function("to_seconds", 1, 1, int_type, |c| {
        let seconds = |t: Time| Some(t.to_unix_micros().ok()?.div_euclid(1_000_000) + EPOCH_DAYS * 86_400);
        Ok(int_or_null(c.time(0)?.filter(|t| !t.has_zero_part()).and_then(seconds)))
    }),
    function("from_days", 1, 1, date_type, |c| {
        let time = c.int(0)?.and_then(|d| {
            Time::from_unix_micros((d - EPOCH_DAYS).checked_mul(DAY_MICROS)?, TimeKind::Date, 0).ok()
        });
        Ok(time.map_or(Datum::Null, Datum::Time))
    }),
    function("date", 1, 1, date_type, date),
    function("time", 1, 1, micro_duration, time_of),
    function("timestamp", 1, 2, micro_datetime, timestamp),
    function("datediff", 2, 2, int_type, datediff),
    function("last_day", 1, 1, date_type, last_day),
    function("timestampdiff", 3, 3, int_type, timestampdiff),
    function("sec_to_time", 1, 1, |_| ResultType::duration(0), sec_to_time),
    function("time_to_sec", 1, 1, int_type, time_to_sec),
];
