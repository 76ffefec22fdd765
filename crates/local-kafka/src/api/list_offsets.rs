//! ListOffsets and OffsetForLeaderEpoch.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_offsets_request::ListOffsetsPartition;
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use kafka_protocol::messages::{
    ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
};

use super::OK;
use crate::connection::Connection;
use crate::log::{LEADER_EPOCH, PartitionLog, ReadError};

/// Asks for the end of the log.
const LATEST: i64 = -1;
/// Asks for the first visible record.
const EARLIEST: i64 = -2;
/// Asks for the record with the largest timestamp.
const MAX_TIMESTAMP: i64 = -3;
/// Asks for the first record on local disk; all of them are.
const EARLIEST_LOCAL: i64 = -4;
/// First ListOffsets version with the leader epoch.
const LEADER_EPOCH_VERSION: i16 = 4;
/// Offset and timestamp of "there is none".
const NONE: (i64, i64) = (-1, -1);

/// Offsets by position or time.
pub(super) async fn list_offsets(
    c: &Connection,
    version: i16,
    request: ListOffsetsRequest,
) -> ListOffsetsResponse {
    let mut topics = Vec::with_capacity(request.topics.len());
    for t in request.topics {
        let mut partitions = Vec::with_capacity(t.partitions.len());
        for p in t.partitions {
            let answer = ListOffsetsPartitionResponse::default().with_partition_index(p.partition_index);
            partitions.push(match find(c, &t.name, &p).await {
                Ok((offset, timestamp)) => {
                    let known = offset >= 0 && version >= LEADER_EPOCH_VERSION;
                    let epoch = if known { LEADER_EPOCH } else { -1 };
                    answer.with_offset(offset).with_timestamp(timestamp).with_leader_epoch(epoch)
                }
                Err(e) => answer.with_error_code(e.code()),
            });
        }
        topics.push(ListOffsetsTopicResponse::default().with_name(t.name).with_partitions(partitions));
    }
    ListOffsetsResponse::default().with_topics(topics)
}

/// One partition by topic name.
fn partition(
    c: &Connection,
    topic: &str,
    index: i32,
    epoch: i32,
) -> Result<Arc<PartitionLog>, ResponseError> {
    if epoch > LEADER_EPOCH {
        return Err(ResponseError::UnknownLeaderEpoch);
    }
    let topic = c.broker.catalog.by_name(topic);
    topic.and_then(|t| t.partition(index)).ok_or(ResponseError::UnknownTopicOrPartition)
}

/// Offset and timestamp which answer one query.
async fn find(
    c: &Connection,
    topic: &str,
    query: &ListOffsetsPartition,
) -> Result<(i64, i64), ResponseError> {
    let log = partition(c, topic, query.partition_index, query.current_leader_epoch)?;
    let marks = log.watermarks().ok_or(ResponseError::UnknownTopicOrPartition)?;
    match query.timestamp {
        LATEST => Ok((marks.end, -1)),
        EARLIEST | EARLIEST_LOCAL => Ok((marks.log_start, -1)),
        MAX_TIMESTAMP => Ok(log.newest_timestamp().unwrap_or(NONE)),
        timestamp if timestamp < 0 => Ok(NONE),
        timestamp => {
            let _turn = c.broker.reads.acquire().await;
            let found = tokio::task::spawn_blocking(move || log.offset_at_time(timestamp)).await;
            match found {
                Ok(Ok(found)) => Ok(found.unwrap_or(NONE)),
                Ok(Err(ReadError::Closed)) => Err(ResponseError::UnknownTopicOrPartition),
                Ok(Err(ReadError::OutOfRange | ReadError::Storage)) | Err(_) => {
                    Err(ResponseError::KafkaStorageError)
                }
            }
        }
    }
}

/// Ends of leader epochs; there is one epoch, and it ends with the log.
pub(super) fn leader_epochs(
    c: &Connection,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let mut topics = Vec::with_capacity(request.topics.len());
    for t in request.topics {
        let end =
            |p: &kafka_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition| {
                let answer = EpochEndOffset::default().with_partition(p.partition);
                let log = partition(c, &t.topic, p.partition, p.current_leader_epoch);
                let marks = log.and_then(|l| l.watermarks().ok_or(ResponseError::UnknownTopicOrPartition));
                match marks {
                    Err(e) => answer.with_error_code(e.code()),
                    Ok(marks) if p.leader_epoch == LEADER_EPOCH => {
                        answer.with_error_code(OK).with_leader_epoch(LEADER_EPOCH).with_end_offset(marks.end)
                    }
                    Ok(_) => answer.with_leader_epoch(-1).with_end_offset(-1),
                }
            };
        let partitions = t.partitions.iter().map(end).collect();
        topics.push(
            OffsetForLeaderTopicResult::default().with_topic(t.topic.clone()).with_partitions(partitions),
        );
    }
    OffsetForLeaderEpochResponse::default().with_topics(topics)
}
