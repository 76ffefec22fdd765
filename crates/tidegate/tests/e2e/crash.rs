//! The whole stack is killed, again and again, while it is written to.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tikv_client::{PdClient, Security};
use tokio::sync::watch;

use crate::load::Writer;
use crate::replay::{changes, rebuild, table_of};
use crate::stack::{Ports, Stack};
use crate::topic;

/// How often the stack is killed.
const KILLS: usize = 20;
/// How long a life lasts after the start, milliseconds.
const LIFE_MS: std::ops::Range<u64> = 50..900;
/// When a start is cut short, milliseconds after its begin.
const CUT_MS: std::ops::Range<u64> = 5..600;
/// How many of the starts are cut short.
const CUT_SHARE: f64 = 0.25;
/// Pause between two timestamps that are asked for.
const SAMPLE_PACE: Duration = Duration::from_millis(2);
/// How long a placement driver that just started may take to answer.
const PD_LIMIT: Duration = Duration::from_secs(10);
/// Topic.
const TOPIC: &str = "tidb-test";
/// Changefeed.
const FEED: &str = "simple-replication-task";

/// The seed: of the environment, or a new one.
fn seed() -> u64 {
    let seed =
        std::env::var("TIDEGATE_SEED").ok().map(|text| text.parse().expect("TIDEGATE_SEED is a number"));
    let seed = seed.unwrap_or_else(rand::random);
    println!("TIDEGATE_SEED={seed}");
    seed
}

/// Asks for timestamps until told to stop or until the server is gone. Each is larger than all before.
async fn sample(ports: Ports, samples: &mut Vec<u64>, mut stop: watch::Receiver<bool>) {
    let endpoints = [format!("127.0.0.1:{}", ports.pd)];
    let Ok(pd) = PdClient::connect_within(&endpoints, Security::none(), PD_LIMIT).await else { return };
    loop {
        let ts = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            ts = pd.get_ts() => ts,
        };
        let Ok(ts) = ts else { return };
        let last = samples.last().copied().unwrap_or_default();
        assert!(ts > last, "timestamp {ts} after {last}");
        samples.push(ts);
        tokio::time::sleep(SAMPLE_PACE).await;
    }
}

/// One life of the stack under load, up to its violent end.
async fn live(stack: &mut Stack, writers: &mut [Writer], samples: &mut Vec<u64>, life: Duration) {
    let ports = stack.ports;
    let addr = Ports::addr(ports.sql);
    let (stop, stopped) = watch::channel(false);
    let [first, second] = writers else { panic!("two writers") };
    let load = async {
        tokio::join!(
            first.run(addr, stopped.clone()),
            second.run(addr, stopped.clone()),
            sample(ports, samples, stopped.clone())
        )
    };
    let end = async {
        tokio::time::sleep(life).await;
        stack.kill().await;
        // Writers notice by themselves; whoever waits for an answer of PD need not wait for its patience to end.
        stop.send_replace(true);
    };
    tokio::join!(load, end);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_the_stack_is_killed_twenty_times() {
    let seed = seed();
    let mut random = StdRng::seed_from_u64(seed);
    let mut stack = Stack::start().await;
    let api = stack.api();
    api.create(FEED, &api.sink(TOPIC), 0).await;
    let mut client = stack.sql().await;
    let mut writers = [
        Writer::create(&mut client, "left", seed ^ 1).await,
        Writer::create(&mut client, "right", seed ^ 2).await,
    ];
    drop(client);
    let mut samples = Vec::new();
    for _ in 0..KILLS {
        if random.random_bool(CUT_SHARE) {
            stack.kill().await;
            stack.launch();
            tokio::time::sleep(Duration::from_millis(random.random_range(CUT_MS))).await;
            stack.kill().await;
            stack.restart().await;
        } else {
            let life = Duration::from_millis(random.random_range(LIFE_MS));
            live(&mut stack, &mut writers, &mut samples, life).await;
            stack.restart().await;
        }
    }
    let mut client = stack.sql().await;
    for writer in &mut writers {
        writer.settle(&mut client).await.expect("the table");
    }
    api.wait_caught_up(FEED).await;
    let messages = topic::read_all(stack.ports, TOPIC).await;
    let changes = changes(&messages);
    let mut tables = BTreeMap::new();
    for writer in &writers {
        writer.check(&changes);
        let answer = client.query(&format!("SELECT * FROM test.{}", writer.table())).await.expect("rows");
        tables.insert(writer.table().to_owned(), table_of(answer.rows));
        assert!(writer.count() > KILLS, "only {} transactions of {}", writer.count(), writer.table());
    }
    let mut rebuilt = rebuild(&messages);
    for table in tables.keys() {
        rebuilt.entry(table.clone()).or_default();
    }
    assert_eq!(rebuilt, tables);
    let count: usize = writers.iter().map(Writer::count).sum();
    println!("{count} transactions, {} messages, {} timestamps", messages.len(), samples.len());
}
