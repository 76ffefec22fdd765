//! Why a capture does not start.

use std::net::SocketAddr;

/// Why a capture does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another process listens there.
    #[error("address {addr} is already in use")]
    AddressInUse {
        /// The wanted address.
        addr: SocketAddr,
    },
    /// Any other failure to listen.
    #[error("cannot listen on {addr}: {source}")]
    Listen {
        /// The wanted address.
        addr: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// PD can't be reached or refuses.
    #[error("cannot connect to PD: {0}")]
    Pd(#[from] tikv_client::Error),
    /// The data folder can't be made.
    #[error("cannot use data folder {path}: {source}")]
    DataDir {
        /// The folder.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The API can't be encrypted.
    #[error(transparent)]
    Tls(#[from] crate::tls::TlsError),
    /// Anything with one of TiCDC's codes.
    #[error(transparent)]
    Feed(#[from] changefeed::FeedError),
}
