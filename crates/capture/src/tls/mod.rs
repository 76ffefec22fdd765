//! TLS of the HTTP API, with the certificates that the process uses towards PD and TiKV.

mod caller;
mod callers;
mod common_name;
mod files;
mod listener;
mod refusal;

use std::path::PathBuf;
use std::sync::Arc;

use tikv_client::Security;
use tokio::net::TcpListener;

pub(crate) use caller::Caller;
pub use caller::http_client;
pub(crate) use listener::TlsListener;
pub use refusal::refusal;

use files::{Files, Paths};

/// Who may call the API.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Common names of callers' certificates that are let in; empty: all. The name in our own certificate is let in too.
    pub cert_allowed_cn: Vec<String>,
    /// Callers must have a certificate.
    pub mtls: bool,
    /// Users of TiDB that may change changefeeds and read about them in detail; `None`: everybody.
    pub users: Option<Vec<String>>,
}

impl Access {
    /// Whether callers must show a certificate.
    pub(crate) fn asks_for_certificates(&self) -> bool {
        self.mtls || !self.cert_allowed_cn.is_empty()
    }
}

/// Why connections can't be encrypted.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be used.
    #[error("certificate file {} cannot be used: {reason}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The library refuses the settings.
    #[error("TLS cannot be set up: {0}")]
    Settings(#[source] rustls::Error),
    /// The HTTP client can't be made.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(#[source] reqwest::Error),
    /// Callers are to be checked by their certificates, and ours are not given.
    #[error("{what} needs an encrypted API: give --ca, --cert and --key")]
    NotEncrypted {
        /// The setting.
        what: &'static str,
    },
    /// The listener is of no use.
    #[error("cannot listen: {0}")]
    Listen(#[from] std::io::Error),
}

/// How the API is served.
pub(crate) enum Front {
    /// Plain text.
    Plain(TcpListener),
    /// Encrypted.
    Tls(TlsListener),
}

/// The URL scheme of captures with these certificates: encrypted as soon as there is all that it takes, as in TiCDC.
pub fn scheme(security: &Security) -> &'static str {
    if paths(security).is_some() { "https" } else { "http" }
}

/// The files, if all of them are given.
fn paths(security: &Security) -> Option<Paths> {
    let (ca, cert, key) = (security.ca.clone()?, security.cert.clone()?, security.key.clone()?);
    Some(Paths { ca, cert, key })
}

impl Front {
    /// Takes a listener, and encrypts its connections if certificates are given.
    pub(crate) fn new(listener: TcpListener, security: &Security, access: &Access) -> Result<Self, TlsError> {
        let Some(paths) = paths(security) else {
            if !access.cert_allowed_cn.is_empty() {
                return Err(TlsError::NotEncrypted { what: "cert-allowed-cn" });
            }
            if access.mtls {
                return Err(TlsError::NotEncrypted { what: "security.mtls" });
            }
            return Ok(Self::Plain(listener));
        };
        let files = Arc::new(Files::open(paths, access.clone())?);
        Ok(Self::Tls(TlsListener::new(listener, files)?))
    }
}
