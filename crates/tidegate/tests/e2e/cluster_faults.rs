//! Three brokers of the original Kafka, of which one or all die, lose leadership, a topic or their disk, under load.

use std::time::Duration;

use real_kafka::Version;
use serde_json::json;

use crate::api::CATCH_UP;
use crate::load::Writer;
use crate::real_broker::RealBroker;
use crate::replay::{changes, rebuild, table_of};
use crate::stack::{Ports, Stack};
use crate::topic;
use crate::verify::{verify, wait_watermark};
use crate::wait::until;

/// Variable that makes the outages long.
const LONG: &str = "TIDEGATE_LONG_FAULTS";
/// Variable with the seed of random choices.
const SEED: &str = "TIDEGATE_SEED";
/// A long outage.
const MINUTE: Duration = Duration::from_secs(60);
/// How long a fault lasts in the suite, at least.
const SHORT: Duration = Duration::from_secs(3);
/// Load before and after a fault.
const AROUND: Duration = Duration::from_secs(1);
/// Brokers.
const BROKERS: usize = 3;
/// Partitions of topics.
const PARTITIONS: usize = 3;
/// Fewest transactions of a load.
const FEWEST: usize = 50;
/// Most elections until the leaders are where they are wanted: a new order of replicas takes a moment.
const ELECTIONS: usize = 10;
/// Kafka's tool for topics.
const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";

/// The time of an outage: `short`, or a minute where [`LONG`] is set.
pub(crate) fn long_or(short: Duration) -> Duration {
    if std::env::var_os(LONG).is_some() { MINUTE } else { short }
}

/// The seed of [`SEED`], or a random one, which is printed.
pub(crate) fn seed() -> u64 {
    let seed = std::env::var(SEED).ok().and_then(|text| text.parse().ok()).unwrap_or_else(rand::random);
    println!("{SEED}={seed}");
    seed
}

/// Creates a changefeed for one table of the same name as its topic, spread over partitions by key.
pub(crate) async fn create(stack: &Stack, table: &str, replicas: usize, start_ts: u64) {
    let sink = stack.api().sink(table);
    let rules = [format!("test.{table}")];
    let body = json!({
        "changefeed_id": table,
        "sink_uri": format!("{sink}&replication-factor={replicas}&required-acks=-1"),
        "start_ts": start_ts,
        "replica_config": {
            "filter": {"rules": rules},
            "sink": {"dispatchers": [{"matcher": ["*.*"], "partition": "index-value"}]},
        },
    });
    stack.api().post("/api/v2/changefeeds", &body).await.ok();
}

/// Writes to a table of its own while `fault` happens; afterwards nothing is missing, the order of each key is kept,
/// `verify` finds both sides equal, and the changefeed is `normal`.
pub(crate) async fn under_load(
    stack: &Stack,
    table: &str,
    replicas: usize,
    seed: u64,
    fault: impl Future<Output = ()>,
) {
    let api = stack.api();
    create(stack, table, replicas, 0).await;
    let mut client = stack.sql().await;
    let writer = load(stack, table, seed, fault).await;
    api.wait_state(table, "normal").await;
    let now = api.now().await;
    wait_watermark(stack, table, now).await;
    let messages = topic::read_all(stack.ports, table).await;
    // Each key in the order of its partition; transactions in the order of their commits.
    let mut seen = changes(&messages);
    seen.sort_by_key(|change| change.commit_ts);
    writer.check(&seen);
    let rows = client.query(&format!("SELECT * FROM test.{table}")).await.expect("rows").rows;
    let count = rows.len();
    assert_eq!(rebuild(&messages).remove(table).unwrap_or_default(), table_of(rows));
    let report = verify(stack, table, &[]).await.ok();
    assert!(report.contains(&format!("test.{table}: {count} equal")), "{report}");
}

/// Writes while `fault` happens.
async fn load(stack: &Stack, table: &str, seed: u64, fault: impl Future<Output = ()>) -> Writer {
    let mut client = stack.sql().await;
    let writer = Writer::create(&mut client, table, seed).await;
    let fault = async {
        stack.api().wait_caught_up(table).await;
        tokio::time::sleep(AROUND).await;
        fault.await;
        tokio::time::sleep(AROUND).await;
    };
    let mut writer = writer.run_during(Ports::addr(stack.ports.sql), fault).await;
    writer.settle(&mut client).await.expect("the table");
    assert!(writer.count() > FEWEST, "only {} transactions", writer.count());
    writer
}

/// Three brokers; everything has three replicas, of which two must be in sync.
async fn start() -> Option<(RealBroker, Stack)> {
    RealBroker::with_stack(Version::V4, |settings| {
        settings.brokers = BROKERS;
        settings.properties = vec!["min.insync.replicas=2".to_owned()];
    })
    .await
}

/// Makes another replica of every partition its leader.
///
/// # Panics
/// If they stay where they are.
fn move_leaders(broker: &mut RealBroker, topic: &str) {
    let before = broker.tool(TOPICS, &["--describe", "--topic", topic]);
    let before: Vec<usize> =
        leaders(&before).iter().map(|leader| leader.parse().expect("a number")).collect();
    let partitions: Vec<_> = before
        .iter()
        .enumerate()
        .map(|(number, leader)| {
            let replicas: Vec<usize> = (0..BROKERS).map(|step| (leader + step) % BROKERS + 1).collect();
            json!({"topic": topic, "partition": number, "replicas": replicas})
        })
        .collect();
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), json!({"version": 1, "partitions": partitions}).to_string())
        .expect("written");
    let path = file.path().display().to_string();
    broker.tool(
        "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
        &["--reassignment-json-file", &path, "--execute"],
    );
    let wanted: Vec<usize> = before.iter().map(|leader| leader % BROKERS + 1).collect();
    for _ in 0..ELECTIONS {
        let elect = ["--election-type", "preferred", "--all-topic-partitions"];
        broker.tool("org.apache.kafka.tools.LeaderElectionCommand", &elect);
        let now = broker.tool(TOPICS, &["--describe", "--topic", topic]);
        if leaders(&now)
            .iter()
            .map(|leader| leader.parse::<usize>().expect("a number"))
            .eq(wanted.iter().copied())
        {
            return;
        }
    }
    panic!("the leaders {before:?} did not become {wanted:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brokers_that_die_move_or_fill_up_lose_and_reorder_nothing() {
    let Some((mut broker, stack)) = start().await else { return };
    let seed = seed();
    let last = long_or(SHORT);
    under_load(&stack, "killed", BROKERS, seed, async {
        broker.run(|cluster| cluster.kill(1));
        tokio::time::sleep(last).await;
        broker.run(|cluster| cluster.restart(1)).expect("it comes back");
    })
    .await;
    under_load(&stack, "moved", BROKERS, seed, async {
        move_leaders(&mut broker, "moved");
    })
    .await;
    under_load(&stack, "filled", BROKERS, seed, async {
        // Every file of the broker is as large as it may be: it can append to none.
        broker.run(|cluster| cluster.fill_disk(2, 1)).expect("prlimit");
        tokio::time::sleep(last).await;
        until("a broker without a disk ends", CATCH_UP, async || {
            if broker.run(|cluster| cluster.runs(2)) { Err("it runs") } else { Ok(()) }
        })
        .await;
        broker
            .run(|cluster| {
                cluster.kill(2);
                cluster.restart(2)
            })
            .expect("it comes back");
    })
    .await;
    under_load(&stack, "away", BROKERS, seed, async {
        broker.run(|cluster| (0..BROKERS).for_each(|index| cluster.kill(index)));
        stack.api().wait_state("away", "warning").await;
        tokio::time::sleep(last).await;
        broker
            .run(|cluster| (0..BROKERS).try_for_each(|index| cluster.restart(index)))
            .expect("they come back");
    })
    .await;
}

/// Leaders of the partitions in the output of Kafka's tool.
fn leaders(description: &str) -> Vec<&str> {
    let found: Vec<_> = description
        .lines()
        .filter_map(|line| line.split("Leader: ").nth(1)?.split_whitespace().next())
        .collect();
    assert_eq!(found.len(), PARTITIONS, "{description}");
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_deleted_comes_back_with_everything_since_the_checkpoint() {
    let Some((mut broker, stack)) =
        RealBroker::with_stack(Version::V4, |settings| settings.properties.clear()).await
    else {
        return;
    };
    let api = stack.api();
    create(&stack, "deleted", 1, 0).await;
    let mut deleted_at = 0;
    load(&stack, "deleted", seed(), async {
        // What was delivered before is lost with the topic, by the will of who deleted it.
        deleted_at = api.now().await;
        broker.tool(TOPICS, &["--delete", "--topic", "deleted"]);
        api.wait_state("deleted", "warning").await;
        api.wait_state("deleted", "normal").await;
    })
    .await;
    let now = api.now().await;
    wait_watermark(&stack, "deleted", now).await;
    let report = verify(&stack, "deleted", &["--start-ts", &deleted_at.to_string()]).await.ok();
    assert!(report.contains("\nEqual.\n"), "{report}");
    assert!(!topic::read_all(stack.ports, "deleted").await.is_empty());
}
