//! `cargo xtask bench`: measurements. Each first proves that what comes out is what went in.

use clap::{Args, Subcommand};
use xtask::{Failure, Program, workspace};

/// What to measure. Arguments are passed on; `--help` lists them.
#[derive(Debug, Subcommand)]
#[command(disable_help_flag = true)]
pub(crate) enum BenchCommand {
    /// SQL to consumer: rows per second, latency, memory, CPU time.
    Pipeline(ExampleArgs),
    /// The capture as a process of its own that works off a backlog, beside another program if one is named.
    Capture(ExampleArgs),
    /// Many changefeeds over many tables: the API's answers, CPU time and memory.
    Changefeeds(ExampleArgs),
    /// The Canal-JSON encoder alone.
    Encode(ExampleArgs),
    /// The sorter alone, in memory and spilled.
    Sorter(ExampleArgs),
    /// Resolved ts of many regions through a stream, and the memory of idle tables.
    Source(ExampleArgs),
    /// The producer into the original Kafka, beside Kafka's own performance tool.
    Sink(ExampleArgs),
    /// One transaction that is larger than memory, from a store through matcher and sorter.
    LargeTxn(ExampleArgs),
}

/// Arguments that are passed on.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct ExampleArgs {
    /// Arguments of the benchmark.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

/// Runs a benchmark. Each is an example of the crate that it measures.
pub(crate) fn run(command: &BenchCommand) -> Result<(), Failure> {
    match command {
        BenchCommand::Pipeline(args) => of_program("pipeline", args),
        BenchCommand::Capture(args) => of_program("capture", args),
        BenchCommand::Changefeeds(args) => of_program("changefeeds", args),
        BenchCommand::Encode(args) => example("change-format", "encode_bench", &args.args),
        BenchCommand::Sorter(args) => example("event-sorter", "sorter_bench", &args.args),
        BenchCommand::Source(args) => example("tikv-cdc", "source_bench", &args.args),
        BenchCommand::Sink(args) => example("kafka-sink", "sink_bench", &args.args),
        BenchCommand::LargeTxn(args) => example("tikv-cdc", "large_txn_bench", &args.args),
    }
}

/// Runs a benchmark of the whole program, which is built first: what is measured is what is in the sources.
fn of_program(kind: &str, args: &ExampleArgs) -> Result<(), Failure> {
    Program::new("cargo build --release --locked --package tidegate").run()?;
    let args: Vec<_> = std::iter::once(kind.to_owned()).chain(args.args.iter().cloned()).collect();
    example("xtask", "pipeline", &args)
}

/// Runs an example of a crate.
fn example(package: &str, name: &str, args: &[String]) -> Result<(), Failure> {
    let examples = workspace::root().join(format!("crates/{package}/examples"));
    if !examples.join(format!("{name}.rs")).exists() && !examples.join(name).exists() {
        return Err(Failure::check(format!("{package} has no benchmark {name}")));
    }
    let mut program =
        Program::new(&format!("cargo run --release --locked --package {package} --example {name} --"));
    for arg in args {
        program = program.arg(arg);
    }
    program.run()
}
