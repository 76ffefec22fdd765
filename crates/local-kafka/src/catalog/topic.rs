//! One topic: its identity, settings and partitions.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use uuid::Uuid;

use super::settings::Overrides;
use crate::config::TopicConfig;
use crate::log::{PartitionId, PartitionLog};

/// A topic with its open partitions.
#[derive(Debug)]
pub(crate) struct Topic {
    /// Its name.
    pub(crate) name: Arc<str>,
    /// Its id; names its directory, so that a topic created again never meets old files.
    pub(crate) id: Uuid,
    /// Settings which differ from the defaults.
    overrides: RwLock<Overrides>,
    /// Settings in effect, shared with the partitions.
    config: Arc<RwLock<TopicConfig>>,
    /// Partitions by number.
    partitions: RwLock<Vec<Arc<PartitionLog>>>,
    /// Its directory.
    dir: PathBuf,
}

impl Topic {
    /// Opens a topic with `count` partitions below `topics_dir`.
    pub(super) fn open(
        topics_dir: &Path,
        name: &str,
        id: Uuid,
        count: i32,
        overrides: Overrides,
        config: TopicConfig,
    ) -> io::Result<Self> {
        let topic = Self {
            name: name.into(),
            id,
            overrides: RwLock::new(overrides),
            config: Arc::new(RwLock::new(config)),
            partitions: RwLock::new(Vec::new()),
            dir: topics_dir.join(id.simple().to_string()),
        };
        topic.grow(count)?;
        Ok(topic)
    }

    /// Opens partitions up to `count`.
    pub(super) fn grow(&self, count: i32) -> io::Result<()> {
        let existing = self.partition_count();
        let mut added = Vec::new();
        for index in existing..count {
            let id = PartitionId { topic: Arc::clone(&self.name), topic_id: self.id, index };
            let dir = self.dir.join(index.to_string());
            added.push(Arc::new(PartitionLog::open(id, dir, Arc::clone(&self.config))?));
        }
        self.partitions.write().extend(added);
        Ok(())
    }

    /// Replaces the settings.
    pub(super) fn configure(&self, overrides: Overrides, config: TopicConfig) {
        *self.overrides.write() = overrides;
        *self.config.write() = config;
    }

    /// Its directory.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Settings which differ from the defaults.
    pub(crate) fn overrides(&self) -> Overrides {
        self.overrides.read().clone()
    }

    /// Settings in effect.
    pub(crate) fn config(&self) -> TopicConfig {
        *self.config.read()
    }

    /// Number of partitions.
    pub(crate) fn partition_count(&self) -> i32 {
        i32::try_from(self.partitions.read().len()).unwrap_or(i32::MAX)
    }

    /// A partition by number.
    pub(crate) fn partition(&self, index: i32) -> Option<Arc<PartitionLog>> {
        self.partitions.read().get(usize::try_from(index).ok()?).cloned()
    }

    /// All partitions.
    pub(crate) fn partitions(&self) -> Vec<Arc<PartitionLog>> {
        self.partitions.read().clone()
    }
}
