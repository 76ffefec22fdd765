//! One subscription: its ranges, the regions that cover them, and how far they are.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use tikv_client::LiveLock;
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::cluster::RegionRoute;
use crate::delivery::{InboxKey, SpanSender};
use crate::error::CdcError;
use crate::failure::FailureKind;
use crate::key_range::KeyRange;
use crate::range_lock::{LockId, LockOutcome, RangeLock};
use crate::report::{RegionReport, RegionStage, SpanReport};
use crate::row::RowChange;

/// Live locks of a region that are kept for [`SpanReport`]; the oldest are those that count.
const LIVE_LOCKS_KEPT: usize = 16;

/// A region that could not be locked yet, and how often it was tried.
type Candidate = (Arc<RegionRoute>, Backoff);

/// The right to subscribe a region's range of a span. It exists once per locked range and moves between the parts of
/// the client that work on it.
#[derive(Debug)]
pub(crate) struct Claim {
    /// Whose range it is.
    pub(crate) span: Arc<Span>,
    /// The lock.
    pub(crate) lock: LockId,
    /// The locked range.
    pub(crate) range: KeyRange,
    /// The region that covers it.
    pub(crate) route: Arc<RegionRoute>,
    /// Failures so far.
    pub(crate) backoff: Backoff,
    /// Request id under which the region is registered.
    pub(crate) request_id: u64,
}

/// Outcome of [`Span::claim`].
pub(crate) enum ClaimOutcome {
    /// The range may be subscribed.
    Claimed(Box<Claim>),
    /// The region is outdated; these ranges must be looked up again.
    Stale(Vec<KeyRange>, Backoff),
    /// Others must end first.
    Waiting,
}

/// What is known about a locked range. There is one per region and table, most of them idle: what few of them need is
/// elsewhere.
struct Region {
    /// The region.
    route: Arc<RegionRoute>,
    /// What is going on with it.
    stage: RegionStage,
    /// Since when.
    since: Instant,
    /// When its scan was complete.
    initialized: Option<Instant>,
    /// What was found when its locks were asked for; most regions never are.
    locks: Option<Box<LockLook>>,
}

/// A look at the locks of a region.
struct LockLook {
    /// When they were asked for.
    asked_at: Instant,
    /// The region's resolved ts then.
    resolved_ts: u64,
    /// What the last answer said.
    seen: Option<SeenLocks>,
}

/// Locks of a region, as they were once.
struct SeenLocks {
    /// When they were looked at.
    at: Instant,
    /// The region's resolved ts before that.
    resolved_ts: u64,
    /// Transactions that were alive then.
    alive: Vec<LiveLock>,
}

impl SeenLocks {
    /// Those that still may hold the resolved ts. While it has not moved, that is all of them: a transaction that began
    /// before the resolved ts holds it as well, if its locks came after it was sent. Once it has moved, those before it
    /// are gone.
    fn holding(&self, resolved_ts: u64) -> impl Iterator<Item = &LiveLock> {
        let moved = resolved_ts != self.resolved_ts;
        self.alive.iter().filter(move |lock| !moved || lock.start_ts >= resolved_ts)
    }
}

/// An error that was handled, for [`SpanReport`].
#[derive(Clone, Debug)]
pub(crate) struct SeenError {
    /// Its kind.
    kind: FailureKind,
    /// Region, or 0.
    region: u64,
    /// In words.
    text: String,
    /// When.
    at: Instant,
}

/// State under the lock.
struct State {
    /// The tiles of the span.
    locks: RangeLock<Candidate>,
    /// The locked ones. Boxed: a map of one entry has room for four.
    regions: HashMap<LockId, Box<Region>>,
    /// The resolved ts that was published last.
    published: u64,
    /// When.
    published_at: Instant,
    /// The last error.
    last_error: Option<SeenError>,
    /// Set when the subscription has ended.
    ended: bool,
}

/// A subscription.
pub(crate) struct Span {
    /// Id given by the subscriber.
    pub(crate) id: u64,
    /// Its keys, encoded.
    pub(crate) keys: KeyRange,
    /// Changes after this commit ts are wanted.
    pub(crate) start_ts: u64,
    /// Leave out changes that another change feed wrote.
    pub(crate) filter_loop: bool,
    /// Its usual request id, which is also the key of its inbox.
    pub(crate) request_id: InboxKey,
    /// Where events go.
    pub(crate) sender: SpanSender,
    /// Cancelled when the subscription ends.
    pub(crate) cancel: CancellationToken,
    /// True once a region was registered under another request id than the usual one.
    renewed: AtomicBool,
    /// Everything that changes.
    state: Mutex<State>,
}

impl std::fmt::Debug for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Span").field("id", &self.id).field("keys", &self.keys).finish_non_exhaustive()
    }
}

/// What the subscriber asked for.
pub(crate) struct SpanParts {
    /// See [`Span::id`].
    pub(crate) id: u64,
    /// See [`Span::keys`].
    pub(crate) keys: KeyRange,
    /// See [`Span::start_ts`].
    pub(crate) start_ts: u64,
    /// See [`Span::filter_loop`].
    pub(crate) filter_loop: bool,
    /// See [`Span::request_id`].
    pub(crate) request_id: u64,
    /// See [`Span::sender`].
    pub(crate) sender: SpanSender,
    /// See [`Span::cancel`].
    pub(crate) cancel: CancellationToken,
}

impl Span {
    /// A span of which nothing is subscribed yet; opens its inbox.
    pub(crate) fn new(parts: SpanParts) -> Arc<Self> {
        let SpanParts { id, keys, start_ts, filter_loop, request_id, sender, cancel } = parts;
        sender.join(request_id, id);
        let state = State {
            locks: RangeLock::new(keys.clone(), start_ts),
            regions: HashMap::new(),
            published: start_ts,
            published_at: Instant::now(),
            last_error: None,
            ended: false,
        };
        Arc::new(Self {
            id,
            keys,
            start_ts,
            filter_loop,
            request_id,
            sender,
            cancel,
            renewed: AtomicBool::new(false),
            state: Mutex::new(state),
        })
    }

    /// Tries to get the right to subscribe a region.
    pub(crate) fn claim(self: &Arc<Self>, route: Arc<RegionRoute>, backoff: Backoff) -> ClaimOutcome {
        let mut state = self.state.lock();
        if state.ended {
            return ClaimOutcome::Stale(Vec::new(), backoff);
        }
        let (range, version) = (route.range.clone(), route.version());
        match state.locks.lock(&range, version, (Arc::clone(&route), backoff)) {
            LockOutcome::Waiting => ClaimOutcome::Waiting,
            LockOutcome::Stale { uncovered, request: (_, backoff) } => {
                ClaimOutcome::Stale(uncovered, backoff)
            }
            LockOutcome::Locked { lock, range, .. } => {
                let region = Region {
                    route: Arc::clone(&route),
                    stage: RegionStage::Queued,
                    since: Instant::now(),
                    initialized: None,
                    locks: None,
                };
                state.regions.insert(lock, Box::new(region));
                let span = Arc::clone(self);
                let request_id = self.request_id;
                ClaimOutcome::Claimed(Box::new(Claim { span, lock, range, route, backoff, request_id }))
            }
        }
    }

    /// Gives a range back. Returns it with the requests that waited for it.
    pub(crate) fn release(&self, lock: LockId) -> (Option<KeyRange>, Vec<Candidate>) {
        let mut state = self.state.lock();
        state.regions.remove(&lock);
        let (range, ready) = state.locks.unlock(lock);
        (range, ready.into_iter().map(|(_, _, candidate)| candidate).collect())
    }

    /// Where a registration of a locked range has to start.
    pub(crate) fn checkpoint(&self, lock: LockId) -> Option<u64> {
        self.state.lock().locks.resolved_of(lock)
    }

    /// Notes what is going on with a region.
    pub(crate) fn set_stage(&self, lock: LockId, stage: RegionStage) {
        let mut state = self.state.lock();
        if let Some(region) = state.regions.get_mut(&lock) {
            region.stage = stage;
            region.since = Instant::now();
            if stage != RegionStage::Live {
                region.initialized = None;
            }
        }
    }

    /// Notes that a region is asked elsewhere now.
    pub(crate) fn set_route(&self, lock: LockId, route: &Arc<RegionRoute>) {
        if let Some(region) = self.state.lock().regions.get_mut(&lock) {
            region.route = Arc::clone(route);
        }
    }

    /// Notes that the scan of a region is complete.
    pub(crate) fn set_initialized(&self, lock: LockId) {
        let mut state = self.state.lock();
        state.locks.set_initialized(lock);
        if let Some(region) = state.regions.get_mut(&lock) {
            let now = Instant::now();
            (region.stage, region.since, region.initialized) = (RegionStage::Live, now, Some(now));
        }
    }

    /// Delivers rows. They must be delivered before the resolved ts that covers them is given to
    /// [`advance`](Self::advance).
    pub(crate) fn deliver(&self, rows: Vec<RowChange>) {
        if !rows.is_empty() {
            self.sender.rows(self.request_id, rows);
        }
    }

    /// Moves the resolved ts of regions forward, and publishes that of the span if it moved.
    pub(crate) fn advance(&self, locks: impl IntoIterator<Item = LockId>, ts: u64) {
        let mut state = self.state.lock();
        let mut moved = false;
        for lock in locks {
            moved |= state.locks.advance(lock, ts);
        }
        if !moved || state.ended {
            return;
        }
        if let Some(resolved) = state.locks.resolved_ts()
            && resolved > state.published
        {
            state.published = resolved;
            state.published_at = Instant::now();
            // Under the lock, so that two streams cannot publish in the wrong order.
            self.sender.resolved(self.request_id, resolved);
        }
    }

    /// Remembers an error that was handled.
    pub(crate) fn note_error(&self, kind: FailureKind, region: u64, text: String) {
        let at = Instant::now();
        self.state.lock().last_error = Some(SeenError { kind, region, text, at });
    }

    /// Ends the subscription because of an error; only the first one is delivered.
    pub(crate) fn fail(&self, error: CdcError) {
        {
            let mut state = self.state.lock();
            if state.ended {
                return;
            }
            state.ended = true;
            self.sender.failed(self.request_id, error);
        }
        self.cancel.cancel();
    }

    /// Ends the subscription at the subscriber's wish; its inbox is closed.
    pub(crate) fn end(&self) {
        self.state.lock().ended = true;
        self.sender.leave(self.request_id);
        self.cancel.cancel();
    }

    /// Notes that a region will be registered under another request id.
    pub(crate) fn set_renewed(&self) {
        self.renewed.store(true, Ordering::Release);
    }

    /// True once that has happened.
    pub(crate) fn has_renewed(&self) -> bool {
        self.renewed.load(Ordering::Acquire)
    }

    /// True when the subscription has ended.
    pub(crate) fn is_ended(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// The resolved ts that was published last, and when.
    pub(crate) fn published(&self) -> (u64, Instant) {
        let state = self.state.lock();
        (state.published, state.published_at)
    }

    /// True once every range has been completely scanned.
    pub(crate) fn is_initialized(&self) -> bool {
        self.state.lock().locks.is_initialized()
    }

    /// Regions whose resolved ts is below `target` although their scan was complete at `before`, and whose locks were
    /// not looked at since `checked_before`. They count as looked at from now on.
    pub(crate) fn stuck_regions(
        &self,
        target: u64,
        before: Instant,
        checked_before: Instant,
    ) -> Vec<(LockId, KeyRange)> {
        let mut state = self.state.lock();
        let State { locks, regions, .. } = &mut *state;
        regions
            .iter_mut()
            .filter(|(_, region)| {
                region.initialized.is_some_and(|at| at <= before)
                    && region.locks.as_ref().is_none_or(|look| look.asked_at <= checked_before)
            })
            .filter_map(|(lock, region)| {
                let resolved_ts = locks.resolved_of(*lock).filter(|ts| *ts < target)?;
                let range = locks.range_of(*lock)?;
                let seen = region.locks.take().and_then(|look| look.seen);
                region.locks = Some(Box::new(LockLook { asked_at: Instant::now(), resolved_ts, seen }));
                Some((*lock, range))
            })
            .collect()
    }

    /// Remembers which transactions hold locks in a region.
    pub(crate) fn note_live_locks(&self, lock: LockId, mut alive: Vec<LiveLock>) {
        alive.truncate(LIVE_LOCKS_KEPT);
        if let Some(region) = self.state.lock().regions.get_mut(&lock)
            && let Some(look) = &mut region.locks
        {
            look.seen = Some(SeenLocks { at: Instant::now(), resolved_ts: look.resolved_ts, alive });
        }
    }

    /// The state of the subscription, for people.
    pub(crate) fn report(&self) -> SpanReport {
        let state = self.state.lock();
        let now = Instant::now();
        let mut report = SpanReport {
            id: self.id,
            keys: self.keys.clone(),
            start_ts: self.start_ts,
            resolved_ts: state.published,
            resolved_for: now.saturating_duration_since(state.published_at),
            initialized: state.locks.is_initialized(),
            queued: 0,
            scanning: 0,
            live: 0,
            retrying: 0,
            waiting: state.locks.waiting(),
            uncovered: state.locks.unlocked().count(),
            slowest: None,
            last_error: state.last_error.as_ref().map(|error| crate::report::ErrorReport {
                kind: error.kind,
                region: error.region,
                text: error.text.clone(),
                ago: now.saturating_duration_since(error.at),
            }),
        };
        for region in state.regions.values() {
            *match region.stage {
                RegionStage::Queued => &mut report.queued,
                RegionStage::Scanning => &mut report.scanning,
                RegionStage::Live => &mut report.live,
                RegionStage::Retrying => &mut report.retrying,
            } += 1;
        }
        report.slowest = state.locks.slowest().map(|piece| {
            let region = piece.lock.and_then(|lock| state.regions.get(&lock));
            let seen = region.and_then(|region| region.locks.as_ref()?.seen.as_ref());
            RegionReport {
                region: piece.region.map(|region| region.id),
                version: piece.region.map(|region| region.version),
                keys: piece.range,
                resolved_ts: piece.resolved_ts,
                store: region.map(|region| region.route.store_address.clone()),
                stage: region.map(|region| region.stage),
                stage_for: region.map(|region| now.saturating_duration_since(region.since)),
                locks_checked: seen.map(|seen| now.saturating_duration_since(seen.at)),
                live_locks: seen
                    .map_or_else(Vec::new, |seen| seen.holding(piece.resolved_ts).cloned().collect()),
            }
        });
        report
    }
}
