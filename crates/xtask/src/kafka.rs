//! `cargo xtask kafka`: the original Kafka on this machine.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use real_kafka::{Cluster, Installation, PASSWORD, Settings, USER, Version, pids, stop_all};
use xtask::{Failure, workspace};

/// What to do with Kafka.
#[derive(Debug, Subcommand)]
pub(crate) enum KafkaCommand {
    /// Fetch it with Maven if it is not there, start it, wait until it answers.
    Up(UpArgs),
    /// Stop what `up` started.
    Down(FolderArgs),
    /// Show the processes.
    Status(FolderArgs),
}

/// Release lines.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Line {
    /// With ZooKeeper or KRaft.
    #[value(name = "3.9")]
    V3_9,
    /// KRaft only.
    #[value(name = "4")]
    V4,
}

/// Where it keeps its files.
#[derive(Debug, Args)]
pub(crate) struct FolderArgs {
    /// Folder of configuration, data and logs [default: kafka/run in the folder of build output].
    #[arg(long)]
    dir: Option<PathBuf>,
}

impl FolderArgs {
    /// The folder, absolute.
    fn folder(&self) -> Result<PathBuf, Failure> {
        let folder = self.dir.clone().unwrap_or_else(|| jars().join("run"));
        std::path::absolute(&folder).map_err(Failure::file(&folder))
    }
}

/// Flags of `up`.
#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// Release line.
    #[arg(long, default_value = "4")]
    version: Line,
    /// Keep metadata in ZooKeeper (3.9 only).
    #[arg(long)]
    zookeeper: bool,
    /// Number of brokers.
    #[arg(long, default_value_t = 1)]
    brokers: usize,
    /// Add listeners with TLS, with and without client certificates.
    #[arg(long)]
    tls: bool,
    /// Add listeners with SASL: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512.
    #[arg(long)]
    sasl: bool,
    /// Port of the first broker; 0 takes a free one.
    #[arg(long, default_value_t = 9092)]
    port: u16,
    /// Port of ZooKeeper; 0 takes a free one.
    #[arg(long, default_value_t = 2181)]
    zookeeper_port: u16,
    /// Files.
    #[command(flatten)]
    folder: FolderArgs,
}

/// Folder of the jars.
pub(crate) fn jars() -> PathBuf {
    workspace::target_dir().join("kafka")
}

/// A failure of Kafka's.
pub(crate) fn failure(error: real_kafka::KafkaError) -> Failure {
    Failure::check(error.to_string())
}

/// Runs the command.
pub(crate) fn run(command: &KafkaCommand) -> Result<(), Failure> {
    match command {
        KafkaCommand::Up(args) => up(args),
        KafkaCommand::Down(args) => {
            let stopped = stop_all(&args.folder()?).map_err(failure)?;
            println!("{stopped} processes stopped");
            Ok(())
        }
        KafkaCommand::Status(args) => {
            for (name, pid, runs) in pids(&args.folder()?).map_err(failure)? {
                println!("{name:<12} {pid:>8}  {}", if runs { "runs" } else { "is gone" });
            }
            Ok(())
        }
    }
}

/// Starts a cluster that runs on.
fn up(args: &UpArgs) -> Result<(), Failure> {
    let version = match args.version {
        Line::V3_9 => Version::V3_9,
        Line::V4 => Version::V4,
    };
    let folder = args.folder.folder()?;
    if folder.is_dir() && pids(&folder).map_err(failure)?.iter().any(|(_, _, runs)| *runs) {
        return Err(Failure::check(format!(
            "a Kafka runs in {} already; `kafka down` first",
            folder.display()
        )));
    }
    let installation = Installation::below(&jars(), version).map_err(failure)?;
    let settings = Settings {
        zookeeper: args.zookeeper,
        brokers: args.brokers,
        tls: args.tls,
        sasl: args.sasl,
        port: args.port,
        zookeeper_port: args.zookeeper_port,
        ..Settings::new(version, &folder)
    };
    let cluster = Cluster::start(installation, settings).map_err(failure)?;
    println!("Kafka {} in {}", version.release(), folder.display());
    println!("plaintext       {}", cluster.bootstrap());
    if let Some(files) = cluster.certificates() {
        println!("TLS             {}  ca={}", cluster.tls(), files.ca.display());
        let (cert, key) = (files.client.display(), files.client_key.display());
        println!("mutual TLS      {}  cert={cert} key={key}", cluster.mutual_tls());
    }
    if args.sasl {
        println!("SASL            {}  user={USER} password={PASSWORD}", cluster.sasl());
    }
    if args.sasl && args.tls {
        println!("SASL over TLS   {}", cluster.sasl_tls());
    }
    cluster.detach();
    Ok(())
}
