//! OffsetCommit, OffsetFetch, OffsetDelete.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse, OffsetFetchRequest,
    OffsetFetchResponse, TopicName,
};

use super::OK;
use super::groups::owned;
use crate::connection::Connection;
use crate::groups::{CommitError, Committed};
use crate::limits::MAX_OFFSET_METADATA_BYTES;
use crate::platform::now_ms;
use crate::wire::text;

/// First OffsetFetch version for several groups.
const MANY_GROUPS_VERSION: i16 = 8;
/// First OffsetFetch version with the leader epoch.
const LEADER_EPOCH_VERSION: i16 = 5;
/// Longest group id (bytes).
const MAX_GROUP_ID_BYTES: usize = 1024;

/// Error code of a failed journal write.
fn commit_code(e: CommitError) -> i16 {
    match e {
        CommitError::Storage => ResponseError::CoordinatorNotAvailable.code(),
        CommitError::Full => ResponseError::PolicyViolation.code(),
    }
}

/// Stores offsets; answers when they are on disk.
pub(super) async fn commit(c: &Connection, request: OffsetCommitRequest) -> OffsetCommitResponse {
    let group = owned(&request.group_id.0);
    let allowed = if group.len() > MAX_GROUP_ID_BYTES {
        Err(ResponseError::InvalidGroupId)
    } else {
        let instance = request.group_instance_id.as_deref();
        let generation = request.generation_id_or_member_epoch;
        c.broker.groups.check_commit(&group, &request.member_id, instance, generation)
    };
    let at_ms = now_ms();
    let mut offsets = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for t in request.topics {
        let known = c.broker.catalog.by_name(&t.name);
        let mut partitions = Vec::with_capacity(t.partitions.len());
        for p in t.partitions {
            let exists = known.as_ref().is_some_and(|t| t.partition(p.partition_index).is_some());
            let metadata = p.committed_metadata.as_ref().map(owned).unwrap_or_default();
            let refused = match allowed {
                Err(e) => Some(e),
                Ok(()) if !exists => Some(ResponseError::UnknownTopicOrPartition),
                Ok(()) if metadata.len() > MAX_OFFSET_METADATA_BYTES => {
                    Some(ResponseError::OffsetMetadataTooLarge)
                }
                Ok(()) => None,
            };
            if refused.is_none() {
                let (offset, leader_epoch) = (p.committed_offset, p.committed_leader_epoch);
                let committed = Committed { offset, leader_epoch, metadata, at_ms };
                offsets.push((owned(&t.name.0), p.partition_index, committed));
            }
            let code = refused.map_or(OK, |e| e.code());
            let answer = OffsetCommitResponsePartition::default();
            partitions.push(answer.with_partition_index(p.partition_index).with_error_code(code));
        }
        topics.push(OffsetCommitResponseTopic::default().with_name(t.name).with_partitions(partitions));
    }
    if let Err(e) = c.broker.offsets.commit(&group, offsets).await {
        for p in topics.iter_mut().flat_map(|t| &mut t.partitions).filter(|p| p.error_code == OK) {
            p.error_code = commit_code(e);
        }
    }
    OffsetCommitResponse::default().with_topics(topics)
}

/// Offsets of the named partitions, or of all with a committed offset.
type Wanted = Option<Vec<(TopicName, Vec<i32>)>>;
/// Offsets by topic and partition; `None` where nothing was committed.
type Found = Vec<(TopicName, Vec<(i32, Option<Committed>)>)>;

/// Looks committed offsets up.
fn find(c: &Connection, group: &str, wanted: Wanted) -> Found {
    if let Some(wanted) = wanted {
        let find = |topic: &TopicName, p: i32| (p, c.broker.offsets.get(group, topic, p));
        let topic = |(name, ps): (TopicName, Vec<i32>)| {
            let offsets = ps.into_iter().map(|p| find(&name, p)).collect();
            (name, offsets)
        };
        return wanted.into_iter().map(topic).collect();
    }
    let mut found: Found = Vec::new();
    for (topic, partition, committed) in c.broker.offsets.all(group) {
        match found.last_mut().filter(|(name, _)| name.as_str() == topic) {
            Some((_, offsets)) => offsets.push((partition, Some(committed))),
            None => found.push((text(topic).into(), vec![(partition, Some(committed))])),
        }
    }
    found
}

/// Reads committed offsets.
pub(super) fn fetch(c: &Connection, version: i16, request: OffsetFetchRequest) -> OffsetFetchResponse {
    if version >= MANY_GROUPS_VERSION {
        let mut groups = Vec::with_capacity(request.groups.len());
        for g in request.groups {
            let wanted = g.topics.map(|ts| ts.into_iter().map(|t| (t.name, t.partition_indexes)).collect());
            let topics = find(c, &g.group_id, wanted).into_iter().map(new_topic).collect();
            groups.push(OffsetFetchResponseGroup::default().with_group_id(g.group_id).with_topics(topics));
        }
        return OffsetFetchResponse::default().with_groups(groups);
    }
    let wanted = request.topics.map(|ts| ts.into_iter().map(|t| (t.name, t.partition_indexes)).collect());
    let topics = find(c, &request.group_id, wanted).into_iter().map(|t| old_topic(t, version)).collect();
    OffsetFetchResponse::default().with_topics(topics)
}

/// A topic in the answer for several groups.
fn new_topic((name, offsets): (TopicName, Vec<(i32, Option<Committed>)>)) -> OffsetFetchResponseTopics {
    let partition = |(index, committed): (i32, Option<Committed>)| {
        let answer = OffsetFetchResponsePartitions::default().with_partition_index(index);
        match committed {
            Some(o) => answer
                .with_committed_offset(o.offset)
                .with_committed_leader_epoch(o.leader_epoch)
                .with_metadata(Some(text(o.metadata))),
            None => {
                answer.with_committed_offset(-1).with_committed_leader_epoch(-1).with_metadata(Some(text("")))
            }
        }
    };
    OffsetFetchResponseTopics::default()
        .with_name(name)
        .with_partitions(offsets.into_iter().map(partition).collect())
}

/// A topic in the answer for one group.
fn old_topic(
    (name, offsets): (TopicName, Vec<(i32, Option<Committed>)>),
    version: i16,
) -> OffsetFetchResponseTopic {
    let partition = |(index, committed): (i32, Option<Committed>)| {
        let (offset, epoch, metadata) =
            committed.map_or((-1, -1, String::new()), |o| (o.offset, o.leader_epoch, o.metadata));
        let answer = OffsetFetchResponsePartition::default()
            .with_partition_index(index)
            .with_committed_offset(offset)
            .with_metadata(Some(text(metadata)));
        if version >= LEADER_EPOCH_VERSION { answer.with_committed_leader_epoch(epoch) } else { answer }
    };
    OffsetFetchResponseTopic::default()
        .with_name(name)
        .with_partitions(offsets.into_iter().map(partition).collect())
}

/// Removes committed offsets of a group without members.
pub(super) async fn delete(c: &Connection, request: OffsetDeleteRequest) -> OffsetDeleteResponse {
    let group = owned(&request.group_id.0);
    if c.broker.groups.has_members(&group) {
        return OffsetDeleteResponse::default().with_error_code(ResponseError::NonEmptyGroup.code());
    }
    if !c.broker.offsets.has_group(&group) {
        return OffsetDeleteResponse::default().with_error_code(ResponseError::GroupIdNotFound.code());
    }
    let mut removed = Vec::new();
    for t in &request.topics {
        removed.extend(t.partitions.iter().map(|p| (owned(&t.name.0), p.partition_index)));
    }
    let code = c.broker.offsets.remove(&group, removed).await.map_or_else(commit_code, |()| OK);
    let mut topics = Vec::with_capacity(request.topics.len());
    for t in request.topics {
        let partition = |index| {
            OffsetDeleteResponsePartition::default().with_partition_index(index).with_error_code(code)
        };
        let partitions = t.partitions.iter().map(|p| partition(p.partition_index)).collect();
        topics.push(OffsetDeleteResponseTopic::default().with_name(t.name).with_partitions(partitions));
    }
    OffsetDeleteResponse::default().with_topics(topics)
}
