//! Two captures are killed, stopped and robbed of their leases at random moments, while changefeeds are created, paused,
//! resumed, changed and removed and rows are written.
//!
//! `TIDEGATE_CHAOS_ROUNDS` gives the number of rounds, `TIDEGATE_SEED` repeats the choices of a run.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use reqwest::Method;
use serde_json::{Value, json};
use tikv_client::etcd::{EventKind, WatchOptions};
use tikv_client::{EtcdClient, Security};
use tokio::sync::watch;

use crate::api::CATCH_UP;
use crate::captures::{LEASE, Node, owner};
use crate::producers::{of_topic, overlaps};
use crate::replay::changes;
use crate::sql_client::SqlClient;
use crate::stack::{Ports, Stack};
use crate::topic;
use crate::wait::{until, within};

/// Rounds in the suite.
const ROUNDS: usize = 4;
/// Changefeeds that come and go.
const FEEDS: usize = 3;
/// The changefeed that is paused and resumed and never removed.
const LASTING: &str = "lasting";
/// Pause between two operations, milliseconds.
const PACE_MS: std::ops::Range<u64> = 20..400;
/// Operations of a round.
const OPERATIONS: std::ops::Range<usize> = 3..9;
/// When the fault comes, milliseconds after the begin of a round.
const FAULT_MS: std::ops::Range<u64> = 0..1500;
/// How long a process is stopped, milliseconds: shorter and longer than the lease.
const STOP_MS: std::ops::Range<u64> = 200..8_000;
/// How long a standby may take until it is the owner after the owner was killed.
const TAKEOVER: Duration = Duration::from_secs(10);
/// Requests that were on their way to a stopped process are carried out or dropped in this time after it goes on.
const AFTERMATH: Duration = Duration::from_millis(700);
/// Pause between two rows.
const ROW_PACE: Duration = Duration::from_millis(15);
/// Start of the keys about changefeeds.
const KEYS: &str = "/tidb/cdc/default/default/changefeed/";

/// A number of the environment.
fn from_env(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// What must be true of a changefeed; `None`: the outcome of the last operation is not known.
#[derive(Debug, Clone, Default)]
struct Expected {
    /// Whether it is there.
    there: Option<bool>,
    /// Whether it is paused.
    paused: Option<bool>,
    /// Times that it was asked for; the topic's name has it.
    generation: usize,
    /// Where the acknowledged creation began.
    start_ts: u64,
}

/// What is done to a changefeed.
#[derive(Debug, Clone, Copy)]
enum Operation {
    Create,
    Pause,
    Resume,
    Update,
    Remove,
}

/// What is done to a capture.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// Killed; it comes back at once or only after the other has taken over.
    Kill { owner: bool, back_at_once: bool },
    /// Stopped for some milliseconds.
    Stop { owner: bool, ms: u64 },
    /// The owner's lease is revoked.
    Revoke,
}

impl Fault {
    /// Any.
    fn any(random: &mut StdRng) -> Self {
        match random.random_range(0..5) {
            0 | 1 => Self::Kill { owner: random.random_bool(0.7), back_at_once: random.random_bool(0.5) },
            2 | 3 => Self::Stop { owner: random.random_bool(0.7), ms: random.random_range(STOP_MS) },
            _ => Self::Revoke,
        }
    }
}

/// The cluster under test.
struct Chaos {
    /// PD, TiKV, SQL, Kafka.
    stack: Stack,
    /// Metadata.
    etcd: EtcdClient,
    /// What must be true.
    expected: BTreeMap<String, Expected>,
}

/// The topic of a changefeed.
fn topic_of(id: &str, generation: usize) -> String {
    format!("{id}-{generation}")
}

/// One operation, sent to one of the captures; what is known of the changefeed after it.
async fn operate(api: &Node, id: &str, operation: Operation, before: &Expected) -> Expected {
    let mut after = before.clone();
    let path = format!("/api/v2/changefeeds/{id}");
    let sink = |generation| api.api.sink(&topic_of(id, generation));
    let answer = match operation {
        Operation::Create => {
            after.generation += 1;
            let body = json!({"changefeed_id": id, "sink_uri": sink(after.generation)});
            api.call(Method::POST, "/api/v2/changefeeds", Some(body)).await
        }
        Operation::Pause => api.call(Method::POST, &format!("{path}/pause"), Some(json!({}))).await,
        Operation::Resume => api.call(Method::POST, &format!("{path}/resume"), Some(json!({}))).await,
        Operation::Update => {
            let body = json!({"sink_uri": format!("{}&compression=lz4", sink(before.generation))});
            api.call(Method::PUT, &path, Some(body)).await
        }
        Operation::Remove => api.call(Method::DELETE, &path, None).await,
    };
    let done = answer.as_ref().is_some_and(|answer| answer.status == 200);
    // The changefeed is as it was: the request was refused for what it asks.
    let refused = answer.as_ref().is_some_and(|answer| {
        answer.status == 400
            || ["CDC:ErrChangeFeedAlreadyExists", "CDC:ErrOwnerNotFound"]
                .iter()
                .any(|code| answer.text.contains(code))
    });
    if refused {
        return Expected { generation: after.generation, ..before.clone() };
    }
    let sure = |value: bool| done.then_some(value);
    match operation {
        Operation::Create => {
            (after.there, after.paused) = (sure(true), sure(false));
            if let Some(answer) = answer.filter(|_| done) {
                after.start_ts = answer.json()["start_ts"].as_u64().expect("a start ts");
            }
        }
        Operation::Pause => after.paused = sure(true),
        Operation::Resume => after.paused = sure(false),
        Operation::Update => {}
        Operation::Remove => after.there = sure(false),
    }
    after
}

impl Chaos {
    /// Operations of a round. A changefeed whose state is not known any more is left alone.
    async fn operations(expected: &mut BTreeMap<String, Expected>, nodes: &[&Node; 2], mut random: StdRng) {
        for _ in 0..random.random_range(OPERATIONS) {
            tokio::time::sleep(Duration::from_millis(random.random_range(PACE_MS))).await;
            let ids: Vec<String> = expected.keys().cloned().collect();
            let id = &ids[random.random_range(0..ids.len())];
            let before = expected[id].clone();
            let lasting = id == LASTING;
            let operation = match (before.there, before.paused) {
                (Some(false), _) => Operation::Create,
                (Some(true), Some(false)) if lasting || random.random_bool(0.6) => Operation::Pause,
                (Some(true), Some(true)) if random.random_bool(0.3) => Operation::Update,
                (Some(true), Some(true)) if lasting || random.random_bool(0.6) => Operation::Resume,
                (Some(true), Some(_)) => Operation::Remove,
                _ => continue,
            };
            let node = nodes[random.random_range(0..2)];
            let after = operate(node, id, operation, &before).await;
            expected.insert(id.clone(), after);
        }
    }

    /// Every changefeed in etcd: whether it is stopped, and its checkpoint.
    async fn stored(&self) -> BTreeMap<String, (bool, Value)> {
        let listing = self.etcd.get_prefix(format!("{KEYS}info/")).await.expect("metadata");
        let feed = |kv: &tikv_client::etcd::KeyValue| {
            let key = String::from_utf8_lossy(&kv.key).into_owned();
            let info: Value = serde_json::from_slice(&kv.value).expect("JSON");
            let id = key.strip_prefix(&format!("{KEYS}info/")).expect("an id").to_owned();
            (id, (info["state"] == "stopped", info))
        };
        listing.kvs.iter().map(feed).collect()
    }

    /// Compares what is stored with what was acknowledged, and learns what was not known.
    async fn settle(&mut self) {
        let stored = self.stored().await;
        for (id, expected) in &mut self.expected {
            let found = stored.get(id);
            if let Some(there) = expected.there {
                assert_eq!(found.is_some(), there, "{id} is lost or was not removed: {expected:?}");
            }
            if let (Some((stopped, info)), Some(paused)) = (found, expected.paused) {
                let told = expected.there == Some(true);
                assert!(!told || *stopped == paused, "{id}: {expected:?}, stored {info}");
            }
            if let (None, Some((_, info))) = (expected.there, found) {
                // Created, though nobody said so.
                expected.start_ts = info["start-ts"].as_u64().expect("a start ts");
            }
            expected.there = Some(found.is_some());
            expected.paused = Some(found.is_some_and(|(stopped, _)| *stopped));
        }
        let known: BTreeSet<_> = self.expected.keys().collect();
        assert!(stored.keys().all(|id| known.contains(id)), "{:?}", stored.keys());
    }
}

/// Carries out a fault, and heals it.
async fn break_and_heal(etcd: &EtcdClient, ports: Ports, nodes: [&mut Node; 2], fault: Fault) {
    let [first, second] = nodes;
    let own = owner(etcd).await;
    let first_owns = own.as_ref().is_some_and(|(addr, _)| *addr == first.addr);
    let (owning, standby) = if first_owns { (first, second) } else { (second, first) };
    match fault {
        Fault::Kill { owner: true, back_at_once } => {
            owning.kill().await;
            if !back_at_once && own.is_some() {
                wait_takeover(etcd, &standby.addr).await;
            }
            owning.launch(ports);
        }
        Fault::Kill { owner: false, .. } => {
            standby.kill().await;
            standby.launch(ports);
        }
        Fault::Stop { owner, ms } => {
            let stopped = if owner { owning } else { standby };
            stopped.stop().await;
            tokio::time::sleep(Duration::from_millis(ms)).await;
            stopped.go_on().await;
        }
        Fault::Revoke => {
            if let Some((_, lease)) = own {
                etcd.lease_revoke(lease).await.expect("revoked");
            }
        }
    }
}

/// Waits until a standby is the owner.
async fn wait_takeover(etcd: &EtcdClient, standby: &str) {
    until("the standby takes over", TAKEOVER, async || match owner(etcd).await {
        Some((addr, _)) if addr == standby => Ok(()),
        other => Err(other),
    })
    .await;
}

/// Follows every checkpoint that is stored until told to stop: none is smaller than the one before, as long as the
/// changefeed is the same. Returns how many it saw.
async fn follow_checkpoints(etcd: EtcdClient, from: i64, mut stop: watch::Receiver<bool>) -> usize {
    let mut watcher = etcd.watch(WatchOptions::prefix(format!("{KEYS}status/")).from_revision(from));
    let mut last: HashMap<(Vec<u8>, i64), u64> = HashMap::new();
    let mut seen = 0;
    loop {
        let batch = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return seen,
            batch = watcher.next() => batch.expect("a watch"),
        };
        for event in batch.events {
            if event.kind != EventKind::Put {
                continue;
            }
            let status: Value = serde_json::from_slice(&event.kv.value).expect("JSON");
            let checkpoint = status["checkpoint-ts"].as_u64().expect("a checkpoint");
            let key = (event.kv.key.to_vec(), event.kv.create_revision);
            let before = last.insert(key, checkpoint).unwrap_or_default();
            let name = String::from_utf8_lossy(&event.kv.key).into_owned();
            assert!(checkpoint >= before, "checkpoint of {name} goes back from {before} to {checkpoint}");
            seen += 1;
        }
    }
}

/// Writes rows until told to stop; returns how many were acknowledged, and a lower bound of the commit ts of each.
async fn write_rows(stack_sql: std::net::SocketAddr, stop: watch::Receiver<bool>) -> i64 {
    let mut client = SqlClient::connect(stack_sql).await.expect("an SQL connection");
    let mut next = 0;
    while !*stop.borrow() {
        client.query(&format!("INSERT INTO test.chaos VALUES ({next})")).await.expect("inserted");
        next += 1;
        tokio::time::sleep(ROW_PACE).await;
    }
    next
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_captures_lose_nothing_and_never_write_at_once_whatever_happens_to_them() {
    let seed = from_env("TIDEGATE_SEED").unwrap_or_else(rand::random);
    let rounds =
        from_env("TIDEGATE_CHAOS_ROUNDS").map_or(ROUNDS, |rounds| usize::try_from(rounds).expect("few"));
    println!("TIDEGATE_SEED={seed} TIDEGATE_CHAOS_ROUNDS={rounds}");
    let mut random = StdRng::seed_from_u64(seed);
    let ports = Ports::free();
    let stack = Stack::start_on(ports, &["--without", "capture"]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut client = stack.sql().await;
    client.query("CREATE TABLE test.chaos (id BIGINT PRIMARY KEY)").await.expect("created");
    let etcd = EtcdClient::new(&[format!("127.0.0.1:{}", ports.pd)], Security::none()).expect("a client");
    let (mut first, mut second) = (Node::start(ports, folder.path()), Node::start(ports, folder.path()));
    first.wait_healed(&second).await;
    let expected = (0..FEEDS)
        .map(|number| (format!("f{number}"), Expected { there: Some(false), ..Expected::default() }));
    let mut chaos = Chaos { stack, etcd: etcd.clone(), expected: expected.collect() };
    let lasting = operate(&first, LASTING, Operation::Create, &Expected::default()).await;
    assert_eq!(lasting.there, Some(true), "{lasting:?}");
    chaos.expected.insert(LASTING.to_owned(), lasting);
    let revision = etcd.get_prefix(KEYS).await.expect("metadata").revision;
    let (stop, stopped) = watch::channel(false);
    let checkpoints = tokio::spawn(follow_checkpoints(etcd.clone(), revision + 1, stopped.clone()));
    let rows = tokio::spawn(write_rows(Ports::addr(ports.sql), stopped));
    for round in 0..rounds {
        let fault = Fault::any(&mut random);
        let after = Duration::from_millis(random.random_range(FAULT_MS));
        let choices = StdRng::seed_from_u64(random.random());
        let began = Instant::now();
        // Calls go to the addresses, whatever becomes of the processes.
        let (one, two) = (first.caller(), second.caller());
        let callers = [&one, &two];
        tokio::join!(Chaos::operations(&mut chaos.expected, &callers, choices), async {
            tokio::time::sleep(after).await;
            break_and_heal(&etcd, ports, [&mut first, &mut second], fault).await;
        });
        first.wait_healed(&second).await;
        tokio::time::sleep(AFTERMATH).await;
        chaos.settle().await;
        println!("round {round}: {fault:?} after {after:?}, healed after {:?}", began.elapsed());
        assert!(!checkpoints.is_finished() && !rows.is_finished(), "round {round}");
    }
    stop.send_replace(true);
    let written = within("the last row", CATCH_UP, rows).await.expect("rows are written");
    let seen = within("the last checkpoint", CATCH_UP, checkpoints).await.expect("checkpoints rise");
    assert!(seen > rounds, "only {seen} checkpoints were stored");
    check_rows(&mut chaos, &first, written).await;
    check_writers(&chaos);
    println!("{written} rows, {seen} checkpoints");
}

/// Everything that was committed after the begin of a changefeed is in its topic.
async fn check_rows(chaos: &mut Chaos, node: &Node, written: i64) {
    let there = |(_, expected): &(&String, &Expected)| expected.there == Some(true);
    let mut arrived = BTreeMap::new();
    for (id, expected) in chaos.expected.iter().filter(there) {
        if expected.paused == Some(true) {
            let resumed =
                node.call(Method::POST, &format!("/api/v2/changefeeds/{id}/resume"), Some(json!({}))).await;
            assert_eq!(resumed.map(|answer| answer.status), Some(200), "{id} goes on");
        }
        node.api.wait_caught_up(id).await;
        let messages = topic::read_all(chaos.stack.ports, &topic_of(id, expected.generation)).await;
        let rows: BTreeMap<i64, u64> =
            changes(&messages).iter().map(|change| (change.number("id"), change.commit_ts)).collect();
        arrived.insert(id, rows);
    }
    let all = arrived.get(&LASTING.to_owned()).expect("the lasting changefeed").clone();
    assert_eq!(all.keys().copied().collect::<Vec<_>>(), (0..written).collect::<Vec<_>>(), "rows are lost");
    for (id, rows) in arrived {
        let start_ts = chaos.expected[id].start_ts;
        let due: BTreeMap<i64, u64> =
            all.iter().map(|(id, ts)| (*id, *ts)).filter(|(_, commit_ts)| *commit_ts > start_ts).collect();
        assert_eq!(rows, due, "{id} from {start_ts}");
    }
}

/// No producer wrote after a later one had begun.
fn check_writers(chaos: &Chaos) {
    let broker = chaos.stack.data().join("kafka");
    let mut writers = BTreeSet::new();
    for partition in of_topic(&broker, &topic_of(LASTING, 1)) {
        writers.extend(partition.iter().map(|batch| batch.producer));
        assert_eq!(overlaps(&partition), [], "a former owner wrote after its successor had begun");
    }
    assert!(!writers.is_empty(), "nobody wrote");
}

#[test]
fn faults_are_shorter_and_longer_than_the_lease() {
    assert!(Duration::from_millis(STOP_MS.start) < LEASE && LEASE < Duration::from_millis(STOP_MS.end));
}
