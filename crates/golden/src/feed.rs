//! The recorded stream of a store.
//!
//! A recorder that lost a region (its range was split) and did not register the regions that took its place has none of
//! their rows. Such a stream is made whole for replaying: the new regions are given a scan without rows and the resolved
//! ts that all others have reached. What is missing is told as a [`Gap`].

use std::collections::{BTreeMap, BTreeSet, HashSet};

use prost::Message as _;
use tikv_proto::cdcpb::event::{Entries, Event as Content, LogType, Row};
use tikv_proto::cdcpb::{ChangeDataEvent, Event, ResolvedTs};

/// Bits of a timestamp below the milliseconds.
pub(crate) const LOGICAL_BITS: u32 = 18;

/// Rows of a region that the recorder lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The region.
    pub region: u64,
    /// Position of the frame that ended its registration.
    pub frame: usize,
    /// The last resolved ts of the region: rows with a later commit ts are missing.
    pub after_ts: u64,
    /// Commit milliseconds, from that of `after_ts` on, of rows that the region's stream has.
    present: BTreeSet<u64>,
}

impl Gap {
    /// True if a row committed in millisecond `es` is not in the stream.
    pub(crate) fn lacks(&self, es: u64) -> bool {
        es >= self.after_ts >> LOGICAL_BITS && !self.present.contains(&es)
    }
}

/// Reads [u64 time, u32 length, protobuf] records; `None` if they are cut or unreadable.
pub(crate) fn read_frames(data: &[u8]) -> Option<Vec<ChangeDataEvent>> {
    let mut frames = Vec::new();
    let mut rest = data;
    while !rest.is_empty() {
        let (_, tail) = rest.split_first_chunk::<8>()?;
        let (length, tail) = tail.split_first_chunk::<4>()?;
        let (message, tail) = tail.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        frames.push(ChangeDataEvent::decode(message).ok()?);
        rest = tail;
    }
    Some(frames)
}

/// Fills what the recorder lost with scans and resolved ts without rows; returns what is missing.
pub(crate) fn fill_gaps(frames: Vec<ChangeDataEvent>) -> (Vec<ChangeDataEvent>, Vec<Gap>) {
    let mut known = Known::default();
    let mut whole = Vec::with_capacity(frames.len());
    let mut gaps = Vec::new();
    let mut last_scan = BTreeMap::new();
    for (at, frame) in frames.iter().enumerate() {
        for region in scanned(frame) {
            last_scan.insert(region, at);
        }
    }
    for (at, frame) in frames.into_iter().enumerate() {
        known.note(&frame);
        let lost = losses(&frame);
        whole.push(frame);
        for (region, successors) in lost {
            let silent: Vec<u64> = successors
                .into_iter()
                .filter(|id| last_scan.get(id).is_none_or(|scan| *scan <= at))
                .collect();
            let after_ts = known.resolved.remove(&region).unwrap_or(0);
            if silent.is_empty() {
                continue;
            }
            gaps.push(Gap { region, frame: at, after_ts, present: known.commits_from(region, after_ts) });
            whole.push(empty_scans(&silent));
            known.silent.extend(silent);
        }
        whole.extend(known.bridge());
    }
    (whole, gaps)
}

/// What the stream has said so far.
#[derive(Default)]
struct Known {
    /// Resolved ts by region.
    resolved: BTreeMap<u64, u64>,
    /// Commit ts by region.
    commits: BTreeMap<u64, BTreeSet<u64>>,
    /// Regions that the recorder did not register.
    silent: HashSet<u64>,
    /// Resolved ts that those were given.
    bridged: u64,
}

impl Known {
    /// Takes what a frame says.
    fn note(&mut self, frame: &ChangeDataEvent) {
        for event in &frame.events {
            match &event.event {
                Some(Content::Entries(entries)) => {
                    let commits = entries.entries.iter().map(|row| row.commit_ts).filter(|ts| *ts > 0);
                    self.commits.entry(event.region_id).or_default().extend(commits);
                }
                Some(Content::ResolvedTs(ts)) => {
                    self.resolved.insert(event.region_id, *ts);
                }
                Some(Content::Error(_)) | None => {}
            }
        }
        if let Some(batch) = &frame.resolved_ts {
            self.resolved.extend(batch.regions.iter().map(|region| (*region, batch.ts)));
        }
    }

    /// Commit milliseconds of a region from that of a timestamp on.
    fn commits_from(&self, region: u64, ts: u64) -> BTreeSet<u64> {
        let commits = self.commits.get(&region).into_iter().flatten().map(|commit| commit >> LOGICAL_BITS);
        commits.filter(|ms| *ms >= ts >> LOGICAL_BITS).collect()
    }

    /// Moves the regions that were lost to where all others are.
    fn bridge(&mut self) -> Option<ChangeDataEvent> {
        let ts = self.resolved.values().min().copied()?;
        if self.silent.is_empty() || ts <= self.bridged {
            return None;
        }
        self.bridged = ts;
        let regions = self.silent.iter().copied().collect();
        let resolved_ts = Some(ResolvedTs { regions, ts, ..ResolvedTs::default() });
        Some(ChangeDataEvent { events: Vec::new(), resolved_ts })
    }
}

/// Regions whose scan ends in a frame.
fn scanned(frame: &ChangeDataEvent) -> impl Iterator<Item = u64> {
    frame.events.iter().filter_map(|event| match &event.event {
        Some(Content::Entries(entries)) => {
            let ends = entries.entries.iter().any(|row| row.r#type == LogType::Initialized as i32);
            ends.then_some(event.region_id)
        }
        _ => None,
    })
}

/// Regions whose registration a frame ends, with those that took their place.
fn losses(frame: &ChangeDataEvent) -> Vec<(u64, Vec<u64>)> {
    let lost = frame.events.iter().filter_map(|event| match &event.event {
        Some(Content::Error(error)) => {
            let now = error.epoch_not_match.as_ref().map(|epoch| epoch.current_regions.as_slice());
            Some((event.region_id, now.unwrap_or_default().iter().map(|region| region.id).collect()))
        }
        _ => None,
    });
    lost.collect()
}

/// Scans that found nothing.
fn empty_scans(regions: &[u64]) -> ChangeDataEvent {
    let event = |region: &u64| {
        let end = Row { r#type: LogType::Initialized as i32, ..Row::default() };
        Event {
            region_id: *region,
            event: Some(Content::Entries(Entries { entries: vec![end] })),
            ..Event::default()
        }
    };
    ChangeDataEvent { events: regions.iter().map(event).collect(), resolved_ts: None }
}

#[cfg(test)]
mod tests {
    use tikv_proto::cdcpb::Error;
    use tikv_proto::errorpb::EpochNotMatch;
    use tikv_proto::metapb;

    use super::*;

    /// A frame with the resolved ts of some regions.
    fn resolved(regions: &[u64], ts: u64) -> ChangeDataEvent {
        let resolved_ts = Some(ResolvedTs { regions: regions.to_vec(), ts, ..ResolvedTs::default() });
        ChangeDataEvent { events: Vec::new(), resolved_ts }
    }

    /// A frame that ends region 2, which was split into 2 and 3.
    fn split() -> ChangeDataEvent {
        let region = |id| metapb::Region { id, ..metapb::Region::default() };
        let current_regions = vec![region(2), region(3)];
        let error = Error { epoch_not_match: Some(EpochNotMatch { current_regions }), ..Error::default() };
        let event = Event { region_id: 2, event: Some(Content::Error(error)), ..Event::default() };
        ChangeDataEvent { events: vec![event], resolved_ts: None }
    }

    #[test]
    fn regions_that_were_not_registered_again_are_bridged_and_told() {
        let frames = vec![empty_scans(&[1, 2]), resolved(&[1, 2], 7 << 18), split(), resolved(&[1], 9 << 18)];
        let (whole, gaps) = fill_gaps(frames.clone());
        assert_eq!(gaps.len(), 1);
        assert!(gaps.iter().all(|gap| (gap.region, gap.frame, gap.after_ts) == (2, 2, 7 << 18)));
        assert!(gaps.iter().all(|gap| gap.lacks(8) && !gap.lacks(6)));
        let ids: BTreeSet<u64> = whole
            .last()
            .and_then(|frame| frame.resolved_ts.as_ref())
            .map_or_else(BTreeSet::new, |batch| batch.regions.iter().copied().collect());
        assert_eq!(ids, BTreeSet::from([2, 3]), "at the ts of region 1");
        let (unchanged, gaps) = fill_gaps([frames, vec![empty_scans(&[2, 3])]].concat());
        assert!(gaps.is_empty() && unchanged.len() == 5, "a recorder that went on lost nothing");
    }
}
