//! Kafka producer and topics of a changefeed.
//!
//! A [`Producer`] takes encoded messages with an explicit partition and reports each delivery to the acknowledgement
//! object that came with the message. Nothing here knows where messages come from.
//!
//! Ordering: librdkafka's idempotent producer keeps the order of `send` calls per partition over its own retries, with
//! up to five requests in flight. When acknowledgements are weaker than `all` the producer is not idempotent and only
//! one request is in flight.

mod config;
mod error;
mod events;
mod login;
mod oauth;
mod producer;
mod topic;

pub use config::{Compression, ProducerConfig, TlsConfig};
pub use error::SinkError;
pub use login::{HAS_KERBEROS, KerberosConfig, Login, SaslConfig};
pub use oauth::OauthConfig;
pub use producer::{Acknowledge, Health, PROBE_TIMEOUT, Producer};
pub use topic::{Finding, SharedAdmins, TopicAdmin, TopicSpec, Verdict, is_valid_topic};
