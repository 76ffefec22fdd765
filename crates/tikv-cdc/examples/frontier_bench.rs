//! Measures what resolved timestamps of many regions cost: checks the result against a scan over all of them, then
//! prints the time of one round.
//!
//! `cargo run --release -p tikv-cdc --example frontier_bench [regions] [rounds]`

use std::process::ExitCode;
use std::time::Instant;

use tikv_cdc::key_range::KeyRange;
use tikv_cdc::range_lock::{LockOutcome, RangeLock, RegionVersion};

/// Regions in one message of a store.
const BATCH: usize = 1024;

/// Runs the benchmark; an error tells what is wrong with the result.
fn run() -> Result<(), String> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<usize>());
    let mut argument = |default| arguments.next().unwrap_or(Ok(default)).map_err(|error| error.to_string());
    let (regions, rounds) = (argument(100_000)?, argument(20)?);
    let key = |number: usize| (number as u64).to_be_bytes().to_vec();
    let mut span: RangeLock<()> = RangeLock::new(KeyRange::new(key(0), key(regions)), 1);
    let start = Instant::now();
    let mut locks = Vec::with_capacity(regions);
    for number in 0..regions {
        let range = KeyRange::new(key(number), key(number + 1));
        match span.lock(&range, RegionVersion { id: number as u64, version: 1 }, ()) {
            LockOutcome::Locked { lock, .. } => locks.push(lock),
            other => return Err(format!("region {number}: {other:?}")),
        }
    }
    println!("{regions} regions locked in {:?}", start.elapsed());
    // The regions of a message are spread over the span.
    let mut order: Vec<usize> = (0..regions).collect();
    order.sort_by_key(|number| number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 8);
    let mut published = 0_u64;
    let start = Instant::now();
    for round in 0..rounds {
        let ts = 10 * (round as u64 + 1);
        for (number, batch) in order.chunks(BATCH).enumerate() {
            for lock in batch.iter().filter_map(|region| locks.get(*region)) {
                span.advance(*lock, ts + (number % 5) as u64);
            }
            if let Some(resolved) = span.resolved_ts() {
                published = published.max(resolved);
            }
        }
        let expected = locks.iter().filter_map(|lock| span.resolved_of(*lock)).min();
        if span.resolved_ts() != expected || published != ts {
            return Err(format!(
                "round {round}: {:?}, expected {expected:?}, {published}",
                span.resolved_ts()
            ));
        }
    }
    let round = start.elapsed() / rounds.max(1) as u32;
    println!(
        "one round over {regions} regions: {round:?} ({:.2} % of a core at one round per second)",
        round.as_secs_f64() * 100.0
    );
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("frontier_bench: {error}");
            ExitCode::FAILURE
        }
    }
}
