//! What stores sent, frame by frame.

use tikv_cdc::key_range::KeyRange;
use tikv_cdc::range_lock::RegionVersion;
use tikv_proto::cdcpb::ChangeDataEvent;
use tikv_proto::cdcpb::event::{Event as Content, Row};

/// A region and its encoded range.
#[derive(Debug, Clone)]
pub struct TapeRegion {
    /// Id and version.
    pub(super) id: RegionVersion,
    /// Its keys.
    pub(super) range: KeyRange,
}

impl TapeRegion {
    /// A region; bounds are encoded keys, an empty end stands for none.
    pub fn new(id: u64, version: u64, start: &[u8], end: &[u8]) -> Self {
        Self { id: RegionVersion { id, version }, range: KeyRange::new(start.to_vec(), end.to_vec()) }
    }
}

/// Something that concerns one region.
#[derive(Debug)]
pub(super) enum What {
    /// Rows of one event.
    Rows(Vec<Row>),
    /// Resolved ts.
    Resolved(u64),
    /// The registration ended; these regions took its place.
    Ended(Vec<TapeRegion>),
}

/// One thing on the tape.
#[derive(Debug)]
pub(super) struct Item {
    /// Which region.
    pub(super) region: u64,
    /// What happened.
    pub(super) what: What,
}

/// What stores sent on registrations of whole regions.
#[derive(Debug)]
pub struct Tape {
    /// Regions at the beginning.
    pub(super) regions: Vec<TapeRegion>,
    /// What happened, in order of arrival.
    pub(super) items: Vec<Item>,
}

impl Tape {
    /// A tape of frames in order of arrival.
    pub fn new(regions: Vec<TapeRegion>, frames: impl IntoIterator<Item = ChangeDataEvent>) -> Self {
        Self { regions, items: frames.into_iter().flat_map(items).collect() }
    }
}

/// The things in one frame, in order.
fn items(frame: ChangeDataEvent) -> Vec<Item> {
    let mut items = Vec::new();
    for event in frame.events {
        let what = match event.event {
            Some(Content::Entries(entries)) => What::Rows(entries.entries),
            Some(Content::ResolvedTs(ts)) => What::Resolved(ts),
            Some(Content::Error(error)) => {
                let now = error.epoch_not_match.map(|epoch| epoch.current_regions).unwrap_or_default();
                let region = |region: tikv_proto::metapb::Region| {
                    let version = region.region_epoch.map_or(0, |epoch| epoch.version);
                    TapeRegion::new(region.id, version, &region.start_key, &region.end_key)
                };
                What::Ended(now.into_iter().map(region).collect())
            }
            None => continue,
        };
        items.push(Item { region: event.region_id, what });
    }
    if let Some(resolved) = frame.resolved_ts {
        items.extend(
            resolved.regions.iter().map(|region| Item { region: *region, what: What::Resolved(resolved.ts) }),
        );
    }
    items
}
