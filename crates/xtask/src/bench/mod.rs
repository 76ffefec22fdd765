//! `cargo xtask bench`: measurements. Each first proves that what comes out is what went in.

mod consumer;
mod control;
mod latency;
mod load;
mod mysql;
mod pipeline;
mod process;
mod report;
mod stack;
mod sysbench;
mod table;

use clap::{Args, Subcommand};

use crate::failure::Failure;
use crate::program::Program;
use crate::workspace;

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// SQL to consumer: rows per second, latency, memory, CPU time.
    Pipeline(pipeline::PipelineArgs),
    /// The Canal-JSON encoder alone.
    Encode(ExampleArgs),
    /// The sorter alone.
    Sorter(ExampleArgs),
}

/// Arguments that are passed on.
#[derive(Debug, Args)]
pub(crate) struct ExampleArgs {
    /// Arguments of the benchmark.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

/// Runs a benchmark.
pub(crate) fn run(command: &BenchCommand) -> Result<(), Failure> {
    match command {
        BenchCommand::Pipeline(args) => pipeline::run(args),
        BenchCommand::Encode(args) => example("change-format", "encode_bench", &args.args),
        BenchCommand::Sorter(args) => example("event-sorter", "sorter_bench", &args.args),
    }
}

/// Runs a benchmark that is an example of a crate.
fn example(package: &str, name: &str, args: &[String]) -> Result<(), Failure> {
    let source = workspace::root().join(format!("crates/{package}/examples/{name}.rs"));
    if !source.exists() {
        return Err(Failure::check(format!("{package} has no benchmark {name}")));
    }
    let mut program = Program::new(&format!("cargo run --release --package {package} --example {name} --"));
    for arg in args {
        program = program.arg(arg);
    }
    program.run()
}
