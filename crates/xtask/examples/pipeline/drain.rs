//! `cargo xtask bench capture`: how fast, and at what cost, a capture works off a backlog, and how late it is when there
//! is none. The capture is a process of its own, so that its CPU time and memory are its own. A `cdc` program of TiCDC
//! can be measured beside it, with the same rows, the same broker and the same flags.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;

use crate::capture::{Capture, Kind};
use crate::consumer::{Consumer, Received};
use crate::latency::Latency;
use crate::mysql::Connection;
use crate::phases::write_and_receive;
use crate::stack::{CAPTURE_PORT, KAFKA_PORT, PD_PORT, SQL_PORT, Stack};
use crate::{control, load, table};
use xtask::Failure;

/// Tables and partitions, as in the measurement of TiCDC that the README compares with.
const TABLES: u64 = 4;
/// Rows per statement of the backlog.
const BATCH: u64 = 200;
/// Connections that write.
const CONNECTIONS: u64 = 4;
/// Connections of the phase with a given rate.
const STEADY_CONNECTIONS: u64 = 16;
/// Usual port of the capture that is measured, beside that of the stack's own.
const MEASURED_PORT: u16 = 8400;
/// How often the checkpoint is asked for: the API has no notification.
const CHECKPOINT_PROBE: Duration = Duration::from_millis(50);
/// Longest time without any progress of the checkpoint.
const STANDSTILL_LIMIT: Duration = Duration::from_secs(120);
/// Bytes of a mebibyte.
const MIB: f64 = 1_048_576.0;

/// Flags of the capture benchmark.
#[derive(Debug, Args)]
pub(crate) struct DrainArgs {
    /// Rows of the backlog.
    #[arg(long, default_value_t = 800_000)]
    rows: u64,
    /// A `cdc` program of TiCDC to measure beside ours.
    #[arg(long, env = "TIDEGATE_TICDC", value_name = "PROGRAM")]
    ticdc: Option<PathBuf>,
    /// Rounds; the captures take turns.
    #[arg(long, default_value_t = 1)]
    rounds: u32,
    /// Rows per second of the latency phase; 0 leaves it out.
    #[arg(long, default_value_t = 1_000)]
    rate: u64,
    /// Seconds of the latency phase.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Added to every port of the stack.
    #[arg(long, default_value_t = 21_000)]
    port_offset: u16,
}

/// What a capture did.
struct Figures {
    /// Who.
    name: &'static str,
    /// Rows of the backlog.
    rows: u64,
    /// Bytes of messages of the backlog.
    bytes: u64,
    /// Rows that came more than once.
    duplicates: u64,
    /// From the creation of the changefeed until its checkpoint had passed the backlog, seconds.
    seconds: f64,
    /// CPU time of the process in that time, seconds.
    cpu_seconds: f64,
    /// Most memory up to then, bytes.
    peak_rss: u64,
}

impl Figures {
    /// Rows per second of CPU time.
    fn rows_per_cpu_second(&self) -> f64 {
        self.rows as f64 / self.cpu_seconds.max(f64::EPSILON)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.seconds.max(f64::EPSILON);
        writeln!(f, "{}", self.name)?;
        writeln!(
            f,
            "  backlog             {} rows received, equal; {} duplicates",
            self.rows, self.duplicates
        )?;
        writeln!(
            f,
            "  drained             {:.1} s, {:.0} rows/s, {:.1} MB/s",
            self.seconds,
            self.rows as f64 / seconds,
            self.bytes as f64 / 1e6 / seconds
        )?;
        writeln!(
            f,
            "  CPU time            {:.1} s, {:.0} rows per CPU second",
            self.cpu_seconds,
            self.rows_per_cpu_second()
        )?;
        write!(f, "  peak memory (RSS)   {:.0} MiB", self.peak_rss as f64 / MIB)
    }
}

/// Runs the benchmark.
pub(crate) fn run(args: &DrainArgs) -> Result<(), Failure> {
    let folder = tempfile::Builder::new().prefix("tidegate-bench-").tempdir();
    let folder = folder.map_err(Failure::file(&std::env::temp_dir()))?;
    let stack = Stack::start(&folder.path().join("stack"), args.port_offset)?;
    let backlog = Backlog::write(&stack, args.rows)?;
    let kinds: Vec<Kind> =
        std::iter::once(Kind::Tidegate).chain(args.ticdc.clone().map(Kind::TiCdc)).collect();
    for round in 1..=args.rounds.max(1) {
        let mut figures = Vec::new();
        for kind in &kinds {
            let drained = drain(&stack, &backlog, kind, round, folder.path())?;
            println!("{drained}");
            figures.push(drained);
        }
        if let [ours, theirs] = figures.as_slice() {
            println!(
                "ratio                 {:.2} x rows per CPU second, {:.2} x rows per second, {:.2} x memory",
                ours.rows_per_cpu_second() / theirs.rows_per_cpu_second(),
                theirs.seconds / ours.seconds.max(f64::EPSILON),
                ours.peak_rss as f64 / theirs.peak_rss.max(1) as f64
            );
        }
    }
    // Only now: whatever is written from here on would be a part of the backlog.
    if args.rate > 0 {
        let mut first = backlog.rows + 1;
        for kind in &kinds {
            let ids = first..first + args.rate.saturating_mul(args.seconds.max(1));
            first = ids.end;
            let (latency, cpu) = steady(&stack, kind, ids, args.rate, folder.path())?;
            println!(
                "{}\n  commit to consumer  p50 {} ms, p99 {} ms, max {} ms at {} rows per second; {cpu:.1} s of CPU time",
                kind.name(),
                latency.p50_ms,
                latency.p99_ms,
                latency.max_ms,
                args.rate
            );
        }
    }
    stack.stop()
}

/// Rows that were committed before any capture looks at them.
struct Backlog {
    /// How many; their ids begin at 1.
    rows: u64,
    /// Committed after this ts.
    start_ts: u64,
    /// Committed by this ts.
    end_ts: u64,
}

impl Backlog {
    /// Makes the tables and writes the rows.
    fn write(stack: &Stack, rows: u64) -> Result<Self, Failure> {
        let (sql, api) = (stack.port(SQL_PORT), stack.port(CAPTURE_PORT));
        let mut connection = Connection::open(sql)?;
        connection.execute(&format!("CREATE DATABASE {}", table::DATABASE))?;
        for number in 1..=TABLES {
            connection.execute(&table::create(number))?;
        }
        let start_ts = control::tso(api)?;
        let started = Instant::now();
        let bound = |number: u64| 1 + rows * number / TABLES;
        for number in 1..=TABLES {
            load::fast(sql, number, bound(number - 1)..bound(number), BATCH, CONNECTIONS)?;
        }
        let end_ts = control::tso(api)?;
        println!("{rows} rows in {TABLES} tables written in {:.1} s.", started.elapsed().as_secs_f64());
        Ok(Self { rows, start_ts, end_ts })
    }
}

/// The sink of a changefeed of the benchmark.
fn sink_uri(stack: &Stack, topic: &str) -> String {
    let kafka = stack.port(KAFKA_PORT);
    format!(
        "kafka://127.0.0.1:{kafka}/{topic}?protocol=canal-json&enable-tidb-extension=true&partition-num={TABLES}"
    )
}

/// One capture works off the backlog.
fn drain(
    stack: &Stack,
    backlog: &Backlog,
    kind: &Kind,
    round: u32,
    folder: &Path,
) -> Result<Figures, Failure> {
    let capture = Capture::start(kind, stack.port(PD_PORT), stack.port(MEASURED_PORT), folder)?;
    let id = format!("{}-{round}", kind.name());
    let before = capture.usage()?;
    let created = Instant::now();
    control::create_changefeed(capture.port, &id, &sink_uri(stack, &id), backlog.start_ts)?;
    wait_for_checkpoint(&capture, &id, backlog.end_ts)?;
    let seconds = created.elapsed().as_secs_f64();
    let after = capture.usage()?;
    let mut received = Received::expecting(1..1 + backlog.rows);
    Consumer::open(stack.port(KAFKA_PORT), &id)?.receive(&mut received)?;
    received.verify()?;
    control::remove_changefeed(capture.port, &id)?;
    Ok(Figures {
        name: kind.name(),
        rows: received.rows,
        bytes: received.bytes,
        duplicates: received.duplicates,
        seconds,
        cpu_seconds: after.cpu_seconds - before.cpu_seconds,
        peak_rss: after.peak_rss,
    })
}

/// One capture keeps up with rows at a given rate: how late they are, and the CPU time in seconds that it takes.
fn steady(
    stack: &Stack,
    kind: &Kind,
    ids: std::ops::Range<u64>,
    rate: u64,
    folder: &Path,
) -> Result<(Latency, f64), Failure> {
    let capture = Capture::start(kind, stack.port(PD_PORT), stack.port(MEASURED_PORT), folder)?;
    let id = format!("{}-steady", kind.name());
    let start_ts = control::tso(stack.port(CAPTURE_PORT))?;
    control::create_changefeed(capture.port, &id, &sink_uri(stack, &id), start_ts)?;
    wait_for_checkpoint(&capture, &id, start_ts + 1)?;
    let consumer = Consumer::open(stack.port(KAFKA_PORT), &id)?;
    let before = capture.usage()?.cpu_seconds;
    let sql = stack.port(SQL_PORT);
    let (_, received, _) =
        write_and_receive(&consumer, ids, |ids| load::steady(sql, ids, rate, STEADY_CONNECTIONS))?;
    let cpu_seconds = capture.usage()?.cpu_seconds - before;
    control::remove_changefeed(capture.port, &id)?;
    let latency = Latency::of(&received.latencies);
    Ok((latency.ok_or_else(|| Failure::check("no message has a commit timestamp"))?, cpu_seconds))
}

/// Waits until the checkpoint of a changefeed has passed `ts`.
fn wait_for_checkpoint(capture: &Capture, id: &str, ts: u64) -> Result<(), Failure> {
    let (mut seen, mut moved) = (0, Instant::now());
    loop {
        // TiCDC's owner does not know a changefeed at once that it has just created.
        let feed = control::changefeed(capture.port, id);
        match &feed {
            Ok(feed) if feed.checkpoint_ts >= ts => return Ok(()),
            Ok(feed) if feed.checkpoint_ts > seen => (seen, moved) = (feed.checkpoint_ts, Instant::now()),
            _ if moved.elapsed() > STANDSTILL_LIMIT => {
                let state = feed?.state;
                let limit = STANDSTILL_LIMIT.as_secs();
                return Err(Failure::check(format!(
                    "changefeed {id} is {state}, without progress for {limit} s"
                )));
            }
            _ => {}
        }
        std::thread::sleep(CHECKPOINT_PROBE);
    }
}
