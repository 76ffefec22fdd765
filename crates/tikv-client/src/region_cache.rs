//! Where keys live, remembered until a store disagrees.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::RwLock;
use tikv_proto::{errorpb, metapb};

use crate::backoff::Backoff;
use crate::error::{Error, KeyText, Result};
use crate::keys;
use crate::pd::PdClient;
use crate::region::Region;

/// Regions asked for at once: a scan goes on to the neighbours of the region that was missed.
const LOAD_BATCH: usize = 128;
/// Regions asked for at once when the regions of a long range are wanted, the number that TiCDC uses.
const RANGE_BATCH: usize = 1024;
/// Holes of the cache that are asked for in one request.
const HOLES_PER_BATCH: usize = 64;
/// Regions kept; the cache is emptied when it would grow past that.
const MAX_REGIONS: usize = 1 << 18;
/// First wait when the placement driver knows no region for a key.
const LOAD_RETRY_BASE: Duration = Duration::from_millis(20);
/// Longest wait when the placement driver knows no region for a key.
const LOAD_RETRY_MAX: Duration = Duration::from_millis(200);
/// How long a look-up is repeated.
const LOAD_BUDGET: Duration = Duration::from_secs(20);
/// A key behind every key in use, for look-ups of the last region.
const LAST_KEY: [u8; 16] = [u8::MAX; 16];

/// Cache of region routes. Cheap to clone; clones share the content.
#[derive(Debug, Clone)]
pub struct RegionCache {
    inner: Arc<CacheInner>,
}

/// What the clones of a [`RegionCache`] share.
#[derive(Debug)]
struct CacheInner {
    pd: PdClient,
    routes: RwLock<Routes>,
    /// One load at a time, so that a burst of misses asks once.
    loading: tokio::sync::Mutex<()>,
}

/// Regions by their raw start key, without overlaps.
#[derive(Debug, Default)]
struct Routes {
    by_start: BTreeMap<Bytes, Arc<Region>>,
    by_id: HashMap<u64, Bytes>,
}

impl Routes {
    /// The region that holds a key.
    fn find(&self, key: &[u8]) -> Option<Arc<Region>> {
        let (_, region) =
            self.by_start.range::<[u8], _>((Bound::Unbounded, Bound::Included(key))).next_back()?;
        region.contains(key).then(|| Arc::clone(region))
    }

    /// The region that holds the keys right before `end` (empty: the last region).
    fn find_before(&self, end: &[u8]) -> Option<Arc<Region>> {
        let upper = if end.is_empty() { Bound::Unbounded } else { Bound::Excluded(end) };
        let (_, region) = self.by_start.range::<[u8], _>((Bound::Unbounded, upper)).next_back()?;
        let reaches = region.raw_end.is_empty() || (!end.is_empty() && region.raw_end[..] >= *end);
        reaches.then(|| Arc::clone(region))
    }

    /// The parts of a raw range (an empty end is unbounded) that no region covers, ascending, at most `limit`.
    fn holes(&self, start: &[u8], end: &[u8], limit: usize) -> Vec<(Bytes, Bytes)> {
        let mut holes = Vec::new();
        let mut next = Bytes::copy_from_slice(start);
        if let Some(first) = self.find(start) {
            if first.raw_end.is_empty() {
                return holes;
            }
            next = first.raw_end.clone();
        }
        let upper = if end.is_empty() { Bound::Unbounded } else { Bound::Excluded(end) };
        let behind = |key: &[u8]| !end.is_empty() && key >= end;
        if behind(&next) {
            return holes;
        }
        let from = next.clone();
        for (at, region) in self.by_start.range::<[u8], _>((Bound::Included(&from[..]), upper)) {
            if holes.len() >= limit {
                return holes;
            }
            if *at > next {
                holes.push((next, at.clone()));
            }
            if region.raw_end.is_empty() || behind(&region.raw_end) {
                return holes;
            }
            next = region.raw_end.clone();
        }
        if holes.len() < limit {
            holes.push((next, Bytes::copy_from_slice(end)));
        }
        holes
    }

    /// Removes a region by its id.
    fn remove(&mut self, id: u64) {
        if let Some(start) = self.by_id.remove(&id)
            && self.by_start.get(&start).is_some_and(|region| region.id == id)
        {
            self.by_start.remove(&start);
        }
    }

    /// Adds a region in place of those it overlaps, unless one of them is newer.
    fn insert(&mut self, region: Arc<Region>) {
        if self.by_start.len() >= MAX_REGIONS {
            self.by_start.clear();
            self.by_id.clear();
        }
        let overlapping = self.overlapping(&region);
        if overlapping.iter().any(|old| old.epoch.version > region.epoch.version) {
            return;
        }
        for old in overlapping {
            self.remove(old.id);
        }
        self.remove(region.id);
        self.by_id.insert(region.id, region.raw_start.clone());
        self.by_start.insert(region.raw_start.clone(), region);
    }

    /// Regions that share keys with this one.
    fn overlapping(&self, region: &Region) -> Vec<Arc<Region>> {
        let upper =
            if region.raw_end.is_empty() { Bound::Unbounded } else { Bound::Excluded(&region.raw_end[..]) };
        self.by_start
            .range::<[u8], _>((Bound::Unbounded, upper))
            .rev()
            .map(|(_, old)| old)
            .take_while(|old| old.raw_end.is_empty() || old.raw_end > region.raw_start)
            .map(Arc::clone)
            .collect()
    }
}

/// What to do about a region error.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reaction {
    /// Look the key up again.
    Reroute,
    /// Wait at least that long, then look the key up again.
    Wait(Duration),
    /// Do not try again.
    GiveUp(String),
}

impl RegionCache {
    /// An empty cache.
    pub fn new(pd: PdClient) -> Self {
        let inner = CacheInner { pd, routes: RwLock::default(), loading: tokio::sync::Mutex::new(()) };
        Self { inner: Arc::new(inner) }
    }

    /// The region that holds a raw key.
    ///
    /// # Errors
    /// [`Error::RegionUnavailable`] if the placement driver knows none for 20 s, or what its calls fail with.
    pub async fn locate(&self, key: &[u8]) -> Result<Arc<Region>> {
        if let Some(region) = self.inner.routes.read().find(key) {
            return Ok(region);
        }
        let _one = self.inner.loading.lock().await;
        let mut backoff = Backoff::new(LOAD_RETRY_BASE, LOAD_RETRY_MAX, LOAD_BUDGET);
        loop {
            if let Some(region) = self.inner.routes.read().find(key) {
                return Ok(region);
            }
            let loaded = self.load(keys::encode(key), Bytes::new(), LOAD_BATCH).await;
            match loaded {
                Ok(regions) => {
                    if let Some(region) = regions.into_iter().find(|region| region.contains(key)) {
                        return Ok(region);
                    }
                    Self::pause(&mut backoff, key, "the placement driver knows no region for it").await?;
                }
                Err(error) if retried(&error) => Self::pause(&mut backoff, key, &error.to_string()).await?,
                Err(error) => return Err(error),
            }
        }
    }

    /// The region that holds the keys right before a raw end key; empty is the end of the key space.
    ///
    /// # Errors
    /// As [`RegionCache::locate`].
    pub async fn locate_before(&self, end: &[u8]) -> Result<Arc<Region>> {
        if let Some(region) = self.inner.routes.read().find_before(end) {
            return Ok(region);
        }
        let key = if end.is_empty() { &LAST_KEY[..] } else { end };
        let mut backoff = Backoff::new(LOAD_RETRY_BASE, LOAD_RETRY_MAX, LOAD_BUDGET);
        loop {
            let region = self.locate(key).await?;
            if region.raw_start[..] < *key {
                return Ok(region);
            }
            if let Some(region) = self.inner.pd.previous_region(keys::encode(key)).await? {
                let region = Arc::new(region);
                self.inner.routes.write().insert(Arc::clone(&region));
                if region.raw_end.is_empty() || region.raw_end[..] >= *key {
                    return Ok(region);
                }
            }
            Self::pause(&mut backoff, key, "the placement driver knows no region before it").await?;
        }
    }

    /// All regions that overlap a raw range (an empty end is unbounded), in order and without holes.
    ///
    /// # Errors
    /// As [`RegionCache::locate`].
    pub async fn locate_range(&self, start: &[u8], end: &[u8]) -> Result<Vec<Arc<Region>>> {
        self.fill(start, end).await;
        let mut regions = Vec::new();
        let mut next = Bytes::copy_from_slice(start);
        loop {
            let region = self.locate(&next).await?;
            next = region.raw_end.clone();
            regions.push(region);
            if next.is_empty() || (!end.is_empty() && next[..] >= *end) {
                return Ok(regions);
            }
        }
    }

    /// Loads what the cache lacks of a range, many regions at a time. What fails here is looked up singly, with patience,
    /// by the caller.
    async fn fill(&self, start: &[u8], end: &[u8]) {
        let mut next = Bytes::copy_from_slice(start);
        loop {
            let holes = self.inner.routes.read().holes(&next, end, HOLES_PER_BATCH);
            let Some((_, last_end)) = holes.last().cloned() else { return };
            let encoded: Vec<(Bytes, Bytes)> = holes
                .iter()
                .map(|(start, end)| (keys::encode_boundary(start), keys::encode_boundary(end)))
                .collect();
            let regions = match self.inner.pd.batch_scan_regions(&encoded, RANGE_BATCH).await {
                Ok(regions) => regions,
                Err(error) => {
                    tracing::debug!(%error, "regions could not be loaded ahead");
                    return;
                }
            };
            let full = regions.len() >= RANGE_BATCH;
            let reached = regions.last().map(|region| region.raw_end.clone());
            self.remember(&regions.into_iter().map(Arc::new).collect::<Vec<_>>());
            // Forward only, whatever the placement driver leaves out.
            let behind = match reached {
                Some(reached) if full => reached,
                _ => last_end,
            };
            if behind.is_empty() || behind <= next || (!end.is_empty() && behind[..] >= *end) {
                return;
            }
            next = behind;
        }
    }

    /// Takes regions into the cache.
    fn remember(&self, regions: &[Arc<Region>]) {
        let mut routes = self.inner.routes.write();
        for region in regions {
            routes.insert(Arc::clone(region));
        }
    }

    /// Asks the placement driver for the regions of an encoded range, whatever is cached, and remembers them.
    ///
    /// # Errors
    /// What [`PdClient::scan_regions`] fails with.
    pub async fn load(&self, start: Bytes, end: Bytes, limit: usize) -> Result<Vec<Arc<Region>>> {
        let regions: Vec<Arc<Region>> =
            self.inner.pd.scan_regions(start, end, limit).await?.into_iter().map(Arc::new).collect();
        self.remember(&regions);
        Ok(regions)
    }

    /// Forgets a region.
    pub fn invalidate(&self, region_id: u64) {
        self.inner.routes.write().remove(region_id);
    }

    /// Forgets a region and its store's address after a transport failure.
    pub(crate) fn store_failed(&self, region: &Region) {
        self.inner.pd.forget_store(region.leader.store_id);
        self.invalidate(region.id);
    }

    /// Learns from a region error and tells what to do.
    pub(crate) async fn react(&self, region: &Region, error: errorpb::Error) -> Reaction {
        if let Some(not_leader) = error.not_leader {
            self.switch_leader(region, not_leader.leader).await;
            return Reaction::Reroute;
        }
        if let Some(mismatch) = error.epoch_not_match {
            self.adopt(region, mismatch.current_regions);
            return Reaction::Reroute;
        }
        if let Some(busy) = error.server_is_busy {
            let wish = busy.backoff_ms.max(u64::from(busy.estimated_wait_ms));
            return Reaction::Wait(Duration::from_millis(wish));
        }
        if let Some(large) = error.raft_entry_too_large {
            return Reaction::GiveUp(format!(
                "the request of {} bytes is too large for the store",
                large.entry_size
            ));
        }
        if error.store_not_match.is_some() {
            self.store_failed(region);
            return Reaction::Reroute;
        }
        let waits = error.stale_command.is_some()
            || error.max_timestamp_not_synced.is_some()
            || error.read_index_not_ready.is_some()
            || error.proposal_in_merging_mode.is_some()
            || error.data_is_not_ready.is_some()
            || error.disk_full.is_some();
        if !waits {
            self.invalidate(region.id);
        }
        Reaction::Reroute
    }

    /// Sends the next requests of a region to another peer.
    async fn switch_leader(&self, region: &Region, leader: Option<metapb::Peer>) {
        let Some(leader) = leader.filter(|peer| peer.id != 0 && *peer != region.leader) else {
            self.invalidate(region.id);
            return;
        };
        match self.inner.pd.store_address(leader.store_id).await {
            Ok(store_address) => {
                let moved = Region { leader, store_address, ..region.clone() };
                self.inner.routes.write().insert(Arc::new(moved));
            }
            Err(_) => self.invalidate(region.id),
        }
    }

    /// Takes the regions that a store knows in place of an outdated one; they are led by the same store.
    fn adopt(&self, region: &Region, current: Vec<metapb::Region>) {
        let mut routes = self.inner.routes.write();
        routes.remove(region.id);
        for meta in current {
            let leader = meta.peers.iter().find(|peer| peer.store_id == region.leader.store_id).cloned();
            if leader.is_none() {
                continue;
            }
            // A region that cannot be read is loaded from the placement driver when it is needed.
            if let Ok(mut known) = Region::from_meta(meta, leader) {
                known.store_address.clone_from(&region.store_address);
                routes.insert(Arc::new(known));
            }
        }
    }

    /// Waits before the next look-up of a key, or gives up.
    async fn pause(backoff: &mut Backoff, key: &[u8], last: &str) -> Result<()> {
        if backoff.wait().await {
            return Ok(());
        }
        Err(Error::RegionUnavailable {
            key: KeyText(Bytes::copy_from_slice(key)),
            waited: backoff.elapsed(),
            last: last.to_owned(),
        })
    }
}

/// Whether a failed look-up is repeated: a store may be known a moment later.
fn retried(error: &Error) -> bool {
    matches!(error, Error::StoreNotFound { .. } | Error::Pd { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(id: u64, version: u64, start: &'static str, end: &'static str) -> Arc<Region> {
        let meta = metapb::Region {
            id,
            start_key: keys::encode_boundary(start.as_bytes()),
            end_key: keys::encode_boundary(end.as_bytes()),
            region_epoch: Some(metapb::RegionEpoch { conf_ver: 1, version }),
            peers: vec![metapb::Peer { id: id + 100, store_id: 1, ..Default::default() }],
        };
        Arc::new(Region::from_meta(meta, None).unwrap())
    }

    #[test]
    fn a_split_replaces_the_old_region_and_stale_news_do_not() {
        let mut routes = Routes::default();
        routes.insert(region(1, 1, "", ""));
        assert_eq!(routes.find(b"x").unwrap().id, 1);
        routes.insert(region(1, 2, "m", ""));
        assert!(routes.find(b"a").is_none());
        routes.insert(region(2, 2, "", "m"));
        assert_eq!(routes.find(b"a").unwrap().id, 2);
        routes.insert(region(1, 1, "", ""));
        assert_eq!(routes.find(b"a").unwrap().id, 2);
        assert_eq!(routes.find(b"m").unwrap().id, 1);
        assert_eq!(routes.find_before(b"m").unwrap().id, 2);
        assert_eq!(routes.find_before(b"").unwrap().id, 1);
        routes.remove(2);
        assert!(routes.find_before(b"m").is_none());
        assert!(routes.find(b"a").is_none());
    }

    #[test]
    fn the_holes_of_a_range_are_what_no_region_covers() {
        let mut routes = Routes::default();
        let holes = |routes: &Routes, start: &str, end: &str, limit| -> Vec<String> {
            let text = |key: &Bytes| String::from_utf8(key.to_vec()).unwrap();
            let holes = routes.holes(start.as_bytes(), end.as_bytes(), limit);
            holes.iter().map(|(start, end)| format!("{}-{}", text(start), text(end))).collect()
        };
        assert_eq!(holes(&routes, "", "", 9), ["-"]);
        assert_eq!(holes(&routes, "b", "c", 9), ["b-c"]);
        routes.insert(region(1, 1, "c", "e"));
        routes.insert(region(2, 1, "g", "i"));
        assert_eq!(holes(&routes, "", "", 9), ["-c", "e-g", "i-"]);
        assert_eq!(holes(&routes, "", "", 2), ["-c", "e-g"]);
        assert_eq!(holes(&routes, "d", "h", 9), ["e-g"]);
        assert_eq!(holes(&routes, "c", "e", 9), Vec::<String>::new());
        assert_eq!(holes(&routes, "a", "b", 9), ["a-b"]);
        routes.insert(region(3, 1, "i", ""));
        assert_eq!(holes(&routes, "f", "", 9), ["f-g"]);
        assert_eq!(holes(&routes, "j", "", 9), Vec::<String>::new());
    }

    #[test]
    fn a_merge_replaces_both_parts() {
        let mut routes = Routes::default();
        routes.insert(region(2, 2, "", "m"));
        routes.insert(region(1, 2, "m", ""));
        routes.insert(region(1, 3, "", ""));
        assert_eq!(routes.find(b"a").unwrap().id, 1);
        assert_eq!(routes.find(b"z").unwrap().id, 1);
        assert_eq!((routes.by_start.len(), routes.by_id.len()), (1, 1));
    }
}
