//! Life of the capture process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use changefeed::{Context, ContextConfig, FeedError, FeedMetrics, MetadataStore};
use event_sorter::MemoryQuota;
use jiff::Timestamp;
use tikv_cdc::{CdcClient, CdcConfig, CdcMetrics, PrewriteSpool, TikvCluster};
use tikv_client::{EtcdClient, PdClient, TikvClient};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::api::{ApiState, router};
use crate::config::CaptureConfig;
use crate::election::{CaptureInfo, Membership};
use crate::error::StartError;
use crate::metrics::Metrics;
use crate::tls::{Caller, Front};
use crate::users::Users;

/// How long shutdown waits for changefeeds to save their checkpoints.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the owner counts itself in `ticdc_owner_ownership_counter`.
const OWNERSHIP_INTERVAL: Duration = Duration::from_secs(5);

/// A capture that runs.
pub struct Running {
    /// Where it listens.
    local_addr: SocketAddr,
    /// Stops it.
    stop: CancellationToken,
    /// Election and changefeeds.
    membership: JoinHandle<()>,
    /// The same, to ask.
    state: Arc<Membership>,
    /// HTTP.
    http: JoinHandle<()>,
}

impl Running {
    /// Where the capture listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Waits until the cluster of captures has an owner, so that changefeeds run and the whole API answers.
    pub async fn ready(&self) {
        self.state.wait_settled().await;
    }

    /// Stops changefeeds, gives up the registration, and closes the listener.
    pub async fn shutdown(self) {
        self.stop.cancel();
        for task in [self.membership, self.http] {
            if tokio::time::timeout(SHUTDOWN_TIMEOUT, task).await.is_err() {
                warn!("a part of the capture did not stop in time");
            }
        }
    }
}

/// Connects, registers and serves.
pub async fn start(config: CaptureConfig) -> Result<Running, StartError> {
    let listener = TcpListener::bind(config.addr).await.map_err(|source| match source.kind() {
        std::io::ErrorKind::AddrInUse => StartError::AddressInUse { addr: config.addr },
        _ => StartError::Listen { addr: config.addr, source },
    })?;
    let local_addr =
        listener.local_addr().map_err(|source| StartError::Listen { addr: config.addr, source })?;
    // Wrong certificates are told before anything is registered.
    let front = Front::new(listener, &config.security, &config.access)?;
    let caller = Caller::new(&config.security)?;
    let advertise_addr = config.advertise_addr.clone().unwrap_or_else(|| local_addr.to_string());
    std::fs::create_dir_all(&config.data_dir)
        .map_err(|source| StartError::DataDir { path: config.data_dir.display().to_string(), source })?;
    let pd = PdClient::connect(&config.pd, config.security.clone()).await?;
    let tikv = TikvClient::new(pd.clone());
    let etcd = EtcdClient::new(&pd.urls(), config.security.clone())?;
    pd.check_versions(&etcd).await.map_err(|error| match error {
        tikv_client::Error::VersionIncompatible { .. } => {
            StartError::Feed(FeedError::new("CDC:ErrVersionIncompatible", error.to_string()))
        }
        other => StartError::Pd(other),
    })?;
    let users = config.access.users.clone().map(|allowed| Users::new(allowed, etcd.clone()));
    let metadata = Arc::new(MetadataStore::new(etcd, &config.cluster_id));
    let quota = MemoryQuota::new(config.memory_quota);
    let (feed_metrics, cdc_metrics) = (FeedMetrics::default(), CdcMetrics::default());
    let metrics = Metrics::new(&feed_metrics, &cdc_metrics, Arc::clone(&quota));
    let spool = PrewriteSpool::open(&config.data_dir.join("prewrites"), &quota)
        .map_err(changefeed::FeedError::from)?;
    let feeds = CdcConfig { spool: Some(Arc::new(spool)), ..CdcConfig::default() };
    let cluster = Arc::new(TikvCluster::new(tikv.clone(), feeds.max_streams_per_store));
    let cdc = Arc::new(CdcClient::new(cluster, feeds, Arc::clone(&quota), cdc_metrics));
    let context = Context::new(ContextConfig {
        pd: pd.clone(),
        tikv: tikv.clone(),
        cdc,
        metadata: Arc::clone(&metadata),
        quota,
        data_dir: config.data_dir.clone(),
        time_zone: config.time_zone.clone(),
        advertise_addr: advertise_addr.clone(),
        cluster: config.cluster_id.clone(),
        gc_ttl_seconds: config.gc_ttl_seconds,
        version: config.build.compatible_version.clone(),
        metrics: feed_metrics,
    })?;
    let info = CaptureInfo {
        id: uuid::Uuid::new_v4().to_string(),
        address: advertise_addr,
        version: config.build.compatible_version.clone(),
        git_hash: config.build.git_hash.clone(),
        deploy_path: std::env::current_exe().map(|path| path.display().to_string()).unwrap_or_default(),
        start_timestamp: Timestamp::now().as_second(),
    };
    let membership = Arc::new(Membership::new(info, context, metadata, &config));
    let state = Arc::new(ApiState {
        membership: Arc::clone(&membership),
        cluster_id: config.cluster_id.clone(),
        build: config.build.clone(),
        time_zone: config.time_zone.clone(),
        metrics: metrics.clone(),
        pd,
        tikv,
        set_log_level: Arc::clone(&config.set_log_level),
        caller,
        users,
    });
    let stop = CancellationToken::new();
    let http = tokio::spawn(serve(front, state, stop.clone()));
    tokio::spawn(count_ownership(Arc::clone(&membership), metrics, stop.clone()));
    let state = Arc::clone(&membership);
    let membership = tokio::spawn(membership.run(stop.clone()));
    info!(%local_addr, "capture serves its API");
    Ok(Running { local_addr, stop, membership, state, http })
}

/// Serves the API until stopped.
async fn serve(front: Front, state: Arc<ApiState>, stop: CancellationToken) {
    let (router, stopped) = (router(state), stop.cancelled_owned());
    let served = match front {
        Front::Plain(listener) => axum::serve(listener, router).with_graceful_shutdown(stopped).await,
        Front::Tls(listener) => axum::serve(listener, router).with_graceful_shutdown(stopped).await,
    };
    if let Err(error) = served {
        warn!(%error, "the HTTP server ended");
    }
}

/// Counts the owner, for the alert on two of them.
async fn count_ownership(membership: Arc<Membership>, metrics: Metrics, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(OWNERSHIP_INTERVAL);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                if membership.owner().is_some() {
                    metrics.ownership.inc();
                }
            }
            () = stop.cancelled() => return,
        }
    }
}
