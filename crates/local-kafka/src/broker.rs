//! What all connections share.

use std::ops::Range;
use std::sync::Arc;

use tokio::sync::{Mutex, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::budget::MemoryBudget;
use crate::catalog::{Catalog, CatalogError, Overrides, Topic};
use crate::config::KafkaConfig;
use crate::error::StartError;
use crate::groups::{Coordinator, JournalJoin, OffsetStore};
use crate::limits::{MAX_CONCURRENT_READS, MEMORY_BUDGET_BYTES};
use crate::log::{IoJoin, IoThreads};

/// The broker behind the connections.
#[derive(Debug)]
pub(crate) struct Broker {
    /// Its settings.
    pub(crate) config: KafkaConfig,
    /// Its topics.
    pub(crate) catalog: Catalog,
    /// Its consumer groups.
    pub(crate) groups: Arc<Coordinator>,
    /// Committed offsets.
    pub(crate) offsets: OffsetStore,
    /// Its I/O threads.
    pub(crate) io: IoThreads,
    /// Memory of requests and answers.
    pub(crate) memory: MemoryBudget,
    /// Limits the fetches which read files at the same time.
    pub(crate) reads: Semaphore,
    /// Reserved producer ids which are not handed out yet.
    producer_ids: Mutex<Range<i64>>,
}

/// Waits for the threads of a broker to end, which they do when the broker is dropped.
pub(crate) struct BrokerJoin {
    /// I/O threads.
    io: IoJoin,
    /// Journal thread.
    journal: JournalJoin,
}

impl BrokerJoin {
    /// Blocks until everything accepted is on disk.
    pub(crate) fn join(self) {
        self.io.join();
        self.journal.join();
    }
}

impl Broker {
    /// Opens all files and starts the threads. Blocks.
    pub(crate) fn open(
        config: KafkaConfig,
        stopping: CancellationToken,
    ) -> Result<(Self, BrokerJoin), StartError> {
        let storage = |source| StartError::Storage { path: config.data_dir.clone(), source };
        let catalog = Catalog::open(&config.data_dir, config.topic_defaults)?;
        let (offsets, journal) = OffsetStore::open(&config.data_dir)?;
        let (io, io_join) = IoThreads::start(config.flush).map_err(storage)?;
        let broker = Self {
            groups: Coordinator::new(config.initial_rebalance_delay, stopping),
            config,
            catalog,
            offsets,
            io,
            memory: MemoryBudget::new(MEMORY_BUDGET_BYTES),
            reads: Semaphore::new(MAX_CONCURRENT_READS),
            producer_ids: Mutex::new(0..0),
        };
        Ok((broker, BrokerJoin { io: io_join, journal }))
    }

    /// A topic by name; creates it if it is unknown and that is allowed.
    pub(crate) async fn topic_or_create(&self, name: &str) -> Result<Arc<Topic>, CatalogError> {
        if let Some(topic) = self.catalog.by_name(name) {
            return Ok(topic);
        }
        if !self.config.auto_create_topics {
            return Err(CatalogError::Unknown(name.to_owned()));
        }
        match self.catalog.create(name, self.config.default_partitions, Overrides::new()).await {
            // Somebody else was faster.
            Err(CatalogError::Exists(name)) => self.catalog.by_name(&name).ok_or(CatalogError::Unknown(name)),
            other => other,
        }
    }

    /// Deletes a topic with its records and committed offsets.
    pub(crate) async fn delete_topic(&self, name: &str) -> Result<(), CatalogError> {
        let topic = self.catalog.remove(name).await?;
        for partition in topic.partitions() {
            self.io.close(&partition).await;
        }
        self.catalog.erase(&topic).await;
        if let Err(e) = self.offsets.remove_topic(name).await {
            tracing::warn!(topic = name, error = %e, "committed offsets of a deleted topic remain");
        }
        Ok(())
    }

    /// A producer id which was never used before.
    pub(crate) async fn new_producer_id(&self) -> std::io::Result<i64> {
        let mut ids = self.producer_ids.lock().await;
        if ids.is_empty() {
            *ids = self.catalog.reserve_producer_ids().await?;
        }
        let id = ids.start;
        ids.start += 1;
        Ok(id)
    }
}
