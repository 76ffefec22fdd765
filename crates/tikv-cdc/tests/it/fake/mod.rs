//! A store and a cluster that do what a test tells them, over real gRPC.

pub(crate) mod world;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use event_sorter::MemoryQuota;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use tikv_cdc::key_range::KeyRange;
use tikv_cdc::{
    CdcClient, CdcConfig, CdcMetrics, Cluster, ClusterError, LiveLock, LockReport, PrewriteSpool,
    RegionRoute, SpanEvent, SpanReceiver, SpanRequest, SpanSender, SpoolConfig, SubscriptionHandle,
    span_channel,
};
use tikv_proto::cdcpb::change_data_server::{ChangeData, ChangeDataServer};
use tikv_proto::cdcpb::event::{Entries, Event as Content, LogType, Row, row::OpType};
use tikv_proto::cdcpb::{ChangeDataEvent, ChangeDataRequest, Error, Event, ResolvedTs};
use tikv_proto::metapb;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};

/// How long a test waits for something that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A lock of the transaction that started at `start_ts`.
pub(crate) fn live_lock(start_ts: u64) -> LiveLock {
    let (primary, key) = (Bytes::from_static(b"primary"), Bytes::from_static(b"key"));
    LiveLock { start_ts, primary, key, ttl: Duration::from_secs(3) }
}

/// A stream that a client opened.
pub(crate) struct FakeStream {
    /// True for `EventFeedV2`.
    pub(crate) multiplexed: bool,
    /// What the client sends.
    requests: Streaming<ChangeDataRequest>,
    /// What the client receives.
    events: mpsc::Sender<Result<ChangeDataEvent, Status>>,
}

impl FakeStream {
    /// The next request.
    pub(crate) async fn request(&mut self) -> ChangeDataRequest {
        let message = tokio::time::timeout(PATIENCE, self.requests.message()).await;
        message.expect("no request came").unwrap().expect("the client ended the stream")
    }

    /// True if no request comes within a time.
    pub(crate) async fn is_silent(&mut self, time: Duration) -> bool {
        tokio::time::timeout(time, self.requests.message()).await.is_err()
    }

    /// The next request, or `None` when the client has ended the stream.
    pub(crate) async fn try_request(&mut self) -> Option<ChangeDataRequest> {
        self.requests.message().await.ok().flatten()
    }

    /// Sends a frame.
    pub(crate) async fn send(&self, frame: ChangeDataEvent) {
        self.events.send(Ok(frame)).await.unwrap();
    }

    /// A handle to send frames with.
    pub(crate) fn events(&self) -> mpsc::Sender<Result<ChangeDataEvent, Status>> {
        self.events.clone()
    }

    /// Sends a frame unless the client does not take it.
    pub(crate) fn try_send(&self, frame: ChangeDataEvent) -> bool {
        self.events.try_send(Ok(frame)).is_ok()
    }

    /// Sends rows for a registration.
    pub(crate) async fn rows(&self, request: &ChangeDataRequest, rows: Vec<Row>) {
        self.send(frame(vec![entries(request, rows)])).await;
    }

    /// Sends a resolved ts for registrations of one request id.
    pub(crate) async fn resolved(&self, requests: &[&ChangeDataRequest], ts: u64) {
        let regions = requests.iter().map(|request| request.region_id).collect();
        let request_id = if self.multiplexed { requests[0].request_id } else { 0 };
        let resolved_ts = Some(ResolvedTs { regions, ts, request_id });
        self.send(ChangeDataEvent { events: Vec::new(), resolved_ts }).await;
    }

    /// Ends a registration with an error.
    pub(crate) async fn error(&self, request: &ChangeDataRequest, error: Error) {
        let event = Event {
            region_id: request.region_id,
            request_id: request.request_id,
            event: Some(Content::Error(error)),
            ..Event::default()
        };
        self.send(frame(vec![event])).await;
    }

    /// Breaks the stream.
    pub(crate) async fn fail(self, status: Status) {
        self.events.send(Err(status)).await.unwrap();
    }
}

/// A frame of events.
pub(crate) fn frame(events: Vec<Event>) -> ChangeDataEvent {
    ChangeDataEvent { events, resolved_ts: None }
}

/// An event with rows.
pub(crate) fn entries(request: &ChangeDataRequest, rows: Vec<Row>) -> Event {
    Event {
        region_id: request.region_id,
        request_id: request.request_id,
        event: Some(Content::Entries(Entries { entries: rows })),
        ..Event::default()
    }
}

/// A row of the stream.
pub(crate) fn row(kind: LogType, start_ts: u64, commit_ts: u64, key: &str, value: &str) -> Row {
    Row {
        start_ts,
        commit_ts,
        r#type: kind as i32,
        op_type: OpType::Put as i32,
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: Bytes::copy_from_slice(value.as_bytes()),
        ..Row::default()
    }
}

/// The end of a scan.
pub(crate) fn initialized() -> Row {
    Row { r#type: LogType::Initialized as i32, ..Row::default() }
}

/// The service of a [`FakeStore`].
struct Service {
    /// Streams for the test.
    streams: mpsc::Sender<FakeStream>,
    /// False: `EventFeedV2` is not known.
    multiplexing: Arc<AtomicBool>,
}

/// Frames that may wait in a fake stream.
const STREAM_QUEUE: usize = 16;

impl Service {
    /// Hands a new stream to the test.
    async fn open(
        &self,
        request: Request<Streaming<ChangeDataRequest>>,
        multiplexed: bool,
    ) -> Result<Response<ReceiverStream<Result<ChangeDataEvent, Status>>>, Status> {
        let feature = request.metadata().get("features").and_then(|value| value.to_str().ok());
        assert_eq!(feature, multiplexed.then_some("stream-multiplexing"));
        let (events, receiver) = mpsc::channel(STREAM_QUEUE);
        let stream = FakeStream { multiplexed, requests: request.into_inner(), events };
        self.streams.send(stream).await.map_err(|_| Status::unavailable("the test is over"))?;
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

#[tonic::async_trait]
impl ChangeData for Service {
    type EventFeedStream = ReceiverStream<Result<ChangeDataEvent, Status>>;
    type EventFeedV2Stream = ReceiverStream<Result<ChangeDataEvent, Status>>;

    async fn event_feed(
        &self,
        request: Request<Streaming<ChangeDataRequest>>,
    ) -> Result<Response<Self::EventFeedStream>, Status> {
        self.open(request, false).await
    }

    async fn event_feed_v2(
        &self,
        request: Request<Streaming<ChangeDataRequest>>,
    ) -> Result<Response<Self::EventFeedV2Stream>, Status> {
        if !self.multiplexing.load(Ordering::SeqCst) {
            return Err(Status::unimplemented("stream-multiplexing"));
        }
        self.open(request, true).await
    }
}

/// A store.
pub(crate) struct FakeStore {
    /// Its id.
    pub(crate) id: u64,
    /// Its address.
    pub(crate) address: SocketAddr,
    /// Streams that clients opened.
    streams: mpsc::Receiver<FakeStream>,
    /// Set to false to be an old store.
    pub(crate) multiplexing: Arc<AtomicBool>,
    /// The server.
    server: tokio::task::JoinHandle<()>,
}

impl FakeStore {
    /// Starts a store on a free port.
    pub(crate) async fn start(id: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::serve(id, listener)
    }

    /// Starts a store on a listener.
    pub(crate) fn serve(id: u64, listener: TcpListener) -> Self {
        let address = listener.local_addr().unwrap();
        let (sender, streams) = mpsc::channel(64);
        let multiplexing = Arc::new(AtomicBool::new(true));
        let service = Service { streams: sender, multiplexing: Arc::clone(&multiplexing) };
        let server = tokio::spawn(async move {
            let incoming = TcpListenerStream::new(listener);
            let service = ChangeDataServer::new(service).max_decoding_message_size(64 << 20);
            Server::builder().add_service(service).serve_with_incoming(incoming).await.unwrap();
        });
        Self { id, address, streams, multiplexing, server }
    }

    /// The next stream that a client opens.
    pub(crate) async fn stream(&mut self) -> FakeStream {
        tokio::time::timeout(PATIENCE, self.streams.recv()).await.expect("no stream was opened").unwrap()
    }

    /// The next stream, without a time limit; `None` if the server is gone.
    pub(crate) async fn try_stream(&mut self) -> Option<FakeStream> {
        self.streams.recv().await
    }
}

impl Drop for FakeStore {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Routing, timestamps and locks.
#[derive(Default)]
pub(crate) struct FakeCluster {
    /// Regions by start key.
    pub(crate) regions: Mutex<Vec<RegionRoute>>,
    /// Addresses of stores.
    pub(crate) stores: Mutex<HashMap<u64, String>>,
    /// What the next timestamp is.
    pub(crate) now: AtomicU64,
    /// Look-ups of regions so far.
    pub(crate) lookups: AtomicUsize,
    /// Ranges whose locks were to be resolved, with the bound.
    pub(crate) resolved: Mutex<Vec<(KeyRange, u64)>>,
    /// While set, look-ups fail.
    pub(crate) broken: AtomicBool,
    /// Stores whose address was to be forgotten.
    pub(crate) forgotten: Mutex<Vec<u64>>,
    /// Connections.
    channels: Mutex<HashMap<(String, usize), Channel>>,
}

impl FakeCluster {
    /// Puts a region with raw bounds (empty: none) on a store.
    pub(crate) fn region(&self, id: u64, version: u64, start: &str, end: &str, store: &FakeStore) {
        self.stores.lock().insert(store.id, store.address.to_string());
        let route = RegionRoute {
            id,
            epoch: metapb::RegionEpoch { conf_ver: 1, version },
            range: KeyRange::encode(start.as_bytes(), end.as_bytes()),
            leader: peer(store.id),
            store_address: store.address.to_string(),
        };
        let mut regions = self.regions.lock();
        regions.retain(|region| region.id != id && !region.range.overlaps(&route.range));
        regions.push(route);
        regions.sort_by(|left, right| left.range.start.cmp(&right.range.start));
    }
}

/// The peer on a store.
pub(crate) fn peer(store: u64) -> metapb::Peer {
    metapb::Peer { id: store * 10, store_id: store, ..metapb::Peer::default() }
}

impl Cluster for FakeCluster {
    fn cluster_id(&self) -> u64 {
        42
    }

    fn regions(
        &self,
        range: KeyRange,
        limit: usize,
        _fresh: bool,
    ) -> BoxFuture<'_, Result<Vec<RegionRoute>, ClusterError>> {
        Box::pin(async move {
            self.lookups.fetch_add(1, Ordering::SeqCst);
            if self.broken.load(Ordering::SeqCst) {
                return Err(ClusterError::new("looking up regions", "the placement driver is away"));
            }
            let regions = self.regions.lock();
            Ok(regions.iter().filter(|region| region.range.overlaps(&range)).take(limit).cloned().collect())
        })
    }

    fn store_address(&self, store: u64) -> BoxFuture<'_, Result<String, ClusterError>> {
        let address = self.stores.lock().get(&store).cloned();
        Box::pin(
            async move { address.ok_or_else(|| ClusterError::new("looking up a store", "unknown store")) },
        )
    }

    fn forget_store(&self, store: u64) {
        self.forgotten.lock().push(store);
    }

    fn channel(&self, address: &str, lane: usize) -> Result<Channel, ClusterError> {
        let mut channels = self.channels.lock();
        let channel = channels
            .entry((address.to_owned(), lane))
            .or_insert_with(|| Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy());
        Ok(channel.clone())
    }

    fn current_ts(&self) -> BoxFuture<'_, Result<u64, ClusterError>> {
        Box::pin(async move { Ok(self.now.load(Ordering::SeqCst)) })
    }

    fn resolve_locks(&self, range: KeyRange, max_ts: u64) -> BoxFuture<'_, Result<LockReport, ClusterError>> {
        self.resolved.lock().push((range, max_ts));
        Box::pin(async move { Ok(LockReport { resolved: 1, alive: vec![live_lock(7), live_lock(max_ts)] }) })
    }
}

/// A client with everything around it.
pub(crate) struct Harness {
    /// The cluster.
    pub(crate) cluster: Arc<FakeCluster>,
    /// The client.
    pub(crate) client: CdcClient,
    /// What its frames are charged to.
    pub(crate) quota: Arc<MemoryQuota>,
    /// For subscriptions.
    pub(crate) sender: SpanSender,
    /// What arrives.
    pub(crate) receiver: SpanReceiver,
    /// Holds the spool's files.
    dir: Option<tempfile::TempDir>,
}

impl Harness {
    /// A client with default settings.
    pub(crate) fn new() -> Self {
        Self::with(CdcConfig::default(), 64 << 20)
    }

    /// A client with settings and a memory quota.
    pub(crate) fn with(config: CdcConfig, quota: usize) -> Self {
        Self::build(config, MemoryQuota::new(quota), None)
    }

    /// A client that spills.
    pub(crate) fn spilling(mut config: CdcConfig, quota: usize, limits: SpoolConfig) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let quota = MemoryQuota::new(quota);
        config.spool = Some(Arc::new(PrewriteSpool::with(dir.path(), &quota, limits).unwrap()));
        Self::build(config, quota, Some(dir))
    }

    /// Common constructor.
    fn build(config: CdcConfig, quota: Arc<MemoryQuota>, dir: Option<tempfile::TempDir>) -> Self {
        let cluster = Arc::new(FakeCluster::default());
        let (sender, receiver) = span_channel(1 << 20);
        let client =
            CdcClient::new(Arc::clone(&cluster) as _, config, Arc::clone(&quota), CdcMetrics::default());
        Self { cluster, client, quota, sender, receiver, dir }
    }

    /// Takes the spool's directory away, so that no file can be made in it.
    pub(crate) fn break_disk(&self) {
        std::fs::remove_dir_all(self.dir.as_ref().unwrap().path()).unwrap();
    }

    /// Subscribes raw keys.
    pub(crate) fn subscribe(&self, id: u64, start: &str, end: &str, start_ts: u64) -> SubscriptionHandle {
        let request = SpanRequest { id, start: start.into(), end: end.into(), start_ts, filter_loop: false };
        self.client.subscribe(request, &self.sender).unwrap()
    }

    /// The next event.
    pub(crate) async fn event(&mut self) -> (u64, SpanEvent) {
        tokio::time::timeout(PATIENCE, self.receiver.recv()).await.expect("no event came").unwrap()
    }

    /// The next event, which must be rows; their (commit ts, key, value).
    pub(crate) async fn rows(&mut self) -> Vec<(u64, String, String)> {
        match self.event().await.1 {
            SpanEvent::Rows(rows) => rows
                .into_iter()
                .map(|row| {
                    let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).unwrap();
                    (row.commit_ts, text(row.key), text(row.value))
                })
                .collect(),
            other => panic!("rows were expected, not {other:?}"),
        }
    }

    /// The next event, which must be a resolved ts.
    pub(crate) async fn resolved(&mut self) -> u64 {
        match self.event().await.1 {
            SpanEvent::ResolvedTs(ts) => ts,
            other => panic!("a resolved ts was expected, not {other:?}"),
        }
    }

    /// Waits until a condition holds.
    pub(crate) async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !condition(self) {
            assert!(tokio::time::Instant::now() < deadline, "{what} did not happen");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
