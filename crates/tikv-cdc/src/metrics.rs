//! What is counted. Names follow TiCDC's dashboards.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::failure::FailureKind;

/// The label `type`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TypeLabel {
    /// Its value.
    r#type: &'static str,
}

/// Kinds of events that stores send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pulled {
    /// A change that was complete in itself.
    Committed,
    /// A commit that was joined with its prewrite.
    Commit,
    /// A prewrite.
    Prewrite,
    /// A roll-back.
    Rollback,
    /// The end of a scan.
    Initialized,
    /// A resolved ts of one region.
    Resolved,
}

impl Pulled {
    /// Value of the label `type`.
    fn name(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Commit => "commit",
            Self::Prewrite => "prewrite",
            Self::Rollback => "rollback",
            Self::Initialized => "initialized",
            Self::Resolved => "resolved",
        }
    }
}

/// Counters are gauges that only grow: the text format would add `_total` to the names of counters, and existing
/// dashboards would not find them.
type Count = Gauge<u64, AtomicU64>;

/// Metrics of a [`CdcClient`](crate::CdcClient). Cheap to clone; clones share their values.
#[derive(Clone, Debug)]
pub struct CdcMetrics {
    /// Failures of registrations by kind.
    errors: Family<TypeLabel, Count>,
    /// Events received by kind.
    pulled: Family<TypeLabel, Count>,
    /// Regions in one resolved-ts message.
    batch_resolved: Histogram,
    /// Bytes received.
    received: Count,
    /// Regions that wait for their scan or are scanned.
    requested: Gauge,
    /// Regions that are registered at a store.
    subscribed: Gauge,
    /// Prewrites that were moved to disk after they had waited in memory.
    spilled: Count,
    /// Lock resolutions started.
    lock_resolutions: Count,
    /// Locks removed.
    locks_resolved: Count,
    /// Seconds by which the slowest span lags behind the clock.
    resolved_lag: Gauge<f64, AtomicU64>,
}

impl Default for CdcMetrics {
    fn default() -> Self {
        Self {
            errors: Family::default(),
            pulled: Family::default(),
            batch_resolved: Histogram::new((0..16).map(|power| f64::from(1_u32 << power))),
            received: Gauge::default(),
            requested: Gauge::default(),
            subscribed: Gauge::default(),
            spilled: Gauge::default(),
            lock_resolutions: Gauge::default(),
            locks_resolved: Gauge::default(),
            resolved_lag: Gauge::default(),
        }
    }
}

impl CdcMetrics {
    /// Adds the metrics to a registry, whose prefix should be `ticdc`.
    pub fn register(&self, registry: &mut Registry) {
        // From zero on: a rate can be told of the first failure, too.
        for kind in FailureKind::ALL {
            drop(self.errors.get_or_create(&TypeLabel { r#type: kind.name() }));
        }
        let client = registry.sub_registry_with_prefix("kvclient");
        client.register("event_feed_error_count", "Failures of region registrations", self.errors.clone());
        client.register("pull_event_count", "Events received from stores", self.pulled.clone());
        client.register(
            "batch_resolved_event_size",
            "Regions in one resolved-ts message",
            self.batch_resolved.clone(),
        );
        client.register("received_bytes", "Bytes of change events received", self.received.clone());
        client.register(
            "spilled_prewrites",
            "Waiting rows that were moved from memory to disk",
            self.spilled.clone(),
        );
        let subscriptions = registry.sub_registry_with_prefix("subscription_client");
        subscriptions.register(
            "requested_region_count",
            "Regions that wait for their scan or are scanned",
            self.requested.clone(),
        );
        subscriptions.register(
            "subscribed_region_count",
            "Regions that are registered at a store",
            self.subscribed.clone(),
        );
        subscriptions.register(
            "resolve_lock_count",
            "Regions whose stale locks were looked at",
            self.lock_resolutions.clone(),
        );
        subscriptions.register("resolved_lock_count", "Stale locks removed", self.locks_resolved.clone());
        subscriptions.register(
            "resolved_ts_lag",
            "Lag of the slowest span behind the clock, in seconds",
            self.resolved_lag.clone(),
        );
    }

    /// Failures of one kind so far.
    pub fn failures(&self, kind: FailureKind) -> u64 {
        self.errors.get_or_create(&TypeLabel { r#type: kind.name() }).get()
    }

    /// Regions that are registered at a store.
    pub fn subscribed_regions(&self) -> i64 {
        self.subscribed.get()
    }

    /// Waiting rows that were moved from memory to disk so far.
    pub fn spilled_prewrites(&self) -> u64 {
        self.spilled.get()
    }

    /// Counts rows moved to disk.
    pub(crate) fn spilled(&self, rows: usize) {
        self.spilled.inc_by(rows as u64);
    }

    /// Counts a failure.
    pub(crate) fn failed(&self, kind: FailureKind) {
        self.errors.get_or_create(&TypeLabel { r#type: kind.name() }).inc();
    }

    /// Counts received events.
    pub(crate) fn pulled(&self, kind: Pulled, count: u64) {
        if count > 0 {
            self.pulled.get_or_create(&TypeLabel { r#type: kind.name() }).inc_by(count);
        }
    }

    /// Counts a frame.
    pub(crate) fn frame(&self, bytes: usize) {
        self.received.inc_by(bytes as u64);
    }

    /// Counts a resolved-ts message.
    pub(crate) fn batch(&self, regions: usize) {
        self.batch_resolved.observe(regions as f64);
        self.pulled(Pulled::Resolved, regions as u64);
    }

    /// Changes the number of regions that wait for their scan or are scanned.
    pub(crate) fn requested(&self, by: i64) {
        self.requested.inc_by(by);
    }

    /// Changes the number of live regions.
    pub(crate) fn subscribed(&self, by: i64) {
        self.subscribed.inc_by(by);
    }

    /// Counts a lock resolution and the locks that it removed.
    pub(crate) fn locks_resolved(&self, locks: usize) {
        self.lock_resolutions.inc();
        self.locks_resolved.inc_by(locks as u64);
    }

    /// Sets the lag in seconds.
    pub(crate) fn set_lag(&self, seconds: f64) {
        self.resolved_lag.set(seconds);
    }
}
