//! The registrations of one stream, and what its frames mean to them. No I/O, but for rows handed to the spool.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use event_sorter::{Charge, MemoryQuota, Stage};
use tikv_proto::cdcpb;
use tikv_proto::cdcpb::event::{Event as Content, LogType, Row};

use crate::delivery::SpanSender;
use crate::failure::Failure;
use crate::frame::{Frame, detach_waiting};
use crate::metrics::{CdcMetrics, Pulled};
use crate::range_lock::LockId;
use crate::row::RowChange;
use crate::span::{Claim, Span};
use crate::spilling::{Join, LogEntry, Resolved, SpillingMatcher};
use crate::spool::{JoinFailure, PrewriteSpool};

/// A stream spills when it has at least this part of the limit itself: one in this many. The rest is not worth it.
const WORTH_SHARE: usize = 64;

/// A region that is registered on the stream.
struct Registration {
    /// The right to it.
    claim: Box<Claim>,
    /// Its lock, at hand: it is needed for each resolved ts.
    lock: LockId,
    /// Pairs its rows.
    matcher: SpillingMatcher,
    /// Tells it from an earlier one of the same region.
    number: u64,
    /// True while it waits for joins.
    joining: bool,
}

/// A registration that waits for a join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Request id.
    request: u64,
    /// Region.
    region: u64,
    /// Number of the registration.
    number: u64,
}

/// Registrations under one request id; all belong to one span.
struct Group {
    /// The span.
    span: Arc<Span>,
    /// By region id. Boxed: most groups are of one region, and a map of one entry has room for four.
    regions: HashMap<u64, Box<Registration>>,
}

/// A registration that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The right to the range.
    pub(crate) claim: Box<Claim>,
    /// Why.
    pub(crate) failure: Failure,
}

/// All registrations of a stream.
pub(crate) struct Registrations {
    /// By request id.
    groups: HashMap<u64, Group>,
    /// Registrations whose scan is not complete.
    scanning: usize,
    /// Registrations in all groups.
    count: usize,
    /// Counters.
    metrics: CdcMetrics,
    /// What copies are charged to.
    quota: Arc<MemoryQuota>,
    /// Bookkeeping of all matchers.
    bookkeeping: Charge,
    /// Bytes of rows that wait in all matchers.
    waiting: usize,
    /// Where transactions go that are too large for memory; `None` if they stay in memory all the same.
    spool: Option<Arc<PrewriteSpool>>,
    /// Registrations that wait for a join, each once.
    held: VecDeque<Place>,
    /// Registrations made so far.
    made: u64,
    /// A channel that is full.
    full: Option<SpanSender>,
}

impl Registrations {
    /// None yet.
    pub(crate) fn new(
        metrics: CdcMetrics,
        quota: Arc<MemoryQuota>,
        spool: Option<Arc<PrewriteSpool>>,
    ) -> Self {
        let bookkeeping = quota.charge(Stage::Prewrites, 0);
        Self {
            groups: HashMap::new(),
            scanning: 0,
            count: 0,
            metrics,
            quota,
            bookkeeping,
            waiting: 0,
            spool,
            held: VecDeque::new(),
            made: 0,
            full: None,
        }
    }

    /// Number of registrations.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Registrations whose scan is not complete.
    pub(crate) fn scanning(&self) -> usize {
        self.scanning
    }

    /// A channel that the last frames filled, if it is still full.
    pub(crate) fn take_full(&mut self) -> Option<SpanSender> {
        self.full.take().filter(SpanSender::is_full)
    }

    /// Adds a registration. A region that is there already is given back: the caller sends nothing for it.
    pub(crate) fn insert(&mut self, claim: Box<Claim>, checkpoint_ts: u64) -> Result<(), Box<Claim>> {
        let matcher = SpillingMatcher::new(claim.span.start_ts, checkpoint_ts);
        let group = self
            .groups
            .entry(claim.request_id)
            .or_insert_with(|| Group { span: Arc::clone(&claim.span), regions: HashMap::new() });
        if group.regions.contains_key(&claim.route.id) {
            return Err(claim);
        }
        self.made += 1;
        let (lock, number) = (claim.lock, self.made);
        let registration = Registration { claim, lock, matcher, number, joining: false };
        group.regions.insert(registration.claim.route.id, Box::new(registration));
        self.scanning += 1;
        self.count += 1;
        self.metrics.subscribed(1);
        self.metrics.requested(1);
        Ok(())
    }

    /// Takes out everything of a span; returns the request ids to deregister.
    pub(crate) fn remove_span(&mut self, span: &Arc<Span>) -> Vec<u64> {
        let requests: Vec<u64> = if span.has_renewed() {
            let groups = self.groups.iter().filter(|(_, group)| Arc::ptr_eq(&group.span, span));
            groups.map(|(request, _)| *request).collect()
        } else {
            // Nearly always: thousands of tables that leave do not look at each other.
            self.groups.contains_key(&span.request_id).then_some(span.request_id).into_iter().collect()
        };
        for request in &requests {
            if let Some(group) = self.groups.remove(request) {
                group.regions.into_values().for_each(|registration| {
                    self.removed(&registration);
                });
            }
        }
        requests
    }

    /// Takes out everything, for one reason.
    pub(crate) fn fail_all(&mut self, failure: &Failure) -> Vec<Ended> {
        let groups = std::mem::take(&mut self.groups);
        let registrations: Vec<Box<Registration>> =
            groups.into_values().flat_map(|group| group.regions.into_values()).collect();
        registrations
            .into_iter()
            .map(|registration| {
                self.removed(&registration);
                Ended { claim: registration.claim, failure: failure.clone() }
            })
            .collect()
    }

    /// Counts a registration out.
    fn removed(&mut self, registration: &Registration) {
        let matcher = &registration.matcher;
        self.bookkeeping.resize(self.bookkeeping.bytes().saturating_sub(matcher.bookkeeping()));
        self.waiting = self.waiting.saturating_sub(matcher.matcher().waiting_bytes());
        if let Some(spool) = &self.spool {
            matcher.logs().for_each(|log| spool.remove(log));
        }
        self.count -= 1;
        self.metrics.subscribed(-1);
        if !matcher.matcher().is_initialized() {
            self.scanning -= 1;
            self.metrics.requested(-1);
        }
    }

    /// Takes out one registration.
    fn end(&mut self, request: u64, region: u64, failure: Failure) -> Option<Ended> {
        let group = self.groups.get_mut(&request)?;
        let registration = group.regions.remove(&region)?;
        if group.regions.is_empty() {
            self.groups.remove(&request);
        }
        self.removed(&registration);
        Some(Ended { claim: registration.claim, failure })
    }

    /// Takes a frame: rows and resolved ts are delivered; registrations that ended are returned.
    pub(crate) fn on_frame(&mut self, frame: Frame) -> Vec<Ended> {
        self.metrics.frame(frame.bytes);
        let mut ended = Vec::new();
        let mut rows = Outgoing::default();
        for event in frame.event.events {
            let (request, region) = (event.request_id, event.region_id);
            let failure = match event.event {
                Some(Content::Entries(entries)) => {
                    self.on_rows(request, region, entries.entries, &mut rows).err()
                }
                Some(Content::ResolvedTs(ts)) => {
                    rows.flush();
                    self.on_resolved(request, &[region], ts);
                    None
                }
                Some(Content::Error(error)) => Some(Failure::Store(Box::new(error))),
                None => None,
            };
            if let Some(failure) = failure {
                rows.flush();
                ended.extend(self.end(request, region, failure));
            }
        }
        rows.flush();
        self.full = rows.full.take().or(self.full.take());
        if let Some(cdcpb::ResolvedTs { regions, ts, request_id }) = frame.event.resolved_ts {
            self.metrics.batch(regions.len());
            self.on_resolved(request_id, &regions, ts);
        }
        ended
    }

    /// Takes the rows of one region.
    fn on_rows(
        &mut self,
        request: u64,
        region: u64,
        mut entries: Vec<Row>,
        rows: &mut Outgoing,
    ) -> Result<(), Failure> {
        // Unknown ids belong to subscriptions that were ended here but not yet there.
        let Some(group) = self.groups.get_mut(&request) else { return Ok(()) };
        let Some(registration) = group.regions.get_mut(&region) else { return Ok(()) };
        let matcher = &mut registration.matcher;
        let was_initialized = matcher.matcher().is_initialized();
        detach_waiting(&mut entries, was_initialized, &self.quota, |start_ts| matcher.is_spilled(start_ts));
        let before = (matcher.bookkeeping(), matcher.matcher().waiting_bytes());
        count(&entries, &self.metrics);
        let out = rows.to(&group.span);
        let mut spilled = Vec::new();
        let outcome = entries.into_iter().try_for_each(|row| matcher.on_row(row, out, &mut spilled));
        let after = (matcher.bookkeeping(), matcher.matcher().waiting_bytes());
        self.bookkeeping.resize((self.bookkeeping.bytes() + after.0).saturating_sub(before.0));
        self.waiting = (self.waiting + after.1).saturating_sub(before.1);
        append(self.spool.as_deref(), spilled)?;
        if matcher.matcher().is_initialized() && !was_initialized {
            self.scanning -= 1;
            self.metrics.requested(-1);
            group.span.set_initialized(registration.lock);
        }
        outcome.map_err(Failure::Matcher)
    }

    /// Takes a resolved ts of some regions. Streams that do not multiplex leave the request id out; they hold one group.
    fn on_resolved(&mut self, request: u64, regions: &[u64], ts: u64) {
        let group = match request {
            0 if self.groups.len() == 1 => self.groups.values_mut().next(),
            request => self.groups.get_mut(&request),
        };
        let Some(group) = group else { return };
        let (bookkeeping, held) = (&mut self.bookkeeping, &mut self.held);
        let advanced = regions.iter().filter_map(|region| {
            let registration = group.regions.get_mut(region)?;
            let before = registration.matcher.bookkeeping();
            let resolved = registration.matcher.on_resolved(ts);
            let given_back = before.saturating_sub(registration.matcher.bookkeeping());
            if given_back > 0 {
                bookkeeping.resize(bookkeeping.bytes().saturating_sub(given_back));
            }
            if resolved == Resolved::Held && !registration.joining {
                registration.joining = true;
                let request = registration.claim.request_id;
                held.push_back(Place { request, region: *region, number: registration.number });
            }
            (resolved == Resolved::Moved).then_some(registration.lock)
        });
        group.span.advance(advanced, ts);
    }

    /// Moves transactions out of memory if prewrites take more than their limit. Registrations that cannot go on are
    /// returned.
    pub(crate) fn spill_excess(&mut self) -> Vec<Ended> {
        let Some(spool) = self.spool.clone() else { return Vec::new() };
        let worth = spool.waiting_limit().min(self.quota.limit()) / WORTH_SHARE;
        if !spool.is_needed(&self.quota) || self.waiting < worth {
            return Vec::new();
        }
        let mut largest: Vec<(usize, u64, u64)> = Vec::new();
        for (request, group) in &self.groups {
            let sizes = group.regions.iter().map(|(region, registration)| {
                (registration.matcher.matcher().waiting_bytes(), *request, *region)
            });
            largest.extend(sizes.filter(|(bytes, ..)| *bytes > 0));
        }
        largest.sort_unstable_by_key(|(bytes, ..)| std::cmp::Reverse(*bytes));
        let enough = self.waiting / 2;
        let mut ended = Vec::new();
        for (_, request, region) in largest {
            if self.waiting <= enough {
                break;
            }
            if let Err(failure) = self.spill(&spool, request, region) {
                ended.extend(self.end(request, region, failure));
            }
        }
        ended
    }

    /// Moves what waits in one matcher to the spool.
    fn spill(&mut self, spool: &PrewriteSpool, request: u64, region: u64) -> Result<(), Failure> {
        let Some(registration) =
            self.groups.get_mut(&request).and_then(|group| group.regions.get_mut(&region))
        else {
            return Ok(());
        };
        let matcher = &mut registration.matcher;
        let before = (matcher.bookkeeping(), matcher.matcher().waiting_bytes());
        let mut entries = Vec::new();
        let created = matcher.spill(spool.own_log(), &mut entries).map_err(Failure::Matcher)?;
        let after = (matcher.bookkeeping(), matcher.matcher().waiting_bytes());
        self.bookkeeping.resize((self.bookkeeping.bytes() + after.0).saturating_sub(before.0));
        self.waiting = (self.waiting + after.1).saturating_sub(before.1);
        self.metrics.spilled(entries.len());
        created.into_iter().for_each(|log| spool.create(log));
        append(Some(spool), entries)
    }

    /// The next log to join, with its registration.
    pub(crate) fn next_join(&mut self) -> Option<(Place, Join)> {
        while let Some(place) = self.held.pop_front() {
            if let Some((registration, _)) = self.at(place)
                && let Some(join) = registration.matcher.next_join()
            {
                if let Some(spool) = &self.spool {
                    spool.create(join.fresh);
                }
                return Some((place, join));
            }
        }
        None
    }

    /// The registration at a place, if it is still that one, with its span.
    fn at(&mut self, place: Place) -> Option<(&mut Registration, &Arc<Span>)> {
        let group = self.groups.get_mut(&place.request)?;
        let registration = group.regions.get_mut(&place.region)?;
        (registration.number == place.number).then_some((&mut **registration, &group.span))
    }

    /// Delivers rows of a join; false if the registration has ended.
    pub(crate) fn deliver_joined(&mut self, place: Place, rows: Vec<RowChange>) -> bool {
        let Some((_, span)) = self.at(place) else { return false };
        span.deliver(rows);
        let full = span.sender.is_full().then(|| span.sender.clone());
        self.full = full.or(self.full.take());
        true
    }

    /// A join has ended; the resolved ts that waited for it is published unless more joins are needed. Returns the
    /// registration if it cannot go on.
    pub(crate) fn finish_join(&mut self, place: Place, outcome: Result<bool, JoinFailure>) -> Option<Ended> {
        let failure = match outcome {
            Ok(left) => {
                self.joined(place, left);
                return None;
            }
            Err(JoinFailure::Cancelled) => return None,
            Err(JoinFailure::Match(error)) => Failure::Matcher(error),
            Err(JoinFailure::Spool(error)) => Failure::Spool(error),
        };
        self.at(place)?;
        self.end(place.request, place.region, failure)
    }

    /// All rows of a join are delivered.
    fn joined(&mut self, place: Place, left: bool) {
        let Some((registration, span)) = self.at(place) else { return };
        let before = registration.matcher.bookkeeping();
        let (resolved, unused) = registration.matcher.joined(left);
        let given_back = before.saturating_sub(registration.matcher.bookkeeping());
        registration.joining = resolved.is_none();
        let waits = registration.joining;
        if let Some(ts) = resolved {
            span.advance([registration.lock], ts);
        }
        self.bookkeeping.resize(self.bookkeeping.bytes().saturating_sub(given_back));
        if let (Some(spool), Some(log)) = (&self.spool, unused) {
            spool.remove(log);
        }
        if waits {
            self.held.push_front(place);
        }
    }
}

/// Hands rows to the spool. Without one, nothing is ever spilled.
fn append(spool: Option<&PrewriteSpool>, entries: Vec<LogEntry>) -> Result<(), Failure> {
    match spool {
        Some(spool) if !entries.is_empty() => spool.append(entries).map_err(Failure::Spool),
        _ => Ok(()),
    }
}

/// Counts rows by type.
fn count(rows: &[Row], metrics: &CdcMetrics) {
    let kinds = [
        (LogType::Committed, Pulled::Committed),
        (LogType::Commit, Pulled::Commit),
        (LogType::Prewrite, Pulled::Prewrite),
        (LogType::Rollback, Pulled::Rollback),
        (LogType::Initialized, Pulled::Initialized),
    ];
    let mut counts = [0_u64; 5];
    for row in rows {
        let at = kinds.iter().position(|(kind, _)| *kind as i32 == row.r#type);
        if let Some(count) = at.and_then(|at| counts.get_mut(at)) {
            *count += 1;
        }
    }
    for ((_, kind), count) in kinds.into_iter().zip(counts) {
        metrics.pulled(kind, count);
    }
}

/// Rows of a frame that were not delivered yet, joined as long as they belong to one span.
#[derive(Default)]
struct Outgoing {
    /// The span and its rows.
    rows: Option<(Arc<Span>, Vec<RowChange>)>,
    /// A channel that became full.
    full: Option<SpanSender>,
}

impl Outgoing {
    /// Where rows of a span are to be put; what waits for another span is delivered first.
    fn to(&mut self, span: &Arc<Span>) -> &mut Vec<RowChange> {
        if self.rows.as_ref().is_none_or(|(waiting, _)| !Arc::ptr_eq(waiting, span)) {
            self.flush();
        }
        &mut self.rows.get_or_insert_with(|| (Arc::clone(span), Vec::new())).1
    }

    /// Delivers what waits.
    fn flush(&mut self) {
        if let Some((span, rows)) = self.rows.take() {
            span.deliver(rows);
            if self.full.is_none() && span.sender.is_full() {
                self.full = Some(span.sender.clone());
            }
        }
    }
}
