//! Reading the topic: its last watermark, then every message.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use changefeed::ClaimCheckReader;
use rdkafka::Message as _;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tidb_schema::SchemaSnapshot;

use crate::error::VerifyError;
use crate::history::Observation;
use crate::ledger::{Ledger, Types, row_key};
use crate::lineage::TopicDdl;
use crate::message::{Message, RowMessage};

/// Longest time for an answer about the topic.
const METADATA_LIMIT: Duration = Duration::from_secs(10);
/// Pause before a partition whose leader has just changed is asked again.
const ELECTION_PAUSE: Duration = Duration::from_millis(100);
/// Longest wait of one poll.
const POLL: Duration = Duration::from_millis(200);
/// Longest time without any message while some are missing.
const SILENCE_LIMIT: Duration = Duration::from_secs(60);
/// Messages at the end of a partition in which its last watermark is looked for first; then twice as many, and so on.
const FIRST_TAIL: i64 = 1024;
/// Name under which brokers see the client.
const CLIENT_ID: &str = "tidegate-verify";

/// A partition with the offsets that it had when the topic was opened.
#[derive(Debug, Clone, Copy)]
struct Partition {
    /// Number.
    id: i32,
    /// First offset.
    low: i64,
    /// Offset behind the last message.
    high: i64,
}

/// A topic as it was when it was opened.
pub(crate) struct Topic {
    /// Client.
    client: BaseConsumer,
    /// Name.
    name: String,
    /// Partitions.
    partitions: Vec<Partition>,
}

/// What a topic holds beside rows.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// DDLs, each once.
    pub(crate) ddls: Vec<TopicDdl>,
    /// Types of messages.
    pub(crate) types: Types,
    /// Messages about rows.
    pub(crate) row_messages: u64,
    /// Watermarks that went back: partition and offset.
    pub(crate) regressed: Vec<(i32, i64)>,
    /// Tables that messages speak of, in lower case.
    mentioned: HashSet<(String, String)>,
}

impl Contents {
    /// True if the topic speaks of a table.
    pub(crate) fn mentions(&self, database: &str, table: &str) -> bool {
        self.mentioned.contains(&(database.to_lowercase(), table.to_lowercase()))
    }
}

/// First offset of a partition and the one behind its last message. Blocks. A leader that has just been elected cannot
/// tell them yet, and is asked again.
fn offsets(client: &BaseConsumer, topic: &str, partition: i32) -> Result<(i64, i64), KafkaError> {
    use RDKafkaErrorCode::{LeaderNotAvailable, NotLeaderForPartition, OffsetNotAvailable};
    let started = Instant::now();
    loop {
        match client.fetch_watermarks(topic, partition, METADATA_LIMIT) {
            Err(error)
                if started.elapsed() < METADATA_LIMIT
                    && matches!(
                        error.rdkafka_error_code(),
                        Some(LeaderNotAvailable | NotLeaderForPartition | OffsetNotAvailable)
                    ) =>
            {
                std::thread::sleep(ELECTION_PAUSE);
            }
            answer => return answer,
        }
    }
}

impl Topic {
    /// Connects and looks at the topic. Blocks.
    pub(crate) fn open(brokers: &str, name: &str) -> Result<Self, VerifyError> {
        let client: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("client.id", CLIENT_ID)
            .set("group.id", CLIENT_ID)
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("allow.auto.create.topics", "false")
            .set("isolation.level", "read_committed")
            .create()?;
        let metadata = client.fetch_metadata(Some(name), METADATA_LIMIT)?;
        let found = metadata.topics().iter().find(|topic| topic.name() == name && topic.error().is_none());
        let ids: Vec<i32> =
            found.map_or_else(Vec::new, |topic| topic.partitions().iter().map(|part| part.id()).collect());
        if ids.is_empty() {
            return Err(VerifyError::NoTopic(name.to_owned()));
        }
        let mut partitions = Vec::new();
        for id in ids {
            let (low, high) = offsets(&client, name, id)?;
            partitions.push(Partition { id, low, high });
        }
        Ok(Self { client, name: name.to_owned(), partitions })
    }

    /// The smallest of the partitions' last watermarks: everything up to it is in the topic. Blocks.
    pub(crate) fn last_watermark(&self) -> Result<u64, VerifyError> {
        let mut smallest = u64::MAX;
        for partition in &self.partitions {
            let mut tail = FIRST_TAIL;
            let found = loop {
                let low = partition.high.saturating_sub(tail).max(partition.low);
                let mut last = None;
                self.read(&[Partition { low, ..*partition }], |_, _, bytes| {
                    if let Ok(Message::Watermark(ts)) = Message::parse(bytes) {
                        last = Some(ts);
                    }
                    Ok(())
                })?;
                if last.is_some() || low == partition.low {
                    break last;
                }
                tail = tail.saturating_mul(2);
            };
            let missing = || VerifyError::NoWatermark { topic: self.name.clone(), partition: partition.id };
            smallest = smallest.min(found.ok_or_else(missing)?);
        }
        Ok(smallest)
    }

    /// Reads the whole topic into the ledger. Blocks.
    pub(crate) fn read_into(
        &self,
        ledger: &Ledger,
        schema: &SchemaSnapshot,
        stored: Option<&ClaimCheckReader>,
    ) -> Result<Contents, VerifyError> {
        let mut contents = Contents::default();
        let mut ddls = BTreeSet::new();
        let mut watermarks: HashMap<i32, u64> = HashMap::new();
        self.read(&self.partitions, |partition, offset, bytes| {
            let fail = |reason| VerifyError::Message { partition, offset, reason };
            let message = Message::parse(bytes).map_err(fail)?;
            match whole(message, stored)?.map_err(fail)? {
                Message::Watermark(ts) => {
                    let last = watermarks.entry(partition).or_default();
                    if ts < *last {
                        contents.regressed.push((partition, offset));
                    }
                    *last = ts.max(*last);
                }
                Message::Ddl(ddl) => {
                    contents.mentioned.insert((ddl.database.to_lowercase(), ddl.table.to_lowercase()));
                    ddls.insert(TopicDdl {
                        commit_ts: ddl.commit_ts,
                        database: ddl.database,
                        table: ddl.table,
                        sql: ddl.sql,
                    });
                }
                Message::Row(row) => {
                    contents.mentioned.insert((row.database.to_lowercase(), row.table.to_lowercase()));
                    contents.row_messages += 1;
                    let seen = Observation {
                        partition,
                        offset,
                        commit_ts: row.commit_ts,
                        present: row.present,
                        behind_watermark: watermarks.get(&partition).is_some_and(|ts| row.commit_ts <= *ts),
                    };
                    let types = contents.types.number(&row.types);
                    let key = key_of(&row, schema).map_err(fail)?;
                    ledger.put_message(&row, &key, seen, types)?;
                }
            }
            Ok(())
        })?;
        contents.ddls = ddls.into_iter().collect();
        Ok(contents)
    }

    /// Reads partitions from their first to their last offset.
    fn read(
        &self,
        partitions: &[Partition],
        mut take: impl FnMut(i32, i64, &[u8]) -> Result<(), VerifyError>,
    ) -> Result<(), VerifyError> {
        let mut open: HashMap<i32, i64> =
            partitions.iter().filter(|part| part.high > part.low).map(|part| (part.id, part.high)).collect();
        let mut assignment = TopicPartitionList::new();
        for part in partitions.iter().filter(|part| open.contains_key(&part.id)) {
            assignment.add_partition_offset(&self.name, part.id, Offset::Offset(part.low))?;
        }
        self.client.assign(&assignment)?;
        let mut heard = Instant::now();
        while let Some(partition) = open.keys().next().copied() {
            match self.client.poll(POLL) {
                None if heard.elapsed() > SILENCE_LIMIT => {
                    return Err(VerifyError::Silence { seconds: SILENCE_LIMIT.as_secs(), partition });
                }
                None => {}
                // The end of a partition, also where transactions leave gaps before it.
                Some(Err(KafkaError::PartitionEOF(id))) => {
                    open.remove(&id);
                }
                Some(Err(error)) => return Err(error.into()),
                Some(Ok(message)) => {
                    heard = Instant::now();
                    let (id, offset) = (message.partition(), message.offset());
                    let Some(high) = open.get(&id).copied() else { continue };
                    if offset < high {
                        take(id, offset, message.payload().unwrap_or_default())?;
                    }
                    if offset + 1 >= high {
                        open.remove(&id);
                    }
                }
            }
        }
        Ok(())
    }
}

/// The whole of a message of which there is only a reference in the topic, if it is known where such messages are.
fn whole(
    message: Message,
    stored: Option<&ClaimCheckReader>,
) -> Result<Result<Message, String>, VerifyError> {
    let (Message::Row(reference), Some(stored)) = (&message, stored) else { return Ok(Ok(message)) };
    let Some(location) = &reference.stored_at else { return Ok(Ok(message)) };
    // The topic is read on a thread where that may block.
    let read = tokio::runtime::Handle::current().block_on(stored.read(location));
    let bytes = read.map_err(VerifyError::Storage)?;
    Ok(match Message::parse(&bytes) {
        Ok(Message::Row(row)) if row.commit_ts == reference.commit_ts && !row.partial => {
            Ok(Message::Row(row))
        }
        Ok(_) => Err(format!("does not belong to what is stored at {location}")),
        Err(reason) => Err(format!("is stored at {location}, where something {reason}")),
    })
}

/// The key of a message's row: its primary key, or the columns by which TiDB tells rows apart.
pub(crate) fn key_of(row: &RowMessage, schema: &SchemaSnapshot) -> Result<Vec<u8>, String> {
    let unique;
    let names: Vec<&str> = if row.primary_key.is_empty() {
        unique = schema.table_by_name(&row.database, &row.table).cloned();
        let table = unique.as_deref();
        let mut positions = table.map_or_else(Vec::new, |table| table.handle_key.columns.clone());
        positions.sort_unstable();
        let columns = table.map_or(&[][..], |table| table.info.columns.as_slice());
        positions.iter().filter_map(|at| columns.get(*at)).map(|column| column.name.o.as_str()).collect()
    } else {
        row.primary_key.iter().map(String::as_str).collect()
    };
    let mut values = Vec::with_capacity(names.len());
    for name in names {
        let value = row.data.get(name).ok_or_else(|| format!("lacks its key column {name}"))?;
        values.push(value.as_deref());
    }
    Ok(row_key(values))
}
