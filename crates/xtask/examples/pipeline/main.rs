//! Measurements over the real protocols: rows from SQL to a Kafka consumer (`cargo xtask bench pipeline`), and captures
//! that work off a backlog (`cargo xtask bench capture`) or
//! have many changefeeds (`cargo xtask bench changefeeds`).

mod arrivals;
mod capture;
mod consumer;
mod control;
mod crowd;
mod drain;
mod latency;
mod load;
mod many_tables;
mod mysql;
mod phases;
mod process;
mod report;
mod stack;
mod sysbench;
mod table;

use std::process::ExitCode;

use clap::Parser;

/// What to measure.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench", max_term_width = 100)]
enum Benchmark {
    /// Rows from SQL to a Kafka consumer: equality first, then figures.
    Pipeline(phases::PipelineArgs),
    /// Captures as processes of their own that work off the same backlog: equality first, then figures.
    Capture(drain::DrainArgs),
    /// Many changefeeds over many tables: all normal first, then the API's answers, CPU time and memory.
    Changefeeds(crowd::CrowdArgs),
}

fn main() -> ExitCode {
    let outcome = match Benchmark::parse() {
        Benchmark::Pipeline(args) => phases::run(&args),
        Benchmark::Capture(args) => drain::run(&args),
        Benchmark::Changefeeds(args) => crowd::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("Error: {failure}");
            ExitCode::FAILURE
        }
    }
}
