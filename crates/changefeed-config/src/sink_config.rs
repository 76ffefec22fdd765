//! `[sink]`: where changes go and how they look.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `[[sink.dispatchers]]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct DispatchRule {
    /// Table filter rules.
    pub matcher: Vec<String>,
    /// Old name of `partition`.
    pub dispatcher: String,
    /// Partition rule.
    pub partition: String,
    /// Index for `index-value`.
    pub index: String,
    /// Columns for `columns`.
    pub columns: Option<Vec<String>>,
    /// Topic expression.
    pub topic: String,
    /// Routed schema name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub target_schema: String,
    /// Routed table name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub target_table: String,
}

/// `[[sink.column-selectors]]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ColumnSelectorRule {
    /// Table filter rules.
    pub matcher: Vec<String>,
    /// Column filter rules.
    pub columns: Vec<String>,
}

/// `[sink.kafka-config.codec-config]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct CodecConfig {
    /// `_tidb` fields and watermarks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_tidb_extension: Option<bool>,
    /// Rows per message (open-protocol).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_batch_size: Option<i64>,
    /// Avro watermarks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avro_enable_watermark: Option<bool>,
    /// Avro decimals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avro_decimal_handling_mode: Option<String>,
    /// Avro unsigned bigints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avro_bigint_unsigned_handling_mode: Option<String>,
    /// Avro before images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avro_include_before_value: Option<bool>,
    /// Encoding of protocol simple.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding_format: Option<String>,
    /// `_tidb.rowkey`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_row_key: Option<bool>,
}

/// `[sink.kafka-config.large-message-handle]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct LargeMessageConfig {
    /// `none`, `handle-key-only` or `claim-check`.
    pub large_message_handle_option: String,
    /// `none`, `snappy` or `lz4`.
    pub large_message_handle_compression: String,
    /// Where claim-check puts messages.
    pub claim_check_storage_uri: String,
    /// Claim-check stores the bare value.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub claim_check_raw_value: bool,
}

/// `[sink.kafka-config]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[allow(missing_docs)] // the keys are documented where they are used: `KafkaOptions`
pub struct KafkaConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition_num: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replication_factor: Option<i16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kafka_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_message_bytes: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kafka_client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_create_topic: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dial_timeout: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write_timeout: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_timeout: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required_acks: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sasl_user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sasl_password: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sasl_mechanism: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sasl_gssapi_auth_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sasl_gssapi_keytab_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sasl_gssapi_kerberos_config_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sasl_gssapi_service_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sasl_gssapi_user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sasl_gssapi_password: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sasl_gssapi_realm: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sasl_gssapi_disable_pafxfast: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sasl_oauth_client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sasl_oauth_client_secret: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sasl_oauth_token_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sasl_oauth_scopes: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sasl_oauth_grant_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sasl_oauth_audience: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_tls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insecure_skip_verify: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec_config: Option<CodecConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub large_message_handle: Option<LargeMessageConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_raw_change_event: Option<bool>,
    /// Settings of AWS Glue: kept, and refused when used.
    #[serde(flatten)]
    pub other: serde_json::Map<String, Value>,
}

/// `[sink]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[allow(missing_docs)] // keys of sinks that are not Kafka are only carried
pub struct SinkConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction_atomicity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_registry: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dispatchers: Option<Vec<DispatchRule>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column_selectors: Option<Vec<ColumnSelectorRule>>,
    pub encoder_concurrency: i64,
    pub terminator: String,
    pub date_separator: String,
    pub enable_partition_separator: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_index_digit: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_kafka_sink_v2: Option<bool>,
    pub only_output_updated_columns: bool,
    pub delete_only_output_handle_key_columns: bool,
    pub content_compatible: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub safe_mode: Option<bool>,
    pub advance_timeout_in_sec: u64,
    pub send_bootstrap_interval_in_sec: i64,
    pub send_bootstrap_in_msg_count: i64,
    pub send_bootstrap_to_all_partition: bool,
    pub send_all_bootstrap_at_start: bool,
    pub debezium_disable_schema: bool,
    pub csv: Value,
    pub open: Value,
    pub debezium: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kafka_config: Option<KafkaConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pulsar_config: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mysql_config: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloud_storage_config: Option<Value>,
}

impl Default for SinkConfig {
    fn default() -> Self {
        Self {
            protocol: None,
            transaction_atomicity: None,
            schema_registry: None,
            dispatchers: None,
            column_selectors: None,
            encoder_concurrency: 32,
            terminator: "\r\n".to_owned(),
            date_separator: "day".to_owned(),
            enable_partition_separator: true,
            file_index_digit: None,
            enable_kafka_sink_v2: None,
            only_output_updated_columns: false,
            delete_only_output_handle_key_columns: false,
            content_compatible: false,
            safe_mode: None,
            advance_timeout_in_sec: 150,
            send_bootstrap_interval_in_sec: 120,
            send_bootstrap_in_msg_count: 10_000,
            send_bootstrap_to_all_partition: true,
            send_all_bootstrap_at_start: false,
            debezium_disable_schema: false,
            csv: serde_json::json!({
                "delimiter": ",", "quote": "\"", "null": "\\N", "include-commit-ts": false,
                "binary-encoding-method": "base64", "output-old-value": false, "output-handle-key": false,
                "output-field-header": false
            }),
            open: serde_json::json!({"output-old-value": true}),
            debezium: serde_json::json!({"output-old-value": true}),
            kafka_config: None,
            pulsar_config: None,
            mysql_config: None,
            cloud_storage_config: None,
        }
    }
}
