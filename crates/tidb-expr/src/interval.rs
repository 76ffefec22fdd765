//! `INTERVAL` arithmetic on dates.

use tidb_codec::{Datum, Time, TimeKind};

use super::coerce;
use super::eval::{EvalContext, Level};
use super::result_type::ResultType;
use super::tree::Expr;
use crate::error::{Result, SqlError};

/// Microseconds of a second.
const SECOND: i64 = 1_000_000;
/// Months that a date may lie from year 0.
const MAX_MONTHS: i64 = 10_000 * 12;

/// A unit of `INTERVAL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    /// Lower-case name.
    pub name: &'static str,
    /// Steps of the calendar (in months), or of the clock (in microseconds), of each part of the value's text.
    parts: &'static [Step],
}

/// What one part of an interval adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Steps of the calendar.
    Months(i64),
    /// Microseconds.
    Micros(i64),
}

/// A microsecond.
const MICRO: Step = Step::Micros(1);
/// A second.
const SEC: Step = Step::Micros(SECOND);
/// A minute.
const MINUTE: Step = Step::Micros(60 * SECOND);
/// An hour.
const HOUR: Step = Step::Micros(3600 * SECOND);
/// A day.
const DAY: Step = Step::Micros(86_400 * SECOND);

/// All units.
static UNITS: &[Unit] = &[
    Unit { name: "microsecond", parts: &[MICRO] },
    Unit { name: "second", parts: &[SEC] },
    Unit { name: "minute", parts: &[MINUTE] },
    Unit { name: "hour", parts: &[HOUR] },
    Unit { name: "day", parts: &[DAY] },
    Unit { name: "week", parts: &[Step::Micros(7 * 86_400 * SECOND)] },
    Unit { name: "month", parts: &[Step::Months(1)] },
    Unit { name: "quarter", parts: &[Step::Months(3)] },
    Unit { name: "year", parts: &[Step::Months(12)] },
    Unit { name: "second_microsecond", parts: &[SEC, MICRO] },
    Unit { name: "minute_microsecond", parts: &[MINUTE, SEC, MICRO] },
    Unit { name: "minute_second", parts: &[MINUTE, SEC] },
    Unit { name: "hour_microsecond", parts: &[HOUR, MINUTE, SEC, MICRO] },
    Unit { name: "hour_second", parts: &[HOUR, MINUTE, SEC] },
    Unit { name: "hour_minute", parts: &[HOUR, MINUTE] },
    Unit { name: "day_microsecond", parts: &[DAY, HOUR, MINUTE, SEC, MICRO] },
    Unit { name: "day_second", parts: &[DAY, HOUR, MINUTE, SEC] },
    Unit { name: "day_minute", parts: &[DAY, HOUR, MINUTE] },
    Unit { name: "day_hour", parts: &[DAY, HOUR] },
    Unit { name: "year_month", parts: &[Step::Months(12), Step::Months(1)] },
];

/// Finds a unit; `name` in any case, `SQL_TSI_` before it allowed.
pub(crate) fn unit(name: &str) -> Option<&'static Unit> {
    let lower = name.to_ascii_lowercase();
    let lower = lower.strip_prefix("sql_tsi_").unwrap_or(&lower);
    UNITS.iter().find(|u| u.name == lower)
}

impl Unit {
    /// Whether the unit changes the time of day.
    fn has_clock(&self) -> bool {
        self.parts.iter().any(|step| matches!(step, Step::Micros(n) if n % (86_400 * SECOND) != 0))
    }

    /// Fraction digits of a result by this unit.
    fn fsp(&self) -> u8 {
        if self.parts.contains(&MICRO) { 6 } else { 0 }
    }
}

/// Months and microseconds that an interval's value stands for.
fn amount(value: &Datum, ty: &ResultType, unit: &Unit, cx: &EvalContext) -> Result<Option<(i64, i64)>> {
    let Some(text) = coerce::string(value, ty) else { return Ok(None) };
    let text = text.trim();
    let (mut months, mut micros) = (0i64, 0i64);
    if let [step] = unit.parts {
        if let (Step::Micros(size), true) = (step, text.contains('.') && unit.name == "second") {
            let seconds = coerce::decimal(value, ty, cx)?.unwrap_or(tidb_codec::Decimal::ZERO);
            let scaled = seconds
                .mul(&tidb_codec::Decimal::from(*size))
                .and_then(|d| d.to_i64())
                .map_err(coerce::codec)?;
            return Ok(Some((0, scaled)));
        }
        let count = coerce::int(value, ty, cx)?.unwrap_or(0);
        match step {
            Step::Months(n) => months = count.saturating_mul(*n),
            Step::Micros(n) => micros = count.saturating_mul(*n),
        }
        return Ok(Some((months, micros)));
    }
    let (sign, body) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let numbers: Vec<&str> = body.split(|c: char| !c.is_ascii_digit()).filter(|n| !n.is_empty()).collect();
    // Fewer numbers than parts: the leading parts are missing.
    let skip = unit.parts.len().saturating_sub(numbers.len());
    for (step, number) in unit.parts.iter().skip(skip).zip(&numbers) {
        let mut count: i64 = number.parse().unwrap_or(i64::MAX);
        if *step == MICRO {
            let digits = number.get(..number.len().min(6)).unwrap_or_default();
            count = format!("{digits:0<6}").parse().unwrap_or(0);
        }
        match step {
            Step::Months(n) => months = months.saturating_add(count.saturating_mul(*n)),
            Step::Micros(n) => micros = micros.saturating_add(count.saturating_mul(*n)),
        }
    }
    Ok(Some((sign * months, sign * micros)))
}

/// Adds months, keeping the day within the month.
fn add_months(time: Time, months: i64) -> Option<Time> {
    let mut parts = time.parts();
    let total = i64::from(parts.year) * 12 + i64::from(parts.month) - 1 + months;
    if !(0..MAX_MONTHS).contains(&total) {
        return None;
    }
    parts.year = u16::try_from(total / 12).ok()?;
    parts.month = u8::try_from(total % 12 + 1).ok()?;
    while parts.day > 28 && !parts.day_exists() {
        parts.day -= 1;
    }
    Time::new(parts, time.kind(), time.fsp()).ok()
}

/// Type of `date ± INTERVAL`: text stays text, a DATE moved by a clock unit is a DATETIME.
pub(crate) fn result_type(date: &ResultType, unit: &Unit) -> ResultType {
    use tidb_codec::field::tp;
    match date.tp {
        tp::DATE if !unit.has_clock() => ResultType::date(),
        tp::DATE | tp::DATETIME | tp::TIMESTAMP => ResultType::datetime(date.fsp().max(unit.fsp())),
        tp::DURATION => ResultType::duration(date.fsp().max(unit.fsp())),
        _ => ResultType::text_of(29, crate::collation::utf8mb4_bin()),
    }
}

/// `date ± INTERVAL value unit`.
///
/// # Errors
/// Subqueries and functions in the arguments.
pub(crate) fn add(
    date: &Expr,
    value: &Expr,
    unit: &Unit,
    negative: bool,
    row: &[Datum],
    cx: &EvalContext,
) -> Result<Datum> {
    let base = date.eval(row, cx)?;
    let Some((months, micros)) = amount(&value.eval(row, cx)?, value.ty(), unit, cx)? else {
        return Ok(Datum::Null);
    };
    let sign = if negative { -1 } else { 1 };
    let (months, micros) = (months * sign, micros * sign);
    if let Datum::Duration(span) = base {
        let nanos = span.nanos().saturating_add(micros.saturating_mul(1000));
        return Ok(
            tidb_codec::Duration::new(nanos, span.fsp().max(unit.fsp())).map_or(Datum::Null, Datum::Duration)
        );
    }
    let textual = !matches!(base, Datum::Time(_));
    let Some(start) = base_time(&base, date.ty(), cx)? else { return Ok(Datum::Null) };
    let kind = match start.kind() {
        TimeKind::Date if !unit.has_clock() => TimeKind::Date,
        _ => TimeKind::DateTime,
    };
    let moved = if start.has_zero_part() {
        None
    } else {
        add_months(start, months).and_then(|t| t.to_unix_micros().ok())
    };
    let needs_fraction = unit.fsp() > 0 || micros % SECOND != 0;
    let fsp = if needs_fraction { 6 } else { start.fsp() };
    match moved.and_then(|at| Time::from_unix_micros(at.checked_add(micros)?, kind, fsp).ok()) {
        Some(time) if textual => {
            let mut out = Vec::new();
            time.write_text(&mut out);
            Ok(Datum::Bytes(out))
        }
        Some(time) => Ok(Datum::Time(time)),
        None => {
            let shown = coerce::string(&base, date.ty()).unwrap_or_default();
            cx.warn(
                Level::Warning,
                &SqlError::new(1441, format!("Datetime function: datetime field overflow ({shown})")),
            );
            Ok(Datum::Null)
        }
    }
}

/// The date to start from; text without a time of day is a DATE.
fn base_time(value: &Datum, ty: &ResultType, cx: &EvalContext) -> Result<Option<Time>> {
    match value {
        Datum::Time(time) => Ok(Some(*time)),
        Datum::Bytes(text) => {
            let dated = !text.contains(&b':') && text.len() <= 10;
            let kind = if dated { TimeKind::Date } else { TimeKind::DateTime };
            coerce::time(value, ty, kind, super::functions::fraction_digits(text), cx)
        }
        _ => coerce::time(value, ty, TimeKind::DateTime, 0, cx),
    }
}
