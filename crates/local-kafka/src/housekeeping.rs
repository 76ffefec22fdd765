//! What happens without a request: retention, and expiry of committed offsets.

use std::sync::Arc;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::broker::Broker;
use crate::limits::{HOUSEKEEPING_INTERVAL, OFFSETS_RETENTION};
use crate::platform::now_ms;

/// Runs until `stopping`.
pub(crate) async fn run(broker: Arc<Broker>, stopping: CancellationToken) {
    let mut rounds = interval(HOUSEKEEPING_INTERVAL);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            _ = rounds.tick() => {}
        }
        let now = now_ms();
        for topic in broker.catalog.all() {
            let config = topic.config();
            if config.retention_ms < 0 && config.retention_bytes < 0 {
                continue;
            }
            for partition in topic.partitions() {
                broker.io.retain(&partition, now).await;
            }
        }
        let unused = |group: &str| !broker.groups.has_members(group);
        if let Err(e) = broker.offsets.expire(now, OFFSETS_RETENTION, unused).await {
            warn!(error = %e, "cannot remove expired offsets");
        }
    }
}
