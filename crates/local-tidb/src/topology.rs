//! The server lists itself in etcd as TiDB does, so that dashboards and captures find it.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use tikv_client::{EtcdClient, Security};
use tracing::warn;

use crate::engine::Engine;
use crate::session::variable_table::SERVER_VERSION;

/// Life of the entries without renewal: TiDB's.
const LIFE: Duration = Duration::from_secs(45);
/// Pause between two renewals: TiDB's.
const RENEWAL: Duration = Duration::from_secs(30);
/// Pause after a failed attempt.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Keeps the server listed until dropped; the entries end with their lease.
pub(crate) fn list(
    addr: SocketAddr,
    engine: &Engine,
    security: Security,
) -> impl Future<Output = ()> + use<> {
    let urls = engine.client.pd().urls();
    async move {
        let etcd = match EtcdClient::new(&urls, security) {
            Ok(etcd) => etcd,
            Err(error) => return warn!(%error, "the server is not listed in etcd"),
        };
        let started = now().as_secs();
        loop {
            let error = match renew(&etcd, reachable(addr), started).await {
                Ok(never) => match never {},
                Err(error) => error,
            };
            warn!(%error, "the server is not listed in etcd for a moment");
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }
}

/// Writes the entries, and renews them until that fails.
async fn renew(
    etcd: &EtcdClient,
    addr: SocketAddr,
    started: u64,
) -> Result<std::convert::Infallible, tikv_client::Error> {
    let lease = etcd.lease_grant(LIFE).await?;
    let _alive = etcd.keep_alive(lease);
    let info = json!({
        "version": SERVER_VERSION,
        "git_hash": "",
        "ip": addr.ip().to_string(),
        "listening_port": addr.port(),
        "status_port": 0,
        "deploy_path": "",
        "start_timestamp": started,
        "labels": {},
    });
    etcd.put(format!("/topology/tidb/{addr}/info"), info.to_string(), lease.id).await?;
    loop {
        etcd.put(format!("/topology/tidb/{addr}/ttl"), now().as_nanos().to_string(), lease.id).await?;
        tokio::time::sleep(RENEWAL).await;
    }
}

/// Time since 1970.
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// An address that clients can use: those on this machine, if the server listens everywhere.
fn reachable(addr: SocketAddr) -> SocketAddr {
    if addr.ip().is_unspecified() { (Ipv4Addr::LOCALHOST, addr.port()).into() } else { addr }
}
