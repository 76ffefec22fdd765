//! Where messages go: Kafka, or a list in tests.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use kafka_sink::{Health, Producer, ProducerConfig, SharedAdmins, SinkError, TopicAdmin, TopicSpec};
use parking_lot::RwLock;
use tracing::info;

use crate::FeedError;
use crate::progress::Parcel;
use crate::signal::Signal;
use crate::term::Term;

/// Why nothing can be delivered at the moment.
#[derive(Debug, Clone)]
pub(crate) struct Trouble {
    /// In words of the client.
    pub(crate) reason: String,
    /// Since when, if that is known.
    pub(crate) since: Option<Instant>,
}

/// A destination of messages.
pub(crate) trait Sink: Send + Sync + 'static {
    /// Number of partitions that the changefeed uses of `topic`; makes the topic if it must. May block: call it from
    /// a worker thread.
    fn partitions(&self, topic: &str) -> Result<i32, FeedError>;

    /// Changes whenever a topic has got other partitions than it had.
    fn partition_epoch(&self) -> u64 {
        0
    }

    /// Asks the brokers for partitions that topics have got meanwhile. May block.
    fn refresh_partitions(&self) {}

    /// Hands over one message, which belongs to `parcel`. Messages of one partition keep the order of these calls.
    fn send(
        &self,
        topic: &str,
        partition: i32,
        key: Option<&[u8]>,
        value: &[u8],
        parcel: Arc<Parcel>,
    ) -> Result<(), FeedError>;

    /// Bytes that were handed over and are not acknowledged.
    fn in_flight_bytes(&self) -> usize;

    /// Topics that were used so far, with their partitions.
    fn topics(&self) -> Vec<(String, i32)>;

    /// Why nothing can be delivered at the moment, if so.
    fn trouble(&self) -> Option<Trouble>;

    /// Where messages go, for people: `host:port` of the brokers.
    fn destination(&self) -> String;

    /// Asks again whether anything can be delivered, after [`Self::trouble`]. May block.
    fn probe(&self);

    /// Waits a bounded time for messages in flight. May block.
    fn close(&self);

    /// Drops messages in flight; nothing is taken any more. May block.
    fn abandon(&self) {
        self.close();
    }
}

/// Ends a Kafka client in the background. It has threads that look up only every 100 ms: nobody who asked for a pause or
/// a changefeed needs to wait for them.
pub(crate) fn let_go<T: Send + 'static>(client: T) {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(move || drop(client))),
        Err(_) => drop(client),
    }
}

/// The administrative connection of a changefeed's destination, shared with other changefeeds.
pub(crate) struct Admins {
    shared: Arc<SharedAdmins>,
    config: ProducerConfig,
}

impl Admins {
    /// Connections with these settings.
    pub(crate) fn new(shared: &Arc<SharedAdmins>, config: ProducerConfig) -> Self {
        Self { shared: Arc::clone(shared), config }
    }

    /// The connection. Blocks.
    fn get(&self) -> Result<Arc<TopicAdmin>, SinkError> {
        self.shared.get(&self.config)
    }
}

/// Kafka.
pub(crate) struct KafkaSink {
    /// The producer; taken when the sink closes.
    producer: RwLock<Option<Producer<Parcel>>>,
    /// Nothing is sent after its end.
    term: Term,
    /// `host:port` of the brokers, joined by commas.
    brokers: String,
    /// For a topic that is not known yet.
    admins: Admins,
    /// The topic of the sink URI.
    default_topic: String,
    /// How topics are made. Other topics than the default one that are there take their own partition count.
    spec: TopicSpec,
    /// Partitions of topics that are known to exist.
    topics: RwLock<HashMap<String, i32>>,
    /// Counts changes of their partitions.
    epoch: AtomicU64,
}

impl KafkaSink {
    /// Connects and makes sure that the default topic exists. Blocks.
    pub(crate) fn connect(
        mut config: ProducerConfig,
        admins: Admins,
        default_topic: &str,
        spec: TopicSpec,
        signal: Arc<Signal>,
        term: Term,
    ) -> Result<(Self, usize), FeedError> {
        let admin = admins.get()?;
        let count = admin.ensure(default_topic, spec)?;
        // As in TiCDC the topic's own limit replaces the configured one.
        if let Some(limit) = admin.max_message_bytes(default_topic) {
            config.max_message_bytes = limit;
        }
        let limit = config.max_message_bytes;
        let producer = Producer::new(&config, move || signal.poke())?;
        let sink = Self {
            brokers: config.brokers,
            producer: RwLock::new(Some(producer)),
            term,
            admins,
            default_topic: default_topic.to_owned(),
            spec,
            topics: RwLock::new(HashMap::from([(default_topic.to_owned(), count)])),
            epoch: AtomicU64::new(0),
        };
        Ok((sink, limit))
    }
}

impl Sink for KafkaSink {
    fn partitions(&self, topic: &str) -> Result<i32, FeedError> {
        if let Some(count) = self.topics.read().get(topic) {
            return Ok(*count);
        }
        let admin = self.admins.get()?;
        let count = if topic == self.default_topic {
            admin.ensure(topic, self.spec)?
        } else {
            admin.ensure_any(topic, self.spec)?
        };
        self.topics.write().insert(topic.to_owned(), count);
        Ok(count)
    }

    fn partition_epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    fn refresh_partitions(&self) {
        for (topic, before) in self.topics() {
            // The default topic keeps the number that the user gave.
            if topic == self.default_topic && self.spec.partitions.is_some() {
                continue;
            }
            let count = self.producer.read().as_ref().and_then(|producer| producer.count_partitions(&topic));
            if let Some(count) = count.filter(|count| *count > before) {
                info!(
                    topic,
                    before, count, "the topic has more partitions; rows are spread over all of them"
                );
                self.topics.write().insert(topic, count);
                self.epoch.fetch_add(1, Ordering::AcqRel);
            }
        }
    }

    fn send(
        &self,
        topic: &str,
        partition: i32,
        key: Option<&[u8]>,
        value: &[u8],
        parcel: Arc<Parcel>,
    ) -> Result<(), FeedError> {
        if self.term.is_over() {
            return Err(FeedError::new("CDC:ErrNotOwner", "this capture is not a owner"));
        }
        match &*self.producer.read() {
            Some(producer) => Ok(producer.send(topic, partition, key, value, parcel)?),
            None => Err(FeedError::new("CDC:ErrKafkaProducerClosed", "kafka producer closed")),
        }
    }

    fn in_flight_bytes(&self) -> usize {
        self.producer.read().as_ref().map_or(0, Producer::in_flight_bytes)
    }

    fn topics(&self) -> Vec<(String, i32)> {
        self.topics.read().iter().map(|(topic, count)| (topic.clone(), *count)).collect()
    }

    fn trouble(&self) -> Option<Trouble> {
        let producer = self.producer.read();
        let producer = producer.as_ref()?;
        if producer.is_fatal() {
            let reason = "the kafka producer failed for good and must be replaced".to_owned();
            return Some(Trouble { reason, since: None });
        }
        match producer.health() {
            Health::Good => None,
            Health::Down { since, reason } => Some(Trouble { reason, since: Some(since) }),
        }
    }

    fn destination(&self) -> String {
        self.brokers.clone()
    }

    fn probe(&self) {
        if let Some(producer) = &*self.producer.read() {
            producer.probe();
        }
    }

    fn close(&self) {
        let producer = self.producer.write().take();
        if let Some(producer) = producer {
            producer.settle();
            let_go(producer);
        }
    }

    fn abandon(&self) {
        let producer = self.producer.write().take();
        if let Some(producer) = producer {
            producer.abandon();
            let_go(producer);
        }
    }
}
