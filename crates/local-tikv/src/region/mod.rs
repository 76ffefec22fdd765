//! Regions: ranges of keys with an identity and an epoch.

mod map;
mod size;
mod split;

pub(crate) use map::{RegionError, RegionMap, check_key, region_not_found};
pub(crate) use size::{save_sizes, watch_sizes};
pub(crate) use split::{SplitError, split_region};

use crate::keys::{self, KeyRange};
use prost::Message;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use tikv_proto::metapb;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// Prefix of region records among the store's own records.
pub(crate) const REGION_PREFIX: &[u8] = b"region/";

/// One region at one epoch; a split replaces it.
pub(crate) struct Region {
    meta: metapb::Region,
    range: KeyRange,
    /// Held by writes from their checks until they are applied; taken alone by a split.
    gate: Arc<RwLock<()>>,
    retired: AtomicBool,
    /// Estimated bytes of the region's versions.
    pub(crate) size: AtomicU64,
    /// Bytes written since PD was told.
    pub(crate) written: AtomicU64,
    /// Change feed subscriptions.
    pub(crate) subscribers: AtomicUsize,
}

/// Keeps a split away while a write is under way.
pub(crate) type WritePass = OwnedRwLockReadGuard<()>;

impl Region {
    /// Wraps the description of a region; `None` when its bounds are not memcomparable keys.
    pub(crate) fn new(meta: metapb::Region, size: u64) -> Option<Self> {
        let range = KeyRange {
            start: keys::decode_boundary(&meta.start_key)?,
            end: keys::decode_boundary(&meta.end_key)?,
        };
        Some(Self {
            meta,
            range,
            gate: Arc::default(),
            retired: AtomicBool::new(false),
            size: AtomicU64::new(size),
            written: AtomicU64::new(0),
            subscribers: AtomicUsize::new(0),
        })
    }

    /// Its id.
    pub(crate) const fn id(&self) -> u64 {
        self.meta.id
    }

    /// Its description, with memcomparable bounds.
    pub(crate) const fn meta(&self) -> &metapb::Region {
        &self.meta
    }

    /// Its range in raw keys.
    pub(crate) const fn range(&self) -> &KeyRange {
        &self.range
    }

    /// Version of its epoch: changes with the range.
    pub(crate) fn version(&self) -> u64 {
        self.meta.region_epoch.as_ref().map_or(0, |epoch| epoch.version)
    }

    /// Its only peer.
    pub(crate) fn leader(&self) -> Option<metapb::Peer> {
        self.meta.peers.first().cloned()
    }

    /// Admits a write; `None` when the region was split meanwhile.
    pub(crate) async fn enter(&self) -> Option<WritePass> {
        let pass = self.gate.clone().read_owned().await;
        (!self.retired.load(Ordering::Acquire)).then_some(pass)
    }

    /// Waits until no write is under way and keeps new ones out; `None` when the region was split meanwhile.
    async fn close(&self) -> Option<OwnedRwLockWriteGuard<()>> {
        let alone = self.gate.clone().write_owned().await;
        (!self.retired.load(Ordering::Acquire)).then_some(alone)
    }

    fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    /// Notes applied bytes.
    pub(crate) fn add_written(&self, bytes: u64) {
        self.size.fetch_add(bytes, Ordering::Relaxed);
        self.written.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// What is kept of a region: its description and estimated size.
pub(crate) fn record_key(region_id: u64) -> Vec<u8> {
    [REGION_PREFIX, &region_id.to_be_bytes()].concat()
}

/// Encodes the record of a region.
pub(crate) fn encode_record(meta: &metapb::Region, size: u64) -> Vec<u8> {
    let mut out = size.to_be_bytes().to_vec();
    out.extend_from_slice(&meta.encode_to_vec());
    out
}

/// Decodes what [`encode_record`] wrote.
pub(crate) fn decode_record(record: &[u8]) -> Option<Region> {
    let (size, meta) = record.split_first_chunk::<8>()?;
    Region::new(metapb::Region::decode(meta).ok()?, u64::from_be_bytes(*size))
}
