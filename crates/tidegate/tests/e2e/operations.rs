//! What operators use beside the life of a changefeed: filters, placement of tables, metrics and what watches them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::programs::{Cdc, run, tidegate};
use crate::stack::Stack;
use crate::wait::until;

/// Files that name metrics.
const WATCHERS: [(&str, &str); 2] = [
    ("dashboard", include_str!("../../../../deploy/monitoring/grafana-dashboard.json")),
    ("alerts", include_str!("../../../../deploy/monitoring/alerts.yaml")),
];
/// Fewest metrics that a file names: else the test looks for the wrong thing.
const FEWEST: usize = 5;

/// The names of metrics in a text.
fn metrics(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("ticdc_"))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_metric_that_dashboard_and_alerts_name_exists() {
    let stack = Stack::start().await;
    let api = stack.api();
    api.create("feed", &api.sink("metrics"), 0).await;
    api.wait_caught_up("feed").await;
    for (file, text) in WATCHERS {
        let named = metrics(text);
        assert!(named.len() >= FEWEST, "{file}: {named:?}");
        let look = async || {
            let answer = api.get("/metrics").await.text;
            let there = metrics(&answer);
            let missing: Vec<_> = named.iter().filter(|name| !there.contains(*name)).collect();
            if missing.is_empty() { Ok(()) } else { Err(format!("{file}: {missing:?} are not in\n{answer}")) }
        };
        // Some appear with the first event that they count.
        until("the metrics", crate::api::CATCH_UP, look).await;
    }
    let dashboard: Value = serde_json::from_str(WATCHERS[0].1).expect("JSON");
    assert!(dashboard["panels"].as_array().is_some_and(|panels| !panels.is_empty()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_are_tried_before_they_are_used() {
    let stack = Stack::start().await;
    stack.sql().await.query("CREATE TABLE test.orders (id INT PRIMARY KEY)").await.expect("a table");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("cf.toml");
    let text = "[filter]\nrules = ['test.*']\n[[filter.event-filters]]\nmatcher = ['test.orders']\nignore-event = ['delete']\n";
    std::fs::write(&file, text).expect("a file");
    let file = file.display().to_string();
    let url = stack.api().url().to_owned();
    let args = [
        "filter",
        "test",
        "--config",
        &file,
        "--table",
        "app.t",
        "--sql",
        "DROP TABLE test.orders",
        "--server",
        &url,
    ];
    let shown = run(&mut tidegate(&args), "").await.ok();
    assert_eq!(
        shown,
        "app.t: left out (no rule of filter.rules matches)\n\
         test.orders: replicated (filter.rules: test.*)\n  insert: sent\n  update: sent\n  \
         delete: left out (filter.event-filters[0]: ignore-event \"delete\")\n\
         drop table on test.orders: sent (filter.rules: test.*)\n"
    );
    std::fs::write(folder.path().join("cf.toml"), "[filter]\nrulez = ['a']\n").expect("a file");
    let ended = run(&mut tidegate(&args), "").await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("did you mean filter.rules for filter.rulez?"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_are_where_the_owner_is() {
    let stack = Stack::start().await;
    let api = stack.api();
    stack.sql().await.query("CREATE TABLE test.t (id INT PRIMARY KEY)").await.expect("a table");
    api.create("feed", &api.sink("placed"), 0).await;
    api.wait_caught_up("feed").await;
    let captures = api.get("/api/v2/captures").await.ok();
    let capture = captures["items"][0]["id"].as_str().expect("an id").to_owned();
    let tables = api.get("/api/v2/changefeeds/feed/tables").await.ok();
    let ids = tables["items"][0]["table_ids"].as_array().expect("ids").clone();
    assert_eq!((ids.len(), &ids[0], &tables["items"][0]["node_id"]), (2, &json!(0), &json!(capture)));
    let table = ids[1].as_i64().expect("an id");
    assert_eq!(api.get("/api/v2/changefeeds/feed/get_dispatcher_count").await.ok(), json!({"count": 2}));
    let processor = api.get(&format!("/api/v2/processors/feed/{capture}")).await.ok();
    assert_eq!(processor, json!({"table_ids": [table]}));

    let cdc = Cdc::new();
    let server = format!("--server={}", api.url());
    let args = ["cli", "processor", "query", &server, "-c", "feed", "-p", &capture];
    let shown: Value = serde_json::from_str(&cdc.run(&args, "").await.ok()).expect("JSON");
    assert_eq!(shown["status"]["tables"][table.to_string()], json!({"start-ts": 0}));
    let table = table.to_string();
    let args = ["cli", "changefeed", "move-table", &server, "-c", "feed", "-t", &table, "-d", &capture];
    assert_eq!(cdc.run(&args, "").await.ok(), "");

    let post = async |path: &str| {
        let answer = api.post(path, &json!({})).await;
        (answer.status, answer.error())
    };
    let cases = [
        (format!("/api/v2/captures/{capture}/drain"), "CDC:ErrSchedulerRequestFailed"),
        (
            format!("/api/v2/changefeeds/feed/move_table?tableID={table}&targetNodeID=x"),
            "CDC:ErrCaptureNotExist",
        ),
        (
            format!("/api/v2/changefeeds/feed/move_table?tableID=x&targetNodeID={capture}"),
            "CDC:ErrAPIInvalidParam",
        ),
        (
            format!("/api/v2/changefeeds/feed/move_table?tableID=7777&targetNodeID={capture}"),
            "CDC:ErrAPIInvalidParam",
        ),
        ("/api/v2/changefeeds/feed/merge_table".to_owned(), "CDC:ErrSchedulerRequestFailed"),
        ("/api/v2/changefeeds/none/merge_table".to_owned(), "CDC:ErrChangeFeedNotExists"),
    ];
    for (path, code) in cases {
        let (status, error) = post(&path).await;
        assert_eq!(status, 400, "{path}: {error}");
        assert!(error.contains(code), "{path}: {error}");
    }
    let answer = api.get("/api/v2/processors/feed/x").await;
    assert!(answer.error().contains("CDC:ErrCaptureNotExist"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn top_lists_every_changefeed_once() {
    let stack = Stack::start().await;
    let api = stack.api();
    api.create("running", &api.sink("running"), 0).await;
    api.create("paused", &api.sink("paused"), 0).await;
    api.post("/api/v2/changefeeds/paused/pause", &json!({})).await.ok();
    api.wait_caught_up("running").await;
    let url = api.url().to_owned();
    let shown = run(&mut tidegate(&["top", "--once", "--server", &url]), "").await.ok();
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines[0].starts_with("CHANGEFEED"), "{shown}");
    assert!(lines[1].starts_with("paused      stopped"), "the furthest behind comes first: {shown}");
    assert!(lines[2].starts_with("running     normal"), "{shown}");
    assert_eq!(lines[3..], ["2 changefeeds: 1 normal, 1 stopped"], "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn updates_of_listed_columns_only_are_left_out() {
    let stack = Stack::start().await;
    let api = stack.api();
    let mut client = stack.sql().await;
    client
        .query("CREATE TABLE test.t (id INT PRIMARY KEY, seen INT, v INT, u INT UNIQUE)")
        .await
        .expect("a table");
    let rule = json!({"matcher": ["test.*"], "ignore_update_only_columns": ["SEEN", "u", "none"]});
    let filter = json!({"rules": ["test.*"], "event_filters": [rule]});
    let body = json!({"changefeed_id": "feed", "sink_uri": api.sink("listed"), "replica_config": {"filter": filter}});
    api.post("/api/v2/changefeeds", &body).await.ok();
    for sql in [
        "INSERT INTO test.t VALUES (1, 1, 1, 1)",
        "UPDATE test.t SET seen = 2",
        "UPDATE test.t SET seen = 3, v = 2",
        "UPDATE test.t SET u = 2",
        "DELETE FROM test.t",
    ] {
        client.query(sql).await.expect(sql);
    }
    api.wait_caught_up("feed").await;
    let sent: Vec<String> = crate::topic::read_all(stack.ports, "listed")
        .await
        .iter()
        .map(|message| serde_json::from_slice::<Value>(&message.value).expect("JSON"))
        .filter(|value| value["isDdl"] == false && value["type"] != "TIDB_WATERMARK")
        .map(|value| {
            format!("{} seen={}", value["type"].as_str().unwrap_or_default(), value["data"][0]["seen"])
        })
        .collect();
    let expected = [
        "INSERT seen=\"1\"",
        "UPDATE seen=\"3\"",
        // A unique key changes: sent whatever is listed, and as the two halves of an UPDATE of a key.
        "DELETE seen=\"3\"",
        "INSERT seen=\"3\"",
        "DELETE seen=\"3\"",
    ];
    assert_eq!(sent, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_deletes_what_captures_keep_in_pd() {
    let stack = Stack::start().await;
    let api = stack.api();
    api.create("feed", &api.sink("reset"), 0).await;
    let cdc = Cdc::new();
    let pd = format!("--pd=http://127.0.0.1:{}", stack.ports.pd);
    let ended = cdc.run(&["cli", "unsafe", "reset", "--no-confirm"], "").await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
    assert!(ended.stderr.contains("[CDC:ErrInvalidServerOption]Empty PD address"), "{ended:?}");
    let asked = cdc.run(&["cli", "unsafe", "reset", &pd], "n\n").await.ok();
    assert!(asked.contains("use it at your own risk [Y/N]") && !asked.contains("truncated"), "{asked}");
    assert_eq!(api.get("/api/v2/changefeeds").await.ok()["total"], 1);
    let done = cdc.run(&["cli", "unsafe", "reset", &pd, "--no-confirm"], "").await.ok();
    assert_eq!(done, "reset and all metadata truncated in PD!\n");
    // The session ends with its lease; a new one finds nothing.
    let look = async || {
        let answer = api.get("/api/v2/changefeeds").await;
        match answer.status {
            200 if answer.json()["total"] == 0 => Ok(()),
            _ => Err(answer.text),
        }
    };
    until("a new owner without changefeeds", crate::api::CATCH_UP, look).await;
}
