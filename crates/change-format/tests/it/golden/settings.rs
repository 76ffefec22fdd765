//! The encoder's part of a recorded changefeed's configuration.

use change_format::CanalOptions;
use golden::Variant;

/// What the encoder and the dispatcher must know.
pub(crate) struct Settings {
    /// Settings of the encoder.
    pub(crate) options: CanalOptions,
    /// Whether tables without a key are replicated.
    pub(crate) force_replicate: bool,
    /// Rule of partition dispatch.
    pub(crate) dispatcher: String,
    /// Partitions of the topic.
    pub(crate) partitions: u32,
}

impl Settings {
    /// The settings of a changefeed.
    pub(crate) fn new(variant: &Variant) -> Self {
        let flag = |name: &str| {
            let pair = |pair: &str| pair.strip_prefix(name).is_some_and(|value| value == "=true");
            variant.sink_uri_query.split('&').any(pair)
        };
        let sink = &variant.replica_config["sink"];
        let options = CanalOptions {
            enable_tidb_extension: flag("enable-tidb-extension"),
            content_compatible: flag("content-compatible"),
            only_output_updated_columns: flag("only-output-updated-columns"),
            delete_only_output_handle_key_columns: sink["delete_only_output_handle_key_columns"] == true,
            ..CanalOptions::default()
        };
        Self {
            options,
            force_replicate: variant.replica_config["force_replicate"] == true,
            dispatcher: sink["dispatchers"][0]["partition"].as_str().unwrap_or("default").to_owned(),
            partitions: variant.partitions,
        }
    }
}
