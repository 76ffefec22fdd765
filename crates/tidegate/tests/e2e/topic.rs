//! A topic as it is on the broker.

use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Message as _, Offset, TopicPartitionList};

use crate::event::Event;
use crate::stack::Ports;

/// Longest wait for one answer of the broker.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// Longest time to read a whole topic.
const READ_LIMIT: Duration = Duration::from_secs(60);
/// How long one poll may wait.
const POLL: Duration = Duration::from_millis(100);

/// A message.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// Partition.
    pub(crate) partition: i32,
    /// Offset.
    pub(crate) offset: i64,
    /// Key; `None` is null.
    pub(crate) key: Option<Vec<u8>>,
    /// Value.
    pub(crate) value: Vec<u8>,
}

impl Message {
    /// The event in it.
    #[track_caller]
    pub(crate) fn event(&self) -> Event {
        Event::parse(&self.value).unwrap_or_else(|error| {
            let text = String::from_utf8_lossy(&self.value);
            panic!("partition {} offset {}: {error}: {text}", self.partition, self.offset)
        })
    }
}

/// Makes a topic of one partition with settings of its own.
pub(crate) async fn create(ports: Ports, name: &str, settings: &[(&str, &str)]) {
    let brokers = format!("127.0.0.1:{}", ports.kafka);
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", brokers).create().expect("a client");
    let mut topic = NewTopic::new(name, 1, TopicReplication::Fixed(1));
    for (key, value) in settings {
        topic = topic.set(key, value);
    }
    let made = admin.create_topics([&topic], &AdminOptions::new()).await.expect("an answer");
    assert_eq!(made, [Ok(name.to_owned())]);
}

/// A client that reads without a group.
fn reader(ports: Ports) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", format!("127.0.0.1:{}", ports.kafka))
        .set("group.id", "e2e-reader")
        .set("enable.auto.commit", "false")
        .create()
        .expect("a consumer")
}

/// Partitions of a topic with the offset after the last message of each.
fn ends(reader: &BaseConsumer, topic: &str) -> Vec<(i32, i64)> {
    let metadata = reader.fetch_metadata(Some(topic), ANSWER_LIMIT).expect("metadata");
    let topic = metadata.topics().first().expect("the topic");
    let start = Instant::now();
    // A leader that has just been elected cannot tell yet.
    let end = |partition| loop {
        match reader.fetch_watermarks(topic.name(), partition, ANSWER_LIMIT) {
            Ok((_, end)) => return end,
            Err(error) if start.elapsed() > ANSWER_LIMIT => panic!("offsets of {}: {error}", topic.name()),
            Err(_) => std::thread::sleep(POLL),
        }
    };
    topic.partitions().iter().map(|partition| (partition.id(), end(partition.id()))).collect()
}

/// Number of messages in a topic.
pub(crate) async fn length(ports: Ports, topic: &str) -> i64 {
    let topic = topic.to_owned();
    let work = move || ends(&reader(ports), &topic).into_iter().map(|(_, end)| end).sum();
    tokio::task::spawn_blocking(work).await.expect("the reader ended")
}

/// Every message that is in a topic now, by partition and offset.
pub(crate) async fn read_all(ports: Ports, topic: &str) -> Vec<Message> {
    let topic = topic.to_owned();
    tokio::task::spawn_blocking(move || read(&reader(ports), &topic)).await.expect("the reader ended")
}

/// Reads a topic up to the end that it has at the start.
fn read(reader: &BaseConsumer, topic: &str) -> Vec<Message> {
    let ends = ends(reader, topic);
    let mut assignment = TopicPartitionList::new();
    for (partition, _) in &ends {
        assignment.add_partition_offset(topic, *partition, Offset::Beginning).expect("an assignment");
    }
    reader.assign(&assignment).expect("an assignment");
    let mut missing: i64 = ends.iter().map(|(_, end)| end).sum();
    let mut messages = Vec::new();
    let start = Instant::now();
    while missing > 0 {
        assert!(start.elapsed() < READ_LIMIT, "{missing} messages of {topic} do not come: {ends:?}");
        let Some(Ok(message)) = reader.poll(POLL) else { continue };
        let end =
            ends.iter().find(|(partition, _)| *partition == message.partition()).map_or(0, |(_, end)| *end);
        if message.offset() >= end {
            continue;
        }
        missing -= 1;
        messages.push(Message {
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().unwrap_or_default().to_vec(),
        });
    }
    messages.sort_by_key(|message| (message.partition, message.offset));
    messages
}
