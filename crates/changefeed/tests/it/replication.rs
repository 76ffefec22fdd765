//! What a changefeed delivers.

use changefeed_config::ReplicaConfig;
use serde_json::Value;
use tidb_codec::Datum;

use crate::cluster::{Cluster, DEADLINE, Table, rebuild, request, text};

/// `type` and first column of a message, in short.
fn brief(message: &Value) -> String {
    let kind = message["type"].as_str().unwrap_or_default();
    match message["isDdl"].as_bool() {
        Some(true) => format!("{kind} {}", message["sql"].as_str().unwrap_or_default()),
        _ => format!(
            "{kind} {} {}",
            message["data"][0]["id"].as_str().unwrap_or_default(),
            message["data"][0]["v"].as_str().unwrap_or_default()
        ),
    }
}

/// Messages without watermarks.
fn events(messages: &[Value]) -> Vec<String> {
    messages.iter().filter(|m| m["type"] != "TIDB_WATERMARK").map(brief).collect()
}

/// True for the watermark at or past `ts`.
fn watermark_at(ts: u64) -> impl Fn(&Value) -> bool + Send + 'static {
    move |message| message["_tidb"]["watermarkTs"].as_u64().is_some_and(|w| w >= ts)
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_and_ddls_arrive_in_commit_order() {
    let mut cluster = Cluster::start().await;
    cluster.create_database().await;
    let owner = cluster.owner().await;
    let start = cluster.pd.get_ts().await.expect("ts");
    owner.create(request("feed", cluster.sink_uri("t1"), start)).await.expect("created");
    let mut table = Table::new(110, "orders");
    cluster.create_table(&table).await;
    cluster.put_rows(&table, &[(1, Some(vec![text("a")])), (2, Some(vec![text("b")]))]).await;
    cluster.put_rows(&table, &[(1, Some(vec![text("c")]))]).await;
    table.columns.push(("n", 8));
    cluster.add_column(&table, "n").await;
    cluster.put_rows(&table, &[(3, Some(vec![text("d"), Datum::Int(7)]))]).await;
    let last = cluster.put_rows(&table, &[(2, None)]).await;
    let messages = cluster.consume_until("t1", watermark_at(last)).await;
    assert_eq!(
        events(&messages),
        [
            "CREATE CREATE TABLE `orders` (`id` BIGINT PRIMARY KEY,`v` VARCHAR(64))",
            "INSERT 1 a",
            "INSERT 2 b",
            "UPDATE 1 c",
            "ALTER ALTER TABLE `orders` ADD COLUMN `n` BIGINT",
            "INSERT 3 d",
            "DELETE 2 b",
        ]
    );
    let inserted = messages.iter().find(|m| m["data"][0]["id"] == "3").expect("row 3");
    assert_eq!(inserted["data"][0]["n"], "7");
    owner.step_down().await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_changefeed_goes_on_where_it_was() {
    let mut cluster = Cluster::start().await;
    cluster.create_database().await;
    let table = Table::new(110, "orders");
    cluster.create_table(&table).await;
    let owner = cluster.owner().await;
    let start = cluster.pd.get_ts().await.expect("ts");
    owner.create(request("feed", cluster.sink_uri("t2"), start)).await.expect("created");
    let first = cluster.put_rows(&table, &[(0, Some(vec![text("first")]))]).await;
    cluster.consume_until("t2", watermark_at(first)).await;
    owner.pause("feed").await.expect("paused");
    assert_eq!(owner.get("feed").expect("known").info.state.name(), "stopped");
    let mut last = 0;
    for batch in 0..10 {
        let rows: Vec<_> = (0..1000).map(|i| (batch * 1000 + i + 1, Some(vec![text("x")]))).collect();
        last = cluster.put_rows(&table, &rows).await;
    }
    owner.resume("feed", None).await.expect("resumed");
    let messages = cluster.consume_until("t2", watermark_at(last)).await;
    assert_eq!(rebuild(&messages).len(), 10_001);
    owner.remove("feed").await.expect("removed").expect("was there");
    assert!(owner.get("feed").is_err());
    owner.step_down().await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_owner_goes_on_from_the_stored_checkpoint() {
    let mut cluster = Cluster::start().await;
    cluster.create_database().await;
    let table = Table::new(110, "orders");
    cluster.create_table(&table).await;
    let owner = cluster.owner().await;
    let start = cluster.pd.get_ts().await.expect("ts");
    owner.create(request("feed", cluster.sink_uri("t3"), start)).await.expect("created");
    let first = cluster.put_rows(&table, &[(1, Some(vec![text("a")]))]).await;
    cluster.consume_until("t3", watermark_at(first)).await;
    owner.step_down().await;
    let last = cluster.put_rows(&table, &[(1, Some(vec![text("b")])), (2, Some(vec![text("c")]))]).await;
    let owner = cluster.owner().await;
    let messages = cluster.consume_until("t3", watermark_at(last)).await;
    let rows = rebuild(&messages);
    assert_eq!((rows["1"]["v"].as_str(), rows["2"]["v"].as_str()), (Some("b"), Some("c")));
    let checkpoint = owner.get("feed").expect("known").checkpoint_ts;
    assert!(checkpoint >= first, "the checkpoint does not go back over a change of owner");
    owner.step_down().await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_requests_are_refused_and_change_nothing() {
    let cluster = Cluster::start().await;
    let owner = cluster.owner().await;
    let good = cluster.sink_uri("t4");
    for (id, uri, code) in [
        ("bad_id!", good.as_str(), "CDC:ErrAPIInvalidParam"),
        ("a", "", "CDC:ErrSinkURIInvalid"),
        ("a", "kafka://127.0.0.1:1/x?protocol=canal-json&dial-timeout=1s", "CDC:ErrSinkURIInvalid"),
        ("a", "kafka://127.0.0.1:9092/x", "CDC:ErrInvalidReplicaConfig"),
        ("a", &good.replace("/t4", "/bad%20topic"), "CDC:ErrSinkURIInvalid"),
    ] {
        let error = owner.create(request(id, uri.to_owned(), 0)).await.expect_err(uri);
        assert_eq!(error.code, code, "{uri}: {error}");
    }
    assert!(owner.list().is_empty());
    owner.create(request("a", good.clone(), 0)).await.expect("created");
    let error = owner.create(request("a", good, 0)).await.expect_err("taken");
    assert_eq!(error.code, "CDC:ErrChangeFeedAlreadyExists");
    owner.step_down().await;
    tokio::time::timeout(DEADLINE, cluster.stop()).await.expect("services stop");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_of_a_large_schema_is_followed() {
    // More than TiKV hands out at once, and than any request asks for.
    const TABLES: i64 = 5_000;
    let mut cluster = Cluster::start().await;
    cluster.create_database().await;
    let names: Vec<_> = (0..TABLES).map(|n| (1000 + n, &*format!("t{n}").leak())).collect();
    let metas = names.iter().map(|(id, name)| Table::new(*id, name).meta());
    let ts = cluster.write(metas.map(|(key, value)| (key, Some(value))).collect()).await;
    let owner = cluster.owner().await;
    let lists = owner.verify_tables(&ReplicaConfig::default(), ts).await.expect("tables");
    assert_eq!(lists.eligible.len(), names.len());
    owner.create(request("feed", cluster.sink_uri("large"), ts)).await.expect("created");
    let (id, name) = names[names.len() - 1];
    let last = cluster.put_rows(&Table::new(id, name), &[(1, Some(vec![text("a")]))]).await;
    let messages = cluster.consume_until("large", watermark_at(last)).await;
    assert_eq!(events(&messages), ["INSERT 1 a"]);
    owner.step_down().await;
    cluster.stop().await;
}
