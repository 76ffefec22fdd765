//! A store under test with a client, and short forms of requests.

use crate::fake_pd::{CLUSTER_ID, FakePd};
use bytes::Bytes;
use local_tikv::{Running, TikvConfig};
use std::net::SocketAddr;
use std::time::Duration;
use tempfile::TempDir;
use tikv_proto::cdcpb::change_data_client::ChangeDataClient;
use tikv_proto::kvrpcpb::*;
use tikv_proto::tikvpb::tikv_client::TikvClient;
use tikv_proto::{errorpb, metapb};
use tonic::transport::Channel;

pub(crate) struct Cluster {
    pub(crate) pd: FakePd,
    pd_addr: SocketAddr,
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
        let (pd, pd_addr) = FakePd::start().await;
        let dir = tempfile::tempdir().unwrap();
        let store = Self::open(&dir, pd_addr, tune).await;
        let (client, feeds) = Self::connect(store.local_addr()).await;
        Self { pd, pd_addr, dir, store: Some(store), client, feeds, tune }
    }

    async fn open(dir: &TempDir, pd: SocketAddr, tune: fn(&mut TikvConfig)) -> Running {
        let mut config = TikvConfig::new("127.0.0.1:0".parse().unwrap(), pd.to_string(), dir.path());
        config.pd_patience = Duration::from_secs(5);
        tune(&mut config);
        local_tikv::start(config).await.unwrap()
    }

    async fn connect(addr: SocketAddr) -> (TikvClient<Channel>, ChangeDataClient<Channel>) {
        let channel = Channel::from_shared(format!("http://{addr}")).unwrap().connect().await.unwrap();
        (
            TikvClient::new(channel.clone()).max_decoding_message_size(usize::MAX),
            ChangeDataClient::new(channel).max_decoding_message_size(usize::MAX),
        )
    }

    /// Stops the store in good order and starts it again on its data.
    pub(crate) async fn restart(&mut self) {
        self.store.take().unwrap().shutdown().await;
        let store = Self::open(&self.dir, self.pd_addr, self.tune).await;
        (self.client, self.feeds) = Self::connect(store.local_addr()).await;
        self.store = Some(store);
    }

    /// Starts another store on a copy of the data as it is on the disk now: what a crash would leave.
    pub(crate) async fn restart_from_crash_image(&mut self) {
        let copy = tempfile::tempdir().unwrap();
        copy_dir(self.dir.path(), copy.path());
        self.store.take().unwrap().shutdown().await;
        self.dir = copy;
        let store = Self::open(&self.dir, self.pd_addr, self.tune).await;
        (self.client, self.feeds) = Self::connect(store.local_addr()).await;
        self.store = Some(store);
    }

    pub(crate) fn ts(&self) -> u64 {
        self.pd.timestamp()
    }

    pub(crate) fn pd_addr(&self) -> SocketAddr {
        self.pd_addr
    }

    pub(crate) fn data_dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// The region of a key, as PD knows it.
    pub(crate) fn region_of(&self, key: &str) -> metapb::Region {
        let encoded = encode(key.as_bytes());
        let state = self.pd.0.lock();
        let found = state.regions.values().filter(|region| {
            region.start_key.as_ref() <= encoded.as_slice()
                && (region.end_key.is_empty() || encoded.as_slice() < region.end_key.as_ref())
        });
        found.max_by_key(|region| region.region_epoch.unwrap().version).cloned().unwrap()
    }

    pub(crate) fn context(&self, key: &str) -> Option<Context> {
        Some(context(&self.region_of(key)))
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
        cluster_id: CLUSTER_ID,
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

fn copy_dir(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
