//! Starting and stopping.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tikv_proto::etcdserverpb::cluster_server::ClusterServer;
use tikv_proto::etcdserverpb::kv_server::KvServer;
use tikv_proto::etcdserverpb::lease_server::LeaseServer;
use tikv_proto::etcdserverpb::maintenance_server::MaintenanceServer;
use tikv_proto::etcdserverpb::watch_server::WatchServer;
use tikv_proto::healthpb::health_server::HealthServer;
use tikv_proto::pdpb::pd_server::PdServer;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::service::{Routes, RoutesBuilder};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use crate::config::PdConfig;
use crate::error::StartError;
use crate::http;
use crate::node::Node;
use crate::service::etcd_kv::EtcdService;
use crate::service::health::HealthService;
use crate::service::pd::PdService;

/// Largest request: the limit that PD gives its metadata store is larger, ours bounds memory.
const MAX_REQUEST_BYTES: usize = 64 << 20;
/// Largest answer.
const MAX_ANSWER_BYTES: usize = 256 << 20;
/// HTTP/2 window of one stream.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
/// HTTP/2 window of a connection.
const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;
/// Streams on one connection.
const MAX_STREAMS: u32 = 4096;
/// Silence after which a client is probed.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// How long the probe may take.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long calls under way may take at shutdown.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);

/// A running server. Dropping it stops it at once, as a crash would but for the folder's lock, which is released.
#[derive(Debug)]
pub struct Running {
    node: Option<Arc<Node>>,
    local_addr: SocketAddr,
    url: String,
    cluster_id: u64,
    server: JoinHandle<()>,
    leases: JoinHandle<()>,
}

/// Binds the address, reads the journal, and serves.
///
/// # Errors
/// [`StartError::AddressInUse`], [`StartError::Bind`], [`StartError::DataDirInUse`], [`StartError::Journal`] or
/// [`StartError::Corrupt`].
pub async fn start(config: PdConfig) -> Result<Running, StartError> {
    let addr = config.addr;
    let listener = TcpListener::bind(addr).await.map_err(|source| match source.kind() {
        std::io::ErrorKind::AddrInUse => StartError::AddressInUse { addr, source },
        _ => StartError::Bind { addr, source },
    })?;
    let local_addr = listener.local_addr().map_err(|source| StartError::Bind { addr, source })?;
    let url = config.advertise_url.clone().unwrap_or_else(|| format!("http://{local_addr}"));
    let node = Node::open(&config, url.clone()).await?;
    let routes = routes(&node);
    let stop = node.stop_token().clone();
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let server = tokio::spawn(async move {
        let served = Server::builder()
            .accept_http1(true)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_concurrent_streams(MAX_STREAMS)
            .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
            .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
            .add_routes(routes)
            .serve_with_incoming_shutdown(incoming, stop.cancelled_owned())
            .await;
        if let Err(error) = served {
            tracing::error!(%error, "placement driver stopped serving");
        }
    });
    let leases = tokio::spawn(Arc::clone(&node).run_leases());
    let cluster_id = node.identity.cluster_id;
    tracing::info!(%local_addr, cluster_id, "placement driver is ready");
    Ok(Running { node: Some(node), local_addr, url, cluster_id, server, leases })
}

/// All services and HTTP calls.
fn routes(node: &Arc<Node>) -> Routes {
    let etcd = EtcdService::new(Arc::clone(node));
    let mut builder = RoutesBuilder::from(http::router(Arc::clone(node)));
    builder
        .add_service(
            PdServer::new(PdService::new(Arc::clone(node)))
                .max_decoding_message_size(MAX_REQUEST_BYTES)
                .max_encoding_message_size(MAX_ANSWER_BYTES),
        )
        .add_service(
            KvServer::new(etcd.clone())
                .max_decoding_message_size(MAX_REQUEST_BYTES)
                .max_encoding_message_size(MAX_ANSWER_BYTES),
        )
        .add_service(WatchServer::new(etcd.clone()).max_encoding_message_size(MAX_ANSWER_BYTES))
        .add_service(LeaseServer::new(etcd.clone()))
        .add_service(ClusterServer::new(etcd.clone()))
        .add_service(MaintenanceServer::new(etcd))
        .add_service(HealthServer::new(HealthService::new(Arc::clone(node))));
    builder.routes().prepare()
}

impl Running {
    /// The bound address.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The URL that clients are told.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The cluster's id.
    pub fn cluster_id(&self) -> u64 {
        self.cluster_id
    }

    /// Stops accepting, ends streams, lets calls under way finish for at most 3 s, and writes the last state.
    pub async fn shutdown(mut self) {
        let Some(node) = self.node.take() else { return };
        node.stop();
        if tokio::time::timeout(SHUTDOWN_TIMEOUT, &mut self.server).await.is_err() {
            tracing::warn!("calls were cut off at shutdown");
            self.server.abort();
        }
        // The lease task ends with the stop token; it may be waiting for the disk.
        let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, &mut self.leases).await;
        node.close().await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.server.abort();
        self.leases.abort();
        if let Some(node) = self.node.take() {
            node.abort();
        }
    }
}
