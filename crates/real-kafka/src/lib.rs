//! Apache Kafka, the original, as child processes: for tests, benchmarks and `cargo xtask kafka`.
//!
//! [`Installation`] has the jars (Maven fetches them once into a folder of build output), [`Cluster`] writes the
//! configuration, starts brokers (and ZooKeeper), waits until they answer over their own protocols, and stops them by
//! process id. Nothing here is part of the program.

mod certificates;
mod cluster;
mod error;
mod install;
mod probe;
mod process;
mod settings;

pub use certificates::Certificates;
pub use cluster::Cluster;
pub use error::KafkaError;
pub use install::{Installation, NEED_KAFKA, Version};
pub use process::{pids, stop_all};
pub use settings::{PASSWORD, Settings, USER};
