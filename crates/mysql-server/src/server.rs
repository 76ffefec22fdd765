//! The listener.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::connection::Connection;
use crate::error::{SqlError, StartError};
use crate::result::error_packet;
use crate::session::Backend;

/// How long shutdown waits for statements that are running.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);
/// Pause after a failed accept (out of file descriptors), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How to serve.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Where to listen; port 0 picks one.
    pub addr: SocketAddr,
    /// Version string of the greeting.
    pub version: String,
    /// Most connections at once.
    pub max_connections: usize,
}

/// A server that runs.
pub struct Running {
    /// Where it listens.
    local_addr: SocketAddr,
    /// Stops it.
    stop: CancellationToken,
    /// Its tasks.
    tasks: TaskTracker,
}

impl Running {
    /// Where the server listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Stops accepting, lets running statements finish within a bound, and closes.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(SHUTDOWN_TIMEOUT, self.tasks.wait()).await.is_err() {
            warn!("statements were still running when the server stopped");
        }
    }
}

/// Starts listening; connections are served in the background.
pub async fn start<B: Backend>(config: ServerConfig, backend: Arc<B>) -> Result<Running, StartError> {
    let listener = TcpListener::bind(config.addr).await.map_err(|source| match source.kind() {
        std::io::ErrorKind::AddrInUse => StartError::AddressInUse { addr: config.addr },
        _ => StartError::Listen { addr: config.addr, source },
    })?;
    let local_addr =
        listener.local_addr().map_err(|source| StartError::Listen { addr: config.addr, source })?;
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    tasks.spawn(accept(listener, config, backend, stop.clone(), tasks.clone()));
    Ok(Running { local_addr, stop, tasks })
}

/// Accepts connections until stopped.
async fn accept<B: Backend>(
    listener: TcpListener,
    config: ServerConfig,
    backend: Arc<B>,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    let started = Instant::now();
    let next_id = AtomicU32::new(1);
    let places = Arc::new(Semaphore::new(config.max_connections));
    let version: Arc<str> = config.version.into();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if let Err(error) = socket.set_nodelay(true) {
            debug!(%error, "no TCP_NODELAY");
        }
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            refuse(&socket, &SqlError::new(1040, b"08004", "Too many connections"));
            continue;
        };
        let id = next_id.fetch_add(1, Ordering::Relaxed);
        let connection = Connection::new(socket, Arc::clone(&backend), id, peer, started);
        let (version, stop) = (Arc::clone(&version), stop.clone());
        tasks.spawn(async move {
            if let Err(error) = connection.run(&version, stop).await {
                debug!(id, %peer, %error, "connection ended");
            }
            drop(place);
        });
    }
}

/// Tells a client that it can't come in, without waiting for it.
fn refuse(socket: &tokio::net::TcpStream, error: &SqlError) {
    let payload = error_packet(error);
    let mut packet = (payload.len() as u32).to_le_bytes().to_vec();
    packet[3] = 0;
    packet.extend_from_slice(&payload);
    if let Err(error) = socket.try_write(&packet) {
        debug!(%error, "client gone before it was refused");
    }
}
