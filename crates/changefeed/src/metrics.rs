//! Metrics of changefeeds, under TiCDC's names.

use std::sync::atomic::{AtomicI64, AtomicU64};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::memory::Accounts;

/// Labels of a changefeed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct FeedLabels {
    /// Namespace; always `default`.
    pub(crate) namespace: String,
    /// Id.
    pub(crate) changefeed: String,
}

impl FeedLabels {
    /// Labels of the changefeed with this id.
    pub(crate) fn new(id: &str) -> Self {
        Self { namespace: crate::metadata::DEFAULT_KEYSPACE.to_owned(), changefeed: id.to_owned() }
    }
}

/// Gauges of all changefeeds.
#[derive(Debug, Clone, Default)]
pub struct FeedMetrics {
    /// Physical milliseconds of the checkpoint.
    pub(crate) checkpoint_ts: Family<FeedLabels, Gauge<i64, AtomicI64>>,
    /// Seconds between now and the checkpoint.
    pub(crate) checkpoint_lag: Family<FeedLabels, Gauge<f64, AtomicU64>>,
    /// Physical milliseconds of the resolved ts.
    pub(crate) resolved_ts: Family<FeedLabels, Gauge<i64, AtomicI64>>,
    /// Seconds between now and the resolved ts.
    pub(crate) resolved_lag: Family<FeedLabels, Gauge<f64, AtomicU64>>,
    /// State by number.
    pub(crate) status: Family<FeedLabels, Gauge<i64, AtomicI64>>,
    /// Physical tables that are followed.
    pub(crate) tables: Family<FeedLabels, Gauge<i64, AtomicI64>>,
    /// Memory, read when it is asked for.
    pub(crate) accounts: Accounts,
    /// DDLs that could not be parsed and were sent as they were typed.
    unparsed_ddls: Family<FeedLabels, Counter>,
    /// Changes with a row whose checksum does not match.
    corrupted_rows: Family<FeedLabels, Counter>,
    /// Messages that were stored elsewhere because they are too large for Kafka.
    claim_checks: Family<FeedLabels, Counter>,
}

/// Counters of one changefeed.
#[derive(Debug, Clone, Default)]
pub(crate) struct FeedCounters {
    /// DDLs that could not be parsed and were sent as they were typed.
    pub(crate) unparsed_ddls: Counter,
    /// Changes with a row whose checksum does not match.
    pub(crate) corrupted_rows: Counter,
    /// Messages that were stored elsewhere because they are too large for Kafka.
    pub(crate) claim_checks: Counter,
}

impl FeedMetrics {
    /// Makes the gauges known under prefix `ticdc`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(self.accounts.clone()));
        let owner = registry.sub_registry_with_prefix("owner");
        owner.register(
            "checkpoint_ts",
            "Checkpoint of a changefeed, physical milliseconds",
            self.checkpoint_ts.clone(),
        );
        owner.register(
            "checkpoint_ts_lag",
            "Checkpoint lag of a changefeed, seconds",
            self.checkpoint_lag.clone(),
        );
        owner.register(
            "resolved_ts",
            "Resolved ts of a changefeed, physical milliseconds",
            self.resolved_ts.clone(),
        );
        owner.register(
            "resolved_ts_lag",
            "Resolved ts lag of a changefeed, seconds",
            self.resolved_lag.clone(),
        );
        owner.register("status", "State of a changefeed", self.status.clone());
        registry.register(
            "ddl_unparsed_count",
            "DDLs that could not be parsed and were sent as they were typed",
            self.unparsed_ddls.clone(),
        );
        registry.register(
            "corrupted_row_count",
            "Changes with a row whose checksum does not match",
            self.corrupted_rows.clone(),
        );
        registry.register(
            "sink_mq_claim_check_send_message_count",
            "Messages that were stored elsewhere because they are too large for Kafka",
            self.claim_checks.clone(),
        );
        let scheduler = registry.sub_registry_with_prefix("scheduler");
        scheduler.register("table_count", "Physical tables of a changefeed", self.tables.clone());
    }

    /// The counters of a changefeed.
    pub(crate) fn counters(&self, labels: &FeedLabels) -> FeedCounters {
        FeedCounters {
            unparsed_ddls: self.unparsed_ddls.get_or_create(labels).clone(),
            corrupted_rows: self.corrupted_rows.get_or_create(labels).clone(),
            claim_checks: self.claim_checks.get_or_create(labels).clone(),
        }
    }

    /// Sets what follows from progress.
    pub(crate) fn progress(&self, labels: &FeedLabels, checkpoint_ts: u64, resolved_ts: u64, tables: usize) {
        let physical = |ts: u64| (ts >> 18) as i64;
        let now = crate::encode::unix_ms() as i64;
        let lag = |ts: u64| (now - physical(ts)).max(0) as f64 / 1000.0;
        self.checkpoint_ts.get_or_create(labels).set(physical(checkpoint_ts));
        self.checkpoint_lag.get_or_create(labels).set(lag(checkpoint_ts));
        self.resolved_ts.get_or_create(labels).set(physical(resolved_ts));
        self.resolved_lag.get_or_create(labels).set(lag(resolved_ts));
        self.tables.get_or_create(labels).set(tables as i64);
    }

    /// Forgets a changefeed.
    pub(crate) fn remove(&self, labels: &FeedLabels) {
        self.checkpoint_ts.remove(labels);
        self.checkpoint_lag.remove(labels);
        self.resolved_ts.remove(labels);
        self.resolved_lag.remove(labels);
        self.status.remove(labels);
        self.tables.remove(labels);
        self.accounts.remove(&labels.changefeed);
        self.unparsed_ddls.remove(labels);
        self.corrupted_rows.remove(labels);
        self.claim_checks.remove(labels);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_shows_under_the_name_of_its_changefeed() {
        let (metrics, labels) = (FeedMetrics::default(), FeedLabels::new("feed"));
        let mut registry = Registry::with_prefix("ticdc");
        metrics.register(&mut registry);
        metrics.counters(&labels).unparsed_ddls.inc();
        metrics.counters(&labels).corrupted_rows.inc_by(2);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).expect("text");
        for line in [
            r#"ticdc_ddl_unparsed_count_total{namespace="default",changefeed="feed"} 1"#,
            r#"ticdc_corrupted_row_count_total{namespace="default",changefeed="feed"} 2"#,
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        metrics.remove(&labels);
        assert_eq!(metrics.counters(&labels).unparsed_ddls.get(), 0);
    }
}
