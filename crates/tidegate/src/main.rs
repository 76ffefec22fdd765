//! Command line of Tidegate.
//!
//! The program answers to two names: `tidegate`, with the local stack and its tools, and `cdc`, a drop-in for the
//! command of TiCDC (`cdc server`, `cdc cli …`, `cdc version`). The name it was called by decides.

mod allocator;
mod cli;
mod consume;
mod demo;
mod failure;
mod filter;
mod logging;
mod manual;
mod ps;
mod server;
mod server_access;
mod server_keys;
mod stack;
mod tap;
mod top;
mod up;
mod validate;
mod verify;
mod version;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

use crate::failure::Failure;

/// Change data capture for TiDB, and the whole pipeline in one process.
#[derive(Debug, Parser)]
#[command(name = "tidegate", disable_version_flag = true, max_term_width = 100)]
struct Tidegate {
    /// What to do.
    #[command(subcommand)]
    command: TidegateCommand,
}

/// Commands of `tidegate`.
#[derive(Debug, Subcommand)]
enum TidegateCommand {
    /// Start the local stack: SQL, key-value store, placement driver, capture and Kafka broker in one process.
    Up(up::UpArgs),
    /// Show the services of the local stack and whether they answer.
    Ps(ps::PsArgs),
    /// Run the pipeline end to end on this machine and check what arrives.
    Demo(demo::DemoArgs),
    /// Print the changes that arrive in a topic.
    Consume(consume::ConsumeArgs),
    /// Compare a topic with the upstream tables at the topic's last watermark.
    Verify(verify::VerifyArgs),
    /// Show the changefeeds of a cluster, the one furthest behind first.
    Top(Box<top::TopArgs>),
    /// Print the events of a changefeed as they come, without Kafka.
    Tap(Box<tap::TapArgs>),
    /// Check a configuration, the cluster and the rights at Kafka before a changefeed is created.
    Validate(Box<validate::ValidateArgs>),
    /// Test the filters of a changefeed's configuration.
    #[command(subcommand)]
    Filter(filter::FilterCommand),
    /// Start a capture for an existing cluster (`cdc server`).
    Server(Box<server::ServerArgs>),
    /// Manage changefeeds (`cdc cli`).
    Cli(Box<cli::CliArgs>),
    /// Print the completion script of a shell.
    Completions(manual::CompletionsArgs),
    /// Write man pages.
    Man(manual::ManArgs),
    /// Print what was built.
    Version,
}

/// The command of TiCDC.
#[derive(Debug, Parser)]
#[command(name = "cdc", disable_version_flag = true, max_term_width = 100)]
struct Cdc {
    /// What to do.
    #[command(subcommand)]
    command: CdcCommand,
}

/// Commands of `cdc`.
#[derive(Debug, Subcommand)]
enum CdcCommand {
    /// Start a capture.
    Server(Box<server::ServerArgs>),
    /// Manage changefeeds and the cluster of captures.
    Cli(Box<cli::CliArgs>),
    /// Print what was built.
    Version,
}

/// True if the program was called `cdc`.
fn called_cdc() -> bool {
    let name = std::env::args_os().next().unwrap_or_default();
    std::path::Path::new(&name).file_stem().is_some_and(|stem| stem == "cdc" || stem == "ticdc")
}

fn main() -> ExitCode {
    allocator::set_up();
    let parsed = if called_cdc() {
        Cdc::try_parse().map(|cdc| match cdc.command {
            CdcCommand::Server(args) => TidegateCommand::Server(args),
            CdcCommand::Cli(args) => TidegateCommand::Cli(args),
            CdcCommand::Version => TidegateCommand::Version,
        })
    } else {
        Tidegate::try_parse().map(|tidegate| tidegate.command)
    };
    let command = match parsed {
        Ok(command) => command,
        Err(error) => return refuse_arguments(&error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("Error: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(run(command));
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(failure),
    }
}

/// Runs a command.
async fn run(command: TidegateCommand) -> Result<(), Failure> {
    match command {
        TidegateCommand::Up(args) => up::run(args).await,
        TidegateCommand::Ps(args) => ps::run(args).await,
        TidegateCommand::Demo(args) => demo::run(args).await,
        TidegateCommand::Consume(args) => consume::run(args).await,
        TidegateCommand::Verify(args) => verify::run(args).await,
        TidegateCommand::Top(args) => top::run(*args).await,
        TidegateCommand::Tap(args) => tap::run(*args).await,
        TidegateCommand::Validate(args) => validate::run(*args).await,
        TidegateCommand::Filter(command) => filter::run(command).await,
        TidegateCommand::Server(args) => server::run(*args).await,
        TidegateCommand::Cli(args) => cli::run(*args).await,
        TidegateCommand::Completions(args) => {
            manual::completions(&args, definitions);
            Ok(())
        }
        TidegateCommand::Man(args) => manual::man(&args, definitions),
        TidegateCommand::Version => {
            version::print();
            Ok(())
        }
    }
}

/// The command line under one of its names.
fn definitions(name: manual::Name) -> clap::Command {
    match name {
        manual::Name::Tidegate => Tidegate::command(),
        manual::Name::Cdc => Cdc::command(),
    }
}

/// Help for a path of commands.
fn help_of(path: &str) -> String {
    let mut command = definitions(if called_cdc() { manual::Name::Cdc } else { manual::Name::Tidegate });
    command.build();
    for name in path.split(' ') {
        match command.find_subcommand(name) {
            Some(found) => command = found.clone(),
            None => break,
        }
    }
    command.render_help().to_string()
}

/// Tells why a command failed; the exit code.
fn report(failure: Failure) -> ExitCode {
    match failure {
        Failure::Message(message) => eprintln!("Error: {message}"),
        Failure::Missing { command, flag } => {
            println!("{}", help_of(command));
            let message = format!("required flag(s) \"{flag}\" not set");
            eprintln!("Error: {message}\n{message}");
        }
        Failure::Usage(command) => {
            println!("{}", help_of(command));
            return ExitCode::SUCCESS;
        }
        Failure::Silent => {}
    }
    ExitCode::FAILURE
}

/// Answers arguments that can't be parsed: help and errors as TiCDC's command gives them under `cdc`.
fn refuse_arguments(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            print!("{error}");
            ExitCode::SUCCESS
        }
        ErrorKind::InvalidSubcommand | ErrorKind::MissingSubcommand if called_cdc() => {
            println!("{}", help_of(&command_path()));
            ExitCode::SUCCESS
        }
        ErrorKind::UnknownArgument if called_cdc() => {
            println!("{}", help_of(&command_path()));
            let flag =
                error.get(clap::error::ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
            let message = format!("unknown flag: {flag}");
            eprintln!("Error: {message}\n{message}");
            ExitCode::FAILURE
        }
        _ => {
            eprint!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The words before the first flag: the command that was meant.
fn command_path() -> String {
    let words = std::env::args().skip(1).take_while(|word| !word.starts_with('-'));
    words.collect::<Vec<_>>().join(" ")
}
