//! Pause, resume and removal of changefeeds.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::event::Operation;
use crate::programs::Cdc;
use crate::replay::{changes, check_watermarks};
use crate::sql_client::SqlClient;
use crate::stack::Stack;
use crate::topic;

/// Rows that are written while the changefeed is paused.
const ROWS: i64 = 10_000;
/// Rows of one statement.
const BATCH: i64 = 500;

/// Inserts rows with these ids.
async fn insert(client: &mut SqlClient, ids: std::ops::Range<i64>) {
    let mut first = ids.start;
    while first < ids.end {
        let last = (first + BATCH).min(ids.end);
        let mut sql = "INSERT INTO test.t VALUES ".to_owned();
        for id in first..last {
            let separator = if id == first { "" } else { "," };
            write!(sql, "{separator}({id},'row {id}')").expect("text");
        }
        let affected = client.query(&sql).await.expect("rows").affected;
        assert_eq!(i64::try_from(affected), Ok(last - first));
        first = last;
    }
}

/// Ids that were inserted, by a topic.
async fn inserted(stack: &Stack, topic: &str) -> BTreeSet<i64> {
    let messages = topic::read_all(stack.ports, topic).await;
    let changes = changes(&messages);
    assert!(changes.iter().all(|change| change.operation == Operation::Insert));
    let ids: BTreeSet<_> = changes.iter().map(|change| change.number("id")).collect();
    assert_eq!(ids.len(), changes.len(), "a row twice, with different messages");
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_during_a_pause_arrives_after_it() {
    let stack = Stack::start().await;
    let (api, cdc) = (stack.api(), Cdc::new());
    let server = format!("--server={}", api.url());
    let mut client = stack.sql().await;
    client.query("CREATE TABLE test.t (id BIGINT PRIMARY KEY, v VARCHAR(20))").await.expect("a table");
    api.create("feed", &api.sink("paused"), 0).await;
    insert(&mut client, 0..10).await;
    api.wait_caught_up("feed").await;

    assert_eq!(cdc.run(&["cli", "changefeed", "pause", &server, "-c", "feed"], "").await.ok(), "");
    api.wait_state("feed", "stopped").await;
    let length = topic::length(stack.ports, "paused").await;
    insert(&mut client, 10..10 + ROWS).await;
    assert_eq!(topic::length(stack.ports, "paused").await, length, "a paused changefeed sends");

    cdc.run(&["cli", "changefeed", "resume", &server, "-c", "feed"], "").await.ok();
    api.wait_state("feed", "normal").await;
    insert(&mut client, 10 + ROWS..20 + ROWS).await;
    api.wait_caught_up("feed").await;
    assert_eq!(inserted(&stack, "paused").await, (0..20 + ROWS).collect());
    check_watermarks(&topic::read_all(stack.ports, "paused").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_changefeed_sends_nothing_more() {
    let stack = Stack::start().await;
    let (api, cdc) = (stack.api(), Cdc::new());
    let server = format!("--server={}", api.url());
    let mut client = stack.sql().await;
    client.query("CREATE TABLE test.t (id BIGINT PRIMARY KEY, v VARCHAR(20))").await.expect("a table");
    api.create("gone", &api.sink("gone"), 0).await;
    insert(&mut client, 0..10).await;
    api.wait_caught_up("gone").await;
    let answer = cdc.run(&["cli", "changefeed", "remove", &server, "-c", "gone"], "").await.ok();
    assert!(answer.starts_with("Changefeed remove successfully.\nID: gone\nCheckpointTs: "), "{answer}");
    let listed = cdc.run(&["cli", "changefeed", "list", &server], "").await.ok();
    assert_eq!(listed, "[]\n");
    let length = topic::length(stack.ports, "gone").await;

    // Another changefeed tells when the rows would have been sent.
    api.create("witness", &api.sink("witness"), 0).await;
    insert(&mut client, 10..20).await;
    api.wait_caught_up("witness").await;
    assert_eq!(inserted(&stack, "witness").await, (10..20).collect());
    assert_eq!(topic::length(stack.ports, "gone").await, length);
    assert_eq!(inserted(&stack, "gone").await, (0..10).collect());

    // The name is free again, and begins anew.
    api.create("gone", &api.sink("again"), 0).await;
    insert(&mut client, 20..30).await;
    api.wait_caught_up("gone").await;
    assert_eq!(inserted(&stack, "again").await, (20..30).collect());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changefeed_from_the_past_sends_what_was_written_since() {
    let stack = Stack::start().await;
    let api = stack.api();
    let mut client = stack.sql().await;
    client.query("CREATE TABLE test.t (id BIGINT PRIMARY KEY, v VARCHAR(20))").await.expect("a table");
    insert(&mut client, 0..10).await;
    let start_ts = api.now().await;
    insert(&mut client, 10..20).await;
    let target_ts = api.now().await;
    insert(&mut client, 20..30).await;
    let body = serde_json::json!({
        "changefeed_id": "part", "sink_uri": api.sink("part"), "start_ts": start_ts, "target_ts": target_ts
    });
    api.post("/api/v2/changefeeds", &body).await.ok();
    api.wait_state("part", "finished").await;
    assert_eq!(inserted(&stack, "part").await, (10..20).collect());
}
