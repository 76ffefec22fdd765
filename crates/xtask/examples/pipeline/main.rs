//! Measures the pipeline: rows from SQL to a Kafka consumer, over the real protocols. `cargo xtask bench pipeline`.

mod consumer;
mod control;
mod latency;
mod load;
mod mysql;
mod phases;
mod process;
mod report;
mod stack;
mod sysbench;
mod table;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match phases::run(&phases::PipelineArgs::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("Error: {failure}");
            ExitCode::FAILURE
        }
    }
}
