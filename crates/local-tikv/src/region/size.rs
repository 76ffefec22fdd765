//! Splits regions that have grown too large.

use super::{Region, encode_record, record_key, split_region};
use crate::engine::{Change, EngineError, Family};
use crate::keys;
use crate::mvcc::Versions;
use crate::record::ValueRef;
use crate::store::Store;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often sizes are looked at. An estimate above the bound leads to an exact count.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);
/// A part of a split region is this share of the bound (numerator, denominator), as in TiKV (96 of 144 MiB).
const PART_SHARE: (u64, u64) = (2, 3);

/// Watches until cancelled.
pub(crate) async fn watch_sizes(store: Arc<Store>, limit: u64, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(CHECK_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        for region in store.regions.all() {
            if region.size.load(Ordering::Relaxed) > limit {
                check(&store, &region, limit).await;
            }
        }
    }
}

async fn check(store: &Arc<Store>, region: &Arc<Region>, limit: u64) {
    let measured = {
        let (view, region) = (store.engine.snapshot(), region.clone());
        tokio::task::spawn_blocking(move || measure(&view, &region, limit)).await
    };
    let (size, split_keys) = match measured {
        Ok(Ok(measured)) => measured,
        Ok(Err(error)) => return tracing::warn!(region = region.id(), %error, "cannot measure a region"),
        Err(error) => return tracing::warn!(region = region.id(), %error, "measuring a region failed"),
    };
    // What was written meanwhile is lost to the estimate until the next check: it is small.
    region.size.store(size, Ordering::Relaxed);
    if split_keys.is_empty() {
        return;
    }
    match split_region(store, region, split_keys).await {
        Ok(parts) => tracing::info!(region = region.id(), size, parts = parts.len(), "split a large region"),
        Err(error) => tracing::warn!(region = region.id(), %error, "cannot split a large region"),
    }
}

/// Size of a region in bytes, and where to split it if that is above `limit`.
fn measure(view: &impl Versions, region: &Region, limit: u64) -> Result<(u64, Vec<Vec<u8>>), EngineError> {
    let (start, end) = region.range().encoded();
    let part = (limit * PART_SHARE.0 / PART_SHARE.1).max(1);
    let (mut size, mut next_cut) = (0_u64, part);
    let mut cuts: Vec<(u64, Vec<u8>)> = Vec::new();
    let mut current: Vec<u8> = Vec::new();
    for version in view.range(Bound::Included(start), end.map_or(Bound::Unbounded, Bound::Excluded)) {
        let version = version?;
        let (user, _) = version.split()?;
        if user != current.as_slice() {
            current.clear();
            current.extend_from_slice(user);
            if size >= next_cut {
                cuts.push((size, keys::decode(user).ok_or(EngineError::Key(user.len()))?));
                next_cut = size + part;
            }
        }
        size += (version.key.len() + version.value.len()) as u64;
        if let ValueRef::Long(len) = version.record()?.value {
            size += u64::from(len);
        }
    }
    if size <= limit {
        return Ok((size, Vec::new()));
    }
    // The last part should not be a crumb.
    if cuts.len() > 1 && cuts.last().is_some_and(|(at, _)| size - at < part / 2) {
        cuts.pop();
    }
    Ok((size, cuts.into_iter().map(|(_, key)| key).collect()))
}

/// Saves the estimated sizes, at shutdown: they are only hints.
pub(crate) fn save_sizes(store: &Store) -> Result<(), EngineError> {
    let changes: Vec<Change> = store
        .regions
        .all()
        .iter()
        .map(|region| Change {
            family: Family::Meta,
            key: record_key(region.id()),
            value: Some(encode_record(region.meta(), region.size.load(Ordering::Relaxed))),
        })
        .collect();
    let count = changes.len();
    store.engine.commit(changes.into_iter(), count)
}
