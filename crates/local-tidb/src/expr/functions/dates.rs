//! Dates and times.

use tidb_codec::{Datum, Duration, Time, TimeKind};

use super::{Builtin, Call, fraction_digits, function, int_or_null, int_type, text_type, uint_type};
use crate::error::{Result, SqlError};
use crate::expr::coerce;
use crate::expr::result_type::ResultType;
use crate::expr::tree::Expr;

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

fn datetime_type(args: &[Expr]) -> ResultType {
    ResultType::datetime(fsp_of(args))
}

fn duration_type(args: &[Expr]) -> ResultType {
    ResultType::duration(fsp_of(args))
}

fn date_type(_: &[Expr]) -> ResultType {
    ResultType::date()
}

fn micro_datetime(_: &[Expr]) -> ResultType {
    ResultType::datetime(6)
}

fn micro_duration(_: &[Expr]) -> ResultType {
    ResultType::duration(6)
}

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
fn weekday(time: &Time) -> Option<i64> {
    days(time).map(|d| (d + 5).rem_euclid(7))
}

fn day_of_year(time: &Time) -> Option<i64> {
    time.to_civil().map(|civil| i64::from(civil.day_of_year()))
}

fn date(c: &Call<'_>) -> Result<Datum> {
    let time = c.time(0)?;
    Ok(time.and_then(|t| t.with_kind(TimeKind::Date, 0).ok()).map_or(Datum::Null, Datum::Time))
}

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

/// `UNIX_TIMESTAMP([x])`.
fn unix_timestamp(c: &Call<'_>) -> Result<Datum> {
    if !c.has(0) {
        return Ok(Datum::Int(c.cx.now.as_second()));
    }
    let Some(time) = c.time(0)? else { return Ok(Datum::Null) };
    if time.has_zero_part() {
        return Ok(Datum::Int(0));
    }
    let utc = time.with_kind(TimeKind::DateTime, time.fsp()).and_then(|t| t.to_utc_from(&c.cx.zone));
    let Ok(micros) = utc.and_then(|t| t.to_unix_micros()) else { return Ok(Datum::Int(0)) };
    if time.fsp() == 0 {
        return Ok(Datum::Int(micros.max(0) / 1_000_000));
    }
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    let exact = tidb_codec::Decimal::parse(&text).and_then(|d| d.round(i16::from(time.fsp())));
    exact.map(Datum::Decimal).map_err(coerce::codec)
}

fn unix_type(args: &[Expr]) -> ResultType {
    match args.first().map(|a| a.ty()) {
        Some(ty) if ty.is_time() && ty.fsp() > 0 => ResultType::decimal(18, i64::from(ty.fsp())),
        _ => ResultType::int(),
    }
}

/// `FROM_UNIXTIME(x[, format])`.
fn from_unixtime(c: &Call<'_>) -> Result<Datum> {
    let Some(seconds) = c.decimal(0)? else { return Ok(Datum::Null) };
    if seconds.is_negative() {
        return Ok(Datum::Null);
    }
    let fsp = seconds.scale().min(6);
    let micros = seconds
        .mul(&tidb_codec::Decimal::from(1_000_000i64))
        .and_then(|d| d.to_i64())
        .and_then(|m| Time::from_unix_micros(m, TimeKind::DateTime, fsp))
        .and_then(|t| t.from_utc_to(&c.cx.zone));
    let Ok(time) = micros else { return Ok(Datum::Null) };
    if c.has(1) {
        let Some(pattern) = c.string(1)? else { return Ok(Datum::Null) };
        return Ok(format_date(&time, &pattern).map_or(Datum::Null, |t| Datum::Bytes(t.into_bytes())));
    }
    Ok(Datum::Time(time))
}

fn from_unixtime_type(args: &[Expr]) -> ResultType {
    if args.len() > 1 {
        ResultType::text()
    } else {
        ResultType::datetime(args.first().map_or(0, |a| a.ty().fsp()))
    }
}

fn datediff(c: &Call<'_>) -> Result<Datum> {
    let (Some(a), Some(b)) = (c.time(0)?, c.time(1)?) else { return Ok(Datum::Null) };
    Ok(int_or_null(days(&a).zip(days(&b)).map(|(a, b)| a - b)))
}

/// Names of the days, Monday first.
static DAY_NAMES: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
/// Names of the months.
static MONTH_NAMES: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

fn day_name(time: &Time) -> Option<&'static str> {
    DAY_NAMES.get(usize::try_from(weekday(time)?).ok()?).copied()
}

fn month_name(time: &Time) -> Option<&'static str> {
    MONTH_NAMES.get(usize::from(time.month()).checked_sub(1)?).copied()
}

fn name(c: &Call<'_>, of: fn(&Time) -> Option<&'static str>) -> Result<Datum> {
    Ok(c.time(0)?.as_ref().and_then(of).map_or(Datum::Null, |n| Datum::Bytes(n.as_bytes().to_vec())))
}

/// `DATE_FORMAT`: `None` for a pattern letter that needs a date the value lacks.
fn format_date(time: &Time, pattern: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = pattern.chars();
    let hour12 = if time.hour().is_multiple_of(12) { 12 } else { time.hour() % 12 };
    let half = if time.hour() < 12 { "AM" } else { "PM" };
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let piece = match chars.next()? {
            'Y' => format!("{:04}", time.year()),
            'y' => format!("{:02}", time.year() % 100),
            'm' => format!("{:02}", time.month()),
            'c' => time.month().to_string(),
            'd' => format!("{:02}", time.day()),
            'e' => time.day().to_string(),
            'H' => format!("{:02}", time.hour()),
            'k' => time.hour().to_string(),
            'h' | 'I' => format!("{hour12:02}"),
            'l' => hour12.to_string(),
            'i' => format!("{:02}", time.minute()),
            's' | 'S' => format!("{:02}", time.second()),
            'f' => format!("{:06}", time.micro()),
            'p' => half.to_owned(),
            'r' => format!("{hour12:02}:{:02}:{:02} {half}", time.minute(), time.second()),
            'T' => format!("{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second()),
            'W' => day_name(time)?.to_owned(),
            'a' => day_name(time)?.chars().take(3).collect(),
            'M' => month_name(time)?.to_owned(),
            'b' => month_name(time)?.chars().take(3).collect(),
            'j' => format!("{:03}", day_of_year(time)?),
            'w' => ((weekday(time)? + 1) % 7).to_string(),
            other => other.to_string(),
        };
        out.push_str(&piece);
    }
    Some(out)
}

fn date_format(c: &Call<'_>) -> Result<Datum> {
    let (Some(time), Some(pattern)) = (c.time(0)?, c.string(1)?) else { return Ok(Datum::Null) };
    Ok(format_date(&time, &pattern).map_or(Datum::Null, |t| Datum::Bytes(t.into_bytes())))
}

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

/// `CONVERT_TZ(x, from, to)`.
fn convert_tz(c: &Call<'_>) -> Result<Datum> {
    let (Some(time), Some(from), Some(to)) = (c.time(0)?, c.string(1)?, c.string(2)?) else {
        return Ok(Datum::Null);
    };
    let (Some(from), Some(to)) = (crate::session::parse_zone(&from), crate::session::parse_zone(&to)) else {
        return Ok(Datum::Null);
    };
    let moved = time
        .with_kind(TimeKind::DateTime, time.fsp())
        .and_then(|t| t.to_utc_from(&from))
        .and_then(|t| t.from_utc_to(&to));
    Ok(moved.map_or(Datum::Null, Datum::Time))
}

/// `SEC_TO_TIME` and `TIME_TO_SEC`.
fn sec_to_time(c: &Call<'_>) -> Result<Datum> {
    let Some(seconds) = c.int(0)? else { return Ok(Datum::Null) };
    let span = Duration::new(seconds.saturating_mul(1_000_000_000), 0);
    Ok(Datum::Duration(span.unwrap_or_else(|_| Duration::limit(seconds < 0, 0))))
}

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
    function("unix_timestamp", 0, 1, unix_type, unix_timestamp),
    function("from_unixtime", 1, 2, from_unixtime_type, from_unixtime),
    function("datediff", 2, 2, int_type, datediff),
    function("dayname", 1, 1, text_type, |c| name(c, day_name)),
    function("monthname", 1, 1, text_type, |c| name(c, month_name)),
    function("date_format", 2, 2, text_type, date_format),
    function("last_day", 1, 1, date_type, last_day),
    function("timestampdiff", 3, 3, int_type, timestampdiff),
    function("convert_tz", 3, 3, micro_datetime, convert_tz),
    function("sec_to_time", 1, 1, |_| ResultType::duration(0), sec_to_time),
    function("time_to_sec", 1, 1, int_type, time_to_sec),
    function("tidb_parse_tso", 1, 1, micro_datetime, |c| {
        // The physical part of a timestamp is milliseconds since 1970 above 18 logical bits.
        let micros = c.integer(0)?.map(|v| (v.bits() >> 18) as i64 * 1000);
        let time = micros.and_then(|m| {
            Time::from_unix_micros(m, TimeKind::DateTime, 6).ok()?.from_utc_to(&c.cx.zone).ok()
        });
        Ok(time.map_or(Datum::Null, Datum::Time))
    }),
    function("tidb_parse_tso_logical", 1, 1, uint_type, |c| {
        Ok(c.integer(0)?.map_or(Datum::Null, |v| Datum::Uint(v.bits() & ((1 << 18) - 1))))
    }),
];
