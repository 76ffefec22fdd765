//! Why a chore failed.

use std::path::{Path, PathBuf};

/// Why a chore failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A program could not be started.
    #[error("cannot start `{command}`: {source}")]
    Start {
        /// The command line.
        command: String,
        /// Why.
        source: std::io::Error,
    },
    /// A program ended with an error.
    #[error("`{command}` failed: {status}")]
    Program {
        /// The command line.
        command: String,
        /// How it ended.
        status: String,
    },
    /// A file or folder could not be read or written.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A connection failed.
    #[error("{peer}: {source}")]
    Connection {
        /// Who was talked to.
        peer: String,
        /// Why.
        source: std::io::Error,
    },
    /// The Kafka client failed.
    #[error("Kafka: {0}")]
    Kafka(#[from] rdkafka::error::KafkaError),
    /// JSON that is none, or not what was expected.
    #[error("JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A check was negative.
    #[error("{0}")]
    Check(String),
}

impl Failure {
    /// A negative check.
    pub(crate) fn check(message: impl Into<String>) -> Self {
        Self::Check(message.into())
    }

    /// A problem with a file.
    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }

    /// A problem with a connection.
    pub(crate) fn connection(peer: &str) -> impl FnOnce(std::io::Error) -> Self {
        let peer = peer.to_owned();
        move |source| Self::Connection { peer, source }
    }
}
