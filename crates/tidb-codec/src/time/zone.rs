//! TIMESTAMP values between UTC and a time zone.

use super::{Time, TimeKind, TimeParts, civil};
use crate::CodecError;
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

/// First second a TIMESTAMP can hold: 1970-01-01 00:00:01 UTC.
const FIRST_SECOND: i64 = 1;
/// Last second a TIMESTAMP can hold: 2038-01-19 03:14:07 UTC.
const LAST_SECOND: i64 = i32::MAX as i64;

/// Offset of `zone` at an instant, in seconds east of UTC.
#[inline]
fn offset_at(seconds: i64, zone: &TimeZone) -> Option<i64> {
    let instant = Timestamp::from_second(seconds).ok()?;
    Some(i64::from(zone.to_offset(instant).seconds()))
}

/// The wall clock of `zone` at a UTC time.
#[inline]
pub(super) fn from_utc(parts: &TimeParts, zone: &TimeZone) -> Result<TimeParts, CodecError> {
    let moved =
        civil::to_seconds(parts).and_then(|seconds| civil::from_seconds(seconds + offset_at(seconds, zone)?));
    match moved {
        Some(moved) => Ok(TimeParts { micro: parts.micro, ..moved }),
        None => Err(CodecError::Malformed { what: "timestamp", reason: "not an instant" }),
    }
}

impl Time {
    /// The wall clock of `zone` at this UTC time; the zero value stays as it is.
    ///
    /// # Errors
    /// A date with zero parts, or one that leaves the years 0 to 9999.
    pub fn from_utc_to(self, zone: &TimeZone) -> Result<Self, CodecError> {
        if self.is_zero() {
            return Ok(self);
        }
        Ok(Self { parts: from_utc(&self.parts, zone)?, ..self })
    }

    /// UTC of this wall clock of `zone`; the zero value stays as it is. A wall clock that occurs twice is
    /// resolved as Go's `time.Date` does it, which is what TiDB uses.
    ///
    /// # Errors
    /// A date with zero parts, a wall clock that the zone skips, or, for a TIMESTAMP, an instant it cannot
    /// hold.
    pub fn to_utc_from(self, zone: &TimeZone) -> Result<Self, CodecError> {
        if self.is_zero() {
            return Ok(self);
        }
        let incorrect = || CodecError::IncorrectValue { kind: self.kind.name(), text: self.to_string() };
        let wall = civil::to_seconds(&self.parts).ok_or_else(incorrect)?;
        let utc = wall_to_utc(wall, zone).ok_or_else(incorrect)?;
        if self.kind == TimeKind::Timestamp && !(FIRST_SECOND..=LAST_SECOND).contains(&utc) {
            return Err(incorrect());
        }
        let parts = civil::from_seconds(utc).ok_or_else(incorrect)?;
        Ok(Self { parts: TimeParts { micro: self.parts.micro, ..parts }, ..self })
    }

    /// Microseconds since 1970-01-01 00:00:00 of this date and time, taken as UTC.
    ///
    /// # Errors
    /// A date with zero parts.
    pub fn to_unix_micros(&self) -> Result<i64, CodecError> {
        match civil::to_seconds(&self.parts) {
            Some(seconds) => Ok(seconds * 1_000_000 + i64::from(self.parts.micro)),
            None => Err(CodecError::IncorrectValue { kind: self.kind.name(), text: self.to_string() }),
        }
    }

    /// The UTC date and time of a number of microseconds since 1970-01-01 00:00:00, rounded to `fsp` digits.
    ///
    /// # Errors
    /// A moment outside the years 0 to 9999.
    pub fn from_unix_micros(micros: i64, kind: TimeKind, fsp: u8) -> Result<Self, CodecError> {
        let parts = civil::from_seconds(micros.div_euclid(1_000_000))
            .ok_or_else(|| CodecError::OutOfRange { kind: kind.name(), value: format!("{micros}us") })?;
        let parts = TimeParts { micro: micros.rem_euclid(1_000_000) as u32, ..parts };
        Self { parts, kind, fsp: Self::MAX_FSP }.with_kind(kind, fsp)
    }

    /// The date and time for calendar arithmetic; `None` with zero parts.
    pub fn to_civil(&self) -> Option<DateTime> {
        let p = &self.parts;
        let nanos = i32::try_from(p.micro).ok()? * 1000;
        let (month, day) = (p.month as i8, p.day as i8);
        let (hour, minute, second) = (p.hour as i8, p.minute as i8, p.second as i8);
        DateTime::new(p.year as i16, month, day, hour, minute, second, nanos).ok()
    }

    /// A time from a civil date and time, rounded to `fsp` digits.
    ///
    /// # Errors
    /// A year before 0, or a rounding beyond 9999.
    pub fn from_civil(civil: DateTime, kind: TimeKind, fsp: u8) -> Result<Self, CodecError> {
        let year = u16::try_from(civil.year())
            .map_err(|_| CodecError::OutOfRange { kind: kind.name(), value: civil.to_string() })?;
        let parts = TimeParts {
            year,
            month: civil.month() as u8,
            day: civil.day() as u8,
            hour: civil.hour() as u8,
            minute: civil.minute() as u8,
            second: civil.second() as u8,
            micro: (civil.subsec_nanosecond() / 1000) as u32,
        };
        Self { parts, kind, fsp: Self::MAX_FSP }.with_kind(kind, fsp)
    }
}

/// UTC seconds of a wall clock: the offset in force at the wall clock read as UTC is tried first, then the
/// one in force at the result. `None` where the zone skips the wall clock.
fn wall_to_utc(wall: i64, zone: &TimeZone) -> Option<i64> {
    let first = wall - offset_at(wall, zone)?;
    let utc = wall - offset_at(first, zone)?;
    (utc + offset_at(utc, zone)? == wall).then_some(utc)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn timestamp(text: &str) -> Time {
        Time::parse(text, TimeKind::Timestamp, 6).unwrap()
    }

    #[test]
    fn zones_shift_the_wall_clock() {
        let utc = timestamp("2024-07-01 22:30:00.5");
        assert_eq!(
            utc.from_utc_to(&zone("Asia/Shanghai")).unwrap().to_string(),
            "2024-07-02 06:30:00.500000"
        );
        assert_eq!(
            utc.from_utc_to(&zone("America/New_York")).unwrap().to_string(),
            "2024-07-01 18:30:00.500000"
        );
        let back = utc.from_utc_to(&zone("America/New_York")).unwrap().to_utc_from(&zone("America/New_York"));
        assert_eq!(back.unwrap(), utc);
        let zero = Time::zero(TimeKind::Timestamp, 0);
        assert_eq!(zero.from_utc_to(&zone("Asia/Tokyo")).unwrap(), zero);
    }

    #[test]
    fn wall_clocks_the_zone_skips_are_refused() {
        assert!(timestamp("2024-03-31 02:30:00").to_utc_from(&zone("Europe/Berlin")).is_err());
        let twice = timestamp("2024-10-27 02:30:00").to_utc_from(&zone("Europe/Berlin")).unwrap();
        assert_eq!(twice.to_string(), "2024-10-27 01:30:00.000000");
    }

    #[test]
    fn timestamps_have_a_range() {
        let utc = TimeZone::UTC;
        assert!(timestamp("1970-01-01 00:00:00").to_utc_from(&utc).is_err());
        assert!(timestamp("1970-01-01 00:00:01").to_utc_from(&utc).is_ok());
        assert!(timestamp("2038-01-19 03:14:07.999999").to_utc_from(&utc).is_ok());
        assert!(timestamp("2038-01-19 03:14:08").to_utc_from(&utc).is_err());
    }

    #[test]
    fn civil_and_unix_forms_round_trip() {
        let time = timestamp("2024-02-29 12:34:56.789");
        assert_eq!(Time::from_civil(time.to_civil().unwrap(), TimeKind::Timestamp, 6).unwrap(), time);
        let micros = time.to_unix_micros().unwrap();
        assert_eq!(Time::from_unix_micros(micros, TimeKind::Timestamp, 6).unwrap(), time);
    }
}
