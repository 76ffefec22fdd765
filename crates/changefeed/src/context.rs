//! What all changefeeds of a capture share.

use std::path::PathBuf;
use std::sync::Arc;

use event_sorter::MemoryQuota;
use jiff::tz::TimeZone;
use kafka_sink::SharedAdmins;
use parking_lot::Mutex;
use tikv_cdc::CdcClient;
use tikv_client::{PdClient, TikvClient};

use crate::FeedError;
use crate::crowd::Crowd;
use crate::metadata::MetadataStore;
use crate::metrics::FeedMetrics;
use crate::schema_load::SharedSchema;
use crate::term::Term;
use crate::worker::WorkerPool;

/// What all changefeeds of a capture share.
pub struct Context {
    /// Timestamps, regions, safepoints.
    pub(crate) pd: PdClient,
    /// Snapshot reads.
    pub(crate) tikv: TikvClient,
    /// Change feeds of stores.
    pub(crate) cdc: Arc<CdcClient>,
    /// Metadata.
    pub(crate) metadata: Arc<MetadataStore>,
    /// Memory of all changefeeds.
    pub(crate) quota: Arc<MemoryQuota>,
    /// The schema that was read last.
    pub(crate) schema: SharedSchema,
    /// Number of changefeeds.
    pub(crate) crowd: Arc<Crowd>,
    /// Administrative connections to Kafka.
    pub(crate) admins: Arc<SharedAdmins>,
    /// The time in which this process is the owner: a new one for each time that it is.
    term: Mutex<Term>,
    /// Encoder threads.
    pub(crate) workers: Arc<WorkerPool>,
    /// Folder for spilled rows.
    pub(crate) data_dir: PathBuf,
    /// Zone in which TIMESTAMP values are written.
    pub(crate) time_zone: TimeZone,
    /// Address of this capture, as others see it.
    pub(crate) advertise_addr: String,
    /// Cluster id of the captures.
    pub(crate) cluster: String,
    /// Seconds for which a changefeed that stands still keeps old versions.
    pub(crate) gc_ttl_seconds: u64,
    /// Version that is written into new changefeeds.
    pub(crate) version: String,
    /// Metrics.
    pub(crate) metrics: FeedMetrics,
}

/// Settings of [`Context`].
pub struct ContextConfig {
    /// Timestamps, regions, safepoints.
    pub pd: PdClient,
    /// Snapshot reads.
    pub tikv: TikvClient,
    /// Change feeds of stores.
    pub cdc: Arc<CdcClient>,
    /// Metadata.
    pub metadata: Arc<MetadataStore>,
    /// Memory of all changefeeds.
    pub quota: Arc<MemoryQuota>,
    /// Folder for spilled rows.
    pub data_dir: PathBuf,
    /// Zone in which TIMESTAMP values are written.
    pub time_zone: TimeZone,
    /// Address of this capture, as others see it.
    pub advertise_addr: String,
    /// Cluster id of the captures.
    pub cluster: String,
    /// Seconds for which a changefeed that stands still keeps old versions.
    pub gc_ttl_seconds: u64,
    /// Version that is written into new changefeeds.
    pub version: String,
    /// Metrics.
    pub metrics: FeedMetrics,
}

impl Context {
    /// Starts the encoder threads, one per core.
    pub fn new(config: ContextConfig) -> Result<Arc<Self>, FeedError> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let workers = WorkerPool::start(cores).map_err(|e| {
            FeedError::new("CDC:ErrServerNewPDClient", format!("cannot start encoder threads: {e}"))
        })?;
        Ok(Arc::new(Self {
            pd: config.pd,
            tikv: config.tikv,
            cdc: config.cdc,
            metadata: config.metadata,
            quota: config.quota,
            schema: SharedSchema::default(),
            crowd: Arc::default(),
            admins: Arc::default(),
            term: Mutex::default(),
            workers: Arc::new(workers),
            data_dir: config.data_dir,
            time_zone: config.time_zone,
            advertise_addr: config.advertise_addr,
            cluster: config.cluster,
            gc_ttl_seconds: config.gc_ttl_seconds,
            version: config.version,
            metrics: config.metrics,
        }))
    }

    /// This process is the owner until `term` ends. Then changefeeds send nothing any more and drop what they have not
    /// sent: another process may write.
    pub fn begin_term(&self, term: Term) {
        *self.term.lock() = term;
    }

    /// The time in which this process is the owner.
    pub(crate) fn term(&self) -> Term {
        self.term.lock().clone()
    }
}
