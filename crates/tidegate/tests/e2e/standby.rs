//! Two captures of one cluster: one owns the changefeeds, the other stands by.

use std::time::Duration;

use serde_json::Value;
use tokio::process::Child;

use crate::api::Api;
use crate::programs::tidegate;
use crate::replay::changes;
use crate::stack::{Ports, Stack};
use crate::topic;
use crate::wait::until;

/// How long an election may take: the registration of a killed capture lives for ten seconds.
const ELECTION: Duration = Duration::from_secs(30);

/// Starts a capture, and waits until it is registered; it is killed when the test ends.
async fn capture(ports: Ports, data: &std::path::Path) -> Child {
    let (pd, addr) = (format!("http://127.0.0.1:{}", ports.pd), Ports::addr(ports.capture).to_string());
    let data = data.join(&addr).display().to_string();
    let args = ["server", "--pd", &pd, "--addr", &addr, "--data-dir", &data, "--log-level", "warn"];
    let child = tidegate(&args).kill_on_drop(true).spawn().expect("the program starts");
    let http = reqwest::Client::new();
    until("the capture is registered", ELECTION, async || {
        let captures =
            http.get(format!("http://{addr}/api/v2/captures")).send().await.map_err(|e| e.to_string())?;
        let captures: Value = captures.json().await.map_err(|e| e.to_string())?;
        let items = captures["items"].as_array().cloned().unwrap_or_default();
        let is_there = items.iter().any(|item| item["address"] == addr.as_str());
        let has_owner = items.iter().any(|item| item["is_owner"] == true);
        if is_there && has_owner { Ok(()) } else { Err(captures.to_string()) }
    })
    .await;
    child
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_forwards_requests_and_takes_over_when_the_owner_is_killed() {
    let ports = Ports::free();
    let services = Stack::start_on(ports, &["--without", "capture"]).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut owner = capture(ports, folder.path()).await;
    let second = Ports { capture: Ports::free().capture, ..ports };
    let _standby = capture(second, folder.path()).await;
    let api = Api::new(second);
    api.create("feed", &api.sink("standby"), 0).await;
    let mut client = services.sql().await;
    client.query("CREATE TABLE test.t (id INT PRIMARY KEY)").await.expect("created");
    client.query("INSERT INTO test.t VALUES (1)").await.expect("inserted");
    api.wait_caught_up("feed").await;
    assert_eq!(api.get("/api/v2/changefeeds/feed/why").await.ok()["id"], "feed");
    assert_eq!(api.get("/api/v2/changefeeds/feed/memory").await.ok()["id"], "feed");
    owner.kill().await.expect("killed");
    client.query("INSERT INTO test.t VALUES (2)").await.expect("inserted");
    // Asked during the election, it answers after it.
    assert_eq!(api.get("/api/v2/changefeeds/feed").await.ok()["state"], "normal");
    assert_eq!(api.get("/status").await.json()["is_owner"], true);
    api.wait_caught_up("feed").await;
    let messages = topic::read_all(ports, "standby").await;
    let mut ids: Vec<i64> = changes(&messages).iter().map(|change| change.number("id")).collect();
    ids.dedup();
    assert_eq!(ids, [1, 2]);
}
