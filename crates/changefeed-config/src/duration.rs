//! Durations in Go's notation: `1h30m`, `500ms`, or a number of nanoseconds.

use std::time::Duration;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A duration that is written as nanoseconds and read from either form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct GoDuration(pub Duration);

impl GoDuration {
    /// From whole seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

/// Units from long to short, with their nanoseconds.
const UNITS: [(&str, f64); 7] =
    [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9)];

/// Parses Go's duration text; negative durations are refused.
pub fn parse_go_duration(text: &str) -> Result<Duration, String> {
    let bad = || format!("time: invalid duration {text:?}");
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(bad());
    }
    let mut nanos = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(bad)?;
        let (number, tail) = rest.split_at(digits);
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let scale = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(bad)?.1;
        nanos += number.parse::<f64>().map_err(|_| bad())? * scale;
        rest = tail;
    }
    if !(0.0..9.2e18).contains(&nanos) {
        return Err(bad());
    }
    Ok(Duration::from_nanos(nanos as u64))
}

/// Writes a duration as Go prints it: `1.5s`, `2m0s`, `1h0m0s`, `12ms`.
pub fn format_go_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let fraction = |value: f64, unit: &str| format!("{}{unit}", value);
    match nanos {
        0 => "0s".to_owned(),
        1..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => fraction(nanos as f64 / 1e3, "µs"),
        1_000_000..1_000_000_000 => fraction(nanos as f64 / 1e6, "ms"),
        _ => {
            let (hours, minutes) = (duration.as_secs() / 3600, duration.as_secs() / 60 % 60);
            let seconds = (nanos % 60_000_000_000) as f64 / 1e9;
            match (hours, minutes) {
                (0, 0) => fraction(seconds, "s"),
                (0, m) => format!("{m}m{seconds}s"),
                (h, m) => format!("{h}h{m}m{seconds}s"),
            }
        }
    }
}

impl Serialize for GoDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Takes both forms.
        struct Either;
        impl Visitor<'_> for Either {
            type Value = GoDuration;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a duration such as \"10m\", or nanoseconds")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<GoDuration, E> {
                parse_go_duration(text).map(GoDuration).map_err(E::custom)
            }
            fn visit_u64<E: Error>(self, nanos: u64) -> Result<GoDuration, E> {
                Ok(GoDuration(Duration::from_nanos(nanos)))
            }
            fn visit_i64<E: Error>(self, nanos: i64) -> Result<GoDuration, E> {
                u64::try_from(nanos)
                    .map_err(|_| E::custom("negative duration"))
                    .and_then(|n| self.visit_u64(n))
            }
            fn visit_f64<E: Error>(self, nanos: f64) -> Result<GoDuration, E> {
                if (0.0..9.2e18).contains(&nanos) {
                    self.visit_u64(nanos as u64)
                } else {
                    Err(E::custom("bad duration"))
                }
            }
        }
        deserializer.deserialize_any(Either)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_durations_are_read_and_written() {
        for (text, nanos, printed) in [
            ("10m", 600_000_000_000, "10m0s"),
            ("1h30m", 5_400_000_000_000, "1h30m0s"),
            ("500ms", 500_000_000, "500ms"),
            ("1.5s", 1_500_000_000, "1.5s"),
            ("0", 0, "0s"),
            ("12us", 12_000, "12µs"),
        ] {
            let parsed = parse_go_duration(text).expect(text);
            assert_eq!(parsed.as_nanos(), nanos);
            assert_eq!(format_go_duration(parsed), printed);
        }
        for bad in ["", "10", "m", "1x", "-1s", "1s2"] {
            assert!(parse_go_duration(bad).is_err(), "{bad}");
        }
    }
}
