//! Random lives of a small cluster: whatever happens to its regions and streams, no change is lost or comes late.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tikv_cdc::{CdcConfig, RowChange, SpanEvent, SpoolConfig};

use crate::fake::world::{Commit, World};
use crate::fake::{FakeStore, Harness};

/// Schedules that run without being asked for another number (`TIDEGATE_SIMULATIONS`).
const SCHEDULES: u64 = 2000;
/// Schedules at the same time. They mostly wait, for each other's backoff.
const CONCURRENCY: usize = 100;
/// How long a schedule may take to come to rest.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a span has delivered.
#[derive(Default)]
struct Received {
    /// Rows by identity, repeated ones once.
    rows: BTreeMap<(u64, u64, Vec<u8>), RowChange>,
    /// The last resolved ts.
    resolved: u64,
}

impl Received {
    /// Takes an event and checks what must always hold.
    fn take(&mut self, seed: u64, event: SpanEvent) {
        match event {
            SpanEvent::Rows(rows) => {
                for row in rows {
                    assert!(row.commit_ts > self.resolved, "seed {seed}: a row came late: {row:?}");
                    let identity = (row.commit_ts, row.start_ts, row.key.to_vec());
                    let known = self.rows.entry(identity).or_insert_with(|| row.clone());
                    assert_eq!(*known, row, "seed {seed}: a repeated row differs");
                }
            }
            SpanEvent::ResolvedTs(ts) => {
                assert!(ts > self.resolved, "seed {seed}: resolved ts fell from {} to {ts}", self.resolved);
                self.resolved = ts;
            }
            SpanEvent::Failed(error) => panic!("seed {seed}: {error}"),
        }
    }

    /// The rows as the world writes them.
    fn commits(&self) -> Vec<Commit> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        self.rows
            .values()
            .map(|row| Commit {
                commit_ts: row.commit_ts,
                start_ts: row.start_ts,
                key: text(&row.key),
                value: text(&row.value),
                old: text(&row.old_value),
            })
            .collect()
    }
}

/// Runs one schedule; returns the number of rows that were moved to disk.
async fn run(seed: u64) -> u64 {
    let mut stores = Vec::new();
    for id in 1..4 {
        stores.push(FakeStore::start(id).await);
    }
    let config = CdcConfig {
        scans_per_stream: 4,
        streams_per_store: 1 + (seed % 2) as usize,
        max_streams_per_store: 3,
        // In every fifth schedule stores get further streams as they get regions.
        regions_per_stream: if seed.is_multiple_of(5) { 2 } else { 1000 },
        spool: None,
    };
    // Two of three schedules have next to no memory for prewrites: transactions go through files all the time.
    let mut test = match seed % 3 {
        0 => Harness::with(config, 64 << 20),
        thrift => {
            let limits = SpoolConfig {
                waiting_limit: 1 << (10 * (thrift - 1)),
                buffer_limit: 1 << 10,
                own_log: (seed % 40) as usize,
            };
            Harness::spilling(config, 64 << 20, limits)
        }
    };
    let world = World::start(seed, &test.cluster, stores);
    let mut random = SmallRng::seed_from_u64(seed ^ 0xABCD);
    for _ in 0..random.random_range(0..60) {
        world.lock().step();
    }
    let spans = [("k010", "k050"), ("k040", "k090")];
    let start_ts = world.lock().next_ts();
    let _handles: Vec<_> =
        (0_u64..).zip(spans).map(|(id, (start, end))| test.subscribe(id, start, end, start_ts)).collect();
    let received = Mutex::new([Received::default(), Received::default()]);
    let receive = async {
        while let Some((span, event)) = test.receiver.recv().await {
            received.lock()[span as usize].take(seed, event);
        }
    };
    let live = async {
        for _ in 0..random.random_range(50..400) {
            world.lock().step();
            if random.random_bool(0.3) {
                tokio::time::sleep(Duration::from_millis(random.random_range(0..8))).await;
            }
        }
        let end_ts = world.lock().settle();
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while received.lock().iter().any(|received| received.resolved < end_ts) {
            world.lock().settle();
            let late = tokio::time::Instant::now() > deadline;
            assert!(!late, "seed {seed} does not come to rest: {:#?}", test.client.inspect_all());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        end_ts
    };
    let end_ts = tokio::select! {
        () = receive => panic!("the channel has ended"),
        end_ts = live => end_ts,
    };
    for (received, (start, end)) in received.lock().iter().zip(spans) {
        let mut expected: Vec<Commit> = world
            .lock()
            .history
            .iter()
            .filter(|commit| (start..end).contains(&commit.key.as_str()))
            .filter(|commit| commit.commit_ts > start_ts && commit.commit_ts <= end_ts)
            .cloned()
            .collect();
        expected.sort();
        assert_eq!(received.commits(), expected, "seed {seed}");
    }
    test.client.shutdown().await;
    world.lock().stop();
    test.client.metrics().spilled_prewrites()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_change_is_lost_or_late_whatever_happens_to_regions_and_streams() {
    let asked = std::env::var("TIDEGATE_SIMULATIONS").ok().and_then(|count| count.parse().ok());
    let first: u64 = std::env::var("TIDEGATE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    let count = asked.unwrap_or(SCHEDULES);
    println!("seeds {first} to {}", first + count - 1);
    let mut running = tokio::task::JoinSet::new();
    let mut spilled = 0;
    for seed in first..first + count {
        while running.len() >= CONCURRENCY {
            spilled += running.join_next().await.unwrap().unwrap();
        }
        running.spawn(run(seed));
    }
    while let Some(outcome) = running.join_next().await {
        spilled += outcome.unwrap();
    }
    println!("{spilled} rows were moved to disk");
    assert!(spilled > count, "too few rows were moved to disk to show anything");
}
