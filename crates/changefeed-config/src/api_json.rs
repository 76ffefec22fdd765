//! The replica config as the HTTP API writes it: snake case, and empty values left out.

use serde_json::{Map, Value};

use crate::error::ConfigError;
use crate::replica::ReplicaConfig;
use crate::sink_uri::mask_uri;

/// Keys that the API spells in its own way: path of the parent, key in the file, key in the API.
const SPECIAL: [(&str, &str, &str); 10] = [
    ("sink", "advance-timeout-in-sec", "advance_timeout"),
    ("sink", "file-index-digit", "file_index_width"),
    ("sink", "send-all-bootstrap-at-start", "send-all-bootstrap-at-start"),
    ("scheduler", "region-count-per-span", "region-count-per-span"),
    ("scheduler", "scheduling-task-per-node", "scheduling-task-per-node"),
    ("scheduler", "enable-splittable-check", "enable-splittable-check"),
    ("scheduler", "balance-score-threshold", "balance-score-threshold"),
    ("scheduler", "min-traffic-percentage", "min-traffic-percentage"),
    ("scheduler", "max-traffic-percentage", "max-traffic-percentage"),
    ("scheduler", "force-split", "force-split"),
];
/// Keys of `[sink]` that only the stored form has, or that are empty in the API.
const HIDDEN: [(&str, &str); 3] =
    [("", "sql-mode"), ("filter", "ignore-txn-start-ts"), ("filter", "event-filters")];

/// Words in the names of configuration values that are secret.
const SECRET_WORDS: [&str; 5] = ["password", "secret", "token", "access_key", "access-key"];
/// Values that are URIs, with secrets in their queries.
const URIS: [&str; 2] = ["claim_check_storage_uri", "claim-check-storage-uri"];

/// The config, in the API's spelling or as it is stored, without secrets.
pub fn mask(mut config: Value) -> Value {
    for kafka in ["/sink/kafka_config", "/sink/kafka-config"] {
        if let Some(kafka) = config.pointer_mut(kafka) {
            mask_values(kafka);
        }
    }
    config
}

/// Replaces the secret texts of an object and of the objects inside it.
fn mask_values(object: &mut Value) {
    let Some(object) = object.as_object_mut() else { return };
    for (key, value) in object.iter_mut() {
        let named = SECRET_WORDS.iter().any(|word| key.contains(word)) && !key.ends_with("url");
        if named && value.as_str().is_some_and(|text| !text.is_empty()) {
            *value = Value::from("xxxxx");
        }
        if URIS.contains(&key.as_str())
            && let Some(uri) = value.as_str()
        {
            *value = Value::from(mask_uri(uri));
        }
        mask_values(value);
    }
}

/// The config in the API's spelling.
pub fn to_api(config: &ReplicaConfig) -> Value {
    let stored = serde_json::to_value(config).unwrap_or(Value::Null);
    let mut api = rename(stored, "", &|parent, key| {
        let special = SPECIAL.iter().find(|(p, k, _)| *p == parent && *k == key);
        special.map_or_else(|| key.replace('-', "_"), |(_, _, api)| (*api).to_owned())
    });
    if let Some(map) = api.as_object_mut() {
        reorder(map);
    }
    api
}

/// Puts the top-level keys and those of `sink` into the API's order, and leaves out what it does not show.
fn reorder(map: &mut Map<String, Value>) {
    const TOP: [&str; 10] = [
        "memory_quota",
        "case_sensitive",
        "force_replicate",
        "ignore_ineligible_table",
        "check_gc_safe_point",
        "enable_sync_point",
        "enable_table_monitor",
        "bdr_mode",
        "sync_point_interval",
        "sync_point_retention",
    ];
    const SINK: [&str; 4] = ["protocol", "schema_registry", "csv", "dispatchers"];
    let front = |map: &mut Map<String, Value>, keys: &[&str]| {
        let mut old = std::mem::take(map);
        for key in keys {
            if let Some(value) = old.shift_remove(*key) {
                map.insert((*key).to_owned(), value);
            }
        }
        map.extend(old);
    };
    front(map, &TOP);
    if let Some(sink) = map.get_mut("sink").and_then(Value::as_object_mut) {
        front(sink, &SINK);
        let (open, debezium) = (sink.shift_remove("open"), sink.shift_remove("debezium"));
        sink.extend(debezium.map(|v| ("debezium".to_owned(), v)));
        sink.extend(open.map(|v| ("open".to_owned(), v)));
        for rule in sink.get_mut("dispatchers").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(rule) = rule.as_object_mut() {
                rule.retain(|_, value| !is_empty(value));
            }
        }
    }
    if let Some(consistent) = map.get_mut("consistent").and_then(Value::as_object_mut) {
        consistent.retain(|_, value| !is_empty(value));
    }
}

/// Null, or an empty text or list.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// Renames keys on every level; `parent` is the key of the object in the stored form.
fn rename(value: Value, parent: &str, name: &dyn Fn(&str, &str) -> String) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.into_iter()
                .filter(|(key, value)| {
                    !HIDDEN.contains(&(parent, key.as_str()))
                        || (parent == "filter" && !value.is_null() && !is_empty(value))
                })
                .map(|(key, value)| (name(parent, &key), rename(value, &key, name)))
                .collect(),
        ),
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|item| rename(item, parent, name)).collect())
        }
        other => other,
    }
}

/// Reads the API's spelling over the defaults. Unknown keys are ignored, as TiCDC does here; null means default.
pub fn from_api(api: Value) -> Result<ReplicaConfig, ConfigError> {
    let stored = to_stored(api, "");
    serde_json::from_value(stored).map_err(|e| {
        ConfigError::new("CDC:ErrAPIInvalidParam", format!("invalid api parameter: replica_config: {e}"))
    })
}

/// Keys of a request that nobody knows, in the stored spelling. TiCDC reads over them without a word; the caller warns.
pub fn unknown_keys(api: &Value) -> Vec<String> {
    let described = |key: crate::known_keys::UnknownKey| match key.nearest {
        Some(nearest) => format!("{} (did you mean {nearest}?)", key.path),
        None => key.path,
    };
    ReplicaConfig::unknown_keys(&to_stored(api.clone(), "")).into_iter().map(described).collect()
}

/// Renames keys to the stored spelling and drops nulls.
fn to_stored(value: Value, parent: &str) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| {
                    let special = SPECIAL.iter().find(|(p, _, api)| *p == parent && *api == key);
                    let stored =
                        special.map_or_else(|| key.replace('_', "-"), |(_, stored, _)| (*stored).to_owned());
                    let value = to_stored(value, &stored);
                    (stored, value)
                })
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(|item| to_stored(item, parent)).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a TiCDC server answered for a changefeed without a config file.
    const RECORDED: &str = r#"{"memory_quota":1073741824,"case_sensitive":false,"force_replicate":false,"ignore_ineligible_table":true,"check_gc_safe_point":true,"enable_sync_point":false,"enable_table_monitor":false,"bdr_mode":false,"sync_point_interval":600000000000,"sync_point_retention":86400000000000,"filter":{"rules":["*.*"]},"mounter":{"worker_num":16},"sink":{"protocol":"canal-json","csv":{"delimiter":",","quote":"\"","null":"\\N","include_commit_ts":false,"binary_encoding_method":"base64","output_old_value":false,"output_handle_key":false,"output_field_header":false},"encoder_concurrency":32,"terminator":"\r\n","date_separator":"day","enable_partition_separator":true,"only_output_updated_columns":false,"delete_only_output_handle_key_columns":false,"content_compatible":false,"advance_timeout":150,"send_bootstrap_interval_in_sec":120,"send_bootstrap_in_msg_count":10000,"send_bootstrap_to_all_partition":true,"send-all-bootstrap-at-start":false,"debezium_disable_schema":false,"debezium":{"output_old_value":true},"open":{"output_old_value":true}},"consistent":{"level":"none","max_log_size":64,"flush_interval":2000,"meta_flush_interval":200,"encoding_worker_num":16,"flush_worker_num":8,"use_file_backend":false,"memory_usage":{"memory_quota_percentage":50}},"scheduler":{"enable_table_across_nodes":false,"region_threshold":100000,"region-count-per-span":100,"write_key_threshold":0,"scheduling-task-per-node":20,"enable-splittable-check":false,"balance-score-threshold":20,"min-traffic-percentage":0.8,"max-traffic-percentage":1.25},"integrity":{"integrity_check_level":"none","corruption_handle_level":"warn"},"changefeed_error_stuck_duration":1800000000000,"synced_status":{"synced_check_interval":300,"checkpoint_interval":15}}"#;

    #[test]
    fn the_api_form_is_ticdcs_to_the_byte() {
        let mut config = ReplicaConfig { ignore_ineligible_table: true, ..ReplicaConfig::default() };
        config.sink.protocol = Some("canal-json".to_owned());
        assert_eq!(to_api(&config).to_string(), RECORDED);
    }

    #[test]
    fn the_api_form_is_read_back() {
        let config = from_api(serde_json::from_str(RECORDED).expect("json")).expect("valid");
        assert_eq!(to_api(&config).to_string(), RECORDED);
        let config =
            from_api(serde_json::json!({"unknown_key": 1, "sync_point_interval": "5m"})).expect("lenient");
        assert_eq!(config.sync_point_interval.0.as_secs(), 300);
        assert!(from_api(serde_json::json!({"memory_quota": "x"})).is_err());
        let unknown = unknown_keys(&serde_json::json!({"case_sensitiv": true, "filter": {"rules": []}}));
        assert_eq!(unknown, ["case-sensitiv (did you mean case-sensitive?)"]);
        assert!(unknown_keys(&serde_json::from_str(RECORDED).expect("json")).is_empty());
    }
}
