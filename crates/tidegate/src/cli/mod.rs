//! `cdc cli`: the commands of TiCDC's client, over the HTTP API.

mod capture;
mod changefeed;
mod client;
mod create;
mod output;
mod prompt;
mod tso;
mod unsafe_commands;
mod update;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use tikv_client::Security;

pub(crate) use client::ApiClient;
pub(crate) use tso::now;

use crate::failure::Failure;

/// `cdc cli`.
#[derive(Debug, Args)]
pub(crate) struct CliArgs {
    /// Where the server is and who asks.
    #[command(flatten)]
    connection: Connection,
    /// What to do.
    #[command(subcommand)]
    command: Option<CliCommand>,
}

/// Where the server is and who asks.
#[derive(Debug, Args)]
pub(crate) struct Connection {
    /// CDC server address.
    #[arg(long, global = true, value_name = "string")]
    pub(crate) server: Option<String>,
    /// PD address, use ',' to separate several (deprecated: use --server).
    #[arg(long, global = true, value_name = "string")]
    pub(crate) pd: Option<String>,
    /// CA certificate for TLS to PD.
    #[arg(long, global = true, value_name = "string")]
    ca: Option<String>,
    /// Certificate for TLS to PD.
    #[arg(long, global = true, value_name = "string")]
    cert: Option<String>,
    /// Private key for TLS to PD.
    #[arg(long, global = true, value_name = "string")]
    key: Option<String>,
    /// Log level.
    #[arg(long, global = true, value_name = "string", default_value = "warn")]
    pub(crate) log_level: String,
    /// User name.
    #[arg(long, global = true, value_name = "string", env = "TICDC_USER")]
    pub(crate) user: Option<String>,
    /// Password.
    #[arg(long, global = true, value_name = "string", env = "TICDC_PASSWORD", hide_env_values = true)]
    pub(crate) password: Option<String>,
}

impl Connection {
    /// Certificates for PD.
    pub(crate) fn security(&self) -> Result<Security, Failure> {
        let path = |path: &Option<String>| path.as_ref().map(PathBuf::from);
        Ok(Security::from_files(path(&self.ca), path(&self.cert), path(&self.key))?)
    }
}

/// Groups of commands.
#[derive(Debug, Subcommand)]
enum CliCommand {
    /// Manage captures (a capture is a CDC server instance).
    #[command(subcommand)]
    Capture(capture::CaptureCommand),
    /// Manage changefeeds (a changefeed is a replication task).
    #[command(subcommand)]
    Changefeed(changefeed::ChangefeedCommand),
    /// Manage processors (the parts of changefeeds on captures).
    #[command(subcommand)]
    Processor(capture::ProcessorCommand),
    /// Manage timestamps.
    #[command(subcommand)]
    Tso(tso::TsoCommand),
    /// Commands that can break things.
    #[command(subcommand, hide = true)]
    Unsafe(unsafe_commands::UnsafeCommand),
}

/// Runs a command.
pub(crate) async fn run(args: CliArgs) -> Result<(), Failure> {
    let connection = &args.connection;
    if connection.server.as_ref().is_some_and(|server| server.starts_with("https://")) {
        return Err(Failure::new(
            "TLS to the CDC server is not supported by this build; use an http:// address",
        ));
    }
    match args.command {
        None => Err(Failure::usage("cli")),
        Some(CliCommand::Tso(command)) => tso::run(command, connection).await,
        Some(CliCommand::Capture(command)) => {
            capture::run(command, &ApiClient::connect(connection).await?).await
        }
        Some(CliCommand::Processor(command)) => capture::run_processor(command, connection).await,
        Some(CliCommand::Changefeed(command)) => changefeed::run(command, connection).await,
        Some(CliCommand::Unsafe(command)) => unsafe_commands::run(command, connection).await,
    }
}
