//! Membership in a consumer group.

use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance, StreamConsumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use tokio::sync::{oneshot, watch};

use crate::failure::Failure;

/// Longest wait for an answer about the topic.
const METADATA_TIMEOUT: Duration = Duration::from_secs(2);
/// Pause before the broker or the topic is looked for again.
const LOOK_AGAIN: Duration = Duration::from_millis(300);
/// Longest time for the last commit and for leaving the group; then the broker finds out by itself.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);
/// Pace of the commits of what was printed, milliseconds.
const COMMIT_INTERVAL_MS: &str = "1000";
/// Silence after which the group goes on without a member, milliseconds.
const SESSION_TIMEOUT_MS: &str = "10000";
/// Pace of the signs of life, milliseconds.
const HEARTBEAT_MS: &str = "3000";
/// Longest pause between two attempts to connect, milliseconds.
const RECONNECT_MS: &str = "1000";
/// How old the list of partitions may be, milliseconds.
const METADATA_AGE_MS: &str = "5000";
/// Longest topic name that Kafka accepts.
const MAX_TOPIC_NAME: usize = 249;
/// Name under which brokers see the client.
const CLIENT_ID: &str = "tidegate-consume";

/// What to read, and as whom.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// Brokers, `host:port`, separated by commas.
    pub(crate) brokers: String,
    /// Topic.
    pub(crate) topic: String,
    /// Consumer group.
    pub(crate) group: String,
    /// Where a group without committed offsets starts: at the oldest message, or after the newest.
    pub(crate) from_beginning: bool,
}

impl Source {
    /// Settings that all clients share.
    fn base_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", CLIENT_ID)
            .set("allow.auto.create.topics", "false")
            .set("log.connection.close", "false")
            .set("reconnect.backoff.max.ms", RECONNECT_MS)
            .set("topic.metadata.refresh.interval.ms", METADATA_AGE_MS);
        config
    }
}

/// Sends what librdkafka says to the log and tells which partitions are assigned.
pub(crate) struct Member {
    /// The partitions read now; `None` before the first assignment.
    assigned: watch::Sender<Option<Vec<i32>>>,
}

impl ClientContext for Member {
    fn log(&self, _level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!("librdkafka: {facility} {message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, "librdkafka: {reason}");
    }
}

impl ConsumerContext for Member {
    fn post_rebalance(&self, _consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(partitions) => {
                let mut numbers: Vec<_> = partitions.elements().iter().map(|part| part.partition()).collect();
                numbers.sort_unstable();
                self.assigned.send_replace(Some(numbers));
            }
            Rebalance::Revoke(_) => {
                self.assigned.send_if_modified(|partitions| {
                    partitions.as_mut().is_some_and(|p| !std::mem::take(p).is_empty())
                });
            }
            Rebalance::Error(error) => tracing::debug!(%error, "rebalance"),
        }
    }
}

/// Whether a topic can be read.
enum TopicState {
    /// It can.
    There,
    /// The broker does not have it.
    Missing,
    /// No broker answers, and why.
    NoBroker(String),
    /// It will never be there, and why.
    Refused(String),
}

/// Asks a broker about a topic.
fn look(client: &BaseConsumer<Member>, topic: &str) -> TopicState {
    let metadata = match client.fetch_metadata(Some(topic), METADATA_TIMEOUT) {
        Ok(metadata) => metadata,
        Err(error) => return TopicState::NoBroker(error_text(&error)),
    };
    let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
        return TopicState::Missing;
    };
    match found.error().map(RDKafkaErrorCode::from) {
        None if found.partitions().is_empty() => TopicState::Missing,
        None | Some(RDKafkaErrorCode::LeaderNotAvailable) => TopicState::There,
        Some(code @ (RDKafkaErrorCode::InvalidTopic | RDKafkaErrorCode::TopicAuthorizationFailed)) => {
            TopicState::Refused(code.to_string())
        }
        Some(_) => TopicState::Missing,
    }
}

/// What went wrong, in short.
pub(crate) fn error_text(error: &KafkaError) -> String {
    error.rdkafka_error_code().map_or_else(|| error.to_string(), |code| code.to_string())
}

/// Whether Kafka accepts a topic name.
fn is_topic_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !matches!(name, "" | "." | "..") && name.len() <= MAX_TOPIC_NAME && name.bytes().all(legal)
}

/// Waits until a broker answers and has the topic, and tells once what it waits for. True if the topic was not there
/// at first: then everything in it is new.
///
/// # Errors
/// A topic name that no broker accepts, a topic that may not be read, or settings that librdkafka refuses.
pub(crate) async fn wait_for_topic(source: &Source, mut notice: impl FnMut(String)) -> Result<bool, Failure> {
    if !is_topic_name(&source.topic) {
        return Err(Failure::new(format!(
            "topic {:?} cannot exist: a name has 1 to {MAX_TOPIC_NAME} letters, digits, '.', '_' and '-'",
            source.topic
        )));
    }
    let (assigned, _) = watch::channel(None);
    let mut client: BaseConsumer<Member> = source.base_config().create_with_context(Member { assigned })?;
    let mut was_missing = false;
    loop {
        let topic = source.topic.clone();
        let state;
        (client, state) = tokio::task::spawn_blocking(move || {
            let state = look(&client, &topic);
            (client, state)
        })
        .await?;
        match state {
            TopicState::There => return Ok(was_missing),
            TopicState::Refused(reason) => {
                return Err(Failure::new(format!("topic {:?} cannot be read: {reason}", source.topic)));
            }
            TopicState::Missing => {
                was_missing = true;
                notice(format!("waiting for topic {} on {} ...", source.topic, source.brokers));
            }
            TopicState::NoBroker(reason) => {
                notice(format!("waiting for Kafka at {} ... ({reason})", source.brokers));
            }
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// A member of a consumer group that reads a topic.
pub(crate) struct Subscription {
    /// The client.
    consumer: StreamConsumer<Member>,
    /// The partitions read now.
    assigned: watch::Receiver<Option<Vec<i32>>>,
}

impl Subscription {
    /// Joins the group.
    ///
    /// # Errors
    /// Settings that librdkafka refuses.
    pub(crate) fn open(source: &Source) -> KafkaResult<Self> {
        let (sender, assigned) = watch::channel(None);
        let start = if source.from_beginning { "earliest" } else { "latest" };
        let consumer: StreamConsumer<Member> = source
            .base_config()
            .set("group.id", &source.group)
            .set("auto.offset.reset", start)
            .set("enable.auto.offset.store", "false")
            .set("auto.commit.interval.ms", COMMIT_INTERVAL_MS)
            .set("session.timeout.ms", SESSION_TIMEOUT_MS)
            .set("heartbeat.interval.ms", HEARTBEAT_MS)
            .create_with_context(Member { assigned: sender })?;
        consumer.subscribe(&[&source.topic])?;
        Ok(Self { consumer, assigned })
    }

    /// The next message. Safe to cancel.
    ///
    /// # Errors
    /// What goes wrong in between; all but [`KafkaError::MessageConsumptionFatal`] pass by themselves.
    pub(crate) async fn next(&self) -> KafkaResult<BorrowedMessage<'_>> {
        self.consumer.recv().await
    }

    /// The partitions read, as they change.
    pub(crate) fn assigned(&self) -> watch::Receiver<Option<Vec<i32>>> {
        self.assigned.clone()
    }

    /// Marks a message as dealt with; the next commit includes it.
    pub(crate) fn done(&self, message: &BorrowedMessage<'_>) {
        // Fails when the partition went to another member: that one gets the message again.
        if let Err(error) = self.consumer.store_offset_from_message(message) {
            tracing::debug!(%error, "offset not kept");
        }
    }

    /// Commits what was dealt with and leaves the group; false if the broker did not answer in time.
    pub(crate) async fn close(self) -> bool {
        let (told, closed) = oneshot::channel();
        let consumer = self.consumer;
        // A thread of its own: librdkafka blocks, and nothing may wait for it when the time is over.
        std::thread::spawn(move || {
            let committed = match consumer.commit_consumer_state(CommitMode::Sync) {
                Ok(()) | Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => true,
                Err(error) => {
                    tracing::debug!(%error, "last commit");
                    false
                }
            };
            drop(consumer);
            // Nobody listens any more when the time is over.
            let _ = told.send(committed);
        });
        matches!(tokio::time::timeout(CLOSE_WITHIN, closed).await, Ok(Ok(true)))
    }
}

#[cfg(test)]
mod tests {
    use super::is_topic_name;

    #[test]
    fn topic_names_are_those_that_kafka_accepts() {
        assert!(["tidb-test", "a.b_c-1", &"x".repeat(249)].into_iter().all(is_topic_name));
        assert!(
            !["", ".", "..", "bad topic", "naïve", "a/b", &"x".repeat(250)].into_iter().any(is_topic_name)
        );
    }
}
