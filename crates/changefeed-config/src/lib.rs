//! Changefeed configuration as users of TiCDC write it. Pure: no I/O.
//!
//! [`ReplicaConfig`] is the TOML file, the stored JSON and (with other key spelling, [`api_json`]) the JSON of the
//! HTTP API. [`SinkUri`] is the `--sink-uri`; [`KafkaOptions`] is what both together say about Kafka. [`TableFilter`],
//! [`EventFilter`] and [`EventRouter`] are the compiled rules.

pub mod api_json;
mod claim_check_uri;
mod duration;
mod error;
mod event_filter;
mod filter_config;
mod identifier;
mod info;
mod kafka_options;
mod kafka_security;
mod known_keys;
mod pattern;
mod replica;
mod replica_keys;
mod replica_toml;
mod router;
mod sink_config;
mod sink_uri;
mod table_filter;
mod value_filter;

pub use claim_check_uri::{
    ClaimCheckPlace, ClaimCheckStorage, DEFAULT_S3_REGION, S3Encryption, S3Keys, S3Place,
};
pub use duration::{GoDuration, format_go_duration, parse_go_duration};
pub use error::ConfigError;
pub use event_filter::{EventFilter, RowKind};
pub use filter_config::{EventFilterRule, FilterConfig};
pub use identifier::{new_changefeed_id, validate_changefeed_id, validate_cluster_id};
pub use info::{ChangeFeedInfo, ChangeFeedStatus, RunningError, State, physical_time, tso_text};
pub use kafka_options::{KafkaOptions, LargeMessageHandle, LargeMessageMode, Protocol, ValueCodec};
pub use kafka_security::{KerberosOptions, OauthOptions, PasswordOptions, SaslOptions, TlsFiles, TlsOptions};
pub use known_keys::{Effect, Key, special_keys};
pub use pattern::ColumnFilter;
pub use replica::{IntegrityConfig, ReplicaConfig, strict_toml};
pub use replica_toml::toml_text;
pub use router::{EventRouter, PartitionRule, TableRoute};
pub use sink_config::{
    CodecConfig, ColumnSelectorRule, DispatchRule, KafkaConfig, LargeMessageConfig, SinkConfig,
};
pub use sink_uri::{SinkUri, mask_uri};
pub use table_filter::TableFilter;
pub use value_filter::{ValueFilter, ValueMoment, invalid_expression};
