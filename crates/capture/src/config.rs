//! Settings of a capture.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use tikv_client::Security;

use crate::tls::Access;

/// What was built.
#[derive(Debug, Clone)]
pub struct BuildInfo {
    /// TiCDC version whose interfaces this capture has, such as `v8.5.4`.
    pub compatible_version: String,
    /// Commit that was built.
    pub git_hash: String,
}

/// Changes the log level of the process.
pub type SetLogLevel = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// Settings of a capture.
#[derive(Clone)]
pub struct CaptureConfig {
    /// Where to listen; port 0 picks one.
    pub addr: SocketAddr,
    /// Address for others; the listening address if absent.
    pub advertise_addr: Option<String>,
    /// URLs of PD.
    pub pd: Vec<String>,
    /// Certificates for PD and TiKV, and of the API.
    pub security: Security,
    /// Who may call the API.
    pub access: Access,
    /// Cluster id of the captures.
    pub cluster_id: String,
    /// Folder for spilled rows and other data of the process.
    pub data_dir: PathBuf,
    /// Seconds for which a changefeed that stands still keeps old versions.
    pub gc_ttl_seconds: u64,
    /// Zone in which TIMESTAMP values are written.
    pub time_zone: TimeZone,
    /// Life of the registration in etcd after the process is gone.
    pub session_ttl: Duration,
    /// Memory of all changefeeds, bytes.
    pub memory_quota: usize,
    /// What was built.
    pub build: BuildInfo,
    /// Changes the log level of the process.
    pub set_log_level: SetLogLevel,
}
