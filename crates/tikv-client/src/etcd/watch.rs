//! Watches: changes of keys, in order, over reconnections.

use std::time::Duration;

use bytes::Bytes;
use tikv_proto::etcdserverpb as pb;
use tikv_proto::etcdserverpb::watch_client::WatchClient;
use tikv_proto::etcdserverpb::watch_request::RequestUnion;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::backoff::Backoff;
use crate::channel::MAX_MESSAGE_BYTES;
use crate::error::{Error, Result};

use super::{EtcdClient, KeyValue, prefix_range, revision_of};

/// How long the opening of a stream may take.
const OPEN_TIMEOUT: Duration = Duration::from_secs(3);
/// First wait before a new stream.
const RETRY_BASE: Duration = Duration::from_millis(20);
/// Longest wait before a new stream.
const RETRY_MAX: Duration = Duration::from_secs(1);

/// What to watch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchOptions {
    key: Bytes,
    range_end: Bytes,
    start_revision: i64,
    prev_kv: bool,
}

impl WatchOptions {
    /// One key.
    pub fn key(key: impl Into<Bytes>) -> Self {
        Self { key: key.into(), ..Self::default() }
    }

    /// All keys with a prefix.
    pub fn prefix(prefix: impl AsRef<[u8]>) -> Self {
        let (key, range_end) = prefix_range(prefix.as_ref());
        Self { key, range_end, ..Self::default() }
    }

    /// Changes from this revision (inclusive) on; 0: from now on.
    #[must_use]
    pub fn from_revision(mut self, revision: i64) -> Self {
        self.start_revision = revision;
        self
    }

    /// Also what the keys held before.
    #[must_use]
    pub fn with_previous(mut self) -> Self {
        self.prev_kv = true;
        self
    }
}

/// Kind of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// The key was set.
    Put,
    /// The key was deleted.
    Delete,
}

/// A change of a key.
#[derive(Debug, Clone, PartialEq)]
pub struct WatchEvent {
    /// Set or deleted.
    pub kind: EventKind,
    /// The key afterwards; of a deleted one only the key and the revision.
    pub kv: KeyValue,
    /// The key before, if asked for and it existed.
    pub previous: Option<KeyValue>,
}

/// Changes that came together.
#[derive(Debug, Clone, PartialEq)]
pub struct WatchBatch {
    /// Revision of the store when they were sent.
    pub revision: i64,
    /// In order of revisions.
    pub events: Vec<WatchEvent>,
}

/// A running watch. It reconnects by itself and goes on where it was.
#[derive(Debug)]
pub struct Watcher {
    client: EtcdClient,
    options: WatchOptions,
    /// The next revision wanted; 0 until the store has told the present one.
    next_revision: i64,
    stream: Option<OpenStream>,
    backoff: Backoff,
}

/// A connected watch; the sender keeps the stream open.
#[derive(Debug)]
struct OpenStream {
    endpoint: usize,
    answers: tonic::Streaming<pb::WatchResponse>,
    _requests: mpsc::Sender<pb::WatchRequest>,
}

impl EtcdClient {
    /// Watches keys. Nothing is sent before the first call of [`Watcher::next`] or [`Watcher::ready`].
    pub fn watch(&self, options: WatchOptions) -> Watcher {
        let next_revision = options.start_revision;
        Watcher { client: self.clone(), options, next_revision, stream: None, backoff: fresh_backoff() }
    }
}

/// Waits between streams; a watch goes on as long as it is asked.
fn fresh_backoff() -> Backoff {
    Backoff::new(RETRY_BASE, RETRY_MAX, Duration::MAX)
}

impl Watcher {
    /// Waits until the store has accepted the watch: later changes will be seen.
    ///
    /// # Errors
    /// See [`Watcher::next`].
    pub async fn ready(&mut self) -> Result<()> {
        while self.stream.is_none() || self.next_revision == 0 {
            if let Some(batch) = self.step().await? {
                debug_assert!(batch.events.is_empty(), "changes before the watch was accepted");
            }
        }
        Ok(())
    }

    /// The next changes. Waits without end while the store is away. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`Error::Compacted`] if the next revision is gone (read the keys again and start anew),
    /// [`Error::WatchCanceled`], [`Error::InvalidEndpoint`] or [`Error::TlsNotConfigured`].
    pub async fn next(&mut self) -> Result<WatchBatch> {
        loop {
            if let Some(batch) = self.step().await?
                && !batch.events.is_empty()
            {
                return Ok(batch);
            }
        }
    }

    /// Opens a stream, or takes one answer of it.
    async fn step(&mut self) -> Result<Option<WatchBatch>> {
        let Some(open) = &mut self.stream else {
            self.open().await?;
            return Ok(None);
        };
        match open.answers.message().await {
            Ok(Some(answer)) => self.take(answer),
            ended => {
                let reason = ended
                    .err()
                    .map_or_else(|| "the server closed it".to_owned(), |status| status.to_string());
                tracing::debug!(reason, "watch stream ended");
                self.client.leave(open.endpoint);
                self.stream = None;
                Ok(None)
            }
        }
    }

    /// Opens a stream at the next revision wanted.
    async fn open(&mut self) -> Result<()> {
        let (endpoint, address, channel) = self.client.channel()?;
        let (requests, outbound) = mpsc::channel(1);
        let create = pb::WatchCreateRequest {
            key: self.options.key.clone(),
            range_end: self.options.range_end.clone(),
            start_revision: self.next_revision,
            prev_kv: self.options.prev_kv,
            ..Default::default()
        };
        let request = pb::WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) };
        // There is room for the first message of a new channel.
        let _ = requests.try_send(request);
        let mut service = WatchClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES);
        match tokio::time::timeout(OPEN_TIMEOUT, service.watch(ReceiverStream::new(outbound))).await {
            Ok(Ok(answers)) => {
                self.stream =
                    Some(OpenStream { endpoint, answers: answers.into_inner(), _requests: requests });
            }
            failed => {
                tracing::debug!(address, ?failed, "watch stream could not be opened");
                self.client.leave(endpoint);
                self.backoff.wait().await;
            }
        }
        Ok(())
    }

    /// Reads one answer.
    fn take(&mut self, answer: pb::WatchResponse) -> Result<Option<WatchBatch>> {
        let revision = revision_of(answer.header.as_ref());
        if answer.compact_revision > 0 {
            self.stream = None;
            return Err(Error::Compacted {
                wanted: self.next_revision,
                compact_revision: answer.compact_revision,
            });
        }
        if answer.canceled {
            self.stream = None;
            return Err(Error::WatchCanceled { reason: answer.cancel_reason });
        }
        self.backoff = fresh_backoff();
        if answer.created {
            if self.next_revision == 0 {
                self.next_revision = revision + 1;
            }
            return Ok(None);
        }
        let events: Vec<WatchEvent> = answer.events.into_iter().filter_map(event_of).collect();
        if let Some(last) = events.last() {
            self.next_revision = last.kv.mod_revision + 1;
        }
        Ok(Some(WatchBatch { revision, events }))
    }
}

/// Reads one change; one without a key means nothing.
fn event_of(event: pb::WatchedEvent) -> Option<WatchEvent> {
    let kind = match event.r#type() {
        pb::watched_event::EventType::Put => EventKind::Put,
        pb::watched_event::EventType::Delete => EventKind::Delete,
    };
    Some(WatchEvent { kind, kv: event.kv?, previous: event.prev_kv })
}
