//! SQL to events to `verify`, by one and the same code on each kind of broker.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use real_kafka::Version;
use serde_json::json;

use crate::real_broker::RealBroker;
use crate::sql_client::SqlClient;
use crate::stack::{Ports, Stack};
use crate::topic;
use crate::verify::{verify, wait_watermark};

/// Rows of the large transaction.
const LARGE: usize = 20_000;
/// Rows of one of its statements.
const STATEMENT_ROWS: usize = 1_000;
/// Rows that each table has before the DDLs.
const ROWS: usize = 60;
/// Partitions of every topic.
const PARTITIONS: i32 = 3;
/// Tables, each with a dispatch rule of its own; `plain` has none and goes to the default topic.
const TABLES: [&str; 5] = ["by_value", "by_ts", "by_columns", "by_table", "plain"];
/// The changefeed.
const FEED: &str = "kinds";

/// Topic of a table.
fn topic_of(table: &str) -> String {
    if table == "plain" { FEED.to_owned() } else { format!("{FEED}_test_{table}") }
}

/// Creates the changefeed: a topic for each table, and each partition rule.
async fn create(stack: &Stack, start_ts: u64) {
    let rule = |table: &str, partition: &str, more: serde_json::Value| {
        let mut rule = json!({"matcher": [format!("test.{table}")], "partition": partition,
            "topic": format!("{FEED}_{{schema}}_{{table}}")});
        let fields = rule.as_object_mut().expect("an object");
        fields.extend(more.as_object().cloned().expect("an object"));
        rule
    };
    let body = json!({
        "changefeed_id": FEED,
        "sink_uri": format!("{}&partition-num={PARTITIONS}&compression=lz4", stack.api().sink(FEED)),
        "start_ts": start_ts,
        "replica_config": {
            "sink": {"dispatchers": [
                rule("by_value", "index-value", json!({})),
                rule("by_ts", "ts", json!({})),
                rule("by_columns", "columns", json!({"columns": ["region"]})),
                rule("by_table", "table", json!({})),
            ]},
        },
    });
    stack.api().post("/api/v2/changefeeds", &body).await.ok();
}

/// Runs a statement.
async fn execute(client: &mut SqlClient, sql: &str) {
    client.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Inserts rows with ids from `first` on, by statements of at most [`STATEMENT_ROWS`].
async fn insert(client: &mut SqlClient, table: &str, first: usize, count: usize) {
    let ids: Vec<usize> = (first..first + count).collect();
    for chunk in ids.chunks(STATEMENT_ROWS) {
        let mut sql = format!("INSERT INTO test.{table} (id, region, note, price) VALUES ");
        for (index, id) in chunk.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            // Writing to a string can't fail.
            let _ = write!(sql, "{comma}({id}, 'r{}', 'größe {id}', {id}.25)", id % 50);
        }
        execute(client, &sql).await;
    }
}

/// Everything that happens upstream while the changefeed runs, and a pause in the middle.
async fn write(stack: &Stack) {
    let api = stack.api();
    let mut client = stack.sql().await;
    for table in TABLES {
        execute(&mut client, &format!(
            "CREATE TABLE test.{table} (id BIGINT PRIMARY KEY, region VARCHAR(10) NOT NULL, note VARCHAR(40), price DECIMAL(12,2))"
        )).await;
        insert(&mut client, table, 0, ROWS).await;
    }
    api.wait_caught_up(FEED).await;
    for table in TABLES {
        execute(&mut client, &format!("UPDATE test.{table} SET note = 'changed' WHERE id < 20")).await;
        execute(&mut client, &format!("UPDATE test.{table} SET id = id + 1000 WHERE id < 5")).await;
        execute(&mut client, &format!("ALTER TABLE test.{table} ADD COLUMN extra JSON")).await;
        execute(
            &mut client,
            &format!("UPDATE test.{table} SET extra = '{{\"a\": [1, null]}}' WHERE id = 30"),
        )
        .await;
        execute(&mut client, &format!("DELETE FROM test.{table} WHERE id BETWEEN 40 AND 49")).await;
    }
    api.post(&format!("/api/v2/changefeeds/{FEED}/pause"), &json!({})).await;
    api.wait_state(FEED, "stopped").await;
    execute(&mut client, "BEGIN").await;
    for table in ["by_value", "plain"] {
        insert(&mut client, table, 10_000, LARGE / 2).await;
    }
    execute(&mut client, "COMMIT").await;
    execute(&mut client, "CREATE TABLE test.short (id INT PRIMARY KEY)").await;
    execute(&mut client, "INSERT INTO test.short VALUES (1)").await;
    execute(&mut client, "RENAME TABLE test.short TO test.renamed").await;
    execute(&mut client, "INSERT INTO test.renamed VALUES (2)").await;
    execute(&mut client, "CREATE TABLE test.emptied (id INT PRIMARY KEY)").await;
    execute(&mut client, "INSERT INTO test.emptied VALUES (1)").await;
    execute(&mut client, "TRUNCATE TABLE test.emptied").await;
    execute(&mut client, "CREATE TABLE test.dropped (id INT PRIMARY KEY)").await;
    execute(&mut client, "DROP TABLE test.dropped").await;
    api.post(&format!("/api/v2/changefeeds/{FEED}/resume"), &json!({})).await;
    api.wait_state(FEED, "normal").await;
    for table in TABLES {
        insert(&mut client, table, 2_000, 10).await;
    }
}

/// The whole scenario on a stack whose broker runs.
async fn scenario(stack: &Stack) {
    let api = stack.api();
    create(stack, api.now().await).await;
    write(stack).await;
    let now = api.now().await;
    for table in TABLES {
        let topic = topic_of(table);
        wait_watermark(stack, &topic, now).await;
        let large = if matches!(table, "by_value" | "plain") { LARGE / 2 } else { 0 };
        // Ten rows were deleted, ten came at the end.
        let rows = ROWS + large;
        let report = verify(stack, &topic, &["--table", &format!("test.{table}")]).await.ok();
        assert!(report.contains(&format!("test.{table}: {rows} equal")), "{report}");
        assert!(report.contains("\nEqual.\n"), "{report}");
        check_partitions(stack.ports, table).await;
    }
    let report = verify(stack, FEED, &[]).await.ok();
    assert!(report.contains("test.renamed: 2 equal"), "{report}");
}

/// Rows are spread as the rule says, and watermarks reach every partition.
async fn check_partitions(ports: Ports, table: &str) {
    let messages = topic::read_all(ports, &topic_of(table)).await;
    let name = format!("\"table\":\"{table}\"");
    let mut with_rows = BTreeSet::new();
    let mut with_watermarks = BTreeSet::new();
    for message in &messages {
        let text = String::from_utf8_lossy(&message.value);
        if text.contains("\"isDdl\":false") && text.contains(&name) {
            with_rows.insert(message.partition);
            if table == "by_ts" {
                let value: serde_json::Value = serde_json::from_slice(&message.value).expect("JSON");
                let commit_ts = value["_tidb"]["commitTs"].as_u64().expect("a commit ts");
                assert_eq!(
                    u64::from(message.partition.unsigned_abs()),
                    commit_ts % PARTITIONS as u64,
                    "{text}"
                );
            }
        } else if text.contains("TIDB_WATERMARK") {
            with_watermarks.insert(message.partition);
        } else if text.contains("\"isDdl\":true") {
            assert_eq!(message.partition, 0, "{text}");
        }
    }
    assert_eq!(with_watermarks.len(), PARTITIONS as usize, "{table}");
    match table {
        "by_value" | "by_columns" => {
            assert_eq!(with_rows.len(), PARTITIONS as usize, "{table}: {with_rows:?}")
        }
        // A handful of transactions: more than one partition, but not always all.
        "by_ts" => assert!(with_rows.len() > 1, "{table}: {with_rows:?}"),
        _ => assert_eq!(with_rows.len(), 1, "{table}: {with_rows:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_broker_gets_what_the_tables_hold() {
    let stack = Stack::start().await;
    scenario(&stack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_3_9_with_zookeeper_gets_what_the_tables_hold() {
    let Some((_broker, stack)) = RealBroker::with_stack(Version::V3_9, |_| ()).await else { return };
    scenario(&stack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_4_gets_what_the_tables_hold() {
    let Some((_broker, stack)) = RealBroker::with_stack(Version::V4, |_| ()).await else { return };
    scenario(&stack).await;
}
