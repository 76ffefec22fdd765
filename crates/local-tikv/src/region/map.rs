//! The regions of this store, and the checks that a request names the right one.

use super::Region;
use parking_lot::RwLock;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use tikv_proto::{errorpb, kvrpcpb, metapb};

/// Why a request does not fit the regions of this store.
pub(crate) type RegionError = Box<errorpb::Error>;

#[derive(Default)]
struct State {
    by_id: HashMap<u64, Arc<Region>>,
    /// Ids by raw start key.
    by_start: BTreeMap<Vec<u8>, u64>,
}

/// All regions of the store.
pub(crate) struct RegionMap {
    store_id: u64,
    state: RwLock<State>,
}

impl RegionMap {
    /// Collects the regions of a store.
    pub(crate) fn new(store_id: u64, regions: impl IntoIterator<Item = Region>) -> Self {
        let mut state = State::default();
        for region in regions {
            insert(&mut state, Arc::new(region));
        }
        Self { store_id, state: RwLock::new(state) }
    }

    /// The region with this id.
    pub(crate) fn get(&self, region_id: u64) -> Option<Arc<Region>> {
        self.state.read().by_id.get(&region_id).cloned()
    }

    /// All regions in key order.
    pub(crate) fn all(&self) -> Vec<Arc<Region>> {
        let state = self.state.read();
        state.by_start.values().filter_map(|id| state.by_id.get(id).cloned()).collect()
    }

    /// Puts the parts of a split region in its place.
    pub(super) fn replace(&self, old: &Region, parts: Vec<Arc<Region>>) {
        let mut state = self.state.write();
        state.by_start.remove(&old.range().start);
        state.by_id.remove(&old.id());
        for part in parts {
            insert(&mut state, part);
        }
    }

    /// Finds the region that a request is meant for, if its view of it is current.
    pub(crate) fn check(&self, context: Option<&kvrpcpb::Context>) -> Result<Arc<Region>, RegionError> {
        let context = context.ok_or_else(|| {
            Box::new(errorpb::Error {
                message: "the request has no context: region unknown".to_owned(),
                region_not_found: Some(errorpb::RegionNotFound { region_id: 0 }),
                ..errorpb::Error::default()
            })
        })?;
        if let Some(peer) = &context.peer
            && peer.store_id != self.store_id
        {
            return Err(Box::new(self.store_not_match(peer.store_id)));
        }
        let region =
            self.get(context.region_id).ok_or_else(|| Box::new(region_not_found(context.region_id)))?;
        self.check_epoch(&region, context.region_epoch.as_ref())?;
        Ok(region)
    }

    /// Compares the version of an epoch with the region's.
    pub(crate) fn check_epoch(
        &self,
        region: &Region,
        epoch: Option<&metapb::RegionEpoch>,
    ) -> Result<(), RegionError> {
        if epoch.is_some_and(|epoch| epoch.version == region.version()) {
            return Ok(());
        }
        Err(Box::new(self.epoch_not_match(region.id(), epoch)))
    }

    /// The answer to a request with an old (or no) epoch: the region as it is now, with its left neighbour, which
    /// a split leaves with the rest of the old range.
    pub(crate) fn epoch_not_match(
        &self,
        region_id: u64,
        asked: Option<&metapb::RegionEpoch>,
    ) -> errorpb::Error {
        let state = self.state.read();
        let mut current_regions = Vec::new();
        if let Some(region) = state.by_id.get(&region_id) {
            current_regions.push(region.meta().clone());
            let below = (Bound::Unbounded, Bound::Excluded(region.range().start.as_slice()));
            let left = state.by_start.range::<[u8], _>(below).next_back();
            if let Some(left) = left.and_then(|(_, id)| state.by_id.get(id)) {
                current_regions.push(left.meta().clone());
            }
        }
        let asked = asked.map_or(0, |epoch| epoch.version);
        errorpb::Error {
            message: format!("current epoch of region {region_id} does not match the asked version {asked}"),
            epoch_not_match: Some(errorpb::EpochNotMatch { current_regions }),
            ..errorpb::Error::default()
        }
    }

    fn store_not_match(&self, asked: u64) -> errorpb::Error {
        errorpb::Error {
            message: format!("this is store {}, not {asked}", self.store_id),
            store_not_match: Some(errorpb::StoreNotMatch {
                request_store_id: asked,
                actual_store_id: self.store_id,
            }),
            ..errorpb::Error::default()
        }
    }
}

fn insert(state: &mut State, region: Arc<Region>) {
    state.by_start.insert(region.range().start.clone(), region.id());
    state.by_id.insert(region.id(), region);
}

/// The answer for a region that is not here.
pub(crate) fn region_not_found(region_id: u64) -> errorpb::Error {
    errorpb::Error {
        message: format!("region {region_id} not found"),
        region_not_found: Some(errorpb::RegionNotFound { region_id }),
        ..errorpb::Error::default()
    }
}

/// Checks that a raw key belongs to the region.
pub(crate) fn check_key(region: &Region, key: &[u8]) -> Result<(), RegionError> {
    if region.range().contains(key) {
        return Ok(());
    }
    Err(Box::new(errorpb::Error {
        message: format!("key is not in region {}", region.id()),
        key_not_in_region: Some(errorpb::KeyNotInRegion {
            key: crate::keys::encode(key).into(),
            region_id: region.id(),
            start_key: region.meta().start_key.clone(),
            end_key: region.meta().end_key.clone(),
        }),
        ..errorpb::Error::default()
    }))
}
