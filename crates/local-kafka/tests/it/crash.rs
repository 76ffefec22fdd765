//! A broker killed without warning.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::util::Timeout;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::broker::{PATIENCE, config, soon, start};
use crate::clients::client;
use crate::produce::{batch, offset, produce};
use crate::wire::{RawClient, create_topic};

/// Environment variable with the data directory of a broker which runs as a child process.
const CHILD_DIR: &str = "LOCAL_KAFKA_TEST_CHILD_DIR";

/// Not a test by itself: the broker of the test below, in a process of its own.
#[tokio::test]
async fn broker_process() {
    let Ok(dir) = std::env::var(CHILD_DIR) else { return };
    let broker = start(config(Path::new(&dir))).await;
    println!("\nlistening on {}", broker.local_addr());
    std::future::pending::<()>().await;
}

/// Starts a broker as a child process.
async fn spawn(dir: &Path) -> (Child, SocketAddr) {
    let mut child = Command::new(std::env::current_exe().expect("test binary"))
        .args(["--exact", "crash::broker_process", "--nocapture"])
        .env(CHILD_DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .expect("child");
    let stdout = tokio::process::ChildStdout::from_std(child.stdout.take().expect("stdout")).expect("stdout");
    let mut lines = BufReader::new(stdout).lines();
    let addr = soon(async {
        loop {
            let line = lines.next_line().await.expect("output").expect("line");
            if let Some(addr) = line.strip_prefix("listening on ") {
                return addr.parse().expect("address");
            }
        }
    })
    .await;
    // The rest of the output must not block the child.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (child, addr)
}

#[tokio::test]
async fn a_killed_broker_keeps_every_acknowledged_record_and_setting() {
    let dir = tempfile::tempdir().expect("directory");
    for round in 0..3 {
        let (mut child, addr) = spawn(dir.path()).await;
        let mut raw = RawClient::connect(addr).await;
        create_topic(&mut raw, "t").await;
        let before = offset(&mut raw, "t", -1).await;
        assert_eq!(before, round * 200, "round {round}");
        let producer: FutureProducer =
            client(addr).set("enable.idempotence", "true").set("linger.ms", "0").create().expect("producer");
        for i in 0..200 {
            let value = format!("{round}-{i}");
            let record = FutureRecord::<(), _>::to("t").partition(0).payload(&value);
            producer.send(record, Timeout::After(PATIENCE)).await.expect("acknowledged");
        }
        child.kill().expect("killed");
        child.wait().expect("ended");
    }
    let broker = start(config(dir.path())).await;
    let mut raw = RawClient::connect(broker.local_addr()).await;
    assert_eq!(offset(&mut raw, "t", -1).await, 600);
    assert_eq!(produce(&mut raw, "t", batch(&["x"], 1, None)).await, (0, 600));
    broker.shutdown().await;
}
