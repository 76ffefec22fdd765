//! Timestamps of the placement driver: milliseconds and a logical part in one integer.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Bits of the logical part.
const LOGICAL_BITS: u32 = 18;

/// A timestamp oracle value, `physical milliseconds << 18 | logical`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Puts the parts together; a negative part counts as zero.
    pub fn compose(physical_ms: i64, logical: i64) -> Self {
        let physical = u64::try_from(physical_ms).unwrap_or(0);
        let logical = u64::try_from(logical).unwrap_or(0);
        Self((physical << LOGICAL_BITS).saturating_add(logical))
    }

    /// Milliseconds since the Unix epoch.
    pub fn physical_ms(self) -> u64 {
        self.0 >> LOGICAL_BITS
    }

    /// The part that tells timestamps of one millisecond apart.
    pub fn logical(self) -> u64 {
        self.0 & ((1 << LOGICAL_BITS) - 1)
    }

    /// How long ago this was by the local clock; zero if it lies ahead.
    pub fn age(self) -> Duration {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        now.saturating_sub(Duration::from_millis(self.physical_ms()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_back() {
        let ts = Timestamp::compose(1_700_000_000_123, 77);
        assert_eq!((ts.physical_ms(), ts.logical()), (1_700_000_000_123, 77));
        assert!(ts.age() > Duration::from_secs(1));
        assert_eq!(Timestamp::compose(-1, -1), Timestamp(0));
    }
}
