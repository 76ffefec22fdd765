//! `tidegate tap`: the events of a changefeed as they come, without Kafka.

use std::io::Write;
use std::path::PathBuf;

use changefeed::{Tap, TapRequest};
use changefeed_config::ReplicaConfig;
use clap::{Args, ValueEnum};
use tikv_client::{PdClient, Security};

use crate::consume::event::Event;
use crate::consume::{Style, lines};
use crate::failure::Failure;
use crate::server::{time_zone, wait_for_signal};

/// How events are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The message that a changefeed would send, with the TiDB extension, one per line.
    CanalJson,
    /// A line per row: time, operation, table, key, changed columns.
    Table,
}

/// Flags of `tap`.
#[derive(Debug, Args)]
pub(crate) struct TapArgs {
    /// PD endpoints, several separated by ','.
    #[arg(long, default_value = "http://127.0.0.1:2379", value_delimiter = ',')]
    pd: Vec<String>,
    /// Configuration file of a changefeed: its filters and column selectors count.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Tables, as filter rules such as 'shop.*'; may be repeated. They take the place of filter.rules.
    #[arg(long = "table", value_name = "RULE")]
    tables: Vec<String>,
    /// Changes after this ts; without it, from now on.
    #[arg(long, default_value_t = 0)]
    start_ts: u64,
    /// Stop after so many events.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// How to print events.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Time zone in which TIMESTAMP values are written.
    #[arg(long, default_value = "System")]
    tz: String,
    /// Replicate tables without a primary or not-null unique key, too.
    #[arg(long)]
    force_replicate: bool,
    /// CA certificate.
    #[arg(long)]
    ca: Option<PathBuf>,
    /// Certificate.
    #[arg(long)]
    cert: Option<PathBuf>,
    /// Private key.
    #[arg(long)]
    key: Option<PathBuf>,
}

/// The configuration that the flags stand for.
fn config(args: &TapArgs) -> Result<ReplicaConfig, Failure> {
    let mut config = match &args.config {
        Some(path) => {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path)
                .map_err(|e| Failure::new(format!("cannot read the configuration file {name}: {e}")))?;
            ReplicaConfig::from_toml(&text, &name).map_err(Failure::new)?
        }
        None => ReplicaConfig::default(),
    };
    if !args.tables.is_empty() {
        config.filter.rules.clone_from(&args.tables);
    }
    config.force_replicate |= args.force_replicate;
    Ok(config)
}

/// Runs until a signal comes, the reader of standard output is gone, or `--limit` events were printed.
pub(crate) async fn run(args: TapArgs) -> Result<(), Failure> {
    let stop = wait_for_signal();
    tokio::pin!(stop);
    let work = tapping(&args);
    tokio::select! {
        biased;
        () = &mut stop => Ok(()),
        started = work => {
            let (mut tap, _scratch) = started?;
            let outcome = tokio::select! {
                biased;
                () = &mut stop => Ok(()),
                outcome = print_all(&args, &mut tap) => outcome,
            };
            tap.stop().await;
            outcome
        }
    }
}

/// Starts the tap; the folder of its spilled rows goes with the second part.
async fn tapping(args: &TapArgs) -> Result<(Tap, tempfile::TempDir), Failure> {
    let config = config(args)?;
    let time_zone = time_zone(&args.tz)?;
    let security = Security::from_files(args.ca.clone(), args.cert.clone(), args.key.clone())?;
    let pd = PdClient::connect(&args.pd, security).await?;
    let scratch = tempfile::tempdir()
        .map_err(|e| Failure::new(format!("cannot make a folder for rows that do not fit memory: {e}")))?;
    let request =
        TapRequest { pd, config, start_ts: args.start_ts, time_zone, scratch: scratch.path().to_path_buf() };
    let tap = Tap::start(request).await?;
    eprintln!("events after {} follow", tap.start_ts());
    Ok((tap, scratch))
}

/// Prints events until there were enough or nobody reads them.
async fn print_all(args: &TapArgs, tap: &mut Tap) -> Result<(), Failure> {
    let style = Style::of_stdout();
    let mut printed = 0;
    loop {
        let message = tap.next().await?;
        let text = match args.format {
            Format::CanalJson => [message.as_slice(), b"\n"].concat(),
            Format::Table => {
                let event = Event::parse(&message).map_err(|reason| Failure::new(reason.to_string()))?;
                lines(&event, style).into_iter().flat_map(|line| (line + "\n").into_bytes()).collect()
            }
        };
        let mut stdout = std::io::stdout().lock();
        match stdout.write_all(&text).and_then(|()| stdout.flush()) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        printed += 1;
        if args.limit.is_some_and(|limit| printed >= limit) {
            return Ok(());
        }
    }
}
