//! A list in place of Kafka.

use std::collections::HashMap;
use std::sync::Arc;

use kafka_sink::Acknowledge as _;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::Notify;

use crate::FeedError;
use crate::progress::Parcel;
use crate::sink::{Sink, Trouble};

/// A message that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Key of the record.
    pub key: Option<Vec<u8>>,
    /// Value of the record.
    pub value: Vec<u8>,
}

/// What was sent so far.
#[derive(Default)]
struct State {
    /// Messages in order. Bounded by what is on the tape.
    messages: Vec<Delivered>,
    /// Topics with their partitions.
    topics: HashMap<String, i32>,
    /// The last watermark by topic and partition.
    watermarks: HashMap<(String, i32), u64>,
}

/// Keeps messages and acknowledges them at once.
pub(super) struct MemorySink {
    /// Partitions of every topic.
    partitions: i32,
    /// What was sent.
    state: Mutex<State>,
    /// Signals a watermark.
    watermark: Notify,
}

impl MemorySink {
    /// An empty list.
    pub(super) fn new(default_topic: &str, partitions: i32) -> Self {
        let topics = HashMap::from([(default_topic.to_owned(), partitions)]);
        Self { partitions, state: Mutex::new(State { topics, ..State::default() }), watermark: Notify::new() }
    }

    /// Takes the messages out.
    pub(super) fn take(&self) -> Vec<Delivered> {
        std::mem::take(&mut self.state.lock().messages)
    }

    /// Waits until every partition has a watermark at or past `ts`.
    pub(super) async fn watermark_at(&self, ts: u64) {
        loop {
            let changed = self.watermark.notified();
            if self.lowest_watermark() >= ts {
                return;
            }
            changed.await;
        }
    }

    /// The lowest of the last watermarks of all partitions.
    fn lowest_watermark(&self) -> u64 {
        let state = self.state.lock();
        let all = state.topics.iter().flat_map(|(topic, count)| (0..*count).map(move |n| (topic.clone(), n)));
        all.map(|partition| state.watermarks.get(&partition).copied().unwrap_or(0)).min().unwrap_or(0)
    }
}

/// The timestamp of a watermark message.
fn watermark_ts(value: &[u8]) -> Option<u64> {
    let message: Value = serde_json::from_slice(value).ok()?;
    message["_tidb"]["watermarkTs"].as_u64()
}

impl Sink for MemorySink {
    fn partitions(&self, topic: &str) -> Result<i32, FeedError> {
        self.state.lock().topics.insert(topic.to_owned(), self.partitions);
        Ok(self.partitions)
    }

    fn send(
        &self,
        topic: &str,
        partition: i32,
        key: Option<&[u8]>,
        value: &[u8],
        parcel: Arc<Parcel>,
    ) -> Result<(), FeedError> {
        let key = key.map(<[u8]>::to_vec);
        let watermark = if key.is_none() { watermark_ts(value) } else { None };
        {
            let mut state = self.state.lock();
            let topic = topic.to_owned();
            if let Some(ts) = watermark {
                state.watermarks.insert((topic.clone(), partition), ts);
            }
            state.messages.push(Delivered { topic, partition, key, value: value.to_vec() });
        }
        if watermark.is_some() {
            self.watermark.notify_one();
        }
        parcel.acknowledge(value.len(), Ok(()));
        Ok(())
    }

    fn in_flight_bytes(&self) -> usize {
        0
    }

    fn topics(&self) -> Vec<(String, i32)> {
        self.state.lock().topics.iter().map(|(topic, count)| (topic.clone(), *count)).collect()
    }

    fn trouble(&self) -> Option<Trouble> {
        None
    }

    fn destination(&self) -> String {
        "memory".to_owned()
    }

    fn probe(&self) {}

    fn close(&self) {}
}
