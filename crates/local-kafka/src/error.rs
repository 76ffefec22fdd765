//! Why a broker could not start.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a broker could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another program listens on the address.
    #[error("the Kafka address {addr} is already in use")]
    AddressInUse {
        /// The configured address.
        addr: SocketAddr,
    },
    /// The address cannot be listened on for another reason.
    #[error("cannot listen on the Kafka address {addr}")]
    Bind {
        /// The configured address.
        addr: SocketAddr,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// Another broker works in the data directory.
    #[error("the Kafka data directory {} is used by another process", dir.display())]
    DataDirInUse {
        /// The configured directory.
        dir: PathBuf,
    },
    /// A file of the data directory cannot be used.
    #[error("cannot open the Kafka data in {}", path.display())]
    Storage {
        /// The file or directory.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: std::io::Error,
    },
    /// A metadata file of the data directory does not have the expected form.
    #[error("the Kafka metadata file {} is not readable: {reason}", path.display())]
    Metadata {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A setting has an impossible value.
    #[error("invalid Kafka setting {name}: {reason}")]
    Config {
        /// Name of the field of [`crate::KafkaConfig`].
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}
