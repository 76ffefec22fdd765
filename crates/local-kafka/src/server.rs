//! Starting and stopping the broker.

use std::fs::{self, File, TryLockError};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::broker::{Broker, BrokerJoin};
use crate::config::KafkaConfig;
use crate::connection;
use crate::error::StartError;
use crate::housekeeping;
use crate::limits::{ACCEPT_BACKOFF, MAX_FRAME_BYTES, SHUTDOWN_GRACE};

/// File which is locked while a broker works in a data directory.
const LOCK_FILE: &str = "broker.lock";

/// A running broker. Dropping it stops the broker without waiting; prefer [`Running::shutdown`].
#[derive(Debug)]
pub struct Running {
    /// Address listened on.
    local_addr: SocketAddr,
    /// Tells everything to stop.
    stopping: CancellationToken,
    /// Accepts connections, and ends when all of them have.
    server: Option<JoinHandle<()>>,
}

impl Running {
    /// The address listened on, with the real port if the configured one was 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Stops accepting, lets running requests finish within a few seconds, and returns when everything is on disk.
    pub async fn shutdown(mut self) {
        self.stopping.cancel();
        if let Some(server) = self.server.take()
            && let Err(e) = server.await
        {
            warn!(error = %e, "the broker did not stop cleanly");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}

/// Starts a broker: opens the data directory, binds the address, serves until it is shut down.
///
/// # Errors
///
/// [`StartError::AddressInUse`] if another program listens on the address, [`StartError::DataDirInUse`] if another
/// broker works in the directory, other variants if files or settings are unusable.
pub async fn start(config: KafkaConfig) -> Result<Running, StartError> {
    check(&config)?;
    let addr = config.addr;
    let listener = TcpListener::bind(addr).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => StartError::AddressInUse { addr },
        _ => StartError::Bind { addr, source },
    })?;
    let local_addr = listener.local_addr().map_err(|source| StartError::Bind { addr, source })?;
    let stopping = CancellationToken::new();
    let data_dir = config.data_dir.clone();
    let opened = {
        let stopping = stopping.clone();
        tokio::task::spawn_blocking(move || {
            let lock = lock(&config.data_dir)?;
            Broker::open(config, stopping).map(|(broker, join)| (broker, join, lock))
        })
    };
    let failed = |e| Err(StartError::Storage { path: data_dir.clone(), source: io::Error::other(e) });
    let (broker, join, lock) = opened.await.unwrap_or_else(failed)?;
    info!(%local_addr, data_dir = %data_dir.display(), topics = broker.catalog.all().len(), "Kafka broker started");
    let server = tokio::spawn(run(listener, Arc::new(broker), join, lock, stopping.clone()));
    Ok(Running { local_addr, stopping, server: Some(server) })
}

/// Checks settings which have impossible values.
fn check(config: &KafkaConfig) -> Result<(), StartError> {
    let invalid = |name, reason: &str| Err(StartError::Config { name, reason: reason.to_owned() });
    if config.default_partitions < 1 {
        return invalid("default_partitions", "must be at least 1");
    }
    if config.node_id < 0 {
        return invalid("node_id", "must not be negative");
    }
    if config.max_connections == 0 || config.max_connections > Semaphore::MAX_PERMITS {
        return invalid("max_connections", "must be at least 1");
    }
    if config.max_frame_bytes == 0 || config.max_frame_bytes > MAX_FRAME_BYTES {
        return invalid("max_frame_bytes", "must be between 1 byte and 100 MiB");
    }
    if config.topic_defaults.segment_bytes < 1 || config.topic_defaults.max_message_bytes < 0 {
        return invalid("topic_defaults", "sizes must be positive");
    }
    Ok(())
}

/// Creates and locks the data directory.
fn lock(dir: &Path) -> Result<File, StartError> {
    let failed = |source| StartError::Storage { path: dir.to_owned(), source };
    fs::create_dir_all(dir).map_err(failed)?;
    let file =
        File::options().create(true).truncate(false).write(true).open(dir.join(LOCK_FILE)).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StartError::DataDirInUse { dir: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Serves until `stopping`, then winds everything down.
async fn run(
    listener: TcpListener,
    broker: Arc<Broker>,
    join: BrokerJoin,
    lock: File,
    stopping: CancellationToken,
) {
    let housekeeping = tokio::spawn(housekeeping::run(Arc::clone(&broker), stopping.clone()));
    let connections = accept(&listener, &broker, &stopping).await;
    drop(listener);
    finish(connections).await;
    let _ = housekeeping.await;
    broker.groups.stop().await;
    // The last reference: its queues close, and the threads behind them end when they are worked off.
    drop(broker);
    let joined = tokio::task::spawn_blocking(move || {
        join.join();
        drop(lock);
    });
    let _ = joined.await;
    info!("Kafka broker stopped");
}

/// Accepts connections until `stopping`; returns those still open.
async fn accept(listener: &TcpListener, broker: &Arc<Broker>, stopping: &CancellationToken) -> JoinSet<()> {
    let mut connections = JoinSet::new();
    let free = Arc::new(Semaphore::new(broker.config.max_connections));
    loop {
        let accepted: io::Result<(TcpStream, SocketAddr)> = tokio::select! {
            () = stopping.cancelled() => return connections,
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, peer)) => {
                let Ok(permit) = Arc::clone(&free).try_acquire_owned() else {
                    warn!(%peer, limit = broker.config.max_connections, "too many connections, refusing one");
                    continue;
                };
                let (broker, stopping) = (Arc::clone(broker), stopping.clone());
                connections.spawn(async move {
                    connection::serve(broker, stream, peer, stopping).await;
                    drop(permit);
                });
            }
            Err(e) => {
                warn!(error = %e, "cannot accept a connection");
                sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
}

/// Waits for connections to finish their requests, then ends the rest.
async fn finish(mut connections: JoinSet<()>) {
    let drained = timeout(SHUTDOWN_GRACE, async { while connections.join_next().await.is_some() {} });
    if drained.await.is_err() {
        warn!(open = connections.len(), "closing connections which did not finish");
        connections.shutdown().await;
    }
}
