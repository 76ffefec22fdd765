//! Splitting a region.
//!
//! The region keeps its id for the rightmost part, as TiKV does; every part gets the next epoch version. Nothing
//! is written to the region while it is split, and its change feeds end with the new descriptions.

use super::{Region, encode_record, record_key};
use crate::engine::{Change, EngineError, Family};
use crate::keys::encode;
use crate::placement::PlacementError;
use crate::store::Store;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tikv_proto::{metapb, pdpb};
use tokio::sync::oneshot;

/// A region was not split.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SplitError {
    /// Another split came first.
    #[error("the region has changed")]
    Changed,
    /// PD gave no ids.
    #[error("ask PD for region ids: {0}")]
    Placement(#[from] PlacementError),
    /// PD gave fewer ids than asked for.
    #[error("PD allotted too few region ids")]
    TooFewIds,
    /// The new bounds could not be saved.
    #[error("save the split: {0}")]
    Engine(#[from] EngineError),
}

/// Splits `region` at raw keys strictly inside it; returns the parts in key order.
pub(crate) async fn split_region(
    store: &Arc<Store>,
    region: &Arc<Region>,
    mut split_keys: Vec<Vec<u8>>,
) -> Result<Vec<metapb::Region>, SplitError> {
    split_keys.sort_unstable();
    split_keys.dedup();
    split_keys.retain(|key| *key > region.range().start && region.range().contains(key));
    if split_keys.is_empty() {
        return Ok(vec![region.meta().clone()]);
    }
    let ids = store.placement.ask_split(region.meta(), split_keys.len()).await?;
    let alone = region.close().await.ok_or(SplitError::Changed)?;
    let metas = parts(region, &split_keys, &ids).ok_or(SplitError::TooFewIds)?;
    let (done, applied) = oneshot::channel();
    let task = {
        let (store, region, metas) = (store.clone(), region.clone(), metas.clone());
        move || {
            let result = apply(&store, &region, metas);
            // Who asked may have gone.
            let _ = done.send(result);
            drop(alone);
        }
    };
    store.committer.run(task).await?;
    applied.await.map_err(|_| EngineError::Closed)??;
    store.placement.report_split(metas.clone()).await;
    Ok(metas)
}

/// Descriptions of the parts.
fn parts(region: &Region, split_keys: &[Vec<u8>], ids: &[pdpb::SplitId]) -> Option<Vec<metapb::Region>> {
    let old = region.meta();
    let mut epoch = old.region_epoch.unwrap_or_default();
    epoch.version += split_keys.len() as u64;
    let mut metas = Vec::with_capacity(split_keys.len() + 1);
    let mut start_key = old.start_key.clone();
    let mut ids = ids.iter();
    for key in split_keys {
        let id = ids.next()?;
        let end_key: bytes::Bytes = encode(key).into();
        let mut peers = old.peers.clone();
        if let (Some(peer), Some(peer_id)) = (peers.first_mut(), id.new_peer_ids.first()) {
            peer.id = *peer_id;
        }
        metas.push(metapb::Region {
            id: id.new_region_id,
            start_key,
            end_key: end_key.clone(),
            region_epoch: Some(epoch),
            peers,
        });
        start_key = end_key;
    }
    metas.push(metapb::Region { start_key, region_epoch: Some(epoch), ..old.clone() });
    Some(metas)
}

/// Makes the split take effect. Runs between the applications of writes.
fn apply(store: &Store, old: &Arc<Region>, metas: Vec<metapb::Region>) -> Result<(), EngineError> {
    let size = old.size.load(Ordering::Relaxed) / metas.len().max(1) as u64;
    let changes: Vec<Change> = metas
        .iter()
        .map(|meta| Change {
            family: Family::Meta,
            key: record_key(meta.id),
            value: Some(encode_record(meta, size)),
        })
        .collect();
    let count = changes.len();
    store.engine.commit(changes.into_iter(), count)?;
    let new: Vec<Arc<Region>> =
        metas.iter().filter_map(|meta| Region::new(meta.clone(), size)).map(Arc::new).collect();
    let ranges: Vec<_> = new.iter().map(|region| (region.id(), region.range().clone())).collect();
    old.retire();
    store.regions.replace(old, new);
    store.locks.retrack(&ranges);
    store.hub.split(old.id(), &metas);
    Ok(())
}
