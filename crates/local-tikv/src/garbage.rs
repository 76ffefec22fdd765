//! Garbage collection: versions that no reader can see any more are dropped, on request or when PD's safe point
//! moves.

use crate::engine::EngineError;
use crate::record::Lock;
use crate::region::Region;
use crate::store::{Refusal, Store};
use crate::txn;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often PD is asked for its safe point. It moves every few minutes.
const POLL_INTERVAL: Duration = Duration::from_secs(60);

/// Collects garbage in all regions whenever PD's safe point has moved, until cancelled.
pub(crate) async fn follow_safe_point(store: Arc<Store>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(POLL_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut collected = 0;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let safe_point = match store.placement.gc_safe_point().await {
            Ok(safe_point) => safe_point,
            Err(error) => {
                tracing::debug!(%error, "no safe point from PD");
                continue;
            }
        };
        if safe_point > collected && collect_everywhere(&store, safe_point, &stop).await {
            collected = safe_point;
        }
    }
}

/// Returns whether every region was done.
async fn collect_everywhere(store: &Arc<Store>, safe_point: u64, stop: &CancellationToken) -> bool {
    let mut complete = true;
    for region in store.regions.all() {
        if stop.is_cancelled() {
            return false;
        }
        if let Some((_, lock)) = obstacle(store, &region, safe_point) {
            tracing::info!(
                region = region.id(),
                start_ts = lock.start_ts,
                "a lock holds up garbage collection"
            );
            complete = false;
            continue;
        }
        if let Err(refusal) = collect(store, &region, safe_point).await {
            tracing::info!(region = region.id(), ?refusal, "garbage collection of a region was interrupted");
            complete = false;
        }
    }
    complete
}

/// A lock that must be resolved before garbage up to `safe_point` may go.
pub(crate) fn obstacle(store: &Store, region: &Region, safe_point: u64) -> Option<(Vec<u8>, Arc<Lock>)> {
    store.locks.scan(region.range(), 1, |lock| lock.start_ts <= safe_point).into_iter().next()
}

/// Drops what nobody at or after `safe_point` can see, in one region.
pub(crate) async fn collect(
    store: &Arc<Store>,
    region: &Arc<Region>,
    safe_point: u64,
) -> Result<(), Refusal> {
    let mut from = None;
    loop {
        let admission = store.admit_checked(region.clone(), std::iter::empty()).await?;
        let (range, at) = (region.range().clone(), from.take());
        let next = store
            .execute(admission, move |exec| {
                let batch = txn::collect_garbage(exec.view, &range, safe_point, at)?;
                exec.writes = batch.writes;
                Ok::<_, EngineError>(batch.next)
            })
            .await??;
        match next {
            Some(next) => from = Some(next),
            None => return Ok(()),
        }
    }
}
