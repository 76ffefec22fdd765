//! Fetch. Waits for data by a bell which appends ring, never by looking again after a time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::FetchPartition;
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::{FetchRequest, FetchResponse, TopicName};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::{Answer, OK};
use crate::connection::Connection;
use crate::limits::{MAX_FETCH_BYTES, MAX_FETCH_WAIT};
use crate::log::{LEADER_EPOCH, PartitionLog, ReadError, Waiter, Watermarks};
use crate::wire::{Request, WireError};

/// First request version which names topics by id.
const TOPIC_ID_VERSION: i16 = 13;

/// One partition of a fetch.
struct Part {
    /// The log, or why there is none.
    log: Result<Arc<PartitionLog>, ResponseError>,
    /// Number of the partition.
    index: i32,
    /// Offset to read from.
    offset: i64,
    /// Bytes wanted at most.
    max_bytes: usize,
}

/// What was read from one partition.
struct Read {
    /// Error, or success.
    error: Option<ResponseError>,
    /// First visible offset and end at the time of reading.
    marks: Watermarks,
    /// The batches.
    records: Bytes,
}

/// One round of reading all partitions.
struct Round {
    /// Per partition, in the order of the request.
    reads: Vec<Read>,
    /// Bytes of all batches.
    bytes: usize,
    /// An error or a full partition: the answer must not wait.
    ready: bool,
    /// Memory of the batches.
    memory: Option<OwnedSemaphorePermit>,
}

/// A topic of the request: its name or id, and how many partitions of it are asked for.
type TopicKey = (TopicName, Uuid, usize);

/// Reads records, waiting for them as long as the client allows.
pub(super) async fn answer(c: &Connection, request: &Request) -> Result<Answer, WireError> {
    let fetch: FetchRequest = request.decode()?;
    if fetch.session_id != 0 {
        // Sessions are never granted, so the client cannot have one.
        let error = ResponseError::FetchSessionIdNotFound.code();
        let answer = FetchResponse::default().with_error_code(error);
        return Ok(Answer::Bytes { bytes: request.encode(&answer, 0)?, memory: None });
    }
    let limit = usize::try_from(fetch.max_bytes).unwrap_or(0).min(MAX_FETCH_BYTES);
    let min_bytes = usize::try_from(fetch.min_bytes).unwrap_or(0).min(limit);
    let wait = Duration::from_millis(u64::try_from(fetch.max_wait_ms).unwrap_or(0)).min(MAX_FETCH_WAIT);
    let deadline = Instant::now() + wait;
    let (topics, parts) = resolve(c, request.version, fetch);
    let parts: Arc<[Part]> = parts.into();
    let round = wait_for(c, &parts, limit, min_bytes, deadline).await;
    let hint = round.bytes + parts.len() * 64;
    let answer = build(request.version, topics, &parts, round.reads);
    let memory = round.memory;
    Ok(Answer::Bytes { bytes: request.encode(&answer, hint)?, memory })
}

/// Finds the partitions of a request.
fn resolve(c: &Connection, version: i16, fetch: FetchRequest) -> (Vec<TopicKey>, Vec<Part>) {
    let mut topics = Vec::with_capacity(fetch.topics.len());
    let mut parts = Vec::new();
    for t in fetch.topics {
        let known = if version >= TOPIC_ID_VERSION {
            c.broker.catalog.by_id(t.topic_id).ok_or(ResponseError::UnknownTopicId)
        } else {
            c.broker.catalog.by_name(&t.topic).ok_or(ResponseError::UnknownTopicOrPartition)
        };
        topics.push((t.topic, t.topic_id, t.partitions.len()));
        for p in t.partitions {
            let log = known.as_ref().map_err(|e| *e).and_then(|topic| {
                check_epoch(&p)?;
                topic.partition(p.partition).ok_or(ResponseError::UnknownTopicOrPartition)
            });
            let max_bytes = usize::try_from(p.partition_max_bytes).unwrap_or(0);
            parts.push(Part { log, index: p.partition, offset: p.fetch_offset, max_bytes });
        }
    }
    (topics, parts)
}

/// A client which knows a newer leader than there ever was is wrong here.
fn check_epoch(p: &FetchPartition) -> Result<(), ResponseError> {
    if p.current_leader_epoch > LEADER_EPOCH { Err(ResponseError::UnknownLeaderEpoch) } else { Ok(()) }
}

/// Watches partitions as long as it lives.
struct Watch<'a> {
    /// Rung by appends.
    waiter: Waiter,
    /// The partitions.
    parts: &'a [Part],
}

impl<'a> Watch<'a> {
    /// Starts watching.
    fn new(parts: &'a [Part]) -> Self {
        let waiter = Waiter::new();
        parts.iter().flat_map(|p| &p.log).for_each(|log| log.register(&waiter));
        Self { waiter, parts }
    }

    /// Bytes ever appended to the watched partitions.
    fn appended(&self) -> u64 {
        self.parts.iter().flat_map(|p| &p.log).map(|log| log.appended_bytes()).sum()
    }

    /// Whether a watched partition was closed.
    fn any_closed(&self) -> bool {
        self.parts.iter().flat_map(|p| &p.log).any(|log| log.watermarks().is_none())
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.parts.iter().flat_map(|p| &p.log).for_each(|log| log.unregister(&self.waiter));
    }
}

/// Reads; if that is too little, waits until enough was appended, the time is over or the client is gone.
async fn wait_for(
    c: &Connection,
    parts: &Arc<[Part]>,
    limit: usize,
    min_bytes: usize,
    deadline: Instant,
) -> Round {
    let mut round = read(c, parts, limit).await;
    if round.ready || round.bytes >= min_bytes || deadline <= Instant::now() {
        return round;
    }
    // From here on no append is missed. What came between the first look and now is found by the second.
    let watch = Watch::new(parts);
    let mut seen = watch.appended();
    round = read(c, parts, limit).await;
    while !round.ready && round.bytes < min_bytes {
        round.memory = None;
        let missing = min_bytes - round.bytes;
        let more = async {
            loop {
                watch.waiter.rung().await;
                if watch.appended().saturating_sub(seen) >= missing as u64 || watch.any_closed() {
                    return;
                }
            }
        };
        let over = tokio::select! {
            () = more => false,
            () = sleep_until(deadline) => true,
            () = c.leaving.cancelled() => true,
        };
        seen = watch.appended();
        round = read(c, parts, limit).await;
        if over {
            break;
        }
    }
    round
}

/// Reads all partitions once.
async fn read(c: &Connection, parts: &Arc<[Part]>, limit: usize) -> Round {
    let nothing_new = parts.iter().all(|p| match &p.log {
        Ok(log) => log.watermarks().is_some_and(|m| m.end == p.offset),
        Err(_) => false,
    });
    if nothing_new {
        return read_parts(parts, 0);
    }
    // One batch may exceed what the client asked for; it is small against the budget.
    let wanted: usize = parts.iter().map(|p| p.max_bytes).fold(0, usize::saturating_add).min(limit);
    let memory = c.broker.memory.take(wanted).await;
    let _turn = c.broker.reads.acquire().await;
    let parts = Arc::clone(parts);
    let read = tokio::task::spawn_blocking(move || read_parts(&parts, limit)).await;
    let mut round = read.unwrap_or_else(|_| Round { reads: Vec::new(), bytes: 0, ready: true, memory: None });
    round.memory = memory;
    round
}

/// Reads all partitions, blocking on files. The first partition with records yields at least one batch.
fn read_parts(parts: &[Part], limit: usize) -> Round {
    let mut round = Round { reads: Vec::with_capacity(parts.len()), bytes: 0, ready: false, memory: None };
    for part in parts {
        let room = limit.saturating_sub(round.bytes).min(part.max_bytes);
        let read = read_part(part, room, round.bytes == 0);
        match &read {
            Ok((read, more)) => {
                round.bytes += read.records.len();
                round.ready |= *more && !read.records.is_empty();
            }
            Err(_) => round.ready = true,
        }
        let failed = |error| Read { error: Some(error), marks: marks_of(part), records: Bytes::new() };
        round.reads.push(read.map_or_else(failed, |(read, _)| read));
    }
    round
}

/// Offsets to tell with an error.
fn marks_of(part: &Part) -> Watermarks {
    let known = part.log.as_ref().ok().and_then(|log| log.watermarks());
    known.unwrap_or(Watermarks { log_start: -1, end: -1 })
}

/// Reads one partition; also tells whether more records follow.
fn read_part(part: &Part, room: usize, at_least_one: bool) -> Result<(Read, bool), ResponseError> {
    let log = part.log.as_ref().map_err(|e| *e)?;
    let code = |e| match e {
        ReadError::OutOfRange => ResponseError::OffsetOutOfRange,
        ReadError::Closed => ResponseError::UnknownTopicOrPartition,
        ReadError::Storage => ResponseError::KafkaStorageError,
    };
    let read = log.read(part.offset, room, at_least_one).map_err(code)?;
    // Taken after the read: the end told is never before the records sent.
    let marks = log.watermarks().ok_or(ResponseError::UnknownTopicOrPartition)?;
    Ok((Read { error: None, marks, records: read.records }, read.more))
}

/// Builds the answer.
fn build(version: i16, topics: Vec<TopicKey>, parts: &[Part], reads: Vec<Read>) -> FetchResponse {
    let mut answer = FetchResponse::default().with_error_code(OK);
    let mut pairs = parts.iter().zip(reads);
    for (name, id, count) in topics {
        let partition = |(part, read): (&Part, Read)| {
            PartitionData::default()
                .with_partition_index(part.index)
                .with_error_code(read.error.map_or(OK, |e| e.code()))
                .with_high_watermark(read.marks.end)
                .with_last_stable_offset(read.marks.end)
                .with_log_start_offset(read.marks.log_start)
                .with_aborted_transactions(None)
                .with_records(Some(read.records))
        };
        let topic = FetchableTopicResponse::default()
            .with_partitions(pairs.by_ref().take(count).map(partition).collect());
        answer.responses.push(if version >= TOPIC_ID_VERSION {
            topic.with_topic_id(id)
        } else {
            topic.with_topic(name)
        });
    }
    answer
}
