//! TIME values: signed spans of up to 838:59:59.

use crate::{CodecError, text::digits};
use std::{cmp::Ordering, fmt};

/// Nanoseconds of a second.
pub(crate) const SECOND: i64 = 1_000_000_000;
/// Seconds of an hour.
const HOUR_SECONDS: u64 = 3600;
/// Largest hour of a TIME.
const MAX_HOURS: u64 = 838;
/// Largest span, 838:59:59, in nanoseconds. TiDB keeps no fraction beyond it.
const MAX_NANOS: i64 = (838 * 3600 + 59 * 60 + 59) * SECOND;
/// Largest magnitude found in storage: the limit with a fraction.
const MAX_STORED_NANOS: u64 = MAX_NANOS as u64 + SECOND as u64;

/// A TIME value with its number of fraction digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Duration {
    nanos: i64,
    fsp: u8,
}

impl Duration {
    /// Zero with no fraction digits.
    pub const ZERO: Self = Self { nanos: 0, fsp: 0 };
    /// Most fraction digits.
    pub const MAX_FSP: u8 = 6;

    /// A span of `nanos` nanoseconds shown with `fsp` digits.
    ///
    /// # Errors
    /// A span beyond 838:59:59.999999999.
    #[inline]
    pub fn new(nanos: i64, fsp: u8) -> Result<Self, CodecError> {
        if nanos.unsigned_abs() >= MAX_STORED_NANOS {
            return Err(CodecError::OutOfRange { kind: "time", value: format!("{nanos}ns") });
        }
        Ok(Self { nanos, fsp: fsp.min(Self::MAX_FSP) })
    }

    /// A span from its parts.
    ///
    /// # Errors
    /// Minutes or seconds above 59, microseconds above 999,999, or a span beyond 838:59:59.
    pub fn from_parts(
        negative: bool,
        hours: u64,
        minutes: u8,
        seconds: u8,
        micros: u32,
        fsp: u8,
    ) -> Result<Self, CodecError> {
        let text = || format!("{hours}:{minutes:02}:{seconds:02}");
        if minutes > 59 || seconds > 59 || micros > 999_999 {
            return Err(CodecError::IncorrectValue { kind: "time", text: text() });
        }
        if hours > MAX_HOURS {
            return Err(CodecError::OutOfRange { kind: "time", value: text() });
        }
        let total = hours * HOUR_SECONDS + u64::from(minutes) * 60 + u64::from(seconds);
        let nanos = total as i64 * SECOND + i64::from(micros) * 1000;
        let nanos = if negative { -nanos } else { nanos };
        Self { nanos, fsp: fsp.min(Self::MAX_FSP) }.checked()
    }

    /// Refuses what is beyond the range of SQL's TIME.
    fn checked(self) -> Result<Self, CodecError> {
        if self.nanos.unsigned_abs() > MAX_NANOS as u64 {
            return Err(CodecError::OutOfRange { kind: "time", value: self.to_string() });
        }
        Ok(self)
    }

    /// The largest (or, negative, the smallest) value: what a value out of range is clamped to.
    pub const fn limit(negative: bool, fsp: u8) -> Self {
        Self { nanos: if negative { -MAX_NANOS } else { MAX_NANOS }, fsp }
    }

    /// Signed nanoseconds.
    #[inline]
    pub const fn nanos(&self) -> i64 {
        self.nanos
    }

    /// Digits after the second.
    #[inline]
    pub const fn fsp(&self) -> u8 {
        self.fsp
    }

    /// Whether the span is negative.
    pub const fn is_negative(&self) -> bool {
        self.nanos < 0
    }

    /// Whole hours, without sign.
    pub const fn hours(&self) -> u64 {
        self.nanos.unsigned_abs() / SECOND as u64 / HOUR_SECONDS
    }

    /// Minutes within the hour.
    pub const fn minutes(&self) -> u8 {
        (self.nanos.unsigned_abs() / SECOND as u64 / 60 % 60) as u8
    }

    /// Seconds within the minute.
    pub const fn seconds(&self) -> u8 {
        (self.nanos.unsigned_abs() / SECOND as u64 % 60) as u8
    }

    /// Microseconds within the second.
    pub const fn micros(&self) -> u32 {
        (self.nanos.unsigned_abs() % SECOND as u64 / 1000) as u32
    }

    /// Rounds half away from zero to `fsp` digits.
    ///
    /// # Errors
    /// A result beyond 838:59:59.
    pub fn round(self, fsp: u8) -> Result<Self, CodecError> {
        let fsp = fsp.min(Self::MAX_FSP);
        let unit = 10i64.pow(u32::from(9 - fsp));
        let half = if self.nanos < 0 { -(unit / 2) } else { unit / 2 };
        Self { nanos: (self.nanos + half) / unit * unit, fsp }.checked()
    }

    /// Parses MySQL's TIME text: `[-][D ]HH:MM[:SS[.f]]`, `[D ]HH`, `[-]HHMMSS[.f]`, or a date and time, of
    /// which the time is taken. The result is rounded to `fsp` digits.
    ///
    /// # Errors
    /// Text that is none of these, or a span out of range.
    pub fn parse(text: &str, fsp: u8) -> Result<Self, CodecError> {
        let incorrect = || CodecError::IncorrectValue { kind: "time", text: text.to_owned() };
        let trimmed = text.trim_matches([' ', '\t', '\n', '\r']);
        let (negative, body) = match trimmed.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
        };
        if !negative && let Ok(time) = crate::Time::parse_with_separators(body) {
            return Self::from_parts(
                false,
                time.hour().into(),
                time.minute(),
                time.second(),
                time.micro(),
                6,
            )?
            .round(fsp);
        }
        if negative && body.is_empty() {
            return Err(incorrect());
        }
        let (days, clock) = match body.split_once(' ') {
            Some((days, clock)) => (digits::parse_u32(days).ok_or_else(incorrect)?, clock.trim_start()),
            None => (0, body),
        };
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
        let (nanos, _) = digits::parse_fraction_nanos(fraction).ok_or_else(incorrect)?;
        let (hours, minutes, seconds) = split_clock(clock, body.contains(' ')).ok_or_else(incorrect)?;
        if minutes > 59 || seconds > 59 {
            return Err(incorrect());
        }
        let hours = u64::from(days) * 24 + u64::from(hours);
        if hours > MAX_HOURS {
            return Err(CodecError::OutOfRange { kind: "time", value: text.to_owned() });
        }
        let total = (hours * HOUR_SECONDS + u64::from(minutes) * 60 + u64::from(seconds)) as i64 * SECOND
            + i64::from(nanos);
        Self { nanos: if negative { -total } else { total }, fsp: Self::MAX_FSP }.round(fsp)
    }

    /// Reads a number as `[H]HHMMSS`.
    ///
    /// # Errors
    /// A number that is no time, or one out of range.
    pub fn from_number(number: i64, fsp: u8) -> Result<Self, CodecError> {
        let value = number.unsigned_abs();
        let part = |v: u64| (v % 100) as u8;
        Self::from_parts(number < 0, value / 10_000, part(value / 100), part(value), 0, fsp)
    }

    /// `[-]HMMSS` as a number, without the fraction.
    pub const fn to_number(&self) -> i64 {
        let value = self.hours() as i64 * 10_000 + self.minutes() as i64 * 100 + self.seconds() as i64;
        if self.nanos < 0 { -value } else { value }
    }

    /// Appends `[-]HH:MM:SS[.f]`.
    #[inline]
    pub fn write_text(&self, out: &mut Vec<u8>) {
        crate::text::push_duration(self.nanos, self.fsp, out);
    }

    /// Compares the spans.
    pub fn compare(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

/// Hours, minutes and seconds of `H:M[:S]` or of digits without separators. After a day count a lone
/// number is the hour.
fn split_clock(clock: &str, after_days: bool) -> Option<(u32, u32, u32)> {
    let mut parts = clock.split(':');
    let first = parts.next()?;
    match (parts.next(), parts.next(), parts.next()) {
        (Some(minutes), seconds, None) => Some((
            digits::parse_u32(first)?,
            digits::parse_u32(minutes)?,
            seconds.map_or(Some(0), digits::parse_u32)?,
        )),
        (None, ..) if after_days => Some((digits::parse_u32(first)?, 0, 0)),
        (None, ..) => {
            let number = digits::parse_u32(first)?;
            Some((number / 10_000, number / 100 % 100, number % 100))
        }
        _ => None,
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::new();
        self.write_text(&mut out);
        f.write_str(&String::from_utf8_lossy(&out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str, fsp: u8) -> String {
        Duration::parse(text, fsp).unwrap().to_string()
    }

    #[test]
    fn text_forms_of_mysql() {
        assert_eq!(shown("10:11:12", 0), "10:11:12");
        assert_eq!(shown("-838:59:59", 0), "-838:59:59");
        assert_eq!(shown("10:11", 0), "10:11:00");
        assert_eq!(shown("101112", 0), "10:11:12");
        assert_eq!(shown("12", 0), "00:00:12");
        assert_eq!(shown("1112", 0), "00:11:12");
        assert_eq!(shown("2 10:11:12.5", 1), "58:11:12.5");
        assert_eq!(shown("2 10", 0), "58:00:00");
        assert_eq!(shown("01:02:03.4567", 3), "01:02:03.457");
        assert_eq!(shown("-00:00:00.5", 0), "-00:00:01");
        assert_eq!(shown("2020-01-02 03:04:05.6", 2), "03:04:05.60");
        assert_eq!(shown("", 0), "00:00:00");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["10:60:00", "10:11:12:13", "x", "1:x", "-", "10:11:12.x"] {
            assert!(matches!(Duration::parse(text, 0), Err(CodecError::IncorrectValue { .. })), "{text}");
        }
        for text in ["839:00:00", "35 00:00:00", "838:59:59.9"] {
            assert!(matches!(Duration::parse(text, 1), Err(CodecError::OutOfRange { .. })), "{text}");
        }
    }

    #[test]
    fn numbers() {
        assert_eq!(Duration::from_number(-101_112, 0).unwrap().to_string(), "-10:11:12");
        assert_eq!(Duration::from_number(-101_112, 0).unwrap().to_number(), -101_112);
        assert!(Duration::from_number(6_100, 0).is_err());
    }

    proptest! {
        #[test]
        fn text_round_trips(micros in -3_020_399_000_000i64..=3_020_399_000_000) {
            let value = Duration::new(micros * 1000, 6).unwrap();
            prop_assert_eq!(Duration::parse(&value.to_string(), 6).unwrap(), value);
        }

        #[test]
        fn parsing_never_panics(text: String) {
            let _ = Duration::parse(&text, 3);
        }
    }
}
