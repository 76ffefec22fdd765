//! The replica config: the TOML file of a changefeed, and its stored JSON.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::duration::GoDuration;
use crate::error::ConfigError;
use crate::filter_config::FilterConfig;
use crate::known_keys::{Effect, Key, describe_unknown, special_keys, unknown_keys};
use crate::replica_keys::REPLICA_KEYS;
use crate::sink_config::SinkConfig;

/// Default memory quota of a changefeed, bytes.
const DEFAULT_MEMORY_QUOTA: u64 = 1 << 30;
/// Shortest tolerated `changefeed-error-stuck-duration`.
const MIN_STUCK_DURATION: GoDuration = GoDuration::from_secs(30 * 60);

/// Largest `event-collector-batch-count`.
const MAX_BATCH_COUNT: i64 = 8192;

/// `[mounter]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct MounterConfig {
    /// Kept for compatibility; row decoding follows the number of cores.
    pub worker_num: i64,
}

impl Default for MounterConfig {
    fn default() -> Self {
        Self { worker_num: 16 }
    }
}

/// `[scheduler]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[allow(missing_docs)] // carried: table splitting belongs to clusters of captures
pub struct SchedulerConfig {
    pub enable_table_across_nodes: bool,
    pub region_threshold: i64,
    pub region_count_per_span: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region_count_refresh_interval: Option<GoDuration>,
    pub write_key_threshold: i64,
    #[serde(alias = "scheduling-task-count-per-node")]
    pub scheduling_task_per_node: i64,
    pub enable_splittable_check: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub force_split: Option<bool>,
    pub balance_score_threshold: i64,
    pub min_traffic_percentage: f64,
    pub max_traffic_percentage: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region_per_span: Option<i64>,
}

impl Default for SchedulerConfig {
    fn default() -> Self {
        Self {
            enable_table_across_nodes: false,
            region_threshold: 100_000,
            region_count_per_span: 100,
            region_count_refresh_interval: None,
            write_key_threshold: 0,
            scheduling_task_per_node: 20,
            enable_splittable_check: false,
            force_split: None,
            balance_score_threshold: 20,
            min_traffic_percentage: 0.8,
            max_traffic_percentage: 1.25,
            region_per_span: None,
        }
    }
}

/// `[consistent]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[allow(missing_docs)] // carried: the redo log belongs to MySQL sinks
pub struct ConsistentConfig {
    pub level: String,
    pub max_log_size: i64,
    pub flush_interval: i64,
    pub meta_flush_interval: i64,
    pub encoding_worker_num: i64,
    pub flush_worker_num: i64,
    pub storage: String,
    pub use_file_backend: bool,
    pub compression: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flush_concurrency: Option<i64>,
    pub memory_usage: Value,
}

impl Default for ConsistentConfig {
    fn default() -> Self {
        Self {
            level: "none".to_owned(),
            max_log_size: 64,
            flush_interval: 2000,
            meta_flush_interval: 200,
            encoding_worker_num: 16,
            flush_worker_num: 8,
            storage: String::new(),
            use_file_backend: false,
            compression: String::new(),
            flush_concurrency: None,
            memory_usage: serde_json::json!({"memory-quota-percentage": 50}),
        }
    }
}

/// `[integrity]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct IntegrityConfig {
    /// `none` or `correctness`.
    pub integrity_check_level: String,
    /// `warn` or `error`.
    pub corruption_handle_level: String,
}

impl Default for IntegrityConfig {
    fn default() -> Self {
        Self { integrity_check_level: "none".to_owned(), corruption_handle_level: "warn".to_owned() }
    }
}

impl IntegrityConfig {
    /// True if checksums of rows are to be verified.
    pub fn checks_rows(&self) -> bool {
        self.integrity_check_level == "correctness"
    }

    /// True if a row whose checksum does not match ends the changefeed.
    pub fn refuses_corruption(&self) -> bool {
        self.corruption_handle_level == "error"
    }
}

/// `[synced-status]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct SyncedStatusConfig {
    /// Seconds without rows after which a changefeed counts as synced.
    pub synced_check_interval: i64,
    /// Seconds between checkpoints that still count as fresh.
    pub checkpoint_interval: i64,
}

impl Default for SyncedStatusConfig {
    fn default() -> Self {
        Self { synced_check_interval: 300, checkpoint_interval: 15 }
    }
}

/// The whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[allow(missing_docs)] // keys are those of TiCDC's documentation
pub struct ReplicaConfig {
    pub memory_quota: u64,
    pub case_sensitive: bool,
    pub force_replicate: bool,
    pub check_gc_safe_point: bool,
    pub enable_sync_point: bool,
    pub enable_table_monitor: bool,
    pub ignore_ineligible_table: bool,
    pub bdr_mode: bool,
    pub sync_point_interval: GoDuration,
    pub sync_point_retention: GoDuration,
    pub filter: FilterConfig,
    pub mounter: MounterConfig,
    pub sink: SinkConfig,
    pub consistent: ConsistentConfig,
    pub scheduler: SchedulerConfig,
    pub integrity: IntegrityConfig,
    pub changefeed_error_stuck_duration: GoDuration,
    pub synced_status: SyncedStatusConfig,
    pub sql_mode: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub performance_mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_active_active: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_active_progress_interval: Option<GoDuration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_active_sync_stats_interval: Option<GoDuration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_collector_batch_count: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_collector_batch_bytes: Option<i64>,
}

impl Default for ReplicaConfig {
    fn default() -> Self {
        Self {
            memory_quota: DEFAULT_MEMORY_QUOTA,
            case_sensitive: false,
            force_replicate: false,
            check_gc_safe_point: true,
            enable_sync_point: false,
            enable_table_monitor: false,
            ignore_ineligible_table: false,
            bdr_mode: false,
            sync_point_interval: GoDuration::from_secs(600),
            sync_point_retention: GoDuration::from_secs(24 * 3600),
            filter: FilterConfig::default(),
            mounter: MounterConfig::default(),
            sink: SinkConfig::default(),
            consistent: ConsistentConfig::default(),
            scheduler: SchedulerConfig::default(),
            integrity: IntegrityConfig::default(),
            changefeed_error_stuck_duration: MIN_STUCK_DURATION,
            synced_status: SyncedStatusConfig::default(),
            sql_mode: String::new(),
            performance_mode: None,
            enable_active_active: None,
            active_active_progress_interval: None,
            active_active_sync_stats_interval: None,
            event_collector_batch_count: None,
            event_collector_batch_bytes: None,
        }
    }
}

/// Reads TOML whose keys must be among `keys`; `what` (`server`) and `path` are named in errors. Besides the value, the
/// file as it was written, for [`special_keys`].
pub fn strict_toml<T: for<'de> Deserialize<'de>>(
    text: &str,
    keys: &[Key],
    what: &str,
    path: &str,
) -> Result<(T, Value), String> {
    let file: Value = toml::from_str(text).map_err(|e| format!("{path}: {e}"))?;
    let unknown = unknown_keys(&file, keys);
    if !unknown.is_empty() {
        return Err(describe_unknown(what, path, &unknown));
    }
    Ok((toml::from_str(text).map_err(|e| format!("{path}: {e}"))?, file))
}

/// The parts of `now` that differ from `default`.
fn changes(now: &Value, default: &Value) -> Option<Value> {
    match (now, default) {
        (Value::Object(now), Value::Object(default)) => {
            let changed = |(key, value): (&String, &Value)| {
                let changed = changes(value, default.get(key).unwrap_or(&Value::Null))?;
                Some((key.clone(), changed))
            };
            let map: serde_json::Map<_, _> = now.iter().filter_map(changed).collect();
            (!map.is_empty()).then_some(Value::Object(map))
        }
        (Value::Object(now), _) if now.is_empty() => None,
        _ => (now != default).then(|| now.clone()),
    }
}

impl ReplicaConfig {
    /// Reads a changefeed's TOML file; `path` is named in errors. Unknown keys are errors.
    pub fn from_toml(text: &str, path: &str) -> Result<Self, String> {
        strict_toml(text, REPLICA_KEYS, "changefeed", path).map(|(config, _)| config)
    }

    /// Keys that are set to something other than the default and do not simply work.
    fn special_keys(&self) -> Vec<Key> {
        let value = |config: &Self| serde_json::to_value(config).unwrap_or(Value::Null);
        let changed = changes(&value(self), &value(&Self::default())).unwrap_or(Value::Null);
        special_keys(&changed, REPLICA_KEYS)
    }

    /// A sentence for each key that is set and has no effect.
    pub fn without_effect(&self) -> Vec<String> {
        let sentence = |key: Key| match key.effect {
            Effect::Nothing(reason) => Some(format!("{} has no effect: {reason}", key.path)),
            Effect::Works | Effect::Refused(_) => None,
        };
        self.special_keys().into_iter().filter_map(sentence).collect()
    }

    /// Keys of the stored spelling in `config` that are unknown, with the nearest known ones.
    pub(crate) fn unknown_keys(config: &Value) -> Vec<crate::known_keys::UnknownKey> {
        unknown_keys(config, REPLICA_KEYS)
    }

    /// Checks what can be checked without the cluster, and fills in what the zero value stands for.
    pub fn validate_and_adjust(&mut self) -> Result<(), ConfigError> {
        for key in self.special_keys() {
            let Effect::Refused(reason) = key.effect else { continue };
            return Err(ConfigError::invalid(format!(
                "{} is not supported: {reason}; remove it (COMPAT.md lists what is supported)",
                key.path
            )));
        }
        if let Some(mode) = self.performance_mode.as_deref()
            && !matches!(mode, "" | "throughput" | "low-latency")
        {
            return Err(ConfigError::invalid(format!("unknown performance mode: {mode}")));
        }
        if self.memory_quota == 0 {
            self.memory_quota = DEFAULT_MEMORY_QUOTA;
        }
        if self.sink.encoder_concurrency < 0 {
            return Err(ConfigError::invalid(format!(
                "encoder-concurrency should greater than 0, but got {}",
                self.sink.encoder_concurrency
            )));
        }
        if let Some(count) = self.event_collector_batch_count
            && !(0..=MAX_BATCH_COUNT).contains(&count)
        {
            return Err(ConfigError::invalid(format!(
                "event-collector-batch-count {count}: use 0 to {MAX_BATCH_COUNT}"
            )));
        }
        if let Some(bytes) = self.event_collector_batch_bytes.filter(|bytes| *bytes < 0) {
            return Err(ConfigError::invalid(format!("event-collector-batch-bytes {bytes}: use 0 or more")));
        }
        if self.changefeed_error_stuck_duration < MIN_STUCK_DURATION {
            return Err(ConfigError::invalid("changefeed-error-stuck-duration should not be less than 30m"));
        }
        if self.enable_sync_point {
            return Err(ConfigError::invalid("enable-sync-point is only for mysql and tidb sinks"));
        }
        if self.bdr_mode {
            return Err(ConfigError::invalid("bdr-mode is not supported yet"));
        }
        if self.consistent.level != "none" && !self.consistent.level.is_empty() {
            return Err(ConfigError::invalid(
                "consistent.level: the redo log is only for mysql and tidb sinks",
            ));
        }
        for level in [&self.integrity.integrity_check_level] {
            if !matches!(level.as_str(), "none" | "correctness") {
                return Err(ConfigError::invalid(format!(
                    "integrity-check-level {level:?}: use none or correctness"
                )));
            }
        }
        if !matches!(self.integrity.corruption_handle_level.as_str(), "warn" | "error") {
            return Err(ConfigError::invalid("corruption-handle-level: use warn or error"));
        }
        if self.integrity.checks_rows() && self.sink.column_selectors.iter().any(|rules| !rules.is_empty()) {
            return Err(ConfigError::invalid(
                "integrity-check-level correctness cannot be used with column-selectors: set it to none, or remove \
                 the selectors",
            ));
        }
        for rule in self.sink.dispatchers.iter().flatten() {
            if !rule.dispatcher.is_empty() && !rule.partition.is_empty() {
                return Err(ConfigError::new(
                    "CDC:ErrSinkInvalidConfig",
                    "dispatcher and partition cannot be configured both",
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_of_a_file_are_all_named() {
        let error = ReplicaConfig::from_toml("unknown-key = 1\n[filter]\nrulez = ['x']\n", "bad.toml")
            .expect_err("bad");
        assert_eq!(
            error,
            "component TiCDC changefeed's config file bad.toml contained unknown configuration options: \
             unknown-key, filter.rulez; did you mean filter.rules for filter.rulez?"
        );
        for section in
            ["sink.kafka-config.codec-config", "sink.csv", "sink.kafka-config", "consistent.memory-usage"]
        {
            let text = format!("[{section}]\nno-such-thing = 1\n");
            let error = ReplicaConfig::from_toml(&text, "x").expect_err(section);
            assert!(error.ends_with(&format!("options: {section}.no-such-thing")), "{error}");
        }
    }

    #[test]
    fn every_key_of_the_defaults_is_known() {
        let defaults = serde_json::to_value(ReplicaConfig::default()).expect("json");
        assert!(ReplicaConfig::unknown_keys(&defaults).is_empty());
    }

    #[test]
    fn keys_without_effect_are_told_once_they_are_set() {
        assert!(ReplicaConfig::default().without_effect().is_empty());
        let text = "enable-table-monitor = true\n[mounter]\nworker-num = 3\n[scheduler]\nregion-threshold = 100000\n\
                    [sink]\nterminator = ''\n[sink.mysql-config]\nworker-count = 3\n[filter]\nrules = ['a.*']\n";
        let config = ReplicaConfig::from_toml(text, "x").expect("valid");
        let told = config.without_effect();
        let keys: Vec<&str> = told.iter().filter_map(|text| text.split(' ').next()).collect();
        assert_eq!(
            keys,
            ["enable-table-monitor", "mounter.worker-num", "sink.terminator", "sink.mysql-config"]
        );
    }

    #[test]
    fn a_file_changes_only_what_it_names() {
        let text = "case-sensitive = true\nsync-point-interval = \"5m\"\n[filter]\nrules = ['golden_cli.*']\n[sink]\n\
                    dispatchers = [{matcher = ['*.*'], partition = 'index-value'}]\n[sink.kafka-config]\npartition-num=3\n";
        let config = ReplicaConfig::from_toml(text, "cf.toml").expect("valid");
        assert!(config.case_sensitive);
        assert_eq!(config.sync_point_interval, GoDuration::from_secs(300));
        assert_eq!(config.filter.rules, ["golden_cli.*"]);
        assert_eq!(config.sink.dispatchers.as_ref().map(|d| d[0].partition.as_str()), Some("index-value"));
        assert_eq!(config.sink.encoder_concurrency, 32);
    }

    #[test]
    fn checksums_cannot_be_verified_with_column_selectors() {
        let level = |text: &str| {
            let text =
                format!("[integrity]\n{text}\n[[sink.column-selectors]]\nmatcher = ['*.*']\ncolumns = ['a']");
            ReplicaConfig::from_toml(&text, "x").expect("syntax").validate_and_adjust()
        };
        let error = level("integrity-check-level = 'correctness'").expect_err("refused");
        assert_eq!(error.code, "CDC:ErrInvalidReplicaConfig");
        assert!(error.message.contains("column-selectors"), "{error}");
        level("integrity-check-level = 'none'").expect("nothing is verified");
        assert!(level("integrity-check-level = 'all'").is_err());
        assert!(level("corruption-handle-level = 'ignore'").is_err());
    }

    #[test]
    fn what_kafka_sinks_cannot_do_is_refused() {
        for text in [
            "enable-sync-point = true",
            "changefeed-error-stuck-duration = \"1m\"",
            "bdr-mode = true",
            "enable-active-active = true",
            "performance-mode = \"fast\"",
        ] {
            let mut config = ReplicaConfig::from_toml(text, "x").expect("syntax");
            assert!(config.validate_and_adjust().is_err(), "{text}");
        }
    }
}
