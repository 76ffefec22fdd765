//! The clock of change feeds: resolved timestamps at a fixed pace, while somebody listens.

use crate::store::Store;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Sends resolved timestamps until cancelled. Without subscriptions it sleeps.
pub(crate) async fn publish_resolved_ts(store: Arc<Store>, interval: Duration, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
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
            _ = ticks.tick() => {}
        }
        match store.placement.timestamp().await {
            Ok(ts) => {
                pd_failed = false;
                // From here on a one-phase commit is later than `ts`, or announced in the lock table.
                store.max_ts.update(ts);
                store.hub.publish_resolved(ts, &store.locks);
            }
            Err(error) => {
                if !pd_failed {
                    tracing::warn!(%error, "change feeds stand still: no timestamp from PD");
                }
                pd_failed = true;
            }
        }
    }
}
