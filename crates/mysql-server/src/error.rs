//! Errors that a client sees, and errors of a connection.

use std::net::SocketAddr;

/// An error packet: MySQL's code, SQLSTATE and text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("ERROR {code} ({}): {message}", String::from_utf8_lossy(.sqlstate))]
pub struct SqlError {
    /// MySQL or TiDB error number.
    pub code: u16,
    /// Five characters.
    pub sqlstate: [u8; 5],
    /// Text for people.
    pub message: String,
}

impl SqlError {
    /// An error with an explicit SQLSTATE.
    pub fn new(code: u16, sqlstate: &[u8; 5], message: impl Into<String>) -> Self {
        Self { code, sqlstate: *sqlstate, message: message.into() }
    }
}

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
pub enum ProtocolError {
    /// The socket failed or was closed in the middle of a packet.
    #[error("connection: {0}")]
    Io(#[from] std::io::Error),
    /// The client sent bytes that are not the protocol.
    #[error("malformed packet: {0}")]
    Malformed(&'static str),
    /// A packet arrived out of order.
    #[error("packet out of order: expected sequence {expected}, got {got}")]
    Sequence {
        /// What the protocol demands.
        expected: u8,
        /// What arrived.
        got: u8,
    },
    /// A packet is larger than the limit.
    #[error("packet of more than {limit} bytes")]
    TooLarge {
        /// The limit, bytes.
        limit: usize,
    },
    /// The client did nothing for too long.
    #[error("no handshake within the time limit")]
    HandshakeTimeout,
    /// The client was refused.
    #[error("access denied: {0}")]
    Denied(String),
}

/// Why a server does not start.
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
}
