//! What a changefeed may do at the brokers, found out without changing anything.

use rdkafka::ClientContext;
use rdkafka::admin::{AdminOptions, NewTopic, TopicReplication};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use std::sync::{Arc, Mutex, PoisonError};

use super::{DEFAULT_PARTITIONS, Lookup, TopicAdmin, TopicSpec, block_on, is_denied, is_valid_topic};
use crate::config::ProducerConfig;
use crate::error::SinkError;

/// Largest record that is made to be refused, bytes; where the brokers take larger ones, writing is not checked.
const MAX_PROBE: usize = 16 << 20;
/// Bytes above the limit that make a record too large.
const PROBE_EXCESS: usize = 1024;

/// What was found about one right or setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub subject: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// What was found.
    pub detail: String,
    /// What to do about it; empty if nothing.
    pub advice: String,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// A changefeed runs, but something may not be as its user thinks.
    Warn,
    /// A changefeed would not run.
    Fail,
}

impl Finding {
    /// A finding that needs no advice.
    fn ok(subject: &'static str, detail: impl Into<String>) -> Self {
        Self { subject, verdict: Verdict::Ok, detail: detail.into(), advice: String::new() }
    }

    /// A finding that is no obstacle.
    fn warn(subject: &'static str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { subject, verdict: Verdict::Warn, detail: detail.into(), advice: advice.into() }
    }

    /// An obstacle.
    fn fail(subject: &'static str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { subject, verdict: Verdict::Fail, detail: detail.into(), advice: advice.into() }
    }
}

/// Keeps the outcome of the one record.
#[derive(Clone, Default)]
struct Outcome(Arc<Mutex<Option<Result<(), KafkaError>>>>);

impl ClientContext for Outcome {}

impl ProducerContext for Outcome {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let result = result.as_ref().map(|_| ()).map_err(|(error, _)| error.clone());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
    }
}

impl TopicAdmin {
    /// Finds out whether a changefeed could use `topic`. Nothing is changed: the creation of a topic is only validated, and
    /// the record that is sent is one that brokers refuse for its size, after they have looked at the right to write.
    /// Blocks: call it where blocking is allowed.
    ///
    /// # Errors
    /// If the brokers cannot be asked at all.
    pub fn preflight(
        &self,
        topic: &str,
        spec: TopicSpec,
        config: &ProducerConfig,
    ) -> Result<Vec<Finding>, SinkError> {
        if !is_valid_topic(topic) {
            let advice = "use ASCII letters, digits, '.', '_' and '-', at most 249 of them";
            return Ok(vec![Finding::fail("kafka topic", format!("{topic:?} is no topic name"), advice)]);
        }
        self.renew_token()?;
        let brokers = self
            .client
            .inner()
            .fetch_metadata(None, self.timeout)
            .map_err(|e| SinkError::Unreachable(e.to_string()))?
            .brokers()
            .len();
        let mut findings = vec![Finding::ok("kafka metadata", format!("{brokers} brokers answer"))];
        let exists = match self.look_up(topic)? {
            Lookup::Partitions(actual) => {
                findings.push(partitions(topic, actual, spec));
                true
            }
            Lookup::Denied => {
                findings.push(Finding::warn(
                    "kafka topic",
                    format!("no right to describe {topic}"),
                    format!("grant DESCRIBE on topic {topic}, or set partition-num to what it has"),
                ));
                true
            }
            Lookup::Missing => {
                findings.push(self.could_create(topic, spec)?);
                if self.check_replicas(topic, spec).is_err() {
                    findings.push(Finding::fail(
                        "kafka replicas",
                        format!(
                            "replication-factor {} is below min.insync.replicas",
                            spec.replication_factor
                        ),
                        "raise replication-factor in the sink URI",
                    ));
                }
                false
            }
        };
        let limit = self.max_message_bytes(topic);
        findings.push(match limit {
            Some(limit) => Finding::ok("kafka describe configs", format!("messages may have {limit} bytes")),
            None => Finding::warn(
                "kafka describe configs",
                "the brokers do not tell the limit of messages",
                format!(
                    "grant DESCRIBE_CONFIGS on topic {topic} and the cluster, or make sure that it takes messages of \
                     max-message-bytes ({})",
                    config.max_message_bytes
                ),
            ),
        });
        findings.push(match (exists, limit) {
            (false, _) => Finding::warn(
                "kafka write",
                "not checked: the topic does not exist",
                format!("make sure of the right to WRITE to topic {topic}"),
            ),
            (true, Some(limit)) if limit <= MAX_PROBE => self.could_write(topic, limit, config)?,
            (true, _) => Finding::warn(
                "kafka write",
                format!(
                    "not checked: no record up to {MAX_PROBE} bytes is certain to be refused for its size"
                ),
                format!("make sure of the right to WRITE to topic {topic}"),
            ),
        });
        Ok(findings)
    }

    /// Whether a missing topic could be made.
    fn could_create(&self, topic: &str, spec: TopicSpec) -> Result<Finding, SinkError> {
        let subject = "kafka topic";
        if !spec.auto_create {
            let advice = format!("create {topic}, or set auto-create-topic=true");
            return Ok(Finding::fail(
                subject,
                format!("{topic} does not exist and may not be created"),
                advice,
            ));
        }
        let count = spec.partitions.unwrap_or(DEFAULT_PARTITIONS);
        let request = NewTopic::new(topic, count, TopicReplication::Fixed(spec.replication_factor));
        let options = AdminOptions::new().request_timeout(Some(self.timeout)).validate_only(true);
        let answer = block_on(self.client.create_topics([&request], &options))
            .map_err(|e| SinkError::CreateTopic(e.to_string()))?;
        Ok(match answer.into_iter().find_map(Result::err) {
            None => Finding::ok(subject, format!("{topic} will be created with {count} partitions")),
            Some((_, code)) if is_denied(code) => Finding::warn(
                subject,
                format!("{topic} does not exist, and no right to create it"),
                format!("grant CREATE on topic {topic}, or create it with {count} partitions"),
            ),
            Some((_, code)) => Finding::fail(
                subject,
                format!("{topic} cannot be created: {code}"),
                "change partition-num or replication-factor, or create the topic yourself",
            ),
        })
    }

    /// Whether records may be written, by one that is too large for the topic.
    fn could_write(&self, topic: &str, limit: usize, config: &ProducerConfig) -> Result<Finding, SinkError> {
        let subject = "kafka write";
        let outcome = Outcome::default();
        let mut client = config.client()?;
        client
            .set("message.max.bytes", (limit + 2 * PROBE_EXCESS).to_string())
            .set("compression.codec", "none")
            .set("acks", "1")
            .set("message.timeout.ms", self.timeout.as_millis().max(1000).to_string());
        let producer: BaseProducer<Outcome> = client
            .create_with_context(outcome.clone())
            .map_err(|e| SinkError::InvalidConfig(e.to_string()))?;
        let payload = vec![0; limit + PROBE_EXCESS];
        let record = BaseRecord::<(), [u8]>::to(topic).partition(0).payload(payload.as_slice());
        let sent = producer.send(record).map_err(|(error, _)| error);
        let result = match sent {
            Ok(()) => {
                let _ = producer.flush(self.timeout + self.timeout);
                outcome.0.lock().unwrap_or_else(PoisonError::into_inner).take()
            }
            Err(error) => Some(Err(error)),
        };
        Ok(match result.map(|result| result.map_err(|error| error.rdkafka_error_code())) {
            Some(Err(Some(RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidMessageSize))) => {
                Finding::ok(subject, "a record that is too large was refused for its size only")
            }
            Some(Err(Some(code))) if is_denied(code) => Finding::fail(
                subject,
                format!("no right to write to {topic}: {code}"),
                format!("grant WRITE on topic {topic}"),
            ),
            Some(Err(Some(code))) => Finding::fail(
                subject,
                format!("the broker of partition 0 answers: {code}"),
                "look at the broker's log and at the topic's partitions",
            ),
            Some(Ok(())) => Finding::warn(
                subject,
                "the broker took a record above the limit that it tells; consumers will skip it",
                "look at max.message.bytes of the topic",
            ),
            Some(Err(None)) | None => Finding::fail(
                subject,
                format!("no answer about {topic} within {:?}", self.timeout + self.timeout),
                "look at the leaders of its partitions",
            ),
        })
    }
}

/// Whether a topic has as many partitions as are wanted.
fn partitions(topic: &str, actual: i32, spec: TopicSpec) -> Finding {
    let subject = "kafka topic";
    match spec.partitions {
        Some(wanted) if wanted > actual => Finding::fail(
            subject,
            format!("{topic} has {actual} partitions, partition-num asks for {wanted}"),
            format!("set partition-num to {actual} or less, or add partitions"),
        ),
        Some(wanted) if wanted < actual => Finding::warn(
            subject,
            format!("{wanted} of the {actual} partitions of {topic} are used"),
            "leave partition-num out to use all",
        ),
        _ => Finding::ok(subject, format!("{topic} has {actual} partitions")),
    }
}
