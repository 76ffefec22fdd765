//! An embedded Kafka broker: one node, on disk, for any Kafka client.
//!
//! ```no_run
//! # async fn example() -> Result<(), local_kafka::StartError> {
//! use local_kafka::KafkaConfig;
//!
//! let addr = std::net::SocketAddr::from(([127, 0, 0, 1], 9092));
//! let broker = local_kafka::start(KafkaConfig::new(addr, "data/kafka")).await?;
//! println!("listening on {}", broker.local_addr());
//! broker.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # What is served
//!
//! Produce and fetch with record format 2, idempotent producers, consumer groups of the classic protocol (static
//! members included), topic, partition, configuration, offset and group administration. Fetches are woken by appends.
//!
//! # What is refused, by an error code which says so
//!
//! Transactions, log compaction, replication factors other than 1, record formats 0 and 1, consumer groups of the new
//! protocol, authentication and TLS.
//!
//! # Durability
//!
//! A batch is written to its segment file before it is acknowledged, so that killing the process loses nothing which
//! was acknowledged with `acks=1` or `acks=all`. What a power failure may take depends on the [`FlushPolicy`]; broker
//! metadata and committed offsets are always on disk before they are acknowledged.

mod api;
mod batch;
mod broker;
mod budget;
mod catalog;
mod config;
mod connection;
mod error;
mod frames;
mod groups;
mod housekeeping;
mod limits;
mod log;
mod platform;
mod server;
mod wire;

pub use config::{FlushPolicy, KafkaConfig, TopicConfig};
pub use error::StartError;
pub use server::{Running, start};
