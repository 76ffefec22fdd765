//! What all sessions share: the store's client, the schema, DDL, id allocators, global variables.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tikv_client::{PdClient, Security, TikvClient};

use crate::auto_id::AutoIds;
use crate::catalog::{self, Schema};
use crate::storage_error::from_client;
use tidb_expr::Result;

/// How often a statement or internal transaction is repeated after a write conflict.
pub(crate) const MAX_RETRIES: usize = 10;

/// The embedded database, without a socket.
#[derive(Debug)]
pub struct Engine {
    /// The cluster's store.
    pub(crate) client: TikvClient,
    /// The newest schema.
    schema: RwLock<Arc<Schema>>,
    /// One DDL statement at a time.
    pub(crate) ddl: tokio::sync::Mutex<()>,
    /// Held shared by every commit and exclusively while a DDL changes the schema, so that a commit knows which
    /// schema is in force at its commit timestamp.
    pub(crate) schema_gate: tokio::sync::RwLock<()>,
    /// AUTO_INCREMENT numbers and row ids.
    pub(crate) auto_ids: AutoIds,
    /// Global variables that were set.
    globals: RwLock<BTreeMap<String, String>>,
    /// Connection numbers given out.
    connections: AtomicU64,
    /// Statements of open sessions, for `SHOW PROCESSLIST`.
    pub(crate) processes: Mutex<HashMap<u64, Process>>,
}

/// A row of `SHOW PROCESSLIST`.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    /// `user@host`.
    pub(crate) user: String,
    /// Current database.
    pub(crate) database: Option<String>,
    /// Running statement.
    pub(crate) statement: Option<String>,
    /// Since when it runs, or is idle.
    pub(crate) since: std::time::Instant,
}

impl Engine {
    /// Connects to a cluster and makes it a TiDB cluster if it is none yet.
    ///
    /// # Errors
    /// The cluster does not answer, or its schema cannot be read.
    pub async fn open(pd_endpoint: &str) -> Result<Arc<Self>> {
        Self::open_with(pd_endpoint, Security::none()).await
    }

    /// The same with certificates.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_with(pd_endpoint: &str, security: Security) -> Result<Arc<Self>> {
        let pd = PdClient::connect(&[pd_endpoint.to_owned()], security).await.map_err(from_client)?;
        let client = TikvClient::new(pd);
        let engine = Arc::new(Self {
            auto_ids: AutoIds::new(client.clone()),
            client,
            schema: RwLock::default(),
            ddl: tokio::sync::Mutex::new(()),
            schema_gate: tokio::sync::RwLock::new(()),
            globals: RwLock::default(),
            connections: AtomicU64::new(1),
            processes: Mutex::default(),
        });
        crate::bootstrap::ensure(&engine).await?;
        engine.reload().await?;
        crate::ddl::job::finish_interrupted(&engine).await?;
        crate::bootstrap::load_globals(&engine).await?;
        Ok(engine)
    }

    /// Reads the schema afresh.
    ///
    /// # Errors
    /// Storage failures.
    pub(crate) async fn reload(&self) -> Result<()> {
        let ts = self.client.pd().get_ts().await.map_err(from_client)?;
        let schema = catalog::load(&self.client.snapshot(ts)).await?;
        *self.schema.write() = Arc::new(schema);
        Ok(())
    }

    /// The newest schema.
    pub(crate) fn schema(&self) -> Arc<Schema> {
        Arc::clone(&self.schema.read())
    }

    /// Makes a schema the newest one.
    pub(crate) fn publish(&self, schema: Schema) {
        *self.schema.write() = Arc::new(schema);
    }

    /// A fresh connection number.
    pub fn next_connection_id(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed)
    }

    /// Value of a global variable that was set, by lower-case name.
    pub(crate) fn global(&self, name: &str) -> Option<String> {
        self.globals.read().get(name).cloned()
    }

    /// Sets a global variable in memory.
    pub(crate) fn set_global(&self, name: &str, value: &str) {
        self.globals.write().insert(name.to_owned(), value.to_owned());
    }

    /// Finishes background work of the store's client.
    pub async fn close(&self) {
        if !self.client.close().await {
            tracing::warn!("background commits were still running at the end");
        }
    }

    /// How long statements wait for row locks when their session does not say.
    pub(crate) const fn default_lock_wait() -> Duration {
        Duration::from_secs(50)
    }
}
