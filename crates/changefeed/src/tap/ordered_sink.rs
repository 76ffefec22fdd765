//! Messages in commit order, for a reader at the other end of a pipe instead of Kafka.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use kafka_sink::Acknowledge as _;
use parking_lot::Mutex;
use serde::Deserialize;
use tokio::sync::Notify;
use tracing::warn;

use crate::FeedError;
use crate::progress::Parcel;
use crate::signal::Signal;
use crate::sink::{Sink, Trouble};

/// Bytes of messages that may wait to be put in order. Beyond, they go out as they are: in commit order by table.
const WAITING_LIMIT: usize = 64 << 20;

/// Place of a message: commit ts, rows before the DDL at the same ts, order of arrival.
type Place = (u64, bool, u64);

/// What a message says about itself.
#[derive(Deserialize)]
struct Head {
    /// The extension, which the pipeline is told to write.
    #[serde(rename = "_tidb")]
    extension: Extension,
}

/// The TiDB extension of a message.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Extension {
    /// Commit ts of a row or DDL.
    commit_ts: Option<u64>,
    /// Ts of a watermark.
    watermark_ts: Option<u64>,
}

/// Messages on their way.
#[derive(Default)]
struct State {
    /// Messages above the last watermark.
    waiting: BTreeMap<Place, Vec<u8>>,
    /// Bytes of them.
    waiting_bytes: usize,
    /// Messages that the reader may have.
    ready: VecDeque<Vec<u8>>,
    /// Bytes of them.
    ready_bytes: usize,
    /// Number of the next message.
    next: u64,
    /// That order was given up was told.
    told: bool,
}

impl State {
    /// Lets every message up to a ts go.
    fn release(&mut self, ts: u64) {
        while let Some(entry) = self.waiting.first_entry() {
            if entry.key().0 > ts {
                break;
            }
            let message = entry.remove();
            self.waiting_bytes = self.waiting_bytes.saturating_sub(message.len());
            self.ready_bytes += message.len();
            self.ready.push_back(message);
        }
    }
}

/// Takes messages of a pipeline and hands them out in commit order. Each is acknowledged when it comes, so that
/// watermarks tell when everything up to a ts is here.
pub(super) struct OrderedSink {
    /// Messages on their way.
    state: Mutex<State>,
    /// Signals messages that are ready.
    news: Notify,
    /// Wakes the pipeline when there is room again.
    signal: Arc<Signal>,
}

impl OrderedSink {
    /// A sink of a pipeline with this mail box.
    pub(super) fn new(signal: Arc<Signal>) -> Self {
        Self { state: Mutex::default(), news: Notify::new(), signal }
    }

    /// The next message. Safe to be given up and called again.
    pub(super) async fn next(&self) -> Vec<u8> {
        loop {
            {
                let mut state = self.state.lock();
                if let Some(message) = state.ready.pop_front() {
                    state.ready_bytes = state.ready_bytes.saturating_sub(message.len());
                    drop(state);
                    self.signal.poke();
                    return message;
                }
            }
            self.news.notified().await;
        }
    }

    /// Takes a message in.
    fn take(&self, value: &[u8], is_ddl: bool) -> Result<(), serde_json::Error> {
        let Head { extension } = serde_json::from_slice(value)?;
        let mut state = self.state.lock();
        match extension {
            Extension { watermark_ts: Some(ts), .. } => state.release(ts),
            Extension { commit_ts, .. } => {
                let place = (commit_ts.unwrap_or(0), is_ddl, state.next);
                state.next += 1;
                state.waiting_bytes += value.len();
                state.waiting.insert(place, value.to_vec());
                if state.waiting_bytes > WAITING_LIMIT {
                    if !state.told {
                        warn!("more than {WAITING_LIMIT} bytes wait to be put in order: they come by table");
                        state.told = true;
                    }
                    state.release(u64::MAX);
                }
            }
        }
        if !state.ready.is_empty() {
            self.news.notify_one();
        }
        Ok(())
    }
}

impl Sink for OrderedSink {
    fn partitions(&self, _topic: &str) -> Result<i32, FeedError> {
        Ok(1)
    }

    fn send(
        &self,
        _topic: &str,
        _partition: i32,
        key: Option<&[u8]>,
        value: &[u8],
        parcel: Arc<Parcel>,
    ) -> Result<(), FeedError> {
        // Rows have a key, DDLs and watermarks have none.
        self.take(value, key.is_none()).map_err(|e| {
            FeedError::new("CDC:ErrDecodeFailed", format!("a message without its place: {e}"))
        })?;
        parcel.acknowledge(value.len(), Ok(()));
        Ok(())
    }

    fn in_flight_bytes(&self) -> usize {
        self.state.lock().ready_bytes
    }

    fn topics(&self) -> Vec<(String, i32)> {
        // One watermark for all.
        vec![(String::new(), 1)]
    }

    fn trouble(&self) -> Option<Trouble> {
        None
    }

    fn destination(&self) -> String {
        "the reader".to_owned()
    }

    fn probe(&self) {}

    fn close(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sink that nobody wakes.
    fn sink() -> OrderedSink {
        OrderedSink::new(Arc::new(Signal::default()))
    }

    /// A message at a ts.
    fn at(ts: u64) -> Vec<u8> {
        format!(r#"{{"id":0,"_tidb":{{"commitTs":{ts}}}}}"#).into_bytes()
    }

    /// A watermark.
    fn mark(ts: u64) -> Vec<u8> {
        format!(r#"{{"_tidb":{{"watermarkTs":{ts}}}}}"#).into_bytes()
    }

    /// Messages that are ready.
    fn ready(sink: &OrderedSink) -> Vec<String> {
        let state = sink.state.lock();
        state.ready.iter().map(|message| String::from_utf8_lossy(message).into_owned()).collect()
    }

    #[test]
    fn messages_wait_for_their_watermark_and_come_in_commit_order_rows_before_the_ddl() {
        let sink = sink();
        sink.take(&at(7), false).unwrap();
        sink.take(&at(5), true).unwrap();
        sink.take(&at(5), false).unwrap();
        sink.take(&at(9), false).unwrap();
        assert!(ready(&sink).is_empty(), "nothing before a watermark");
        sink.take(&mark(8), true).unwrap();
        let text = |ts| String::from_utf8(at(ts)).unwrap();
        assert_eq!(ready(&sink), [text(5), text(5), text(7)]);
        assert_eq!(sink.in_flight_bytes(), 3 * at(5).len());
        sink.take(&mark(9), true).unwrap();
        assert_eq!(ready(&sink).len(), 4);
    }

    #[tokio::test]
    async fn a_reader_that_waits_is_woken() {
        let sink = Arc::new(sink());
        let reader = tokio::spawn({
            let sink = Arc::clone(&sink);
            async move { sink.next().await }
        });
        tokio::task::yield_now().await;
        sink.take(&at(3), false).unwrap();
        sink.take(&mark(3), true).unwrap();
        assert_eq!(reader.await.unwrap(), at(3));
        assert_eq!(sink.in_flight_bytes(), 0);
    }

    #[test]
    fn what_is_too_much_to_wait_goes_out() {
        let sink = sink();
        let filler = format!(r#"{{"x":"{}","_tidb":{{"commitTs":4}}}}"#, "y".repeat(WAITING_LIMIT / 2));
        sink.take(filler.as_bytes(), false).unwrap();
        assert!(ready(&sink).is_empty());
        sink.take(filler.as_bytes(), false).unwrap();
        assert_eq!(ready(&sink).len(), 2);
        assert_eq!(sink.state.lock().waiting_bytes, 0);
    }
}
