//! One transaction that is larger than memory, from a store over gRPC through the matcher and the sorter: checks that
//! every row comes out once, in order and with its value, then prints the largest memory that the process ever had.
//!
//! The store makes the rows up while it sends them: first the prewrites of all regions, side by side, then the commits.
//! It runs in the same process, so its memory counts, too.
//!
//! `cargo run --release -p tikv-cdc --example large_txn_bench [GiB] [value bytes] [regions] [quota MiB]`

mod bench_store;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use bench_store::{
    Failure, Outgoing, Registered, Script, StoreCluster, record_key, record_range, serve_store,
};
use bytes::Bytes;
use event_sorter::{FetchLimit, MemoryQuota, SortedRow, Sorter, SorterConfig, Stage};
use tikv_cdc::{
    CdcClient, CdcConfig, CdcMetrics, PrewriteSpool, SpanEvent, SpanReceiver, SpanRequest, span_channel,
};
use tikv_proto::cdcpb::event::row::OpType;
use tikv_proto::cdcpb::event::{LogType, Row};
use tikv_proto::cdcpb::{ChangeDataEvent, ResolvedTs};
use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Physical table id.
const TABLE: i64 = 100;
/// Start ts of the subscription.
const SUBSCRIBED: u64 = 1_000;
/// Start ts of the transaction.
const START_TS: u64 = 1_001;
/// Its commit ts.
const COMMIT_TS: u64 = 2_000;
/// Bytes of rows in one event of a store.
const EVENT_BYTES: usize = 32 << 10;
/// Bytes of rows in one frame.
const FRAME_BYTES: usize = 1 << 20;
/// Bytes of rows between the client and the sorter, as a changefeed has.
const CHANNEL_BYTES: usize = 16 << 20;
/// Part of the quota that the sorter may hold, as in a changefeed: one in this many.
const SORTER_SHARE: usize = 3;
/// How often memory is looked at.
const SAMPLE: std::time::Duration = std::time::Duration::from_millis(20);
/// Memory may exceed the quota by this part of it: code, stacks, buffers of connections, the allocator's own.
const ALLOWANCE: f64 = 0.25;

/// What is measured.
#[derive(Clone, Copy)]
struct Load {
    /// Rows of the transaction.
    rows: u64,
    /// Bytes of a value.
    value: usize,
    /// Regions.
    regions: u64,
    /// Memory quota in bytes.
    quota: usize,
}

impl Load {
    /// Handles of a region.
    fn handles(&self, region: u64) -> std::ops::Range<u64> {
        let at = |region: u64| (u128::from(self.rows) * u128::from(region) / u128::from(self.regions)) as u64;
        at(region)..at(region + 1)
    }
}

/// The value of a row: groups of digits, like sysbench's text columns, every one of them twice. It compresses to about
/// half, as rows of applications do; so a transaction of 20 GiB needs some 20 GiB of disk.
fn value(handle: u64, length: usize, to: &mut Vec<u8>) {
    let end = to.len() + length;
    let mut state = handle.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    while to.len() < end {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let mut digits = [b'-'; 12];
        for (at, digit) in digits.iter_mut().enumerate().skip(1) {
            *digit = b'0' + ((state >> (5 * at)) & 31) as u8 % 10;
        }
        for _ in 0..2 {
            let missing = (end - to.len()).min(digits.len());
            to.extend_from_slice(digits.get(..missing).unwrap_or_default());
        }
    }
}

/// The transaction as a store tells it.
struct LargeTransaction(Load);

impl LargeTransaction {
    /// Sends rows of one kind for all regions, side by side.
    async fn send_all(
        &self,
        stream: &Outgoing,
        registered: &[Registered],
        kind: LogType,
        backwards: bool,
    ) -> Result<(), Failure> {
        let load = self.0;
        let mut next: Vec<_> = (0..load.regions).map(|region| load.handles(region)).collect();
        let mut frame = Vec::new();
        let mut bytes = 0;
        while next.iter().any(|handles| !handles.is_empty()) {
            for (region, handles) in registered.iter().zip(&mut next) {
                let mut rows = Vec::new();
                let mut size = 0;
                while size < EVENT_BYTES {
                    let handle = if backwards { handles.next_back() } else { handles.next() };
                    let Some(handle) = handle else { break };
                    let mut new_value = Vec::new();
                    if kind == LogType::Prewrite {
                        new_value.reserve_exact(load.value);
                        value(handle, load.value, &mut new_value);
                    }
                    let row = Row {
                        start_ts: START_TS,
                        commit_ts: if kind == LogType::Commit { COMMIT_TS } else { 0 },
                        r#type: kind as i32,
                        op_type: OpType::Put as i32,
                        key: Bytes::from(record_key(TABLE, handle)),
                        value: Bytes::from(new_value),
                        ..Row::default()
                    };
                    size += row.key.len() + row.value.len();
                    rows.push(row);
                }
                bytes += size;
                if !rows.is_empty() {
                    frame.push(region.entries(rows));
                }
                if bytes >= FRAME_BYTES {
                    bytes = 0;
                    let events = std::mem::take(&mut frame);
                    stream.send(ChangeDataEvent { events, resolved_ts: None }).await?;
                }
            }
        }
        stream.send(ChangeDataEvent { events: frame, resolved_ts: None }).await
    }
}

impl Script for LargeTransaction {
    async fn play(&self, stream: Outgoing, registered: Vec<Registered>) -> Result<(), Failure> {
        let start = Instant::now();
        self.send_all(&stream, &registered, LogType::Prewrite, false).await?;
        println!("prewrites sent after {:.1} s", start.elapsed().as_secs_f64());
        self.send_all(&stream, &registered, LogType::Commit, true).await?;
        println!("commits sent after {:.1} s", start.elapsed().as_secs_f64());
        let request_id = registered.first().map_or(0, |registered| registered.request_id);
        let regions = registered.iter().map(|registered| registered.region_id).collect();
        let resolved_ts = Some(ResolvedTs { regions, ts: COMMIT_TS + 10, request_id });
        stream.send(ChangeDataEvent { events: Vec::new(), resolved_ts }).await?;
        std::future::pending().await
    }
}

/// A size of this process in bytes, by its name in the process status.
fn memory(name: &str) -> Result<usize, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line
        .and_then(|line| line.split_whitespace().next())
        .ok_or("a line of /proc/self/status is missing")?;
    Ok(kib.parse::<usize>()? << 10)
}

/// The largest resident set of this process so far, in bytes.
fn peak_memory() -> Result<usize, Failure> {
    memory("VmHWM:")
}

/// Looks at memory from time to time; keeps the resident set and what is charged to the quota when they were largest.
async fn watch(quota: Arc<MemoryQuota>, largest: Arc<parking_lot::Mutex<(usize, usize, String)>>) {
    let mut tick = tokio::time::interval(SAMPLE);
    loop {
        tick.tick().await;
        let Ok(resident) = memory("VmRSS:") else { return };
        let mut largest = largest.lock();
        largest.1 = largest.1.max(quota.used());
        if resident > largest.0 {
            let stages = Stage::ALL.map(|stage| format!("{} {}", stage.name(), quota.used_by(stage) >> 20));
            (largest.0, largest.2) = (resident, stages.join(", "));
        }
    }
}

/// Passes rows on to the sorter until the transaction is resolved.
async fn receive(receiver: &mut SpanReceiver, sorter: &Sorter) -> Result<u64, Failure> {
    let mut count = 0;
    loop {
        match receiver.recv().await.ok_or("the client is gone")?.1 {
            SpanEvent::Rows(rows) => {
                count += rows.len() as u64;
                sorter.push(TABLE, rows.into_iter().map(SortedRow::from).collect())?;
                sorter.until_writable().await?;
            }
            SpanEvent::ResolvedTs(ts) => {
                sorter.resolve(TABLE, ts)?;
                if ts > COMMIT_TS {
                    return Ok(count);
                }
            }
            SpanEvent::Failed(error) => return Err(error.into()),
        }
    }
}

/// Takes everything out of the sorter and checks it.
fn check(sorter: &Sorter, load: &Load) -> Result<(), Failure> {
    let limit = FetchLimit { rows: 2048, bytes: 1 << 20 };
    let (mut handle, mut expected) = (0, Vec::new());
    loop {
        let batch = sorter.fetch(TABLE, u64::MAX, limit)?;
        for row in &batch.rows {
            expected.clear();
            value(handle, load.value, &mut expected);
            let right = row.key == record_key(TABLE, handle)
                && row.value == expected
                && row.old_value.is_empty()
                && (row.start_ts, row.commit_ts) == (START_TS, COMMIT_TS);
            if !right {
                return Err(format!("row {handle} is not what was written: {row:?}").into());
            }
            handle += 1;
        }
        if batch.exhausted {
            break;
        }
    }
    if handle != load.rows {
        return Err(format!("{handle} rows of {} came out", load.rows).into());
    }
    Ok(())
}

/// Runs the transaction.
async fn run(load: Load) -> Result<(), Failure> {
    let dir = std::env::temp_dir().join(format!("large-txn-bench-{}", std::process::id()));
    let outcome = measure(load, &dir).await;
    std::fs::remove_dir_all(&dir)?;
    outcome
}

/// Runs the transaction with files in a directory.
async fn measure(load: Load, dir: &std::path::Path) -> Result<(), Failure> {
    let size = load.rows * (load.value as u64 + 19);
    println!(
        "{} rows of {} bytes, {:.2} GiB, in {} regions; quota {} MiB",
        load.rows,
        load.value,
        size as f64 / f64::from(1 << 30),
        load.regions,
        load.quota >> 20
    );
    let quota = MemoryQuota::new(load.quota);
    let spool = Arc::new(PrewriteSpool::open(&dir.join("prewrites"), &quota)?);
    let sorter_config = SorterConfig { memory_limit: load.quota / SORTER_SHARE, ..SorterConfig::default() };
    let sorter = Sorter::open(&dir.join("sorter"), sorter_config, Arc::clone(&quota))?;
    sorter.add_table(TABLE, SUBSCRIBED);
    let (first, last) = record_range(TABLE);
    let mut edges = vec![first];
    edges.extend((1..load.regions).map(|region| record_key(TABLE, load.handles(region).start)));
    edges.push(last);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let cluster = StoreCluster::new(listener.local_addr()?.to_string(), &edges);
    let server = tokio::spawn(serve_store(listener, load.regions as usize, LargeTransaction(load)));
    let config = CdcConfig {
        scans_per_stream: load.regions as usize,
        spool: Some(Arc::clone(&spool)),
        ..CdcConfig::default()
    };
    let client = CdcClient::new(cluster, config, Arc::clone(&quota), CdcMetrics::default());
    let (sender, mut receiver) = span_channel(CHANNEL_BYTES);
    let (start, end) = record_range(TABLE);
    let request = SpanRequest { id: 1, start, end, start_ts: SUBSCRIBED, filter_loop: false };
    let begun = Instant::now();
    let largest = Arc::new(parking_lot::Mutex::default());
    let watching = tokio::spawn(watch(Arc::clone(&quota), Arc::clone(&largest)));
    let handle = client.subscribe(request, &sender)?;
    let count = receive(&mut receiver, &sorter).await?;
    let received = begun.elapsed();
    let (spooled, sorted) = (spool.stats(), sorter.stats());
    println!(
        "{count} rows joined and resolved after {:.1} s; {} MiB of prewrites written in {} runs, {} MiB of rows in {}",
        received.as_secs_f64(),
        spooled.bytes_written >> 20,
        spooled.runs_written,
        sorted.bytes_written >> 20,
        sorted.runs_written
    );
    let peak_before = peak_memory()?;
    tokio::task::spawn_blocking(move || check(&sorter, &load)).await??;
    drop(handle);
    client.shutdown().await;
    server.abort();
    watching.abort();
    let (took, peak) = (begun.elapsed(), peak_memory()?);
    println!("every row came out once, in order, with its value");
    println!(
        "{:.1} s, {:.0} rows/s, {:.0} MiB/s; peak memory {} MiB before the rows were read, {} MiB in all",
        took.as_secs_f64(),
        load.rows as f64 / took.as_secs_f64(),
        size as f64 / f64::from(1 << 20) / took.as_secs_f64(),
        peak_before >> 20,
        peak >> 20
    );
    let (_, charged, stages) = largest.lock().clone();
    println!("charged to the quota: {} MiB at most; at the peak: {stages} (MiB)", charged >> 20);
    let allowed = (load.quota as f64 * (1.0 + ALLOWANCE)) as usize;
    if peak > allowed {
        return Err(format!("more memory than the quota and a quarter: {} MiB", allowed >> 20).into());
    }
    Ok(())
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<f64>());
    let mut argument = |default| arguments.next().unwrap_or(Ok(default));
    let outcome = (|| {
        let (gib, value) = (argument(20.0)?, argument(400.0)? as usize);
        let rows = (gib * f64::from(1 << 30)) as u64 / (value as u64 + 19);
        // Regions of a quarter GiB, as stores make them.
        let regions = (argument((gib * 4.0).ceil())? as u64).clamp(1, rows.max(1));
        let load = Load { rows, value, regions, quota: (argument(512.0)? as usize) << 20 };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(run(load))
    })();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("large_txn_bench: {error}");
            ExitCode::FAILURE
        }
    }
}
