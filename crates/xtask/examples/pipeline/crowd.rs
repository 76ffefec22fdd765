//! `cargo xtask bench changefeeds`: many changefeeds over many tables. First all must be normal and move, and rows must
//! arrive; then how fast the API answers, and what the capture uses, idle and under a light load.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use crate::arrivals::count_inserts;
use crate::capture::{Capture, Kind};
use crate::control::{self, request};
use crate::latency::Latency;
use crate::many_tables::{self, MODEL};
use crate::mysql::Connection;
use crate::stack::{CAPTURE_PORT, KAFKA_PORT, PD_PORT, SQL_PORT, Stack};
use xtask::Failure;

/// Longest time until every changefeed has passed a moment.
const CATCH_UP_LIMIT: Duration = Duration::from_secs(600);
/// How often they are looked at.
const PROBE: Duration = Duration::from_millis(500);
/// Bytes of a mebibyte.
const MIB: f64 = 1_048_576.0;
/// The API's p99 that the project aims at, milliseconds.
const TARGET_MS: u64 = 100;

/// Flags of the benchmark.
#[derive(Debug, Args)]
pub(crate) struct CrowdArgs {
    /// Changefeeds.
    #[arg(long, default_value_t = 1_000)]
    changefeeds: u64,
    /// Tables; each changefeed follows an equal share of its own.
    #[arg(long, default_value_t = 100_000)]
    tables: u64,
    /// Changefeeds that are created at the same time.
    #[arg(long, default_value_t = 8)]
    creators: u64,
    /// Calls of each kind that are measured.
    #[arg(long, default_value_t = 200)]
    samples: u64,
    /// Seconds in which CPU time is measured, idle and under load.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Rows per second of the load.
    #[arg(long, default_value_t = 100)]
    rate: u64,
    /// Changefeeds whose tables are written to.
    #[arg(long, default_value_t = 20)]
    written: u64,
    /// Added to every port of the stack.
    #[arg(long, default_value_t = 23_000)]
    port_offset: u16,
}

/// Name of a changefeed and of its topic.
fn feed(number: u64) -> String {
    format!("crowd-{number}")
}

/// Name of a table of a changefeed.
fn table(feed: u64, number: u64) -> String {
    format!("g{feed}_t{number}")
}

/// What the benchmark talks to.
struct Bench<'a> {
    /// Flags.
    args: &'a CrowdArgs,
    /// The cluster.
    stack: Stack,
    /// The capture.
    capture: Capture,
}

/// Runs the benchmark.
pub(crate) fn run(args: &CrowdArgs) -> Result<(), Failure> {
    if args.changefeeds == 0 || args.tables < args.changefeeds || args.written >= args.changefeeds {
        return Err(Failure::check(
            "there must be a table for each changefeed, and one more changefeed than are written to: it is removed and \
             created again, and rows of the time between are not its",
        ));
    }
    let folder = tempfile::tempdir().map_err(|error| Failure::check(format!("no folder: {error}")))?;
    let stack = tables(args, &folder.path().join("stack"))?;
    let port = stack.port(CAPTURE_PORT);
    let capture = Capture::start(&Kind::Tidegate, stack.port(PD_PORT), port, folder.path())?;
    let bench = Bench { args, stack, capture };
    let before = bench.capture.usage()?.rss;
    bench.create_all()?;
    let grown = bench.capture.usage()?.rss.saturating_sub(before);
    println!(
        "memory (RSS) grown by {:.0} MiB: {} bytes per table, its schema included",
        grown as f64 / MIB,
        grown / (args.tables / args.changefeeds * args.changefeeds)
    );
    bench.measure("idle")?;
    bench.under_load()?;
    println!("all changefeeds are normal and every row has arrived");
    drop(bench.capture);
    bench.stack.stop()
}

/// Starts the cluster with the tables.
fn tables(args: &CrowdArgs, data_dir: &Path) -> Result<Stack, Failure> {
    let began = Instant::now();
    let stack = Stack::start(data_dir, args.port_offset)?;
    let mut sql = Connection::open(stack.port(SQL_PORT))?;
    sql.execute(&format!("CREATE TABLE test.{MODEL} (id BIGINT PRIMARY KEY, v VARCHAR(64))"))?;
    stack.stop()?;
    let stack = Stack::start_with(data_dir, args.port_offset, &["--without", "capture,tidb,kafka"])?;
    let each = args.tables / args.changefeeds;
    many_tables::copy(stack.port(PD_PORT), each * args.changefeeds, |index| {
        table(index / each, index % each)
    })?;
    stack.stop()?;
    let stack = Stack::start_with(data_dir, args.port_offset, &["--without", "capture"])?;
    println!("{} tables after {:.1} s", each * args.changefeeds, began.elapsed().as_secs_f64());
    Ok(stack)
}

impl Bench<'_> {
    /// One call; its answer and how long it took, in milliseconds, rounded up.
    fn call(&self, method: &str, path: &str, body: &Value) -> Result<(Value, u64), Failure> {
        let began = Instant::now();
        let answer = request(self.capture.port, method, path, body)?;
        Ok((answer, u64::try_from(began.elapsed().as_micros().div_ceil(1000)).unwrap_or(u64::MAX)))
    }

    /// The request that creates a changefeed.
    fn creation(&self, number: u64) -> Value {
        let id = feed(number);
        let broker = self.stack.port(KAFKA_PORT);
        json!({
            "changefeed_id": id,
            "sink_uri": format!(
                "kafka://127.0.0.1:{broker}/{id}?protocol=canal-json&partition-num=1&enable-tidb-extension=true"
            ),
            "replica_config": {"filter": {"rules": [format!("test.g{number}_*")]}},
        })
    }

    /// Creates the changefeeds.
    fn create_all(&self) -> Result<(), Failure> {
        let began = Instant::now();
        let next = AtomicU64::new(0);
        let taken = Mutex::new(Vec::new());
        let create = || -> Result<(), Failure> {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= self.args.changefeeds {
                    return Ok(());
                }
                let (_, ms) = self.call("POST", "/api/v2/changefeeds", &self.creation(number))?;
                taken.lock().unwrap_or_else(PoisonError::into_inner).push(ms);
            }
        };
        std::thread::scope(|scope| {
            let creators: Vec<_> = (0..self.args.creators.max(1)).map(|_| scope.spawn(create)).collect();
            creators.into_iter().try_for_each(|creator| {
                creator.join().unwrap_or_else(|_| Err(Failure::check("a creator panicked")))
            })
        })?;
        let created = began.elapsed();
        self.wait_caught_up()?;
        let taken = taken.into_inner().unwrap_or_else(PoisonError::into_inner);
        println!(
            "{} changefeeds created in {:.1} s, all normal and caught up after {:.1} s",
            self.args.changefeeds,
            created.as_secs_f64(),
            began.elapsed().as_secs_f64()
        );
        print("create, all at once", &taken);
        Ok(())
    }

    /// Waits until every changefeed is normal and has passed this moment.
    fn wait_caught_up(&self) -> Result<(), Failure> {
        let now = control::tso(self.capture.port)?;
        let began = Instant::now();
        loop {
            let (answer, _) = self.call("GET", "/api/v2/changefeeds", &Value::Null)?;
            let items = answer["items"].as_array().map(Vec::as_slice).unwrap_or_default();
            let passed = |item: &&Value| {
                item["state"] == "normal" && item["checkpoint_tso"].as_u64().is_some_and(|ts| ts >= now)
            };
            let count = items.iter().filter(passed).count() as u64;
            if count == self.args.changefeeds {
                return Ok(());
            }
            if began.elapsed() > CATCH_UP_LIMIT {
                let late = items.iter().find(|item| !passed(item)).map(Value::to_string).unwrap_or_default();
                return Err(Failure::check(format!("{count} changefeeds have caught up; not so {late}")));
            }
            std::thread::sleep(PROBE);
        }
    }

    /// Measures questions and changes, one after the other.
    fn calls(&self) -> Result<(), Failure> {
        let all = self.args.changefeeds;
        // Spread over the changefeeds, those that are not written to.
        let sample = |what: &str, make: &dyn Fn(u64) -> Result<Option<u64>, Failure>| {
            let others = (all - self.args.written).max(1);
            let taken = (0..self.args.samples).map(|index| make(all - 1 - index * 7 % others));
            let taken: Result<Vec<Option<u64>>, Failure> = taken.collect();
            taken.map(|taken| print(what, &taken.into_iter().flatten().collect::<Vec<_>>()))
        };
        let get = |path: &str| self.call("GET", path, &Value::Null).map(|(_, ms)| Some(ms));
        sample("list", &|_| get("/api/v2/changefeeds"))?;
        sample("query", &|number| get(&format!("/api/v2/changefeeds/{}", feed(number))))?;
        sample("status", &|number| get(&format!("/api/v2/changefeeds/{}/status", feed(number))))?;
        let change = |method: &str, number: u64, verb: &str| {
            let path = format!("/api/v2/changefeeds/{}{verb}", feed(number));
            self.call(method, &path, &Value::Null).map(|(_, ms)| Some(ms))
        };
        sample("pause", &|number| change("POST", number, "/pause"))?;
        sample("resume", &|number| change("POST", number, "/resume"))?;
        sample("remove", &|number| change("DELETE", number, ""))?;
        sample("create", &|number| {
            // With more samples than changefeeds this one may be there again.
            if change("GET", number, "").is_ok() {
                return Ok(None);
            }
            self.call("POST", "/api/v2/changefeeds", &self.creation(number)).map(|(_, ms)| Some(ms))
        })
    }

    /// Measures the process while nothing is asked, and then the API.
    fn measure(&self, what: &str) -> Result<(), Failure> {
        println!("{what}");
        let (before, began) = (self.capture.usage()?, Instant::now());
        std::thread::sleep(Duration::from_secs(self.args.seconds));
        let (after, elapsed) = (self.capture.usage()?, began.elapsed().as_secs_f64());
        let share = (after.cpu_seconds - before.cpu_seconds) / elapsed * 100.0;
        println!("  CPU {share:.0} % of one core, memory {:.0} MiB (RSS)", after.rss as f64 / MIB);
        self.calls()?;
        self.wait_caught_up()
    }

    /// Measures while rows are written, and looks for every one of them.
    fn under_load(&self) -> Result<(), Failure> {
        let (stop, written) = (AtomicBool::new(false), AtomicU64::new(0));
        let each = self.args.tables / self.args.changefeeds;
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| -> Result<(), Failure> {
                let mut sql = Connection::open(self.stack.port(SQL_PORT))?;
                let began = Instant::now();
                while !stop.load(Ordering::Relaxed) {
                    let number = written.load(Ordering::Relaxed);
                    let due = Duration::from_secs_f64(number as f64 / self.args.rate.max(1) as f64);
                    std::thread::sleep(due.saturating_sub(began.elapsed()));
                    let name = table(number % self.args.written, number / self.args.written % each);
                    sql.execute(&format!("INSERT INTO test.{name} VALUES ({number}, 'row {number}')"))?;
                    written.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            });
            let measured = self.measure(&format!("{} rows/s", self.args.rate));
            stop.store(true, Ordering::Relaxed);
            let wrote = writer.join().unwrap_or_else(|_| Err(Failure::check("the writer panicked")));
            measured.and(wrote)
        })?;
        self.wait_caught_up()?;
        let topics: Vec<String> = (0..self.args.written).map(feed).collect();
        let (wrote, arrived) =
            (written.load(Ordering::Relaxed), count_inserts(self.stack.port(KAFKA_PORT), &topics)?);
        if wrote != arrived {
            return Err(Failure::check(format!("{wrote} rows were written, {arrived} arrived")));
        }
        println!("{arrived} rows written and received");
        Ok(())
    }
}

/// Prints a distribution beside the target.
fn print(what: &str, samples: &[u64]) {
    let Some(latency) = Latency::of(samples) else { return };
    let verdict = if latency.p99_ms < TARGET_MS { "" } else { "  above the target" };
    println!(
        "  {what:<20} p50 {:>5} ms   p99 {:>5} ms   max {:>5} ms{verdict}",
        latency.p50_ms, latency.p99_ms, latency.max_ms
    );
}
