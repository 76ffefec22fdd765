//! Memory of changefeeds, by stage.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use event_sorter::{MemoryQuota, Stage};
use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use serde::Serialize;

use crate::metrics::FeedLabels;

/// What an account of memory holds, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemoryUse {
    /// Bytes that may be in use; the limit is soft.
    pub quota_bytes: usize,
    /// Bytes in use.
    pub used_bytes: usize,
    /// The same by stage.
    pub stages: BTreeMap<&'static str, usize>,
}

impl MemoryUse {
    /// What the account holds now.
    pub(crate) fn of(quota: &MemoryQuota) -> Self {
        let stages = Stage::ALL.into_iter().map(|stage| (stage.name(), quota.used_by(stage))).collect();
        Self { quota_bytes: quota.limit(), used_bytes: quota.used(), stages }
    }
}

/// Memory of a changefeed and of the process that it is a part of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FeedMemory {
    /// The changefeed: its `memory-quota`, but not more than that of the process.
    #[serde(flatten)]
    pub own: MemoryUse,
    /// All changefeeds of the capture: `memory-quota` of the server.
    pub process: MemoryUse,
}

impl FeedMemory {
    /// Which account is used up, in words, if one is. Prewrites do not count: streams are read in spite of them, since
    /// their commits must be.
    pub(crate) fn full(&self) -> Option<String> {
        let counted = |memory: &MemoryUse| {
            let prewrites = memory.stages.get(Stage::Prewrites.name()).copied().unwrap_or(0);
            memory.used_bytes.saturating_sub(prewrites)
        };
        let is_full = |memory: &&MemoryUse| counted(memory) >= memory.quota_bytes;
        let account = |memory: &MemoryUse, whose: &str| {
            format!("{} of {} bytes of the {whose}'s memory-quota", counted(memory), memory.quota_bytes)
        };
        let own = Some(&self.own).filter(is_full).map(|memory| account(memory, "changefeed"));
        own.or_else(|| Some(&self.process).filter(is_full).map(|memory| account(memory, "server")))
    }
}

/// Accounts of the changefeeds, by id, for metrics. Bounded by the number of changefeeds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Accounts {
    /// By labels; an account goes away with its changefeed.
    by_feed: Arc<Mutex<BTreeMap<String, Weak<MemoryQuota>>>>,
}

impl Accounts {
    /// Shows the account of a changefeed.
    pub(crate) fn add(&self, id: &str, quota: &Arc<MemoryQuota>) {
        self.by_feed.lock().insert(id.to_owned(), Arc::downgrade(quota));
    }

    /// Shows it no longer.
    pub(crate) fn remove(&self, id: &str) {
        self.by_feed.lock().remove(id);
    }
}

/// Labels of one stage of a changefeed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabels {
    /// Namespace; always `default`.
    namespace: String,
    /// Id.
    changefeed: String,
    /// Stage.
    stage: &'static str,
}

impl Collector for Accounts {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let accounts: Vec<_> = {
            let by_feed = self.by_feed.lock();
            by_feed.iter().filter_map(|(id, quota)| Some((FeedLabels::new(id), quota.upgrade()?))).collect()
        };
        if accounts.is_empty() {
            return Ok(());
        }
        let mut used = encoder.encode_descriptor(
            "changefeed_memory_bytes",
            "Memory in use by a stage of a changefeed",
            None,
            MetricType::Gauge,
        )?;
        for (labels, quota) in &accounts {
            for stage in Stage::ALL {
                let labels = StageLabels {
                    namespace: labels.namespace.clone(),
                    changefeed: labels.changefeed.clone(),
                    stage: stage.name(),
                };
                ConstGauge::new(quota.used_by(stage) as i64).encode(used.encode_family(&labels)?)?;
            }
        }
        let mut limits = encoder.encode_descriptor(
            "changefeed_memory_quota_bytes",
            "Memory that a changefeed may use",
            None,
            MetricType::Gauge,
        )?;
        for (labels, quota) in &accounts {
            ConstGauge::new(quota.limit() as i64).encode(limits.encode_family(labels)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn metrics_show_each_stage_of_each_changefeed() {
        let process = MemoryQuota::new(1000);
        let (one, two) = (process.child(600), process.child(700));
        let accounts = Accounts::default();
        accounts.add("one", &one);
        accounts.add("two", &two);
        let mut registry = Registry::with_prefix("ticdc");
        registry.register_collector(Box::new(accounts.clone()));
        let _frames = one.charge(Stage::Frames, 10);
        let sink = two.charge(Stage::Sink, 20);
        let mut text = String::new();
        encode(&mut text, &registry).expect("text");
        for line in [
            "ticdc_changefeed_memory_bytes{namespace=\"default\",changefeed=\"one\",stage=\"frames\"} 10",
            "ticdc_changefeed_memory_bytes{namespace=\"default\",changefeed=\"one\",stage=\"sink\"} 0",
            "ticdc_changefeed_memory_bytes{namespace=\"default\",changefeed=\"two\",stage=\"sink\"} 20",
            "ticdc_changefeed_memory_quota_bytes{namespace=\"default\",changefeed=\"two\"} 700",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
        }
        // An account lives as long as somebody holds it.
        drop((two, sink));
        accounts.remove("one");
        let mut text = String::new();
        encode(&mut text, &registry).expect("text");
        assert!(!text.contains("ticdc_changefeed_memory"), "{text}");
        assert_eq!(MemoryUse::of(&process).stages["frames"], 10);
    }
}
