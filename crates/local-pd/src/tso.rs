//! The timestamp oracle: strictly increasing timestamps, also over crashes.
//!
//! Timestamps are handed out only below a bound that is on disk. After a restart they begin at that bound.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

/// How far the bound on disk lies ahead, the value that PD uses.
const WINDOW: Duration = Duration::from_secs(3);
/// The bound is moved when less than this is left of the window.
const RENEW_BELOW: Duration = Duration::from_millis(1500);
/// Timestamps of one millisecond.
const LOGICAL_LIMIT: u64 = 1 << 18;
/// Most timestamps in one request.
pub(crate) const MAX_COUNT: u32 = (LOGICAL_LIMIT - 1) as u32;

/// The oracle.
#[derive(Debug)]
pub(crate) struct Oracle {
    clock: Mutex<Clock>,
}

/// The last timestamp handed out, and the bound.
#[derive(Debug)]
struct Clock {
    physical: u64,
    logical: u64,
    bound: u64,
}

/// A timestamp in its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp {
    pub(crate) physical: u64,
    pub(crate) logical: u64,
}

/// What came of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Allocation {
    /// The last of the timestamps; the bound should be moved soon.
    SoonMore(Stamp),
    /// The last of the timestamps.
    Granted(Stamp),
    /// The bound must be moved first.
    BoundReached,
}

/// Milliseconds since the Unix epoch by the local clock.
pub(crate) fn wall_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// A duration in milliseconds.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Oracle {
    /// Goes on from the bound that was on disk; nothing is handed out before [`Oracle::extended`].
    pub(crate) fn new(bound_ms: u64) -> Self {
        Self { clock: Mutex::new(Clock { physical: bound_ms, logical: 0, bound: 0 }) }
    }

    /// Takes `count` timestamps (at most [`MAX_COUNT`]).
    pub(crate) fn allocate(&self, count: u32, wall_ms: u64) -> Allocation {
        let count = u64::from(count);
        let mut clock = self.clock.lock();
        let (physical, logical) = if wall_ms > clock.physical {
            (wall_ms, count)
        } else if clock.logical + count < LOGICAL_LIMIT {
            (clock.physical, clock.logical + count)
        } else {
            (clock.physical + 1, count)
        };
        if physical >= clock.bound {
            return Allocation::BoundReached;
        }
        clock.physical = physical;
        clock.logical = logical;
        let stamp = Stamp { physical, logical };
        if clock.bound - physical < millis(RENEW_BELOW) {
            Allocation::SoonMore(stamp)
        } else {
            Allocation::Granted(stamp)
        }
    }

    /// The bound to be written to disk next.
    pub(crate) fn next_bound(&self, wall_ms: u64) -> u64 {
        let clock = self.clock.lock();
        clock
            .physical
            .max(wall_ms)
            .max(clock.bound.saturating_sub(millis(WINDOW)))
            .saturating_add(millis(WINDOW))
    }

    /// The bound is on disk.
    pub(crate) fn extended(&self, bound: u64) {
        let mut clock = self.clock.lock();
        clock.bound = clock.bound.max(bound);
    }

    /// Ends the handing out and returns the smallest bound that covers what was handed out.
    pub(crate) fn close(&self) -> u64 {
        let mut clock = self.clock.lock();
        clock.bound = 0;
        clock.physical.saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn granted(allocation: Allocation) -> Option<Stamp> {
        match allocation {
            Allocation::Granted(stamp) | Allocation::SoonMore(stamp) => Some(stamp),
            Allocation::BoundReached => None,
        }
    }

    proptest! {
        #[test]
        fn timestamps_increase_whatever_the_clock_does_and_over_crashes(
            steps in proptest::collection::vec((0_u64..10_000, 1_u32..=MAX_COUNT, any::<bool>()), 1..200),
        ) {
            let mut disk = 0;
            let mut oracle = Oracle::new(disk);
            let mut last = Stamp { physical: 0, logical: 0 };
            for (wall, count, crash) in steps {
                if crash {
                    oracle = Oracle::new(disk);
                }
                let stamp = match granted(oracle.allocate(count, wall)) {
                    Some(stamp) => stamp,
                    None => {
                        disk = oracle.next_bound(wall);
                        oracle.extended(disk);
                        granted(oracle.allocate(count, wall)).unwrap()
                    }
                };
                let first = Stamp { logical: stamp.logical + 1 - u64::from(count), ..stamp };
                prop_assert!(first > last);
                prop_assert!(stamp.physical < disk);
                prop_assert!(stamp.logical < LOGICAL_LIMIT);
                last = stamp;
            }
        }
    }

    #[test]
    fn nothing_is_handed_out_at_the_bound() {
        let oracle = Oracle::new(100);
        assert_eq!(oracle.allocate(1, 50), Allocation::BoundReached);
        oracle.extended(oracle.next_bound(50));
        assert_eq!(oracle.allocate(1, 50), Allocation::Granted(Stamp { physical: 100, logical: 1 }));
        assert!(matches!(oracle.allocate(1, 2000), Allocation::SoonMore(_)));
        assert_eq!(oracle.close(), 2001);
        assert_eq!(oracle.allocate(1, 2000), Allocation::BoundReached);
    }
}
