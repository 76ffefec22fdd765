//! Metadata.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse};

use super::{OK, catalog_code};
use crate::catalog::Topic;
use crate::connection::Connection;
use crate::log::LEADER_EPOCH;
use crate::wire::text;

/// First request version in which an absent list, not an empty one, means all topics.
const NULL_MEANS_ALL_VERSION: i16 = 1;
/// First request version with the leader epoch.
const LEADER_EPOCH_VERSION: i16 = 7;

/// The broker and the topics asked for, which are created if they are unknown and that is allowed.
pub(super) async fn metadata(c: &Connection, version: i16, request: MetadataRequest) -> MetadataResponse {
    let (host, port) = c.advertised();
    let node = BrokerId(c.broker.config.node_id);
    let broker =
        MetadataResponseBroker::default().with_node_id(node).with_host(text(host)).with_port(i32::from(port));
    let all = match &request.topics {
        None => true,
        Some(topics) => topics.is_empty() && version < NULL_MEANS_ALL_VERSION,
    };
    let topics = if all {
        c.broker.catalog.all().iter().map(|t| describe(t, node, version)).collect()
    } else {
        let mut topics = Vec::new();
        for wanted in request.topics.unwrap_or_default() {
            topics.push(find(c, version, wanted, request.allow_auto_topic_creation).await);
        }
        topics
    };
    MetadataResponse::default()
        .with_brokers(vec![broker])
        .with_cluster_id(Some(text(c.broker.catalog.cluster_id())))
        .with_controller_id(node)
        .with_topics(topics)
}

/// One topic by name or id.
async fn find(
    c: &Connection,
    version: i16,
    wanted: MetadataRequestTopic,
    create: bool,
) -> MetadataResponseTopic {
    let node = BrokerId(c.broker.config.node_id);
    let Some(name) = wanted.name else {
        return match c.broker.catalog.by_id(wanted.topic_id) {
            Some(topic) => describe(&topic, node, version),
            None => MetadataResponseTopic::default()
                .with_topic_id(wanted.topic_id)
                .with_name(None)
                .with_error_code(ResponseError::UnknownTopicId.code()),
        };
    };
    let found = match c.broker.catalog.by_name(&name) {
        Some(topic) => Ok(topic),
        None if create => c.broker.topic_or_create(&name).await.map_err(|e| catalog_code(&e)),
        None => Err(ResponseError::UnknownTopicOrPartition.code()),
    };
    match found {
        Ok(topic) => describe(&topic, node, version),
        Err(code) => MetadataResponseTopic::default().with_name(Some(name)).with_error_code(code),
    }
}

/// A known topic; this node leads all its partitions.
fn describe(topic: &Arc<Topic>, node: BrokerId, version: i16) -> MetadataResponseTopic {
    let partition = |index| {
        let partition = MetadataResponsePartition::default()
            .with_error_code(OK)
            .with_partition_index(index)
            .with_leader_id(node)
            .with_replica_nodes(vec![node])
            .with_isr_nodes(vec![node]);
        if version >= LEADER_EPOCH_VERSION { partition.with_leader_epoch(LEADER_EPOCH) } else { partition }
    };
    MetadataResponseTopic::default()
        .with_error_code(OK)
        .with_name(Some(text(&*topic.name).into()))
        .with_topic_id(topic.id)
        .with_partitions((0..topic.partition_count()).map(partition).collect())
}
