//! Why a real Kafka can't be had.

use std::path::PathBuf;
use std::time::Duration;

/// Why a real Kafka can't be had.
#[derive(Debug, thiserror::Error)]
pub enum KafkaError {
    /// A program that is needed is not installed.
    #[error("{program} is not installed; on Debian or Ubuntu: apt-get install {package}")]
    NotInstalled {
        /// Its name.
        program: &'static str,
        /// Debian's package.
        package: &'static str,
    },
    /// A program could not be started.
    #[error("cannot start {program}: {source}")]
    Start {
        /// Its name.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// A program ended with an error.
    #[error("{program} failed: {output}")]
    Program {
        /// What was run.
        program: String,
        /// The end of what it printed.
        output: String,
    },
    /// A file or folder could not be read or written.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A server is not ready in time.
    #[error("{server} did not become ready within {limit:?}; the end of its log:\n{log}")]
    NotReady {
        /// Which.
        server: String,
        /// How long was waited.
        limit: Duration,
        /// The end of its output.
        log: String,
    },
    /// Settings that don't go together.
    #[error("{0}")]
    Settings(String),
}

impl KafkaError {
    /// True if the machine has not what it takes, so that a test may be skipped.
    pub fn is_missing_program(&self) -> bool {
        matches!(self, Self::NotInstalled { .. })
    }

    /// A problem with a file.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
