//! Runs a changefeed over a tape: the pipeline as it is, with recorded frames in place of TiKV's streams and a list in
//! place of Kafka. For tests and chores; the feature `replay` makes it public.

mod memory_sink;
mod subscription;
mod tape;
mod tape_source;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use changefeed_config::ReplicaConfig;
use event_sorter::{MemoryQuota, Sorter, SorterConfig};
use jiff::tz::TimeZone;
use parking_lot::RwLock;
use tidb_schema::{SchemaHistory, SchemaSnapshot};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

pub use memory_sink::Delivered;
pub use tape::{Tape, TapeRegion};
pub use tape_source::Order;

use crate::FeedError;
use crate::metrics::FeedCounters;
use crate::pipeline::{Inbound, Pipeline, Report};
use crate::run_once::{EVENT_QUEUE, Plan};
use crate::signal::Signal;
use crate::sink::Sink;
use crate::table::Run;
use crate::worker::WorkerPool;
use memory_sink::MemorySink;
use tape_source::TapeSource;

/// Longest time without any progress.
const STALLED_AFTER: Duration = Duration::from_secs(20);
/// Encoder threads of one replay.
const ENCODER_THREADS: usize = 2;
/// Memory of the sorter, bytes.
const SORTER_MEMORY: usize = 64 << 20;
/// Bytes that may be on their way to the sink, which acknowledges at once.
const IN_FLIGHT_LIMIT: usize = 64 << 20;

/// What is replayed, and how.
#[derive(Debug, Clone)]
pub struct Replay {
    /// Sink URI; nothing connects to it.
    pub sink_uri: String,
    /// Configuration.
    pub config: ReplicaConfig,
    /// Partitions of every topic.
    pub partitions: i32,
    /// Zone in which TIMESTAMP values are written.
    pub time_zone: TimeZone,
    /// Keys and values of the meta range at `start_ts`.
    pub meta: Vec<(Vec<u8>, Vec<u8>)>,
    /// What the stores sent.
    pub tape: Arc<Tape>,
    /// Changes after this ts are wanted.
    pub start_ts: u64,
    /// The replay ends when everything up to this ts was delivered.
    pub until_ts: u64,
    /// Target ts of the changefeed, at which it ends by itself; zero for none.
    pub target_ts: u64,
    /// Folder for spilled rows; must exist and belong to this replay alone.
    pub scratch: PathBuf,
    /// In which order subscriptions get their events.
    pub order: Order,
}

/// What came out of a replay.
#[derive(Debug)]
pub struct Replayed {
    /// Messages in the order of sending.
    pub messages: Vec<Delivered>,
    /// Everything up to here was delivered.
    pub checkpoint_ts: u64,
    /// Why the changefeed stopped by itself, if it did.
    pub error: Option<FeedError>,
    /// Changes with a row whose checksum does not match.
    pub corrupted_rows: u64,
}

/// Replays a tape until everything is delivered or the changefeed stops by itself.
///
/// # Errors
/// If the configuration or the schema is refused, or nothing moves any more.
pub async fn replay(mut replay: Replay) -> Result<Replayed, FeedError> {
    replay.config.validate_and_adjust()?;
    let plan = Plan::compile(&replay.sink_uri, &replay.config)?;
    let has_watermarks = plan.kafka.enable_tidb_extension;
    let schema = SchemaSnapshot::from_meta(replay.start_ts, replay.meta)
        .map_err(|e| FeedError::new("CDC:ErrSchemaSnapshotNotFound", e.to_string()))?;
    let sink = Arc::new(MemorySink::new(&plan.kafka.topic, replay.partitions));
    let limit = plan.kafka.max_message_bytes;
    let (claim_check, counters) = (plan.claim_check().await?, FeedCounters::default());
    let sorter_config = SorterConfig { memory_limit: SORTER_MEMORY, ..SorterConfig::default() };
    let quota = MemoryQuota::new(2 * SORTER_MEMORY);
    let run = Arc::new(Run {
        sorter: Sorter::open(&replay.scratch, sorter_config, Arc::clone(&quota))?,
        quota,
        schema: RwLock::new(SchemaHistory::new(schema)),
        sink: Arc::clone(&sink) as Arc<dyn Sink>,
        signal: Arc::new(Signal::default()),
        settings: plan.settings(
            replay.config.force_replicate,
            replay.time_zone,
            limit,
            claim_check,
            counters.clone(),
        ),
        in_flight_limit: IN_FLIGHT_LIMIT,
        // As many as can be, since each is checked.
        watermark_interval: Duration::ZERO,
        crowd: Arc::default(),
    });
    let workers = WorkerPool::start(ENCODER_THREADS).map_err(|e| {
        FeedError::new("CDC:ErrServerNewPDClient", format!("cannot start encoder threads: {e}"))
    })?;
    let (sender, events) = mpsc::channel(EVENT_QUEUE);
    let source = Arc::new(TapeSource::new(replay.tape, replay.order, sender));
    let (report, mut progress) =
        watch::channel(Report { checkpoint_ts: replay.start_ts, ..Report::default() });
    // Nobody asks.
    let inbound = Inbound { events, questions: mpsc::channel(1).1 };
    let pipeline =
        Pipeline::new(run, Arc::new(workers), source, inbound, replay.start_ts, replay.target_ts, report);
    let stop = CancellationToken::new();
    let mut running = tokio::spawn(pipeline.run(replay.start_ts, stop.clone()));
    let ended = tokio::select! {
        ended = &mut running => ended,
        arrived = arrive(&mut progress, &sink, replay.until_ts, has_watermarks) => {
            stop.cancel();
            let ended = (&mut running).await;
            arrived?;
            ended
        }
    };
    let error = match ended {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => Some(error),
        Err(error) => return Err(FeedError::new("CDC:ErrPipelineClosed", error.to_string())),
    };
    let checkpoint_ts = progress.borrow().checkpoint_ts;
    Ok(Replayed {
        messages: sink.take(),
        checkpoint_ts,
        error,
        corrupted_rows: counters.corrupted_rows.get(),
    })
}

/// Waits until the checkpoint, and if consumers get watermarks the last of every partition, has reached `until_ts`.
async fn arrive(
    progress: &mut watch::Receiver<Report>,
    sink: &MemorySink,
    until_ts: u64,
    has_watermarks: bool,
) -> Result<(), FeedError> {
    let stalled = |what: String| FeedError::new("CDC:ErrReplayStalled", format!("no progress: {what}"));
    while progress.borrow_and_update().checkpoint_ts < until_ts {
        match tokio::time::timeout(STALLED_AFTER, progress.changed()).await {
            Ok(Ok(())) => {}
            // The pipeline has ended, and tells why itself.
            Ok(Err(_)) => return std::future::pending().await,
            Err(_) => return Err(stalled(format!("{:?} short of {until_ts}", *progress.borrow()))),
        }
    }
    if has_watermarks {
        let arrived = tokio::time::timeout(STALLED_AFTER, sink.watermark_at(until_ts));
        arrived.await.map_err(|_| stalled(format!("no watermark at {until_ts}")))?;
    }
    Ok(())
}
