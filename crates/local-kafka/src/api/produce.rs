//! Produce.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse};
use tokio::sync::oneshot;
use tracing::debug;

use super::{Answer, OK};
use crate::batch::{BatchHeader, validate_produced};
use crate::catalog::Topic;
use crate::connection::Connection;
use crate::log::{AppendError, Appended, PartitionLog};
use crate::wire::{Request, WireError, text};

/// First request version which names topics by id.
const TOPIC_ID_VERSION: i16 = 13;
/// `acks` of a producer which wants no answer.
const NO_ACKS: i16 = 0;

/// A batch on its way: refused, or waiting for the log.
enum Pending {
    /// Refused with an error and the reason.
    Refused(ResponseError, Option<String>),
    /// Queued.
    Queued(oneshot::Receiver<Result<Appended, AppendError>>),
}

/// Stores the batches and answers when they are as durable as the flush policy asks for.
pub(super) async fn answer(c: &Connection, request: &Request) -> Result<Answer, WireError> {
    let produce: ProduceRequest = request.decode()?;
    let acks = produce.acks;
    let refusal = refuse_all(&produce);
    let mut pending = Vec::with_capacity(produce.topic_data.len());
    for topic in produce.topic_data {
        let TopicProduceData { name, topic_id, partition_data, .. } = topic;
        let known = if request.version >= TOPIC_ID_VERSION {
            c.broker.catalog.by_id(topic_id).ok_or(ResponseError::UnknownTopicId)
        } else {
            c.broker.catalog.by_name(&name).ok_or(ResponseError::UnknownTopicOrPartition)
        };
        let known = refusal.map_or(known, Err);
        let mut partitions = Vec::with_capacity(partition_data.len());
        for PartitionProduceData { index, records, .. } in partition_data {
            partitions.push((index, queue(c, &known, index, records).await));
        }
        pending.push((name, topic_id, partitions));
    }
    let mut answer = ProduceResponse::default();
    let mut failed = false;
    for (name, topic_id, partitions) in pending {
        let mut responses = Vec::with_capacity(partitions.len());
        for (index, pending) in partitions {
            let response = finish(index, pending).await;
            failed |= response.error_code != OK;
            responses.push(response);
        }
        let topic = TopicProduceResponse::default().with_partition_responses(responses);
        answer.responses.push(if request.version >= TOPIC_ID_VERSION {
            topic.with_topic_id(topic_id)
        } else {
            topic.with_name(name)
        });
    }
    if acks == NO_ACKS {
        // The only way to tell such a producer of a failure is to end the connection.
        return Ok(if failed { Answer::Close } else { Answer::None });
    }
    Ok(Answer::Bytes { bytes: request.encode(&answer, 0)?, memory: None })
}

/// An error which concerns the whole request.
fn refuse_all(produce: &ProduceRequest) -> Option<ResponseError> {
    if !(-1..=1).contains(&produce.acks) {
        Some(ResponseError::InvalidRequiredAcks)
    } else if produce.transactional_id.is_some() {
        Some(ResponseError::InvalidTxnState)
    } else {
        None
    }
}

/// Checks the records of a partition and hands them to the log.
async fn queue(
    c: &Connection,
    topic: &Result<Arc<Topic>, ResponseError>,
    index: i32,
    records: Option<Bytes>,
) -> Pending {
    let topic = match topic {
        Ok(topic) => topic,
        Err(e) => return Pending::Refused(*e, None),
    };
    let Some(partition) = topic.partition(index) else {
        return Pending::Refused(ResponseError::UnknownTopicOrPartition, None);
    };
    let records = records.unwrap_or_default();
    match check(&partition, &records) {
        Ok(header) => Pending::Queued(c.broker.io.append(&partition, records, header).await),
        Err((error, reason)) => {
            debug!(partition = %partition.id(), peer = %c.peer, %error, reason, "refusing records");
            Pending::Refused(error, Some(reason))
        }
    }
}

/// Checks the records of a partition.
fn check(partition: &PartitionLog, records: &[u8]) -> Result<BatchHeader, (ResponseError, String)> {
    let limit = partition.config().max_message_bytes;
    if usize::try_from(limit).is_ok_and(|l| records.len() > l) {
        let reason = format!("the record batch of {} bytes exceeds max.message.bytes={limit}", records.len());
        return Err((ResponseError::MessageTooLarge, reason));
    }
    validate_produced(records).map_err(|e| (e.response(), e.to_string()))
}

/// Waits for the log and builds the answer for one partition.
async fn finish(index: i32, pending: Pending) -> PartitionProduceResponse {
    let response = PartitionProduceResponse::default().with_index(index);
    let outcome = match pending {
        Pending::Refused(error, reason) => {
            return response
                .with_error_code(error.code())
                .with_base_offset(-1)
                .with_error_message(reason.map(text));
        }
        Pending::Queued(outcome) => outcome.await.unwrap_or(Err(AppendError::Closed)),
    };
    match outcome {
        Ok(Appended { base_offset, log_start }) => {
            response.with_base_offset(base_offset).with_log_start_offset(log_start)
        }
        Err(e) => {
            let error = match e {
                AppendError::Closed => ResponseError::UnknownTopicOrPartition,
                AppendError::Storage => ResponseError::KafkaStorageError,
                AppendError::StaleEpoch => ResponseError::InvalidProducerEpoch,
                AppendError::OutOfOrder => ResponseError::OutOfOrderSequenceNumber,
                AppendError::Duplicate => ResponseError::DuplicateSequenceNumber,
            };
            response
                .with_error_code(error.code())
                .with_base_offset(-1)
                .with_error_message(Some(text(e.to_string())))
        }
    }
}
