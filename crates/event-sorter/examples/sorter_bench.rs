//! Measures the sorter: checks that what comes out is what went in, in order, then prints events per second, and per
//! second of processor time, which says more on a machine that does other things, too. Values are random bytes, so that
//! nothing is gained by compressing them and the spilled rows can be compared with the speed of the disk.
//!
//! `cargo run --release -p event-sorter --example sorter_bench [events] [tables] [value bytes]`

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use bytes::Bytes;
use event_sorter::{FetchLimit, MemoryQuota, SortedRow, Sorter, SorterConfig};

/// Rows in one push, as they come from one event of a store.
const PUSH_ROWS: u64 = 128;
/// Rows of a table between two resolved ts.
const RESOLVE_ROWS: u64 = 20_000;
/// Rows whose commit ts are mixed: how far the arrival order is from the commit order.
const DISORDER: u64 = 512;

/// Bytes that values are cut from.
const POOL: usize = 1 << 20;

/// What is measured.
struct Load {
    /// Number of events.
    events: u64,
    /// Number of tables.
    tables: u64,
    /// Bytes of a value.
    value: usize,
    /// Random bytes.
    pool: Vec<u8>,
}

impl Load {
    /// Events of each table.
    fn per_table(&self) -> u64 {
        self.events / self.tables / DISORDER * DISORDER
    }

    /// The rows of one push, all slices of one allocation.
    fn rows(&self, first: u64, count: u64) -> Vec<SortedRow> {
        let size = KEY + self.value;
        let length = size * count as usize;
        let offset = (first as usize).wrapping_mul(7919) % POOL;
        let frame: Vec<u8> = self.pool.iter().cycle().skip(offset).take(length).copied().collect();
        let frame = Bytes::from(frame);
        (0..count)
            .map(|index| {
                let commit_ts = commit_ts(first + index);
                let at = index as usize * size;
                SortedRow {
                    key: frame.slice(at..at + KEY),
                    value: frame.slice(at + KEY..at + size),
                    old_value: Bytes::new(),
                    start_ts: commit_ts - 1,
                    commit_ts,
                }
            })
            .collect()
    }
}

/// Bytes of a key.
const KEY: usize = 19;

/// Time that passed, and processor time of all threads.
#[derive(Clone, Copy, Default)]
struct Spent {
    /// Time on the clock.
    wall: Duration,
    /// Processor time.
    cpu: Duration,
}

impl Spent {
    /// Runs something and adds what it took.
    fn on<T>(&mut self, work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
        let (start, before) = (Instant::now(), processor_time()?);
        let outcome = work()?;
        self.wall += start.elapsed();
        self.cpu += processor_time()?.saturating_sub(before);
        Ok(outcome)
    }

    /// Both.
    fn plus(self, other: Self) -> Self {
        Self { wall: self.wall + other.wall, cpu: self.cpu + other.cpu }
    }
}

/// Processor time of this process so far: the run times of its threads, in nanoseconds, as Linux counts them.
fn processor_time() -> Result<Duration, Failure> {
    let mut sum = Duration::ZERO;
    for thread in std::fs::read_dir("/proc/self/task")? {
        let text = std::fs::read_to_string(thread?.path().join("schedstat"))?;
        let nanos = text.split_whitespace().next().ok_or("schedstat is empty")?;
        sum += Duration::from_nanos(nanos.parse()?);
    }
    Ok(sum)
}

/// Random bytes from a fixed seed.
fn random_bytes(count: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}

/// Why the benchmark stopped.
type Failure = Box<dyn std::error::Error>;

/// Commit ts of the n-th row of a table: unique, and mixed within [`DISORDER`] rows.
fn commit_ts(n: u64) -> u64 {
    let block = n / DISORDER * DISORDER;
    block + (n % DISORDER).wrapping_mul(167) % DISORDER + 1
}

/// Takes out everything resolved and checks it: every commit ts once, in order. Returns the number of rows.
fn check(sorter: &Sorter, table: i64, next: &mut u64) -> Result<u64, Failure> {
    let mut count = 0;
    loop {
        let batch = sorter.fetch(table, u64::MAX, FetchLimit::default())?;
        for row in &batch.rows {
            if row.commit_ts != *next {
                return Err(format!("table {table}: expected {next}, got {}", row.commit_ts).into());
            }
            *next += 1;
            count += 1;
        }
        if batch.exhausted {
            return Ok(count);
        }
    }
}

/// Pushes and fetches in turn: the rows of a resolve interval wait in memory.
fn in_memory(dir: &Path, load: &Load) -> Result<Spent, Failure> {
    let config = SorterConfig { memory_limit: 4 << 30, max_open_files: 64 };
    let sorter = Sorter::open(dir, config, MemoryQuota::new(8 << 30))?;
    (0..load.tables).for_each(|table| sorter.add_table(table as i64, 0));
    let per_table = load.per_table();
    let mut next = vec![1; load.tables as usize];
    let (mut spent, mut seen, mut from) = (Spent::default(), 0, 0);
    while from < per_table {
        let upto = (from + RESOLVE_ROWS / DISORDER * DISORDER).min(per_table);
        for (table, next) in (0_i64..).zip(&mut next) {
            let pushes: Vec<_> = (from..upto)
                .step_by(PUSH_ROWS as usize)
                .map(|first| load.rows(first, PUSH_ROWS.min(upto - first)))
                .collect();
            seen += spent.on(|| {
                for rows in pushes {
                    sorter.push(table, rows)?;
                }
                sorter.resolve(table, upto)?;
                check(&sorter, table, next)
            })?;
        }
        from = upto;
    }
    if seen != per_table * load.tables || sorter.stats().runs_written > 0 {
        return Err(format!("{seen} rows came out, {:?}", sorter.stats()).into());
    }
    Ok(spent)
}

/// Pushes everything through a small memory, then fetches everything. Returns what both took and the bytes written.
fn spilled(dir: &Path, load: &Load) -> Result<(Spent, Spent, u64), Failure> {
    let config = SorterConfig { memory_limit: 64 << 20, max_open_files: 64 };
    let sorter = Sorter::open(dir, config, MemoryQuota::new(8 << 30))?;
    (0..load.tables).for_each(|table| sorter.add_table(table as i64, 0));
    let per_table = load.per_table();
    let (mut pushed, mut fetched) = (Spent::default(), Spent::default());
    for first in (0..per_table).step_by(PUSH_ROWS as usize) {
        let pushes: Vec<_> =
            (0..load.tables).map(|_| load.rows(first, PUSH_ROWS.min(per_table - first))).collect();
        pushed.on(|| {
            for (table, rows) in (0_i64..).zip(pushes) {
                sorter.wait_writable()?;
                sorter.push(table, rows)?;
            }
            Ok(())
        })?;
    }
    let seen = fetched.on(|| {
        let mut seen = 0;
        for table in 0..load.tables {
            sorter.resolve(table as i64, per_table)?;
            seen += check(&sorter, table as i64, &mut 1)?;
        }
        Ok(seen)
    })?;
    if seen != per_table * load.tables {
        return Err(format!("{seen} rows came out, {:?}", sorter.stats()).into());
    }
    Ok((pushed, fetched, sorter.stats().bytes_written))
}

/// Writes a file, to the disk itself, and reads it back, in the order of its bytes. Returns the times to write it to
/// the memory of the system, to the disk, and to read it.
fn disk(dir: &Path, load: &Load, bytes: u64) -> Result<(Duration, Duration, Duration), Failure> {
    let path = dir.join("sequential");
    let start = Instant::now();
    let mut file = File::create(&path)?;
    let mut left = bytes;
    while left > 0 {
        let count = left.min(POOL as u64);
        file.write_all(load.pool.get(..count as usize).unwrap_or_default())?;
        left -= count;
    }
    let cached = start.elapsed();
    file.sync_all()?;
    let written = start.elapsed();
    let start = Instant::now();
    let mut file = File::open(&path)?;
    let mut block = vec![0_u8; POOL];
    let mut read = 0;
    loop {
        match file.read(&mut block)? {
            0 => break,
            count => read += count as u64,
        }
    }
    let spent = start.elapsed();
    std::fs::remove_file(&path)?;
    if read != bytes {
        return Err(format!("{read} bytes of {bytes} came back").into());
    }
    Ok((cached, written, spent))
}

/// Runs both measurements.
fn run() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>());
    let mut argument = |default| arguments.next().unwrap_or(Ok(default));
    let load = Load {
        events: argument(10_000_000)?,
        tables: argument(8)?.max(1),
        value: argument(100)? as usize,
        pool: random_bytes(POOL),
    };
    let events = (load.per_table() * load.tables) as f64;
    let dir = std::env::temp_dir().join(format!("sorter-bench-{}", std::process::id()));
    let rates = |spent: Spent| {
        format!(
            "{:.0} events/s, {:.0} per processor second",
            events / spent.wall.as_secs_f64(),
            events / spent.cpu.as_secs_f64()
        )
    };
    let memory = in_memory(&dir, &load)?;
    println!("in memory: {} ({events} events, {} tables)", rates(memory), load.tables);
    let (pushed, fetched, bytes) = spilled(&dir, &load)?;
    println!("spilled:   {}; {} MiB written", rates(pushed.plus(fetched)), bytes >> 20);
    println!("  pushed:  {}", rates(pushed));
    println!("  fetched: {}", rates(fetched));
    let mib = |time: Duration| bytes as f64 / f64::from(1 << 20) / time.as_secs_f64();
    println!("           {:.0} MiB/s to files, {:.0} MiB/s from files", mib(pushed.wall), mib(fetched.wall));
    let (cached, written, read) = disk(&dir, &load, bytes)?;
    println!(
        "disk:      {:.0} MiB/s written ({:.0} MiB/s to the memory of the system), {:.0} MiB/s read, the same bytes in one file",
        mib(written),
        mib(cached),
        mib(read)
    );
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sorter_bench: {error}");
            ExitCode::FAILURE
        }
    }
}
