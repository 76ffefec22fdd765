//! Kafka's own `ProducerPerformance`.

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use real_kafka::Cluster;

use crate::messages::{DIFFERENT, Rows};
use crate::{Args, Figure};

/// The tool.
const CLASS: &str = "org.apache.kafka.tools.ProducerPerformance";
/// Its heap.
const HEAP: &str = "-Xmx1g";
/// Memory of its producer for messages: ours is allowed as much in flight, bytes.
const BUFFER: usize = 64 << 20;

/// Sends as many messages of the same kind. The tool tells how long it took, from its first message to the last
/// acknowledgement.
pub(crate) fn send(
    cluster: &Cluster,
    folder: &Path,
    topic: &str,
    args: &Args,
    rows: u64,
    codec: &str,
) -> Result<Figure, Box<dyn Error>> {
    // The tool reads the file first, then takes its messages from it at random.
    let path = folder.join("messages.txt");
    let mut maker = Rows::new(args.size);
    let mut file = BufWriter::new(File::create(&path)?);
    for number in 0..DIFFERENT {
        file.write_all(maker.row(number))?;
        file.write_all(b"\n")?;
    }
    file.flush()?;
    let mut command = cluster.installation().tool(CLASS, HEAP);
    command.args(["--topic", topic, "--num-records", &rows.to_string(), "--throughput", "-1"]);
    command.arg("--payload-file").arg(&path).arg("--producer-props");
    command.arg(format!("bootstrap.servers={}", cluster.bootstrap()));
    command.arg(format!("acks={}", if args.acks == -1 { "all".to_owned() } else { args.acks.to_string() }));
    command.args([format!("compression.type={codec}"), format!("buffer.memory={BUFFER}")]);
    // As large batches and as long a wait for them as ours; its default of 16 KiB is slower.
    command.args(["batch.size=1048576", "linger.ms=5"]);
    let before = children_cpu();
    let output = command.output()?;
    let cpu = children_cpu().saturating_sub(before);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        return Err(format!("{text}\n{}", String::from_utf8_lossy(&output.stderr)).into());
    }
    // Its last line: `5000000 records sent, 450000.1 records/sec (128.7 MB/sec), …`.
    let last = text.lines().rev().find(|line| line.contains("records sent")).unwrap_or_default();
    let rate = last.split(", ").nth(1).and_then(|part| part.split(' ').next()?.parse::<f64>().ok());
    let rate = rate.filter(|rate| *rate > 0.0).ok_or_else(|| format!("no figure in: {text}"))?;
    Ok(Figure { time: Duration::from_secs_f64(rows as f64 / rate), cpu })
}

/// Time of the processors that ended children used.
fn children_cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(13);
    let mut ticks = || fields.next().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    // A hundred ticks a second, on every Linux.
    Duration::from_millis((ticks() + ticks()) * 10)
}
