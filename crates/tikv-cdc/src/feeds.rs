//! What connects spans with streams: regions are looked up, claimed, handed to the stream of their store, and handled
//! when that fails.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use event_sorter::MemoryQuota;
use tikv_proto::metapb;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backoff::Backoff;
use crate::client::CdcConfig;
use crate::cluster::{Cluster, RegionRoute};
use crate::error::CdcError;
use crate::failure::{Failure, FailureKind, Reaction};
use crate::key_range::KeyRange;
use crate::metrics::CdcMetrics;
use crate::report::RegionStage;
use crate::span::{Claim, ClaimOutcome, Span};
use crate::stream::Command;
use crate::streams::Streams;

/// Regions asked for in one request.
const LOOKUP_LIMIT: usize = 1024;
/// Look-ups at the same time.
const LOOKUPS: usize = 16;
/// Pause when the regions that were found leave a hole.
const HOLE_PAUSE: Duration = Duration::from_millis(100);
/// Failures after which a range is looked up again although its error does not ask for it.
const RELOAD_AFTER_FAILURES: u32 = 3;

/// The shared inside of a client.
pub(crate) struct Feeds {
    /// The rest of the cluster.
    pub(crate) cluster: Arc<dyn Cluster>,
    /// Settings.
    pub(crate) config: CdcConfig,
    /// What frames are charged to.
    pub(crate) quota: Arc<MemoryQuota>,
    /// Counters.
    pub(crate) metrics: CdcMetrics,
    /// Streams to stores.
    pub(crate) streams: Streams,
    /// Cancelled at shutdown.
    pub(crate) closed: CancellationToken,
    /// All tasks.
    pub(crate) tasks: TaskTracker,
    /// Where tasks run, also when they are started outside.
    runtime: Handle,
    /// Bounds look-ups.
    lookups: Semaphore,
    /// The last request id.
    request_id: AtomicU64,
}

impl Feeds {
    /// Nothing subscribed yet.
    pub(crate) fn new(
        cluster: Arc<dyn Cluster>,
        config: CdcConfig,
        quota: Arc<MemoryQuota>,
        metrics: CdcMetrics,
        runtime: Handle,
    ) -> Arc<Self> {
        Arc::new(Self {
            cluster,
            config,
            quota,
            metrics,
            streams: Streams::default(),
            closed: CancellationToken::new(),
            tasks: TaskTracker::new(),
            runtime,
            lookups: Semaphore::new(LOOKUPS),
            request_id: AtomicU64::new(0),
        })
    }

    /// A request id that was not used before.
    pub(crate) fn next_request_id(&self) -> u64 {
        self.request_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Runs a task until it ends or the client is shut down.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let closed = self.closed.clone();
        self.tasks.spawn_on(
            async move {
                tokio::select! {
                    () = closed.cancelled() => {}
                    () = task => {}
                }
            },
            &self.runtime,
        );
    }

    /// Runs a task for a span after a pause; it is dropped when the span ends.
    fn spawn_for(&self, span: &Arc<Span>, pause: Duration, task: impl Future<Output = ()> + Send + 'static) {
        let ended = span.cancel.clone();
        self.spawn(async move {
            let work = async {
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
                task.await;
            };
            tokio::select! {
                () = ended.cancelled() => {}
                () = work => {}
            }
        });
    }

    /// Looks a range of a span up and subscribes what is found. `fresh`: not from a cache.
    pub(crate) fn locate(
        self: &Arc<Self>,
        span: &Arc<Span>,
        range: KeyRange,
        backoff: Backoff,
        pause: Duration,
        fresh: bool,
    ) {
        let (feeds, owner) = (Arc::clone(self), Arc::clone(span));
        self.spawn_for(span, pause, async move { feeds.locate_now(owner, range, backoff, fresh).await });
    }

    /// Body of [`locate`](Self::locate).
    async fn locate_now(
        self: &Arc<Self>,
        span: Arc<Span>,
        mut range: KeyRange,
        mut backoff: Backoff,
        mut fresh: bool,
    ) {
        while !range.is_empty() {
            let found = {
                let Ok(_permit) = self.lookups.acquire().await else { return };
                self.cluster.regions(range.clone(), LOOKUP_LIMIT, fresh).await
            };
            let mut found_any = false;
            match found {
                Ok(regions) => {
                    for region in connected(regions, &range) {
                        found_any = true;
                        let end = region.range.end.clone();
                        self.claim(&span, Arc::new(region), backoff).await;
                        if end.is_empty() {
                            return;
                        }
                        range.start = end;
                    }
                    if !found_any {
                        tokio::time::sleep(HOLE_PAUSE).await;
                    }
                }
                Err(error) => {
                    self.metrics.failed(FailureKind::Lookup);
                    span.note_error(FailureKind::Lookup, 0, error.to_string());
                    tokio::time::sleep(backoff.next(Instant::now())).await;
                }
            }
            fresh |= !found_any;
        }
    }

    /// Tries to subscribe a region.
    async fn claim(self: &Arc<Self>, span: &Arc<Span>, route: Arc<RegionRoute>, backoff: Backoff) {
        match span.claim(route, backoff) {
            ClaimOutcome::Claimed(claim) => self.register(claim).await,
            ClaimOutcome::Waiting => {}
            ClaimOutcome::Stale(ranges, mut backoff) => {
                for range in ranges {
                    let pause = backoff.next(Instant::now());
                    self.locate(span, range, backoff, pause, true);
                }
            }
        }
    }

    /// Hands a claim to the stream of its store.
    async fn register(self: &Arc<Self>, mut claim: Box<Claim>) {
        loop {
            let sender = self.streams.of(self, &claim);
            match sender.send(Command::Register(claim)).await {
                Ok(()) => return,
                // The stream has just retired; the next one takes it.
                Err(tokio::sync::mpsc::error::SendError(Command::Register(back))) => claim = back,
                Err(_) => return,
            }
            if self.closed.is_cancelled() {
                return;
            }
        }
    }

    /// Registers a claim again after a pause.
    pub(crate) fn resume(self: &Arc<Self>, claim: Box<Claim>, pause: Duration) {
        let feeds = Arc::clone(self);
        let span = Arc::clone(&claim.span);
        self.spawn_for(&span, pause, async move { feeds.register(claim).await });
    }

    /// Drops a claim whose span has ended.
    pub(crate) fn abandon(&self, claim: &Claim) {
        claim.span.release(claim.lock);
    }

    /// Handles the end of a registration.
    pub(crate) fn region_failed(self: &Arc<Self>, mut claim: Box<Claim>, failure: Failure) {
        let (kind, reaction) = failure.reaction(claim.route.id, &claim.route.store_address);
        self.metrics.failed(kind);
        claim.span.note_error(kind, claim.route.id, failure.text());
        if claim.span.is_ended() {
            return self.abandon(&claim);
        }
        tracing::debug!(span = claim.span.id, region = claim.route.id, store = %claim.route.store_address,
            kind = kind.name(), error = %failure.text(), "region has to be subscribed again");
        claim.span.set_stage(claim.lock, RegionStage::Retrying);
        let now = Instant::now();
        match reaction {
            Reaction::Fatal(error) => self.fail(&claim.span, error),
            Reaction::SwitchLeader(leader) => {
                let pause = claim.backoff.next_after_hint(now);
                self.switch_leader(claim, leader, pause);
            }
            Reaction::Reroute => self.resume(claim, Duration::ZERO),
            Reaction::Renew => {
                claim.span.set_renewed();
                claim.request_id = self.next_request_id();
                let pause = claim.backoff.next(now);
                self.resume(claim, pause);
            }
            Reaction::Retry(at_least) => {
                let pause = claim.backoff.next(now).max(at_least);
                if claim.backoff.failures() > RELOAD_AFTER_FAILURES {
                    self.reload(*claim, Vec::new(), pause);
                } else {
                    self.resume(claim, pause);
                }
            }
            Reaction::Reload(current) => {
                if kind == FailureKind::Connect {
                    self.cluster.forget_store(claim.route.leader.store_id);
                }
                let pause = if kind == FailureKind::EpochNotMatch {
                    claim.backoff.next_after_hint(now)
                } else {
                    claim.backoff.next(now)
                };
                self.reload(*claim, current, pause);
            }
        }
    }

    /// Ends a subscription because of an error.
    fn fail(self: &Arc<Self>, span: &Arc<Span>, error: CdcError) {
        tracing::error!(span = span.id, %error, "subscription failed");
        span.fail(error);
        let (feeds, span) = (Arc::clone(self), Arc::clone(span));
        self.spawn(async move { feeds.streams.leave(&span).await });
    }

    /// Asks another peer for a region.
    fn switch_leader(self: &Arc<Self>, mut claim: Box<Claim>, leader: metapb::Peer, pause: Duration) {
        let feeds = Arc::clone(self);
        let span = Arc::clone(&claim.span);
        self.spawn_for(&span, pause, async move {
            match feeds.cluster.store_address(leader.store_id).await {
                Ok(address) => {
                    let route = Arc::make_mut(&mut claim.route);
                    (route.leader, route.store_address) = (leader, address);
                    claim.span.set_route(claim.lock, &claim.route);
                    feeds.register(claim).await;
                }
                Err(error) => {
                    feeds.metrics.failed(FailureKind::Lookup);
                    claim.span.note_error(FailureKind::Lookup, claim.route.id, error.to_string());
                    let pause = claim.backoff.next(Instant::now());
                    feeds.reload(*claim, Vec::new(), pause);
                }
            }
        });
    }

    /// Gives a range back and looks it up again. If the store has told which regions are there now, and they cover the
    /// range, they are asked at once: the placement driver may not know them yet.
    fn reload(self: &Arc<Self>, claim: Claim, current: Vec<metapb::Region>, pause: Duration) {
        let Claim { span, lock, route, backoff, .. } = claim;
        let (released, ready) = span.release(lock);
        let Some(range) = released else { return };
        let told = if pause.is_zero() { successors(&route, current, &range) } else { Vec::new() };
        let feeds = Arc::clone(self);
        let owner = Arc::clone(&span);
        self.spawn_for(&span, Duration::ZERO, async move {
            // Those that waited for the range go first: they know better than what is there now.
            for (route, backoff) in ready {
                feeds.claim(&owner, route, backoff).await;
            }
            if told.is_empty() {
                feeds.locate(&owner, range, backoff, pause, true);
            }
            for route in told {
                feeds.claim(&owner, Arc::new(route), backoff).await;
            }
        });
    }
}

/// The regions at the front that follow each other without a hole, beginning with the start of the range.
fn connected(regions: Vec<RegionRoute>, range: &KeyRange) -> Vec<RegionRoute> {
    let mut next = range.start.clone();
    let mut connected = Vec::new();
    for region in regions {
        let covers = region.range.start <= next && (region.range.end.is_empty() || region.range.end > next);
        let ended =
            !connected.is_empty() && (next.is_empty() || (!range.end.is_empty() && next >= range.end));
        if !covers || ended {
            break;
        }
        next = region.range.end.clone();
        connected.push(region);
    }
    connected
}

/// The regions that a store named in place of one that was split, if they cover the range and have a peer on the same
/// store, which is then most likely their leader.
fn successors(route: &RegionRoute, current: Vec<metapb::Region>, range: &KeyRange) -> Vec<RegionRoute> {
    let mut regions: Vec<RegionRoute> = Vec::new();
    for region in current {
        let store = route.leader.store_id;
        let Some(leader) = region.peers.iter().find(|peer| peer.store_id == store).copied() else {
            return Vec::new();
        };
        regions.push(RegionRoute {
            id: region.id,
            epoch: region.region_epoch.unwrap_or_default(),
            range: KeyRange::new(region.start_key, region.end_key),
            leader,
            store_address: route.store_address.clone(),
        });
    }
    regions.retain(|region| region.range.overlaps(range));
    regions.sort_by(|left, right| left.range.start.cmp(&right.range.start));
    let regions = connected(regions, range);
    let covered = regions.last().is_some_and(|last| {
        last.range.end.is_empty() || (!range.end.is_empty() && last.range.end >= range.end)
    });
    if covered { regions } else { Vec::new() }
}

#[cfg(test)]
mod tests;
