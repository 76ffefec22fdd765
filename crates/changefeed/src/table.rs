//! One physical table of a running changefeed: from the sorter through the encoder to the sink.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use event_sorter::{Batch as SortedBatch, Charge, FetchLimit, MemoryQuota, SortedRow, Sorter, Stage};
use parking_lot::{Mutex, RwLock};
use tidb_schema::SchemaHistory;

use crate::FeedError;
use crate::claim_check::ClaimChecks;
use crate::crowd::Crowd;
use crate::encode::{RowEncoder, Settings};
use crate::held_back::HeldBack;
use crate::progress::{Progress, Shipment, Unacknowledged};
use crate::signal::Signal;
use crate::sink::Sink;
use crate::worker::{Task, WorkerPool};

/// How much one step of a table may encode: small enough that tables take turns, large enough to amortise locks.
const STEP: FetchLimit = FetchLimit { rows: 2048, bytes: 1 << 20 };

/// What the tables of one run share.
pub(crate) struct Run {
    /// Rows in order.
    pub(crate) sorter: Sorter,
    /// Memory of the changefeed.
    pub(crate) quota: Arc<MemoryQuota>,
    /// Schema versions.
    pub(crate) schema: RwLock<SchemaHistory>,
    /// Destination.
    pub(crate) sink: Arc<dyn Sink>,
    /// Mail box of the pipeline.
    pub(crate) signal: Arc<Signal>,
    /// How rows are rendered and routed.
    pub(crate) settings: Settings,
    /// Tables wait while more than this is in flight, bytes.
    pub(crate) in_flight_limit: usize,
    /// Shortest pause between two watermarks.
    pub(crate) watermark_interval: Duration,
    /// How many changefeeds there are: watermarks come less often when they are many.
    pub(crate) crowd: Arc<Crowd>,
}

impl Run {
    /// Bytes that were handed over, to the sink or to the store of large messages, and are not acknowledged.
    pub(crate) fn in_flight_bytes(&self) -> usize {
        let stored_elsewhere = self.settings.claim_check.as_ref().map_or(0, ClaimChecks::pending_bytes);
        self.sink.in_flight_bytes() + stored_elsewhere
    }
}

/// Not queued.
const IDLE: u8 = 0;
/// Queued or running.
const QUEUED: u8 = 1;
/// Running, and there may be more to do by now.
const AGAIN: u8 = 2;

/// What only one thread at a time does with a table.
struct Encoding {
    /// Encoder of the schema version in force.
    encoder: RowEncoder,
    /// INSERT halves of split updates, held back to the end of their transaction.
    held_back: HeldBack,
    /// Rows that were taken from the sorter but have to wait for what is held back.
    waiting: Option<Taken>,
    /// Reused message buffer.
    buffer: Vec<u8>,
    /// Memory of the buffer, and of the rows while they are encoded: their places, not their bytes, which are charged
    /// where they came from.
    charge: Charge,
}

impl Encoding {
    /// Brings the charge up to date, with so many rows in hand.
    fn count(&mut self, rows: usize) {
        let rows = rows + self.held_back.capacity();
        self.charge.resize(rows * std::mem::size_of::<SortedRow>() + self.buffer.capacity());
    }
}

/// Where a table is, for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// Rows up to here may be sent.
    pub(crate) allowed_ts: u64,
    /// Rows up to here were handed to the producer.
    pub(crate) sent_ts: u64,
    /// Largest commit ts that went into the sorter.
    pub(crate) newest_ts: u64,
    /// Age and content of the oldest batch that is not acknowledged.
    pub(crate) waiting: Option<(Duration, Vec<Unacknowledged>)>,
    /// Large messages that are being stored; what follows them waits.
    pub(crate) storing: usize,
}

/// Rows that were taken from the sorter.
struct Taken {
    /// The rows.
    sorted: SortedBatch,
    /// How many of them are sent.
    sent: usize,
    /// Up to where they were asked for.
    upper: u64,
}

/// A table of a run.
pub(crate) struct TablePipe {
    /// Physical id.
    pub(crate) id: i64,
    /// What the tables share.
    run: Arc<Run>,
    /// Rows up to here may be sent.
    upper: AtomicU64,
    /// Largest commit ts that went into the sorter.
    max_pushed: AtomicU64,
    /// Place in the worker queue.
    state: AtomicU8,
    /// Batches in flight.
    progress: Mutex<Progress>,
    /// Encoder state.
    encoding: Mutex<Encoding>,
}

/// How a step ended.
enum Step {
    /// There is more to do.
    More,
    /// Everything up to the upper bound was sent.
    Done,
    /// The sink is full.
    Parked,
    /// Large messages are being stored, and enough waits for them.
    Storing,
}

impl TablePipe {
    /// A table whose rows after `start_ts` are wanted.
    pub(crate) fn new(id: i64, start_ts: u64, run: Arc<Run>) -> Arc<Self> {
        run.sorter.add_table(id, start_ts);
        Arc::new(Self {
            id,
            upper: AtomicU64::new(start_ts),
            max_pushed: AtomicU64::new(start_ts),
            state: AtomicU8::new(IDLE),
            progress: Mutex::new(Progress::starting_at(start_ts)),
            encoding: Mutex::new(Encoding {
                encoder: RowEncoder::new(id),
                held_back: HeldBack::default(),
                waiting: None,
                buffer: Vec::new(),
                charge: run.quota.charge(Stage::Encoder, 0),
            }),
            run,
        })
    }

    /// Takes rows from the source.
    pub(crate) fn push(&self, rows: Vec<SortedRow>) -> Result<(), FeedError> {
        let Some(newest) = rows.iter().map(|row| row.commit_ts).max() else { return Ok(()) };
        // The disk may refuse rows: the pipeline asks before it takes the next events.
        self.run.sorter.push_anyway(self.id, rows)?;
        self.max_pushed.fetch_max(newest, Ordering::AcqRel);
        Ok(())
    }

    /// No more rows up to `ts` will come.
    pub(crate) fn resolve(&self, ts: u64) -> Result<(), FeedError> {
        self.run.sorter.resolve(self.id, ts)?;
        Ok(())
    }

    /// Lets rows up to `ts` go. A table without rows in that range takes the short way.
    pub(crate) fn allow(self: &Arc<Self>, ts: u64, workers: &WorkerPool) {
        if self.upper.fetch_max(ts, Ordering::AcqRel) >= ts {
            return;
        }
        {
            let mut progress = self.progress.lock();
            if progress.sent_ts() >= self.max_pushed.load(Ordering::Acquire) {
                progress.sent(ts);
                return;
            }
        }
        self.schedule(workers);
    }

    /// Queues the table, or makes it look again if a worker has it.
    pub(crate) fn schedule(self: &Arc<Self>, workers: &WorkerPool) {
        loop {
            let (from, to) = match self.state.load(Ordering::Acquire) {
                IDLE => (IDLE, QUEUED),
                QUEUED => (QUEUED, AGAIN),
                _ => return,
            };
            if self.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                if from == IDLE {
                    workers.submit(Arc::clone(self) as Arc<dyn Task>);
                }
                return;
            }
        }
    }

    /// Everything up to this ts was acknowledged.
    pub(crate) fn checkpoint(&self) -> u64 {
        self.progress.lock().checkpoint()
    }

    /// Where the table is.
    pub(crate) fn position(&self) -> Position {
        // An encoder that is at work waits for nothing.
        let storing = self.encoding.try_lock().map_or(0, |encoding| encoding.encoder.outbox.uploads());
        let progress = self.progress.lock();
        let oldest = progress.oldest();
        Position {
            allowed_ts: self.upper.load(Ordering::Acquire),
            sent_ts: progress.sent_ts(),
            newest_ts: self.max_pushed.load(Ordering::Acquire),
            waiting: oldest.map(|batch| (batch.age(), batch.unacknowledged())),
            storing,
        }
    }

    /// Encodes and sends one batch.
    fn send_some(&self) -> Result<Step, FeedError> {
        let encoding = &mut *self.encoding.lock();
        encoding.encoder.outbox.send(&self.run)?;
        let upper = self.upper.load(Ordering::Acquire);
        if self.progress.lock().sent_ts() >= upper {
            return Ok(Step::Done);
        }
        if encoding.encoder.outbox.is_full() {
            return Ok(Step::Storing);
        }
        if self.run.in_flight_bytes() >= self.run.in_flight_limit {
            return Ok(Step::Parked);
        }
        let mut taken = match encoding.waiting.take() {
            Some(taken) => taken,
            None => Taken { sorted: self.run.sorter.fetch(self.id, upper, STEP)?, sent: 0, upper },
        };
        if encoding.held_back.is_sending() {
            self.send_held_back(encoding)?;
        } else {
            self.send(&mut taken, encoding)?;
        }
        if encoding.held_back.is_sending() || taken.sent < taken.sorted.rows.len() {
            encoding.waiting = Some(taken);
            return Ok(Step::More);
        }
        let exhausted = taken.sorted.exhausted;
        self.progress.lock().sent(if exhausted { taken.upper } else { taken.sorted.complete_ts });
        Ok(if exhausted { Step::Done } else { Step::More })
    }

    /// Opens a batch: once it is acknowledged, everything up to `complete_ts` is.
    fn open_shipment(&self, first_ts: u64, complete_ts: u64) -> Shipment {
        let shipment = Shipment::open(self.id, first_ts, complete_ts, Arc::clone(&self.run.signal));
        self.progress.lock().begin(Arc::clone(shipment.batch()));
        shipment
    }

    /// Sends a step of what was held back and did not fit into memory. Its transaction is complete once all of it is
    /// sent, which the end of the last step tells.
    fn send_held_back(&self, encoding: &mut Encoding) -> Result<(), FeedError> {
        let rows = encoding.held_back.next(self.id, &self.run.sorter, STEP)?;
        let Some(first) = rows.first() else { return Ok(()) };
        encoding.count(rows.capacity());
        let mut shipment = self.open_shipment(first.commit_ts, first.commit_ts - 1);
        for row in &rows {
            encoding.encoder.send_insert(row, &mut encoding.buffer, &self.run, &mut shipment)?;
        }
        encoding.count(0);
        shipment.seal(&self.run.quota);
        Ok(())
    }

    /// Sends rows in order: all of them, unless a transaction ends that holds back more than fits into memory.
    fn send(&self, taken: &mut Taken, encoding: &mut Encoding) -> Result<(), FeedError> {
        let Taken { sorted, sent, .. } = taken;
        encoding.count(sorted.rows.capacity());
        let rows = sorted.rows.get(*sent..).unwrap_or_default();
        let Some(first) = rows.first() else { return Ok(()) };
        encoding.held_back.make_room(self.id, &self.run.sorter)?;
        let before = first.commit_ts - 1;
        // If the present transaction ends in steps of its own, this one completes nothing.
        let complete_ts =
            if encoding.held_back.is_spilled() { before } else { sorted.complete_ts.max(before) };
        let mut shipment = self.open_shipment(first.commit_ts, complete_ts);
        let mut transactions = rows.chunk_by(SortedRow::same_transaction).peekable();
        while let Some(rows) = transactions.next() {
            let ends = transactions.peek().is_some() || sorted.ends_transaction;
            self.send_transaction(rows, ends, encoding, &mut shipment)?;
            *sent += rows.len();
            if encoding.held_back.is_sending() {
                break;
            }
        }
        encoding.count(0);
        shipment.seal(&self.run.quota);
        Ok(())
    }

    /// Sends rows of one transaction; INSERT halves of split updates follow at its end.
    fn send_transaction(
        &self,
        rows: &[SortedRow],
        ends: bool,
        encoding: &mut Encoding,
        shipment: &mut Shipment,
    ) -> Result<(), FeedError> {
        let Encoding { encoder, held_back, buffer, .. } = encoding;
        let Some(first) = rows.first() else { return Ok(()) };
        if encoder.prepare(first.commit_ts, &self.run)? {
            for row in rows {
                if encoder.send(row, buffer, &self.run, shipment)? {
                    held_back.push(SortedRow { old_value: bytes::Bytes::new(), ..row.clone() });
                }
            }
            if ends {
                for row in held_back.end(self.id, &self.run.sorter)? {
                    encoder.send_insert(&row, buffer, &self.run, shipment)?;
                }
            }
        }
        Ok(())
    }
}

impl Drop for TablePipe {
    fn drop(&mut self) {
        self.encoding.get_mut().held_back.forget(self.id, &self.run.sorter);
    }
}

impl Task for TablePipe {
    fn step(&self) -> bool {
        let step = match self.send_some() {
            Ok(step) => step,
            Err(error) => {
                self.run.signal.fail(error);
                // Stays "queued" for good: the run is over, and nobody may pick the table up again.
                return false;
            }
        };
        match step {
            Step::More => true,
            Step::Parked => {
                self.state.store(IDLE, Ordering::Release);
                self.run.signal.park(self.id);
                false
            }
            Step::Done | Step::Storing => {
                self.run.signal.completed(self.id);
                // What was stored meanwhile has queued the table again.
                if self.state.compare_exchange(QUEUED, IDLE, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                    return false;
                }
                self.state.store(QUEUED, Ordering::Release);
                true
            }
        }
    }
}
