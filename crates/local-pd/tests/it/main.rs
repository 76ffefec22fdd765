//! The server over its ports, driven by real clients.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod etcd;
mod gc;
mod http;
mod lifecycle;
mod regions;
mod settings;
mod tso;

use std::time::Duration;

use local_pd::{PdConfig, Running, start};
use tempfile::TempDir;
use tikv_client::{EtcdClient, PdClient, Security};
use tikv_proto::pdpb::pd_client::PdClient as RawPd;
use tikv_proto::{metapb, pdpb};
use tonic::transport::Channel;

/// Bound on anything that a test waits for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A server on a free port with a folder that outlives it.
pub(crate) struct Fixture {
    pub(crate) dir: TempDir,
    pub(crate) server: Running,
}

impl Fixture {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = start(config(&dir)).await.unwrap();
        Self { dir, server }
    }

    /// Drops the server without a shutdown and starts another one on the folder.
    pub(crate) async fn crash(self) -> Self {
        drop(self.server);
        let server = start(config(&self.dir)).await.unwrap();
        Self { dir: self.dir, server }
    }

    pub(crate) fn endpoints(&self) -> Vec<String> {
        vec![self.server.url().to_owned()]
    }

    pub(crate) async fn pd(&self) -> PdClient {
        PdClient::connect(&self.endpoints(), Security::none()).await.unwrap()
    }

    pub(crate) fn etcd(&self) -> EtcdClient {
        EtcdClient::new(&self.endpoints(), Security::none()).unwrap()
    }

    pub(crate) async fn raw(&self) -> RawPd<Channel> {
        RawPd::connect(self.server.url().to_owned()).await.unwrap()
    }

    pub(crate) fn header(&self) -> Option<pdpb::RequestHeader> {
        Some(pdpb::RequestHeader { cluster_id: self.server.cluster_id(), ..Default::default() })
    }

    /// Gives the cluster its first store (1) and region (2).
    pub(crate) async fn bootstrap(&self) {
        let store = metapb::Store { id: 1, address: "127.0.0.1:20160".to_owned(), ..Default::default() };
        let region = Some(region(2, 1, "", ""));
        let request = pdpb::BootstrapRequest { header: self.header(), store: Some(store), region };
        let answer = self.raw().await.bootstrap(request).await.unwrap().into_inner();
        assert_eq!(answer.header.unwrap().error, None);
    }
}

pub(crate) fn config(dir: &TempDir) -> PdConfig {
    PdConfig::new(([127, 0, 0, 1], 0).into(), dir.path())
}

/// A region with one peer on store 1; boundaries are raw and get encoded.
pub(crate) fn region(id: u64, version: u64, start: &str, end: &str) -> metapb::Region {
    metapb::Region {
        id,
        start_key: encoded(start),
        end_key: encoded(end),
        region_epoch: Some(metapb::RegionEpoch { conf_ver: 1, version }),
        peers: vec![metapb::Peer { id: id + 100, store_id: 1, ..Default::default() }],
    }
}

/// The memcomparable form of a key of less than 8 bytes; empty stays empty.
pub(crate) fn encoded(raw: &str) -> bytes::Bytes {
    if raw.is_empty() {
        return bytes::Bytes::new();
    }
    assert!(raw.len() < 8);
    let mut out = raw.as_bytes().to_vec();
    out.resize(8, 0);
    out.push(0xFF - (8 - raw.len() as u8));
    out.into()
}
