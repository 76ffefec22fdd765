//! Measures the sorter: checks that what comes out is what went in, in order, then prints events per second.
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

/// What is measured.
struct Load {
    /// Number of events.
    events: u64,
    /// Number of tables.
    tables: u64,
    /// Bytes of a value.
    value: usize,
}

/// Why the benchmark stopped.
type Failure = Box<dyn std::error::Error>;

/// Commit ts of the n-th row of a table: unique, and mixed within [`DISORDER`] rows.
fn commit_ts(n: u64) -> u64 {
    let block = n / DISORDER * DISORDER;
    block + (n % DISORDER).wrapping_mul(167) % DISORDER + 1
}

/// The rows of one push, all slices of one allocation.
fn rows(first: u64, count: u64, value: usize) -> Vec<SortedRow> {
    let size = 19 + value;
    let frame = Bytes::from(vec![(first % 251) as u8; size * count as usize]);
    (0..count)
        .map(|index| {
            let commit_ts = commit_ts(first + index);
            let at = index as usize * size;
            SortedRow {
                key: frame.slice(at..at + 19),
                value: frame.slice(at + 19..at + size),
                old_value: Bytes::new(),
                start_ts: commit_ts - 1,
                commit_ts,
            }
        })
        .collect()
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
fn in_memory(dir: &Path, load: &Load) -> Result<Duration, Failure> {
    let config = SorterConfig { memory_limit: 4 << 30, max_open_files: 64 };
    let sorter = Sorter::open(dir, config, MemoryQuota::new(8 << 30))?;
    (0..load.tables).for_each(|table| sorter.add_table(table as i64, 0));
    let per_table = load.events / load.tables / DISORDER * DISORDER;
    let mut next = vec![1; load.tables as usize];
    let (mut spent, mut seen, mut from) = (Duration::ZERO, 0, 0);
    while from < per_table {
        let upto = (from + RESOLVE_ROWS / DISORDER * DISORDER).min(per_table);
        for (table, next) in (0_i64..).zip(&mut next) {
            let pushes: Vec<_> = (from..upto)
                .step_by(PUSH_ROWS as usize)
                .map(|first| rows(first, PUSH_ROWS.min(upto - first), load.value))
                .collect();
            let start = Instant::now();
            for rows in pushes {
                sorter.push(table, rows)?;
            }
            sorter.resolve(table, upto)?;
            seen += check(&sorter, table, next)?;
            spent += start.elapsed();
        }
        from = upto;
    }
    if seen != per_table * load.tables || sorter.stats().runs_written > 0 {
        return Err(format!("{seen} rows came out, {:?}", sorter.stats()).into());
    }
    Ok(spent)
}

/// Pushes everything through a small memory, then fetches everything. Returns the times of both and the bytes written.
fn spilled(dir: &Path, load: &Load) -> Result<(Duration, Duration, u64), Failure> {
    let config = SorterConfig { memory_limit: 64 << 20, max_open_files: 64 };
    let sorter = Sorter::open(dir, config, MemoryQuota::new(8 << 30))?;
    (0..load.tables).for_each(|table| sorter.add_table(table as i64, 0));
    let per_table = load.events / load.tables / DISORDER * DISORDER;
    let start = Instant::now();
    for first in (0..per_table).step_by(PUSH_ROWS as usize) {
        for table in 0..load.tables {
            sorter.wait_writable()?;
            sorter.push(table as i64, rows(first, PUSH_ROWS.min(per_table - first), load.value))?;
        }
    }
    let pushed = start.elapsed();
    let start = Instant::now();
    let mut seen = 0;
    for table in 0..load.tables {
        sorter.resolve(table as i64, per_table)?;
        seen += check(&sorter, table as i64, &mut 1)?;
    }
    if seen != per_table * load.tables {
        return Err(format!("{seen} rows came out, {:?}", sorter.stats()).into());
    }
    Ok((pushed, start.elapsed(), sorter.stats().bytes_written))
}

/// Writes a file and reads it back, in the order of its bytes. Returns the times of both: what the disk (or the memory
/// that the system has for it) could do at best.
fn disk(dir: &Path, bytes: u64) -> Result<(Duration, Duration), Failure> {
    let path = dir.join("sequential");
    let mut block = vec![0_u8; 1 << 20];
    let mut state = 1_u32;
    block.iter_mut().for_each(|byte| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = (state >> 24) as u8;
    });
    let start = Instant::now();
    let mut file = File::create(&path)?;
    let mut left = bytes;
    while left > 0 {
        let count = left.min(block.len() as u64);
        file.write_all(block.get(..count as usize).unwrap_or_default())?;
        left -= count;
    }
    let written = start.elapsed();
    let start = Instant::now();
    let mut file = File::open(&path)?;
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
    Ok((written, spent))
}

/// Runs both measurements.
fn run() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>());
    let mut argument = |default| arguments.next().unwrap_or(Ok(default));
    let load =
        Load { events: argument(10_000_000)?, tables: argument(8)?.max(1), value: argument(100)? as usize };
    let dir = std::env::temp_dir().join(format!("sorter-bench-{}", std::process::id()));
    let rate = |time: Duration| load.events as f64 / time.as_secs_f64();
    let memory = in_memory(&dir, &load)?;
    println!("in memory: {:.0} events/s ({} events, {} tables)", rate(memory), load.events, load.tables);
    let (pushed, fetched, bytes) = spilled(&dir, &load)?;
    println!(
        "spilled:   {:.0} events/s (push {:.0}, fetch {:.0}; {} MiB written)",
        rate(pushed + fetched),
        rate(pushed),
        rate(fetched),
        bytes >> 20
    );
    let mib = |bytes: u64, time: Duration| bytes as f64 / f64::from(1 << 20) / time.as_secs_f64();
    let raw = load.events * (19 + load.value as u64);
    println!(
        "           {:.0} MiB/s of rows in, {:.0} MiB/s out; to and from files {:.0} and {:.0} MiB/s",
        mib(raw, pushed),
        mib(raw, fetched),
        mib(bytes, pushed),
        mib(bytes, fetched)
    );
    let (written, read) = disk(&dir, bytes)?;
    println!(
        "disk:      {:.0} MiB/s written, {:.0} MiB/s read, the same bytes in one file",
        mib(bytes, written),
        mib(bytes, read)
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
