//! Heart beats: the store and its regions are reported to PD in turn, and regions at once when they change.

use super::{PlacementError, call, check_header};
use crate::region::Region;
use crate::store::Store;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tikv_proto::{metapb, pdpb};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

/// Pause between heart beats, as in TiKV for stores.
const INTERVAL: Duration = Duration::from_secs(10);
/// Pause after a failure.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// Region reports on their way.
const MAX_QUEUED: usize = 64;
/// Term of a region's only leader.
const TERM: u64 = 6;

/// Sends heart beats until cancelled.
pub(crate) async fn send_heartbeats(store: Arc<Store>, store_id: u64, stop: CancellationToken) {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let start_time = u32::try_from(since_epoch).unwrap_or(u32::MAX);
    while !stop.is_cancelled() {
        let result = tokio::select! {
            () = stop.cancelled() => return,
            result = send_over_one_stream(&store, store_id, start_time) => result,
        };
        if let Err(error) = result {
            tracing::warn!(%error, "heart beat to PD failed");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(RETRY_PAUSE) => {}
        }
    }
}

async fn send_over_one_stream(
    store: &Arc<Store>,
    store_id: u64,
    start_time: u32,
) -> Result<(), PlacementError> {
    let failed = |status| PlacementError::Call { call: "RegionHeartbeat", status: Box::new(status) };
    let (reports, receiver) = mpsc::channel(MAX_QUEUED);
    // PD may answer the call only after the first report, so that is queued before.
    report_first(store, &reports);
    let mut answers = store
        .placement
        .client()
        .region_heartbeat(ReceiverStream::new(receiver))
        .await
        .map_err(failed)?
        .into_inner();
    loop {
        report_store(store, store_id, start_time).await?;
        report_regions(store, &reports).await?;
        let next = tokio::time::sleep(INTERVAL);
        tokio::pin!(next);
        loop {
            tokio::select! {
                () = &mut next => break,
                () = store.placement.regions_changed.notified() => report_regions(store, &reports).await?,
                answer = answers.message() => {
                    // PD schedules nothing on one store: orders are not followed.
                    if answer.map_err(failed)?.is_none() {
                        return Err(failed(tonic::Status::unavailable("PD ended the stream")));
                    }
                }
            }
        }
    }
}

fn report_first(store: &Store, reports: &mpsc::Sender<pdpb::RegionHeartbeatRequest>) {
    if let Some(region) = store.regions.all().first() {
        // The queue is empty: there is room.
        let _ = reports.try_send(report(store, region));
    }
}

async fn report_regions(
    store: &Store,
    reports: &mpsc::Sender<pdpb::RegionHeartbeatRequest>,
) -> Result<(), PlacementError> {
    for region in store.regions.all() {
        reports.send(report(store, &region)).await.map_err(|_| PlacementError::Call {
            call: "RegionHeartbeat",
            status: Box::new(tonic::Status::unavailable("the stream is closed")),
        })?;
    }
    Ok(())
}

fn report(store: &Store, region: &Region) -> pdpb::RegionHeartbeatRequest {
    pdpb::RegionHeartbeatRequest {
        header: store.placement.header(),
        region: Some(metapb::Region::clone(region.meta())),
        leader: region.leader(),
        bytes_written: region.written.swap(0, Ordering::Relaxed),
        approximate_size: region.size.load(Ordering::Relaxed),
        term: TERM,
        ..pdpb::RegionHeartbeatRequest::default()
    }
}

async fn report_store(store: &Store, store_id: u64, start_time: u32) -> Result<(), PlacementError> {
    let regions = store.regions.all();
    let used_size = regions.iter().map(|region| region.size.load(Ordering::Relaxed)).sum();
    let stats = pdpb::StoreStats {
        store_id,
        region_count: u32::try_from(regions.len()).unwrap_or(u32::MAX),
        start_time,
        used_size,
        ..pdpb::StoreStats::default()
    };
    let request = pdpb::StoreHeartbeatRequest { header: store.placement.header(), stats: Some(stats) };
    let answer = call("StoreHeartbeat", store.placement.client().store_heartbeat(request)).await?;
    check_header("StoreHeartbeat", answer.header.as_ref())
}
