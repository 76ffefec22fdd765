//! `tidegate consume` with a broker that comes and goes, and with messages that are not events.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use crate::programs::{kcat, line, need, run, tidegate};
use crate::stack::{Ports, Stack, send_signal};
use crate::wait::within;

/// Longest wait for the end of a program.
const END_LIMIT: Duration = Duration::from_secs(30);
/// An event.
const EVENT: &str = r#"{"id":0,"database":"d","table":"t","pkNames":["a"],"isDdl":false,"type":"INSERT","es":0,"ts":0,"sql":"","sqlType":{"a":4},"mysqlType":{"a":"int"},"old":null,"data":[{"a":"NUMBER"}]}"#;

/// Sends messages to the topic, each a line.
async fn produce(ports: Ports, lines: &str) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), lines).expect("a file");
    let path = file.path().to_str().expect("a path");
    kcat(ports, &["-P", "-t", "tidb-test", "-p", "0", "-l", path]).await.ok();
}

/// Stops a consumer by a signal; it says goodbye to its group and exits with 0.
async fn stop(mut child: Child, signal: &str) {
    send_signal(&child, signal).await;
    let ended = within("end of the consumer", END_LIMIT, child.wait()).await.expect("it ended");
    assert_eq!(ended.code(), Some(0), "after SIG{signal}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_waits_for_broker_and_topic_and_goes_on_where_it_stopped() {
    need("kcat");
    let ports = Ports::free();
    let brokers = format!("127.0.0.1:{}", ports.kafka);
    let args = ["consume", "--brokers", &brokers, "--group", "g"];
    let start = || {
        let mut child = tidegate(&args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let stderr = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
        (child, stdout, stderr)
    };
    let (child, mut stdout, mut stderr) = start();
    assert!(line(&mut stderr).await.starts_with(&format!("waiting for Kafka at {brokers} ...")));
    let mut broker = Stack::start_on(ports, &["--only", "kafka"]).await;
    assert_eq!(line(&mut stderr).await, format!("waiting for topic tidb-test on {brokers} ..."));
    // The topic did not exist when the consumer came: it sees the first message, without --from-beginning.
    produce(ports, &EVENT.replace("NUMBER", "1")).await;
    assert!(line(&mut stdout).await.ends_with("INSERT  d.t  [a=\"1\"]"));
    broker.kill().await;
    broker.restart().await;
    produce(ports, &EVENT.replace("NUMBER", "2")).await;
    assert!(line(&mut stdout).await.ends_with("INSERT  d.t  [a=\"2\"]"));
    stop(child, "TERM").await;
    produce(ports, &EVENT.replace("NUMBER", "3")).await;
    let (child, mut stdout, _stderr) = start();
    assert!(line(&mut stdout).await.ends_with("INSERT  d.t  [a=\"3\"]"));
    stop(child, "INT").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_no_event_is_told_with_its_place_and_passed() {
    need("kcat");
    let broker = Stack::start_with(&["--only", "kafka"]).await;
    let brokers = format!("127.0.0.1:{}", broker.ports.kafka);
    produce(
        broker.ports,
        &format!("{}\nnot json \u{7}\n{}", EVENT.replace("NUMBER", "1"), EVENT.replace("NUMBER", "2")),
    )
    .await;
    let args = ["consume", "--brokers", &brokers, "--from-beginning", "--max", "3"];
    let ended = run(&mut tidegate(&args), "").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout.lines().count(), 2, "{ended:?}");
    assert!(ended.stderr.contains("partition 0 offset 1: not Canal-JSON: "), "{ended:?}");
    assert!(ended.stderr.contains("not json \\u0007"), "{ended:?}");
    assert!(!ended.stdout.contains('\u{1b}'), "colours without a terminal: {ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_name_that_cannot_be_is_refused() {
    let broker = Stack::start_with(&["--only", "kafka"]).await;
    let brokers = format!("127.0.0.1:{}", broker.ports.kafka);
    let ended = run(&mut tidegate(&["consume", "--brokers", &brokers, "--topic", "bad topic"]), "").await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("\"bad topic\""), "{ended:?}");
}
