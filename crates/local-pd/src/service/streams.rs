//! Streams of the placement driver: timestamps and region heartbeats.

use std::pin::Pin;

use tikv_proto::pdpb as pb;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::cluster::ClusterError;
use crate::node::Done;
use crate::tso::MAX_COUNT;

use super::pd::{PdService, Refusal};

/// Answers that may wait for a slow client.
const ANSWERS: usize = 64;

/// Answers timestamp requests in order, until the client ends the stream or the server stops.
pub(super) fn timestamps(
    service: PdService,
    mut requests: Streaming<pb::TsoRequest>,
) -> Pin<Box<dyn Stream<Item = Result<pb::TsoResponse, Status>> + Send>> {
    let (answers, stream) = mpsc::channel(ANSWERS);
    tokio::spawn(async move {
        let stop = service.node.stop_token().clone();
        loop {
            let request = tokio::select! {
                () = stop.cancelled() => {
                    let _ = answers.try_send(Err(Status::unavailable("the server is shutting down")));
                    return;
                }
                request = requests.message() => request,
            };
            let Ok(Some(request)) = request else { return };
            let answer = timestamp(&service, &request).await;
            let failed = answer.is_err();
            if answers.send(answer).await.is_err() || failed {
                return;
            }
        }
    });
    Box::pin(ReceiverStream::new(stream))
}

/// Answers one timestamp request.
async fn timestamp(service: &PdService, request: &pb::TsoRequest) -> Result<pb::TsoResponse, Status> {
    service.check(request.header.as_ref())?;
    let count = request.count;
    if count == 0 || count > MAX_COUNT {
        return Err(Status::invalid_argument(format!(
            "tso count should be from 1 to {MAX_COUNT}, not {count}"
        )));
    }
    let stamp = service.node.timestamps(count).await?;
    let timestamp = pb::Timestamp {
        physical: i64::try_from(stamp.physical).unwrap_or(i64::MAX),
        logical: i64::try_from(stamp.logical).unwrap_or(i64::MAX),
        suffix_bits: 0,
    };
    Ok(pb::TsoResponse { header: service.header(), count, timestamp: Some(timestamp) })
}

/// Takes in region heartbeats. The server never asks for anything, so only refusals are answered.
pub(super) fn region_heartbeats(
    service: PdService,
    mut requests: Streaming<pb::RegionHeartbeatRequest>,
) -> Pin<Box<dyn Stream<Item = Result<pb::RegionHeartbeatResponse, Status>> + Send>> {
    let (answers, stream) = mpsc::channel(ANSWERS);
    tokio::spawn(async move {
        let stop = service.node.stop_token().clone();
        loop {
            let request = tokio::select! {
                () = stop.cancelled() => return,
                request = requests.message() => request,
            };
            let Ok(Some(request)) = request else { return };
            if let Some(answer) = region_heartbeat(&service, request).await {
                let failed = answer.is_err();
                if answers.send(answer).await.is_err() || failed {
                    return;
                }
            }
        }
    });
    Box::pin(ReceiverStream::new(stream))
}

/// Takes in one region heartbeat.
async fn region_heartbeat(
    service: &PdService,
    request: pb::RegionHeartbeatRequest,
) -> Option<Result<pb::RegionHeartbeatResponse, Status>> {
    if let Err(status) = service.check(request.header.as_ref()) {
        return Some(Err(status));
    }
    let meta = request.region?;
    let region_id = meta.id;
    let work = service.node.with(|state| {
        let record = match state.cluster.report_region(meta, request.leader) {
            // A newer report has come by another way.
            Err(ClusterError::Stale(_)) => None,
            other => other?,
        };
        if let Some(record) = &record {
            state.cluster.apply(record);
        }
        Ok::<_, Refusal>(Done::changed((), record))
    });
    match work.await {
        Ok(()) => None,
        Err(Refusal::Header(kind, message)) => {
            let header = service.refusal(kind, message);
            Some(Ok(pb::RegionHeartbeatResponse { header, region_id, ..Default::default() }))
        }
        Err(Refusal::Journal(error)) => Some(Err(error.into())),
    }
}
