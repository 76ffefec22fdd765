//! Registration: the checks, the start of the live stream, and the incremental scan beside it.

use super::FeedOptions;
use super::hub::{Connection, Subscription, pack};
use super::scan::IncrementalScan;
use super::version::ClientVersion;
use crate::engine::{EngineError, Snapshot};
use crate::keys::{self, KeyRange};
use crate::record::Lock;
use crate::region::region_not_found;
use crate::store::Store;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tikv_proto::cdcpb::event::{Entries, Event as EventBody, LogType, Row};
use tikv_proto::cdcpb::{self, ChangeDataRequest, ClusterIdMismatch, Compatibility, Event};
use tikv_proto::errorpb;
use tokio::sync::oneshot;

/// Storage version that other key formats than TiDB's need.
const KV_API_VERSION: &str = "6.2.0";

/// Limits of incremental scans, shared by all connections.
pub(super) struct ScanLimits {
    pending: AtomicUsize,
    max_pending: usize,
}

impl ScanLimits {
    pub(super) fn new(options: &FeedOptions) -> Self {
        Self { pending: AtomicUsize::new(0), max_pending: options.scan_queue_limit }
    }
}

/// Counts a scan from its request to its end.
struct PendingScan(Arc<ScanLimits>);

impl PendingScan {
    fn new(limits: &Arc<ScanLimits>) -> Option<Self> {
        let before = limits.pending.fetch_add(1, Ordering::AcqRel);
        let guard = Self(limits.clone());
        (before < limits.max_pending).then_some(guard)
    }
}

impl Drop for PendingScan {
    fn drop(&mut self) {
        self.0.pending.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What a scan reads: consistent with the start of the live stream.
type Start = (Arc<Subscription>, Snapshot, Vec<(Vec<u8>, Arc<Lock>)>);

/// Where the start of a subscription arrives.
type Starting = oneshot::Receiver<Result<Start, Box<cdcpb::Error>>>;

/// Serves a register request: answers with an error event or starts the subscription. Returns when the order of the
/// subscription among the other requests of the connection is fixed; its scan goes on beside.
pub(super) async fn register(
    store: &Arc<Store>,
    limits: &Arc<ScanLimits>,
    connection: &Arc<Connection>,
    version: ClientVersion,
    request: ChangeDataRequest,
) {
    if connection.sink.is_closed() {
        return;
    }
    let (region_id, request_id) = (request.region_id, request.request_id);
    let admitted = check_request(store, version, &request)
        .and_then(|()| PendingScan::new(limits).ok_or_else(|| Box::new(busy())));
    let starting = match admitted {
        Ok(pending) => subscribe(store, connection, request).await.map(|starting| (starting, pending)),
        Err(error) => Err(error),
    };
    let (store, connection) = (store.clone(), connection.clone());
    tokio::spawn(async move {
        let started = match starting {
            Ok((starting, pending)) => starting
                .await
                .unwrap_or_else(|_| Err(Box::new(not_found(region_id))))
                .map(|start| (start, pending)),
            Err(error) => Err(error),
        };
        match started {
            Ok((start, pending)) => scan(store, start, pending).await,
            Err(error) => connection.sink.push_control(Event {
                region_id,
                request_id,
                event: Some(EventBody::Error(*error)),
                ..Event::default()
            }),
        }
    });
}

/// Serves a deregister request, after the requests before it.
pub(super) async fn deregister(store: &Arc<Store>, connection: &Arc<Connection>, request: ChangeDataRequest) {
    let (hub, connection) = (store.hub.clone(), connection.clone());
    let task = move || {
        let region = (request.region_id != 0).then_some(request.region_id);
        hub.remove_request(&connection, request.request_id, region);
    };
    // A store that is shutting down ends all subscriptions.
    let _ = store.committer.run(task).await;
}

/// Checks that need no look at the region.
fn check_request(
    store: &Store,
    version: ClientVersion,
    request: &ChangeDataRequest,
) -> Result<(), Box<cdcpb::Error>> {
    let asked = request.header.as_ref().map_or(0, |header| header.cluster_id);
    if version.sends_cluster_id() && asked != store.cluster_id {
        let mismatch = ClusterIdMismatch { current: store.cluster_id, request: asked };
        return Err(Box::new(cdcpb::Error {
            cluster_id_mismatch: Some(mismatch),
            ..cdcpb::Error::default()
        }));
    }
    if request.kv_api != i32::from(cdcpb::change_data_request::KvApi::TiDb) {
        let compatibility = Compatibility { required_version: KV_API_VERSION.to_owned() };
        return Err(Box::new(cdcpb::Error { compatibility: Some(compatibility), ..cdcpb::Error::default() }));
    }
    Ok(())
}

fn busy() -> cdcpb::Error {
    cdcpb::Error {
        server_is_busy: Some(errorpb::ServerIsBusy {
            reason: "too many pending incremental scans".to_owned(),
            ..errorpb::ServerIsBusy::default()
        }),
        ..cdcpb::Error::default()
    }
}

fn not_found(region_id: u64) -> cdcpb::Error {
    cdcpb::Error { region_not_found: region_not_found(region_id).region_not_found, ..cdcpb::Error::default() }
}

/// Has the live stream started between two applications of writes, and the view of the scan taken at that moment.
async fn subscribe(
    store: &Arc<Store>,
    connection: &Arc<Connection>,
    request: ChangeDataRequest,
) -> Result<Starting, Box<cdcpb::Error>> {
    let region_id = request.region_id;
    let (sender, receiver) = oneshot::channel();
    let task = {
        let (store, connection) = (store.clone(), connection.clone());
        move || {
            // If the connection is gone, its end removes the subscription.
            let _ = sender.send(subscribe_now(&store, connection, &request));
        }
    };
    store.committer.run(task).await.map_err(|_| Box::new(not_found(region_id)))?;
    Ok(receiver)
}

fn subscribe_now(
    store: &Store,
    connection: Arc<Connection>,
    request: &ChangeDataRequest,
) -> Result<Start, Box<cdcpb::Error>> {
    let region =
        store.regions.get(request.region_id).ok_or_else(|| Box::new(not_found(request.region_id)))?;
    let wanted = decode_range(request).and_then(|wanted| region.range().intersect(&wanted));
    let range = wanted.unwrap_or_else(|| region.range().clone());
    let subscription = Arc::new(Subscription::new(
        request.request_id,
        region.clone(),
        range,
        request.checkpoint_ts,
        request.filter_loop,
        connection,
    ));
    // A second request for a region is wrong whatever its epoch.
    store.hub.add(&subscription)?;
    if let Err(error) = store.regions.check_epoch(&region, request.region_epoch.as_ref()) {
        store.hub.remove(&subscription, None);
        let epoch_not_match = error.epoch_not_match;
        return Err(Box::new(cdcpb::Error { epoch_not_match, ..cdcpb::Error::default() }));
    }
    let locks = store.locks.scan(&subscription.range, usize::MAX, |lock| lock.kind.changes_data());
    Ok((subscription, store.engine.snapshot(), locks))
}

/// The wanted range; `None` (unreadable keys) means the whole region.
fn decode_range(request: &ChangeDataRequest) -> Option<KeyRange> {
    Some(KeyRange {
        start: keys::decode_boundary(&request.start_key)?,
        end: keys::decode_boundary(&request.end_key)?,
    })
}

/// Sends what the feed missed, then lets resolved timestamps flow.
async fn scan(store: Arc<Store>, start: Start, pending: PendingScan) {
    let (subscription, view, locks) = start;
    // The semaphore is never closed.
    let Ok(_running) = subscription.connection.scans.acquire().await else { return };
    let mut scan = IncrementalScan::new(view, subscription.clone(), locks);
    loop {
        if subscription.is_stopped() {
            return;
        }
        let (back, rows, complete) = match step(&store, scan).await {
            Ok(output) => output,
            Err(error) => {
                tracing::error!(%error, region = subscription.region.id(), "an incremental scan failed");
                let error = not_found(subscription.region.id());
                store.hub.remove(&subscription, Some(error));
                return;
            }
        };
        scan = back;
        for (entries, bytes) in pack(rows) {
            let event = subscription.event(EventBody::Entries(entries));
            let wanted = || !subscription.has_ended();
            if subscription.connection.sink.push_scanned(event, bytes, wanted).await.is_err() {
                return;
            }
        }
        if complete {
            break;
        }
    }
    drop(pending);
    let initialized = Row { r#type: LogType::Initialized.into(), ..Row::default() };
    let entries = Entries { entries: vec![initialized] };
    store.hub.finish_scan(&subscription, subscription.event(EventBody::Entries(entries)));
}

/// One step on a thread for scans.
async fn step(
    store: &Store,
    mut scan: IncrementalScan,
) -> Result<(IncrementalScan, Vec<Row>, bool), EngineError> {
    let (sender, receiver) = oneshot::channel();
    let job = move || {
        let result = scan.step().map(|(rows, complete)| (scan, rows, complete));
        // Nobody waits when the connection is gone.
        let _ = sender.send(result);
    };
    store.scans.submit(job).map_err(|_| EngineError::Closed)?;
    receiver.await.map_err(|_| EngineError::Closed)?
}
