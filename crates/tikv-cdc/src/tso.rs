//! Timestamps of the cluster.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Bits below the physical part.
const LOGICAL_BITS: u32 = 18;

/// Milliseconds since the Unix epoch.
pub(crate) fn physical_ms(ts: u64) -> u64 {
    ts >> LOGICAL_BITS
}

/// The timestamp `by` later.
pub(crate) fn later(ts: u64, by: Duration) -> u64 {
    ts.saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX) << LOGICAL_BITS)
}

/// How far a timestamp is behind another one.
pub(crate) fn behind(ts: u64, now: u64) -> Duration {
    Duration::from_millis(physical_ms(now).saturating_sub(physical_ms(ts)))
}

/// How far a timestamp is behind the clock of this machine. For priorities and metrics only: clocks differ.
pub(crate) fn lag(ts: u64) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(Duration::from_millis(physical_ms(ts)))
}
