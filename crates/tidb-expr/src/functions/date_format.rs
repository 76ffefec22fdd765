//! Names of days and months, `DATE_FORMAT`.

use tidb_codec::{Datum, Time};

use super::dates::{day_of_year, weekday};
use super::{Builtin, Call, function, text_type};
use crate::error::Result;

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

/// Name of the day of the week; `None` with zero parts.
fn day_name(time: &Time) -> Option<&'static str> {
    DAY_NAMES.get(usize::try_from(weekday(time)?).ok()?).copied()
}

/// Name of the month; `None` for month 0.
fn month_name(time: &Time) -> Option<&'static str> {
    MONTH_NAMES.get(usize::from(time.month()).checked_sub(1)?).copied()
}

/// A name that belongs to a date.
fn name(c: &Call<'_>, of: fn(&Time) -> Option<&'static str>) -> Result<Datum> {
    Ok(c.time(0)?.as_ref().and_then(of).map_or(Datum::Null, |n| Datum::Bytes(n.as_bytes().to_vec())))
}

/// `DATE_FORMAT`: `None` for a pattern letter that needs a date the value lacks.
pub(super) fn format_date(time: &Time, pattern: &str) -> Option<String> {
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

/// `DATE_FORMAT(x, pattern)`.
fn date_format(c: &Call<'_>) -> Result<Datum> {
    let (Some(time), Some(pattern)) = (c.time(0)?, c.string(1)?) else { return Ok(Datum::Null) };
    Ok(format_date(&time, &pattern).map_or(Datum::Null, |t| Datum::Bytes(t.into_bytes())))
}

/// The functions of this module.
pub(super) static TABLE: &[Builtin] = &[
    function("dayname", 1, 1, text_type, |c| name(c, day_name)),
    function("monthname", 1, 1, text_type, |c| name(c, month_name)),
    function("date_format", 2, 2, text_type, date_format),
];
