//! CreateTopics, DeleteTopics, CreatePartitions, DeleteRecords.

use std::collections::BTreeMap;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use kafka_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{
    BrokerId, CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse,
    DeleteRecordsRequest, DeleteRecordsResponse, DeleteTopicsRequest, DeleteTopicsResponse,
};
use uuid::Uuid;

use super::configs::topic_entries;
use super::{OK, catalog_code};
use crate::catalog::Overrides;
use crate::connection::Connection;
use crate::log::DeleteError;
use crate::wire::text;

/// First DeleteTopics version with topic ids.
const DELETE_BY_ID_VERSION: i16 = 6;
/// First DeleteTopics version with an error text.
const DELETE_MESSAGE_VERSION: i16 = 5;
/// Stands for "the broker's default" in numbers of partitions and replicas.
const DEFAULT: i32 = -1;

/// A refusal: error code and reason.
type Refusal = (i16, String);

/// Creates topics.
pub(super) async fn create(c: &Connection, request: CreateTopicsRequest) -> CreateTopicsResponse {
    let mut named: BTreeMap<String, usize> = BTreeMap::new();
    for t in &request.topics {
        *named.entry(t.name.to_string()).or_default() += 1;
    }
    let mut results = Vec::with_capacity(request.topics.len());
    for t in request.topics {
        let answer = CreatableTopicResult::default().with_name(t.name.clone());
        let created = if named.get(t.name.as_str()).is_some_and(|n| *n > 1) {
            Err((ResponseError::InvalidRequest.code(), "the topic is named twice".to_owned()))
        } else {
            create_one(c, &t, request.validate_only).await
        };
        results.push(match created {
            Ok((id, partitions, configs)) => answer
                .with_topic_id(id)
                .with_num_partitions(partitions)
                .with_replication_factor(1)
                .with_configs(Some(configs)),
            Err((code, reason)) => answer
                .with_error_code(code)
                .with_error_message(Some(text(reason)))
                .with_num_partitions(-1)
                .with_replication_factor(-1)
                .with_configs(Some(Vec::new())),
        });
    }
    CreateTopicsResponse::default().with_topics(results)
}

/// Creates one topic, or checks whether it could be; returns id, number of partitions and settings.
async fn create_one(
    c: &Connection,
    topic: &CreatableTopic,
    validate_only: bool,
) -> Result<(Uuid, i32, Vec<CreatableTopicConfigs>), Refusal> {
    let partitions = partitions_wanted(c, topic)?;
    let mut overrides = Overrides::new();
    for config in &topic.configs {
        if let Some(value) = &config.value {
            overrides.insert(config.name.to_string(), value.to_string());
        }
    }
    let refused = |e| (catalog_code(&e), e.to_string());
    let (id, config) = if validate_only {
        let config = c.broker.catalog.check_new(&topic.name, partitions, &overrides).map_err(refused)?;
        (Uuid::nil(), config)
    } else {
        let created =
            c.broker.catalog.create(&topic.name, partitions, overrides.clone()).await.map_err(refused)?;
        (created.id, created.config())
    };
    let entry = |e: super::configs::Entry| {
        CreatableTopicConfigs::default()
            .with_name(text(e.name))
            .with_value(Some(text(e.value)))
            .with_config_source(e.source)
    };
    let entries = topic_entries(&config, &overrides, &c.broker.config.topic_defaults);
    Ok((id, partitions, entries.into_iter().map(entry).collect()))
}

/// Number of partitions of a topic to be created; checks replication factor and assignment.
fn partitions_wanted(c: &Connection, topic: &CreatableTopic) -> Result<i32, Refusal> {
    let node = BrokerId(c.broker.config.node_id);
    if topic.assignments.is_empty() {
        if topic.replication_factor != 1 && i32::from(topic.replication_factor) != DEFAULT {
            let reason = format!("replication factor {} on a broker without peers", topic.replication_factor);
            return Err((ResponseError::InvalidReplicationFactor.code(), reason));
        }
        let default = topic.num_partitions == DEFAULT;
        return Ok(if default { c.broker.config.default_partitions } else { topic.num_partitions });
    }
    let mut indexes: Vec<i32> = topic.assignments.iter().map(|a| a.partition_index).collect();
    indexes.sort_unstable();
    let consecutive = indexes.iter().zip(0_i32..).all(|(index, expected)| *index == expected);
    let here = topic.assignments.iter().all(|a| a.broker_ids == [node]);
    if !consecutive || !here {
        let reason = format!("partitions must be numbered from 0 and be assigned to broker {} only", node.0);
        return Err((ResponseError::InvalidReplicaAssignment.code(), reason));
    }
    i32::try_from(indexes.len()).map_err(|e| (ResponseError::InvalidPartitions.code(), e.to_string()))
}

/// Deletes topics by name or id.
pub(super) async fn delete(
    c: &Connection,
    version: i16,
    request: DeleteTopicsRequest,
) -> DeleteTopicsResponse {
    let by_name = |name| DeleteTopicState::default().with_name(Some(name));
    let wanted: Vec<DeleteTopicState> = if version >= DELETE_BY_ID_VERSION {
        request.topics
    } else {
        request.topic_names.into_iter().map(by_name).collect()
    };
    let mut responses = Vec::with_capacity(wanted.len());
    for t in wanted {
        let known = c.broker.catalog.by_id(t.topic_id);
        let name = t.name.map(|n| n.to_string()).or_else(|| known.as_ref().map(|k| k.name.to_string()));
        let outcome = match &name {
            Some(name) => c.broker.delete_topic(name).await.map_err(|e| (catalog_code(&e), e.to_string())),
            None => Err((ResponseError::UnknownTopicId.code(), "there is no topic with this id".to_owned())),
        };
        let (code, reason) = outcome.map_or_else(|(code, reason)| (code, Some(reason)), |()| (OK, None));
        let mut answer =
            DeletableTopicResult::default().with_name(name.map(|n| text(n).into())).with_error_code(code);
        if version >= DELETE_BY_ID_VERSION {
            answer = answer.with_topic_id(t.topic_id);
        }
        if version >= DELETE_MESSAGE_VERSION {
            answer = answer.with_error_message(reason.map(text));
        }
        responses.push(answer);
    }
    DeleteTopicsResponse::default().with_responses(responses)
}

/// Adds partitions to topics.
pub(super) async fn create_partitions(
    c: &Connection,
    request: CreatePartitionsRequest,
) -> CreatePartitionsResponse {
    let mut results = Vec::with_capacity(request.topics.len());
    for t in request.topics {
        let grown = match check_assignments(c, &t) {
            Ok(()) => {
                let grown = c.broker.catalog.grow(&t.name, t.count, request.validate_only).await;
                grown.map_err(|e| (catalog_code(&e), e.to_string()))
            }
            Err(refusal) => Err(refusal),
        };
        let (code, reason) = grown.map_or_else(|(code, reason)| (code, Some(reason)), |()| (OK, None));
        let answer = CreatePartitionsTopicResult::default().with_name(t.name).with_error_code(code);
        results.push(answer.with_error_message(reason.map(text)));
    }
    CreatePartitionsResponse::default().with_results(results)
}

/// New partitions can only be assigned to this node.
fn check_assignments(c: &Connection, t: &CreatePartitionsTopic) -> Result<(), Refusal> {
    let node = BrokerId(c.broker.config.node_id);
    let here = t.assignments.iter().flatten().all(|a| a.broker_ids == [node]);
    let reason = || format!("new partitions must be assigned to broker {} only", node.0);
    if here { Ok(()) } else { Err((ResponseError::InvalidReplicaAssignment.code(), reason())) }
}

/// Makes records before an offset invisible.
pub(super) async fn delete_records(c: &Connection, request: DeleteRecordsRequest) -> DeleteRecordsResponse {
    let mut topics = Vec::with_capacity(request.topics.len());
    for t in request.topics {
        let known = c.broker.catalog.by_name(&t.name);
        let mut partitions = Vec::with_capacity(t.partitions.len());
        for p in t.partitions {
            let outcome = match known.as_ref().and_then(|t| t.partition(p.partition_index)) {
                Some(log) => c.broker.io.delete_records(&log, p.offset).await.map_err(|e| match e {
                    DeleteError::OutOfRange => ResponseError::OffsetOutOfRange,
                    DeleteError::Closed => ResponseError::UnknownTopicOrPartition,
                    DeleteError::Storage => ResponseError::KafkaStorageError,
                }),
                None => Err(ResponseError::UnknownTopicOrPartition),
            };
            let (code, low) = outcome.map_or_else(|e| (e.code(), -1), |low| (OK, low));
            let answer = DeleteRecordsPartitionResult::default().with_partition_index(p.partition_index);
            partitions.push(answer.with_error_code(code).with_low_watermark(low));
        }
        topics.push(DeleteRecordsTopicResult::default().with_name(t.name).with_partitions(partitions));
    }
    DeleteRecordsResponse::default().with_topics(topics)
}
