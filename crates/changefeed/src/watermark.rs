//! Watermarks: messages that tell consumers how far the changefeed has got.

use std::sync::Arc;
use std::time::Instant;

use change_format::encode_watermark;

use crate::FeedError;
use crate::encode::unix_ms;
use crate::progress::{Batch, Shipment};
use crate::signal::WATERMARK_SLOT;
use crate::table::Run;

/// What was sent last. One watermark is on its way at a time: the next carries the newest ts.
pub(crate) struct Watermarks {
    /// The one that is on its way.
    in_flight: Option<Arc<Batch>>,
    /// Ts of the last one, and when it was sent.
    last: (u64, Instant),
}

impl Watermarks {
    /// None was sent; consumers know `start_ts`.
    pub(crate) fn new(start_ts: u64) -> Self {
        Self { in_flight: None, last: (start_ts, Instant::now()) }
    }

    /// Sends a watermark to every partition if it is time, or if it is the final one: there is no later turn.
    pub(crate) fn advance(&mut self, checkpoint: u64, is_final: bool, run: &Run) -> Result<(), FeedError> {
        let (last, at) = self.last;
        if !run.settings.canal.enable_tidb_extension || checkpoint <= last {
            return Ok(());
        }
        let free = self.in_flight.as_ref().is_none_or(|batch| batch.is_done());
        if !(is_final || free && at.elapsed() >= run.crowd.pause(run.watermark_interval)) {
            return Ok(());
        }
        let mut value = encode_watermark(checkpoint, unix_ms());
        run.settings.compress(&mut value)?;
        let mut shipment = Shipment::open(WATERMARK_SLOT, checkpoint, checkpoint, Arc::clone(&run.signal));
        for (topic, partitions) in run.sink.topics() {
            let topic = Arc::from(topic);
            for partition in 0..partitions {
                let parcel = shipment.add(&topic, partition, value.len());
                run.sink.send(&topic, partition, None, &value, parcel)?;
            }
        }
        self.in_flight = Some(shipment.seal(&run.quota));
        self.last = (checkpoint, Instant::now());
        Ok(())
    }
}
