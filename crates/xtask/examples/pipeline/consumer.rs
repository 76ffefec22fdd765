//! Reads the topic and compares every row with what was written.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::Message;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde::Deserialize;

use crate::table::{self, DATABASE, Row};
use xtask::Failure;

/// Longest time without any message while rows are missing.
const SILENCE_LIMIT: Duration = Duration::from_secs(60);
/// Longest wait of one poll.
const POLL: Duration = Duration::from_millis(200);
/// Longest wait for the list of partitions.
const METADATA_LIMIT: Duration = Duration::from_secs(10);
/// Wrong rows that are shown.
const SHOWN_PROBLEMS: usize = 10;
/// Bits of a timestamp that are below the milliseconds.
const LOGICAL_BITS: u32 = 18;

/// A Canal-JSON message, as far as it is checked.
#[derive(Debug, Deserialize)]
struct Event<'a> {
    /// Database.
    #[serde(borrow, default)]
    database: &'a str,
    /// Table.
    #[serde(borrow, default)]
    table: &'a str,
    /// Kind.
    #[serde(rename = "type", default)]
    kind: &'a str,
    /// Rows.
    data: Option<Vec<BTreeMap<&'a str, Option<&'a str>>>>,
    /// Extension of TiDB.
    #[serde(rename = "_tidb")]
    tidb: Option<Extension>,
}

/// The extension of TiDB.
#[derive(Debug, Deserialize)]
struct Extension {
    /// Commit timestamp.
    #[serde(rename = "commitTs")]
    commit_ts: Option<u64>,
}

/// What was received of a phase of the benchmark.
#[derive(Debug, Default)]
pub(crate) struct Received {
    /// First id of the phase.
    first: u64,
    /// For each id how often it came.
    seen: Vec<u8>,
    /// Rows that came at least once.
    pub(crate) rows: u64,
    /// Rows that came again.
    pub(crate) duplicates: u64,
    /// Bytes of keys and values of all messages of the phase.
    pub(crate) bytes: u64,
    /// From commit to receipt, milliseconds; the clock of both is this machine's.
    pub(crate) latencies: Vec<u64>,
    /// When the last row came.
    pub(crate) last: Option<Instant>,
    /// Rows that are not what was written.
    problems: Vec<String>,
    /// How many these are.
    wrong: u64,
}

impl Received {
    /// Expects the rows with these ids.
    pub(crate) fn expecting(ids: std::ops::Range<u64>) -> Self {
        let length = usize::try_from(ids.end.saturating_sub(ids.start)).unwrap_or(0);
        Self { first: ids.start, seen: vec![0; length], ..Self::default() }
    }

    /// True if every row came.
    fn complete(&self) -> bool {
        self.rows == self.seen.len() as u64
    }

    /// Takes a row.
    fn take(&mut self, values: &BTreeMap<&str, Option<&str>>) {
        let value = |name: &str| values.get(name).copied().flatten();
        let id = value("id").and_then(|id| id.parse::<u64>().ok());
        let place = id.and_then(|id| usize::try_from(id.checked_sub(self.first)?).ok());
        let Some((id, count)) = id.zip(place.and_then(|place| self.seen.get_mut(place))) else {
            return self.refuse(format!("a row that was not written: {values:?}"));
        };
        let row = Row::of(id);
        let k = row.k.to_string();
        let expected = [("k", k.as_str()), ("c", row.c.as_str()), ("pad", row.pad.as_str())];
        *count = count.saturating_add(1);
        if *count == 1 {
            self.rows += 1;
        } else {
            self.duplicates += 1;
        }
        if values.len() != 4 || expected.iter().any(|(name, text)| value(name) != Some(text)) {
            self.refuse(format!("row {id} is not what was written: {values:?}"));
        }
    }

    /// Notes a wrong row.
    fn refuse(&mut self, problem: String) {
        self.wrong += 1;
        if self.problems.len() < SHOWN_PROBLEMS {
            self.problems.push(problem);
        }
    }

    /// The parity check: every row came, each with its content.
    pub(crate) fn verify(&self) -> Result<(), Failure> {
        if self.complete() && self.wrong == 0 {
            return Ok(());
        }
        let missing = self.seen.len() as u64 - self.rows;
        let shown = self.problems.join("\n");
        Err(Failure::check(format!(
            "output is not input: {missing} rows missing, {} rows wrong\n{shown}",
            self.wrong
        )))
    }
}

/// Reads all partitions of the topic from the beginning, without a group.
pub(crate) struct Consumer {
    /// Client.
    client: BaseConsumer,
}

impl Consumer {
    /// Connects and finds the partitions.
    pub(crate) fn open(port: u16, topic: &str) -> Result<Self, Failure> {
        let client: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", format!("127.0.0.1:{port}"))
            .set("group.id", "tidegate-bench")
            .set("enable.auto.commit", "false")
            .set("fetch.queue.backoff.ms", "10")
            .create()
            .map_err(kafka)?;
        let metadata = client.fetch_metadata(Some(topic), METADATA_LIMIT).map_err(kafka)?;
        let partitions: Vec<i32> = metadata
            .topics()
            .iter()
            .filter(|found| found.name() == topic)
            .flat_map(|found| found.partitions().iter().map(rdkafka::metadata::MetadataPartition::id))
            .collect();
        if partitions.is_empty() {
            return Err(Failure::check(format!("topic {topic} has no partitions")));
        }
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition_offset(topic, partition, Offset::Beginning).map_err(kafka)?;
        }
        client.assign(&list).map_err(kafka)?;
        Ok(Self { client })
    }

    /// Reads until every row came. Fails when nothing comes any more; rows are judged by [`Received::verify`].
    pub(crate) fn receive(&self, received: &mut Received) -> Result<(), Failure> {
        let mut heard = Instant::now();
        while !received.complete() {
            let Some(message) = self.client.poll(POLL) else {
                if heard.elapsed() > SILENCE_LIMIT {
                    break;
                }
                continue;
            };
            let message = message.map_err(kafka)?;
            heard = Instant::now();
            let value = message.payload().unwrap_or_default();
            let event = event(value)?;
            if event.kind != "INSERT" || event.database != DATABASE || !table::is_name(event.table) {
                continue;
            }
            received.bytes += (value.len() + message.key().map_or(0, <[u8]>::len)) as u64;
            received.latencies.extend(event.tidb.and_then(|tidb| tidb.commit_ts).and_then(since_commit));
            for row in event.data.iter().flatten() {
                received.take(row);
            }
            received.last = Some(heard);
        }
        Ok(())
    }

    /// Counts inserted rows of a table until there are `expected` or nothing comes any more.
    pub(crate) fn count_inserts(&self, database: &str, expected: u64) -> Result<u64, Failure> {
        let mut heard = Instant::now();
        let mut count = 0;
        while count < expected && heard.elapsed() <= SILENCE_LIMIT {
            let Some(message) = self.client.poll(POLL) else { continue };
            let message = message.map_err(kafka)?;
            let event = event(message.payload().unwrap_or_default())?;
            if event.kind == "INSERT" && event.database == database {
                heard = Instant::now();
                count += event.data.map_or(0, |rows| rows.len() as u64);
            }
        }
        Ok(count)
    }
}

/// A problem of the Kafka client.
fn kafka(error: KafkaError) -> Failure {
    Failure::connection("Kafka")(error)
}

/// Reads a message.
fn event(value: &[u8]) -> Result<Event<'_>, Failure> {
    serde_json::from_slice(value).map_err(Failure::connection("a message that is not Canal-JSON"))
}

/// Milliseconds since the commit, by the clock of this machine.
fn since_commit(commit_ts: u64) -> Option<u64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_millis();
    u64::try_from(now).ok().map(|now| now.saturating_sub(commit_ts >> LOGICAL_BITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(received: &mut Received, id: u64, c: &str) {
        let row = Row::of(id);
        let (id, k) = (row.id.to_string(), row.k.to_string());
        let c = if c.is_empty() { row.c.as_str() } else { c };
        let values = [("id", id.as_str()), ("k", &k), ("c", c), ("pad", &row.pad)];
        received.take(&values.into_iter().map(|(name, text)| (name, Some(text))).collect());
    }

    #[test]
    fn parity_holds_only_if_every_row_came_with_its_content() {
        let mut received = Received::expecting(5..7);
        take(&mut received, 5, "");
        assert!(received.verify().unwrap_err().to_string().contains("1 rows missing"));
        take(&mut received, 6, "");
        take(&mut received, 6, "");
        assert!(received.verify().is_ok());
        assert_eq!((received.rows, received.duplicates), (2, 1));
        take(&mut received, 6, "other");
        assert!(received.verify().unwrap_err().to_string().contains("1 rows wrong"));
    }

    #[test]
    fn rows_outside_of_the_phase_are_wrong() {
        let mut received = Received::expecting(5..6);
        take(&mut received, 5, "");
        take(&mut received, 9, "");
        assert!(received.verify().is_err());
    }

    #[test]
    fn a_message_gives_its_rows_and_commit_ts() {
        let text = br#"{"id":0,"database":"bench","table":"sbtest1","type":"INSERT","es":1,"data":[{"id":"1","k":null}],
            "old":null,"_tidb":{"commitTs":470640251767619593}}"#;
        let event: Event<'_> = serde_json::from_slice(text).unwrap();
        assert_eq!(event.tidb.unwrap().commit_ts, Some(470_640_251_767_619_593));
        assert_eq!(event.data.unwrap()[0]["id"], Some("1"));
    }
}
