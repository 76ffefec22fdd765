//! What can be wrong with the files of a recording.

use std::path::PathBuf;

/// A recording that can't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GoldenError {
    /// A file can't be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file holds something else than it should.
    #[error("{}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A message that is no JSON object.
    #[error("{reason} in {value}")]
    Message {
        /// What is wrong.
        reason: String,
        /// The message.
        value: String,
    },
}
