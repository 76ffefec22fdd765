//! Regions and stores as the placement driver knows them.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use parking_lot::RwLock;
use tikv_proto::{metapb, pdpb};

use crate::error::{Error, Result};
use crate::region::Region;

use super::PdClient;
use super::versions::is_columnar;

/// Addresses of stores, kept until a connection to one fails.
#[derive(Debug, Default)]
pub(super) struct StoreCache {
    addresses: RwLock<HashMap<u64, String>>,
}

/// Stores kept; a cluster has fewer. The cache is emptied when it would grow past that.
const MAX_STORES: usize = 4096;

impl PdClient {
    /// The region that holds an encoded key; `None` if the placement driver knows none.
    ///
    /// # Errors
    /// [`Error::Unavailable`], [`Error::Rpc`], [`Error::Pd`] and what [`PdClient::store_address`] fails with.
    pub async fn region_by_key(&self, encoded_key: Bytes) -> Result<Option<Region>> {
        let header = self.header();
        let answer = self
            .call("GetRegion", |mut pd| {
                let request = pdpb::GetRegionRequest {
                    header: header.clone(),
                    region_key: encoded_key.clone(),
                    need_buckets: false,
                };
                async move { pd.get_region(request).await }
            })
            .await;
        self.found(answer).await
    }

    /// The region before the one that holds an encoded key.
    ///
    /// # Errors
    /// As [`PdClient::region_by_key`].
    pub async fn previous_region(&self, encoded_key: Bytes) -> Result<Option<Region>> {
        let header = self.header();
        let answer = self
            .call("GetPrevRegion", |mut pd| {
                let request = pdpb::GetRegionRequest {
                    header: header.clone(),
                    region_key: encoded_key.clone(),
                    need_buckets: false,
                };
                async move { pd.get_prev_region(request).await }
            })
            .await;
        self.found(answer).await
    }

    /// The region with an id.
    ///
    /// # Errors
    /// As [`PdClient::region_by_key`].
    pub async fn region_by_id(&self, region_id: u64) -> Result<Option<Region>> {
        let header = self.header();
        let answer = self
            .call("GetRegionByID", |mut pd| {
                let request =
                    pdpb::GetRegionByIdRequest { header: header.clone(), region_id, need_buckets: false };
                async move { pd.get_region_by_id(request).await }
            })
            .await;
        self.found(answer).await
    }

    /// Regions that overlap an encoded range (an empty end is unbounded), by start key, at most `limit`.
    ///
    /// # Errors
    /// As [`PdClient::region_by_key`].
    pub async fn scan_regions(&self, start: Bytes, end: Bytes, limit: usize) -> Result<Vec<Region>> {
        let header = self.header();
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        let answer = self
            .call("ScanRegions", |mut pd| {
                let request = pdpb::ScanRegionsRequest {
                    header: header.clone(),
                    start_key: start.clone(),
                    limit,
                    end_key: end.clone(),
                };
                async move { pd.scan_regions(request).await }
            })
            .await?;
        let mut regions = Vec::with_capacity(answer.regions.len().max(answer.region_metas.len()));
        if answer.regions.is_empty() {
            // Servers before 4.0 fill only the older pair of fields.
            for (index, meta) in answer.region_metas.into_iter().enumerate() {
                regions.push(Region::from_meta(meta, answer.leaders.get(index).cloned())?);
            }
        } else {
            for region in answer.regions {
                regions.push(Region::from_pd(region)?);
            }
        }
        self.placed(regions).await
    }

    /// Regions that overlap any of the encoded ranges (ascending, without overlaps; an empty end is unbounded), by start
    /// key, at most `limit`: in one call where the server knows it, else in one for each range.
    ///
    /// # Errors
    /// As [`PdClient::region_by_key`].
    pub async fn batch_scan_regions(&self, ranges: &[(Bytes, Bytes)], limit: usize) -> Result<Vec<Region>> {
        if ranges.len() > 1 && !self.inner.scans_singly.load(Ordering::Relaxed) {
            match self.scan_at_once(ranges, limit).await {
                Err(error) if error.is_unimplemented() => {
                    self.inner.scans_singly.store(true, Ordering::Relaxed);
                }
                other => return other,
            }
        }
        let mut regions: Vec<Region> = Vec::new();
        for (start, end) in ranges {
            let left = limit.saturating_sub(regions.len());
            if left == 0 {
                break;
            }
            for region in self.scan_regions(start.clone(), end.clone(), left).await? {
                // A region may reach over several ranges.
                if regions.last().is_none_or(|last| last.id != region.id) {
                    regions.push(region);
                }
            }
        }
        Ok(regions)
    }

    /// Asks for the regions of several ranges in one call.
    async fn scan_at_once(&self, ranges: &[(Bytes, Bytes)], limit: usize) -> Result<Vec<Region>> {
        let header = self.header();
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        let ranges: Vec<pdpb::KeyRange> = ranges
            .iter()
            .map(|(start, end)| pdpb::KeyRange { start_key: start.clone(), end_key: end.clone() })
            .collect();
        let answer = self
            .call("BatchScanRegions", |mut pd| {
                let request = pdpb::BatchScanRegionsRequest {
                    header: header.clone(),
                    ranges: ranges.clone(),
                    limit,
                    ..Default::default()
                };
                async move { pd.batch_scan_regions(request).await }
            })
            .await?;
        let regions: Vec<Region> = answer.regions.into_iter().map(Region::from_pd).collect::<Result<_>>()?;
        self.placed(regions).await
    }

    /// Fills in the addresses of regions. One whose stores are all gone is left out, so that it does not spoil the
    /// look-up of the others; it is a hole for the caller, who asks again.
    async fn placed(&self, regions: Vec<Region>) -> Result<Vec<Region>> {
        let mut placed = Vec::with_capacity(regions.len());
        for mut region in regions {
            if self.place(&mut region).await? {
                placed.push(region);
            }
        }
        Ok(placed)
    }

    /// Fills in the address of a region: of its leader, or of the first peer on a store that is there; false if there is
    /// none.
    async fn place(&self, region: &mut Region) -> Result<bool> {
        let others = region.peers.iter().filter(|peer| **peer != region.leader);
        for peer in std::iter::once(region.leader).chain(others.copied()).collect::<Vec<_>>() {
            match self.store_address(peer.store_id).await {
                Ok(address) => {
                    region.leader = peer;
                    region.store_address = address;
                    return Ok(true);
                }
                Err(Error::StoreNotFound { .. } | Error::Pd { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Turns the answer of a single look-up into a region.
    async fn found(&self, answer: Result<pdpb::GetRegionResponse>) -> Result<Option<Region>> {
        let answer = match answer {
            Err(Error::Pd { kind, .. }) if kind == pdpb::ErrorType::RegionNotFound as i32 => return Ok(None),
            other => other?,
        };
        let Some(meta) = answer.region else { return Ok(None) };
        let mut region = Region::from_meta(meta, answer.leader)?;
        Ok(self.place(&mut region).await?.then_some(region))
    }

    /// A store, asked now.
    ///
    /// # Errors
    /// [`Error::StoreNotFound`] if it is unknown or removed; [`Error::Unavailable`], [`Error::Rpc`], [`Error::Pd`].
    pub async fn store(&self, store_id: u64) -> Result<metapb::Store> {
        let header = self.header();
        let answer = self
            .call("GetStore", |mut pd| {
                let request = pdpb::GetStoreRequest { header: header.clone(), store_id };
                async move { pd.get_store(request).await }
            })
            .await?;
        let store = answer.store.ok_or(Error::StoreNotFound { store_id })?;
        if store.state() == metapb::StoreState::Tombstone {
            return Err(Error::StoreNotFound { store_id });
        }
        Ok(store)
    }

    /// All stores that are not removed, asked now.
    ///
    /// # Errors
    /// [`Error::Unavailable`], [`Error::Rpc`], [`Error::Pd`].
    pub async fn all_stores(&self) -> Result<Vec<metapb::Store>> {
        let header = self.header();
        let answer = self
            .call("GetAllStores", |mut pd| {
                let request =
                    pdpb::GetAllStoresRequest { header: header.clone(), exclude_tombstone_stores: true };
                async move { pd.get_all_stores(request).await }
            })
            .await?;
        Ok(answer.stores)
    }

    /// Address of a store, from memory or asked now. TiFlash stores have none: they serve no rows.
    ///
    /// # Errors
    /// As [`PdClient::store`].
    pub async fn store_address(&self, store_id: u64) -> Result<String> {
        if let Some(address) = self.inner.stores.addresses.read().get(&store_id) {
            return Ok(address.clone());
        }
        let store = self.store(store_id).await?;
        if is_columnar(&store) {
            return Err(Error::StoreNotFound { store_id });
        }
        let address = store.address;
        let mut addresses = self.inner.stores.addresses.write();
        if addresses.len() >= MAX_STORES {
            addresses.clear();
        }
        addresses.insert(store_id, address.clone());
        Ok(address)
    }

    /// Forgets the address of a store, which may have moved.
    pub fn forget_store(&self, store_id: u64) {
        self.inner.stores.addresses.write().remove(&store_id);
    }
}
