//! How many changefeeds a capture has: what each does by the clock is done less often when there are many, so that all of
//! them together do not ask more of etcd and Kafka than a few would.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Share of the time that each changefeed adds to the pause between two writes of one of them: all together write at
/// most a thousand times a second, a rate that a PD on ordinary disks bears.
const SHARE: Duration = Duration::from_millis(1);

/// Counts changefeeds.
#[derive(Debug, Default)]
pub(crate) struct Crowd(AtomicU32);

impl Crowd {
    /// One more.
    pub(crate) fn enter(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// One less.
    pub(crate) fn leave(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// The pause between two actions of one changefeed: `least`, or more when there are many.
    pub(crate) fn pause(&self, least: Duration) -> Duration {
        SHARE.saturating_mul(self.0.load(Ordering::Relaxed)).max(least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_with_the_number_of_changefeeds() {
        let crowd = Crowd::default();
        let least = Duration::from_millis(200);
        assert_eq!(crowd.pause(least), least);
        (0..1000).for_each(|_| crowd.enter());
        assert_eq!(crowd.pause(least), Duration::from_secs(1));
        (0..900).for_each(|_| crowd.leave());
        assert_eq!(crowd.pause(least), least);
    }
}
