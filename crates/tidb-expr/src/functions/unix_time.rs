//! Unix time, time zones and TiDB's timestamps.

use tidb_codec::{Datum, Decimal, Time, TimeKind};

use super::date_format::format_date;
use super::dates::micro_datetime;
use super::{Builtin, Call, function, uint_type};
use crate::coerce;
use crate::error::Result;
use crate::result_type::ResultType;
use crate::tree::Expr;

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
    let exact = Decimal::parse(&text).and_then(|d| d.round(i16::from(time.fsp())));
    exact.map(Datum::Decimal).map_err(coerce::codec)
}

/// Type of `UNIX_TIMESTAMP`: with as many fraction digits as its argument.
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
        .mul(&Decimal::from(1_000_000i64))
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

/// Type of `FROM_UNIXTIME`: text with a format, else a time.
fn from_unixtime_type(args: &[Expr]) -> ResultType {
    if args.len() > 1 {
        ResultType::text()
    } else {
        ResultType::datetime(args.first().map_or(0, |a| a.ty().fsp()))
    }
}

/// `CONVERT_TZ(x, from, to)`.
fn convert_tz(c: &Call<'_>) -> Result<Datum> {
    let (Some(time), Some(from), Some(to)) = (c.time(0)?, c.string(1)?, c.string(2)?) else {
        return Ok(Datum::Null);
    };
    let (Some(from), Some(to)) = (crate::parse_zone(&from), crate::parse_zone(&to)) else {
        return Ok(Datum::Null);
    };
    let moved = time
        .with_kind(TimeKind::DateTime, time.fsp())
        .and_then(|t| t.to_utc_from(&from))
        .and_then(|t| t.from_utc_to(&to));
    Ok(moved.map_or(Datum::Null, Datum::Time))
}

/// The functions of this module.
pub(super) static TABLE: &[Builtin] = &[
    function("unix_timestamp", 0, 1, unix_type, unix_timestamp),
    function("from_unixtime", 1, 2, from_unixtime_type, from_unixtime),
    function("convert_tz", 3, 3, micro_datetime, convert_tz),
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
