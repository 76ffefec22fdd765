//! Counts the rows that have arrived in topics.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::Value;
use xtask::Failure;

/// Longest wait for one answer of the broker.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// Longest wait of one poll.
const POLL: Duration = Duration::from_millis(200);
/// Longest time without a message while some are missing.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);

/// Number of different rows that were inserted, by the messages of topics with one partition each; their first column is a
/// number that no two rows share.
pub(crate) fn count_inserts(port: u16, topics: &[String]) -> Result<u64, Failure> {
    let failed = |error: KafkaError| Failure::check(format!("reading topics: {error}"));
    let reader: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", format!("127.0.0.1:{port}"))
        .set("group.id", "crowd-reader")
        .set("enable.auto.commit", "false")
        .create()
        .map_err(failed)?;
    let mut assignment = TopicPartitionList::new();
    let mut ends = HashMap::new();
    for topic in topics {
        let (_, end) = reader.fetch_watermarks(topic, 0, ANSWER_LIMIT).map_err(failed)?;
        ends.insert(topic.as_str(), end);
        assignment.add_partition_offset(topic, 0, Offset::Beginning).map_err(failed)?;
    }
    reader.assign(&assignment).map_err(failed)?;
    let mut ids = HashSet::new();
    let mut heard = Instant::now();
    let mut missing: i64 = ends.values().sum();
    while missing > 0 {
        let Some(message) = reader.poll(POLL) else {
            if heard.elapsed() > SILENCE_LIMIT {
                return Err(Failure::check(format!("{missing} messages do not come")));
            }
            continue;
        };
        let message = message.map_err(failed)?;
        // Watermarks go on coming behind the ends.
        if ends.get(message.topic()).is_none_or(|end| message.offset() >= *end) {
            continue;
        }
        (missing, heard) = (missing - 1, Instant::now());
        let event: Value = serde_json::from_slice(message.payload().unwrap_or_default())
            .map_err(|error| Failure::check(format!("a message is no JSON: {error}")))?;
        if event["type"] == "INSERT" {
            ids.extend(event["data"][0]["id"].as_str().map(str::to_owned));
        }
    }
    Ok(ids.len() as u64)
}
