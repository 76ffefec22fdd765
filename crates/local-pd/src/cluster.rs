//! Stores and regions.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::time::Instant;

use bytes::Bytes;
use tikv_proto::{metapb, pdpb};

use crate::record::{LedRegion, Record};

/// What is known of the cluster.
#[derive(Debug, Default)]
pub(crate) struct Cluster {
    bootstrapped: bool,
    stores: BTreeMap<u64, metapb::Store>,
    /// What stores told last; not kept over restarts.
    reports: HashMap<u64, StoreReport>,
    /// By start key, without overlaps.
    regions: BTreeMap<Bytes, Region>,
    starts: HashMap<u64, Bytes>,
}

/// A region with its leader.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Region {
    pub(crate) meta: metapb::Region,
    pub(crate) leader: Option<metapb::Peer>,
}

/// What a store told in its last heartbeat.
#[derive(Debug, Clone)]
pub(crate) struct StoreReport {
    pub(crate) stats: pdpb::StoreStats,
    pub(crate) at: Instant,
}

/// Why a change was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ClusterError {
    /// There is no first region yet.
    #[error("cluster is not bootstrapped")]
    NotBootstrapped,
    /// There is a first region already.
    #[error("cluster is already bootstrapped")]
    AlreadyBootstrapped,
    /// A request lacks something.
    #[error("invalid request: {0}")]
    Invalid(String),
    /// A store has been removed for good.
    #[error("store {0} has been removed")]
    Tombstone(u64),
    /// Another store has the address.
    #[error("duplicated store address {address}, already used by store {other}")]
    DuplicateAddress {
        /// The address.
        address: String,
        /// The other store.
        other: u64,
    },
    /// Newer boundaries are known.
    #[error("region {0} is stale")]
    Stale(u64),
}

impl Cluster {
    /// Takes in a record.
    pub(crate) fn apply(&mut self, record: &Record) {
        self.bootstrapped |= record.bootstrapped;
        for store in &record.stores {
            self.stores.insert(store.id, store.clone());
        }
        for led in &record.regions {
            if let Some(meta) = &led.region {
                self.replace(Region { meta: meta.clone(), leader: led.leader });
            }
        }
    }

    /// Adds the whole state to a snapshot.
    pub(crate) fn snapshot(&self, record: &mut Record) {
        record.bootstrapped = self.bootstrapped;
        record.stores = self.stores.values().cloned().collect();
        record.regions = self.regions.values().map(led).collect();
    }

    /// Whether there is a first region.
    pub(crate) fn is_bootstrapped(&self) -> bool {
        self.bootstrapped
    }

    /// Refuses requests that need a first region.
    pub(crate) fn check_bootstrapped(&self) -> Result<(), ClusterError> {
        if self.bootstrapped { Ok(()) } else { Err(ClusterError::NotBootstrapped) }
    }

    /// Adds the first store and region.
    pub(crate) fn bootstrap(
        &self,
        store: Option<metapb::Store>,
        region: Option<metapb::Region>,
    ) -> Result<Record, ClusterError> {
        if self.bootstrapped {
            return Err(ClusterError::AlreadyBootstrapped);
        }
        let invalid = |reason: &str| Err(ClusterError::Invalid(reason.to_owned()));
        let Some(store) = store.filter(|store| store.id != 0) else { return invalid("missing store") };
        let Some(region) = region.filter(|region| region.id != 0) else { return invalid("missing region") };
        if !region.start_key.is_empty() || !region.end_key.is_empty() {
            return invalid("the first region must cover the whole key space");
        }
        let [peer] = &region.peers[..] else { return invalid("the first region must have one peer") };
        if peer.store_id != store.id {
            return invalid("the first region's peer must be on the store");
        }
        let leader = Some(*peer);
        Ok(Record {
            bootstrapped: true,
            stores: vec![store],
            regions: vec![LedRegion { region: Some(region), leader }],
            ..Record::default()
        })
    }

    /// Adds or changes a store.
    pub(crate) fn put_store(&self, store: Option<metapb::Store>) -> Result<Record, ClusterError> {
        self.check_bootstrapped()?;
        let Some(mut store) = store.filter(|store| store.id != 0) else {
            return Err(ClusterError::Invalid("missing store".to_owned()));
        };
        if let Some(old) = self.stores.get(&store.id) {
            if old.state() == metapb::StoreState::Tombstone {
                return Err(ClusterError::Tombstone(store.id));
            }
            store.set_state(old.state());
        }
        let same = self.stores.values().find(|other| {
            other.id != store.id
                && other.address == store.address
                && other.state() != metapb::StoreState::Tombstone
        });
        if let Some(other) = same {
            return Err(ClusterError::DuplicateAddress { address: store.address, other: other.id });
        }
        store.set_node_state(metapb::NodeState::Serving);
        Ok(Record { stores: vec![store], ..Record::default() })
    }

    /// A store.
    pub(crate) fn store(&self, id: u64) -> Option<&metapb::Store> {
        self.stores.get(&id)
    }

    /// All stores.
    pub(crate) fn stores(&self) -> impl Iterator<Item = &metapb::Store> {
        self.stores.values()
    }

    /// What a store told last.
    pub(crate) fn report(&self, id: u64) -> Option<&StoreReport> {
        self.reports.get(&id)
    }

    /// Notes a heartbeat of a known store.
    pub(crate) fn note_store(&mut self, stats: pdpb::StoreStats) -> Result<(), ClusterError> {
        self.check_bootstrapped()?;
        let id = stats.store_id;
        match self.stores.get(&id) {
            None => return Err(ClusterError::Invalid(format!("store {id} not found"))),
            Some(store) if store.state() == metapb::StoreState::Tombstone => {
                return Err(ClusterError::Tombstone(id));
            }
            Some(_) => {}
        }
        self.reports.insert(id, StoreReport { stats, at: Instant::now() });
        Ok(())
    }

    /// Leaders and regions on a store.
    pub(crate) fn load_of(&self, store_id: u64) -> (usize, usize) {
        let on_store = |peer: &metapb::Peer| peer.store_id == store_id;
        let leaders =
            self.regions.values().filter(|region| region.leader.as_ref().is_some_and(on_store)).count();
        let peers = self.regions.values().filter(|region| region.meta.peers.iter().any(on_store)).count();
        (leaders, peers)
    }

    /// Number of regions.
    pub(crate) fn region_count(&self) -> usize {
        self.regions.len()
    }

    /// The record for a region as its leader reports it; `None` if nothing is new.
    pub(crate) fn report_region(
        &self,
        meta: metapb::Region,
        leader: Option<metapb::Peer>,
    ) -> Result<Option<Record>, ClusterError> {
        self.check_bootstrapped()?;
        if meta.id == 0 || (!meta.end_key.is_empty() && meta.start_key >= meta.end_key) {
            return Err(ClusterError::Invalid(format!("region {} has no valid range", meta.id)));
        }
        let known = self.region_by_id(meta.id);
        let leader = leader
            .filter(|peer| peer.id != 0)
            .or_else(|| known.and_then(|known| known.leader))
            .or_else(|| sole_peer(&meta));
        let region = Region { meta, leader };
        if known == Some(&region) {
            return Ok(None);
        }
        if let Some(known) = known
            && is_older(&region.meta, &known.meta)
        {
            return Err(ClusterError::Stale(region.meta.id));
        }
        let version = version_of(&region.meta);
        let newer = self
            .overlapping(&region.meta)
            .any(|other| other.meta.id != region.meta.id && version_of(&other.meta) > version);
        if newer {
            return Err(ClusterError::Stale(region.meta.id));
        }
        Ok(Some(Record { regions: vec![led(&region)], ..Record::default() }))
    }

    /// The region that holds a key.
    pub(crate) fn region_by_key(&self, key: &[u8]) -> Option<&Region> {
        let (_, region) =
            self.regions.range::<[u8], _>((Bound::Unbounded, Bound::Included(key))).next_back()?;
        contains(&region.meta, key).then_some(region)
    }

    /// The region before the one that holds a key.
    pub(crate) fn previous_region(&self, key: &[u8]) -> Option<&Region> {
        let current = self.region_by_key(key)?;
        let upper = Bound::Excluded(&current.meta.start_key[..]);
        let (_, region) = self.regions.range::<[u8], _>((Bound::Unbounded, upper)).next_back()?;
        (region.meta.end_key == current.meta.start_key).then_some(region)
    }

    /// The region with an id.
    pub(crate) fn region_by_id(&self, id: u64) -> Option<&Region> {
        self.regions.get(self.starts.get(&id)?)
    }

    /// Regions that overlap a range (an empty end is unbounded), at most `limit`.
    pub(crate) fn scan(&self, start: &[u8], end: &[u8], limit: usize) -> Vec<&Region> {
        let first = self.region_by_key(start).map_or(start, |region| &region.meta.start_key[..]);
        self.regions
            .range::<[u8], _>((Bound::Included(first), Bound::Unbounded))
            .map(|(_, region)| region)
            .take_while(|region| end.is_empty() || region.meta.start_key[..] < *end)
            .take(limit)
            .collect()
    }

    /// Regions that share keys with one.
    fn overlapping(&self, meta: &metapb::Region) -> impl Iterator<Item = &Region> {
        self.scan(&meta.start_key, &meta.end_key, usize::MAX).into_iter()
    }

    /// Puts a region in place of those it overlaps.
    fn replace(&mut self, region: Region) {
        let gone: Vec<u64> =
            self.overlapping(&region.meta).map(|other| other.meta.id).chain([region.meta.id]).collect();
        for id in gone {
            if let Some(start) = self.starts.remove(&id) {
                self.regions.remove(&start);
            }
        }
        self.starts.insert(region.meta.id, region.meta.start_key.clone());
        self.regions.insert(region.meta.start_key.clone(), region);
    }
}

/// Whether a key lies within a region.
fn contains(meta: &metapb::Region, key: &[u8]) -> bool {
    key >= &meta.start_key[..] && (meta.end_key.is_empty() || key < &meta.end_key[..])
}

/// Version of a region's boundaries.
fn version_of(meta: &metapb::Region) -> u64 {
    meta.region_epoch.map_or(0, |epoch| epoch.version)
}

/// Whether news of a region are older than what is known.
fn is_older(news: &metapb::Region, known: &metapb::Region) -> bool {
    let (new, old) = (news.region_epoch.unwrap_or_default(), known.region_epoch.unwrap_or_default());
    new.version < old.version || new.conf_ver < old.conf_ver
}

/// The leader of a region that has one peer.
fn sole_peer(meta: &metapb::Region) -> Option<metapb::Peer> {
    match &meta.peers[..] {
        [peer] => Some(*peer),
        _ => None,
    }
}

/// The record of a region.
fn led(region: &Region) -> LedRegion {
    LedRegion { region: Some(region.meta.clone()), leader: region.leader }
}

impl Region {
    /// The region as calls answer it.
    pub(crate) fn to_pd(&self) -> pdpb::Region {
        pdpb::Region { region: Some(self.meta.clone()), leader: self.leader, ..Default::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(id: u64, version: u64, start: &'static str, end: &'static str) -> metapb::Region {
        metapb::Region {
            id,
            start_key: start.into(),
            end_key: end.into(),
            region_epoch: Some(metapb::RegionEpoch { conf_ver: 1, version }),
            peers: vec![metapb::Peer { id: id + 100, store_id: 1, ..Default::default() }],
        }
    }

    fn started() -> Cluster {
        let mut cluster = Cluster::default();
        let store = metapb::Store { id: 1, address: "a:1".to_owned(), ..Default::default() };
        let record = cluster.bootstrap(Some(store), Some(meta(2, 1, "", ""))).unwrap();
        cluster.apply(&record);
        cluster
    }

    fn report(cluster: &mut Cluster, meta: metapb::Region) -> Result<(), ClusterError> {
        if let Some(record) = cluster.report_region(meta, None)? {
            cluster.apply(&record);
        }
        Ok(())
    }

    #[test]
    fn a_split_shows_both_parts_and_stale_reports_are_refused() {
        let mut cluster = started();
        report(&mut cluster, meta(3, 2, "", "m")).unwrap();
        report(&mut cluster, meta(2, 2, "m", "")).unwrap();
        assert_eq!(cluster.region_by_key(b"a").unwrap().meta.id, 3);
        assert_eq!(cluster.region_by_key(b"m").unwrap().meta.id, 2);
        assert_eq!(cluster.previous_region(b"z").unwrap().meta.id, 3);
        assert!(cluster.previous_region(b"a").is_none());
        assert_eq!(report(&mut cluster, meta(2, 1, "", "")), Err(ClusterError::Stale(2)));
        let ids = |regions: Vec<&Region>| regions.iter().map(|region| region.meta.id).collect::<Vec<_>>();
        assert_eq!(ids(cluster.scan(b"", b"", 10)), [3, 2]);
        assert_eq!(ids(cluster.scan(b"a", b"m", 10)), [3]);
        assert_eq!(ids(cluster.scan(b"a", b"n", 1)), [3]);
        assert_eq!(cluster.region_by_id(3).unwrap().leader.as_ref().unwrap().id, 103);
        assert_eq!(cluster.load_of(1), (2, 2));
    }

    #[test]
    fn a_snapshot_restores_everything() {
        let mut cluster = started();
        report(&mut cluster, meta(3, 2, "", "m")).unwrap();
        let mut record = Record::default();
        cluster.snapshot(&mut record);
        let mut restored = Cluster::default();
        restored.apply(&record);
        assert_eq!(restored.regions, cluster.regions);
        assert_eq!(restored.stores, cluster.stores);
        assert!(restored.is_bootstrapped());
    }

    #[test]
    fn a_store_keeps_its_address_to_itself() {
        let mut cluster = started();
        let other = metapb::Store { id: 5, address: "a:1".to_owned(), ..Default::default() };
        assert!(matches!(
            cluster.put_store(Some(other)),
            Err(ClusterError::DuplicateAddress { other: 1, .. })
        ));
        let moved = metapb::Store { id: 1, address: "b:1".to_owned(), ..Default::default() };
        let record = cluster.put_store(Some(moved)).unwrap();
        cluster.apply(&record);
        assert_eq!(cluster.store(1).unwrap().address, "b:1");
    }
}
