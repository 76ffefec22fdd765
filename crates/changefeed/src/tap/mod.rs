//! The events of a changefeed without Kafka: the same pipeline, from TiKV's streams through sorter and encoder, with a
//! reader in place of the broker. Nothing is stored but a safepoint that ends with the tap.

mod ordered_sink;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use changefeed_config::{ReplicaConfig, SinkConfig};
use event_sorter::{MemoryQuota, Sorter, SorterConfig};
use jiff::tz::TimeZone;
use parking_lot::RwLock;
use tidb_schema::SchemaHistory;
use tikv_cdc::{CdcClient, CdcConfig, CdcMetrics, PrewriteSpool, TikvCluster};
use tikv_client::{PdClient, TikvClient};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::FeedError;
use crate::load_schema;
use crate::metrics::FeedCounters;
use crate::pipeline::{End, Inbound, Pipeline, Report};
use crate::run_once::{EVENT_QUEUE, Plan};
use crate::signal::Signal;
use crate::sink::Sink;
use crate::table::Run;
use crate::table_checks::check_tables;
use crate::tikv_source::TikvSource;
use crate::worker::WorkerPool;
use ordered_sink::OrderedSink;

/// The sink URI that stands for the reader: the format of the messages, and nothing that connects.
const SINK_URI: &str = "kafka://tap/tap?protocol=canal-json&enable-tidb-extension=true";
/// Encoder threads: a reader is no faster.
const ENCODER_THREADS: usize = 2;
/// Memory of a tap, bytes: of the streams, the sorter and what the reader has not taken.
const MEMORY: usize = 256 << 20;
/// Part of it that the sorter may hold.
const SORTER_MEMORY: usize = MEMORY / 3;
/// Messages that the reader has not taken, bytes; beyond, rows stay in the sorter.
const UNREAD_LIMIT: usize = 16 << 20;
/// Pause between watermarks, by which messages become ready: what a reader waits at most besides TiKV.
const WATERMARK_INTERVAL: Duration = Duration::from_millis(20);
/// Life of the safepoint, seconds: it ends soon after a tap that was killed.
const HOLD_SECONDS: i64 = 600;
/// How often it is renewed.
const RENEW_EVERY: Duration = Duration::from_secs(60);

/// What is tapped.
pub struct TapRequest {
    /// Client of the placement driver.
    pub pd: PdClient,
    /// Configuration; of its sink only what concerns the content of messages counts.
    pub config: ReplicaConfig,
    /// Changes after this ts; zero: from now on.
    pub start_ts: u64,
    /// Zone in which TIMESTAMP values are written.
    pub time_zone: TimeZone,
    /// Folder for spilled rows; must exist and belong to this tap alone.
    pub scratch: PathBuf,
}

/// A running tap.
pub struct Tap {
    /// Messages.
    sink: Arc<OrderedSink>,
    /// The pipeline.
    running: JoinHandle<Result<End, FeedError>>,
    /// Ends it.
    stop: CancellationToken,
    /// The safepoint.
    hold: Option<Hold>,
    /// Changes after this ts come.
    start_ts: u64,
}

/// What counts of a configuration: which rows and columns, not where they go.
fn content_only(mut config: ReplicaConfig) -> ReplicaConfig {
    let sink = std::mem::take(&mut config.sink);
    config.sink = SinkConfig { column_selectors: sink.column_selectors, ..SinkConfig::default() };
    config
}

impl Tap {
    /// Starts to follow the tables of a configuration.
    ///
    /// # Errors
    /// A configuration that is refused or does not fit the tables, a start ts whose versions are gone, and whatever the
    /// cluster refuses.
    pub async fn start(request: TapRequest) -> Result<Self, FeedError> {
        let mut config = content_only(request.config);
        config.validate_and_adjust()?;
        let plan = Plan::compile(SINK_URI, &config)?;
        let now =
            request.pd.get_ts().await.map_err(|e| FeedError::new("CDC:ErrPDTimestamp", e.to_string()))?;
        if request.start_ts > now {
            let message = format!("start-ts {} is in the future: PD is at {now}", request.start_ts);
            return Err(FeedError::new("CDC:ErrAPIInvalidParam", message));
        }
        let start_ts = if request.start_ts == 0 { now } else { request.start_ts };
        let (report, progress) = watch::channel(Report { checkpoint_ts: start_ts, ..Report::default() });
        // What is committed from now on is far from being collected.
        let hold = match request.start_ts {
            0 => None,
            ts => Some(Hold::take(request.pd.clone(), ts, progress).await?),
        };
        let tikv = TikvClient::new(request.pd.clone());
        let schema = load_schema(&tikv, start_ts).await?;
        check_tables(&schema, &plan, config.force_replicate, &request.time_zone)?;
        let quota = MemoryQuota::new(MEMORY);
        let spool =
            PrewriteSpool::open(&request.scratch.join("prewrites"), &quota).map_err(FeedError::from)?;
        let feeds = CdcConfig { spool: Some(Arc::new(spool)), ..CdcConfig::default() };
        let cluster = Arc::new(TikvCluster::new(tikv, feeds.max_streams_per_store));
        let cdc = Arc::new(CdcClient::new(cluster, feeds, Arc::clone(&quota), CdcMetrics::default()));
        let sorter = SorterConfig { memory_limit: SORTER_MEMORY, ..SorterConfig::default() };
        let signal = Arc::new(Signal::default());
        let sink = Arc::new(OrderedSink::new(Arc::clone(&signal)));
        let run = Arc::new(Run {
            sorter: Sorter::open(&request.scratch.join("sorter"), sorter, Arc::clone(&quota))?,
            quota: Arc::clone(&quota),
            schema: RwLock::new(SchemaHistory::new(schema)),
            sink: Arc::clone(&sink) as Arc<dyn Sink>,
            signal,
            settings: plan.settings(
                config.force_replicate,
                request.time_zone,
                usize::MAX,
                None,
                FeedCounters::default(),
            ),
            in_flight_limit: UNREAD_LIMIT,
            watermark_interval: WATERMARK_INTERVAL,
            crowd: Arc::default(),
        });
        let workers = WorkerPool::start(ENCODER_THREADS).map_err(|e| {
            FeedError::new("CDC:ErrServerNewPDClient", format!("cannot start encoder threads: {e}"))
        })?;
        let (sender, events) = mpsc::channel(EVENT_QUEUE);
        let source = Arc::new(TikvSource::new(cdc, sender, quota));
        // Nobody asks why it stands still.
        let inbound = Inbound { events, questions: mpsc::channel(1).1 };
        let pipeline = Pipeline::new(run, Arc::new(workers), source, inbound, start_ts, 0, report);
        let stop = CancellationToken::new();
        let running = tokio::spawn(pipeline.run(start_ts, stop.clone()));
        Ok(Self { sink, running, stop, hold, start_ts })
    }

    /// Changes after this ts come.
    pub fn start_ts(&self) -> u64 {
        self.start_ts
    }

    /// The next message, in commit order; rows come before the DDL that finished at the same ts. Safe to be given up and
    /// called again.
    ///
    /// # Errors
    /// What ended the pipeline.
    pub async fn next(&mut self) -> Result<Vec<u8>, FeedError> {
        tokio::select! {
            biased;
            message = self.sink.next() => Ok(message),
            ended = &mut self.running => Err(match ended {
                Ok(Err(error)) => error,
                Ok(Ok(_)) => FeedError::new("CDC:ErrPipelineClosed", "the tap ended by itself"),
                Err(error) => FeedError::new("CDC:ErrPipelineClosed", error.to_string()),
            }),
        }
    }

    /// Ends the tap and lets go of the safepoint.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if !self.running.is_finished()
            && let Err(error) = (&mut self.running).await
        {
            warn!(%error, "the pipeline of the tap");
        }
        if let Some(hold) = self.hold {
            hold.release().await;
        }
    }
}

/// A safepoint that follows the progress of a tap.
struct Hold {
    /// Client.
    pd: PdClient,
    /// Service id.
    service: String,
    /// Renews it.
    renewal: JoinHandle<()>,
}

impl Hold {
    /// Holds versions from `ts` on.
    async fn take(pd: PdClient, ts: u64, progress: watch::Receiver<Report>) -> Result<Self, FeedError> {
        let service = format!("tidegate-tap-{:016x}", rand::random::<u64>());
        let refused = |e: tikv_client::Error| {
            let message = format!("updating service safepoint failed: {e}");
            FeedError::new("CDC:ErrUpdateServiceSafepointFailed", message)
        };
        let min = pd.hold_versions(&service, HOLD_SECONDS, ts).await.map_err(refused)?;
        if min > ts {
            return Err(FeedError::new(
                "CDC:ErrStartTsBeforeGC",
                format!("start-ts {ts} is earlier than the GC safepoint at {min}: old versions are gone"),
            ));
        }
        let (client, name) = (pd.clone(), service.clone());
        let renewal = tokio::spawn(async move {
            loop {
                tokio::time::sleep(RENEW_EVERY).await;
                let needed = progress.borrow().checkpoint_ts.saturating_sub(1);
                if let Err(error) = client.hold_versions(&name, HOLD_SECONDS, needed).await {
                    warn!(%error, "cannot renew the safepoint of the tap");
                }
            }
        });
        Ok(Self { pd, service, renewal })
    }

    /// Lets go.
    async fn release(self) {
        self.renewal.abort();
        if let Err(error) = self.pd.hold_versions(&self.service, 0, 0).await {
            warn!(%error, "the safepoint of the tap stays until it expires");
        }
    }
}
