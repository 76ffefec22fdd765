//! Regions: continuous key ranges that one store leads.

use bytes::Bytes;
use tikv_proto::{kvrpcpb, metapb, pdpb};

use crate::error::{Error, KeyText, Result};
use crate::keys;

/// Identity of a region at one version of its boundaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RegionId {
    /// The region's id.
    pub id: u64,
    /// Changes with its peers.
    pub conf_ver: u64,
    /// Changes with its boundaries.
    pub version: u64,
}

/// A region as last heard of.
#[derive(Debug, Clone, PartialEq)]
pub struct Region {
    /// The region's id.
    pub id: u64,
    /// Version of its boundaries and peers.
    pub epoch: metapb::RegionEpoch,
    /// First key, memcomparable-encoded; empty is the start of the key space.
    pub start: Bytes,
    /// End (exclusive), memcomparable-encoded; empty is the end of the key space.
    pub end: Bytes,
    /// First key, raw.
    pub raw_start: Bytes,
    /// End (exclusive), raw; empty is the end of the key space.
    pub raw_end: Bytes,
    /// The peer that serves requests.
    pub leader: metapb::Peer,
    /// All peers.
    pub peers: Vec<metapb::Peer>,
    /// `host:port` of the leader's store.
    pub store_address: String,
}

impl Region {
    /// Reads a region of the placement driver; `store_address` is filled by the caller. A region without a known leader
    /// takes its first peer.
    ///
    /// # Errors
    /// [`Error::InvalidResponse`] without metadata or peers, [`Error::InvalidKey`] with boundaries that are not encoded.
    pub(crate) fn from_pd(region: pdpb::Region) -> Result<Self> {
        let invalid =
            |reason: &str| Error::InvalidResponse { method: "ScanRegions", reason: reason.to_owned() };
        let meta = region.region.ok_or_else(|| invalid("a region has no metadata"))?;
        Self::from_meta(meta, region.leader)
    }

    /// Builds a region of its metadata and leader, see [`Region::from_pd`].
    pub(crate) fn from_meta(meta: metapb::Region, leader: Option<metapb::Peer>) -> Result<Self> {
        let known = leader.filter(|peer| peer.id != 0);
        let leader = known.or_else(|| meta.peers.first().cloned()).ok_or_else(|| Error::InvalidResponse {
            method: "ScanRegions",
            reason: format!("region {} has no peers", meta.id),
        })?;
        Ok(Self {
            id: meta.id,
            epoch: meta.region_epoch.unwrap_or_default(),
            raw_start: decode_boundary(&meta.start_key)?,
            raw_end: decode_boundary(&meta.end_key)?,
            start: meta.start_key,
            end: meta.end_key,
            leader,
            peers: meta.peers,
            store_address: String::new(),
        })
    }

    /// Identity at this version.
    pub fn version_id(&self) -> RegionId {
        RegionId { id: self.id, conf_ver: self.epoch.conf_ver, version: self.epoch.version }
    }

    /// Whether a raw key lies within the region.
    pub fn contains(&self, raw_key: &[u8]) -> bool {
        raw_key >= &self.raw_start[..] && (self.raw_end.is_empty() || raw_key < &self.raw_end[..])
    }

    /// The request context that addresses the region's leader.
    pub fn context(&self) -> kvrpcpb::Context {
        kvrpcpb::Context {
            region_id: self.id,
            region_epoch: Some(self.epoch),
            peer: Some(self.leader),
            ..Default::default()
        }
    }
}

/// Decodes a boundary; empty stays empty.
fn decode_boundary(encoded: &Bytes) -> Result<Bytes> {
    if encoded.is_empty() {
        return Ok(Bytes::new());
    }
    keys::decode(encoded).map_err(|reason| Error::InvalidKey { key: KeyText(encoded.clone()), reason })
}
