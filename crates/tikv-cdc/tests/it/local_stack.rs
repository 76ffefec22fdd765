//! The client against the embedded placement driver and store: real transactions, real splits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use event_sorter::MemoryQuota;
use local_pd::PdConfig;
use local_tikv::TikvConfig;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tikv_cdc::{
    CdcClient, CdcConfig, CdcMetrics, RowChange, SpanEvent, SpanReceiver, SpanRequest, TikvCluster,
    span_channel,
};
use tikv_client::{PdClient, Security, TikvClient, TransactionOptions};
use tikv_proto::kvrpcpb::{Context, Mutation, PrewriteRequest};
use tikv_proto::tikvpb::tikv_client::TikvClient as StoreClient;

use crate::fake::PATIENCE;

/// A cluster in this process.
struct Stack {
    /// Placement driver.
    pd: local_pd::Running,
    /// Store.
    store: local_tikv::Running,
    /// Client of both.
    client: TikvClient,
    /// Files.
    _dir: tempfile::TempDir,
}

impl Stack {
    /// Starts everything.
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let pd = local_pd::start(PdConfig::new(any, dir.path().join("pd"))).await.unwrap();
        let url = format!("http://{}", pd.local_addr());
        let store =
            local_tikv::start(TikvConfig::new(any, url.clone(), dir.path().join("kv"))).await.unwrap();
        let client = TikvClient::new(PdClient::connect(&[url], Security::none()).await.unwrap());
        Self { pd, store, client, _dir: dir }
    }

    /// A change feed client.
    fn feeds(&self) -> CdcClient {
        let cluster = Arc::new(TikvCluster::new(self.client.clone(), 1));
        CdcClient::new(cluster, CdcConfig::default(), MemoryQuota::new(256 << 20), CdcMetrics::default())
    }

    /// Ends everything.
    async fn stop(self) {
        self.client.close().await;
        self.store.shutdown().await;
        self.pd.shutdown().await;
    }
}

/// Receives until the span is resolved to `ts`; rows by (commit ts, start ts, key).
async fn receive(receiver: &mut SpanReceiver, ts: u64) -> BTreeMap<(u64, u64, Bytes), RowChange> {
    let mut rows = BTreeMap::new();
    let mut resolved = 0;
    while resolved < ts {
        let event = tokio::time::timeout(PATIENCE, receiver.recv()).await.expect("nothing comes").unwrap().1;
        match event {
            SpanEvent::Rows(batch) => {
                for row in batch {
                    assert!(row.commit_ts > resolved);
                    rows.insert((row.commit_ts, row.start_ts, row.key.clone()), row);
                }
            }
            SpanEvent::ResolvedTs(ts) => resolved = ts,
            SpanEvent::Failed(error) => panic!("{error}"),
        }
    }
    rows
}

/// (commit ts, key) to (new value, old value).
type Changes = BTreeMap<(u64, Vec<u8>), (Vec<u8>, Vec<u8>)>;

/// A key of the span.
fn key(number: u32) -> Vec<u8> {
    format!("t{number:05}").into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_arrive_completely_while_regions_split() {
    let stack = Stack::start().await;
    let feeds = stack.feeds();
    let (sender, mut receiver) = span_channel(1 << 20);
    let request = SpanRequest {
        id: 1,
        start: b"t".to_vec(),
        end: b"u".to_vec(),
        start_ts: stack.client.pd().get_ts().await.unwrap(),
        filter_loop: false,
    };
    let _span = feeds.subscribe(request, &sender).unwrap();
    let mut random = SmallRng::seed_from_u64(7);
    let mut expected = Changes::new();
    let mut state: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    for round in 0..120_u32 {
        if round % 20 == 10 {
            stack.client.split_region(&key(round * 8)).await.unwrap();
        }
        let mut options =
            if round % 2 == 0 { TransactionOptions::optimistic() } else { TransactionOptions::pessimistic() };
        if round % 3 == 0 {
            options = options.one_pc();
        }
        let mut transaction = stack.client.begin(options).await.unwrap();
        let mut changes: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        for _ in 0..random.random_range(1..8) {
            let key = key(random.random_range(0..1000));
            if state.contains_key(&key) && random.random_bool(0.3) {
                transaction.delete(key.clone()).unwrap();
                changes.insert(key, Vec::new());
            } else {
                let value = format!("value {round}").into_bytes();
                transaction.put(key.clone(), value.clone()).unwrap();
                changes.insert(key, value);
            }
        }
        let commit_ts = transaction.commit().await.unwrap().commit_ts.unwrap();
        for (key, value) in changes {
            let old = state.remove(&key).unwrap_or_default();
            if !value.is_empty() {
                state.insert(key.clone(), value.clone());
            }
            expected.insert((commit_ts, key), (value, old));
        }
    }
    let end_ts = stack.client.pd().get_ts().await.unwrap();
    let rows = receive(&mut receiver, end_ts).await;
    let received: Changes = rows
        .into_values()
        .map(|row| ((row.commit_ts, row.key.to_vec()), (row.value.to_vec(), row.old_value.to_vec())))
        .collect();
    for (change, values) in &expected {
        assert_eq!(received.get(change), Some(values), "{change:?}");
    }
    assert_eq!(received.len(), expected.len());

    // A second subscription from the start gets the same from the scan.
    let (again, mut scanned) = span_channel(1 << 20);
    let request = SpanRequest {
        id: 2,
        start: b"t".to_vec(),
        end: b"u".to_vec(),
        start_ts: expected.keys().next().unwrap().0 - 1,
        filter_loop: false,
    };
    let _scan = feeds.subscribe(request, &again).unwrap();
    let rows = receive(&mut scanned, end_ts).await;
    assert_eq!(rows.len(), expected.len());
    feeds.shutdown().await;
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lock_of_a_dead_writer_is_found_and_removed() {
    let stack = Stack::start().await;
    let feeds = stack.feeds();
    let (sender, mut receiver) = span_channel(1 << 20);
    let start_ts = stack.client.pd().get_ts().await.unwrap();
    let request =
        SpanRequest { id: 1, start: b"t".to_vec(), end: b"u".to_vec(), start_ts, filter_loop: false };
    let span = feeds.subscribe(request, &sender).unwrap();
    receive(&mut receiver, start_ts).await;
    // A writer that dies after its prewrite.
    let dead_ts = stack.client.pd().get_ts().await.unwrap();
    let region = stack.client.regions().locate(b"t1").await.unwrap();
    let channel = stack.client.channel(&region.store_address).unwrap();
    let prewrite = PrewriteRequest {
        context: Some(Context { ..region.context() }),
        mutations: vec![Mutation {
            key: Bytes::from_static(b"t1"),
            value: Bytes::from_static(b"never"),
            ..Mutation::default()
        }],
        primary_lock: Bytes::from_static(b"t1"),
        start_version: dead_ts,
        lock_ttl: 1000,
        ..PrewriteRequest::default()
    };
    let answer = StoreClient::new(channel).kv_prewrite(prewrite).await.unwrap().into_inner();
    assert!(answer.errors.is_empty() && answer.region_error.is_none(), "{answer:?}");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(span.resolved_ts() <= dead_ts, "the lock holds the resolved ts");
    let now = stack.client.pd().get_ts().await.unwrap();
    let rows = receive(&mut receiver, now).await;
    assert!(rows.is_empty(), "the transaction was rolled back");
    feeds.shutdown().await;
    stack.stop().await;
}
