//! What the journal holds. A snapshot of the whole state is made of the same records as the changes.

use bytes::Bytes;
use tikv_proto::{etcdserverpb, metapb};

/// A change, or a part of a snapshot. Empty parts change nothing.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Record {
    /// Identity of the cluster; written once.
    #[prost(message, optional, tag = "1")]
    pub(crate) identity: Option<Identity>,
    /// Timestamps below this many milliseconds may have been handed out.
    #[prost(uint64, tag = "2")]
    pub(crate) tso_bound_ms: u64,
    /// Ids below this may have been handed out.
    #[prost(uint64, tag = "3")]
    pub(crate) id_bound: u64,
    /// The cluster has its first region.
    #[prost(bool, tag = "4")]
    pub(crate) bootstrapped: bool,
    /// New or changed stores.
    #[prost(message, repeated, tag = "5")]
    pub(crate) stores: Vec<metapb::Store>,
    /// New or changed regions; they replace those they overlap.
    #[prost(message, repeated, tag = "6")]
    pub(crate) regions: Vec<LedRegion>,
    /// New safepoint of garbage collection; 0 for none.
    #[prost(uint64, tag = "7")]
    pub(crate) gc_safe_point: u64,
    /// New or changed safepoints of services.
    #[prost(message, repeated, tag = "8")]
    pub(crate) gc_services: Vec<GcService>,
    /// Services whose safepoint is removed.
    #[prost(string, repeated, tag = "9")]
    pub(crate) gc_services_removed: Vec<String>,
    /// Changes of the metadata store, of one revision.
    #[prost(message, optional, tag = "10")]
    pub(crate) revision: Option<Revision>,
    /// Leases granted.
    #[prost(message, repeated, tag = "11")]
    pub(crate) leases: Vec<LeaseGrant>,
    /// Leases that ended.
    #[prost(int64, repeated, tag = "12")]
    pub(crate) leases_removed: Vec<i64>,
    /// In a snapshot: the metadata store.
    #[prost(message, optional, tag = "13")]
    pub(crate) etcd: Option<EtcdSnapshot>,
}

/// Identity of the cluster.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(crate) struct Identity {
    /// Id of the placement driver's cluster.
    #[prost(uint64, tag = "1")]
    pub(crate) cluster_id: u64,
    /// Id of the metadata store's cluster.
    #[prost(uint64, tag = "2")]
    pub(crate) etcd_cluster_id: u64,
    /// Id of this member.
    #[prost(uint64, tag = "3")]
    pub(crate) member_id: u64,
}

/// A region with its leader.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct LedRegion {
    /// The region.
    #[prost(message, optional, tag = "1")]
    pub(crate) region: Option<metapb::Region>,
    /// Its leader, if known.
    #[prost(message, optional, tag = "2")]
    pub(crate) leader: Option<metapb::Peer>,
}

/// Safepoint of a service.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct GcService {
    /// The service's name.
    #[prost(string, tag = "1")]
    pub(crate) id: String,
    /// Its safepoint.
    #[prost(uint64, tag = "2")]
    pub(crate) safe_point: u64,
    /// When it ends, in seconds since the Unix epoch; `i64::MAX` is never.
    #[prost(int64, tag = "3")]
    pub(crate) expires_at: i64,
}

/// Changes of the metadata store that happened together.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Revision {
    /// The revision they made.
    #[prost(int64, tag = "1")]
    pub(crate) revision: i64,
    /// The changes, with what the keys held before.
    #[prost(message, repeated, tag = "2")]
    pub(crate) events: Vec<etcdserverpb::WatchedEvent>,
}

/// A lease.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(crate) struct LeaseGrant {
    /// Its id.
    #[prost(int64, tag = "1")]
    pub(crate) id: i64,
    /// Its time in seconds.
    #[prost(int64, tag = "2")]
    pub(crate) ttl: i64,
}

/// The metadata store in a snapshot.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct EtcdSnapshot {
    /// Revision of the store.
    #[prost(int64, tag = "1")]
    pub(crate) revision: i64,
    /// The last revision whose changes are no longer kept.
    #[prost(int64, tag = "2")]
    pub(crate) compacted: i64,
    /// All keys.
    #[prost(message, repeated, tag = "3")]
    pub(crate) kvs: Vec<etcdserverpb::KeyValue>,
    /// Kept changes, oldest first. They are in `kvs` already.
    #[prost(message, repeated, tag = "4")]
    pub(crate) history: Vec<Revision>,
}

/// Where a key's bytes end up in a range test.
pub(crate) fn in_range(key: &[u8], start: &Bytes, range_end: &Bytes) -> bool {
    if range_end.is_empty() {
        return key == &start[..];
    }
    key >= &start[..] && (range_end[..] == [0] || key < &range_end[..])
}
