//! `tidegate verify`: equal topics are told from topics that lack, add, change or disorder rows.

use std::time::Instant;

use serde_json::{Value, json};

use crate::api::{Api, CATCH_UP};
use crate::programs::{Ended, run, tidegate};
use crate::stack::Stack;
use crate::topic;

/// What happens upstream: every kind of change, of keys too, and DDLs that move or end rows.
const STATEMENTS: [&str; 17] = [
    "CREATE TABLE test.orders (id BIGINT PRIMARY KEY, state VARCHAR(20), price DECIMAL(10,2), at TIMESTAMP(3))",
    "CREATE TABLE test.pairs (a VARCHAR(10), b INT, v JSON, PRIMARY KEY (a, b))",
    "CREATE TABLE test.keyed (k VARBINARY(8) NOT NULL, v INT, UNIQUE KEY (k))",
    "INSERT INTO test.orders VALUES (1,'new',1.5,'2024-02-29 12:00:00.125'),(2,'new',NULL,NULL),(3,'gone',3,NULL)",
    "INSERT INTO test.pairs VALUES ('x',1,'{\"a\": [1, null]}'),('x',2,NULL),('y',1,'\"text\"')",
    "INSERT INTO test.keyed VALUES (x'00ff', 1),(x'61', 2)",
    "UPDATE test.orders SET state = 'paid' WHERE id = 1",
    "UPDATE test.orders SET id = 20 WHERE id = 2",
    "UPDATE test.keyed SET k = x'62' WHERE v = 2",
    "DELETE FROM test.orders WHERE id = 3",
    "RENAME TABLE test.pairs TO test.couples",
    "INSERT INTO test.couples VALUES ('z',9,'0.5')",
    "DELETE FROM test.couples WHERE a = 'y'",
    "TRUNCATE TABLE test.keyed",
    "INSERT INTO test.keyed VALUES (x'63', 3)",
    "ALTER TABLE test.orders ADD COLUMN note VARCHAR(10) DEFAULT 'none'",
    "INSERT INTO test.orders VALUES (4,'new',4,NULL,'late')",
];

/// Waits until every partition of a topic has a watermark at or past `ts`.
pub(crate) async fn wait_watermark(stack: &Stack, topic: &str, ts: u64) {
    let started = Instant::now();
    loop {
        let messages = topic::read_all(stack.ports, topic).await;
        let mut last = std::collections::BTreeMap::<i32, u64>::new();
        for message in &messages {
            let value: Value = serde_json::from_slice(&message.value).expect("JSON");
            let watermark = value["_tidb"]["watermarkTs"].as_u64().unwrap_or(0);
            let seen = last.entry(message.partition).or_default();
            *seen = watermark.max(*seen);
        }
        if !last.is_empty() && last.values().all(|seen| *seen >= ts) {
            return;
        }
        assert!(started.elapsed() < CATCH_UP, "no watermark at {ts}: {last:?}");
    }
}

/// Runs `tidegate verify`.
pub(crate) async fn verify(stack: &Stack, topic: &str, more: &[&str]) -> Ended {
    let (pd, kafka) =
        (format!("http://127.0.0.1:{}", stack.ports.pd), format!("127.0.0.1:{}", stack.ports.kafka));
    let mut args = vec!["verify", "--pd", &pd, "--brokers", &kafka, "--topic", topic];
    args.extend_from_slice(more);
    run(&mut tidegate(&args), "").await
}

/// Creates a changefeed that leaves some kinds of events out.
async fn create_lossy(api: &Api, topic: &str, start_ts: u64, ignored: &str) {
    let body = json!({
        "changefeed_id": topic,
        "sink_uri": api.sink(topic),
        "start_ts": start_ts,
        "replica_config": {
            "filter": {"rules": ["*.*"], "event_filters": [{"matcher": ["test.orders"], "ignore_event": [ignored]}]},
        },
    });
    api.post("/api/v2/changefeeds", &body).await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_that_say_what_the_tables_hold_are_told_from_those_that_do_not() {
    let stack = Stack::start().await;
    let api = stack.api();
    let start_ts = api.now().await;
    let mut client = stack.sql().await;
    for sql in STATEMENTS {
        client.query(sql).await.expect(sql);
    }
    api.create("whole", &api.sink("whole"), start_ts).await;
    create_lossy(&api, "without-deletes", start_ts, "delete").await;
    create_lossy(&api, "without-updates", start_ts, "update").await;
    create_lossy(&api, "without-inserts", start_ts, "insert").await;
    let now = api.now().await;
    for topic in ["whole", "without-deletes", "without-updates", "without-inserts"] {
        wait_watermark(&stack, topic, now).await;
    }

    let whole = verify(&stack, "whole", &[]).await.ok();
    for line in ["test.orders: 3 equal", "test.couples: 3 equal", "test.keyed: 1 equal", "\nEqual.\n"] {
        assert!(whole.contains(line), "{line} is not in\n{whole}");
    }
    for (topic, lines) in [
        ("without-deletes", ["2 extra", "extra: test.orders key (3) at partition "]),
        ("without-updates", ["different", "different: test.orders key (1), columns state at partition "]),
        ("without-inserts", ["missing", "missing: test.orders key (4)"]),
    ] {
        let ended = verify(&stack, topic, &["--table", "test.*"]).await;
        assert_eq!(ended.code, Some(1), "{topic}: {}{}", ended.stdout, ended.stderr);
        for line in lines.into_iter().chain(["NOT equal."]) {
            assert!(ended.stdout.contains(line), "{topic}: {line} is not in\n{}", ended.stdout);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_from_before_the_changefeed_are_expected_only_without_a_start_ts() {
    let stack = Stack::start().await;
    let api = stack.api();
    let mut client = stack.sql().await;
    client.query("CREATE TABLE test.t (id INT PRIMARY KEY, v INT)").await.expect("a table");
    client.query("INSERT INTO test.t VALUES (1, 1), (2, 2)").await.expect("rows");
    let start_ts = api.now().await;
    api.create("later", &api.sink("later"), start_ts).await;
    client.query("UPDATE test.t SET v = 3 WHERE id = 2").await.expect("a change");
    let now = api.now().await;
    wait_watermark(&stack, "later", now).await;

    let ended = verify(&stack, "later", &[]).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    assert!(ended.stdout.contains("missing: test.t key (1)"), "{}", ended.stdout);
    let start = start_ts.to_string();
    let equal = verify(&stack, "later", &["--start-ts", &start]).await.ok();
    assert!(equal.contains("test.t: 1 equal, 1 unchanged since the start"), "{equal}");

    let plain = format!("kafka://127.0.0.1:{}/plain?protocol=canal-json", stack.ports.kafka);
    api.create("plain", &plain, start_ts).await;
    api.wait_caught_up("plain").await;
    let refused = verify(&stack, "plain", &[]).await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("enable-tidb-extension=true"), "{}", refused.stderr);
}
