//! Packed times and their parts.

use super::civil;
use crate::CodecError;

/// Bits of the microseconds in a packed time.
const MICRO_BITS: u32 = 24;
/// Bits of hour, minute and second in a packed time.
const CLOCK_BITS: u32 = 17;
/// Months of a packed year: the months and the zero month.
const PACKED_MONTHS: u64 = 13;

/// Parts of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TimeParts {
    /// 0 to 9999.
    pub year: u16,
    /// 0 to 12; 0 is MySQL's zero month.
    pub month: u8,
    /// 0 to 31; 0 is MySQL's zero day.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// 0 to 999,999.
    pub micro: u32,
}

impl TimeParts {
    /// Takes a packed time apart.
    ///
    /// # Errors
    /// Parts out of their ranges.
    #[inline]
    pub fn unpack(packed: u64) -> Result<Self, CodecError> {
        let micro = (packed & ((1 << MICRO_BITS) - 1)) as u32;
        let clock = (packed >> MICRO_BITS) & ((1 << CLOCK_BITS) - 1);
        let date = packed >> (MICRO_BITS + CLOCK_BITS);
        let months = date >> 5;
        let parts = Self {
            year: (months / PACKED_MONTHS).min(u64::from(u16::MAX)) as u16,
            month: (months % PACKED_MONTHS) as u8,
            day: (date & 31) as u8,
            hour: (clock >> 12) as u8,
            minute: (clock >> 6 & 63) as u8,
            second: (clock & 63) as u8,
            micro,
        };
        if parts.in_range() {
            Ok(parts)
        } else {
            Err(CodecError::Malformed { what: "packed time", reason: "a part is out of range" })
        }
    }

    /// Packs the parts; the order of packed times is that of the times.
    #[inline]
    pub const fn pack(&self) -> u64 {
        let months = self.year as u64 * PACKED_MONTHS + self.month as u64;
        let date = months << 5 | self.day as u64;
        let clock = (self.hour as u64) << 12 | (self.minute as u64) << 6 | self.second as u64;
        (date << CLOCK_BITS | clock) << MICRO_BITS | self.micro as u64
    }

    /// Whether each part is in its own range.
    #[inline]
    pub(super) const fn in_range(&self) -> bool {
        self.year <= 9999
            && self.month <= 12
            && self.day <= 31
            && self.hour <= 23
            && self.minute <= 59
            && self.second <= 59
            && self.micro <= 999_999
    }

    /// Whether the day exists in its month. Zero months and days count as existing.
    pub const fn day_exists(&self) -> bool {
        self.month == 0 || self.day <= civil::days_in_month(self.year, self.month)
    }
}
