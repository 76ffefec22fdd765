//! The clock of change feeds: resolved timestamps at a pace that the number of listeners allows, while there are any.

use crate::store::Store;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Resolved timestamps of one second, over all subscriptions: with more subscriptions the pace gets slower, so that
/// store and captures do not spend a core on tables on which nothing happens.
const PER_SECOND: u32 = 100_000;
/// The pace gets no slower than this: TiKV's own in most versions.
const SLOWEST: Duration = Duration::from_secs(1);

/// Subscriptions that are told in a second, of so many: what is fair, and each at least once in [`SLOWEST`].
fn per_second(all: usize) -> f64 {
    f64::from(PER_SECOND).max(all as f64 / SLOWEST.as_secs_f64())
}

/// How many subscriptions of all are told at a time.
fn share(interval: Duration, all: usize) -> usize {
    ((per_second(all) * interval.as_secs_f64()) as usize).max(1)
}

/// The pause after so many subscriptions of all were told: more than their share, if one connection has very many.
fn pause(interval: Duration, told: usize, all: usize) -> Duration {
    interval.max(Duration::from_secs_f64(told as f64 / per_second(all)))
}

/// Sends resolved timestamps until cancelled. Without subscriptions it sleeps.
pub(crate) async fn publish_resolved_ts(store: Arc<Store>, interval: Duration, stop: CancellationToken) {
    let mut next = tokio::time::Instant::now();
    let mut pd_failed = false;
    loop {
        if store.hub.is_empty() {
            tokio::select! {
                () = stop.cancelled() => return,
                () = store.hub.appeared.notified() => {}
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep_until(next) => {}
        }
        let begun = tokio::time::Instant::now();
        let all = store.hub.len();
        let mut told = 0;
        match store.placement.timestamp().await {
            Ok(ts) => {
                pd_failed = false;
                // From here on a one-phase commit is later than `ts`, or announced in the lock table.
                store.max_ts.update(ts);
                told = store.hub.publish_resolved(ts, share(interval, all), &store.locks);
            }
            Err(error) => {
                if !pd_failed {
                    tracing::warn!(%error, "change feeds stand still: no timestamp from PD");
                }
                pd_failed = true;
            }
        }
        next = begun + pause(interval, told, all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_kept_for_few_subscriptions_and_slows_down_for_many() {
        let interval = Duration::from_millis(20);
        assert_eq!(pause(interval, 0, 0), interval);
        assert_eq!(pause(interval, 2_000, 2_000), interval);
        // One connection has all of them, or they come in shares.
        assert_eq!(pause(interval, 50_000, 50_000), Duration::from_millis(500));
        assert_eq!(pause(interval, 2_000, 50_000), interval);
        assert_eq!(pause(interval, 10_000_000, 10_000_000), SLOWEST);
        assert_eq!(pause(Duration::from_secs(5), 50_000, 50_000), Duration::from_secs(5));
    }

    #[test]
    fn few_subscriptions_are_told_together_and_of_very_many_a_share_that_reaches_each_in_time() {
        let interval = Duration::from_millis(20);
        assert_eq!(share(interval, 0), 2_000);
        assert_eq!(share(interval, 100_000), 2_000);
        assert_eq!(share(interval, 1_000_000), 20_000);
        assert_eq!(share(Duration::from_secs(5), 1_000), 500_000);
    }
}
