//! A store with many regions of one table that plays a script over gRPC once all of them are registered.

use std::future::Future;
use std::sync::Arc;

use futures::future::BoxFuture;
use tikv_cdc::key_range::KeyRange;
use tikv_cdc::{Cluster, ClusterError, LockReport, RegionRoute};
use tikv_proto::cdcpb::change_data_request::Request as Wanted;
use tikv_proto::cdcpb::change_data_server::{ChangeData, ChangeDataServer};
use tikv_proto::cdcpb::event::{Entries, Event as Content, LogType, Row};
use tikv_proto::cdcpb::{ChangeDataEvent, ChangeDataRequest, Event};
use tikv_proto::metapb;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};

/// Why a benchmark stopped.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Frames that may wait for the connection.
const FRAME_QUEUE: usize = 4;
/// Events in one frame that ends scans.
const EVENTS: usize = 1024;

/// What a store sends once every region is registered.
pub(crate) trait Script: Send + Sync + 'static {
    /// Sends it; when it ends, so does the stream.
    fn play(
        &self,
        stream: Outgoing,
        registered: Vec<Registered>,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// A region that the client has registered.
#[derive(Clone, Copy)]
pub(crate) struct Registered {
    /// Under which id.
    pub(crate) request_id: u64,
    /// Which region; they are numbered from 1 in key order.
    pub(crate) region_id: u64,
}

impl Registered {
    /// An event with rows.
    pub(crate) fn entries(self, entries: Vec<Row>) -> Event {
        let event = Some(Content::Entries(Entries { entries }));
        Event { region_id: self.region_id, request_id: self.request_id, event, ..Event::default() }
    }
}

/// Where a script sends to.
pub(crate) struct Outgoing {
    /// The stream.
    frames: mpsc::Sender<Result<ChangeDataEvent, Status>>,
}

impl Outgoing {
    /// Sends a frame.
    pub(crate) async fn send(&self, frame: ChangeDataEvent) -> Result<(), Failure> {
        Ok(self.frames.send(Ok(frame)).await?)
    }
}

/// The service of the store.
struct Store<S> {
    /// Number of regions.
    regions: usize,
    /// What is sent.
    script: Arc<S>,
}

/// Waits for all regions to be registered, ends their scans, and plays the script.
async fn serve<S: Script>(
    mut requests: Streaming<ChangeDataRequest>,
    frames: mpsc::Sender<Result<ChangeDataEvent, Status>>,
    regions: usize,
    script: Arc<S>,
) -> Result<(), Failure> {
    let stream = Outgoing { frames };
    let mut registered = Vec::new();
    while registered.len() < regions {
        let request = requests.message().await?.ok_or("the client ended the stream")?;
        if matches!(request.request, Some(Wanted::Register(_))) {
            registered.push(Registered { request_id: request.request_id, region_id: request.region_id });
        }
    }
    for regions in registered.chunks(EVENTS) {
        let initialized = || vec![Row { r#type: LogType::Initialized as i32, ..Row::default() }];
        let events = regions.iter().map(|region| region.entries(initialized())).collect();
        stream.send(ChangeDataEvent { events, resolved_ts: None }).await?;
    }
    registered.sort_by_key(|registered| registered.region_id);
    script.play(stream, registered).await
}

#[tonic::async_trait]
impl<S: Script> ChangeData for Store<S> {
    type EventFeedStream = ReceiverStream<Result<ChangeDataEvent, Status>>;
    type EventFeedV2Stream = ReceiverStream<Result<ChangeDataEvent, Status>>;

    async fn event_feed(
        &self,
        _request: Request<Streaming<ChangeDataRequest>>,
    ) -> Result<Response<Self::EventFeedStream>, Status> {
        Err(Status::unimplemented("this store multiplexes"))
    }

    async fn event_feed_v2(
        &self,
        request: Request<Streaming<ChangeDataRequest>>,
    ) -> Result<Response<Self::EventFeedV2Stream>, Status> {
        let (frames, receiver) = mpsc::channel(FRAME_QUEUE);
        let (regions, script) = (self.regions, Arc::clone(&self.script));
        tokio::spawn(async move {
            if let Err(error) = serve(request.into_inner(), frames, regions, script).await {
                eprintln!("the store ends its stream: {error}");
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

/// Record key of a table.
pub(crate) fn record_key(table: i64, handle: u64) -> Vec<u8> {
    let mut key = record_range(table).0;
    key.extend_from_slice(&(handle ^ (1 << 63)).to_be_bytes());
    key
}

/// Raw keys of the records of a table.
pub(crate) fn record_range(table: i64) -> (Vec<u8>, Vec<u8>) {
    let bound = |mark: u8| {
        let mut key = vec![b't'];
        key.extend_from_slice(&((table as u64) ^ (1 << 63)).to_be_bytes());
        key.extend_from_slice(&[b'_', mark]);
        key
    };
    (bound(b'r'), bound(b's'))
}

/// A cluster of one store.
pub(crate) struct StoreCluster {
    /// Address of the store.
    address: String,
    /// Regions in key order.
    regions: Vec<RegionRoute>,
}

/// Serves a store for as long as the listener works.
pub(crate) async fn serve_store<S: Script>(
    listener: TcpListener,
    regions: usize,
    script: S,
) -> Result<(), Failure> {
    let store = Store { regions, script: Arc::new(script) };
    let server = Server::builder().add_service(ChangeDataServer::new(store));
    Ok(server.serve_with_incoming(TcpListenerStream::new(listener)).await?)
}

impl StoreCluster {
    /// A cluster whose only store is at an address. Its regions lie between neighbouring `edges`, raw keys in order.
    pub(crate) fn new(address: String, edges: &[Vec<u8>]) -> Arc<Self> {
        let regions = edges
            .windows(2)
            .zip(1_u64..)
            .filter_map(|(edges, id)| {
                let [start, end] = edges else { return None };
                Some(RegionRoute {
                    id,
                    epoch: metapb::RegionEpoch { conf_ver: 1, version: 1 },
                    range: KeyRange::encode(start, end),
                    leader: metapb::Peer { id: 1, store_id: 1, ..metapb::Peer::default() },
                    store_address: address.clone(),
                })
            })
            .collect();
        Arc::new(Self { address, regions })
    }
}

impl Cluster for StoreCluster {
    fn cluster_id(&self) -> u64 {
        1
    }

    fn regions(
        &self,
        range: KeyRange,
        limit: usize,
        _fresh: bool,
    ) -> BoxFuture<'_, Result<Vec<RegionRoute>, ClusterError>> {
        let from = self.regions.partition_point(|region| region.range.end <= range.start);
        let found = self.regions.iter().skip(from).take_while(|region| region.range.overlaps(&range));
        let found = found.take(limit).cloned().collect();
        Box::pin(async move { Ok(found) })
    }

    fn store_address(&self, _store: u64) -> BoxFuture<'_, Result<String, ClusterError>> {
        let address = self.address.clone();
        Box::pin(async move { Ok(address) })
    }

    fn forget_store(&self, _store: u64) {}

    fn channel(&self, address: &str, _lane: usize) -> Result<Channel, ClusterError> {
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .map_err(|error| ClusterError::new("connecting", error))?;
        Ok(endpoint.connect_lazy())
    }

    fn current_ts(&self) -> BoxFuture<'_, Result<u64, ClusterError>> {
        Box::pin(async { Ok(1) })
    }

    fn resolve_locks(&self, _range: KeyRange, _max: u64) -> BoxFuture<'_, Result<LockReport, ClusterError>> {
        Box::pin(async { Ok(LockReport { resolved: 0, alive: Vec::new() }) })
    }
}
