//! Measures the source: what resolved ts of many regions cost, from the wire to the resolved ts of the span, and how much
//! memory a table takes that nothing happens on. Checks what arrives before it prints anything. The store runs in a
//! process of its own.
//!
//! `cargo run --release -p tikv-cdc --example source_bench [regions] [seconds] [tables]`

mod bench_store;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bench_store::{
    Failure, Outgoing, Registered, Script, StoreCluster, record_key, record_range, serve_store,
};
use event_sorter::{MemoryQuota, Sorter, SorterConfig};
use tikv_cdc::{CdcClient, CdcConfig, CdcMetrics, SpanEvent, SpanReceiver, SpanRequest, span_channel};
use tikv_proto::cdcpb::{ChangeDataEvent, ResolvedTs};
use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Regions in one message of a store.
const BATCH: usize = 1024;
/// Start ts of the subscriptions.
const SUBSCRIBED: u64 = 1_000;
/// Time between two resolved ts of a region.
const CADENCE: Duration = Duration::from_secs(1);
/// The quota of the client.
const QUOTA: usize = 512 << 20;
/// The word that makes this program a store.
const STORE: &str = "store";

/// The resolved ts that a second brings; the regions of a message may be a little ahead of those of another one.
fn round_ts(round: u64) -> u64 {
    SUBSCRIBED + 100 * round
}

/// Tells resolved ts every second, for regions under one request id in batches, else one by one.
struct Heartbeats {
    /// How often.
    rounds: u64,
}

impl Script for Heartbeats {
    async fn play(&self, stream: Outgoing, mut registered: Vec<Registered>) -> Result<(), Failure> {
        // The regions of a message are spread over the span.
        registered.sort_by_key(|region| region.region_id.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut tick = tokio::time::interval(CADENCE);
        for round in 1..=self.rounds {
            tick.tick().await;
            for (number, batch) in registered.chunks(BATCH).enumerate() {
                // The last message of a second is the slowest, so the span moves once.
                let follow = registered.len().div_ceil(BATCH) - 1 - number;
                let ts = round_ts(round) + (follow % 5) as u64;
                for same in batch.chunk_by(|left, right| left.request_id == right.request_id) {
                    let regions = same.iter().map(|registered| registered.region_id).collect();
                    let request_id = same.first().map_or(0, |registered| registered.request_id);
                    let resolved_ts = Some(ResolvedTs { regions, ts, request_id });
                    stream.send(ChangeDataEvent { events: Vec::new(), resolved_ts }).await?;
                }
            }
        }
        std::future::pending().await
    }
}

/// Is a store until standard input ends.
async fn be_store(regions: usize, rounds: u64) -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    let over = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    tokio::select! {
        outcome = serve_store(listener, regions, Heartbeats { rounds }) => outcome,
        _ended = over => Ok(()),
    }
}

/// A store in another process, which ends with this value.
struct StoreProcess {
    /// The process.
    child: Child,
    /// Its end ends the process.
    input: Option<ChildStdin>,
    /// Where it listens.
    address: String,
}

impl StoreProcess {
    /// Starts a store.
    fn start(regions: usize, rounds: u64) -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([STORE, &regions.to_string(), &rounds.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take();
        let mut address = String::new();
        BufReader::new(child.stdout.take().ok_or("the store has no output")?).read_line(&mut address)?;
        Ok(Self { child, input, address: address.trim().to_owned() })
    }
}

impl Drop for StoreProcess {
    fn drop(&mut self) {
        drop(self.input.take());
        if let Err(error) = self.child.wait() {
            eprintln!("waiting for the store: {error}");
        }
    }
}

/// CPU time of all threads of this process that are alive.
fn cpu_time() -> Result<Duration, Failure> {
    let mut nanoseconds = 0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let Ok(line) = std::fs::read_to_string(task?.path().join("schedstat")) else { continue };
        nanoseconds += line.split_whitespace().next().ok_or("no time in schedstat")?.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// Resident memory of this process in bytes.
fn memory() -> Result<usize, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).ok_or("no VmRSS in /proc/self/status")?;
    Ok(kib.parse::<usize>()? << 10)
}

/// A client of a cluster. With one stream to the store, which plays its script once all regions are registered on it.
fn client(cluster: Arc<StoreCluster>, scans: usize) -> CdcClient {
    let config =
        CdcConfig { scans_per_stream: scans, regions_per_stream: usize::MAX, ..CdcConfig::default() };
    CdcClient::new(cluster, config, MemoryQuota::new(QUOTA), CdcMetrics::default())
}

/// The next resolved ts, with its span.
async fn resolved(receiver: &mut SpanReceiver) -> Result<(u64, u64), Failure> {
    match receiver.recv().await.ok_or("the client is gone")? {
        (span, SpanEvent::ResolvedTs(ts)) => Ok((span, ts)),
        (_, other) => Err(format!("a resolved ts was expected, not {other:?}").into()),
    }
}

/// One table of many regions.
async fn many_regions(regions: usize, rounds: u64) -> Result<(), Failure> {
    let store = StoreProcess::start(regions, rounds + 1)?;
    let (first, last) = record_range(1);
    let mut edges = vec![first.clone()];
    edges.extend((1..regions as u64).map(|region| record_key(1, region)));
    edges.push(last.clone());
    let client = client(StoreCluster::new(store.address.clone(), &edges), regions);
    let (sender, mut receiver) = span_channel(1 << 20);
    let request = SpanRequest { id: 1, start: first, end: last, start_ts: SUBSCRIBED, filter_loop: false };
    let handle = client.subscribe(request, &sender)?;
    let mut begin = None;
    // A second at which the receiver was slow may be left out, never the last one.
    let mut at = SUBSCRIBED;
    while at < round_ts(rounds + 1) {
        let (_, ts) = resolved(&mut receiver).await?;
        if ts <= at || ts % 100 != SUBSCRIBED % 100 {
            return Err(format!("resolved ts {ts} after {at} is not the smallest of the regions").into());
        }
        at = ts;
        if begin.is_none() {
            if at != round_ts(1) {
                return Err(format!("the first resolved ts is {at}").into());
            }
            begin = Some((cpu_time()?, std::time::Instant::now()));
        }
    }
    let (cpu, time) = begin.ok_or("the first second was missed")?;
    let (cpu, time) = (cpu_time()?.saturating_sub(cpu), time.elapsed());
    println!(
        "{regions} regions, 1 resolved ts each per second: {:.2} % of a core ({:.1} ms per round, over {:.1} s)",
        cpu.as_secs_f64() / time.as_secs_f64() * 100.0,
        cpu.as_secs_f64() * 1000.0 / rounds as f64,
        time.as_secs_f64()
    );
    drop(handle);
    client.shutdown().await;
    Ok(())
}

/// Many tables of one region each, on which nothing happens.
async fn idle_tables(tables: usize) -> Result<(), Failure> {
    let store = StoreProcess::start(tables, 1)?;
    let mut edges: Vec<_> = (1..=tables as i64).map(|table| record_range(table).0).collect();
    edges.push(record_range(tables as i64).1);
    let client = client(StoreCluster::new(store.address.clone(), &edges), tables);
    drop(edges);
    let dir = std::env::temp_dir().join(format!("source-bench-{}", std::process::id()));
    let sorter = Sorter::open(&dir, SorterConfig::default(), MemoryQuota::new(QUOTA))?;
    let (sender, mut receiver) = span_channel(16 << 20);
    let before = memory()?;
    let mut handles = Vec::with_capacity(tables);
    for table in 1..=tables as i64 {
        let (start, end) = record_range(table);
        sorter.add_table(table, SUBSCRIBED);
        let id = table as u64;
        let request = SpanRequest { id, start, end, start_ts: SUBSCRIBED, filter_loop: false };
        handles.push(client.subscribe(request, &sender)?);
    }
    let mut missing = vec![true; tables];
    for _ in 0..tables {
        let (span, ts) = resolved(&mut receiver).await?;
        let first = missing.get_mut((span - 1) as usize).is_some_and(std::mem::take);
        if !first || !(round_ts(1)..round_ts(1) + 5).contains(&ts) {
            return Err(format!("table {span} is resolved to {ts}, for the first time: {first}").into());
        }
    }
    let per_table = memory()?.saturating_sub(before) / tables;
    println!("{tables} idle tables: {per_table} bytes per table (subscription, region and sorter)");
    drop(handles);
    client.shutdown().await;
    drop(sorter);
    std::fs::remove_dir_all(dir)?;
    Ok(())
}

/// Runs this program.
fn run() -> Result<(), Failure> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let store = arguments.first().is_some_and(|word| word == STORE);
    if store {
        arguments.remove(0);
    }
    let mut arguments = arguments.iter().map(|argument| argument.parse::<usize>());
    let mut argument = |default| arguments.next().unwrap_or(Ok(default));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (regions, seconds) = (argument(100_000)?, argument(10)? as u64);
    if store {
        return runtime.block_on(be_store(regions, seconds));
    }
    let tables = argument(100_000)?;
    // First: memory that an earlier part has given back would count for nothing.
    runtime.block_on(idle_tables(tables))?;
    runtime.block_on(many_regions(regions, seconds.max(1)))
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("source_bench: {error}");
            ExitCode::FAILURE
        }
    }
}
