//! Project chores: `cargo xtask test`, `cargo xtask golden`, `cargo xtask fuzz`, `cargo xtask kafka …`, `cargo xtask bench …`.

mod bench;
mod fuzz;
mod golden;
mod kafka;
mod suite;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Project chores.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", max_term_width = 100)]
struct Xtask {
    /// What to do.
    #[command(subcommand)]
    command: Command,
}

/// Chores.
#[derive(Debug, Subcommand)]
enum Command {
    /// Run every check of the project: what CI runs.
    Test(suite::TestArgs),
    /// Replay recordings of the reference system through the encoder and compare the messages.
    Golden(golden::GoldenArgs),
    /// Give made-up bytes to every decoder, for some minutes.
    Fuzz(fuzz::FuzzArgs),
    /// Start and stop the original Kafka.
    #[command(subcommand)]
    Kafka(kafka::KafkaCommand),
    /// Measure.
    #[command(subcommand)]
    Bench(bench::BenchCommand),
}

fn main() -> ExitCode {
    let outcome = match Xtask::parse().command {
        Command::Test(args) => suite::run(&args),
        Command::Golden(args) => golden::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Kafka(command) => kafka::run(&command),
        Command::Bench(command) => bench::run(&command),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("Error: {failure}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_makes_sense() {
        Xtask::command().debug_assert();
    }

    #[test]
    fn arguments_of_benchmarks_are_passed_on() {
        let parsed = Xtask::try_parse_from(["xtask", "bench", "pipeline", "--rows", "5", "--help"]).unwrap();
        assert!(format!("{parsed:?}").contains(r#"["--rows", "5", "--help"]"#), "{parsed:?}");
        let parsed = Xtask::try_parse_from(["xtask", "bench", "sorter", "1000"]).unwrap();
        assert!(format!("{parsed:?}").contains(r#"["1000"]"#), "{parsed:?}");
    }

    #[test]
    fn steps_can_be_chosen() {
        assert!(Xtask::try_parse_from(["xtask", "test", "--only", "e2e,demo"]).is_ok());
        assert!(Xtask::try_parse_from(["xtask", "test", "--only", "nothing"]).is_err());
    }
}
