//! The metrics of the process as text.

use std::sync::Arc;

use changefeed::FeedMetrics;
use event_sorter::{MemoryQuota, Stage};
use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use tikv_cdc::CdcMetrics;

/// Every metric of the process.
#[derive(Clone)]
pub(crate) struct Metrics {
    /// Prefix `ticdc`.
    registry: Arc<Mutex<Registry>>,
    /// +1 every five seconds on the owner.
    pub(crate) ownership: Counter,
}

/// Memory in use, read when it is asked for.
#[derive(Debug)]
struct MemoryCollector {
    /// The account.
    quota: Arc<MemoryQuota>,
}

impl Collector for MemoryCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let quota = ConstGauge::new(self.quota.limit() as i64);
        let descriptor = encoder.encode_descriptor(
            "memory_quota_bytes",
            "Memory for changefeeds",
            None,
            quota.metric_type(),
        )?;
        quota.encode(descriptor)?;
        for stage in Stage::ALL {
            let used = ConstGauge::new(self.quota.used_by(stage) as i64);
            let name = format!("memory_{}_bytes", stage.name());
            let descriptor =
                encoder.encode_descriptor(&name, "Memory in use by a stage", None, used.metric_type())?;
            used.encode(descriptor)?;
        }
        Ok(())
    }
}

impl Metrics {
    /// Registers everything.
    pub(crate) fn new(feeds: &FeedMetrics, cdc: &CdcMetrics, quota: Arc<MemoryQuota>) -> Self {
        let mut registry = Registry::with_prefix("ticdc");
        feeds.register(&mut registry);
        cdc.register(&mut registry);
        registry.register_collector(Box::new(MemoryCollector { quota }));
        let ownership = Counter::default();
        registry.sub_registry_with_prefix("owner").register(
            "ownership_counter",
            "Owner of the cluster",
            ownership.clone(),
        );
        Self { registry: Arc::new(Mutex::new(registry)), ownership }
    }

    /// The metrics in Prometheus' text format.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        match encode(&mut out, &self.registry.lock()) {
            Ok(()) => out,
            Err(error) => format!("# metrics can't be written: {error}\n"),
        }
    }
}
