//! Producer settings, in librdkafka's terms.

use std::time::Duration;

use rdkafka::ClientConfig;

use crate::error::SinkError;
use crate::login::Login;

/// How long a message may wait for its acknowledgement before it fails and the changefeed restarts from its checkpoint.
/// Shorter outages are ridden out by the client itself.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(120);
/// How long the client gathers messages for one request, milliseconds: not at all. Under load requests fill up while
/// others are on their way. And what rested in the client of a process that is stopped (a virtual machine that is moved,
/// SIGSTOP) would be sent when it goes on, after another process has taken over.
const LINGER_MS: &str = "0";
/// Largest produce request per partition, bytes.
const BATCH_BYTES: usize = 1 << 20;
/// Most messages in one produce request of a partition.
const BATCH_MESSAGES: usize = 10_000;
/// Longest pause between two attempts to reach a broker.
const RECONNECT_MAX: Duration = Duration::from_secs(1);
/// Room for key, headers and framing above the largest value, bytes.
const FRAME_OVERHEAD: usize = 1024;
/// Smallest and largest `message.max.bytes` that librdkafka takes.
const MIN_REQUEST: usize = 1000;
/// See [`MIN_REQUEST`].
const MAX_REQUEST: usize = 1_000_000_000;
/// Requests in flight per connection with an idempotent producer; librdkafka keeps order up to five.
const IN_FLIGHT: usize = 5;

/// Compression of record batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Batches are sent as they are.
    #[default]
    None,
    /// DEFLATE.
    Gzip,
    /// Snappy.
    Snappy,
    /// LZ4 frames.
    Lz4,
    /// Zstandard.
    Zstd,
}

impl Compression {
    /// librdkafka's name of the codec.
    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

/// TLS to the brokers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsConfig {
    /// Certificates that are trusted, a file in PEM; without it those of the operating system.
    pub ca: Option<String>,
    /// Own certificate and key, files in PEM.
    pub identity: Option<(String, String)>,
    /// Take any certificate.
    pub insecure_skip_verify: bool,
}

/// Everything a producer needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerConfig {
    /// Comma separated `host:port` list, as the sink URI gives it.
    pub brokers: String,
    /// Client id shown in broker logs.
    pub client_id: String,
    /// Acknowledgements: -1 (all), 0 or 1.
    pub required_acks: i16,
    /// Codec of record batches.
    pub compression: Compression,
    /// Largest message value, bytes.
    pub max_message_bytes: usize,
    /// Time to establish a connection or to wait for an administrative answer.
    pub dial_timeout: Duration,
    /// Credentials, if any.
    pub login: Option<Login>,
    /// TLS, if it is on.
    pub tls: Option<TlsConfig>,
}

impl ProducerConfig {
    /// The same without what concerns messages only: administrative connections of equal settings do the same.
    pub(crate) fn without_messages(&self) -> Self {
        Self { compression: Compression::None, max_message_bytes: 0, ..self.clone() }
    }

    /// Settings shared by producers and administrative clients.
    pub(crate) fn client(&self) -> Result<ClientConfig, SinkError> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", &self.client_id)
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", RECONNECT_MAX.as_millis().to_string())
            .set("socket.keepalive.enable", "true")
            .set("socket.nagle.disable", "true")
            .set("socket.connection.setup.timeout.ms", self.dial_timeout.as_millis().max(1000).to_string())
            .set("allow.auto.create.topics", "false");
        if let Some(login) = &self.login {
            login.apply(&mut config)?;
        }
        if let Some(tls) = &self.tls {
            // Without a file the client looks for the system's certificates where systems keep them.
            config.set("ssl.ca.location", tls.ca.as_deref().unwrap_or("probe"));
            if let Some((certificate, key)) = &tls.identity {
                config.set("ssl.certificate.location", certificate).set("ssl.key.location", key);
            }
            if tls.insecure_skip_verify {
                config
                    .set("enable.ssl.certificate.verification", "false")
                    .set("ssl.endpoint.identification.algorithm", "none");
            }
        }
        config.set("security.protocol", self.security_protocol());
        Ok(config)
    }

    /// Largest request, within what librdkafka takes.
    fn largest_request(&self) -> usize {
        self.max_message_bytes.saturating_add(FRAME_OVERHEAD).clamp(MIN_REQUEST, MAX_REQUEST)
    }

    /// librdkafka's name of what TLS and SASL together are.
    fn security_protocol(&self) -> &'static str {
        match (&self.tls, &self.login) {
            (None, None) => "plaintext",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), None) => "ssl",
            (Some(_), Some(_)) => "sasl_ssl",
        }
    }

    /// Settings of a producer.
    pub(crate) fn producer(&self) -> Result<ClientConfig, SinkError> {
        let idempotent = self.required_acks == -1;
        let mut config = self.client()?;
        config
            .set("enable.idempotence", idempotent.to_string())
            .set("acks", self.required_acks.to_string())
            .set("max.in.flight", if idempotent { IN_FLIGHT } else { 1 }.to_string())
            .set("linger.ms", LINGER_MS)
            .set("batch.size", BATCH_BYTES.to_string())
            .set("batch.num.messages", BATCH_MESSAGES.to_string())
            .set("compression.codec", self.compression.name())
            .set("message.max.bytes", self.largest_request().to_string())
            .set("message.timeout.ms", DELIVERY_TIMEOUT.as_millis().to_string())
            .set("retry.backoff.ms", "100")
            .set("retry.backoff.max.ms", "1000")
            // The changefeed bounds what is in flight by bytes; see `Producer::in_flight_bytes`.
            .set("queue.buffering.max.messages", "0")
            .set("queue.buffering.max.kbytes", "2147483647");
        Ok(config)
    }
}
