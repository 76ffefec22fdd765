//! Starting and stopping the store.

use crate::cdc::{ChangeDataService, FeedOptions, Hub, publish_resolved_ts};
use crate::config::TikvConfig;
use crate::engine::{Engine, EngineError, EngineOptions};
use crate::garbage::follow_safe_point;
use crate::placement::{Identity, JoinError, Placement, PlacementError, join, send_heartbeats};
use crate::region::{RegionMap, save_sizes, watch_sizes};
use crate::service::TikvService;
use crate::store::{Applier, Committer, LockChange, LockTable, LockWaits, MaxTs, Store, WorkPool};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tikv_proto::cdcpb::change_data_server::ChangeDataServer;
use tikv_proto::metapb;
use tikv_proto::tikvpb::tikv_server::TikvServer;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

/// Version that the store reports to PD: the TiKV release whose API it follows.
const STORE_VERSION: &str = "8.5.4";
/// Requests in progress get this long at shutdown.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(3);
/// Largest request, in bytes: a transaction's keys come in batches far smaller than this.
const MAX_REQUEST_BYTES: usize = 64 * 1024 * 1024;
/// Threads for incremental scans.
const SCAN_THREADS: usize = 2;
/// HTTP/2 windows of a stream and of a connection, in bytes.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 8 * 1024 * 1024;
/// Requests of one connection at a time; lock requests may wait for a second each.
const MAX_STREAMS: u32 = 4096;
/// Keep-alive pings to clients.
const KEEPALIVE: Duration = Duration::from_secs(10);
/// A client that does not answer a ping for this long is gone.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// Locks loaded into the lock table at once.
const LOAD_BATCH: usize = 4096;

/// The store did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another program listens on the address.
    #[error("address {addr} is already in use")]
    AddressInUse {
        /// The address.
        addr: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("listen on {addr}: {source}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The data directory cannot be created, or a thread cannot be started.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The data cannot be opened or read.
    #[error("open the data: {0}")]
    Engine(#[from] EngineError),
    /// PD does not answer, or does not accept the store.
    #[error(transparent)]
    Placement(#[from] PlacementError),
}

impl From<JoinError> for StartError {
    fn from(error: JoinError) -> Self {
        match error {
            JoinError::Placement(error) => Self::Placement(error),
            JoinError::Engine(error) => Self::Engine(error),
        }
    }
}

/// A running store. Dropping it stops it without waiting for anything, as a crash would.
pub struct Running {
    local_addr: SocketAddr,
    identity: Identity,
    store: Arc<Store>,
    stop: CancellationToken,
    server: JoinHandle<Result<(), tonic::transport::Error>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Starts the store: opens the data, joins PD's cluster, and serves.
///
/// # Errors
/// A taken address, data that cannot be opened, or a PD that does not answer in time or serves another cluster.
pub async fn start(config: TikvConfig) -> Result<Running, StartError> {
    let (listener, local_addr) = listen(config.addr).await?;
    let engine = open_engine(&config).await?;
    let address = config.advertise_addr.clone().unwrap_or_else(|| local_addr.to_string());
    let describe = |store_id| describe(store_id, &address, &config.data_dir);
    let (client, identity, regions) =
        join(&engine, &config.pd_endpoint, config.pd_patience, describe).await?;
    let placement = Placement::new(client, identity.cluster_id);
    // Reads before a restart may have been served up to this moment.
    let now = placement.timestamp().await?;
    let regions = RegionMap::new(identity.store_id, regions);
    let store = build(&config, identity, engine, placement, regions).await?;
    store.max_ts.update(now);
    let stop = CancellationToken::new();
    let tasks = vec![
        tokio::spawn(send_heartbeats(store.clone(), identity.store_id, stop.clone())),
        tokio::spawn(publish_resolved_ts(store.clone(), config.resolved_ts_interval, stop.clone())),
        tokio::spawn(follow_safe_point(store.clone(), stop.clone())),
        tokio::spawn(watch_sizes(store.clone(), config.region_split_size, stop.clone())),
    ];
    let server = serve(&config, listener, &store, stop.clone());
    tracing::info!(%local_addr, store_id = identity.store_id, "store is up");
    Ok(Running { local_addr, identity, store, stop, server, tasks })
}

impl Running {
    /// The address it listens on.
    pub const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Id of the store in its cluster.
    pub const fn store_id(&self) -> u64 {
        self.identity.store_id
    }

    /// Id of the cluster.
    pub const fn cluster_id(&self) -> u64 {
        self.identity.cluster_id
    }

    /// Stops: no new requests, those in progress get 3 seconds, then everything is brought to the disk.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        match tokio::time::timeout(SHUTDOWN_GRACE, &mut self.server).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::warn!(%error, "the server had failed"),
            Ok(Err(error)) => tracing::warn!(%error, "the server had failed"),
            Err(_) => {
                tracing::warn!("requests were cut off at shutdown");
                self.server.abort();
            }
        }
        for task in self.tasks.drain(..) {
            if let Err(error) = task.await {
                tracing::warn!(%error, "a background task had failed");
            }
        }
        let store = self.store.clone();
        let closed = tokio::task::spawn_blocking(move || {
            store.reads.close();
            store.scans.close();
            store.commands.close();
            store.committer.close();
            save_sizes(&store).and_then(|()| store.engine.sync())
        });
        match closed.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the data could not be synced at shutdown"),
            Err(error) => tracing::error!(%error, "shutdown failed"),
        }
    }
}

async fn listen(addr: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::AddrInUse => StartError::AddressInUse { addr },
        _ => StartError::Listen { addr, source },
    };
    let listener = TcpListener::bind(addr).await.map_err(failed)?;
    let local_addr = listener.local_addr().map_err(failed)?;
    Ok((listener, local_addr))
}

async fn open_engine(config: &TikvConfig) -> Result<Engine, StartError> {
    let dir = config.data_dir.clone();
    let options = EngineOptions { cache_bytes: config.cache_bytes, memtable_bytes: config.memtable_bytes };
    let what = format!("create {}", dir.display());
    let opened = tokio::task::spawn_blocking(move || {
        std::fs::create_dir_all(&dir).map_err(|source| StartError::System { what, source })?;
        Ok::<_, StartError>(Engine::open(&dir, options)?)
    });
    opened.await.map_err(|_| StartError::Engine(EngineError::Closed))?
}

fn describe(store_id: u64, address: &str, data_dir: &Path) -> metapb::Store {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    metapb::Store {
        id: store_id,
        address: address.to_owned(),
        peer_address: address.to_owned(),
        version: STORE_VERSION.to_owned(),
        start_timestamp: i64::try_from(now).unwrap_or(i64::MAX),
        deploy_path: data_dir.display().to_string(),
        node_state: metapb::NodeState::Serving.into(),
        ..metapb::Store::default()
    }
}

async fn build(
    config: &TikvConfig,
    identity: Identity,
    engine: Engine,
    placement: Placement,
    regions: RegionMap,
) -> Result<Arc<Store>, StartError> {
    let threads = |source| StartError::System { what: "start a thread".to_owned(), source };
    let locks = Arc::new(LockTable::default());
    let hub = Arc::new(Hub::default());
    let waits = Arc::new(LockWaits::default());
    let applier = Arc::new(Applier {
        engine: engine.clone(),
        locks: locks.clone(),
        hub: hub.clone(),
        waits: waits.clone(),
    });
    let store = Arc::new(Store {
        cluster_id: identity.cluster_id,
        placement,
        engine,
        locks,
        latches: Arc::default(),
        waits,
        regions,
        max_ts: MaxTs::default(),
        hub,
        committer: Committer::start(applier.clone()).map_err(threads)?,
        applier,
        reads: WorkPool::start("tikv-read", config.threads).map_err(threads)?,
        commands: WorkPool::start("tikv-command", config.threads).map_err(threads)?,
        scans: WorkPool::start("tikv-cdc-scan", SCAN_THREADS).map_err(threads)?,
    });
    let loading = store.clone();
    let loaded = tokio::task::spawn_blocking(move || load_locks(&loading)).await;
    loaded.map_err(|_| StartError::Engine(EngineError::Closed))??;
    Ok(store)
}

/// Fills the lock table from the disk.
fn load_locks(store: &Store) -> Result<(), EngineError> {
    let mut batch = Vec::new();
    for lock in store.engine.locks() {
        let (key, lock) = lock?;
        batch.push(LockChange { key: key.into(), lock: Some(Arc::new(lock)) });
        if batch.len() >= LOAD_BATCH {
            store.locks.apply(0, std::mem::take(&mut batch));
        }
    }
    store.locks.apply(0, batch);
    let ranges: Vec<_> =
        store.regions.all().iter().map(|region| (region.id(), region.range().clone())).collect();
    store.locks.retrack(&ranges);
    Ok(())
}

fn serve(
    config: &TikvConfig,
    listener: TcpListener,
    store: &Arc<Store>,
    stop: CancellationToken,
) -> JoinHandle<Result<(), tonic::transport::Error>> {
    let feeds = FeedOptions {
        sink_quota: config.feed_quota,
        scan_concurrency: config.scan_concurrency,
        scan_queue_limit: config.scan_queue_limit,
    };
    let tikv = TikvServer::new(TikvService::new(store.clone()))
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(usize::MAX);
    let change_data = ChangeDataServer::new(ChangeDataService::new(store.clone(), feeds, stop.clone()))
        .max_encoding_message_size(usize::MAX);
    let router = Server::builder()
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .add_service(tikv)
        .add_service(change_data);
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    tokio::spawn(router.serve_with_incoming_shutdown(incoming, async move { stop.cancelled().await }))
}
