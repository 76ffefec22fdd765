//! The largest timestamp that anybody may have read at.

use crate::record::physical_ms;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A timestamp may be this far ahead of the wall clock, in milliseconds: clocks differ, but garbage is refused.
const MAX_AHEAD_MS: u64 = 3_600_000;

/// Commit timestamps that the store chooses itself are larger than this mark.
#[derive(Debug, Default)]
pub(crate) struct MaxTs(AtomicU64);

impl MaxTs {
    /// Raises the mark. `u64::MAX` means "the newest" and is no timestamp.
    pub(crate) fn update(&self, ts: u64) {
        if ts != u64::MAX {
            self.0.fetch_max(ts, Ordering::SeqCst);
        }
    }

    /// The mark.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Whether `ts` may have come from PD: not far in the future. `u64::MAX` is allowed.
pub(crate) fn is_plausible(ts: u64) -> bool {
    if ts == u64::MAX {
        return true;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    u128::from(physical_ms(ts)) <= now + u128::from(MAX_AHEAD_MS)
}
