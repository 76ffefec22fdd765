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
            if let LockOutcome::Locked { lock, checkpoint_ts, .. } =
                self.locks.lock(&region.range, region.id, ())
            {
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
                let ours =
                    rows.iter().filter(|row| row.key.is_empty() || (row.key >= *start && row.key < *end));
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

#[cfg(test)]
mod tests {
    use tidb_codec::key::{Handle, record_key};
    use tikv_proto::cdcpb::event::{Entries, Event as Content, LogType, Row, row::OpType};
    use tikv_proto::cdcpb::{ChangeDataEvent, Error, Event, ResolvedTs};
    use tikv_proto::errorpb::EpochNotMatch;
    use tikv_proto::metapb;

    use super::*;

    /// A row of table 7 (or 8).
    fn row(log_type: LogType, table: i64, start_ts: u64, commit_ts: u64) -> Row {
        let key =
            if log_type == LogType::Initialized { Vec::new() } else { record_key(table, &Handle::Int(1)) };
        let value = if log_type == LogType::Commit { "" } else { "v" };
        let (r#type, op_type) = (log_type as i32, OpType::Put as i32);
        Row { start_ts, commit_ts, r#type, op_type, key: key.into(), value: value.into(), ..Row::default() }
    }

    /// A frame of one region's rows.
    fn rows(region_id: u64, entries: Vec<Row>) -> ChangeDataEvent {
        let event =
            Event { region_id, event: Some(Content::Entries(Entries { entries })), ..Event::default() };
        ChangeDataEvent { events: vec![event], resolved_ts: None }
    }

    /// A frame with the resolved ts of regions.
    fn resolved(regions: &[u64], ts: u64) -> ChangeDataEvent {
        let resolved_ts = Some(ResolvedTs { regions: regions.to_vec(), ts, ..ResolvedTs::default() });
        ChangeDataEvent { events: Vec::new(), resolved_ts }
    }

    /// A frame that ends region 1, which was split within the records of table 7.
    fn split() -> ChangeDataEvent {
        let middle = KeyRange::encode(&record_key(7, &Handle::Int(5)), &[]).start;
        let region = |id, start_key: &[u8], end_key: &[u8]| metapb::Region {
            id,
            start_key: start_key.to_vec().into(),
            end_key: end_key.to_vec().into(),
            ..metapb::Region::default()
        };
        let current_regions = vec![region(2, &[], &middle), region(1, &middle, &[])];
        let error = Error { epoch_not_match: Some(EpochNotMatch { current_regions }), ..Error::default() };
        let event = Event { region_id: 1, event: Some(Content::Error(error)), ..Event::default() };
        ChangeDataEvent { events: vec![event], resolved_ts: None }
    }

    /// A tape on which table 7 changes at 12, 22 and 32 and its region is split after 25.
    fn tape() -> Tape {
        let initialized = || row(LogType::Initialized, 0, 0, 0);
        let frames = [
            rows(1, vec![initialized(), row(LogType::Prewrite, 7, 11, 0), row(LogType::Commit, 7, 11, 12)]),
            resolved(&[1], 20),
            rows(1, vec![row(LogType::Committed, 7, 21, 22), row(LogType::Committed, 8, 21, 22)]),
            resolved(&[1], 25),
            split(),
            rows(2, vec![row(LogType::Committed, 7, 31, 32), initialized()]),
            resolved(&[2], 40),
            rows(1, vec![initialized()]),
            resolved(&[1], 35),
        ];
        Tape::new(vec![TapeRegion::new(1, 1, &[], &[])], frames)
    }

    /// Commit ts of rows, and resolved ts with a minus sign, as a subscription of table 7 from `start_ts` on gets them.
    fn played(start_ts: u64) -> Vec<i64> {
        let tape = tape();
        let mut subscription = Subscription::new(7, 1, start_ts, &tape);
        let mut told = Vec::new();
        while subscription.position(&tape).is_some() {
            for event in subscription.step(&tape) {
                match event {
                    SourceEvent::Rows { rows, .. } => {
                        told.extend(rows.iter().map(|row| row.commit_ts as i64))
                    }
                    SourceEvent::Resolved { ts, .. } => told.push(-(ts as i64)),
                    SourceEvent::Failed { error, .. } => unreachable!("{error}"),
                }
            }
        }
        told
    }

    #[test]
    fn a_subscription_gets_its_table_only_and_outlives_a_split() {
        assert_eq!(played(10), [12, -20, 22, -25, 32, -35]);
    }

    #[test]
    fn a_later_subscription_gets_what_a_scan_from_its_start_finds() {
        assert_eq!(played(22), [-25, 32, -35]);
        assert_eq!(played(30), [32, -35]);
    }
}
