//! How far a table has got: batches on their way to Kafka and the checkpoint that follows from them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kafka_sink::{Acknowledge, SinkError};

use crate::signal::Signal;

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
}

impl Batch {
    /// A batch that is about to be sent; [`Self::seal`] ends sending.
    pub(crate) fn open(slot: i64, first_ts: u64, complete_ts: u64, signal: Arc<Signal>) -> Arc<Self> {
        Arc::new(Self { slot, first_ts, complete_ts, remaining: AtomicUsize::new(1), signal })
    }

    /// Counts one more message; call it before the message is handed to the producer.
    pub(crate) fn add(&self) {
        self.remaining.fetch_add(1, Ordering::AcqRel);
    }

    /// No further messages will be added.
    pub(crate) fn seal(&self) {
        self.finish_one();
    }

    /// True when every message was acknowledged.
    pub(crate) fn is_done(&self) -> bool {
        self.remaining.load(Ordering::Acquire) == 0
    }

    /// Takes one off the count and tells the pipeline when it was the last.
    fn finish_one(&self) {
        if self.remaining.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.signal.completed(self.slot);
        }
    }
}

impl Acknowledge for Batch {
    fn acknowledge(&self, _bytes: usize, result: Result<(), SinkError>) {
        match result {
            Ok(()) => self.finish_one(),
            // The count never reaches zero: nothing past a lost message may count as delivered.
            Err(error) => self.signal.fail(error.into()),
        }
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

    fn batch(signal: &Arc<Signal>, first: u64, complete: u64) -> Arc<Batch> {
        let batch = Batch::open(7, first, complete, Arc::clone(signal));
        batch.add();
        batch
    }

    #[test]
    fn checkpoint_follows_the_oldest_unacknowledged_batch() {
        let signal = Arc::new(Signal::default());
        let mut progress = Progress::starting_at(5);
        let (a, b) = (batch(&signal, 10, 19), batch(&signal, 20, 29));
        progress.begin(Arc::clone(&a));
        progress.begin(Arc::clone(&b));
        a.seal();
        b.seal();
        progress.sent(40);
        assert_eq!(progress.checkpoint(), 9);
        b.acknowledge(1, Ok(()));
        assert_eq!(progress.checkpoint(), 9, "a later batch does not move the checkpoint");
        a.acknowledge(1, Ok(()));
        assert_eq!(progress.checkpoint(), 40);
    }

    #[test]
    fn a_lost_message_stops_the_checkpoint_for_good() {
        let signal = Arc::new(Signal::default());
        let mut progress = Progress::starting_at(5);
        let a = batch(&signal, 10, 19);
        progress.begin(Arc::clone(&a));
        a.seal();
        progress.sent(30);
        a.acknowledge(1, Err(SinkError::Send("refused".into())));
        assert_eq!(progress.checkpoint(), 9);
        assert!(signal.take_error().is_some());
    }

    #[test]
    fn an_open_batch_is_not_done_even_if_all_its_messages_are() {
        let signal = Arc::new(Signal::default());
        let mut progress = Progress::starting_at(0);
        let a = batch(&signal, 10, 19);
        progress.begin(Arc::clone(&a));
        a.acknowledge(1, Ok(()));
        assert_eq!(progress.checkpoint(), 9);
        a.seal();
        progress.sent(19);
        assert_eq!(progress.checkpoint(), 19);
    }
}
