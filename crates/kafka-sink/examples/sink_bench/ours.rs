//! Our side: sends through the crate, and reads back.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use kafka_sink::{Acknowledge, Producer, ProducerConfig, SinkError};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use crate::Figure;
use crate::messages::Rows;

/// Most bytes in flight: that of a changefeed.
const IN_FLIGHT: usize = 64 << 20;
/// Longest pause between two looks at what is in flight.
const POLL: Duration = Duration::from_millis(100);
/// Longest silence of a broker.
const PATIENCE: Duration = Duration::from_secs(120);

/// Counts what is acknowledged.
struct Tally {
    /// Acknowledged messages.
    count: AtomicU64,
    /// Something was not delivered.
    failed: AtomicBool,
    /// Who sends.
    sender: std::thread::Thread,
}

impl Acknowledge for Tally {
    fn acknowledge(&self, _bytes: usize, result: Result<(), SinkError>) {
        self.count.fetch_add(1, Ordering::AcqRel);
        if result.is_err() {
            self.failed.store(true, Ordering::Release);
        }
        self.sender.unpark();
    }
}

/// Time of the processors that this process used so far.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11);
    let mut ticks = || fields.next().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    // A hundred ticks a second, on every Linux.
    Duration::from_millis((ticks() + ticks()) * 10)
}

/// Sends rows to partitions in turn.
pub(crate) fn send(
    config: &ProducerConfig,
    topic: &str,
    rows: u64,
    size: usize,
    partitions: i32,
) -> Result<Figure, Box<dyn Error>> {
    let tally = Arc::new(Tally {
        count: AtomicU64::new(0),
        failed: AtomicBool::new(false),
        sender: std::thread::current(),
    });
    let producer = Producer::new(config, || {})?;
    let mut maker = Rows::new(size);
    let (start, cpu_before) = (Instant::now(), cpu());
    let partitions = partitions.unsigned_abs();
    for number in 0..rows {
        while producer.in_flight_bytes() >= IN_FLIGHT {
            std::thread::park_timeout(POLL);
        }
        let partition = i32::try_from(number % u64::from(partitions))?;
        producer.send(topic, partition, Some(&[]), maker.row(number), Arc::clone(&tally))?;
    }
    while tally.count.load(Ordering::Acquire) < rows {
        std::thread::park_timeout(POLL);
    }
    let figure = Figure { time: start.elapsed(), cpu: cpu().saturating_sub(cpu_before) };
    producer.close();
    if tally.failed.load(Ordering::Acquire) {
        return Err("a message was not delivered".into());
    }
    Ok(figure)
}

/// A consumer.
fn consumer(brokers: &str) -> Result<BaseConsumer, Box<dyn Error>> {
    Ok(ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "sink-bench")
        .set("enable.auto.commit", "false")
        .set("queued.max.messages.kbytes", "65536")
        .create()?)
}

/// The partitions together hold so many messages.
pub(crate) fn check_count(
    brokers: &str,
    topic: &str,
    rows: u64,
    partitions: i32,
) -> Result<(), Box<dyn Error>> {
    let consumer = consumer(brokers)?;
    let mut count = 0;
    for partition in 0..partitions {
        let (first, end) = consumer.fetch_watermarks(topic, partition, PATIENCE)?;
        count += u64::try_from(end - first)?;
    }
    if count == rows { Ok(()) } else { Err(format!("{topic} holds {count} messages, not {rows}").into()) }
}

/// Every partition holds its rows, all of them, in order.
pub(crate) fn check(brokers: &str, topic: &str, rows: u64, partitions: i32) -> Result<(), Box<dyn Error>> {
    check_count(brokers, topic, rows, partitions)?;
    let consumer = consumer(brokers)?;
    let mut assignment = TopicPartitionList::new();
    for partition in 0..partitions {
        assignment.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;
    let step = u64::from(partitions.unsigned_abs());
    let mut expected: Vec<u64> = (0..step).collect();
    let mut last = Instant::now();
    let mut seen = 0;
    while seen < rows {
        let Some(message) = consumer.poll(POLL) else {
            if last.elapsed() > PATIENCE {
                return Err(format!("only {seen} of {rows} messages of {topic} come back").into());
            }
            continue;
        };
        let message = message?;
        last = Instant::now();
        let number = message.payload().and_then(Rows::number);
        let next =
            usize::try_from(message.partition()).ok().and_then(|partition| expected.get_mut(partition));
        match (number, next) {
            (Some(number), Some(next)) if number == *next => *next += step,
            (number, next) => {
                return Err(
                    format!("{number:?} instead of {next:?} on partition {}", message.partition()).into()
                );
            }
        }
        seen += 1;
    }
    Ok(())
}
