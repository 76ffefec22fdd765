//! `cdc cli`: the commands of TiCDC's client, over the HTTP API.

mod capture;
mod changefeed;
mod client;
mod create;
mod credentials;
mod output;
mod prompt;
mod tso;
mod unsafe_commands;
mod update;

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
    /// CA certificate for TLS to the CDC server and PD [env: TICDC_CA_PATH].
    #[arg(long, global = true, value_name = "string")]
    ca: Option<String>,
    /// Certificate for TLS to the CDC server and PD [env: TICDC_CERT_PATH].
    #[arg(long, global = true, value_name = "string")]
    cert: Option<String>,
    /// Private key for TLS to the CDC server and PD [env: TICDC_KEY_PATH].
    #[arg(long, global = true, value_name = "string")]
    key: Option<String>,
    /// Log level.
    #[arg(long, global = true, value_name = "string", default_value = "warn")]
    pub(crate) log_level: String,
    /// User name [env: TICDC_USER].
    #[arg(long, global = true, value_name = "string")]
    pub(crate) user: Option<String>,
    /// Password [env: TICDC_PASSWORD]; asked for if a user is named without one.
    #[arg(long, global = true, value_name = "string")]
    pub(crate) password: Option<String>,
}

impl Connection {
    /// Certificates for the server and PD: of the flags, the environment, or the file of `configure-credentials`.
    pub(crate) fn security(&self) -> Result<Security, Failure> {
        let [ca, cert, key] =
            credentials::certificates([self.ca.as_ref(), self.cert.as_ref(), self.key.as_ref()]);
        Ok(Security::from_files(ca, cert, key)?)
    }

    /// Name and password, from the same places.
    fn login(&self) -> Result<Option<(String, String)>, Failure> {
        credentials::login(self.user.as_ref(), self.password.as_ref())
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
    /// Keep certificates, or name and password, in a file that the other commands read.
    ConfigureCredentials,
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
    match args.command {
        None => Err(Failure::usage("cli")),
        Some(CliCommand::ConfigureCredentials) => credentials::configure(),
        Some(CliCommand::Tso(command)) => tso::run(command, connection).await,
        Some(CliCommand::Capture(command)) => {
            capture::run(command, &ApiClient::connect(connection).await?).await
        }
        Some(CliCommand::Processor(command)) => capture::run_processor(command, connection).await,
        Some(CliCommand::Changefeed(command)) => changefeed::run(command, connection).await,
        Some(CliCommand::Unsafe(command)) => unsafe_commands::run(command, connection).await,
    }
}
