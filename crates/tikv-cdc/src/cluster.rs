//! What the change feeds need of the rest of the cluster.

use futures::future::BoxFuture;
use tikv_client::{ChannelPool, LiveLock, TikvClient};
use tikv_proto::metapb;
use tonic::transport::Channel;

use crate::error::ClusterError;
use crate::key_range::KeyRange;
use crate::range_lock::RegionVersion;

/// A region and where it is led.
#[derive(Clone, Debug, PartialEq)]
pub struct RegionRoute {
    /// Region id.
    pub id: u64,
    /// Version of its boundaries and peers.
    pub epoch: metapb::RegionEpoch,
    /// Its keys, encoded.
    pub range: KeyRange,
    /// The peer that leads it, as far as known.
    pub leader: metapb::Peer,
    /// `host:port` of the leader's store.
    pub store_address: String,
}

impl RegionRoute {
    /// The region at its version.
    pub fn version(&self) -> RegionVersion {
        RegionVersion { id: self.id, version: self.epoch.version }
    }
}

/// What lock resolution did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockReport {
    /// Locks removed, because their transactions had ended.
    pub resolved: usize,
    /// Transactions that are alive and hold locks, by start ts.
    pub alive: Vec<LiveLock>,
}

/// The cluster as the change feeds see it. Implemented for [`TikvClient`]; tests bring their own.
pub trait Cluster: Send + Sync + 'static {
    /// Id of the cluster.
    fn cluster_id(&self) -> u64;

    /// Regions that overlap a range, by start key, at most `limit`. With `fresh` the answer must not come from a cache.
    fn regions(
        &self,
        range: KeyRange,
        limit: usize,
        fresh: bool,
    ) -> BoxFuture<'_, Result<Vec<RegionRoute>, ClusterError>>;

    /// Address of a store.
    fn store_address(&self, store: u64) -> BoxFuture<'_, Result<String, ClusterError>>;

    /// The store could not be reached: its address may have changed.
    fn forget_store(&self, store: u64);

    /// A connection to a store. Different lanes are different connections.
    fn channel(&self, address: &str, lane: usize) -> Result<Channel, ClusterError>;

    /// A fresh timestamp.
    fn current_ts(&self) -> BoxFuture<'_, Result<u64, ClusterError>>;

    /// Removes locks of ended transactions with start ts up to `max_ts` in a range.
    fn resolve_locks(&self, range: KeyRange, max_ts: u64) -> BoxFuture<'_, Result<LockReport, ClusterError>>;
}

/// A real cluster. Event streams have connections of their own: one that is not read for a while must not hold back
/// the flow-control window of other requests.
pub struct TikvCluster {
    /// Routing, timestamps and locks.
    client: TikvClient,
    /// Connections of event streams, by lane.
    lanes: Vec<ChannelPool>,
}

impl TikvCluster {
    /// Wraps a client; `lanes` is the number of connections per store.
    pub fn new(client: TikvClient, lanes: usize) -> Self {
        let security = client.pool().security().clone();
        Self { lanes: (0..lanes.max(1)).map(|_| ChannelPool::new(security.clone())).collect(), client }
    }
}

/// Converts a region.
fn route(region: &tikv_client::Region) -> RegionRoute {
    RegionRoute {
        id: region.id,
        epoch: region.epoch,
        range: KeyRange::new(region.start.clone(), region.end.clone()),
        leader: region.leader,
        store_address: region.store_address.clone(),
    }
}

impl Cluster for TikvCluster {
    fn cluster_id(&self) -> u64 {
        self.client.pd().cluster_id()
    }

    fn regions(
        &self,
        range: KeyRange,
        limit: usize,
        fresh: bool,
    ) -> BoxFuture<'_, Result<Vec<RegionRoute>, ClusterError>> {
        Box::pin(async move {
            let failed = |error| ClusterError::new("looking up regions", error);
            let cache = self.client.regions();
            let regions = if fresh {
                cache.load(range.start, range.end, limit).await.map_err(failed)?
            } else {
                let (start, end) =
                    range.decode().map_err(|error| ClusterError::new("looking up regions", error))?;
                cache.locate_range(&start, &end).await.map_err(failed)?
            };
            Ok(regions.iter().map(|region| route(region)).collect())
        })
    }

    fn store_address(&self, store: u64) -> BoxFuture<'_, Result<String, ClusterError>> {
        Box::pin(async move {
            let address = self.client.pd().store_address(store).await;
            address.map_err(|error| ClusterError::new("looking up a store", error))
        })
    }

    fn forget_store(&self, store: u64) {
        self.client.pd().forget_store(store);
    }

    fn channel(&self, address: &str, lane: usize) -> Result<Channel, ClusterError> {
        let pool = self.lanes.get(lane % self.lanes.len().max(1)).unwrap_or_else(|| self.client.pool());
        pool.channel(address).map_err(|error| ClusterError::new("connecting to a store", error))
    }

    fn current_ts(&self) -> BoxFuture<'_, Result<u64, ClusterError>> {
        Box::pin(async move {
            self.client.pd().get_ts().await.map_err(|error| ClusterError::new("fetching a timestamp", error))
        })
    }

    fn resolve_locks(&self, range: KeyRange, max_ts: u64) -> BoxFuture<'_, Result<LockReport, ClusterError>> {
        Box::pin(async move {
            let (start, end) = range.decode().map_err(|error| ClusterError::new("resolving locks", error))?;
            let outcome = self.client.lock_resolver().resolve_locks(&start, &end, max_ts).await;
            let locks = outcome.map_err(|error| ClusterError::new("resolving locks", error))?;
            Ok(LockReport { resolved: locks.resolved, alive: locks.alive })
        })
    }
}
