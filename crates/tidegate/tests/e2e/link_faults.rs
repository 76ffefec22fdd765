//! A slow broker, connections that are reset, and a message that the topic does not take: the original Kafka behind a
//! link.

use std::time::Duration;

use real_kafka::Version;

use crate::cluster_faults::{create, long_or, seed, under_load};
use crate::link::{Link, Weather};
use crate::real_broker::RealBroker;
use crate::stack::{Ports, Stack};
use crate::verify::{verify, wait_watermark};

/// How late each request of a slow broker is.
const LATE: Duration = Duration::from_millis(100);
/// How long each weather lasts, at least.
const SHORT: Duration = Duration::from_secs(4);
/// Limit of the topic whose messages are too large, bytes.
const LIMIT: usize = 20_000;

/// A broker behind a link on the stack's port for it, and the stack.
async fn start() -> Option<(RealBroker, Link, Stack)> {
    let (behind, front) = (Ports::free(), Ports::free());
    let broker = RealBroker::start(Version::V4, |settings| {
        settings.port = behind.kafka;
        // Clients are told to come by the link.
        settings.properties = vec![format!("advertised.listeners=PLAIN://127.0.0.1:{}", front.kafka)];
    })?;
    let link = Link::open(Ports::addr(front.kafka), Ports::addr(behind.kafka)).await;
    Some((broker, link, Stack::start_on(front, &["--without", "kafka"]).await))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_brokers_and_resets_at_any_byte_lose_and_reorder_nothing() {
    let Some((_broker, link, stack)) = start().await else { return };
    let seed = seed();
    let last = long_or(SHORT);
    under_load(&stack, "slow", 1, seed, async {
        link.set(Weather::Slow(LATE));
        tokio::time::sleep(last).await;
        link.set(Weather::Fair);
    })
    .await;
    under_load(&stack, "reset", 1, seed, async {
        link.set(Weather::cutting(seed));
        tokio::time::sleep(last).await;
        assert!(link.cuts() > 0, "no connection was cut");
        println!("{} connections were cut", link.cuts());
        link.set(Weather::Fair);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_too_large_is_a_warning_until_the_topic_takes_it() {
    let Some((mut broker, _link, stack)) = start().await else { return };
    let api = stack.api();
    let limit = format!("max.message.bytes={LIMIT}");
    broker.tool(
        "org.apache.kafka.tools.TopicCommand",
        &["--create", "--topic", "large", "--partitions", "1", "--config", &limit],
    );
    let mut client = stack.sql().await;
    let start_ts = api.now().await;
    client.query("CREATE TABLE test.large (id INT PRIMARY KEY, body LONGTEXT)").await.expect("a table");
    create(&stack, "large", 1, start_ts).await;
    client.query("INSERT INTO test.large VALUES (1, 'small')").await.expect("a row");
    api.wait_caught_up("large").await;
    let body = "x".repeat(LIMIT * 2);
    client.query(&format!("INSERT INTO test.large VALUES (77, '{body}')")).await.expect("a row");
    api.wait_state("large", "warning").await;
    let shown = api.get("/api/v2/changefeeds/large").await.ok();
    let error = shown["error"].to_string();
    for part in ["CDC:ErrMessageTooLarge", "test.large", "77", &LIMIT.to_string()] {
        assert!(error.contains(part), "{part} is not in {error}");
    }
    let size = error
        .split("length:")
        .nth(1)
        .map_or("", |rest| rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default());
    assert!(size.parse::<usize>().is_ok_and(|size| size > LIMIT * 2), "no size in {error}");
    broker.tool(
        "kafka.admin.ConfigCommand",
        &[
            "--alter",
            "--entity-type",
            "topics",
            "--entity-name",
            "large",
            "--add-config",
            "max.message.bytes=1000000",
        ],
    );
    api.wait_state("large", "normal").await;
    let now = api.now().await;
    wait_watermark(&stack, "large", now).await;
    let report = verify(&stack, "large", &[]).await.ok();
    assert!(report.contains("test.large: 2 equal"), "{report}");
}
