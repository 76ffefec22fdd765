//! Messages of a table that may not be sent yet, because one before them is still being stored.

use std::collections::VecDeque;
use std::sync::Arc;

use event_sorter::Charge;

use super::Upload;
use crate::FeedError;
use crate::progress::Parcel;
use crate::table::Run;

/// A table encodes no more rows while this many of its messages are being stored.
const MAX_UPLOADS: usize = 16;
/// A table encodes no more rows while messages of this many bytes wait behind others.
const MAX_BYTES: usize = 4 << 20;

/// A message in its place in the order.
pub(crate) struct Waiting {
    /// What has to be stored before; `None` for one that only waits for others.
    pub(crate) upload: Option<Upload>,
    /// Topic.
    pub(crate) topic: Arc<str>,
    /// Partition.
    pub(crate) partition: i32,
    /// Message.
    pub(crate) value: Vec<u8>,
    /// What it counts for.
    pub(crate) parcel: Arc<Parcel>,
    /// Its memory.
    pub(crate) charge: Charge,
}

/// The messages, in the order in which they are to be sent.
#[derive(Default)]
pub(crate) struct Outbox {
    /// The messages; the first one is still being stored, or has just been.
    waiting: VecDeque<Waiting>,
    /// How many of them are to be stored.
    uploads: usize,
    /// Bytes of all.
    bytes: usize,
}

impl Outbox {
    /// True if nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Messages that are being stored.
    pub(crate) fn uploads(&self) -> usize {
        self.uploads
    }

    /// True if no more rows are to be encoded for now.
    pub(crate) fn is_full(&self) -> bool {
        self.uploads >= MAX_UPLOADS || self.bytes >= MAX_BYTES
    }

    /// Adds the next message.
    pub(crate) fn push(&mut self, message: Waiting) {
        self.uploads += usize::from(message.upload.is_some());
        self.bytes += message.value.len();
        self.waiting.push_back(message);
    }

    /// Sends what may be sent by now.
    pub(crate) fn send(&mut self, run: &Run) -> Result<(), FeedError> {
        let is_ready = |next: &Waiting| next.upload.as_ref().is_none_or(Upload::is_stored);
        while self.waiting.front().is_some_and(is_ready) {
            let Some(Waiting { upload, topic, partition, value, parcel, charge }) = self.waiting.pop_front()
            else {
                break;
            };
            self.bytes -= value.len();
            if upload.is_some() {
                self.uploads -= 1;
                run.settings.counters.claim_checks.inc();
            }
            run.sink.send(&topic, partition, Some(&[]), &value, parcel)?;
            drop(charge);
        }
        Ok(())
    }
}
