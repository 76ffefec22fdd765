//! `cargo xtask bench`: measurements. Each first proves that what comes out is what went in.

use clap::{Args, Subcommand};
use xtask::{Failure, Program, workspace};

/// What to measure. Arguments are passed on; `--help` lists them.
#[derive(Debug, Subcommand)]
#[command(disable_help_flag = true)]
pub(crate) enum BenchCommand {
    /// SQL to consumer: rows per second, latency, memory, CPU time.
    Pipeline(ExampleArgs),
    /// The Canal-JSON encoder alone.
    Encode(ExampleArgs),
    /// The sorter alone, in memory and spilled.
    Sorter(ExampleArgs),
    /// Resolved ts of many regions through a stream, and the memory of idle tables.
    Source(ExampleArgs),
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
    let (package, name, args) = match command {
        BenchCommand::Pipeline(args) => {
            // What is measured is the program as it is in the sources.
            Program::new("cargo build --release --locked --package tidegate").run()?;
            ("xtask", "pipeline", args)
        }
        BenchCommand::Encode(args) => ("change-format", "encode_bench", args),
        BenchCommand::Sorter(args) => ("event-sorter", "sorter_bench", args),
        BenchCommand::Source(args) => ("tikv-cdc", "source_bench", args),
        BenchCommand::LargeTxn(args) => ("tikv-cdc", "large_txn_bench", args),
    };
    example(package, name, &args.args)
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
