//! Regions: look-ups, scans, splits.

use tikv_proto::pdpb as pb;
use tonic::{Response, Status};

use crate::cluster::{Cluster, Region};
use crate::node::Done;

use super::pd::{PdService, Refusal};

/// Regions in one answer when the request names no limit.
const SCAN_LIMIT: usize = 1 << 16;
/// New regions in one split.
const MAX_SPLITS: u32 = 1 << 12;

/// The limit of a request; 0 and less mean none, as in PD.
fn limit_of(limit: i32) -> usize {
    usize::try_from(limit).ok().filter(|limit| *limit > 0).unwrap_or(SCAN_LIMIT).min(SCAN_LIMIT)
}

impl PdService {
    /// Answers a look-up of one region; an unknown one is an empty answer.
    pub(super) async fn look_up(
        &self,
        find: impl FnOnce(&Cluster) -> Option<&Region>,
    ) -> Result<Response<pb::GetRegionResponse>, Status> {
        let work = self.node.with(|state| {
            state.cluster.check_bootstrapped()?;
            Ok::<_, Refusal>(Done::read(find(&state.cluster).cloned()))
        });
        self.answer(work.await, |header, found| {
            let (region, leader) = found.flatten().map(|region| (region.meta, region.leader)).unzip();
            pb::GetRegionResponse { header, region, leader: leader.flatten(), ..Default::default() }
        })
    }

    /// Answers a scan of one range.
    pub(super) async fn scan(
        &self,
        request: pb::ScanRegionsRequest,
    ) -> Result<Response<pb::ScanRegionsResponse>, Status> {
        let limit = limit_of(request.limit);
        let work = self.node.with(|state| {
            state.cluster.check_bootstrapped()?;
            let found = state.cluster.scan(&request.start_key, &request.end_key, limit);
            Ok::<_, Refusal>(Done::read(found.into_iter().map(Region::to_pd).collect::<Vec<_>>()))
        });
        self.answer(work.await, |header, regions| {
            let regions = regions.unwrap_or_default();
            pb::ScanRegionsResponse {
                header,
                region_metas: regions.iter().filter_map(|region| region.region.clone()).collect(),
                leaders: regions.iter().map(|region| region.leader.unwrap_or_default()).collect(),
                regions,
            }
        })
    }

    /// Answers a scan of several ranges, which must be in order and apart.
    pub(super) async fn batch_scan(
        &self,
        request: pb::BatchScanRegionsRequest,
    ) -> Result<Response<pb::BatchScanRegionsResponse>, Status> {
        check_ranges(&request.ranges)?;
        let limit = limit_of(request.limit);
        let work = self.node.with(|state| {
            state.cluster.check_bootstrapped()?;
            let mut found: Vec<&Region> = Vec::new();
            for range in &request.ranges {
                for region in state.cluster.scan(&range.start_key, &range.end_key, limit) {
                    let repeated = found.last().is_some_and(|last| last.meta.id == region.meta.id);
                    if !repeated && found.len() < limit {
                        found.push(region);
                    }
                }
                if request.contain_all_key_range && found.len() < limit && !covers(&found, range) {
                    let message = "found regions do not contain all given key ranges".to_owned();
                    return Err(Refusal::Header(pb::ErrorType::RegionsNotContainAllKeyRange, message));
                }
            }
            Ok::<_, Refusal>(Done::read(found.into_iter().map(Region::to_pd).collect::<Vec<_>>()))
        });
        self.answer(work.await, |header, regions| pb::BatchScanRegionsResponse {
            header,
            regions: regions.unwrap_or_default(),
        })
    }

    /// Hands out ids for the parts of a region that is going to be split.
    pub(super) async fn split_ids(
        &self,
        request: pb::AskBatchSplitRequest,
    ) -> Result<Response<pb::AskBatchSplitResponse>, Status> {
        let region = request.region.ok_or_else(|| Status::invalid_argument("missing region for split"))?;
        let count = request.split_count;
        if count == 0 || count > MAX_SPLITS || region.peers.is_empty() {
            return Err(Status::invalid_argument(format!("cannot split a region into {count} new parts")));
        }
        let peers = region.peers.len();
        let each = u64::try_from(peers).unwrap_or(u64::MAX).saturating_add(1);
        let work = self.node.with(|state| {
            state.cluster.check_bootstrapped()?;
            if state.cluster.region_by_id(region.id).is_none() {
                let message = format!("region {} not found", region.id);
                return Err(Refusal::Header(pb::ErrorType::RegionNotFound, message));
            }
            let (first, record) = state.take_ids(each.saturating_mul(u64::from(count)));
            Ok::<_, Refusal>(Done::changed(first, record))
        });
        self.answer(work.await, |header, first| {
            let first = first.unwrap_or_default();
            let ids = (0..u64::from(count)).map(|index| {
                let new_region_id = first + index * each;
                pb::SplitId {
                    new_region_id,
                    new_peer_ids: (new_region_id + 1..new_region_id + each).collect(),
                }
            });
            pb::AskBatchSplitResponse {
                ids: if header_ok(&header) { ids.collect() } else { Vec::new() },
                header,
            }
        })
    }

    /// Notes the parts of a region that has been split, all at once.
    pub(super) async fn note_split(
        &self,
        regions: Vec<tikv_proto::metapb::Region>,
    ) -> Result<Response<pb::ReportBatchSplitResponse>, Status> {
        let work = self.node.with(|state| {
            let mut all = crate::record::Record::default();
            for meta in regions {
                match state.cluster.report_region(meta, None) {
                    Ok(Some(record)) => {
                        state.cluster.apply(&record);
                        all.regions.extend(record.regions);
                    }
                    Ok(None) => {}
                    // Newer news of that part have come already.
                    Err(crate::cluster::ClusterError::Stale(id)) => {
                        tracing::debug!(region = id, "stale report of a split");
                    }
                    Err(error) if all.regions.is_empty() => return Err(Refusal::from(error)),
                    Err(error) => tracing::warn!(%error, "a part of a split was refused"),
                }
            }
            let record = (!all.regions.is_empty()).then_some(all);
            Ok::<_, Refusal>(Done::changed((), record))
        });
        self.answer(work.await, |header, _| pb::ReportBatchSplitResponse { header })
    }
}

/// Whether a header holds no error.
fn header_ok(header: &Option<pb::ResponseHeader>) -> bool {
    header.as_ref().is_none_or(|header| header.error.is_none())
}

/// Refuses ranges that are not in order and apart.
fn check_ranges(ranges: &[pb::KeyRange]) -> Result<(), Status> {
    for (index, range) in ranges.iter().enumerate() {
        if !range.end_key.is_empty() && range.start_key > range.end_key {
            return Err(Status::invalid_argument("invalid key range, start key > end key"));
        }
        let Some(next) = ranges.get(index + 1) else { break };
        if range.end_key.is_empty() || range.end_key > next.start_key {
            return Err(Status::invalid_argument("invalid key range, ranges overlapped or not in order"));
        }
    }
    Ok(())
}

/// Whether regions (in order) cover a range without a hole.
fn covers(regions: &[&Region], range: &pb::KeyRange) -> bool {
    let mut reached = range.start_key.clone();
    for region in regions {
        let meta = &region.meta;
        if !meta.end_key.is_empty() && meta.end_key <= reached {
            continue;
        }
        if meta.start_key > reached {
            return false;
        }
        if meta.end_key.is_empty() || (!range.end_key.is_empty() && meta.end_key >= range.end_key) {
            return true;
        }
        reached = meta.end_key.clone();
    }
    false
}
