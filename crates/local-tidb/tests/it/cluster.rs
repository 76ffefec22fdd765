//! A whole cluster in this process: local-pd, local-tikv and the engine.

use std::sync::Arc;

use local_tidb::{Engine, QueryResult, Session, SqlError, value_text};

/// The servers and their folder.
pub(crate) struct Cluster {
    pub(crate) engine: Arc<Engine>,
    pub(crate) pd_endpoint: String,
    tikv: local_tikv::Running,
    pd: local_pd::Running,
    _dir: tempfile::TempDir,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let pd = local_pd::start(local_pd::PdConfig::new(any, dir.path().join("pd"))).await.unwrap();
        let pd_endpoint = format!("http://{}", pd.local_addr());
        let tikv =
            local_tikv::start(local_tikv::TikvConfig::new(any, pd_endpoint.clone(), dir.path().join("kv")))
                .await
                .unwrap();
        let engine = Engine::open(&pd_endpoint).await.unwrap();
        Self { engine, pd_endpoint, tikv, pd, _dir: dir }
    }

    pub(crate) fn session(&self) -> Client {
        Client { session: Session::new(Arc::clone(&self.engine), "root@127.0.0.1") }
    }

    /// A session in a database of its own.
    pub(crate) async fn session_in(&self, database: &str) -> Client {
        let mut client = self.session();
        client.ok(&format!("CREATE DATABASE IF NOT EXISTS {database}; USE {database}")).await;
        client
    }

    pub(crate) async fn stop(self) {
        self.engine.close().await;
        self.tikv.shutdown().await;
        self.pd.shutdown().await;
    }
}

/// A session with short forms for tests.
pub(crate) struct Client {
    pub(crate) session: Session,
}

impl Client {
    /// Runs statements that must succeed; the last result.
    pub(crate) async fn ok(&mut self, sql: &str) -> QueryResult {
        match self.session.execute(sql).await {
            Ok(mut results) => results.pop().unwrap_or_default(),
            Err(error) => panic!("{sql}: {error}"),
        }
    }

    /// Runs statements of which one must fail.
    pub(crate) async fn err(&mut self, sql: &str) -> SqlError {
        match self.session.execute(sql).await {
            Ok(_) => panic!("{sql}: should fail"),
            Err(error) => error,
        }
    }

    /// Rows as texts joined by `|`.
    pub(crate) async fn rows(&mut self, sql: &str) -> Vec<String> {
        let result = self.ok(sql).await;
        result
            .rows
            .iter()
            .map(|row| {
                let texts: Vec<String> = row
                    .iter()
                    .zip(&result.columns)
                    .map(|(v, c)| value_text(v, &c.ty).unwrap_or_else(|| "NULL".to_owned()))
                    .collect();
                texts.join("|")
            })
            .collect()
    }

    /// The one value of a query.
    pub(crate) async fn value(&mut self, sql: &str) -> String {
        self.rows(sql).await.into_iter().next().unwrap_or_default()
    }
}
