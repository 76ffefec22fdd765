//! Names of time zones.

use jiff::tz::{Offset, TimeZone};

/// The zone of a name, or of an offset such as `+08:00`, within MySQL's bounds. `SYSTEM` is UTC.
pub fn parse_zone(name: &str) -> Option<TimeZone> {
    if name.eq_ignore_ascii_case("SYSTEM") || name.eq_ignore_ascii_case("UTC") {
        return Some(TimeZone::UTC);
    }
    if let Some(sign) = name.chars().next().filter(|c| matches!(c, '+' | '-')) {
        let (hours, minutes) = name.get(1..)?.split_once(':')?;
        let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
        let total = hours.checked_mul(60)?.checked_add(minutes)?;
        // MySQL's bounds: -13:59 to +14:00.
        let allowed = (0..60).contains(&minutes)
            && hours >= 0
            && if sign == '-' { total < 14 * 60 } else { total <= 14 * 60 };
        let seconds = if sign == '-' { -total * 60 } else { total * 60 };
        return if allowed { Some(TimeZone::fixed(Offset::from_seconds(seconds).ok()?)) } else { None };
    }
    TimeZone::get(name).ok()
}
