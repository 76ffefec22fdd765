//! DATE, DATETIME and TIMESTAMP values.

mod civil;
mod parse;
mod parts;
mod zone;

pub use parts::TimeParts;

use crate::{CodecError, field::tp, text::digits};
use jiff::tz::TimeZone;
use std::{cmp::Ordering, fmt};

/// Which of the three types a time is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeKind {
    /// DATE.
    Date,
    /// DATETIME.
    DateTime,
    /// TIMESTAMP: an instant. In storage it is in UTC.
    Timestamp,
}

impl TimeKind {
    /// The kind of a column type code, if it is one of the three types.
    #[inline]
    pub const fn of_column(code: u8) -> Option<Self> {
        match code {
            tp::DATE | tp::NEW_DATE => Some(Self::Date),
            tp::DATETIME => Some(Self::DateTime),
            tp::TIMESTAMP => Some(Self::Timestamp),
            _ => None,
        }
    }

    /// Column type code of the kind.
    pub const fn type_code(self) -> u8 {
        match self {
            Self::Date => tp::DATE,
            Self::DateTime => tp::DATETIME,
            Self::Timestamp => tp::TIMESTAMP,
        }
    }

    /// SQL name, lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Date => "date",
            Self::DateTime => "datetime",
            Self::Timestamp => "timestamp",
        }
    }
}

/// A date, or a date and time, with its type and number of fraction digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Time {
    parts: TimeParts,
    kind: TimeKind,
    fsp: u8,
}

impl Time {
    /// Most fraction digits.
    pub const MAX_FSP: u8 = 6;

    /// The zero value, `0000-00-00 00:00:00`.
    pub const fn zero(kind: TimeKind, fsp: u8) -> Self {
        let parts = TimeParts { year: 0, month: 0, day: 0, hour: 0, minute: 0, second: 0, micro: 0 };
        Self { parts, kind, fsp }
    }

    /// A time from its parts. A DATE drops its time of day.
    ///
    /// # Errors
    /// Parts out of range, or a day that its month does not have.
    pub fn new(parts: TimeParts, kind: TimeKind, fsp: u8) -> Result<Self, CodecError> {
        let fsp = if kind == TimeKind::Date { 0 } else { fsp.min(Self::MAX_FSP) };
        if !parts.in_range() || !parts.day_exists() {
            let text = Self { parts, kind: TimeKind::DateTime, fsp: Self::MAX_FSP }.to_string();
            return Err(CodecError::IncorrectValue { kind: kind.name(), text });
        }
        let parts = match kind {
            TimeKind::Date => TimeParts { hour: 0, minute: 0, second: 0, micro: 0, ..parts },
            _ => parts,
        };
        Ok(Self { parts, kind, fsp })
    }

    /// A time from its packed form.
    ///
    /// # Errors
    /// Parts out of their ranges.
    #[inline]
    pub fn from_packed(packed: u64, kind: TimeKind, fsp: u8) -> Result<Self, CodecError> {
        Ok(Self { parts: TimeParts::unpack(packed)?, kind, fsp: fsp.min(Self::MAX_FSP) })
    }

    /// The packed form, as rows and keys hold it.
    #[inline]
    pub const fn packed(&self) -> u64 {
        self.parts.pack()
    }

    /// The parts.
    pub const fn parts(&self) -> TimeParts {
        self.parts
    }

    /// The type.
    pub const fn kind(&self) -> TimeKind {
        self.kind
    }

    /// Digits after the second.
    pub const fn fsp(&self) -> u8 {
        self.fsp
    }

    /// Year, 0 to 9999.
    pub const fn year(&self) -> u16 {
        self.parts.year
    }

    /// Month, 0 to 12.
    pub const fn month(&self) -> u8 {
        self.parts.month
    }

    /// Day, 0 to 31.
    pub const fn day(&self) -> u8 {
        self.parts.day
    }

    /// Hour, 0 to 23.
    pub const fn hour(&self) -> u8 {
        self.parts.hour
    }

    /// Minute, 0 to 59.
    pub const fn minute(&self) -> u8 {
        self.parts.minute
    }

    /// Second, 0 to 59.
    pub const fn second(&self) -> u8 {
        self.parts.second
    }

    /// Microsecond, 0 to 999,999.
    pub const fn micro(&self) -> u32 {
        self.parts.micro
    }

    /// Whether this is the zero value.
    pub const fn is_zero(&self) -> bool {
        self.parts.pack() == 0
    }

    /// Whether month or day is zero (true for the zero value too).
    pub const fn has_zero_part(&self) -> bool {
        self.parts.month == 0 || self.parts.day == 0
    }

    /// The same date and time as another type.
    ///
    /// # Errors
    /// As [`Time::round`].
    pub fn with_kind(self, kind: TimeKind, fsp: u8) -> Result<Self, CodecError> {
        match kind {
            TimeKind::Date => Self::new(self.parts, kind, 0),
            _ => Self { kind, ..self }.round(fsp),
        }
    }

    /// Rounds half up to `fsp` digits.
    ///
    /// # Errors
    /// A carry beyond the year 9999, or into a date with zero parts.
    pub fn round(self, fsp: u8) -> Result<Self, CodecError> {
        let fsp = fsp.min(Self::MAX_FSP);
        let unit = 10u32.pow(u32::from(Self::MAX_FSP - fsp));
        let rounded = (self.parts.micro + unit / 2) / unit * unit;
        if rounded < 1_000_000 {
            return Ok(Self { parts: TimeParts { micro: rounded, ..self.parts }, fsp, ..self });
        }
        let parts = TimeParts { micro: 0, ..self.parts };
        self.second_after(parts)
            .map(|parts| Self { parts, fsp, ..self })
            .ok_or_else(|| CodecError::IncorrectValue { kind: self.kind.name(), text: self.to_string() })
    }

    /// The parts one second later.
    fn second_after(&self, parts: TimeParts) -> Option<TimeParts> {
        if parts.second < 59 {
            return Some(TimeParts { second: parts.second + 1, ..parts });
        }
        let seconds = civil::to_seconds(&parts)? + 1;
        civil::from_seconds(seconds)
    }

    /// Parses MySQL's date and time text, see [`Time::parse_with_offset`]; a zone offset in the text is refused.
    ///
    /// # Errors
    /// Text that is no date.
    pub fn parse(text: &str, kind: TimeKind, fsp: u8) -> Result<Self, CodecError> {
        match Self::parse_with_offset(text, kind, fsp)? {
            (time, None) => Ok(time),
            (_, Some(_)) => Err(CodecError::IncorrectValue { kind: kind.name(), text: text.to_owned() }),
        }
    }

    /// Appends `YYYY-MM-DD[ HH:MM:SS[.f]]`.
    #[inline]
    pub fn write_text(&self, out: &mut Vec<u8>) {
        push_parts(&self.parts, self.kind, self.fsp, out);
    }

    /// Compares date and time, whatever the types.
    pub fn compare(&self, other: &Self) -> Ordering {
        self.packed().cmp(&other.packed())
    }

    /// `YYYYMMDD` of a DATE, else `YYYYMMDDHHMMSS`.
    pub const fn to_number(&self) -> i64 {
        let p = &self.parts;
        let date = p.year as i64 * 10_000 + p.month as i64 * 100 + p.day as i64;
        match self.kind {
            TimeKind::Date => date,
            _ => date * 1_000_000 + p.hour as i64 * 10_000 + p.minute as i64 * 100 + p.second as i64,
        }
    }

    /// The bit field that binary JSON holds.
    pub(crate) const fn json_bits(&self) -> u64 {
        let p = &self.parts;
        (p.year as u64) << 50
            | (p.month as u64) << 46
            | (p.day as u64) << 41
            | (p.hour as u64) << 36
            | (p.minute as u64) << 30
            | (p.second as u64) << 24
            | (p.micro as u64) << 4
    }

    /// Reads the bit field of binary JSON.
    pub(crate) fn from_json_bits(bits: u64, kind: TimeKind) -> Result<Self, CodecError> {
        let field = |shift: u32, width: u32| (bits >> shift) & ((1 << width) - 1);
        let parts = TimeParts {
            year: field(50, 14) as u16,
            month: field(46, 4) as u8,
            day: field(41, 5) as u8,
            hour: field(36, 5) as u8,
            minute: field(30, 6) as u8,
            second: field(24, 6) as u8,
            micro: field(4, 20) as u32,
        };
        if !parts.in_range() {
            return Err(CodecError::Malformed { what: "JSON time", reason: "a part is out of range" });
        }
        Ok(Self { parts, kind, fsp: Self::MAX_FSP })
    }
}

/// Appends a packed time, a TIMESTAMP moved from UTC to `zone`.
#[inline]
pub(crate) fn write_packed(
    packed: u64,
    kind: TimeKind,
    fsp: u8,
    zone: &TimeZone,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let mut parts = TimeParts::unpack(packed)?;
    if kind == TimeKind::Timestamp && packed != 0 {
        parts = zone::from_utc(&parts, zone)?;
    }
    push_parts(&parts, kind, fsp, out);
    Ok(())
}

/// Appends the text of a time.
#[inline]
fn push_parts(parts: &TimeParts, kind: TimeKind, fsp: u8, out: &mut Vec<u8>) {
    let [a, b] = digits::pair(u32::from(parts.year) / 100);
    let [c, d] = digits::pair(parts.year.into());
    let [e, f] = digits::pair(parts.month.into());
    let [g, h] = digits::pair(parts.day.into());
    let date = [a, b, c, d, b'-', e, f, b'-', g, h];
    out.extend_from_slice(&date);
    if kind == TimeKind::Date {
        return;
    }
    let [i, j] = digits::pair(parts.hour.into());
    let [k, l] = digits::pair(parts.minute.into());
    let [m, n] = digits::pair(parts.second.into());
    out.extend_from_slice(&[b' ', i, j, b':', k, l, b':', m, n]);
    digits::push_fraction(parts.micro, fsp, out);
}

impl fmt::Display for Time {
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

    #[test]
    fn packed_values_with_impossible_parts_are_refused() {
        let good =
            TimeParts { year: 2020, month: 1, day: 2, hour: 23, minute: 59, second: 59, micro: 999_999 };
        assert_eq!(TimeParts::unpack(good.pack()), Ok(good));
        for bad in [
            TimeParts { hour: 24, ..good },
            TimeParts { minute: 60, ..good },
            TimeParts { second: 60, ..good },
            TimeParts { micro: 1_000_000, ..good },
            TimeParts { year: 10_000, ..good },
        ] {
            assert!(TimeParts::unpack(bad.pack()).is_err(), "{bad:?}");
        }
        assert!(TimeParts::unpack(u64::MAX).is_err());
    }

    #[test]
    fn rounding_carries_into_the_year() {
        let time = Time::parse("2019-12-31 23:59:59.999999", TimeKind::DateTime, 6).unwrap();
        assert_eq!(time.round(3).unwrap().to_string(), "2020-01-01 00:00:00.000");
        let last = Time::parse("9999-12-31 23:59:59.999999", TimeKind::DateTime, 6).unwrap();
        assert!(last.round(0).is_err());
    }

    pub(super) fn any_parts() -> impl Strategy<Value = TimeParts> {
        (0u16..=9999, 1u8..=12, 1u8..=28, 0u8..24, 0u8..60, 0u8..60, 0u32..1_000_000).prop_map(
            |(year, month, day, hour, minute, second, micro)| TimeParts {
                year,
                month,
                day,
                hour,
                minute,
                second,
                micro,
            },
        )
    }

    proptest! {
        #[test]
        fn packing_and_text_round_trip_in_order(a in any_parts(), b in any_parts()) {
            let time = |p| Time::new(p, TimeKind::DateTime, 6).unwrap();
            prop_assert_eq!(Time::from_packed(a.pack(), TimeKind::DateTime, 6).unwrap(), time(a));
            prop_assert_eq!(Time::parse(&time(a).to_string(), TimeKind::DateTime, 6).unwrap(), time(a));
            prop_assert_eq!(a.pack().cmp(&b.pack()), time(a).to_string().cmp(&time(b).to_string()));
            prop_assert_eq!(Time::from_json_bits(time(a).json_bits(), TimeKind::DateTime).unwrap(), time(a));
        }

        #[test]
        fn arbitrary_bits_never_panic(bits: u64) {
            let mut out = Vec::new();
            let _ = write_packed(bits, TimeKind::Timestamp, 6, &TimeZone::UTC, &mut out);
            let _ = Time::from_json_bits(bits, TimeKind::Date);
        }
    }
}
