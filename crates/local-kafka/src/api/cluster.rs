//! FindCoordinator, DescribeCluster, DescribeLogDirs.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::{
    BrokerId, DescribeClusterRequest, DescribeClusterResponse, DescribeLogDirsRequest,
    DescribeLogDirsResponse, FindCoordinatorRequest, FindCoordinatorResponse,
};

use super::OK;
use crate::connection::Connection;
use crate::wire::text;

/// Key type of consumer groups.
const GROUP: i8 = 0;
/// Key type of transactional producers.
const TRANSACTION: i8 = 1;
/// First FindCoordinator version with several keys.
const BATCH_VERSION: i16 = 4;
/// First FindCoordinator version with an error text.
const MESSAGE_VERSION: i16 = 1;
/// Endpoint type of brokers in DescribeCluster.
const BROKERS: i8 = 1;

/// This node coordinates every group; there is no coordinator for anything else.
pub(super) fn find_coordinator(
    c: &Connection,
    version: i16,
    request: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    let (host, port) = c.advertised();
    // The only error after which every client gives up a transactional producer at once.
    let (error, refused) = match request.key_type {
        GROUP => (OK, None),
        TRANSACTION => {
            (ResponseError::TransactionalIdAuthorizationFailed.code(), Some("transactions are not supported"))
        }
        _ => (ResponseError::InvalidRequest.code(), Some("there are only coordinators of consumer groups")),
    };
    let node = BrokerId(if refused.is_some() { -1 } else { c.broker.config.node_id });
    let (host, port) = if refused.is_some() { (String::new(), -1) } else { (host, i32::from(port)) };
    if version < BATCH_VERSION {
        let answer = FindCoordinatorResponse::default()
            .with_error_code(error)
            .with_node_id(node)
            .with_host(text(host))
            .with_port(port);
        return if version >= MESSAGE_VERSION {
            answer.with_error_message(refused.map(text))
        } else {
            answer
        };
    }
    let coordinator = |key| {
        Coordinator::default()
            .with_key(key)
            .with_error_code(error)
            .with_error_message(refused.map(text))
            .with_node_id(node)
            .with_host(text(host.clone()))
            .with_port(port)
    };
    FindCoordinatorResponse::default()
        .with_coordinators(request.coordinator_keys.into_iter().map(coordinator).collect())
}

/// The cluster of one node.
pub(super) fn describe_cluster(c: &Connection, request: DescribeClusterRequest) -> DescribeClusterResponse {
    let answer = DescribeClusterResponse::default()
        .with_cluster_id(text(c.broker.catalog.cluster_id()))
        .with_endpoint_type(request.endpoint_type);
    if request.endpoint_type != BROKERS {
        return answer
            .with_error_code(ResponseError::UnsupportedEndpointType.code())
            .with_error_message(Some(text("there are no controller endpoints")));
    }
    let (host, port) = c.advertised();
    let node = BrokerId(c.broker.config.node_id);
    let broker = DescribeClusterBroker::default()
        .with_broker_id(node)
        .with_host(text(host))
        .with_port(i32::from(port));
    answer.with_controller_id(node).with_brokers(vec![broker])
}

/// Sizes of partitions.
pub(super) fn describe_log_dirs(c: &Connection, request: DescribeLogDirsRequest) -> DescribeLogDirsResponse {
    let partition = |index, size| {
        DescribeLogDirsPartition::default()
            .with_partition_index(index)
            .with_partition_size(i64::try_from(size).unwrap_or(i64::MAX))
    };
    let mut topics = Vec::new();
    for topic in c.broker.catalog.all() {
        let wanted = request.topics.as_ref().map(|ts| ts.iter().find(|t| t.topic.0.as_str() == &*topic.name));
        let partitions = topic.partitions();
        let described: Vec<_> = match wanted {
            Some(None) => continue,
            Some(Some(t)) => {
                let known = t.partitions.iter().filter_map(|i| topic.partition(*i));
                known.map(|p| partition(p.id().index, p.size())).collect()
            }
            None => partitions.iter().map(|p| partition(p.id().index, p.size())).collect(),
        };
        let name = text(&*topic.name).into();
        topics.push(DescribeLogDirsTopic::default().with_name(name).with_partitions(described));
    }
    let dir = c.broker.config.data_dir.display().to_string();
    let result = DescribeLogDirsResult::default().with_log_dir(text(dir)).with_topics(topics);
    DescribeLogDirsResponse::default().with_results(vec![result])
}
