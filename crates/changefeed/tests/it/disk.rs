//! The disk under the sorter refuses rows, and takes them again.

use std::time::Instant;

use changefeed::{Owner, Reason, Stage};
use changefeed_config::State;
use tikv_proto::kvrpcpb as pb;
use tikv_proto::tikvpb::tikv_client::TikvClient as Store;

use crate::cluster::{Cluster, DEADLINE, Table, rebuild, request, text};

/// Memory of the changefeed: half of it is the sorter's.
const MEMORY_QUOTA: u64 = 4 << 20;
/// Bytes of a row.
const ROW_BYTES: usize = 20_000;
/// Rows in a transaction.
const ROWS: i64 = 50;
/// Transactions: twice as much as the sorter may keep in memory.
const TRANSACTIONS: i64 = 4;

/// A lock on a row, which keeps the resolved ts of the table from moving, so that rows stay in the sorter.
struct Lock<'a> {
    cluster: &'a Cluster,
    key: Vec<u8>,
    start_ts: u64,
}

impl<'a> Lock<'a> {
    /// Locks a row.
    async fn take(cluster: &'a Cluster, table: &Table, row: i64) -> Self {
        let key = tidb_codec::key::record_key(table.id, &tidb_codec::key::Handle::Int(row));
        let start_ts = cluster.pd.get_ts().await.expect("ts");
        let lock = Self { cluster, key: key.clone(), start_ts };
        let region = cluster.tikv.regions().locate(&key).await.expect("region");
        let mut store = Store::new(cluster.tikv.channel(&region.store_address).expect("channel"));
        let request = pb::PrewriteRequest {
            context: Some(region.context()),
            mutations: vec![pb::Mutation {
                key: key.clone().into(),
                value: "x".into(),
                ..pb::Mutation::default()
            }],
            primary_lock: key.into(),
            start_version: start_ts,
            lock_ttl: 600_000,
            txn_size: 1,
            ..pb::PrewriteRequest::default()
        };
        assert_eq!(store.kv_prewrite(request).await.expect("answer").into_inner().errors, []);
        lock
    }

    /// Gives the row free.
    async fn release(self) {
        let region = self.cluster.tikv.regions().locate(&self.key).await.expect("region");
        let mut store = Store::new(self.cluster.tikv.channel(&region.store_address).expect("channel"));
        let request = pb::BatchRollbackRequest {
            context: Some(region.context()),
            start_version: self.start_ts,
            keys: vec![self.key.into()],
        };
        assert_eq!(store.kv_batch_rollback(request).await.expect("answer").into_inner().error, None);
    }
}

/// Waits until a changefeed has a state.
async fn wait_state(owner: &Owner, id: &str, state: State) {
    let started = Instant::now();
    while owner.get(id).expect("known").info.state != state {
        assert!(started.elapsed() < DEADLINE, "{:?}", owner.why(id).await);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_refuses_rows_is_a_warning_and_nothing_is_lost() {
    let mut cluster = Cluster::start().await;
    cluster.create_database().await;
    let table = Table::new(110, "orders");
    cluster.create_table(&table).await;
    let owner = cluster.owner().await;
    let start = cluster.pd.get_ts().await.expect("ts");
    let mut create = request("feed", cluster.sink_uri("full"), start);
    create.config.memory_quota = MEMORY_QUOTA;
    owner.create(create).await.expect("created");
    let first = cluster.put_rows(&table, &[(0, Some(vec![text("first")]))]).await;
    let watermark = move |ts: u64| {
        move |message: &serde_json::Value| message["_tidb"]["watermarkTs"].as_u64().is_some_and(|w| w >= ts)
    };
    cluster.consume_until("full", watermark(first)).await;

    let folder = cluster.dir.path().join("capture/sorter/feed");
    std::fs::remove_file(folder.join("LOCK")).expect("lock file");
    std::fs::remove_dir(&folder).expect("nothing was spilled yet");
    let lock = Lock::take(&cluster, &table, 1_000_000).await;
    let value = "v".repeat(ROW_BYTES);
    let mut last = 0;
    for transaction in 0..TRANSACTIONS {
        let rows: Vec<_> =
            (0..ROWS).map(|row| (transaction * ROWS + row + 1, Some(vec![text(&value)]))).collect();
        last = cluster.put_rows(&table, &rows).await;
    }
    wait_state(&owner, "feed", State::Warning).await;
    let error = owner.get("feed").expect("known").info.error.clone().expect("an error");
    assert_eq!(error.code, "CDC:ErrSorterDiskError");
    assert!(error.message.contains("sorter/feed"), "{}", error.message);
    let why = owner.why("feed").await.expect("known");
    assert_eq!((why.stage, why.reason), (Stage::Sorter, Reason::SorterDisk), "{why:?}");
    let memory = owner.memory("feed").expect("known");
    assert!(memory.own.stages["sorter"] > 0 && memory.own.stages["frames"] > 0, "{memory:?}");
    assert_eq!(memory.own.quota_bytes as u64, MEMORY_QUOTA);

    std::fs::create_dir(&folder).expect("the disk is back");
    lock.release().await;
    let messages = cluster.consume_until("full", watermark(last)).await;
    assert_eq!(rebuild(&messages).len() as i64, 1 + ROWS * TRANSACTIONS);
    wait_state(&owner, "feed", State::Normal).await;
    assert!(owner.why("feed").await.expect("known").error.is_none());
    owner.step_down().await;
    cluster.stop().await;
}
