//! DescribeConfigs, AlterConfigs, IncrementalAlterConfigs.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse as IncrementalResponse;
use kafka_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, DescribeConfigsRequest, DescribeConfigsResponse,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::{OK, catalog_code};
use crate::catalog::{BROKER_SETTINGS, ConfigChange, Overrides, SettingKind, TOPIC_SETTINGS};
use crate::config::TopicConfig;
use crate::connection::Connection;
use crate::limits::{MAX_FRAME_BYTES, OFFSETS_RETENTION};
use crate::wire::text;

/// Resource type of topics.
const TOPIC: i8 = 2;
/// Resource type of brokers.
const BROKER: i8 = 4;
/// Source of a value: set for the topic.
const SOURCE_TOPIC: i8 = 1;
/// Source of a value: set when the broker was started.
const SOURCE_STATIC_BROKER: i8 = 4;
/// Source of a value: built in.
const SOURCE_DEFAULT: i8 = 5;

/// A setting with its value in effect.
#[derive(Debug)]
pub(super) struct Entry {
    /// Kafka name.
    pub(super) name: String,
    /// Value.
    pub(super) value: String,
    /// Where the value comes from.
    pub(super) source: i8,
    /// Cannot be changed by a client.
    read_only: bool,
    /// Type of the value.
    kind: SettingKind,
    /// One sentence about it.
    documentation: &'static str,
    /// Name and value of the broker setting behind it, and its source.
    fallback: Option<(&'static str, String, i8)>,
}

/// Source of a broker-wide default.
fn default_source(defaults: &TopicConfig, value: fn(&TopicConfig) -> String) -> i8 {
    if value(defaults) == value(&TopicConfig::default()) { SOURCE_DEFAULT } else { SOURCE_STATIC_BROKER }
}

/// The settings of a topic.
pub(super) fn topic_entries(
    config: &TopicConfig,
    overrides: &Overrides,
    defaults: &TopicConfig,
) -> Vec<Entry> {
    let entry = |s: &crate::catalog::Setting| {
        let default = default_source(defaults, s.value);
        Entry {
            name: s.name.to_owned(),
            value: (s.value)(config),
            source: if overrides.contains_key(s.name) { SOURCE_TOPIC } else { default },
            read_only: false,
            kind: s.kind,
            documentation: s.documentation,
            fallback: Some((s.broker_name, (s.value)(defaults), default)),
        }
    };
    TOPIC_SETTINGS.iter().map(entry).collect()
}

/// The settings of the broker.
fn broker_entries(c: &Connection) -> Vec<Entry> {
    let config = &c.broker.config;
    let (host, port) = c.advertised();
    let value = |name: &str| match name {
        "advertised.listeners" => format!("PLAINTEXT://{host}:{port}"),
        "auto.create.topics.enable" => config.auto_create_topics.to_string(),
        "broker.id" => config.node_id.to_string(),
        "connections.max.idle.ms" => config.idle_timeout.as_millis().to_string(),
        "group.initial.rebalance.delay.ms" => config.initial_rebalance_delay.as_millis().to_string(),
        "log.dirs" => config.data_dir.display().to_string(),
        "num.partitions" => config.default_partitions.to_string(),
        "offsets.retention.minutes" => (OFFSETS_RETENTION.as_secs() / 60).to_string(),
        "socket.request.max.bytes" => config.max_frame_bytes.min(MAX_FRAME_BYTES).to_string(),
        _ => "1".to_owned(),
    };
    let entry = |name: &str, value, source, kind, documentation| Entry {
        name: name.to_owned(),
        value,
        source,
        read_only: true,
        kind,
        documentation,
        fallback: None,
    };
    let own =
        BROKER_SETTINGS.iter().map(|(n, kind, doc)| entry(n, value(n), SOURCE_STATIC_BROKER, *kind, doc));
    let defaults = &config.topic_defaults;
    let of_topics = TOPIC_SETTINGS.iter().map(|s| {
        entry(s.broker_name, (s.value)(defaults), default_source(defaults, s.value), s.kind, s.documentation)
    });
    let mut entries: Vec<Entry> = own.chain(of_topics).collect();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    entries
}

/// Settings of topics and of the broker.
pub(super) fn describe(c: &Connection, request: DescribeConfigsRequest) -> DescribeConfigsResponse {
    let (synonyms, documentation) = (request.include_synonyms, request.include_documentation);
    let describe = |resource| describe_one(c, resource, synonyms, documentation);
    DescribeConfigsResponse::default().with_results(request.resources.into_iter().map(describe).collect())
}

/// Settings of one resource.
fn describe_one(
    c: &Connection,
    resource: DescribeConfigsResource,
    synonyms: bool,
    documentation: bool,
) -> DescribeConfigsResult {
    let answer = DescribeConfigsResult::default()
        .with_resource_type(resource.resource_type)
        .with_resource_name(resource.resource_name.clone());
    let entries = match resource.resource_type {
        TOPIC => match c.broker.catalog.by_name(&resource.resource_name) {
            Some(t) => Ok(topic_entries(&t.config(), &t.overrides(), &c.broker.config.topic_defaults)),
            None => Err((ResponseError::UnknownTopicOrPartition, "the topic does not exist")),
        },
        BROKER if is_this_broker(c, &resource.resource_name) => Ok(broker_entries(c)),
        BROKER => Err((ResponseError::InvalidRequest, "there is no broker with this id")),
        _ => Err((ResponseError::InvalidRequest, "only topics and the broker have settings")),
    };
    let entries = match entries {
        Ok(entries) => entries,
        Err((error, reason)) => {
            return answer.with_error_code(error.code()).with_error_message(Some(text(reason)));
        }
    };
    let wanted = |e: &Entry| match &resource.configuration_keys {
        Some(keys) if !keys.is_empty() => keys.iter().any(|k| k.as_str() == e.name),
        _ => true,
    };
    let entry = |e: Entry| result(e, synonyms, documentation);
    answer.with_error_code(OK).with_configs(entries.into_iter().filter(wanted).map(entry).collect())
}

/// An empty name stands for the defaults of all brokers.
fn is_this_broker(c: &Connection, name: &str) -> bool {
    name.is_empty() || name == c.broker.config.node_id.to_string()
}

/// One setting as the protocol tells it.
fn result(e: Entry, synonyms: bool, documentation: bool) -> DescribeConfigsResourceResult {
    let synonym = |name: String, value: String, source| {
        DescribeConfigsSynonym::default()
            .with_name(text(name))
            .with_value(Some(text(value)))
            .with_source(source)
    };
    let mut known = Vec::new();
    if synonyms {
        if e.source == SOURCE_TOPIC || e.fallback.is_none() {
            known.push(synonym(e.name.clone(), e.value.clone(), e.source));
        }
        if let Some((name, value, source)) = e.fallback {
            known.push(synonym(name.to_owned(), value, source));
        }
    }
    DescribeConfigsResourceResult::default()
        .with_name(text(e.name))
        .with_value(Some(text(e.value)))
        .with_read_only(e.read_only)
        .with_config_source(e.source)
        .with_synonyms(known)
        .with_config_type(e.kind as i8)
        .with_documentation(documentation.then(|| text(e.documentation)))
}

/// Replaces all settings of topics.
pub(super) async fn alter(c: &Connection, request: AlterConfigsRequest) -> AlterConfigsResponse {
    let mut responses = Vec::with_capacity(request.resources.len());
    for r in request.resources {
        let mut changes = Vec::with_capacity(r.configs.len());
        for config in r.configs {
            let change = config.value.map_or(ConfigChange::Delete, |v| ConfigChange::Set(v.to_string()));
            changes.push((config.name.to_string(), change));
        }
        let (code, reason) =
            change(c, r.resource_type, &r.resource_name, changes, true, request.validate_only).await;
        responses.push(
            AlterConfigsResourceResponse::default()
                .with_error_code(code)
                .with_error_message(reason)
                .with_resource_type(r.resource_type)
                .with_resource_name(r.resource_name),
        );
    }
    AlterConfigsResponse::default().with_responses(responses)
}

/// Changes some settings of topics.
pub(super) async fn alter_incrementally(
    c: &Connection,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    /// Operation: set the value.
    const SET: i8 = 0;
    /// Operation: back to the default.
    const DELETE: i8 = 1;
    let mut responses = Vec::with_capacity(request.resources.len());
    for r in request.resources {
        let mut changes = Vec::with_capacity(r.configs.len());
        for config in r.configs {
            let change = match config.config_operation {
                SET => ConfigChange::Set(config.value.map(|v| v.to_string()).unwrap_or_default()),
                DELETE => ConfigChange::Delete,
                _ => ConfigChange::List,
            };
            changes.push((config.name.to_string(), change));
        }
        let (code, reason) =
            change(c, r.resource_type, &r.resource_name, changes, false, request.validate_only).await;
        responses.push(
            IncrementalResponse::default()
                .with_error_code(code)
                .with_error_message(reason)
                .with_resource_type(r.resource_type)
                .with_resource_name(r.resource_name),
        );
    }
    IncrementalAlterConfigsResponse::default().with_responses(responses)
}

/// Changes the settings of one resource; returns error code and reason.
async fn change(
    c: &Connection,
    resource_type: i8,
    name: &str,
    changes: Vec<(String, ConfigChange)>,
    replace: bool,
    validate_only: bool,
) -> (i16, Option<StrBytes>) {
    if resource_type != TOPIC {
        let reason = "only settings of topics can be changed while the broker runs";
        return (ResponseError::InvalidRequest.code(), Some(text(reason)));
    }
    match c.broker.catalog.configure(name, changes, replace, validate_only).await {
        Ok(()) => (OK, None),
        Err(e) => (catalog_code(&e), Some(text(e.to_string()))),
    }
}
