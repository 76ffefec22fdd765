//! The proleptic Gregorian calendar, as seconds since 1970-01-01 00:00:00.

use super::TimeParts;

/// Seconds of a day.
pub(super) const DAY: i64 = 86_400;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_SHIFT: i64 = 719_468;
/// Days of 400 years.
const ERA_DAYS: i64 = 146_097;

/// Whether the year has a 29th of February.
const fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// Days of a month, 1 to 12; 31 for other numbers.
pub(super) const fn days_in_month(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01. Years are counted from March, so that the leap day is the last of its year.
#[inline]
const fn days(year: u16, month: u8, day: u8) -> i64 {
    let year = year as i64 - (month <= 2) as i64;
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month as i64 + 9) % 12) + 2) / 5 + day as i64 - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * ERA_DAYS + day_of_era - EPOCH_SHIFT
}

/// Seconds since 1970-01-01 00:00:00 of the same calendar; `None` for dates with a zero month or day.
#[inline]
pub(super) const fn to_seconds(parts: &TimeParts) -> Option<i64> {
    if parts.month == 0 || parts.day == 0 {
        return None;
    }
    let clock = parts.hour as i64 * 3600 + parts.minute as i64 * 60 + parts.second as i64;
    Some(days(parts.year, parts.month, parts.day) * DAY + clock)
}

/// The parts (without microseconds) of a number of seconds; `None` outside the years 0 to 9999.
#[inline]
pub(super) fn from_seconds(seconds: i64) -> Option<TimeParts> {
    let (day_number, clock) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    let shifted = day_number + EPOCH_SHIFT;
    let (era, day_of_era) = (shifted.div_euclid(ERA_DAYS), shifted.rem_euclid(ERA_DAYS));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    if !(0..=9999).contains(&year) {
        return None;
    }
    Some(TimeParts {
        year: year as u16,
        month: month as u8,
        day: (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u8,
        hour: (clock / 3600) as u8,
        minute: (clock / 60 % 60) as u8,
        second: (clock % 60) as u8,
        micro: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_jiff(seconds in -62_167_219_200i64..=253_402_207_200) {
            let parts = from_seconds(seconds).unwrap();
            prop_assert_eq!(to_seconds(&parts), Some(seconds));
            let civil = jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::from_second(seconds).unwrap());
            prop_assert_eq!(
                (i64::from(parts.year), parts.month as i8, parts.day as i8, parts.hour as i8, parts.second as i8),
                (i64::from(civil.year()), civil.month(), civil.day(), civil.hour(), civil.second())
            );
        }
    }
}
