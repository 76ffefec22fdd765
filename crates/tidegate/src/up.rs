//! `tidegate up`: the local stack.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;

use crate::failure::Failure;
use crate::logging;
use crate::server::wait_for_signal;
use crate::stack::{Ports, Service, Stack, StackConfig};

/// Flags of `up`.
#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    /// Added to every port, so that several stacks can run side by side.
    #[arg(long, default_value_t = 0)]
    port_offset: u16,
    /// Folder that keeps the data; without it the data goes to a temporary folder that is removed at exit.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Start only these services: pd, tikv, tidb, kafka, capture. The others must run elsewhere on the usual ports.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Service>,
    /// Do not start these services.
    #[arg(long, value_delimiter = ',', conflicts_with = "only")]
    without: Vec<Service>,
    /// Approximate size of a region at which it is split, bytes.
    #[arg(long)]
    region_split_size: Option<u64>,
    /// How often the store sends resolved timestamps, milliseconds; up to a second with 100,000 tables.
    #[arg(long)]
    resolved_ts_interval_ms: Option<u64>,
    /// Time zone in which the capture writes TIMESTAMP values.
    #[arg(long, default_value = "UTC")]
    tz: String,
    /// Log level: debug, info, warn, error.
    #[arg(long, default_value = "warn")]
    log_level: String,
    /// Log file; standard error without it.
    #[arg(long)]
    log_file: Option<String>,
}

/// Runs the stack until a signal comes.
pub(crate) async fn run(args: UpArgs) -> Result<(), Failure> {
    let set_log_level = logging::start(&args.log_level, args.log_file.as_deref())?;
    let (data_dir, temporary) = match args.data_dir {
        Some(dir) => (dir, None),
        None => {
            let dir = tempfile::Builder::new().prefix("tidegate-").tempdir()?;
            println!(
                "Data goes to {} and is removed at exit; use --data-dir DIR to keep it.",
                dir.path().display()
            );
            (dir.path().to_owned(), Some(dir))
        }
    };
    let services = Service::ALL
        .into_iter()
        .filter(|service| {
            if args.only.is_empty() { !args.without.contains(service) } else { args.only.contains(service) }
        })
        .collect();
    let config = StackConfig {
        host: args.host,
        ports: Ports::with_offset(args.port_offset)?,
        data_dir,
        services,
        region_split_size: args.region_split_size,
        resolved_ts_interval_ms: args.resolved_ts_interval_ms,
        time_zone: args.tz,
        set_log_level,
    };
    let started = std::time::Instant::now();
    let stack = Stack::start(config).await?;
    println!("{}", stack.how_to_connect());
    println!("Ready in {:.1} s. Ctrl-C stops it.", started.elapsed().as_secs_f64());
    wait_for_signal().await;
    println!("Stopping.");
    stack.shutdown().await;
    if let Some(dir) = temporary {
        dir.close()?;
    }
    Ok(())
}
