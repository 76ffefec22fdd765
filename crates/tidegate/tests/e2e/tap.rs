//! `tidegate tap`: events without Kafka, in commit order, from the past and live.

use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::programs::{line, run, tidegate};
use crate::stack::{Stack, send_signal};
use crate::wait::within;

/// Longest time until a tap ends that has a reason to.
const END_LIMIT: std::time::Duration = std::time::Duration::from_secs(20);

/// An event in short.
fn brief(text: &str) -> (u64, String) {
    let event: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let commit_ts = event["_tidb"]["commitTs"].as_u64().expect("a commit ts");
    let (kind, table) = (event["type"].as_str().expect("a type"), event["table"].as_str().expect("a table"));
    let id = event["data"][0]["id"].as_str().unwrap_or("-");
    (commit_ts, format!("{kind} {table} {id}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tap_prints_events_of_the_past_in_commit_order_and_ends_at_its_limit() {
    let stack = Stack::start_with(&["--without", "kafka"]).await;
    let (api, mut client) = (stack.api(), stack.sql().await);
    let before = api.now().await;
    for sql in [
        "CREATE TABLE test.a (id INT PRIMARY KEY, v INT)",
        "CREATE TABLE test.b (id INT PRIMARY KEY, v INT)",
        "CREATE TABLE test.left_out (id INT PRIMARY KEY)",
        "INSERT INTO test.a VALUES (1, 1)",
        "INSERT INTO test.b VALUES (2, 1)",
        "INSERT INTO test.left_out VALUES (3)",
        "UPDATE test.a SET v = 2 WHERE id = 1",
        "ALTER TABLE test.a ADD COLUMN w INT",
        "INSERT INTO test.a VALUES (4, 1, 1)",
        "DELETE FROM test.b WHERE id = 2",
    ] {
        client.query(sql).await.expect(sql);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("feed.toml");
    let text = "[[filter.event-filters]]\nmatcher = ['test.a']\nignore-insert-value-expr = 'id = 100'\n";
    std::fs::write(&file, text).expect("a file");
    client.query("INSERT INTO test.a VALUES (100, 1, 1)").await.expect("a row");
    client.query("INSERT INTO test.b VALUES (5, 1)").await.expect("a row");
    let (pd, path) = (format!("http://127.0.0.1:{}", stack.ports.pd), file.display().to_string());
    let before = before.to_string();
    let args = ["tap", "--pd", &pd, "--config", &path, "--table", "test.*", "--table", "!test.left_out"];
    let more = ["--start-ts", &before, "--limit", "9", "--format", "canal-json", "--tz", "UTC"];
    let metadata = api.get("/api/v2/unsafe/metadata").await.ok();
    let output = run(&mut tidegate(&[&args[..], &more].concat()), "").await.ok();
    let events: Vec<_> = output.lines().map(brief).collect();
    let shown: Vec<&str> = events.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(
        shown,
        [
            "CREATE a -",
            "CREATE b -",
            "INSERT a 1",
            "INSERT b 2",
            "UPDATE a 1",
            "ALTER a -",
            "INSERT a 4",
            "DELETE b 2",
            "INSERT b 5",
        ]
    );
    assert!(events.is_sorted_by_key(|(ts, _)| *ts), "{events:?}");
    assert_eq!(api.get("/api/v2/unsafe/metadata").await.ok(), metadata, "nothing was stored");

    let late = (api.now().await + (3_600_000 << 18)).to_string();
    let refused = run(&mut tidegate(&["tap", "--pd", &pd, "--start-ts", &late]), "").await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("is in the future"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tap_follows_live_and_ends_with_its_reader_or_a_signal() {
    let stack = Stack::start_with(&["--without", "kafka"]).await;
    let mut client = stack.sql().await;
    client.query("CREATE TABLE test.t (id INT PRIMARY KEY, v INT)").await.expect("a table");
    let pd = format!("http://127.0.0.1:{}", stack.ports.pd);
    for (number, end) in [(1, "reader"), (2, "signal")] {
        let mut command = tidegate(&["tap", "--pd", &pd, "--table", "test.t", "--format", "table"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("a tap");
        let mut told = BufReader::new(child.stderr.take().expect("stderr")).lines();
        while !line(&mut told).await.starts_with("events after") {}
        let mut events = BufReader::new(child.stdout.take().expect("stdout")).lines();
        client.query(&format!("INSERT INTO test.t VALUES ({number}, 7)")).await.expect("a row");
        let event = line(&mut events).await;
        assert!(event.ends_with(&format!("INSERT  test.t  [id=\"{number}\"]  v=\"7\"")), "{event}");
        match end {
            "reader" => {
                drop(events);
                client.query("UPDATE test.t SET v = 8 WHERE id = 1").await.expect("a row");
            }
            _ => send_signal(&child, "INT").await,
        }
        let status = within("end of the tap", END_LIMIT, child.wait()).await.expect("a status");
        assert!(status.success(), "after the {end}: {status}");
    }
}
