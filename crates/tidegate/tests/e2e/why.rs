//! What holds a checkpoint: the answer of the API and of the command line.

use std::time::Duration;

use serde_json::{Value, json};
use tikv_client::{PdClient, Security, TikvClient};
use tikv_proto::kvrpcpb as pb;
use tikv_proto::tikvpb::tikv_client::TikvClient as Store;

use crate::api::{Api, CATCH_UP};
use crate::programs::{Cdc, run, tidegate};
use crate::stack::{Ports, Stack};
use crate::wait::until;

/// Life of the lock that a test leaves behind: longer than the test.
const LOCK_TTL: Duration = Duration::from_secs(600);

/// Waits until a changefeed is held for a reason, and returns the answer.
pub(crate) async fn wait_reason(api: &Api, id: &str, reason: &str) -> Value {
    let path = format!("/api/v2/changefeeds/{id}/why");
    until(&format!("{id} is held by {reason}"), CATCH_UP, async || {
        let answer = api.get(&path).await;
        let why: Value = serde_json::from_str(&answer.text).unwrap_or_default();
        if why["reason"] == reason { Ok(why) } else { Err(answer.text) }
    })
    .await
}

/// Upper-case hexadecimal text.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// A client of the store.
pub(crate) async fn store(ports: Ports) -> TikvClient {
    let endpoints = [format!("127.0.0.1:{}", ports.pd)];
    TikvClient::new(PdClient::connect(&endpoints, Security::none()).await.expect("the placement driver"))
}

/// Id of a table.
pub(crate) async fn table_id(api: &Api, name: &str) -> i64 {
    let lists = api.post("/api/v2/verify_table", &json!({"start_ts": 0})).await.ok();
    let tables = lists["all_tables"].as_array().cloned().unwrap_or_default();
    let table = tables.iter().find(|table| table["table_name"] == name).expect("the table");
    table["table_id"].as_i64().expect("a table id")
}

/// Key of the row with an integer primary key.
pub(crate) fn record_key(table: i64, row: i64) -> Vec<u8> {
    let ordered = |number: i64| (number.cast_unsigned() ^ 1 << 63).to_be_bytes();
    [b"t".as_slice(), &ordered(table), b"_r", &ordered(row)].concat()
}

/// A transaction that has locked a row and does not commit.
pub(crate) struct OpenTransaction {
    store: TikvClient,
    start_ts: u64,
    key: Vec<u8>,
}

impl OpenTransaction {
    /// Locks a row; it is its own primary key.
    pub(crate) async fn begin(store: TikvClient, key: Vec<u8>) -> Self {
        let start_ts = store.pd().get_ts().await.expect("a timestamp");
        let open = Self { store, start_ts, key };
        let (mut client, context) = open.region().await;
        let mutation =
            pb::Mutation { key: open.key.clone().into(), value: "row".into(), ..pb::Mutation::default() };
        let request = pb::PrewriteRequest {
            context: Some(context),
            mutations: vec![mutation],
            primary_lock: open.key.clone().into(),
            start_version: start_ts,
            lock_ttl: u64::try_from(LOCK_TTL.as_millis()).expect("a short time"),
            txn_size: 1,
            ..pb::PrewriteRequest::default()
        };
        let answer = client.kv_prewrite(request).await.expect("an answer").into_inner();
        assert!(answer.errors.is_empty() && answer.region_error.is_none(), "{answer:?}");
        open
    }

    /// The store of the row's region.
    async fn region(&self) -> (Store<tonic::transport::Channel>, pb::Context) {
        let region = self.store.regions().locate(&self.key).await.expect("a region");
        (Store::new(self.store.channel(&region.store_address).expect("a channel")), region.context())
    }

    /// Gives the row free.
    pub(crate) async fn roll_back(self) {
        let (mut client, context) = self.region().await;
        let request = pb::BatchRollbackRequest {
            context: Some(context),
            start_version: self.start_ts,
            keys: vec![self.key.clone().into()],
        };
        let answer = client.kv_batch_rollback(request).await.expect("an answer").into_inner();
        assert!(answer.error.is_none() && answer.region_error.is_none(), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_state_is_explained_and_memory_is_shown() {
    let stack = Stack::start().await;
    let (api, cdc) = (stack.api(), Cdc::new());
    let server = format!("--server={}", api.url());
    let mut client = stack.sql().await;
    client.query("CREATE TABLE test.t (id BIGINT PRIMARY KEY)").await.expect("a table");
    let start_ts = api.now().await;
    api.create("feed", &api.sink("explained"), start_ts).await;
    client.query("INSERT INTO test.t VALUES (1)").await.expect("a row");
    api.wait_caught_up("feed").await;

    let why = wait_reason(&api, "feed", "healthy").await;
    assert_eq!((why["healthy"].as_bool(), why["stage"].as_str()), (Some(true), Some("none")), "{why}");
    assert!(why["lag_seconds"].as_f64().is_some_and(|lag| lag < 10.0), "{why}");
    let text = cdc.run(&["cli", "changefeed", "why", &server, "-c", "feed"], "").await.ok();
    let told: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((told["id"].as_str(), told["keyspace"].as_str()), (Some("feed"), Some("default")), "{told}");
    let ended = run(&mut tidegate(&["cli", "changefeed", "why", &server, "-c", "feed"]), "").await.ok();
    assert_eq!(serde_json::from_str::<Value>(&ended).expect("JSON")["state"], "normal");

    let memory = api.get("/api/v2/changefeeds/feed/memory").await.ok();
    assert_eq!(memory["quota_bytes"], 512 << 20, "{memory}");
    assert_eq!(memory["process"]["quota_bytes"], 512 << 20, "{memory}");
    for stage in ["frames", "prewrites", "sorter", "encoder", "sink"] {
        assert!(memory["stages"][stage].is_u64() && memory["process"]["stages"][stage].is_u64(), "{memory}");
    }
    // The reused buffer of the table's encoder, at least.
    assert!(memory["stages"]["encoder"].as_u64() > Some(0), "{memory}");
    let metrics = api.get("/metrics").await.text;
    let line = r#"ticdc_changefeed_memory_bytes{namespace="default",changefeed="feed",stage="encoder"} "#;
    assert!(metrics.contains(line), "{metrics}");
    assert!(metrics.contains("ticdc_memory_quota_bytes 536870912\n"), "{metrics}");

    cdc.run(&["cli", "changefeed", "pause", &server, "-c", "feed"], "").await.ok();
    let why = wait_reason(&api, "feed", "paused").await;
    assert_eq!(
        (why["state"].as_str(), why["healthy"].as_bool(), why["frees"].as_str()),
        (Some("stopped"), Some(false), Some("cdc cli changefeed resume -c feed"))
    );
    assert!(why["since"].is_string() && why["checkpoint_time"].is_string(), "{why}");

    let body = json!({
        "changefeed_id": "part", "sink_uri": api.sink("part"), "start_ts": start_ts, "target_ts": api.now().await
    });
    api.post("/api/v2/changefeeds", &body).await.ok();
    wait_reason(&api, "part", "finished").await;
    let unknown = api.get("/api/v2/changefeeds/nobody/why").await;
    assert_eq!(unknown.status, 400);
    assert_eq!(unknown.json()["error_code"], "CDC:ErrChangeFeedNotExists");
    assert_eq!(api.get("/api/v2/changefeeds/nobody/memory").await.status, 400);
    let ended = cdc.run(&["cli", "changefeed", "why", &server, "-c", "nobody"], "").await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_transaction_is_named_by_its_lock_and_so_is_the_ddl_behind_it() {
    let stack = Stack::start().await;
    let api = stack.api();
    let mut client = stack.sql().await;
    client.query("CREATE TABLE test.held (id BIGINT PRIMARY KEY)").await.expect("a table");
    client.query("CREATE TABLE test.free (id BIGINT PRIMARY KEY)").await.expect("a table");
    let table = table_id(&api, "held").await;
    let store = store(stack.ports).await;
    // A region of its own: the lock holds the table, and not the list of DDL jobs.
    for end in [table, table + 1] {
        store.split_region(&record_key(end, i64::MIN)).await.expect("a split");
    }
    api.create("feed", &api.sink("locked"), 0).await;
    api.wait_caught_up("feed").await;
    let key = record_key(table, 42);
    let open = OpenTransaction::begin(store, key.clone()).await;
    client.query("ALTER TABLE test.held ADD COLUMN v INT").await.expect("a column");
    client.query("INSERT INTO test.held VALUES (1, 1)").await.expect("a row");

    let why = until("the lock and the DDL are named", CATCH_UP, async || {
        let why = api.get("/api/v2/changefeeds/feed/why").await.ok();
        if why["reason"] == "live_lock" && why["ddl"].is_object() { Ok(why) } else { Err(why.to_string()) }
    })
    .await;
    assert_eq!(why["stage"], "source", "{why}");
    assert_eq!(why["lock"]["start_ts"], open.start_ts, "{why}");
    assert_eq!(why["lock"]["primary_key"], hex(&key), "{why}");
    assert_eq!(why["lock"]["primary_row"], format!("table id {table}, row 42"), "{why}");
    assert!(why["lock"]["age_seconds"].as_f64().is_some_and(|age| age > 3.0), "{why}");
    assert_eq!(why["lock"]["ttl_seconds"].as_f64(), Some(600.0), "{why}");
    assert_eq!(why["table"]["physical_id"], table, "{why}");
    assert_eq!(
        (why["table"]["database_name"].as_str(), why["table"]["table_name"].as_str()),
        (Some("test"), Some("held")),
        "{why}"
    );
    assert!(why["region"]["region_id"].is_u64(), "{why}");
    assert_eq!(why["region"]["store"], format!("127.0.0.1:{}", stack.ports.kv), "{why}");
    assert_eq!(why["ddl"]["query"], "ALTER TABLE test.held ADD COLUMN v INT", "{why}");
    assert!(why["ddl"]["job_id"].is_i64(), "{why}");
    assert!(why["held_seconds"].as_f64().is_some_and(|held| held > 3.0), "{why}");

    open.roll_back().await;
    api.wait_caught_up("feed").await;
    let why = wait_reason(&api, "feed", "healthy").await;
    assert!(why.get("lock").is_none(), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_down_is_named_with_the_partition_that_waits() {
    let ports = Ports::free();
    let mut broker = Stack::start_on(ports, &["--only", "kafka"]).await;
    let stack = Stack::start_on(ports, &["--without", "kafka"]).await;
    let api = stack.api();
    let mut client = stack.sql().await;
    client.query("CREATE TABLE test.t (id BIGINT PRIMARY KEY)").await.expect("a table");
    api.create("feed", &api.sink("down"), 0).await;
    client.query("INSERT INTO test.t VALUES (1)").await.expect("a row");
    api.wait_caught_up("feed").await;
    broker.kill().await;
    client.query("INSERT INTO test.t VALUES (2)").await.expect("a row");

    let path = "/api/v2/changefeeds/feed/why";
    let why = until("the partition is named", CATCH_UP, async || {
        let why = api.get(path).await.ok();
        let named = why["reason"] == "broker_unreachable" && why["kafka"]["partition"].is_i64();
        if named { Ok(why) } else { Err(why.to_string()) }
    })
    .await;
    assert_eq!(why["stage"], "sink", "{why}");
    assert_eq!(why["kafka"]["topic"], "down", "{why}");
    assert_eq!(why["kafka"]["brokers"], format!("127.0.0.1:{}", ports.kafka), "{why}");
    assert!(why["kafka"]["error"].as_str().is_some_and(|error| error.contains("down")), "{why}");
    assert_eq!(why["kafka"]["unacknowledged_messages"], 1, "{why}");
    assert!(why["kafka"]["oldest_unacknowledged_seconds"].is_f64(), "{why}");
    assert_eq!(why["table"]["table_name"], "t", "{why}");
    api.wait_state("feed", "warning").await;
    let memory = api.get("/api/v2/changefeeds/feed/memory").await.ok();
    assert!(memory["stages"]["sink"].as_u64() > Some(0), "{memory}");

    broker.restart().await;
    api.wait_caught_up("feed").await;
    wait_reason(&api, "feed", "healthy").await;
}
