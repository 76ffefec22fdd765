//! The client against the embedded servers, over their ports.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod async_commit;
mod commit;
mod connect;
mod facade;
mod faults;
mod invariants;
mod leader;
mod locks;
mod pd_server;
mod pessimistic;
mod proxy;
mod reads;
mod routing;
mod timestamp_service;
mod tls;

use std::time::Duration;

use bytes::Bytes;
use local_pd::PdConfig;
use local_tikv::TikvConfig;
use tempfile::TempDir;
use tikv_client::{
    ClientConfig, CommitInfo, KvPair, PdClient, Security, TikvClient, Transaction, TransactionOptions,
};

/// Bound on anything that a test waits for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A cluster of one store.
pub(crate) struct Cluster {
    pub(crate) pd: local_pd::Running,
    pub(crate) tikv: local_tikv::Running,
    pub(crate) client: TikvClient,
    _pd_dir: TempDir,
    pub(crate) tikv_dir: TempDir,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        Self::with_config(ClientConfig::default()).await
    }

    pub(crate) async fn with_config(config: ClientConfig) -> Self {
        let (pd_dir, tikv_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let any = ([127, 0, 0, 1], 0).into();
        let pd = local_pd::start(PdConfig::new(any, pd_dir.path())).await.unwrap();
        let tikv = local_tikv::start(TikvConfig::new(any, pd.url(), tikv_dir.path())).await.unwrap();
        let pd_client = PdClient::connect(&[pd.url().to_owned()], Security::none()).await.unwrap();
        let client = TikvClient::with_config(pd_client, config);
        Self { pd, tikv, client, _pd_dir: pd_dir, tikv_dir }
    }

    pub(crate) async fn optimistic(&self) -> Transaction {
        self.client.begin(TransactionOptions::optimistic()).await.unwrap()
    }

    pub(crate) async fn pessimistic(&self) -> Transaction {
        self.client.begin(TransactionOptions::pessimistic()).await.unwrap()
    }

    /// Writes pairs in one transaction.
    pub(crate) async fn write(&self, pairs: &[(&str, &str)]) -> CommitInfo {
        let mut txn = self.optimistic().await;
        for (key, value) in pairs {
            txn.put(key.to_string(), value.to_string()).unwrap();
        }
        txn.commit().await.unwrap()
    }

    /// The value of a key as of now.
    pub(crate) async fn read(&self, key: &str) -> Option<String> {
        let ts = self.client.pd().get_ts().await.unwrap();
        self.client.snapshot(ts).get(key.as_bytes()).await.unwrap().map(text)
    }
}

pub(crate) fn text(bytes: Bytes) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Pairs as `key=value`.
pub(crate) fn shown(pairs: Vec<KvPair>) -> Vec<String> {
    pairs.into_iter().map(|pair| format!("{}={}", text(pair.key), text(pair.value))).collect()
}
