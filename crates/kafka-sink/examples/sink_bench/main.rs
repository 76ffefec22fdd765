//! Speed of the producer into the original Kafka, beside Kafka's own `ProducerPerformance`.
//!
//! `cargo run --release -p kafka-sink --example sink_bench -- --help`. Both send messages of the same texts, with the
//! same acknowledgements and compression, one after the other to topics of the same broker. Before a figure is printed,
//! ours are read back: each partition must hold all of its messages in order; of the tool's the offsets are compared.

mod java_tool;
mod messages;
mod ours;

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use kafka_sink::{Compression, ProducerConfig, TopicAdmin, TopicSpec};
use real_kafka::{Cluster, Installation, Settings, Version};

/// Before the first figure, one in this many messages is sent by each side that doesn't count: the broker compiles what
/// it does often, and whoever comes first would pay for that.
const WARM_UP: u64 = 2;

/// Flags.
#[derive(Debug, Parser)]
struct Args {
    /// Messages of each side.
    #[arg(long, default_value_t = 5_000_000)]
    rows: u64,
    /// Bytes of a message's value.
    #[arg(long, default_value_t = 300)]
    size: usize,
    /// Partitions.
    #[arg(long, default_value_t = 3)]
    partitions: i32,
    /// Codecs: none, gzip, snappy, lz4, zstd.
    #[arg(long, value_delimiter = ',', default_value = "none")]
    compression: Vec<Codec>,
    /// Acknowledgements: -1, 0 or 1.
    #[arg(long, default_value_t = -1, allow_hyphen_values = true)]
    acks: i16,
    /// How often each side sends, taking turns; the best of each is compared.
    #[arg(long, default_value_t = 2)]
    rounds: usize,
}

/// Codecs.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Codec {
    /// None.
    None,
    /// DEFLATE.
    Gzip,
    /// Snappy.
    Snappy,
    /// LZ4.
    Lz4,
    /// Zstandard.
    Zstd,
}

impl Codec {
    /// Name and value in the producer's settings.
    fn of(self) -> (&'static str, Compression) {
        match self {
            Self::None => ("none", Compression::None),
            Self::Gzip => ("gzip", Compression::Gzip),
            Self::Snappy => ("snappy", Compression::Snappy),
            Self::Lz4 => ("lz4", Compression::Lz4),
            Self::Zstd => ("zstd", Compression::Zstd),
        }
    }
}

/// What one side achieved.
#[derive(Debug, Clone, Copy)]
struct Figure {
    /// From the first message to the last acknowledgement.
    time: Duration,
    /// Time of the processors that the producing process used.
    cpu: Duration,
}

impl Figure {
    /// Prints it as rows and MB of values by second.
    fn print(self, who: &str, rows: u64, size: usize) {
        let seconds = self.time.as_secs_f64();
        let rate = rows as f64 / seconds;
        println!(
            "{who:<22} {rate:>10.0} rows/s {:>8.1} MB/s {seconds:>7.2} s, {:.2} s of CPU time",
            rate * size as f64 / 1e6,
            self.cpu.as_secs_f64()
        );
    }
}

/// Settings of the changefeed's producer.
fn config(brokers: &str, args: &Args, compression: Compression) -> ProducerConfig {
    ProducerConfig {
        brokers: brokers.to_owned(),
        client_id: "sink-bench".to_owned(),
        required_acks: args.acks,
        compression,
        max_message_bytes: 1 << 20,
        dial_timeout: Duration::from_secs(10),
        login: None,
        tls: None,
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let jars = std::env::current_exe()?;
    let jars = jars.ancestors().nth(3).unwrap_or(Path::new(".")).join("kafka");
    let installation = Installation::below(&jars, Version::V4)?;
    let folder = tempfile::tempdir()?;
    let mut settings = Settings::new(Version::V4, folder.path());
    settings.for_throughput = true;
    let cluster = Cluster::start(installation, settings)?;
    println!(
        "{} messages of {} bytes, {} partitions, acks {}, Kafka {}",
        args.rows,
        args.size,
        args.partitions,
        args.acks,
        Version::V4.release()
    );
    for codec in &args.compression {
        compare(&args, *codec, &cluster, folder.path())?;
    }
    Ok(())
}

/// Both sides with one codec.
fn compare(args: &Args, codec: Codec, cluster: &Cluster, folder: &Path) -> Result<(), Box<dyn Error>> {
    let (name, compression) = codec.of();
    println!("\ncompression {name}");
    let config = config(&cluster.bootstrap(), args, compression);
    let admin = TopicAdmin::new(&config)?;
    let spec = TopicSpec { partitions: Some(args.partitions), replication_factor: 1, auto_create: true };
    let warm = format!("warm-{name}");
    admin.ensure(&warm, spec)?;
    let few = args.rows / WARM_UP;
    ours::send(&config, &warm, few, args.size, args.partitions)?;
    java_tool::send(cluster, folder, &warm, args, few, name)?;
    cluster.tool("org.apache.kafka.tools.TopicCommand", &["--delete", "--topic", &warm])?;
    let (mut best, mut best_java) = (None::<Figure>, None::<Figure>);
    let better = |old: Option<Figure>, new: Figure| match old {
        Some(old) if old.time <= new.time => Some(old),
        _ => Some(new),
    };
    for round in 0..args.rounds.max(1) {
        for ours in [round % 2 == 0, round % 2 != 0] {
            let side = if ours { "ours" } else { "java" };
            let topic = format!("{side}-{name}-{round}");
            admin.ensure(&topic, spec)?;
            let figure = if ours {
                let figure = ours::send(&config, &topic, args.rows, args.size, args.partitions)?;
                ours::check(&config.brokers, &topic, args.rows, args.partitions)?;
                best = better(best, figure);
                figure
            } else {
                let figure = java_tool::send(cluster, folder, &topic, args, args.rows, name)?;
                ours::check_count(&config.brokers, &topic, args.rows, args.partitions)?;
                best_java = better(best_java, figure);
                figure
            };
            figure.print(&topic, args.rows, args.size);
            // The disk is needed for the next.
            cluster.tool("org.apache.kafka.tools.TopicCommand", &["--delete", "--topic", &topic])?;
        }
    }
    if let (Some(best), Some(java)) = (best, best_java) {
        println!(
            "ratio to the Java tool, best of each: {:.2}",
            java.time.as_secs_f64() / best.time.as_secs_f64()
        );
    }
    Ok(())
}
