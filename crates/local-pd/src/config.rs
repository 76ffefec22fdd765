//! How the server is set up.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Version that the server announces: captures ask for at least 7.5.
pub const VERSION: &str = "8.5.4";

/// Settings of the server.
#[derive(Debug, Clone)]
pub struct PdConfig {
    /// Where to listen; port 0 takes a free one.
    pub addr: SocketAddr,
    /// URL under which clients reach the server; `http://` and the bound address if `None`.
    pub advertise_url: Option<String>,
    /// Folder of the journal; created if it does not exist.
    pub data_dir: PathBuf,
    /// Name of the member.
    pub name: String,
    /// Changes kept for watches that start in the past.
    pub history_events: usize,
}

/// Changes kept for watches by default.
const HISTORY_EVENTS: usize = 10_000;

impl PdConfig {
    /// The default settings for an address and a folder.
    pub fn new(addr: SocketAddr, data_dir: impl Into<PathBuf>) -> Self {
        Self {
            addr,
            advertise_url: None,
            data_dir: data_dir.into(),
            name: "pd".to_owned(),
            history_events: HISTORY_EVENTS,
        }
    }
}
