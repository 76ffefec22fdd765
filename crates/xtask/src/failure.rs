//! Why a chore failed.

use std::path::{Path, PathBuf};

/// Why a chore failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
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
    /// A connection failed, or something unexpected came over it.
    #[error("{peer}: {source}")]
    Connection {
        /// Who was talked to.
        peer: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A check was negative.
    #[error("{0}")]
    Check(String),
}

impl Failure {
    /// A negative check.
    pub fn check(message: impl Into<String>) -> Self {
        Self::Check(message.into())
    }

    /// A problem with a file.
    pub fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }

    /// A problem with a connection.
    pub fn connection<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        peer: &str,
    ) -> impl FnOnce(E) -> Self {
        let peer = peer.to_owned();
        move |source| Self::Connection { peer, source: source.into() }
    }
}
