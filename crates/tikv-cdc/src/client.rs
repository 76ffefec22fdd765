//! The client.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use event_sorter::MemoryQuota;
use parking_lot::Mutex;

use crate::backoff::Backoff;
use crate::cluster::Cluster;
use crate::delivery::SpanSender;
use crate::error::CdcError;
use crate::feeds::Feeds;
use crate::key_range::KeyRange;
use crate::metrics::CdcMetrics;
use crate::report::SpanReport;
use crate::span::{Span, SpanParts};
use crate::spool::PrewriteSpool;
use crate::stale_locks;

/// How long [`CdcClient::shutdown`] waits for tasks.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// Settings of a client.
#[derive(Clone, Debug)]
pub struct CdcConfig {
    /// Scans that a store is asked for at the same time on one stream.
    pub scans_per_stream: usize,
    /// Streams (each with a connection of its own) to one store, at least.
    pub streams_per_store: usize,
    /// Streams to one store, at most.
    pub max_streams_per_store: usize,
    /// Regions of a store for which it gets one more stream.
    pub regions_per_stream: usize,
    /// Where transactions wait for their commit that are too large for memory; without it they stay in memory.
    pub spool: Option<Arc<PrewriteSpool>>,
}

/// Regions on a stream before there is another one: a stream's frames are decoded by one task, which at one resolved ts
/// per region and second is still idle most of the time with that many.
const REGIONS_PER_STREAM: usize = 8192;
/// Most streams to one store; beyond that the store's own threads are the limit.
const MAX_STREAMS_PER_STORE: usize = 8;

impl Default for CdcConfig {
    /// 32 scans, the number that TiCDC allows; one stream, and more for stores with many regions; nothing on disk.
    fn default() -> Self {
        Self {
            scans_per_stream: 32,
            streams_per_store: 1,
            max_streams_per_store: MAX_STREAMS_PER_STORE,
            regions_per_stream: REGIONS_PER_STREAM,
            spool: None,
        }
    }
}

/// What to subscribe.
#[derive(Clone, Debug)]
pub struct SpanRequest {
    /// Names the span in events and reports; unique among the present subscriptions of a client.
    pub id: u64,
    /// First key, raw.
    pub start: Vec<u8>,
    /// End of the keys (exclusive), raw; empty for "no end".
    pub end: Vec<u8>,
    /// Changes with commit ts above this are delivered.
    pub start_ts: u64,
    /// Leave out changes that another change feed wrote (bidirectional replication).
    pub filter_loop: bool,
}

/// The present subscriptions.
#[derive(Default)]
pub(crate) struct Spans {
    /// By id.
    by_id: Mutex<HashMap<u64, Arc<Span>>>,
}

impl Spans {
    /// All of them.
    pub(crate) fn all(&self) -> Vec<Arc<Span>> {
        self.by_id.lock().values().cloned().collect()
    }

    /// Removes a subscription, unless its id has been given to another one.
    fn remove(&self, span: &Arc<Span>) {
        let mut by_id = self.by_id.lock();
        if by_id.get(&span.id).is_some_and(|present| Arc::ptr_eq(present, span)) {
            by_id.remove(&span.id);
        }
    }
}

/// Subscribes spans of keys and delivers their changes. Cheap to clone.
#[derive(Clone)]
pub struct CdcClient {
    /// Streams and regions.
    feeds: Arc<Feeds>,
    /// Subscriptions.
    spans: Arc<Spans>,
}

impl CdcClient {
    /// A client of a cluster. Frames are charged to `quota` as long as any of their rows lives. Must be called in a
    /// tokio runtime, where its tasks then run.
    pub fn new(
        cluster: Arc<dyn Cluster>,
        config: CdcConfig,
        quota: Arc<MemoryQuota>,
        metrics: CdcMetrics,
    ) -> Self {
        let runtime = tokio::runtime::Handle::current();
        let feeds = Feeds::new(cluster, config, quota, metrics, runtime);
        let spans = Arc::new(Spans::default());
        feeds.spawn(stale_locks::watch(Arc::clone(&feeds), Arc::clone(&spans)));
        Self { feeds, spans }
    }

    /// Subscribes a span; its events go to `sender`, and end when the handle is dropped.
    ///
    /// # Errors
    /// [`CdcError::SpanExists`], [`CdcError::EmptySpan`], [`CdcError::Closed`].
    pub fn subscribe(
        &self,
        request: SpanRequest,
        sender: &SpanSender,
    ) -> Result<SubscriptionHandle, CdcError> {
        let keys = KeyRange::encode(&request.start, &request.end);
        if keys.is_empty() {
            return Err(CdcError::EmptySpan { id: request.id });
        }
        if self.feeds.closed.is_cancelled() {
            return Err(CdcError::Closed);
        }
        let mut by_id = self.spans.by_id.lock();
        if by_id.contains_key(&request.id) {
            return Err(CdcError::SpanExists { id: request.id });
        }
        let span = Span::new(SpanParts {
            id: request.id,
            keys: keys.clone(),
            start_ts: request.start_ts,
            filter_loop: request.filter_loop,
            request_id: self.feeds.next_request_id(),
            sender: sender.clone(),
            cancel: self.feeds.closed.child_token(),
        });
        by_id.insert(request.id, Arc::clone(&span));
        drop(by_id);
        self.feeds.locate(&span, keys, Backoff::default(), Duration::ZERO, false);
        Ok(SubscriptionHandle { client: self.clone(), span })
    }

    /// The state of a subscription.
    pub fn inspect(&self, id: u64) -> Option<SpanReport> {
        let span = self.spans.by_id.lock().get(&id).cloned();
        span.map(|span| span.report())
    }

    /// The state of all subscriptions.
    pub fn inspect_all(&self) -> Vec<SpanReport> {
        self.spans.all().iter().map(|span| span.report()).collect()
    }

    /// The metrics.
    pub fn metrics(&self) -> &CdcMetrics {
        &self.feeds.metrics
    }

    /// Ends all subscriptions and streams; waits for them at most 5 s.
    pub async fn shutdown(&self) {
        self.feeds.closed.cancel();
        self.feeds.tasks.close();
        if tokio::time::timeout(SHUTDOWN_TIMEOUT, self.feeds.tasks.wait()).await.is_err() {
            tracing::warn!("change feed tasks are still running after {SHUTDOWN_TIMEOUT:?}");
        }
    }
}

/// Keeps a subscription alive. Dropping it ends the subscription: nothing of it is received after that.
pub struct SubscriptionHandle {
    /// The client.
    client: CdcClient,
    /// The subscription.
    span: Arc<Span>,
}

impl SubscriptionHandle {
    /// Id of the span.
    pub fn id(&self) -> u64 {
        self.span.id
    }

    /// The resolved ts that was published last.
    pub fn resolved_ts(&self) -> u64 {
        self.span.published().0
    }

    /// The state of the subscription.
    pub fn inspect(&self) -> SpanReport {
        self.span.report()
    }
}

impl Drop for SubscriptionHandle {
    fn drop(&mut self) {
        self.client.spans.remove(&self.span);
        self.span.end();
        let (feeds, span) = (Arc::clone(&self.client.feeds), Arc::clone(&self.span));
        self.client.feeds.spawn(async move { feeds.streams.leave(&span).await });
    }
}
