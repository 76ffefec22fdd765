//! The producer: explicit partitions, counted bytes in flight, one acknowledgement per message.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{
    BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext, PurgeConfig,
};
use tracing::{debug, warn};

use crate::config::ProducerConfig;
use crate::error::SinkError;
use crate::events::Served;
use crate::login::Login;

/// How long closing waits for messages that are still in flight.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a probe waits for a broker.
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Receives the fate of messages. One object usually stands for many messages.
pub trait Acknowledge: Send + Sync + 'static {
    /// A message of `bytes` value bytes was acknowledged by the broker, or given up on.
    ///
    /// Runs on a thread that handles the events of several producers: must not block.
    fn acknowledge(&self, bytes: usize, result: Result<(), SinkError>);
}

/// Whether the brokers can be reached.
#[derive(Debug, Clone)]
pub enum Health {
    /// Nothing is known to be wrong.
    Good,
    /// Every broker is unreachable since then.
    Down {
        /// When it was first seen.
        since: Instant,
        /// What the client said last.
        reason: String,
    },
}

/// State shared with the threads that handle librdkafka's events.
struct Shared {
    /// Value bytes that were sent and not acknowledged.
    in_flight_bytes: AtomicUsize,
    /// Messages of that kind.
    in_flight: AtomicUsize,
    /// True when someone waits for the last of them.
    settling: Mutex<bool>,
    /// Tells them.
    settled: Condvar,
    /// Reachability.
    health: Mutex<Health>,
    /// True when the producer can no longer be used (fatal idempotence error).
    fatal: AtomicBool,
    /// Called when reachability changes.
    on_health: Box<dyn Fn() + Send + Sync>,
}

/// librdkafka's callbacks.
struct Context<A> {
    /// Who we are, for tokens.
    login: Option<Login>,
    /// State shared with [`Producer`].
    shared: Arc<Shared>,
    /// Ties the context to the acknowledgement type.
    _ack: std::marker::PhantomData<fn(A)>,
}

impl<A: Acknowledge> ClientContext for Context<A> {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    /// Runs where events are handled, before a token ends: delivery reports wait as long as the token server takes.
    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        match self.login.as_ref().and_then(Login::token) {
            Some(Ok(token)) => Ok(token),
            Some(Err(error)) => {
                warn!(%error, "no token for the brokers; asked again soon");
                Err(Box::new(error))
            }
            None => Err("no token server is configured".into()),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AllBrokersDown) => {
                {
                    let mut health = self.shared.health.lock();
                    match &mut *health {
                        Health::Down { reason: last, .. } => *last = reason.to_owned(),
                        good => *good = Health::Down { since: Instant::now(), reason: reason.to_owned() },
                    }
                }
                warn!(reason, "all kafka brokers are down");
                (self.shared.on_health)();
            }
            Some(RDKafkaErrorCode::Fatal) => {
                self.shared.fatal.store(true, Ordering::Release);
                warn!(reason, "kafka producer failed for good");
                (self.shared.on_health)();
            }
            _ => debug!(%error, reason, "kafka client"),
        }
    }
}

impl<A: Acknowledge> ProducerContext for Context<A> {
    type DeliveryOpaque = Arc<A>;

    fn delivery(&self, result: &DeliveryResult<'_>, ack: Arc<A>) {
        let (bytes, outcome) = match result {
            Ok(message) => {
                self.shared.mark_good();
                (message.payload_len(), Ok(()))
            }
            Err((error, message)) => (message.payload_len(), Err(SinkError::from_delivery(error))),
        };
        self.shared.in_flight_bytes.fetch_sub(bytes, Ordering::AcqRel);
        ack.acknowledge(bytes, outcome);
        self.shared.one_less();
    }
}

impl Shared {
    /// A message is no longer in flight.
    fn one_less(&self) {
        if self.in_flight.fetch_sub(1, Ordering::SeqCst) == 1 && *self.settling.lock() {
            self.settled.notify_all();
        }
    }

    /// Waits until nothing is in flight; false if that takes too long.
    fn wait_settled(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let mut settling = self.settling.lock();
        // From here on the last message tells.
        *settling = true;
        while self.in_flight.load(Ordering::SeqCst) > 0 {
            if self.settled.wait_until(&mut settling, deadline).timed_out() {
                return self.in_flight.load(Ordering::SeqCst) == 0;
            }
        }
        true
    }

    /// A broker has answered.
    fn mark_good(&self) {
        let mut health = self.health.lock();
        if matches!(*health, Health::Down { .. }) {
            *health = Health::Good;
            drop(health);
            (self.on_health)();
        }
    }
}

/// A connection to Kafka that sends messages in order.
pub struct Producer<A: Acknowledge> {
    /// librdkafka's producer.
    inner: Arc<Served<Context<A>>>,
    /// State shared with the threads that handle its events.
    shared: Arc<Shared>,
}

impl<A: Acknowledge> Producer<A> {
    /// Creates a producer. `on_health` runs where events are handled when [`Self::health`] changes; it must not
    /// block.
    pub fn new(
        config: &ProducerConfig,
        on_health: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, SinkError> {
        let shared = Arc::new(Shared {
            in_flight_bytes: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            settling: Mutex::new(false),
            settled: Condvar::new(),
            health: Mutex::new(Health::Good),
            fatal: AtomicBool::new(false),
            on_health: Box::new(on_health),
        });
        let login = config.login.clone();
        let context = Context { login, shared: Arc::clone(&shared), _ack: std::marker::PhantomData };
        let producer: BaseProducer<_> = config
            .producer()?
            .create_with_context(context)
            .map_err(|e| SinkError::InvalidConfig(e.to_string()))?;
        let inner = Served::new(producer)
            .map_err(|e| SinkError::InvalidConfig(format!("threads for events of brokers: {e}")))?;
        Ok(Self { inner, shared })
    }

    /// Queues one message. Messages of one partition are delivered in the order of these calls.
    ///
    /// `key: None` is a null key, `Some(&[])` an empty one: TiCDC sends row messages with the latter.
    pub fn send(
        &self,
        topic: &str,
        partition: i32,
        key: Option<&[u8]>,
        value: &[u8],
        ack: Arc<A>,
    ) -> Result<(), SinkError> {
        let mut record = BaseRecord::with_opaque_to(topic, ack).partition(partition).payload(value);
        if let Some(key) = key {
            record = record.key(key);
        }
        self.shared.in_flight_bytes.fetch_add(value.len(), Ordering::AcqRel);
        self.shared.in_flight.fetch_add(1, Ordering::SeqCst);
        self.inner.producer().send(record).map_err(|(error, _)| {
            self.shared.in_flight_bytes.fetch_sub(value.len(), Ordering::AcqRel);
            self.shared.one_less();
            SinkError::from_delivery(&error)
        })
    }

    /// Value bytes that were sent and are not acknowledged yet.
    pub fn in_flight_bytes(&self) -> usize {
        self.shared.in_flight_bytes.load(Ordering::Acquire)
    }

    /// Whether brokers can be reached, as far as the client knows.
    pub fn health(&self) -> Health {
        self.shared.health.lock().clone()
    }

    /// Asks the brokers how many partitions `topic` has, so that the client knows all of them before a message goes to a
    /// new one; `None` if none can or may tell. Blocks up to [`PROBE_TIMEOUT`].
    pub fn count_partitions(&self, topic: &str) -> Option<i32> {
        let metadata = self.inner.producer().client().fetch_metadata(Some(topic), PROBE_TIMEOUT).ok()?;
        let found = metadata.topics().iter().find(|found| found.name() == topic)?;
        let count = found.partitions().len();
        i32::try_from(count).ok().filter(|count| *count > 0 && found.error().is_none())
    }

    /// Asks the brokers whether they are back, for a producer that has nothing to send. Blocks up to [`PROBE_TIMEOUT`].
    pub fn probe(&self) {
        if self.inner.producer().client().fetch_metadata(None, PROBE_TIMEOUT).is_ok() {
            self.shared.mark_good();
        }
    }

    /// True if the producer is unusable and must be replaced.
    pub fn is_fatal(&self) -> bool {
        self.shared.fatal.load(Ordering::Acquire)
    }

    /// Drops what is not on its way to a broker yet. For a process that may not write any more, because another does.
    pub fn abandon(&self) {
        self.inner.producer().purge(PurgeConfig::default().queue().inflight());
    }

    /// Waits a short, bounded time for messages in flight, then drops the rest. Blocks.
    pub fn close(self) {
        self.settle();
    }

    /// The same, before the producer is closed: nothing is sent any more. Blocks.
    pub fn settle(&self) {
        if !self.shared.wait_settled(CLOSE_TIMEOUT) {
            debug!("messages were still in flight when the producer closed");
            self.inner.producer().purge(PurgeConfig::default().queue().inflight());
        }
    }
}
