//! The registrations of one stream, and what its frames mean to them. No I/O.

use std::collections::HashMap;
use std::sync::Arc;

use event_sorter::{Charge, MemoryQuota, Stage};
use tikv_proto::cdcpb;
use tikv_proto::cdcpb::event::{Event as Content, LogType, Row};

use crate::delivery::SpanSender;
use crate::failure::Failure;
use crate::frame::{Frame, detach_waiting};
use crate::matcher::Matcher;
use crate::metrics::{CdcMetrics, Pulled};
use crate::row::RowChange;
use crate::span::{Claim, Span};

/// A region that is registered on the stream.
struct Registration {
    /// The right to it.
    claim: Box<Claim>,
    /// Pairs its rows.
    matcher: Matcher,
}

/// Registrations under one request id; all belong to one span.
struct Group {
    /// The span.
    span: Arc<Span>,
    /// By region id.
    regions: HashMap<u64, Registration>,
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
    /// A channel that is full.
    full: Option<SpanSender>,
}

impl Registrations {
    /// None yet.
    pub(crate) fn new(metrics: CdcMetrics, quota: Arc<MemoryQuota>) -> Self {
        let bookkeeping = quota.charge(Stage::Prewrites, 0);
        Self { groups: HashMap::new(), scanning: 0, count: 0, metrics, quota, bookkeeping, full: None }
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
        let matcher = Matcher::new(claim.span.start_ts, checkpoint_ts);
        let group = self
            .groups
            .entry(claim.request_id)
            .or_insert_with(|| Group { span: Arc::clone(&claim.span), regions: HashMap::new() });
        if group.regions.contains_key(&claim.route.id) {
            return Err(claim);
        }
        group.regions.insert(claim.route.id, Registration { claim, matcher });
        self.scanning += 1;
        self.count += 1;
        self.metrics.subscribed(1);
        self.metrics.requested(1);
        Ok(())
    }

    /// Takes out everything of a span; returns the request ids to deregister.
    pub(crate) fn remove_span(&mut self, span: &Arc<Span>) -> Vec<u64> {
        let requests: Vec<u64> = self
            .groups
            .iter()
            .filter(|(_, group)| Arc::ptr_eq(&group.span, span))
            .map(|(request, _)| *request)
            .collect();
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
        let registrations: Vec<Registration> =
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
        let given_back = registration.matcher.bookkeeping();
        self.bookkeeping.resize(self.bookkeeping.bytes().saturating_sub(given_back));
        self.count -= 1;
        self.metrics.subscribed(-1);
        if !registration.matcher.is_initialized() {
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
        let was_initialized = registration.matcher.is_initialized();
        detach_waiting(&mut entries, was_initialized, &self.quota);
        let before = registration.matcher.bookkeeping();
        count(&entries, &self.metrics);
        let out = rows.to(&group.span);
        let outcome = entries.into_iter().try_for_each(|row| registration.matcher.on_row(row, out));
        let after = registration.matcher.bookkeeping();
        self.bookkeeping.resize((self.bookkeeping.bytes() + after).saturating_sub(before));
        if registration.matcher.is_initialized() && !was_initialized {
            self.scanning -= 1;
            self.metrics.requested(-1);
            group.span.set_initialized(registration.claim.lock);
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
        let bookkeeping = &mut self.bookkeeping;
        let advanced = regions.iter().filter_map(|region| {
            let registration = group.regions.get_mut(region)?;
            let before = registration.matcher.bookkeeping();
            let moved = registration.matcher.on_resolved(ts);
            let given_back = before.saturating_sub(registration.matcher.bookkeeping());
            if given_back > 0 {
                bookkeeping.resize(bookkeeping.bytes().saturating_sub(given_back));
            }
            moved.then_some(registration.claim.lock)
        });
        group.span.advance(advanced, ts);
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
