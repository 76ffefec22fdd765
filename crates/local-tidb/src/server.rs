//! The server: an engine behind a MySQL listener.

use std::net::SocketAddr;
use std::sync::Arc;

use tikv_client::Security;

use crate::engine::Engine;
use crate::session::variable_table::SERVER_VERSION;
use crate::topology;
use crate::wire::TidbBackend;
use tidb_expr::SqlError;

/// Most connections at once.
const MAX_CONNECTIONS: usize = 1024;

/// How to run the server.
#[derive(Debug, Clone)]
pub struct TidbConfig {
    /// Where to listen; port 0 picks one.
    pub addr: SocketAddr,
    /// URL or `host:port` of the placement driver.
    pub pd_endpoint: String,
    /// Most connections at once.
    pub max_connections: usize,
    /// Certificates for the placement driver and stores.
    pub security: Security,
}

impl TidbConfig {
    /// A configuration with the usual limits.
    pub fn new(addr: SocketAddr, pd_endpoint: impl Into<String>) -> Self {
        Self {
            addr,
            pd_endpoint: pd_endpoint.into(),
            max_connections: MAX_CONNECTIONS,
            security: Security::none(),
        }
    }
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The cluster does not answer or cannot be bootstrapped.
    #[error("cannot open the cluster: {0}")]
    Open(#[from] SqlError),
    /// The address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] mysql_server::StartError),
}

/// A server that runs.
pub struct Running {
    /// The listener.
    server: mysql_server::Running,
    /// What answers.
    engine: Arc<Engine>,
    /// Keeps the server listed in etcd.
    _listed: AbortOnDrop,
}

/// Ends a task when it is dropped.
struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Running {
    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// The engine, for sessions without a socket.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Stops accepting, lets running statements finish within a bound, and closes.
    pub async fn shutdown(self) {
        self.server.shutdown().await;
        self.engine.close().await;
    }
}

/// Starts the server: opens the cluster (making it a TiDB cluster if it is fresh), then listens.
///
/// # Errors
/// [`StartError`].
pub async fn start(config: TidbConfig) -> Result<Running, StartError> {
    let engine = Engine::open_with(&config.pd_endpoint, config.security.clone()).await?;
    let listen = mysql_server::ServerConfig {
        addr: config.addr,
        version: SERVER_VERSION.to_owned(),
        max_connections: config.max_connections,
    };
    let server = mysql_server::start(listen, Arc::new(TidbBackend::new(Arc::clone(&engine)))).await?;
    let listed = topology::list(server.local_addr(), &engine, config.security);
    Ok(Running { server, engine, _listed: AbortOnDrop(tokio::spawn(listed)) })
}
