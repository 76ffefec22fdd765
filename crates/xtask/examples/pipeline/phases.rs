//! `cargo xtask bench pipeline`: rows from SQL to a consumer, over the real protocols.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;

use crate::consumer::{Consumer, Received};
use crate::latency::Latency;
use crate::mysql::Connection;
use crate::report::{Report, Steady, Throughput};
use crate::stack::{CAPTURE_PORT, KAFKA_PORT, SQL_PORT, Stack};
use crate::{control, load, sysbench, table};
use xtask::Failure;

/// Topic.
const TOPIC: &str = "tidegate-bench";
/// Number of the table.
const TABLE: u64 = 1;
/// Changefeed.
const CHANGEFEED: &str = "bench";
/// Time after the start at which the idle memory is read.
const IDLE_AFTER: Duration = Duration::from_secs(3);
/// Rows that warm up the pipeline before anything is measured.
const WARM_UP_ROWS: u64 = 2_000;
/// Connections of the phase with a given rate: enough that commits need not wait for each other.
const STEADY_CONNECTIONS: u64 = 16;

/// Flags of the pipeline benchmark.
#[derive(Debug, Args)]
pub(crate) struct PipelineArgs {
    /// Rows of the throughput phase.
    #[arg(long, default_value_t = 200_000)]
    rows: u64,
    /// Rows per INSERT statement of the throughput phase.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    batch: u64,
    /// Connections of the throughput phase.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=64))]
    connections: u64,
    /// Rows per second of the latency phase; 0 leaves it out.
    #[arg(long, default_value_t = 1_000)]
    rate: u64,
    /// Seconds of the latency phase.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Also run `sysbench oltp_insert` for so many seconds.
    #[arg(long, value_name = "SECONDS")]
    sysbench: Option<u64>,
    /// Added to every port of the stack.
    #[arg(long, default_value_t = 20_000)]
    port_offset: u16,
    /// Folder of the data; a temporary one that is removed if absent.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Also write the figures to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs the benchmark.
pub(crate) fn run(args: &PipelineArgs) -> Result<(), Failure> {
    let temporary = tempfile::Builder::new().prefix("tidegate-bench-").tempdir();
    let temporary = temporary.map_err(Failure::file(&std::env::temp_dir()))?;
    let data_dir = args.data_dir.clone().unwrap_or_else(|| temporary.path().join("data"));
    let stack = Stack::start(&data_dir, args.port_offset)?;
    println!("The stack is ready after {:.2} s.", stack.start_seconds);
    let report = measure(args, &stack)?;
    stack.stop()?;
    println!("\n{report}");
    if let Some(path) = &args.json {
        let json =
            serde_json::to_string_pretty(&report).map_err(|e| Failure::check(format!("figures: {e}")))?;
        std::fs::write(path, json + "\n").map_err(Failure::file(path))?;
    }
    Ok(())
}

/// All phases.
fn measure(args: &PipelineArgs, stack: &Stack) -> Result<Report, Failure> {
    // Memory is read while nothing happens: there is no event to wait for.
    std::thread::sleep(IDLE_AFTER);
    let idle_rss_bytes = stack.usage()?.rss;
    let sql = stack.port(SQL_PORT);
    let consumer = prepare(stack)?;
    write_and_receive(&consumer, 1..1 + WARM_UP_ROWS, |ids| {
        load::fast(sql, TABLE, ids, args.batch, args.connections)
    })?;

    let first = 1 + WARM_UP_ROWS;
    println!("Throughput: {} rows over {} connections.", args.rows, args.connections);
    let throughput = throughput(args, stack, &consumer, first..first + args.rows)?;
    let first = first + args.rows;
    let steady = match args.rate {
        0 => None,
        rate => {
            println!("Latency: {rate} rows/s for {} s.", args.seconds);
            Some(steady(stack, &consumer, first..first + rate.saturating_mul(args.seconds.max(1)), rate)?)
        }
    };
    let sysbench = args.sysbench.map(|seconds| sysbench::run(sql, seconds, &consumer)).transpose()?;
    let state = control::changefeed(stack.port(CAPTURE_PORT), CHANGEFEED)?.state;
    if state != "normal" {
        return Err(Failure::check(format!("the changefeed is {state} at the end")));
    }
    let usage = stack.usage()?;
    Ok(Report {
        processors: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        start_seconds: stack.start_seconds,
        idle_rss_bytes,
        throughput,
        steady,
        sysbench,
        peak_rss_bytes: usage.peak_rss,
        cpu_seconds: usage.cpu_seconds,
    })
}

/// Makes the table and the changefeed, and connects the consumer.
fn prepare(stack: &Stack) -> Result<Consumer, Failure> {
    let mut connection = Connection::open(stack.port(SQL_PORT))?;
    connection.execute(&format!("CREATE DATABASE {}", table::DATABASE))?;
    connection.execute(&table::create(TABLE))?;
    let kafka = stack.port(KAFKA_PORT);
    let uri = format!(
        "kafka://127.0.0.1:{kafka}/{TOPIC}?protocol=canal-json&enable-tidb-extension=true&partition-num=3"
    );
    control::create_changefeed(stack.port(CAPTURE_PORT), CHANGEFEED, &uri, 0)?;
    Consumer::open(kafka, TOPIC)
}

/// Writes rows on other threads while this one receives them, then checks that output equals input. The time of the
/// first statement, what was received, and what the writer returns.
pub(crate) fn write_and_receive<T: Send>(
    consumer: &Consumer,
    ids: std::ops::Range<u64>,
    write: impl FnOnce(std::ops::Range<u64>) -> Result<T, Failure> + Send,
) -> Result<(Instant, Received, T), Failure> {
    let mut received = Received::expecting(ids.clone());
    let started = Instant::now();
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(move || write(ids));
        let outcome = consumer.receive(&mut received);
        let written = writer.join().unwrap_or_else(|_| Err(Failure::check("the writer broke off")));
        written.and_then(|written| outcome.map(|()| written))
    })?;
    received.verify()?;
    Ok((started, received, written))
}

/// Rows as fast as they go.
fn throughput(
    args: &PipelineArgs,
    stack: &Stack,
    consumer: &Consumer,
    ids: std::ops::Range<u64>,
) -> Result<Throughput, Failure> {
    let before = stack.usage()?;
    let sql = stack.port(SQL_PORT);
    let (started, received, write_seconds) = write_and_receive(consumer, ids, |ids| {
        let started = Instant::now();
        load::fast(sql, TABLE, ids, args.batch, args.connections)?;
        Ok(started.elapsed().as_secs_f64())
    })?;
    let seconds = received.last.map_or(0.0, |last| last.duration_since(started).as_secs_f64());
    let messages = (received.rows + received.duplicates).max(1) as f64;
    Ok(Throughput {
        rows: received.rows,
        duplicates: received.duplicates,
        write_seconds,
        seconds,
        rows_per_second: received.rows as f64 / seconds.max(f64::EPSILON),
        megabytes_per_second: received.bytes as f64 / 1e6 / seconds.max(f64::EPSILON),
        bytes_per_row: received.bytes as f64 / messages,
        cpu_seconds: stack.usage()?.cpu_seconds - before.cpu_seconds,
    })
}

/// Rows at a given rate.
fn steady(
    stack: &Stack,
    consumer: &Consumer,
    ids: std::ops::Range<u64>,
    rate: u64,
) -> Result<Steady, Failure> {
    let before = stack.usage()?;
    let sql = stack.port(SQL_PORT);
    let (_, received, latest) =
        write_and_receive(consumer, ids, |ids| load::steady(sql, ids, rate, STEADY_CONNECTIONS))?;
    let latency = Latency::of(&received.latencies);
    Ok(Steady {
        rate,
        rows: received.rows,
        duplicates: received.duplicates,
        latest_send_ms: u64::try_from(latest.as_millis()).unwrap_or(u64::MAX),
        latency: latency.ok_or_else(|| Failure::check("no message has a commit timestamp"))?,
        cpu_seconds: stack.usage()?.cpu_seconds - before.cpu_seconds,
    })
}
