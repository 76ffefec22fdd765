//! A store under test with a client, and short forms of requests.

use crate::pd::Pd;
use bytes::Bytes;
use local_tikv::{Running, TikvConfig};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use tikv_proto::cdcpb::change_data_client::ChangeDataClient;
use tikv_proto::kvrpcpb::*;
use tikv_proto::tikvpb::tikv_client::TikvClient;
use tikv_proto::{errorpb, metapb};
use tonic::transport::Channel;

pub(crate) struct Cluster {
    pub(crate) pd: Pd,
    dir: TempDir,
    pub(crate) store: Option<Running>,
    pub(crate) client: TikvClient<Channel>,
    pub(crate) feeds: ChangeDataClient<Channel>,
    tune: fn(&mut TikvConfig),
}

pub(crate) fn put(key: &str, value: &str) -> Mutation {
    Mutation {
        op: Op::Put.into(),
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: Bytes::copy_from_slice(value.as_bytes()),
        ..Default::default()
    }
}

pub(crate) fn mutation(op: Op, key: &str) -> Mutation {
    Mutation { op: op.into(), key: Bytes::copy_from_slice(key.as_bytes()), ..Default::default() }
}

pub(crate) fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(tune: fn(&mut TikvConfig)) -> Self {
        let pd = Pd::start().await;
        let dir = tempfile::tempdir().unwrap();
        let store = Self::open(dir.path(), pd.addr(), tune).await;
        let (client, feeds) = Self::connect(store.local_addr()).await;
        Self { pd, dir, store: Some(store), client, feeds, tune }
    }

    pub(crate) async fn open(dir: &Path, pd: SocketAddr, tune: fn(&mut TikvConfig)) -> Running {
        let mut config = TikvConfig::new("127.0.0.1:0".parse().unwrap(), pd.to_string(), dir);
        config.pd_patience = Duration::from_secs(5);
        tune(&mut config);
        local_tikv::start(config).await.unwrap()
    }

    /// Turns to a store that was started elsewhere.
    pub(crate) async fn turn_to(&mut self, addr: SocketAddr) {
        (self.client, self.feeds) = Self::connect(addr).await;
    }

    async fn connect(addr: SocketAddr) -> (TikvClient<Channel>, ChangeDataClient<Channel>) {
        let channel = Channel::from_shared(format!("http://{addr}")).unwrap().connect().await.unwrap();
        (
            TikvClient::new(channel.clone()).max_decoding_message_size(usize::MAX),
            ChangeDataClient::new(channel).max_decoding_message_size(usize::MAX),
        )
    }

    /// Stops the store in good order.
    pub(crate) async fn stop(&mut self) {
        self.store.take().unwrap().shutdown().await;
    }

    /// Stops the store in good order and starts it again on its data.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        let store = Self::open(self.dir.path(), self.pd.addr(), self.tune).await;
        (self.client, self.feeds) = Self::connect(store.local_addr()).await;
        self.store = Some(store);
    }

    pub(crate) fn ts(&self) -> u64 {
        self.pd.timestamp()
    }

    pub(crate) fn data_dir(&self) -> &Path {
        self.dir.path()
    }

    /// The region of a key, as PD knows it.
    pub(crate) fn region_of(&self, key: &str) -> metapb::Region {
        self.pd.region_of(encode(key.as_bytes()))
    }

    pub(crate) fn context(&self, key: &str) -> Option<Context> {
        Some(Context { cluster_id: self.pd.cluster_id(), ..context(&self.region_of(key)) })
    }

    pub(crate) async fn get(&self, key: &str, ts: u64) -> GetResponse {
        let request = GetRequest { context: self.context(key), key: bytes(key), version: ts };
        self.client.clone().kv_get(request).await.unwrap().into_inner()
    }

    /// The value at `ts`, where no lock may be in the way.
    pub(crate) async fn value(&self, key: &str, ts: u64) -> Option<String> {
        let response = self.get(key, ts).await;
        assert_eq!((&response.error, &response.region_error), (&None, &None));
        (!response.not_found).then(|| String::from_utf8(response.value.to_vec()).unwrap())
    }

    pub(crate) fn prewrite_request(&self, mutations: Vec<Mutation>, start_ts: u64) -> PrewriteRequest {
        let primary = mutations[0].key.clone();
        PrewriteRequest {
            context: self.context(std::str::from_utf8(&primary).unwrap()),
            txn_size: mutations.len() as u64,
            mutations,
            primary_lock: primary,
            start_version: start_ts,
            lock_ttl: 3000,
            ..Default::default()
        }
    }

    pub(crate) async fn prewrite(&self, mutations: Vec<Mutation>, start_ts: u64) -> PrewriteResponse {
        self.send_prewrite(self.prewrite_request(mutations, start_ts)).await
    }

    pub(crate) async fn send_prewrite(&self, request: PrewriteRequest) -> PrewriteResponse {
        self.client.clone().kv_prewrite(request).await.unwrap().into_inner()
    }

    pub(crate) async fn commit(&self, keys: &[&str], start_ts: u64, commit_ts: u64) -> CommitResponse {
        let request = CommitRequest {
            context: self.context(keys[0]),
            start_version: start_ts,
            keys: keys.iter().map(|key| bytes(key)).collect(),
            commit_version: commit_ts,
            ..Default::default()
        };
        self.client.clone().kv_commit(request).await.unwrap().into_inner()
    }

    pub(crate) async fn rollback(&self, keys: &[&str], start_ts: u64) -> BatchRollbackResponse {
        let request = BatchRollbackRequest {
            context: self.context(keys[0]),
            start_version: start_ts,
            keys: keys.iter().map(|key| bytes(key)).collect(),
        };
        self.client.clone().kv_batch_rollback(request).await.unwrap().into_inner()
    }

    /// Writes keys of one region in one transaction; returns (start ts, commit ts).
    pub(crate) async fn write(&self, mutations: Vec<Mutation>) -> (u64, u64) {
        let keys: Vec<String> =
            mutations.iter().map(|m| String::from_utf8(m.key.to_vec()).unwrap()).collect();
        let start_ts = self.ts();
        let prewritten = self.prewrite(mutations, start_ts).await;
        assert_eq!((&prewritten.errors, &prewritten.region_error), (&vec![], &None));
        let commit_ts = self.ts();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let committed = self.commit(&keys, start_ts, commit_ts).await;
        assert_eq!((&committed.error, &committed.region_error), (&None, &None));
        (start_ts, commit_ts)
    }

    pub(crate) async fn split(&self, region: &metapb::Region, keys: &[&str]) -> SplitRegionResponse {
        let request = SplitRegionRequest {
            context: Some(context(region)),
            split_keys: keys.iter().map(|key| bytes(key)).collect(),
            ..Default::default()
        };
        self.client.clone().split_region(request).await.unwrap().into_inner()
    }
}

pub(crate) fn context(region: &metapb::Region) -> Context {
    Context {
        region_id: region.id,
        region_epoch: region.region_epoch,
        peer: region.peers.first().cloned(),
        ..Default::default()
    }
}

/// Memcomparable form, written here once more so that the tests do not trust the code under test.
pub(crate) fn encode(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for at in (0..=raw.len()).step_by(8) {
        let group = &raw[at..raw.len().min(at + 8)];
        out.extend_from_slice(group);
        out.extend(std::iter::repeat_n(0, 8 - group.len()));
        out.push(0xFF - (8 - group.len()) as u8);
    }
    out
}

pub(crate) fn is_epoch_error(error: &Option<errorpb::Error>) -> bool {
    error.as_ref().is_some_and(|error| error.epoch_not_match.is_some())
}
