//! One subscription of a table on a tape: the part of every frame that a store would have sent for it.

use std::collections::HashMap;

use event_sorter::SortedRow;
use tidb_codec::key::record_range;
use tikv_cdc::RowChange;
use tikv_cdc::key_range::KeyRange;
use tikv_cdc::matcher::Matcher;
use tikv_cdc::range_lock::{LockId, LockOutcome, RangeLock};

use super::tape::{Item, Tape, TapeRegion, What};
use crate::FeedError;
use crate::source::SourceEvent;

/// Things on the tape that one step plays at most.
const STEP_ITEMS: usize = 64;

/// A subscription. It plays the tape from its beginning whenever it was made: changes up to its start ts are left out,
/// so what remains is what an incremental scan and the stream after it hold.
pub(super) struct Subscription {
    /// Physical table.
    pub(super) table: i64,
    /// Number of the subscription.
    generation: u64,
    /// Changes after this ts are wanted.
    start_ts: u64,
    /// Raw bounds of the table's records.
    bounds: (Vec<u8>, Vec<u8>),
    /// Ranges and their resolved ts.
    locks: RangeLock<()>,
    /// Registrations by region.
    registered: HashMap<u64, (LockId, Matcher)>,
    /// The resolved ts that was told last.
    published: u64,
    /// Place on the tape.
    position: usize,
    /// True after an error: nothing follows.
    failed: bool,
}

impl Subscription {
    /// A subscription at the beginning of the tape.
    pub(super) fn new(table: i64, generation: u64, start_ts: u64, tape: &Tape) -> Self {
        let (start, end) = record_range(table);
        let locks = RangeLock::new(KeyRange::encode(&start, &end), start_ts);
        let mut subscription = Self {
            table,
            generation,
            start_ts,
            bounds: (start, end),
            locks,
            registered: HashMap::new(),
            published: start_ts,
            position: 0,
            failed: false,
        };
        subscription.register(&tape.regions);
        subscription
    }

    /// Place on the tape; `None` at its end.
    pub(super) fn position(&self, tape: &Tape) -> Option<usize> {
        (!self.failed && self.position < tape.items.len()).then_some(self.position)
    }

    /// Plays on until there is something to tell, at most a few things.
    pub(super) fn step(&mut self, tape: &Tape) -> Vec<SourceEvent> {
        let mut events = Vec::new();
        for item in tape.items.iter().skip(self.position).take(STEP_ITEMS) {
            self.position += 1;
            if let Err(error) = self.take(item, &mut events) {
                self.failed = true;
                events.push(SourceEvent::Failed { table: self.table, error });
                break;
            }
        }
        events
    }

    /// Registers the regions that have keys of the table.
    fn register(&mut self, regions: &[TapeRegion]) {
        for region in regions {
            if let LockOutcome::Locked { lock, checkpoint_ts, .. } = self.locks.lock(&region.range, region.id, ()) {
                self.registered.insert(region.id.id, (lock, Matcher::new(self.start_ts, checkpoint_ts)));
            }
        }
    }

    /// Takes one thing of the tape.
    fn take(&mut self, item: &Item, events: &mut Vec<SourceEvent>) -> Result<(), FeedError> {
        let Some((lock, matcher)) = self.registered.get_mut(&item.region) else { return Ok(()) };
        let lock = *lock;
        match &item.what {
            What::Rows(rows) => {
                let mut changes: Vec<RowChange> = Vec::new();
                let (start, end) = &self.bounds;
                // The mark of the end of a scan has no key.
                let ours = rows.iter().filter(|row| row.key.is_empty() || (row.key >= *start && row.key < *end));
                for row in ours {
                    let taken = matcher.on_row(row.clone(), &mut changes);
                    taken.map_err(|e| FeedError::new("CDC:ErrEventFeedAborted", e.to_string()))?;
                }
                if matcher.is_initialized() {
                    self.locks.set_initialized(lock);
                }
                if !changes.is_empty() {
                    let rows = changes.into_iter().map(SortedRow::from).collect();
                    events.push(SourceEvent::Rows { table: self.table, generation: self.generation, rows });
                }
            }
            What::Resolved(ts) => {
                if matcher.on_resolved(*ts) && self.locks.advance(lock, *ts) {
                    self.publish(events);
                }
            }
            What::Ended(now) => {
                self.registered.remove(&item.region);
                self.locks.unlock(lock);
                self.register(now);
            }
        }
        Ok(())
    }

    /// Tells the resolved ts of the table if it moved.
    fn publish(&mut self, events: &mut Vec<SourceEvent>) {
        if let Some(ts) = self.locks.resolved_ts().filter(|ts| *ts > self.published) {
            self.published = ts;
            events.push(SourceEvent::Resolved { table: self.table, generation: self.generation, ts });
        }
    }
}
