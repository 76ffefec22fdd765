//! How far a table has got: batches on their way to Kafka and the checkpoint that follows from them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use event_sorter::{Charge, MemoryQuota, Stage};
use kafka_sink::{Acknowledge, SinkError};
use parking_lot::Mutex;

use crate::signal::Signal;

/// The messages of a batch on one partition.
struct Lane {
    /// Topic.
    topic: Arc<str>,
    /// Partition.
    partition: i32,
    /// Messages not acknowledged yet.
    unacknowledged: AtomicUsize,
}

/// Messages that were sent together and count as one step of progress.
pub(crate) struct Batch {
    /// What the batch belongs to; see [`Signal`].
    slot: i64,
    /// Commit ts of the first row in it.
    first_ts: u64,
    /// Once everything in the batch is acknowledged, every row of the table up to this ts is.
    complete_ts: u64,
    /// Messages not acknowledged yet, plus one while the batch is still being sent.
    remaining: AtomicUsize,
    /// Wakes the pipeline.
    signal: Arc<Signal>,
    /// When sending began.
    begun: Instant,
    /// The partitions that it went to; at most as many as messages.
    lanes: Mutex<Vec<Arc<Lane>>>,
    /// Memory of the messages in the producer, from the end of sending until all are acknowledged.
    charge: Mutex<Option<Charge>>,
}

/// Messages on one partition that were not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unacknowledged {
    /// Topic.
    pub(crate) topic: String,
    /// Partition.
    pub(crate) partition: i32,
    /// How many.
    pub(crate) messages: usize,
}

impl Batch {
    /// True when every message was acknowledged.
    pub(crate) fn is_done(&self) -> bool {
        self.remaining.load(Ordering::Acquire) == 0
    }

    /// How long ago sending began.
    pub(crate) fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    /// What was not acknowledged, the most first.
    pub(crate) fn unacknowledged(&self) -> Vec<Unacknowledged> {
        let lanes = self.lanes.lock();
        let mut open: Vec<_> = lanes
            .iter()
            .map(|lane| Unacknowledged {
                topic: lane.topic.to_string(),
                partition: lane.partition,
                messages: lane.unacknowledged.load(Ordering::Acquire),
            })
            .filter(|open| open.messages > 0)
            .collect();
        open.sort_by_key(|open| std::cmp::Reverse(open.messages));
        open
    }

    /// Takes one off the count and tells the pipeline when it was the last.
    fn finish_one(&self) {
        if self.remaining.fetch_sub(1, Ordering::AcqRel) == 1 {
            drop(self.charge.lock().take());
            self.signal.completed(self.slot);
        }
    }
}

/// The messages of a batch on one partition, as the producer knows them.
pub(crate) struct Parcel {
    /// The batch.
    batch: Arc<Batch>,
    /// The partition.
    lane: Arc<Lane>,
}

impl Acknowledge for Parcel {
    fn acknowledge(&self, _bytes: usize, result: Result<(), SinkError>) {
        match result {
            Ok(()) => {
                self.lane.unacknowledged.fetch_sub(1, Ordering::AcqRel);
                self.batch.finish_one();
            }
            // The count never reaches zero: nothing past a lost message may count as delivered.
            Err(error) => self.batch.signal.fail(error.into()),
        }
    }
}

/// A batch that is being sent. One that is dropped before it is sealed never counts as delivered.
pub(crate) struct Shipment {
    /// The batch.
    batch: Arc<Batch>,
    /// Its parcels, by partition and topic.
    parcels: Vec<Arc<Parcel>>,
    /// Value bytes so far.
    bytes: usize,
}

impl Shipment {
    /// A batch that is about to be sent; [`Self::seal`] ends sending.
    pub(crate) fn open(slot: i64, first_ts: u64, complete_ts: u64, signal: Arc<Signal>) -> Self {
        let batch = Batch {
            slot,
            first_ts,
            complete_ts,
            remaining: AtomicUsize::new(1),
            signal,
            begun: Instant::now(),
            lanes: Mutex::default(),
            charge: Mutex::default(),
        };
        Self { batch: Arc::new(batch), parcels: Vec::new(), bytes: 0 }
    }

    /// The batch.
    pub(crate) fn batch(&self) -> &Arc<Batch> {
        &self.batch
    }

    /// Counts one more message, before it is handed to the producer together with what this returns.
    pub(crate) fn add(&mut self, topic: &Arc<str>, partition: i32, bytes: usize) -> Arc<Parcel> {
        self.bytes += bytes;
        self.batch.remaining.fetch_add(1, Ordering::AcqRel);
        let place = self.parcels.binary_search_by(|parcel| {
            let lane = &parcel.lane;
            lane.partition.cmp(&partition).then_with(|| match Arc::ptr_eq(&lane.topic, topic) {
                true => std::cmp::Ordering::Equal,
                false => lane.topic.cmp(topic),
            })
        });
        let parcel = match place {
            Ok(at) => self.parcels.get(at).map(Arc::clone),
            Err(_) => None,
        };
        let parcel = parcel.unwrap_or_else(|| {
            let lane = Lane { topic: Arc::clone(topic), partition, unacknowledged: AtomicUsize::new(0) };
            let lane = Arc::new(lane);
            self.batch.lanes.lock().push(Arc::clone(&lane));
            let parcel = Arc::new(Parcel { batch: Arc::clone(&self.batch), lane });
            let (Ok(at) | Err(at)) = place;
            self.parcels.insert(at, Arc::clone(&parcel));
            parcel
        });
        parcel.lane.unacknowledged.fetch_add(1, Ordering::AcqRel);
        parcel
    }

    /// No further messages will be added. They count as memory of the sink until all are acknowledged.
    pub(crate) fn seal(self, quota: &Arc<MemoryQuota>) -> Arc<Batch> {
        *self.batch.charge.lock() = Some(quota.charge(Stage::Sink, self.bytes));
        self.batch.finish_one();
        self.batch
    }
}

/// The batches of one table, oldest first.
#[derive(Default)]
pub(crate) struct Progress {
    /// Batches with messages that are not known to be acknowledged.
    in_flight: VecDeque<Arc<Batch>>,
    /// Every row up to this ts was handed to the producer.
    sent_ts: u64,
    /// Every row up to this ts was acknowledged.
    acked_ts: u64,
}

impl Progress {
    /// Progress of a table that starts after `ts`.
    pub(crate) fn starting_at(ts: u64) -> Self {
        Self { in_flight: VecDeque::new(), sent_ts: ts, acked_ts: ts }
    }

    /// Notes a batch before its first message is sent.
    pub(crate) fn begin(&mut self, batch: Arc<Batch>) {
        debug_assert!(self.in_flight.back().is_none_or(|last| last.complete_ts <= batch.complete_ts));
        self.in_flight.push_back(batch);
    }

    /// Everything up to `ts` was handed over.
    pub(crate) fn sent(&mut self, ts: u64) {
        self.sent_ts = self.sent_ts.max(ts);
    }

    /// Everything up to this ts was handed over.
    pub(crate) fn sent_ts(&self) -> u64 {
        self.sent_ts
    }

    /// The oldest batch with messages that are not acknowledged.
    pub(crate) fn oldest(&self) -> Option<&Arc<Batch>> {
        self.in_flight.iter().find(|batch| !batch.is_done())
    }

    /// The ts up to which every row was acknowledged. Never decreases.
    pub(crate) fn checkpoint(&mut self) -> u64 {
        while let Some(front) = self.in_flight.front() {
            if !front.is_done() {
                break;
            }
            self.acked_ts = self.acked_ts.max(front.complete_ts);
            self.in_flight.pop_front();
        }
        match self.in_flight.front() {
            None => self.acked_ts = self.acked_ts.max(self.sent_ts),
            Some(front) => self.acked_ts = self.acked_ts.max(front.first_ts.saturating_sub(1)),
        }
        self.acked_ts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A batch with one message on partition 3, still open, and that message.
    fn shipment(signal: &Arc<Signal>, first: u64, complete: u64) -> (Shipment, Arc<Parcel>) {
        let mut shipment = Shipment::open(7, first, complete, Arc::clone(signal));
        let parcel = shipment.add(&Arc::from("t"), 3, 100);
        (shipment, parcel)
    }

    #[test]
    fn checkpoint_follows_the_oldest_unacknowledged_batch() {
        let (signal, quota) = (Arc::new(Signal::default()), MemoryQuota::new(1000));
        let mut progress = Progress::starting_at(5);
        let ((a, in_a), (b, in_b)) = (shipment(&signal, 10, 19), shipment(&signal, 20, 29));
        progress.begin(Arc::clone(a.batch()));
        progress.begin(Arc::clone(b.batch()));
        a.seal(&quota);
        b.seal(&quota);
        progress.sent(40);
        assert_eq!(progress.checkpoint(), 9);
        in_b.acknowledge(1, Ok(()));
        assert_eq!(progress.checkpoint(), 9, "a later batch does not move the checkpoint");
        in_a.acknowledge(1, Ok(()));
        assert_eq!(progress.checkpoint(), 40);
    }

    #[test]
    fn a_lost_message_stops_the_checkpoint_for_good() {
        let signal = Arc::new(Signal::default());
        let mut progress = Progress::starting_at(5);
        let (a, message) = shipment(&signal, 10, 19);
        progress.begin(Arc::clone(a.batch()));
        a.seal(&MemoryQuota::new(1000));
        progress.sent(30);
        message.acknowledge(1, Err(SinkError::Send("refused".into())));
        assert_eq!(progress.checkpoint(), 9);
        assert!(signal.take_error().is_some());
    }

    #[test]
    fn an_open_batch_is_not_done_even_if_all_its_messages_are() {
        let signal = Arc::new(Signal::default());
        let mut progress = Progress::starting_at(0);
        let (a, message) = shipment(&signal, 10, 19);
        progress.begin(Arc::clone(a.batch()));
        message.acknowledge(1, Ok(()));
        assert_eq!(progress.checkpoint(), 9);
        a.seal(&MemoryQuota::new(1000));
        progress.sent(19);
        assert_eq!(progress.checkpoint(), 19);
    }

    #[test]
    fn a_batch_tells_which_partitions_did_not_acknowledge() {
        let (signal, quota) = (Arc::new(Signal::default()), MemoryQuota::new(10_000));
        let mut shipment = Shipment::open(7, 10, 19, signal);
        let (one, two): (Arc<str>, Arc<str>) = (Arc::from("one"), Arc::from("two"));
        let sent = [(&one, 4), (&two, 0), (&one, 0), (&two, 0), (&one, 4), (&two, 0)];
        let messages: Vec<_> = sent.map(|(topic, partition)| shipment.add(topic, partition, 10)).into();
        let mut progress = Progress::starting_at(0);
        progress.begin(Arc::clone(shipment.batch()));
        let batch = shipment.seal(&quota);
        let open =
            |topic: &str, partition, messages| Unacknowledged { topic: topic.into(), partition, messages };
        assert_eq!(batch.unacknowledged(), [open("two", 0, 3), open("one", 4, 2), open("one", 0, 1)]);
        assert_eq!(quota.used_by(Stage::Sink), 60);
        for (number, message) in messages.iter().enumerate() {
            assert!(progress.oldest().is_some());
            if number == 3 {
                assert_eq!(batch.unacknowledged(), [open("two", 0, 2), open("one", 4, 1)]);
            }
            message.acknowledge(10, Ok(()));
        }
        assert!(progress.oldest().is_none() && batch.unacknowledged().is_empty());
        assert_eq!(quota.used(), 0, "memory is given back when the last message is acknowledged");
    }
}
