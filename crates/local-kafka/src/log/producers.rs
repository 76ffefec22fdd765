//! The sequence check of idempotent producers: repeated batches are recognised, gaps are refused.

use std::collections::{HashMap, VecDeque};

use crate::batch::{BatchHeader, advance_sequence};
use crate::limits::{MAX_PRODUCERS_PER_PARTITION, PRODUCER_WINDOW};

/// A batch a producer sent earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SentBatch {
    /// Sequence number of its first record.
    pub(super) first_sequence: i32,
    /// Sequence number of its last record.
    pub(super) last_sequence: i32,
    /// Offset of its first record.
    pub(super) base_offset: i64,
}

/// What is known about one producer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Producer {
    /// Latest epoch seen.
    pub(super) epoch: i16,
    /// Largest timestamp of the latest batch (milliseconds), for expiry.
    pub(super) last_timestamp: i64,
    /// Offset of the latest batch, for eviction of the least recently used.
    pub(super) last_offset: i64,
    /// Latest batches, oldest first.
    pub(super) sent: VecDeque<SentBatch>,
}

/// Why a batch of an idempotent producer is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SequenceError {
    /// The epoch is older than one seen before.
    StaleEpoch,
    /// Records are missing between the latest batch and this one.
    OutOfOrder,
    /// The batch was stored before, but too long ago to tell its offset.
    Duplicate,
}

/// What the sequence check says about a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sequence {
    /// New: store it.
    Next,
    /// Stored before at this base offset: acknowledge it again.
    Repeated(i64),
}

/// The producers of one partition.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct ProducerTable {
    /// By producer id.
    producers: HashMap<i64, Producer>,
}

impl ProducerTable {
    /// Judges a batch before it is stored.
    pub(super) fn check(&self, batch: &BatchHeader) -> Result<Sequence, SequenceError> {
        if batch.producer_id < 0 {
            return Ok(Sequence::Next);
        }
        let Some(known) = self.producers.get(&batch.producer_id) else { return Ok(Sequence::Next) };
        if batch.producer_epoch < known.epoch {
            return Err(SequenceError::StaleEpoch);
        }
        if batch.producer_epoch > known.epoch {
            return if batch.base_sequence == 0 {
                Ok(Sequence::Next)
            } else {
                Err(SequenceError::OutOfOrder)
            };
        }
        let last = batch.last_sequence();
        let repeated = |s: &&SentBatch| s.first_sequence == batch.base_sequence && s.last_sequence == last;
        if let Some(sent) = known.sent.iter().find(repeated) {
            return Ok(Sequence::Repeated(sent.base_offset));
        }
        let Some(newest) = known.sent.back() else { return Ok(Sequence::Next) };
        if batch.base_sequence == advance_sequence(newest.last_sequence, 1) {
            Ok(Sequence::Next)
        } else if last <= newest.last_sequence && batch.base_sequence <= last {
            Err(SequenceError::Duplicate)
        } else {
            Err(SequenceError::OutOfOrder)
        }
    }

    /// Notes a stored batch.
    pub(super) fn record(&mut self, batch: &BatchHeader) {
        if batch.producer_id < 0 {
            return;
        }
        if !self.producers.contains_key(&batch.producer_id)
            && self.producers.len() >= MAX_PRODUCERS_PER_PARTITION
        {
            self.evict();
        }
        let producer = self.producers.entry(batch.producer_id).or_insert_with(|| Producer {
            epoch: batch.producer_epoch,
            last_timestamp: batch.max_timestamp,
            last_offset: batch.base_offset,
            sent: VecDeque::new(),
        });
        if producer.epoch != batch.producer_epoch {
            producer.epoch = batch.producer_epoch;
            producer.sent.clear();
        }
        producer.last_timestamp = batch.max_timestamp;
        producer.last_offset = batch.base_offset;
        if producer.sent.len() == PRODUCER_WINDOW {
            producer.sent.pop_front();
        }
        producer.sent.push_back(SentBatch {
            first_sequence: batch.base_sequence,
            last_sequence: batch.last_sequence(),
            base_offset: batch.base_offset,
        });
    }

    /// Forgets the least recently used half, so that the cost is spread over many batches.
    fn evict(&mut self) {
        let mut offsets: Vec<i64> = self.producers.values().map(|p| p.last_offset).collect();
        let middle = offsets.len() / 2;
        let (_, &mut limit, _) = offsets.select_nth_unstable(middle);
        self.producers.retain(|_, p| p.last_offset > limit);
    }

    /// All producers, for the seal of a segment.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (i64, &Producer)> {
        self.producers.iter().map(|(&id, p)| (id, p))
    }

    /// Takes over a producer read from the seal of a segment.
    pub(super) fn restore(&mut self, id: i64, producer: Producer) {
        self.producers.insert(id, producer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::testing;

    fn header(epoch: i16, sequence: i32, records: usize, offset: i64) -> BatchHeader {
        let mut h = BatchHeader::parse(&testing::batch(&vec![1; records], Some((9, epoch, sequence))))
            .expect("header");
        h.base_offset = offset;
        h
    }

    #[test]
    fn a_repeated_batch_is_answered_with_its_first_offset() {
        let mut table = ProducerTable::default();
        for i in 0..5 {
            table.record(&header(0, i * 2, 2, 100 + i64::from(i) * 2));
        }
        assert_eq!(table.check(&header(0, 0, 2, 0)), Ok(Sequence::Repeated(100)));
        assert_eq!(table.check(&header(0, 8, 2, 0)), Ok(Sequence::Repeated(108)));
        assert_eq!(table.check(&header(0, 10, 2, 0)), Ok(Sequence::Next));
    }

    #[test]
    fn a_batch_older_than_the_window_is_a_duplicate_without_offset() {
        let mut table = ProducerTable::default();
        for i in 0..6 {
            table.record(&header(0, i, 1, i64::from(i)));
        }
        assert_eq!(table.check(&header(0, 0, 1, 0)), Err(SequenceError::Duplicate));
    }

    #[test]
    fn gaps_and_old_epochs_are_refused() {
        let mut table = ProducerTable::default();
        table.record(&header(1, 0, 1, 0));
        assert_eq!(table.check(&header(1, 2, 1, 0)), Err(SequenceError::OutOfOrder));
        assert_eq!(table.check(&header(0, 1, 1, 0)), Err(SequenceError::StaleEpoch));
        assert_eq!(table.check(&header(2, 1, 1, 0)), Err(SequenceError::OutOfOrder));
        assert_eq!(table.check(&header(2, 0, 1, 0)), Ok(Sequence::Next));
    }

    #[test]
    fn sequences_continue_over_the_wrap() {
        let mut table = ProducerTable::default();
        table.record(&header(0, i32::MAX - 1, 2, 0));
        assert_eq!(table.check(&header(0, 0, 3, 2)), Ok(Sequence::Next));
    }

    #[test]
    fn the_number_of_producers_stays_bounded() {
        let mut table = ProducerTable::default();
        for i in 0..(MAX_PRODUCERS_PER_PARTITION as i64 + 10) {
            let mut h = header(0, 0, 1, i);
            h.producer_id = i;
            table.record(&h);
        }
        assert!(table.producers.len() <= MAX_PRODUCERS_PER_PARTITION);
        assert!(table.producers.contains_key(&(MAX_PRODUCERS_PER_PARTITION as i64 + 9)));
    }
}
