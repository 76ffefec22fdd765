//! A cluster for a test, and what is sent to it and read from it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use kafka_sink::{Acknowledge, Compression, Producer, ProducerConfig, SinkError};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use real_kafka::{Cluster, Installation, Settings, Version};
use tempfile::TempDir;

/// Longest wait for acknowledgements or messages.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
/// Longest wait of one poll.
const POLL: Duration = Duration::from_millis(100);

/// A cluster in a folder of its own.
pub(crate) struct Broker {
    /// The cluster.
    pub(crate) cluster: Cluster,
    /// Its files.
    _folder: TempDir,
}

/// Starts a cluster, unless the machine has no Java or Maven.
pub(crate) fn start(version: Version, adjust: impl FnOnce(&mut Settings)) -> Option<Broker> {
    let installation = Installation::for_test(env!("CARGO_TARGET_TMPDIR"), version).expect("Kafka's jars")?;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut settings = Settings::new(version, folder.path());
    adjust(&mut settings);
    let cluster = Cluster::start(installation, settings).expect("Kafka starts");
    Some(Broker { cluster, _folder: folder })
}

/// A producer's settings for these brokers.
pub(crate) fn config(brokers: &str) -> ProducerConfig {
    ProducerConfig {
        brokers: brokers.to_owned(),
        client_id: "test".to_owned(),
        required_acks: -1,
        compression: Compression::None,
        max_message_bytes: 1 << 20,
        dial_timeout: Duration::from_secs(10),
        login: None,
        tls: None,
    }
}

/// Passes the fate of messages on.
pub(crate) struct Fate(Sender<Result<(), SinkError>>, AtomicUsize);

impl Fate {
    /// A fate and the end where it is told.
    pub(crate) fn new() -> (Arc<Self>, Receiver<Result<(), SinkError>>) {
        let (sender, receiver) = channel();
        (Arc::new(Self(sender, AtomicUsize::new(0))), receiver)
    }

    /// Number of messages that are acknowledged.
    pub(crate) fn count(&self) -> usize {
        self.1.load(Ordering::Acquire)
    }
}

impl Acknowledge for Fate {
    fn acknowledge(&self, _bytes: usize, result: Result<(), SinkError>) {
        self.1.fetch_add(1, Ordering::AcqRel);
        // Nobody may listen any more.
        let _ = self.0.send(result);
    }
}

/// Sends one message to partition 0 and waits for its fate.
pub(crate) fn send_one(config: &ProducerConfig, topic: &str, value: &[u8]) -> Result<(), SinkError> {
    let (fate, told) = Fate::new();
    let producer = Producer::new(config, || {})?;
    producer.send(topic, 0, Some(&[]), value, fate)?;
    let result = told.recv_timeout(LIMIT).expect("the fate of the message");
    producer.close();
    result
}

/// Reads so many messages of a partition from its beginning.
pub(crate) fn read(brokers: &str, topic: &str, partition: i32, count: usize) -> Vec<Vec<u8>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "test")
        .set("enable.auto.commit", "false")
        .create()
        .expect("a consumer");
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(topic, partition, Offset::Beginning).expect("an assignment");
    consumer.assign(&assignment).expect("an assignment");
    let start = Instant::now();
    let mut values = Vec::new();
    while values.len() < count {
        assert!(start.elapsed() < LIMIT, "{} of {count} messages of {topic}/{partition}", values.len());
        if let Some(Ok(message)) = consumer.poll(POLL) {
            values.push(message.payload().unwrap_or_default().to_vec());
        }
    }
    values
}
