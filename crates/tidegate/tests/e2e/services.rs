//! Starting, showing and stopping the services.

use serde_json::Value;

use crate::programs::{run, tidegate};
use crate::stack::{Ports, Stack};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ps_tells_by_probes_what_is_up() {
    let ports = Ports::free();
    let offset = ports.offset.to_string();
    let mut stack = Stack::start_on(ports, &["--without", "kafka"]).await;
    let mut broker = Stack::start_on(ports, &["--only", "kafka"]).await;

    let table = run(&mut tidegate(&["ps", "--port-offset", &offset]), "").await.ok();
    let lines: Vec<_> = table.lines().collect();
    assert!(lines[0].starts_with("NAME"), "{table}");
    assert_eq!(lines.len(), 6, "{table}");
    assert!(lines[1..].iter().all(|line| line.contains("  Up ")), "{table}");
    let state_column = lines[0].find("STATE").expect("a column of states");
    assert!(lines[1..].iter().all(|line| line[state_column..].starts_with("Up")), "not aligned:\n{table}");

    broker.kill().await;
    let ended = run(&mut tidegate(&["ps", "--port-offset", &offset, "--json"]), "").await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let rows: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    for row in rows.as_array().expect("an array") {
        let port = row["port"].as_u64().expect("a port");
        assert!(ports.all().map(u64::from).contains(&port), "{row}");
        if row["name"] == "kafka" {
            assert_eq!(
                (row["state"].as_str(), row["error"].as_str()),
                (Some("Down"), Some("connection refused"))
            );
        } else {
            assert_eq!(row["state"], "Up", "{row}");
            assert!(row["version"].as_str().is_some_and(|version| !version.is_empty()), "{row}");
        }
    }
    assert_eq!(stack.stop("TERM").await.code(), Some(0), "{}", stack.log());
    let table = run(&mut tidegate(&["ps", "--port-offset", &offset]), "").await;
    assert_eq!(table.code, Some(1));
    assert_eq!(table.stdout.matches("connection refused").count(), 5, "{}", table.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_port_is_named_with_its_service_and_the_way_out() {
    let ports = Ports::free();
    let _taken = std::net::TcpListener::bind(Ports::addr(ports.kafka)).expect("a free port");
    let ended = run(&mut tidegate(&["up", "--port-offset", &ports.offset.to_string()]), "").await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for part in [&ports.kafka.to_string(), "kafka", "--port-offset"] {
        assert!(ended.stderr.contains(part), "{part} is not in: {}", ended.stderr);
    }
    // What was started before was stopped again.
    let free = [ports.sql, ports.pd, ports.kv, ports.capture];
    assert!(free.into_iter().all(|port| std::net::TcpListener::bind(Ports::addr(port)).is_ok()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_outlives_an_orderly_stop() {
    let mut stack = Stack::start().await;
    let mut client = stack.sql().await;
    client.query("CREATE TABLE test.kept (id INT PRIMARY KEY, v VARCHAR(10))").await.expect("a table");
    client.query("INSERT INTO test.kept VALUES (1, 'here')").await.expect("a row");
    let before = stack.api().now().await;
    assert_eq!(stack.stop("TERM").await.code(), Some(0), "{}", stack.log());
    stack.restart().await;
    let rows = stack.sql().await.query("SELECT * FROM test.kept").await.expect("rows").rows;
    assert_eq!(rows, [[Some("1".to_owned()), Some("here".to_owned())]]);
    assert!(stack.api().now().await > before);
}
