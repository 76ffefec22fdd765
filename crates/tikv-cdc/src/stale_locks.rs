//! Locks of dead writers.
//!
//! A writer that died between prewrite and commit leaves locks, and the resolved ts of their regions stands still. The
//! client notices that and has the locks resolved: committed or rolled back as their transaction's primary key says.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;

use crate::client::Spans;
use crate::feeds::Feeds;
use crate::key_range::KeyRange;
use crate::range_lock::LockId;
use crate::span::Span;
use crate::tso::{behind, lag, later};

/// How often spans are looked at.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);
/// How long a resolved ts must have stood still, and how far behind it must be.
const STUCK_FOR: Duration = Duration::from_secs(4);
/// Locks of a region are not looked at more often than this.
const REGION_INTERVAL: Duration = Duration::from_secs(10);
/// Regions whose locks are resolved at the same time.
const CONCURRENCY: usize = 8;

/// Looks for stuck spans until the client is shut down.
pub(crate) async fn watch(feeds: Arc<Feeds>, spans: Arc<Spans>) {
    let mut ticks = tokio::time::interval(CHECK_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let spans = spans.all();
        let slowest = spans.iter().map(|span| span.published().0).min();
        feeds.metrics.set_lag(slowest.map_or(0.0, |ts| lag(ts).as_secs_f64()));
        resolve_stuck(&feeds, spans).await;
    }
}

/// Resolves locks in the regions of stuck spans, once.
async fn resolve_stuck(feeds: &Arc<Feeds>, spans: Vec<Arc<Span>>) {
    let now = Instant::now();
    let stuck: Vec<_> = spans
        .into_iter()
        .filter(|span| {
            let (_, since) = span.published();
            now.saturating_duration_since(since) >= STUCK_FOR && span.is_initialized()
        })
        .collect();
    if stuck.is_empty() {
        return;
    }
    let current_ts = match feeds.cluster.current_ts().await {
        Ok(ts) => ts,
        Err(error) => {
            tracing::warn!(%error, "stale locks cannot be looked for");
            return;
        }
    };
    let (Some(before), Some(checked_before)) = (now.checked_sub(STUCK_FOR), now.checked_sub(REGION_INTERVAL))
    else {
        return;
    };
    let tasks: Vec<_> = stuck
        .into_iter()
        .filter_map(|span| {
            let (resolved_ts, _) = span.published();
            (behind(resolved_ts, current_ts) >= STUCK_FOR)
                .then(|| (later(resolved_ts, STUCK_FOR).min(current_ts), span))
        })
        .flat_map(|(target, span)| {
            let regions = span.stuck_regions(target, before, checked_before);
            regions.into_iter().map(move |(lock, range)| (Arc::clone(&span), lock, range, target))
        })
        .collect();
    futures::stream::iter(tasks)
        .for_each_concurrent(CONCURRENCY, |(span, lock, range, target)| async move {
            resolve(feeds, &span, lock, range, target).await;
        })
        .await;
}

/// Resolves the locks of one region.
async fn resolve(feeds: &Feeds, span: &Span, lock: LockId, range: KeyRange, target: u64) {
    if span.is_ended() {
        return;
    }
    match feeds.cluster.resolve_locks(range.clone(), target).await {
        Ok(report) => {
            tracing::info!(span = span.id, %range, target, resolved = report.resolved, alive = report.alive.len(),
                "looked for stale locks");
            feeds.metrics.locks_resolved(report.resolved);
            span.note_live_locks(lock, report.alive);
        }
        Err(error) => {
            feeds.metrics.locks_resolved(0);
            tracing::warn!(span = span.id, %range, %error, "stale locks could not be resolved");
        }
    }
}
