//! MySQL's date and time texts.

use super::{Time, TimeKind, TimeParts};
use crate::{CodecError, text::digits};

/// Most numbers between separators: year to second.
const MAX_PARTS: usize = 6;

/// Text taken apart: up to six numbers, nanoseconds, zone offset in seconds.
struct Scanned {
    parts: TimeParts,
    nanos: u32,
    offset: Option<i32>,
    separated: bool,
}

impl Time {
    /// Parses `YYYY-MM-DD[ HH:MM[:SS[.f]]]` with any punctuation between the numbers, or digits without
    /// separators (`YYYYMMDDHHMMSS`, `YYMMDDHHMMSS`, `YYYYMMDD`, `YYMMDD`), rounded to `fsp` digits. Years of
    /// two digits are 1970 to 2069. Zero dates and dates with zero parts pass: whether they are allowed is a
    /// matter of the SQL mode. The second result is an offset written behind the time (`+08:00`, `Z`), in
    /// seconds east of UTC; the time is then still the wall clock as written.
    ///
    /// # Errors
    /// Text that is no date, or a day that its month does not have.
    pub fn parse_with_offset(text: &str, kind: TimeKind, fsp: u8) -> Result<(Self, Option<i32>), CodecError> {
        let incorrect = || CodecError::IncorrectValue { kind: kind.name(), text: text.to_owned() };
        let scanned = scan(text).ok_or_else(incorrect)?;
        let time = scanned.finish(kind, fsp).ok_or_else(incorrect)?;
        Ok((time, scanned.offset))
    }

    /// Parses a date and time whose numbers have separators: the form a TIME accepts besides its own.
    pub(crate) fn parse_with_separators(text: &str) -> Result<Self, CodecError> {
        let incorrect = || CodecError::IncorrectValue { kind: "datetime", text: text.to_owned() };
        let scanned = scan(text).filter(|s| s.separated && text.contains('-')).ok_or_else(incorrect)?;
        scanned.finish(TimeKind::DateTime, Self::MAX_FSP).ok_or_else(incorrect)
    }

    /// Reads a number as `YYYYMMDDHHMMSS`, `YYMMDDHHMMSS`, `YYYYMMDD` or `YYMMDD`.
    ///
    /// # Errors
    /// A number that is no date.
    pub fn from_number(number: i64, kind: TimeKind, fsp: u8) -> Result<Self, CodecError> {
        let incorrect = || CodecError::IncorrectValue { kind: kind.name(), text: number.to_string() };
        if number == 0 {
            return Ok(Self::zero(kind, fsp));
        }
        let number = u64::try_from(number).map_err(|_| incorrect())?;
        let (date, clock) =
            if number < 100_000_000 { (number, 0) } else { (number / 1_000_000, number % 1_000_000) };
        let date = match date {
            ..=99_991_231 if date >= 10_000 => date,
            101..=9_999 if number < 100_000_000 => date,
            _ if number >= 100_000_000 => date,
            _ => return Err(incorrect()),
        };
        let year = date / 10_000;
        let year = if date < 1_000_000 { two_digit_year(year as u16) } else { year as u16 };
        let part = |v: u64| (v % 100) as u8;
        let parts = TimeParts {
            year,
            month: part(date / 100),
            day: part(date),
            hour: (clock / 10_000) as u8,
            minute: part(clock / 100),
            second: part(clock),
            micro: 0,
        };
        Self::new(parts, kind, fsp).map_err(|_| incorrect())
    }
}

impl Scanned {
    /// The time, rounded to `fsp` digits.
    fn finish(&self, kind: TimeKind, fsp: u8) -> Option<Time> {
        let parts = self.parts;
        if !parts.in_range() || !parts.day_exists() {
            return None;
        }
        if kind == TimeKind::Date {
            return Time::new(parts, kind, 0).ok();
        }
        let unit = 10u32.pow(u32::from(9 - fsp.min(Time::MAX_FSP)));
        let rounded = (self.nanos + unit / 2) / unit * unit;
        let parts = TimeParts { micro: rounded % 1_000_000_000 / 1000, ..parts };
        let time = Time { parts, kind, fsp: fsp.min(Time::MAX_FSP) };
        if rounded < 1_000_000_000 {
            return Some(time);
        }
        time.second_after(parts).map(|parts| Time { parts, ..time })
    }
}

/// Years of two digits: 70 to 99 are of the 20th century, 0 to 69 of the 21st.
const fn two_digit_year(year: u16) -> u16 {
    match year {
        70..=99 => 1900 + year,
        _ => 2000 + year,
    }
}

/// Takes text apart.
fn scan(text: &str) -> Option<Scanned> {
    let text = text.trim_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    let (text, offset) = split_offset(text)?;
    let mut numbers = [0u32; MAX_PARTS];
    let (body, fraction) = split_fraction(text);
    let mut count = 0;
    let mut first_len = 0;
    let mut rest = body;
    loop {
        let len = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at_checked(len)?;
        if count == 0 {
            first_len = len;
        }
        let is_packed = count == 0 && after.is_empty();
        if len == 0 || (len > 4 && !is_packed) {
            return None;
        }
        if is_packed {
            return scan_packed(number, fraction, offset);
        }
        *numbers.get_mut(count)? = digits::parse_u32(number)?;
        count += 1;
        if after.is_empty() {
            break;
        }
        rest = skip_separator(after, count)?;
    }
    let [year, month, day, hour, minute, second] = numbers;
    if count < 3 || (!fraction.is_empty() && count != MAX_PARTS) {
        return None;
    }
    let (nanos, _) = digits::parse_fraction_nanos(fraction)?;
    let year = u16::try_from(year).ok()?;
    let all_zero = numbers == [0; MAX_PARTS];
    let year = if first_len <= 2 && !all_zero { two_digit_year(year) } else { year };
    let byte = |v: u32| u8::try_from(v).ok();
    let parts = TimeParts {
        year,
        month: byte(month)?,
        day: byte(day)?,
        hour: byte(hour)?,
        minute: byte(minute)?,
        second: byte(second)?,
        micro: 0,
    };
    Some(Scanned { parts, nanos, offset, separated: true })
}

/// Skips what stands between two numbers: blanks or a `T` between date and time, else one punctuation mark.
fn skip_separator(text: &str, count: usize) -> Option<&str> {
    let first = text.bytes().next()?;
    if count == 3 {
        if first == b'T' {
            return text.get(1..);
        }
        let trimmed = text.trim_start_matches([' ', '\t', '\n', '\r']);
        if trimmed.len() < text.len() {
            return (!trimmed.is_empty()).then_some(trimmed);
        }
    }
    if first.is_ascii_punctuation() { text.get(1..) } else { None }
}

/// Splits the digits behind the last point off, if the text before it goes as far as the seconds.
fn split_fraction(text: &str) -> (&str, &str) {
    let Some((body, fraction)) = text.rsplit_once('.') else { return (text, "") };
    let numbers = body.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty()).count();
    if numbers == MAX_PARTS || (numbers == 1 && body.len() >= 12) { (body, fraction) } else { (text, "") }
}

/// Splits a zone offset (`Z`, `+HH`, `+HHMM`, `+HH:MM`) off, which may only follow a time of day.
fn split_offset(text: &str) -> Option<(&str, Option<i32>)> {
    if let Some(body) = text.strip_suffix('Z') {
        return Some((body, Some(0)));
    }
    let Some(clock) = text.find(':') else { return Some((text, None)) };
    let Some(sign) = text.get(clock..)?.find(['+', '-']).map(|at| at + clock) else {
        return Some((text, None));
    };
    let (body, offset) = text.split_at_checked(sign)?;
    let (negative, offset) = (offset.starts_with('-'), offset.get(1..)?);
    let (hours, minutes) = match (offset.len(), offset.split_once(':')) {
        (5, Some((hours, minutes))) => (hours, minutes),
        (4, None) => offset.split_at_checked(2)?,
        (2, None) => (offset, "0"),
        _ => return None,
    };
    let (hours, minutes) = (digits::parse_u32(hours)?, digits::parse_u32(minutes)?);
    if hours > 14 || minutes > 59 || (negative && hours == 0 && minutes == 0) {
        return None;
    }
    let seconds = (hours * 3600 + minutes * 60) as i32;
    Some((body, Some(if negative { -seconds } else { seconds })))
}

/// Reads digits without separators.
fn scan_packed(number: &str, fraction: &str, offset: Option<i32>) -> Option<Scanned> {
    let year_len = match number.len() {
        8 | 14 => 4,
        5 | 6 | 10..=12 => 2,
        _ => return None,
    };
    let mut parts = [0u32; MAX_PARTS];
    let (year, mut rest) = number.split_at_checked(year_len)?;
    for (index, slot) in parts.iter_mut().enumerate() {
        if index == 0 {
            *slot = digits::parse_u32(year)?;
            continue;
        }
        let (part, after) = rest.split_at_checked(rest.len().min(2))?;
        *slot = digits::parse_u32(part)?;
        rest = after;
    }
    let [year, month, day, hour, minute, second] = parts;
    let (nanos, _) = digits::parse_fraction_nanos(fraction)?;
    let year = u16::try_from(year).ok()?;
    let all_zero = parts == [0; MAX_PARTS];
    let year = if year_len == 2 && !all_zero { two_digit_year(year) } else { year };
    let byte = |v: u32| u8::try_from(v).ok();
    let parts = TimeParts {
        year,
        month: byte(month)?,
        day: byte(day)?,
        hour: byte(hour)?,
        minute: byte(minute)?,
        second: byte(second)?,
        micro: 0,
    };
    Some(Scanned { parts, nanos, offset, separated: false })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str, fsp: u8) -> String {
        Time::parse(text, TimeKind::DateTime, fsp).unwrap().to_string()
    }

    #[test]
    fn text_forms_of_mysql() {
        assert_eq!(shown("2020-01-02", 0), "2020-01-02 00:00:00");
        assert_eq!(shown("2020-1-2 3:4:5", 0), "2020-01-02 03:04:05");
        assert_eq!(shown("2020-01-02T03:04:05.678", 3), "2020-01-02 03:04:05.678");
        assert_eq!(shown("2020/01/02 03:04", 0), "2020-01-02 03:04:00");
        assert_eq!(shown("20200102030405", 0), "2020-01-02 03:04:05");
        assert_eq!(shown("20200102030405.25", 1), "2020-01-02 03:04:05.3");
        assert_eq!(shown("200102", 0), "2020-01-02 00:00:00");
        assert_eq!(shown("70-01-02", 0), "1970-01-02 00:00:00");
        assert_eq!(shown("0000-00-00 00:00:00", 2), "0000-00-00 00:00:00.00");
        assert_eq!(shown("0000-00-00", 0), "0000-00-00 00:00:00");
        assert_eq!(shown("2020-02-29 23:59:59.9999999", 6), "2020-03-01 00:00:00.000000");
        assert_eq!(shown("  2020-01-02 03:04:05  ", 0), "2020-01-02 03:04:05");
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "x",
            "2020",
            "2020-13-01",
            "2020-02-30",
            "2019-02-29",
            "2020-01-02 24:00:00",
            "2020-01-02 03:60:00",
            "2020-01-02 03:04:05.x",
            "20200",
            "2020-01-02x",
            "12345-01-01",
        ] {
            if text != "20200" {
                assert!(Time::parse(text, TimeKind::DateTime, 0).is_err(), "{text}");
            }
        }
    }

    #[test]
    fn offsets_are_handed_over() {
        let parse = |text| Time::parse_with_offset(text, TimeKind::Timestamp, 0);
        let (time, offset) = parse("2020-01-02 03:04:05+08:00").unwrap();
        assert_eq!((time.to_string().as_str(), offset), ("2020-01-02 03:04:05", Some(28_800)));
        assert_eq!(parse("2020-01-02T03:04:05Z").unwrap().1, Some(0));
        assert_eq!(parse("2020-01-02 03:04:05-0330").unwrap().1, Some(-12_600));
        assert!(parse("2020-01-02 03:04:05+15:00").is_err());
        assert!(Time::parse("2020-01-02 03:04:05+08:00", TimeKind::Timestamp, 0).is_err());
    }

    #[test]
    fn numbers() {
        let shown = |n| Time::from_number(n, TimeKind::DateTime, 0).map(|t| t.to_string());
        assert_eq!(shown(20_200_102).unwrap(), "2020-01-02 00:00:00");
        assert_eq!(shown(200_102).unwrap(), "2020-01-02 00:00:00");
        assert_eq!(shown(700_102).unwrap(), "1970-01-02 00:00:00");
        assert_eq!(shown(20_200_102_030_405).unwrap(), "2020-01-02 03:04:05");
        assert_eq!(shown(200_102_030_405).unwrap(), "2020-01-02 03:04:05");
        assert_eq!(shown(101).unwrap(), "2000-01-01 00:00:00");
        assert_eq!(shown(0).unwrap(), "0000-00-00 00:00:00");
        assert!(shown(-1).is_err() && shown(99).is_err() && shown(20_201_302).is_err());
        assert!(shown(i64::MAX).is_err());
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text: String, like in "[0-9:. TZ+-]{0,30}", number: i64) {
            let _ = Time::parse_with_offset(&text, TimeKind::DateTime, 6);
            let _ = Time::parse_with_offset(&like, TimeKind::DateTime, 6);
            let _ = Time::from_number(number, TimeKind::DateTime, 6);
        }
    }
}
