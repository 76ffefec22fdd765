//! What can go wrong.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the server could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The port is taken.
    #[error("address {addr} is already in use")]
    AddressInUse {
        /// The address.
        addr: SocketAddr,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// The address cannot be listened on for another reason.
    #[error("cannot listen on {addr}")]
    Bind {
        /// The address.
        addr: SocketAddr,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// Another process uses the folder.
    #[error("data folder {} is used by another process", dir.display())]
    DataDirInUse {
        /// The folder.
        dir: PathBuf,
    },
    /// The journal could not be read or created.
    #[error("cannot open the journal {}", path.display())]
    Journal {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// The journal is damaged before its end, which no crash explains.
    #[error("journal {} is damaged at byte {offset}: {reason}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where the damage begins.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// The journal failed right after the start.
    #[error(transparent)]
    JournalFailed(#[from] JournalFailed),
}

/// The journal cannot be written any more; nothing is acknowledged from then on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("journal failed: {reason}")]
pub struct JournalFailed {
    /// The system's words.
    pub(crate) reason: String,
}

impl From<JournalFailed> for tonic::Status {
    fn from(error: JournalFailed) -> Self {
        Self::unavailable(error.to_string())
    }
}
