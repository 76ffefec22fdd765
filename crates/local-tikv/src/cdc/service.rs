//! The `cdcpb.ChangeData` service.

use super::FeedOptions;
use super::hub::Connection;
use super::register::{ScanLimits, deregister, register};
use super::sink::Sink;
use super::version::ClientVersion;
use crate::store::Store;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use tikv_proto::cdcpb::change_data_request::Request as Kind;
use tikv_proto::cdcpb::change_data_server::ChangeData;
use tikv_proto::cdcpb::{ChangeDataEvent, ChangeDataRequest};
use tokio::sync::Semaphore;
use tokio_stream::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

/// Request metadata with the features a client wants.
const FEATURES: &str = "features";
/// Several requests may share a stream and name the same region.
const STREAM_MULTIPLEXING: &str = "stream-multiplexing";

/// The service.
#[derive(Clone)]
pub(crate) struct ChangeDataService {
    store: Arc<Store>,
    options: FeedOptions,
    limits: Arc<ScanLimits>,
    next_connection: Arc<AtomicU64>,
    stop: CancellationToken,
}

impl ChangeDataService {
    /// Serves feeds of `store` until `stop`.
    pub(crate) fn new(store: Arc<Store>, options: FeedOptions, stop: CancellationToken) -> Self {
        let limits = Arc::new(ScanLimits::new(&options));
        Self { store, options, limits, next_connection: Arc::default(), stop }
    }

    /// Waits for the first request, which fixes how the stream behaves, then serves it.
    fn open(&self, mut requests: Streaming<ChangeDataRequest>, multiplexed: bool) -> FeedStream {
        let service = self.clone();
        let sink = Arc::new(Sink::new(self.options.sink_quota));
        let ended = CancellationToken::new();
        let stream = FeedStream { sink: sink.clone(), ended: ended.clone() };
        let id = self.next_connection.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            let serve = async {
                let Some(Ok(first)) = requests.next().await else { return };
                let text = first.header.as_ref().map_or("", |header| header.ticdc_version.as_str());
                let version = ClientVersion::parse(text);
                let connection = Arc::new(Connection {
                    id,
                    sink: sink.clone(),
                    multiplexed,
                    batches_resolved: version.batches_resolved(),
                    scans: Semaphore::new(service.options.scan_concurrency.max(1)),
                });
                service.serve(&connection, version, first, requests).await;
            };
            tokio::select! {
                () = serve => {}
                () = ended.cancelled() => {}
                () = service.stop.cancelled() => {}
            }
            sink.close();
            service.store.hub.remove_connection(id);
        });
        stream
    }

    async fn serve(
        &self,
        connection: &Arc<Connection>,
        version: ClientVersion,
        first: ChangeDataRequest,
        mut requests: Streaming<ChangeDataRequest>,
    ) {
        let mut next = Some(first);
        while let Some(request) = next {
            self.handle(connection, version, request).await;
            next = match requests.next().await {
                Some(Ok(request)) => Some(request),
                Some(Err(_)) | None => None,
            };
        }
    }

    async fn handle(&self, connection: &Arc<Connection>, version: ClientVersion, request: ChangeDataRequest) {
        match request.request {
            Some(Kind::Deregister(_)) => deregister(&self.store, connection, request).await,
            Some(Kind::Register(_)) | None => {
                register(&self.store, &self.limits, connection, version, request).await;
            }
        }
    }
}

/// Reads the feature list; the error names what is not known.
fn parse_features(request: &Request<Streaming<ChangeDataRequest>>) -> Result<bool, Status> {
    let mut multiplexed = false;
    let mut unknown = Vec::new();
    for value in request.metadata().get_all(FEATURES) {
        let value = value.to_str().map_err(|_| Status::invalid_argument("the feature list is not text"))?;
        for feature in value.split(',').map(str::trim).filter(|feature| !feature.is_empty()) {
            match feature {
                STREAM_MULTIPLEXING => multiplexed = true,
                other => unknown.push(other.to_owned()),
            }
        }
    }
    if unknown.is_empty() { Ok(multiplexed) } else { Err(Status::unimplemented(unknown.join(","))) }
}

/// The events of one connection; dropping it ends the connection.
pub(crate) struct FeedStream {
    sink: Arc<Sink>,
    ended: CancellationToken,
}

impl Stream for FeedStream {
    type Item = Result<ChangeDataEvent, Status>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.sink.poll_frame(context).map(|frame| frame.map(Ok))
    }
}

impl Drop for FeedStream {
    fn drop(&mut self) {
        self.sink.abandon();
        self.ended.cancel();
    }
}

#[tonic::async_trait]
impl ChangeData for ChangeDataService {
    type EventFeedStream = FeedStream;
    type EventFeedV2Stream = FeedStream;

    async fn event_feed(
        &self,
        request: Request<Streaming<ChangeDataRequest>>,
    ) -> Result<Response<FeedStream>, Status> {
        Ok(Response::new(self.open(request.into_inner(), false)))
    }

    async fn event_feed_v2(
        &self,
        request: Request<Streaming<ChangeDataRequest>>,
    ) -> Result<Response<FeedStream>, Status> {
        let multiplexed = parse_features(&request)?;
        Ok(Response::new(self.open(request.into_inner(), multiplexed)))
    }
}
