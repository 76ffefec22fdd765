//! The broker goes away under load and comes back.

use std::time::Duration;

use tokio::time::Instant;

use crate::load::Writer;
use crate::replay::{changes, rebuild, table_of};
use crate::stack::{Ports, Stack};
use crate::topic;

/// How long the broker is away, at least.
const AWAY: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_the_broker_is_a_warning_and_loses_nothing() {
    let ports = Ports::free();
    let mut broker = Stack::start_on(ports, &["--only", "kafka"]).await;
    let mut stack = Stack::start_on(ports, &["--without", "kafka"]).await;
    let api = stack.api();
    api.create("feed", &api.sink("outage"), 0).await;
    let mut client = stack.sql().await;
    let writer = Writer::create(&mut client, "busy", 7).await;
    let outage = async {
        api.wait_caught_up("feed").await;
        broker.kill().await;
        let down = Instant::now();
        api.wait_state("feed", "warning").await;
        tokio::time::sleep_until(down + AWAY).await;
        broker.restart().await;
        api.wait_state("feed", "normal").await;
    };
    let mut writer = writer.run_during(Ports::addr(ports.sql), outage).await;
    assert!(stack.is_running());
    writer.settle(&mut client).await.expect("the table");
    api.wait_caught_up("feed").await;
    let messages = topic::read_all(ports, "outage").await;
    writer.check(&changes(&messages));
    let rows = client.query("SELECT * FROM test.busy").await.expect("rows").rows;
    assert_eq!(rebuild(&messages).remove("busy").unwrap_or_default(), table_of(rows));
    assert!(writer.count() > 100, "only {} transactions", writer.count());
}
