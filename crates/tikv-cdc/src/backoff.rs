//! How long a range waits before it is tried again.

use std::time::{Duration, Instant};

/// First wait.
const BASE: Duration = Duration::from_millis(50);
/// Longest wait.
const MAX: Duration = Duration::from_secs(2);
/// Time without a failure after which earlier failures are forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(300);
/// Doublings from [`BASE`] to beyond [`MAX`].
const MAX_DOUBLINGS: u32 = 6;

/// Consecutive failures of one logical range. It moves with the range when that is looked up again, and is copied when
/// the range falls apart.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Backoff {
    /// Failures so far.
    failures: u32,
    /// The last one.
    last: Option<Instant>,
}

impl Backoff {
    /// Failures that are remembered.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// Counts a failure and returns how long to wait: 50 ms doubling to 2 s, of which the upper half is random.
    pub(crate) fn next(&mut self, now: Instant) -> Duration {
        self.next_with(now, rand::random_range(0.5..=1.0))
    }

    /// As [`next`](Self::next), but the first failure does not wait: for errors that tell how to go on.
    pub(crate) fn next_after_hint(&mut self, now: Instant) -> Duration {
        let wait = self.next(now);
        if self.failures == 1 { Duration::ZERO } else { wait }
    }

    /// The wait with a given random factor.
    fn next_with(&mut self, now: Instant, factor: f64) -> Duration {
        if self.last.is_some_and(|last| now.saturating_duration_since(last) >= FORGET_AFTER) {
            self.failures = 0;
        }
        let full = BASE.saturating_mul(1 << self.failures.min(MAX_DOUBLINGS)).min(MAX);
        self.failures = self.failures.saturating_add(1);
        self.last = Some(now);
        full.mul_f64(factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_two_seconds_and_are_forgotten_after_five_minutes() {
        let mut now = Instant::now();
        let mut backoff = Backoff::default();
        let waits: Vec<u128> = (0..8).map(|_| backoff.next_with(now, 1.0).as_millis()).collect();
        assert_eq!(waits, [50, 100, 200, 400, 800, 1600, 2000, 2000]);
        now += Duration::from_secs(299);
        assert_eq!(backoff.next_with(now, 1.0), MAX);
        now += FORGET_AFTER;
        assert_eq!(backoff.next_with(now, 0.5), BASE / 2);
    }

    #[test]
    fn a_hint_is_followed_at_once_but_only_once() {
        let now = Instant::now();
        let mut backoff = Backoff::default();
        assert_eq!(backoff.next_after_hint(now), Duration::ZERO);
        assert!(backoff.next_after_hint(now) >= Duration::from_millis(50));
    }
}
