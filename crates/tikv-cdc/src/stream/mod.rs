//! One stream to a store, with the regions that are registered on it.

mod admission;
mod joining;
mod link;
mod registrations;

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use event_sorter::MemoryQuota;
use tikv_proto::cdcpb::change_data_request::{Deregister, KvApi, Register, Request};
use tikv_proto::cdcpb::{ChangeDataRequest, Header, ScanPriority};
use tikv_proto::kvrpcpb::ExtraOp;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::failure::Failure;
use crate::feeds::Feeds;
use crate::report::RegionStage;
use crate::span::{Claim, Span};
use crate::spool::JoinEvent;
use crate::stream::admission::Admission;
use crate::stream::joining::Joining;
pub(crate) use crate::stream::link::Protocol;
use crate::stream::link::{Link, LinkEvent};
use crate::stream::registrations::{Ended, Registrations};
use crate::tso::lag;

/// Version sent to stores: it switches batched resolved ts and the cluster id check on. Bare semver, no `v`.
const TICDC_VERSION: &str = "8.5.4";
/// Commands that may wait for a stream.
const COMMAND_QUEUE: usize = 1024;
/// A stream without regions is closed after this time.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// A scan from further back than this is of low priority.
const LOW_PRIORITY_LAG: Duration = Duration::from_secs(600);
/// Share of the memory quota above which no new scan begins while others are running.
const SCAN_SHARE: f64 = 0.6;
/// Share of the memory quota above which the stream is not read.
const READ_SHARE: f64 = 1.0;

/// Identity of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StreamKey {
    /// Address of the store.
    pub(crate) address: String,
    /// Which of the streams to it.
    pub(crate) lane: Lane,
}

/// Which stream of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Lane {
    /// A stream shared by the spans that deliver to one channel: a consumer that falls behind stops its own streams
    /// only.
    Shared {
        /// The channel.
        channel: u64,
        /// Which of the connections to the store.
        connection: usize,
    },
    /// The stream of one request id, at stores that do not multiplex.
    Own(u64),
}

impl Lane {
    /// How the store is called.
    fn protocol(self) -> Protocol {
        match self {
            Self::Shared { .. } => Protocol::Multiplexed,
            Self::Own(_) => Protocol::Single,
        }
    }

    /// True if regions of the span may be registered on such a stream.
    pub(crate) fn may_hold(self, span: &Span) -> bool {
        match self {
            Self::Shared { channel, .. } => channel == span.sender.channel(),
            Self::Own(_) => true,
        }
    }

    /// Number of the connection.
    fn connection(self) -> usize {
        match self {
            Self::Shared { connection, .. } => connection,
            Self::Own(_) => 0,
        }
    }
}

/// What a stream is asked to do.
pub(crate) enum Command {
    /// Register a region.
    Register(Box<Claim>),
    /// Forget a span that has ended.
    Leave(Arc<Span>),
}

/// A future that tells when reading may go on.
type Room = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The task that owns a stream.
struct Stream {
    /// The client.
    feeds: Arc<Feeds>,
    /// Which stream.
    key: StreamKey,
    /// What is received is charged to this.
    quota: Arc<MemoryQuota>,
    /// What to do.
    commands: mpsc::Receiver<Command>,
    /// The gRPC stream.
    link: Link,
    /// Regions on it.
    registrations: Registrations,
    /// Regions that wait.
    admission: Admission,
    /// Requests not sent yet.
    requests: VecDeque<ChangeDataRequest>,
    /// Failed attempts to open the stream.
    backoff: Backoff,
    /// No attempt to open before this.
    not_before: Instant,
    /// Set while reading must wait.
    room: Option<Room>,
    /// Set while new scans must wait for memory.
    scan_room: Option<Room>,
    /// Regions on the stream, for those who choose among several.
    load: Arc<AtomicUsize>,
    /// The log that is being joined.
    joining: Option<Joining>,
}

/// Starts the task of a stream and returns the way to it.
pub(crate) fn start(
    feeds: &Arc<Feeds>,
    key: StreamKey,
    load: Arc<AtomicUsize>,
    quota: Arc<MemoryQuota>,
) -> mpsc::Sender<Command> {
    let (sender, commands) = mpsc::channel(COMMAND_QUEUE);
    let stream = Stream {
        registrations: Registrations::new(
            feeds.metrics.clone(),
            Arc::clone(&quota),
            feeds.config.spool.clone(),
        ),
        feeds: Arc::clone(feeds),
        key,
        quota,
        commands,
        link: Link::Down,
        admission: Admission::default(),
        requests: VecDeque::new(),
        backoff: Backoff::default(),
        not_before: Instant::now(),
        room: None,
        scan_room: None,
        load,
        joining: None,
    };
    feeds.spawn(stream.run());
    sender
}

/// Waits for a future that may not be there; forever if it is not.
async fn maybe(room: &mut Option<Room>) {
    match room {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

impl Stream {
    /// Works until the client is shut down or the stream has been idle.
    async fn run(mut self) {
        let closed = self.feeds.closed.clone();
        loop {
            self.admit();
            self.open_if_needed();
            let regions = self.registrations.len() + self.admission.len() + self.commands.len();
            self.load.store(regions, Ordering::Relaxed);
            self.start_join();
            let idle = self.registrations.len() == 0 && self.admission.len() == 0;
            let wants_link = self.link.is_down() && !idle;
            let sender = self.link.sender().filter(|_| !self.requests.is_empty());
            let sending = async {
                match &sender {
                    Some(sender) => sender.reserve().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = closed.cancelled() => return,
                command = self.commands.recv() => match command {
                    Some(command) => self.on_command(command),
                    None => return,
                },
                permit = sending => match (permit, self.requests.pop_front()) {
                    (Ok(permit), Some(request)) => permit.send(request),
                    // The stream dropped its request side; its end is told by the other side.
                    (Err(_), Some(_)) => self.requests.clear(),
                    (_, None) => {}
                },
                event = self.link.next(self.room.is_none()) => self.on_link(event),
                event = joining::next(&mut self.joining), if self.room.is_none() => self.on_join(event),
                () = maybe(&mut self.room) => {
                    self.room = None;
                    // Another reason to wait may be left.
                    self.look_for_room();
                }
                () = maybe(&mut self.scan_room) => self.scan_room = None,
                () = tokio::time::sleep_until(self.not_before), if wants_link => {}
                () = tokio::time::sleep(IDLE_TIMEOUT), if idle => {
                    if self.feeds.streams.retire(&self.key, &self.commands) {
                        self.leave().await;
                        return;
                    }
                }
            }
        }
    }

    /// Hands commands that came in the last moment to the stream's successor.
    async fn leave(mut self) {
        self.commands.close();
        while let Some(command) = self.commands.recv().await {
            if let Command::Register(claim) = command {
                self.feeds.resume(claim, Duration::ZERO);
            }
        }
    }

    /// Executes a command.
    fn on_command(&mut self, command: Command) {
        match command {
            Command::Register(claim) => match claim.span.checkpoint(claim.lock) {
                Some(checkpoint_ts) if !claim.span.is_ended() => {
                    claim.span.set_stage(claim.lock, RegionStage::Queued);
                    self.admission.push(claim, checkpoint_ts);
                }
                _ => self.feeds.abandon(&claim),
            },
            Command::Leave(span) => {
                for request_id in self.registrations.remove_span(&span) {
                    self.deregister(request_id, 0);
                }
            }
        }
    }

    /// Registers regions as long as the store may have more scans.
    fn admit(&mut self) {
        while self.registrations.scanning() < self.feeds.config.scans_per_stream.max(1)
            && self.admission.len() > 0
            && self.scan_room.is_none()
        {
            if self.registrations.scanning() > 0 && self.quota.pressure() >= SCAN_SHARE {
                self.scan_room = Some(Box::pin(self.quota.until_below(SCAN_SHARE)));
                return;
            }
            let Some((claim, checkpoint_ts)) = self.admission.pop() else { return };
            if claim.span.is_ended() {
                self.feeds.abandon(&claim);
                continue;
            }
            let request = self.register_request(&claim, checkpoint_ts);
            let (span, lock) = (Arc::clone(&claim.span), claim.lock);
            match self.registrations.insert(claim, checkpoint_ts) {
                Ok(()) => {
                    span.set_stage(lock, RegionStage::Scanning);
                    self.requests.push_back(request);
                }
                Err(claim) => {
                    let reason = "the region is registered on this stream already".to_owned();
                    self.feeds.region_failed(claim, Failure::Connect(reason));
                }
            }
        }
    }

    /// The request for a region.
    fn register_request(&self, claim: &Claim, checkpoint_ts: u64) -> ChangeDataRequest {
        let priority =
            if lag(checkpoint_ts) > LOW_PRIORITY_LAG { ScanPriority::Low } else { ScanPriority::High };
        ChangeDataRequest {
            header: Some(self.header()),
            region_id: claim.route.id,
            region_epoch: Some(claim.route.epoch),
            checkpoint_ts,
            start_key: claim.range.start.clone(),
            end_key: claim.range.end.clone(),
            request_id: claim.request_id,
            extra_op: ExtraOp::ReadOldValue as i32,
            request: Some(Request::Register(Register {})),
            kv_api: KvApi::TiDb as i32,
            filter_loop: claim.span.filter_loop,
            scan_priority: priority as i32,
        }
    }

    /// Queues the end of a registration, or of all of a request id (region 0).
    fn deregister(&mut self, request_id: u64, region_id: u64) {
        if self.link.is_down() {
            return;
        }
        self.requests.push_back(ChangeDataRequest {
            header: Some(self.header()),
            request_id,
            region_id,
            request: Some(Request::Deregister(Deregister {})),
            ..ChangeDataRequest::default()
        });
    }

    /// The header of every request.
    fn header(&self) -> Header {
        Header { cluster_id: self.feeds.cluster.cluster_id(), ticdc_version: TICDC_VERSION.to_owned() }
    }

    /// Opens the stream if regions are registered and it is time.
    fn open_if_needed(&mut self) {
        if !self.link.is_down() || self.registrations.len() == 0 || Instant::now() < self.not_before {
            return;
        }
        match self.feeds.cluster.channel(&self.key.address, self.key.lane.connection()) {
            Ok(channel) => {
                self.link = Link::open(channel, self.key.lane.protocol(), Arc::clone(&self.quota));
            }
            Err(error) => self.lost(Failure::Connect(error.to_string())),
        }
    }

    /// Reacts to the stream.
    fn on_link(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Opened => {
                tracing::debug!(store = %self.key.address, lane = ?self.key.lane, "event feed opened");
            }
            LinkEvent::Frame(frame) => {
                self.backoff = Backoff::default();
                let ended = self.registrations.on_frame(frame);
                ended.into_iter().for_each(|ended| self.on_ended(ended));
                let ended = self.registrations.spill_excess();
                ended.into_iter().for_each(|ended| self.on_ended(ended));
                self.look_for_room();
            }
            LinkEvent::Refused(status) | LinkEvent::Lost(status)
                if status.code() == tonic::Code::Unimplemented
                    && self.key.lane.protocol() == Protocol::Multiplexed =>
            {
                self.feeds.streams.set_single(&self.key.address);
                self.lost(Failure::NoMultiplexing);
            }
            LinkEvent::Refused(status) => self.lost(Failure::Connect(status.to_string())),
            LinkEvent::Lost(status) => self.lost(Failure::StreamLost(status.to_string())),
        }
    }

    /// A registration has ended.
    fn on_ended(&mut self, ended: Ended) {
        if matches!(ended.failure, Failure::Matcher(_) | Failure::Spool(_)) {
            self.deregister(ended.claim.request_id, ended.claim.route.id);
        }
        self.feeds.region_failed(ended.claim, ended.failure);
    }

    /// The stream is gone, and all registrations with it.
    fn lost(&mut self, failure: Failure) {
        tracing::info!(store = %self.key.address, lane = ?self.key.lane, reason = %failure.text(),
            regions = self.registrations.len(), "event feed ended");
        self.link = Link::Down;
        self.requests.clear();
        self.room = None;
        self.not_before = Instant::now() + self.backoff.next(std::time::Instant::now());
        for ended in self.registrations.fail_all(&failure) {
            self.feeds.region_failed(ended.claim, ended.failure);
        }
        if matches!(failure, Failure::NoMultiplexing | Failure::Connect(_)) {
            // Those that wait would meet the same; elsewhere they may do better.
            for claim in self.admission.drain() {
                self.feeds.region_failed(claim, failure.clone());
            }
        }
    }

    /// Joins the next log, if one must be joined and none is.
    fn start_join(&mut self) {
        if self.joining.is_none()
            && let Some(spool) = &self.feeds.config.spool
            && let Some((place, join)) = self.registrations.next_join()
        {
            self.joining = Some(Joining::start(spool, place, join));
        }
    }

    /// Takes what a join tells. A join whose registration has ended is given up.
    fn on_join(&mut self, event: JoinEvent) {
        let Some(place) = self.joining.as_ref().map(|joining| joining.place) else { return };
        match event {
            JoinEvent::Rows(rows) => {
                if !self.registrations.deliver_joined(place, rows) {
                    self.joining = None;
                }
            }
            JoinEvent::Done(outcome) => {
                self.joining = None;
                let ended = self.registrations.finish_join(place, outcome);
                ended.into_iter().for_each(|ended| self.on_ended(ended));
            }
        }
        self.look_for_room();
    }

    /// Stops reading while memory is short or a consumer is behind.
    ///
    /// Prewrites in memory do not count: to be rid of them, they must be spilled, or their commits read. Those on their
    /// way to disk do.
    fn look_for_room(&mut self) {
        let quota = &self.quota;
        let spool = self.feeds.config.spool.as_ref();
        if let Some(sender) = self.registrations.take_full() {
            self.room = Some(Box::pin(sender.until_room()));
        } else if let Some(room) = spool.and_then(|spool| joining::spool_room(spool)) {
            self.room = Some(room);
        } else if quota.pressure_without(event_sorter::Stage::Prewrites) >= READ_SHARE {
            let wait = quota.until_below_without(READ_SHARE, event_sorter::Stage::Prewrites);
            self.room = Some(Box::pin(wait));
        }
    }
}
