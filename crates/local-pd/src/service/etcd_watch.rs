//! Watches of the metadata store.

use std::collections::BTreeMap;
use std::pin::Pin;

use bytes::Bytes;
use tikv_proto::etcdserverpb::watch_create_request::FilterType;
use tikv_proto::etcdserverpb::watch_request::RequestUnion;
use tikv_proto::etcdserverpb::{self as pb, watch_server::Watch};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::etcd::Kept;
use crate::record::in_range;

use super::etcd_kv::EtcdService;

/// Answers that may wait for a slow client; then the watch itself waits.
const ANSWERS: usize = 16;
/// Revisions in one answer.
const BATCH_REVISIONS: usize = 1000;
/// Watches on one stream.
const MAX_WATCHES: usize = 10_000;
/// Id in answers that concern no watch, or all.
const NO_WATCH: i64 = -1;

/// A watch.
#[derive(Debug)]
struct Watched {
    key: Bytes,
    range_end: Bytes,
    next_revision: i64,
    prev_kv: bool,
    no_put: bool,
    no_delete: bool,
}

/// One client's stream.
struct WatchStream {
    service: EtcdService,
    watches: BTreeMap<i64, Watched>,
    next_id: i64,
    answers: mpsc::Sender<Result<pb::WatchResponse, Status>>,
}

/// The client is gone.
struct Gone;

#[tonic::async_trait]
impl Watch for EtcdService {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<pb::WatchResponse, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<Streaming<pb::WatchRequest>>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let (answers, stream) = mpsc::channel(ANSWERS);
        let watching = WatchStream { service: self.clone(), watches: BTreeMap::new(), next_id: 0, answers };
        tokio::spawn(watching.run(request.into_inner()));
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }
}

impl WatchStream {
    /// Serves the client until it goes or the server stops.
    async fn run(mut self, mut requests: Streaming<pb::WatchRequest>) {
        let stop = self.service.node.stop_token().clone();
        let mut revisions = self.service.node.revisions();
        loop {
            let served = tokio::select! {
                () = stop.cancelled() => {
                    let _ = self.answers.try_send(Err(Status::unavailable("the server is shutting down")));
                    return;
                }
                request = requests.message() => match request {
                    Ok(Some(request)) => self.handle(request).await,
                    _ => return,
                },
                changed = revisions.changed() => match changed {
                    Ok(()) => Ok(()),
                    Err(_) => return,
                },
            };
            let durable = *revisions.borrow_and_update();
            if served.is_err() || self.deliver(durable).await.is_err() {
                return;
            }
        }
    }

    /// Handles one request.
    async fn handle(&mut self, request: pb::WatchRequest) -> Result<(), Gone> {
        match request.request_union {
            Some(RequestUnion::CreateRequest(create)) => self.create(create).await,
            Some(RequestUnion::CancelRequest(cancel)) => {
                let known = self.watches.remove(&cancel.watch_id).is_some();
                if !known {
                    return Ok(());
                }
                let answer = pb::WatchResponse { watch_id: cancel.watch_id, canceled: true, ..self.blank() };
                self.send(answer).await
            }
            Some(RequestUnion::ProgressRequest(_)) => {
                // All changes up to the revision in the header are sent before this answer is.
                let durable = *self.service.node.revisions().borrow();
                self.deliver(durable).await?;
                let answer = pb::WatchResponse {
                    header: self.service.header(durable),
                    watch_id: NO_WATCH,
                    ..Default::default()
                };
                self.send(answer).await
            }
            None => Ok(()),
        }
    }

    /// Starts a watch.
    async fn create(&mut self, create: pb::WatchCreateRequest) -> Result<(), Gone> {
        let durable = *self.service.node.revisions().borrow();
        let asked = create.watch_id;
        let taken = asked != 0 && self.watches.contains_key(&asked);
        if taken || self.watches.len() >= MAX_WATCHES {
            let reason =
                if taken { "etcdserver: duplicate watch ID" } else { "etcdserver: too many watches" };
            let answer = pb::WatchResponse {
                watch_id: NO_WATCH,
                created: true,
                canceled: true,
                cancel_reason: reason.to_owned(),
                ..self.blank()
            };
            return self.send(answer).await;
        }
        let watch_id = if asked != 0 { asked } else { self.fresh_id() };
        let has = |filter: FilterType| create.filters.contains(&i32::from(filter));
        let watched = Watched {
            // An empty key stands for the smallest one.
            key: if create.key.is_empty() { Bytes::from_static(&[0]) } else { create.key.clone() },
            range_end: create.range_end.clone(),
            next_revision: if create.start_revision > 0 { create.start_revision } else { durable + 1 },
            prev_kv: create.prev_kv,
            no_put: has(FilterType::Noput),
            no_delete: has(FilterType::Nodelete),
        };
        self.watches.insert(watch_id, watched);
        let header = self.service.header(durable);
        self.send(pb::WatchResponse { header, watch_id, created: true, ..Default::default() }).await
    }

    /// An id that no watch of the stream has.
    fn fresh_id(&mut self) -> i64 {
        while self.watches.contains_key(&self.next_id) {
            self.next_id += 1;
        }
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    /// Sends every watch the changes up to a revision.
    async fn deliver(&mut self, durable: i64) -> Result<(), Gone> {
        let ids: Vec<i64> = self.watches.keys().copied().collect();
        for id in ids {
            while self.deliver_some(id, durable).await? {}
        }
        Ok(())
    }

    /// Sends one watch some changes; true if there may be more.
    async fn deliver_some(&mut self, id: i64, durable: i64) -> Result<bool, Gone> {
        let Some(watched) = self.watches.get_mut(&id) else { return Ok(false) };
        if watched.next_revision > durable {
            return Ok(false);
        }
        let from = watched.next_revision;
        let kept =
            self.service.node.peek(|state| state.etcd.history().between(from, durable, BATCH_REVISIONS));
        let revisions = match kept {
            Kept::Revisions(revisions) => revisions,
            Kept::CompactedTo(compact_revision) => {
                self.watches.remove(&id);
                let answer = pb::WatchResponse {
                    header: self.service.header(durable),
                    watch_id: id,
                    canceled: true,
                    compact_revision,
                    cancel_reason: "etcdserver: mvcc: required revision has been compacted".to_owned(),
                    ..Default::default()
                };
                self.send(answer).await?;
                return Ok(false);
            }
        };
        let full = revisions.len() >= BATCH_REVISIONS;
        watched.next_revision = match revisions.last() {
            Some(last) if full => last.revision + 1,
            _ => durable + 1,
        };
        let events: Vec<pb::WatchedEvent> = revisions
            .iter()
            .flat_map(|revision| &revision.events)
            .filter(|event| watched.wants(event))
            .map(|event| watched.shown(event))
            .collect();
        if !events.is_empty() {
            let header = self.service.header(durable);
            self.send(pb::WatchResponse { header, watch_id: id, events, ..Default::default() }).await?;
        }
        Ok(full)
    }

    /// An answer with nothing but the header.
    fn blank(&self) -> pb::WatchResponse {
        let durable = *self.service.node.revisions().borrow();
        pb::WatchResponse { header: self.service.header(durable), ..Default::default() }
    }

    /// Sends an answer, waiting for room.
    async fn send(&self, answer: pb::WatchResponse) -> Result<(), Gone> {
        tokio::select! {
            sent = self.answers.send(Ok(answer)) => sent.map_err(|_| Gone),
            () = self.service.node.stop_token().cancelled() => Err(Gone),
        }
    }
}

impl Watched {
    /// Whether the watch concerns a change.
    fn wants(&self, event: &pb::WatchedEvent) -> bool {
        let filtered = match event.r#type() {
            pb::watched_event::EventType::Put => self.no_put,
            pb::watched_event::EventType::Delete => self.no_delete,
        };
        !filtered && event.kv.as_ref().is_some_and(|kv| in_range(&kv.key, &self.key, &self.range_end))
    }

    /// A change as the watch shows it.
    fn shown(&self, event: &pb::WatchedEvent) -> pb::WatchedEvent {
        pb::WatchedEvent {
            r#type: event.r#type,
            kv: event.kv.clone(),
            prev_kv: event.prev_kv.clone().filter(|_| self.prev_kv),
        }
    }
}
