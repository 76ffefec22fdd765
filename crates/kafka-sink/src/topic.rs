//! Topics: look up, create, and read the limits that apply to their messages.

mod preflight;
mod shared;

use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode;
use tracing::warn;

use crate::config::ProducerConfig;
use crate::error::SinkError;
use crate::login::{HeldToken, Login};

pub use preflight::{Finding, Verdict};
pub use shared::SharedAdmins;

/// Port of brokers that are named without one.
const DEFAULT_PORT: u16 = 9092;
/// Partitions of a topic that we create when nobody said how many (as TiCDC does).
const DEFAULT_PARTITIONS: i32 = 3;
/// Longest topic name of Kafka, bytes.
const MAX_TOPIC_BYTES: usize = 249;
/// Attempts to see a topic after its creation, with [`CREATED_POLL`] between them.
const CREATED_ATTEMPTS: u32 = 30;
/// Pause between two looks for a topic that was just created.
const CREATED_POLL: Duration = Duration::from_millis(100);

/// True if Kafka accepts `name` as the name of a topic.
pub fn is_valid_topic(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_TOPIC_BYTES
        && name != "."
        && name != ".."
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// How a changefeed wants its topics.
#[derive(Debug, Clone, Copy)]
pub struct TopicSpec {
    /// Wanted partition count; `None` takes what exists, or three for a new topic.
    pub partitions: Option<i32>,
    /// Replicas of a new topic.
    pub replication_factor: i32,
    /// Create the topic when it is missing.
    pub auto_create: bool,
}

/// What brokers say about a topic.
enum Lookup {
    /// It has so many partitions.
    Partitions(i32),
    /// There is none of that name.
    Missing,
    /// We may not know.
    Denied,
}

/// True for answers of brokers to someone who lacks a right.
fn is_denied(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed)
}

/// Administrative connection to the brokers.
pub struct TopicAdmin {
    /// librdkafka's client.
    client: AdminClient<DefaultClientContext>,
    /// Who we are.
    login: Option<Login>,
    /// The token, where there is one.
    token: HeldToken,
    /// Bound of each call.
    timeout: Duration,
    /// Messages count as written when every replica in sync has them.
    waits_for_all: bool,
}

impl TopicAdmin {
    /// Creates a client. Blocks until one of the brokers takes a connection, or none does within the dial timeout.
    pub fn new(config: &ProducerConfig) -> Result<Self, SinkError> {
        dial(&config.brokers, config.dial_timeout)?;
        let client = config.client()?.create().map_err(|e| SinkError::InvalidConfig(e.to_string()))?;
        let admin = Self {
            client,
            login: config.login.clone(),
            token: HeldToken::default(),
            timeout: config.dial_timeout,
            waits_for_all: config.required_acks == -1,
        };
        admin.renew_token()?;
        Ok(admin)
    }

    /// Makes sure of a token that lasts, where it is by tokens that we log in.
    fn renew_token(&self) -> Result<(), SinkError> {
        self.token.renew(self.login.as_ref(), self.client.inner())
    }

    /// What the brokers say about `topic`. Blocks up to the dial timeout: call it where blocking is allowed.
    fn look_up(&self, topic: &str) -> Result<Lookup, SinkError> {
        let metadata = self
            .client
            .inner()
            .fetch_metadata(Some(topic), self.timeout)
            .map_err(|e| SinkError::Unreachable(e.to_string()))?;
        let Some(found) = metadata.topics().iter().find(|t| t.name() == topic) else {
            return Ok(Lookup::Missing);
        };
        match found.error().map(RDKafkaErrorCode::from) {
            None if found.partitions().is_empty() => Ok(Lookup::Missing),
            None => Ok(Lookup::Partitions(i32::try_from(found.partitions().len()).unwrap_or(i32::MAX))),
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::LeaderNotAvailable) => {
                Ok(Lookup::Missing)
            }
            Some(code) if is_denied(code) => Ok(Lookup::Denied),
            Some(code) => Err(SinkError::Admin { call: "Metadata", reason: code.to_string() }),
        }
    }

    /// Makes sure that `topic` exists; returns how many of its partitions the changefeed uses.
    ///
    /// Must not run on an async thread: looks up metadata by blocking calls.
    pub fn ensure(&self, topic: &str, spec: TopicSpec) -> Result<i32, SinkError> {
        self.ensure_with(topic, spec, spec.partitions)
    }

    /// Like [`Self::ensure`]; of a topic that exists all partitions are used.
    pub fn ensure_any(&self, topic: &str, spec: TopicSpec) -> Result<i32, SinkError> {
        self.ensure_with(topic, spec, None)
    }

    /// Makes sure that `topic` exists, of which `wanted` partitions are used if it does already.
    fn ensure_with(&self, topic: &str, spec: TopicSpec, wanted: Option<i32>) -> Result<i32, SinkError> {
        if !is_valid_topic(topic) {
            return Err(SinkError::CreateTopic(format!(
                "[CDC:ErrKafkaCreateTopic]kafka create topic failed: kafka server: The request attempted to perform an operation on an invalid topic - Topic name is \
                 invalid: '{topic}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
            )));
        }
        self.renew_token()?;
        let assumed = spec.partitions.unwrap_or(DEFAULT_PARTITIONS);
        match self.look_up(topic)? {
            Lookup::Partitions(actual) => {
                return match wanted {
                    Some(wanted) if wanted > actual => Err(SinkError::PartitionCount { wanted, actual }),
                    Some(wanted) => Ok(wanted),
                    None => Ok(actual),
                };
            }
            Lookup::Denied => {
                warn!(
                    topic,
                    partitions = assumed,
                    "no right to describe the topic; its partitions are assumed"
                );
                return Ok(assumed);
            }
            Lookup::Missing => {}
        }
        if !spec.auto_create {
            return Err(SinkError::TopicMissing(topic.to_owned()));
        }
        self.check_replicas(topic, spec)?;
        if self.create(topic, assumed, spec.replication_factor)? {
            return self.await_created(topic, assumed);
        }
        warn!(topic, partitions = assumed, "no right to create the topic; it is expected to come into being");
        Ok(assumed)
    }

    /// With `required-acks=-1` nothing can be written to a topic with fewer replicas than must be in sync.
    fn check_replicas(&self, topic: &str, spec: TopicSpec) -> Result<(), SinkError> {
        let Some(least) = self.broker_number("min.insync.replicas") else {
            warn!(
                topic,
                "the brokers don't tell min.insync.replicas; it is not compared with replication-factor"
            );
            return Ok(());
        };
        let replicas = usize::try_from(spec.replication_factor).unwrap_or(0);
        if self.waits_for_all && least > replicas {
            return Err(SinkError::InvalidConfig(format!(
                "`replication-factor` {replicas} is smaller than the `min.insync.replicas` {least} of the brokers: topic \
                 {topic} could not be written to with required-acks=-1; use a replication-factor of {least} or more"
            )));
        }
        Ok(())
    }

    /// Creates `topic`; a topic that someone else created meanwhile is fine. False if that is not allowed.
    fn create(&self, topic: &str, partitions: i32, replication: i32) -> Result<bool, SinkError> {
        let request = NewTopic::new(topic, partitions, TopicReplication::Fixed(replication));
        let options =
            AdminOptions::new().operation_timeout(Some(self.timeout)).request_timeout(Some(self.timeout));
        let answer = block_on(self.client.create_topics([&request], &options))
            .map_err(|e| SinkError::CreateTopic(e.to_string()))?;
        for result in answer {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((_, code)) if is_denied(code) => return Ok(false),
                Err((_, code)) => return Err(SinkError::CreateTopic(format!("kafka server: {code}"))),
            }
        }
        Ok(true)
    }

    /// Waits until the created topic shows up in the metadata of the brokers.
    fn await_created(&self, topic: &str, wanted: i32) -> Result<i32, SinkError> {
        for _ in 0..CREATED_ATTEMPTS {
            match self.look_up(topic)? {
                Lookup::Partitions(actual) => return Ok(actual.min(wanted)),
                Lookup::Denied => return Ok(wanted),
                Lookup::Missing => {}
            }
            // Kafka offers no notification for metadata propagation: asking again is the protocol.
            std::thread::sleep(CREATED_POLL);
        }
        Err(SinkError::CreateTopic(format!(
            "topic {topic} was created but no broker knows it yet; try again"
        )))
    }

    /// `max.message.bytes` of an existing topic, else `message.max.bytes` of a broker; `None` if neither tells, which
    /// is so without the right to ask. Blocks like [`Self::ensure`].
    pub fn max_message_bytes(&self, topic: &str) -> Option<usize> {
        if let Err(error) = self.renew_token() {
            warn!(topic, %error, "the brokers can't be asked for max.message.bytes");
        }
        let limit = self
            .number(&ResourceSpecifier::Topic(topic), "max.message.bytes")
            .or_else(|| self.broker_number("message.max.bytes"));
        if limit.is_none() {
            warn!(
                topic,
                "the brokers don't tell max.message.bytes; max-message-bytes of the changefeed is used"
            );
        }
        limit
    }

    /// A number in the configuration of some broker.
    fn broker_number(&self, key: &str) -> Option<usize> {
        let metadata = self.client.inner().fetch_metadata(None, self.timeout).ok()?;
        self.number(&ResourceSpecifier::Broker(metadata.brokers().first()?.id()), key)
    }

    /// A number in the configuration of a topic or broker.
    fn number(&self, of: &ResourceSpecifier<'_>, key: &str) -> Option<usize> {
        let options = AdminOptions::new().request_timeout(Some(self.timeout));
        let answer = block_on(self.client.describe_configs([of], &options)).ok()?;
        answer.into_iter().next()?.ok()?.get(key)?.value.as_deref()?.parse().ok()
    }
}

/// Tries the brokers one after the other. librdkafka itself keeps trying until its time is up, which is long for
/// someone who mistyped an address.
fn dial(brokers: &str, timeout: Duration) -> Result<(), SinkError> {
    let mut last = "no broker is named".to_owned();
    for broker in brokers.split(',').map(str::trim).filter(|broker| !broker.is_empty()) {
        let address =
            if broker.contains(':') { broker.to_owned() } else { format!("{broker}:{DEFAULT_PORT}") };
        let found = match address.to_socket_addrs() {
            Ok(found) => found,
            Err(error) => {
                last = format!("dial tcp: lookup {broker}: {error}");
                continue;
            }
        };
        for addr in found {
            match TcpStream::connect_timeout(&addr, timeout) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                    last = format!("dial tcp {addr}: connect: connection refused");
                }
                Err(error) => last = format!("dial tcp {addr}: {error}"),
            }
        }
    }
    Err(SinkError::Unreachable(format!("kafka: client has run out of available brokers to talk to: {last}")))
}

/// Drives one of librdkafka's futures on the calling thread; they complete from its own event thread.
fn block_on<F: Future>(future: F) -> F::Output {
    /// Wakes the thread that waits.
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::task::Waker::from(std::sync::Arc::new(Unpark(std::thread::current())));
    let mut context = std::task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(output) => return output,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_valid_topic;

    #[test]
    fn brokers_that_refuse_are_told_at_once() {
        let error =
            super::dial("127.0.0.1:1", std::time::Duration::from_secs(30)).expect_err("nobody listens there");
        assert!(error.to_string().ends_with("dial tcp 127.0.0.1:1: connect: connection refused"), "{error}");
    }

    #[test]
    fn topic_names_follow_kafkas_rules() {
        for good in ["tidb-test", "a.b_c-1", &"x".repeat(249)] {
            assert!(is_valid_topic(good), "{good}");
        }
        for bad in ["", ".", "..", "bad topic", "ä", "a/b", &"x".repeat(250)] {
            assert!(!is_valid_topic(bad), "{bad}");
        }
    }
}
