//! Growing waits between attempts, within a budget of time.

use std::time::{Duration, Instant};

/// Waits that double from `base` up to `max`, with random jitter of a half, until `budget` has passed since the start.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    base: Duration,
    max: Duration,
    attempt: u32,
    started: Instant,
    budget: Duration,
}

/// The attempt number from which the wait no longer grows; keeps the shift in range.
const MAX_DOUBLINGS: u32 = 20;

impl Backoff {
    /// A fresh series of waits.
    pub(crate) fn new(base: Duration, max: Duration, budget: Duration) -> Self {
        Self { base, max, attempt: 0, started: Instant::now(), budget }
    }

    /// For region errors and store connections: 2 ms to 1 s.
    pub(crate) fn region(budget: Duration) -> Self {
        Self::new(Duration::from_millis(2), Duration::from_secs(1), budget)
    }

    /// For another transaction's live lock: 1 ms to 200 ms.
    pub(crate) fn lock(budget: Duration) -> Self {
        Self::new(Duration::from_millis(1), Duration::from_millis(200), budget)
    }

    /// Time since the first attempt.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The next wait, or `None` once the budget is used up.
    pub(crate) fn next_delay(&mut self) -> Option<Duration> {
        if self.elapsed() >= self.budget {
            return None;
        }
        let factor = 1_u32 << self.attempt.min(MAX_DOUBLINGS);
        self.attempt = self.attempt.saturating_add(1);
        let full = self.base.saturating_mul(factor).min(self.max);
        let jitter: f64 = rand::random_range(0.5..=1.0);
        Some(full.mul_f64(jitter))
    }

    /// Waits, at most `cap`; false once the budget is used up.
    pub(crate) async fn wait_at_most(&mut self, cap: Duration) -> bool {
        match self.next_delay() {
            Some(delay) => {
                tokio::time::sleep(delay.min(cap)).await;
                true
            }
            None => false,
        }
    }

    /// Waits; false once the budget is used up.
    pub(crate) async fn wait(&mut self) -> bool {
        self.wait_at_most(self.max).await
    }

    /// Waits at least `floor` (a server's wish, bounded by the budget); false once the budget is used up.
    pub(crate) async fn wait_at_least(&mut self, floor: Duration) -> bool {
        let left = self.budget.saturating_sub(self.elapsed());
        match self.next_delay() {
            Some(delay) => {
                tokio::time::sleep(delay.max(floor).min(left)).await;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_maximum_and_end_with_the_budget() {
        let mut backoff =
            Backoff::new(Duration::from_millis(2), Duration::from_millis(100), Duration::from_secs(60));
        let mut last = Duration::ZERO;
        for _ in 0..50 {
            last = backoff.next_delay().unwrap();
            assert!(last <= Duration::from_millis(100));
        }
        assert!(last >= Duration::from_millis(50));
        let mut spent = Backoff::new(Duration::from_millis(2), Duration::from_millis(100), Duration::ZERO);
        assert!(spent.next_delay().is_none());
    }
}
