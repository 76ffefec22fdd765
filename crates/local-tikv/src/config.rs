//! Settings of the store.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Bytes in a MiB.
const MIB: u64 = 1024 * 1024;

/// Settings of the store. [`TikvConfig::new`] fills in the defaults.
#[derive(Clone, Debug)]
pub struct TikvConfig {
    /// Address to listen on; port 0 picks a free one.
    pub addr: SocketAddr,
    /// Address that PD gives to clients (`host:port`); the listening address if `None`.
    pub advertise_addr: Option<String>,
    /// PD's client URLs, separated by commas; `http://` may be left out.
    pub pd_endpoint: String,
    /// How long to wait for PD at start.
    pub pd_patience: Duration,
    /// Directory of the data; created if missing.
    pub data_dir: PathBuf,
    /// Regions larger than this, in bytes, are split. Default 144 MiB, as in TiKV.
    pub region_split_size: u64,
    /// Pace of resolved timestamps of change feeds, slower with thousands of subscriptions. Default 20 ms.
    pub resolved_ts_interval: Duration,
    /// Block cache of the engine, in bytes. Default 32 MiB.
    pub cache_bytes: u64,
    /// Memtable of each of the engine's keyspaces, in bytes. Default 16 MiB.
    pub memtable_bytes: u64,
    /// Threads for reads, and as many for the checks of writes. Default: the number of cores, 2 to 8.
    pub threads: usize,
    /// Bytes of rows that may wait for one change feed connection. Default 64 MiB.
    pub feed_quota: usize,
    /// Incremental scans of one change feed connection that run at the same time. Default 6.
    pub scan_concurrency: usize,
    /// Incremental scans that may wait. Default 10000, as in TiKV.
    pub scan_queue_limit: usize,
}

impl TikvConfig {
    /// Settings with defaults.
    pub fn new(addr: SocketAddr, pd_endpoint: impl Into<String>, data_dir: impl Into<PathBuf>) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            addr,
            advertise_addr: None,
            pd_endpoint: pd_endpoint.into(),
            pd_patience: Duration::from_secs(30),
            data_dir: data_dir.into(),
            region_split_size: 144 * MIB,
            resolved_ts_interval: Duration::from_millis(20),
            cache_bytes: 32 * MIB,
            memtable_bytes: 16 * MIB,
            threads: cores.clamp(2, 8),
            feed_quota: 64 * MIB as usize,
            scan_concurrency: 6,
            scan_queue_limit: 10_000,
        }
    }
}
