//! The catalogue: topics by name and id, changed one at a time, stored before they become visible.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use tracing::{error, warn};
use uuid::Uuid;

use super::files::{
    CLUSTER_FILE, ClusterMeta, StoredTopic, TOPICS_DIR, TOPICS_FILE, blocking, open_cluster, read_json,
    remove_orphans, storage, write_json,
};
use super::names::check_topic_name;
use super::settings::{self, ConfigChange, Overrides, SettingError};
use super::topic::Topic;
use crate::config::TopicConfig;
use crate::error::StartError;
use crate::limits::{MAX_PARTITIONS, MAX_TOPICS, PRODUCER_ID_BLOCK};

/// Why a topic could not be changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CatalogError {
    /// The name breaks the rules.
    #[error("{0}")]
    Name(String),
    /// A topic of this name exists.
    #[error("topic {0:?} already exists")]
    Exists(String),
    /// There is no such topic.
    #[error("topic {0:?} does not exist")]
    Unknown(String),
    /// The number of partitions is impossible.
    #[error("{0}")]
    Partitions(String),
    /// The broker holds as many topics or partitions as it can.
    #[error("the broker is limited to {MAX_TOPICS} topics and {MAX_PARTITIONS} partitions")]
    Full,
    /// A setting is refused.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The change could not be stored.
    #[error("the topic metadata could not be stored")]
    Storage(#[source] io::Error),
}

/// Topics by both their keys.
#[derive(Debug, Default)]
struct Topics {
    /// By name.
    by_name: BTreeMap<Arc<str>, Arc<Topic>>,
    /// By id.
    by_id: HashMap<Uuid, Arc<Topic>>,
}

/// The topics of a broker.
#[derive(Debug)]
pub(crate) struct Catalog {
    /// The data directory.
    dir: PathBuf,
    /// Defaults of topic settings.
    defaults: TopicConfig,
    /// The topics.
    topics: RwLock<Topics>,
    /// Held while a change is stored.
    changing: tokio::sync::Mutex<()>,
    /// Id of the cluster.
    cluster_id: String,
    /// Identity of the cluster as stored.
    cluster: tokio::sync::Mutex<ClusterMeta>,
}

impl Catalog {
    /// Opens the catalogue and all partitions in `dir`, and removes directories of topics which are gone.
    pub(crate) fn open(dir: &Path, defaults: TopicConfig) -> Result<Self, StartError> {
        let topics_dir = dir.join(TOPICS_DIR);
        fs::create_dir_all(&topics_dir).map_err(|e| storage(&topics_dir, e))?;
        let cluster = open_cluster(&dir.join(CLUSTER_FILE))?;
        let stored: Vec<StoredTopic> = read_json(&dir.join(TOPICS_FILE))?.unwrap_or_default();
        let mut topics = Topics::default();
        for t in stored {
            let config = settings::effective(&defaults, &t.config)
                .map_err(|e| StartError::Metadata { path: dir.join(TOPICS_FILE), reason: e.to_string() })?;
            let topic = Topic::open(&topics_dir, &t.name, t.id, t.partitions, t.config, config)
                .map_err(|e| storage(&topics_dir.join(t.id.simple().to_string()), e))?;
            topics.insert(Arc::new(topic));
        }
        remove_orphans(&topics_dir, |id| topics.by_id.contains_key(&id));
        Ok(Self {
            dir: dir.to_owned(),
            defaults,
            topics: RwLock::new(topics),
            changing: tokio::sync::Mutex::new(()),
            cluster_id: cluster.cluster_id.clone(),
            cluster: tokio::sync::Mutex::new(cluster),
        })
    }

    /// A topic by name.
    pub(crate) fn by_name(&self, name: &str) -> Option<Arc<Topic>> {
        self.topics.read().by_name.get(name).cloned()
    }

    /// A topic by id.
    pub(crate) fn by_id(&self, id: Uuid) -> Option<Arc<Topic>> {
        self.topics.read().by_id.get(&id).cloned()
    }

    /// All topics by name.
    pub(crate) fn all(&self) -> Vec<Arc<Topic>> {
        self.topics.read().by_name.values().cloned().collect()
    }

    /// Checks whether a topic could be created, without creating it; returns the settings it would have.
    pub(crate) fn check_new(
        &self,
        name: &str,
        partitions: i32,
        overrides: &Overrides,
    ) -> Result<TopicConfig, CatalogError> {
        check_topic_name(name).map_err(CatalogError::Name)?;
        if self.by_name(name).is_some() {
            return Err(CatalogError::Exists(name.to_owned()));
        }
        if partitions < 1 {
            return Err(CatalogError::Partitions("a topic needs at least one partition".into()));
        }
        self.check_room(partitions)?;
        Ok(settings::effective(&self.defaults, overrides)?)
    }

    /// Checks that `more` partitions fit.
    fn check_room(&self, more: i32) -> Result<(), CatalogError> {
        let topics = self.topics.read();
        let used: usize =
            topics.by_name.values().map(|t| usize::try_from(t.partition_count()).unwrap_or(0)).sum();
        let fits = usize::try_from(more).is_ok_and(|m| used.saturating_add(m) <= MAX_PARTITIONS);
        if fits && topics.by_name.len() < MAX_TOPICS { Ok(()) } else { Err(CatalogError::Full) }
    }

    /// Creates a topic.
    pub(crate) async fn create(
        &self,
        name: &str,
        partitions: i32,
        overrides: Overrides,
    ) -> Result<Arc<Topic>, CatalogError> {
        let _changing = self.changing.lock().await;
        let config = self.check_new(name, partitions, &overrides)?;
        let id = Uuid::new_v4();
        let mut stored = self.stored();
        stored.push(StoredTopic { name: name.to_owned(), id, partitions, config: overrides.clone() });
        let (topics_dir, owned) = (self.dir.join(TOPICS_DIR), name.to_owned());
        let topic = blocking(move || Topic::open(&topics_dir, &owned, id, partitions, overrides, config));
        let topic = Arc::new(topic.await.map_err(CatalogError::Storage)?);
        self.store(stored).await?;
        self.topics.write().insert(Arc::clone(&topic));
        Ok(topic)
    }

    /// Removes a topic from the catalogue. The caller closes its partitions, then calls [`Catalog::erase`].
    pub(crate) async fn remove(&self, name: &str) -> Result<Arc<Topic>, CatalogError> {
        let _changing = self.changing.lock().await;
        let topic = self.by_name(name).ok_or_else(|| CatalogError::Unknown(name.to_owned()))?;
        let mut stored = self.stored();
        stored.retain(|t| t.id != topic.id);
        self.store(stored).await?;
        self.topics.write().remove(&topic);
        Ok(topic)
    }

    /// Deletes the files of a removed topic.
    pub(crate) async fn erase(&self, topic: &Topic) {
        let dir = topic.dir().to_owned();
        let erased = blocking(move || match fs::remove_dir_all(&dir) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        });
        if let Err(e) = erased.await {
            warn!(topic = %topic.name, error = %e, "files of a deleted topic remain until the next start");
        }
    }

    /// Grows a topic to `count` partitions; with `validate_only` only checks.
    pub(crate) async fn grow(&self, name: &str, count: i32, validate_only: bool) -> Result<(), CatalogError> {
        let _changing = self.changing.lock().await;
        let topic = self.by_name(name).ok_or_else(|| CatalogError::Unknown(name.to_owned()))?;
        let existing = topic.partition_count();
        if count <= existing {
            let reason = format!("topic {name:?} has {existing} partitions, which cannot become {count}");
            return Err(CatalogError::Partitions(reason));
        }
        self.check_room(count - existing)?;
        if validate_only {
            return Ok(());
        }
        let mut stored = self.stored();
        for t in stored.iter_mut().filter(|t| t.id == topic.id) {
            t.partitions = count;
        }
        self.store(stored).await?;
        blocking(move || topic.grow(count)).await.map_err(CatalogError::Storage)
    }

    /// Changes settings of a topic: `changes` on top of the present ones, or of none with `replace`.
    pub(crate) async fn configure(
        &self,
        name: &str,
        changes: Vec<(String, ConfigChange)>,
        replace: bool,
        validate_only: bool,
    ) -> Result<(), CatalogError> {
        let _changing = self.changing.lock().await;
        let topic = self.by_name(name).ok_or_else(|| CatalogError::Unknown(name.to_owned()))?;
        let base = if replace { Overrides::new() } else { topic.overrides() };
        let overrides = settings::changed(&base, changes)?;
        let config = settings::effective(&self.defaults, &overrides)?;
        if validate_only {
            return Ok(());
        }
        let mut stored = self.stored();
        for t in stored.iter_mut().filter(|t| t.id == topic.id) {
            t.config = overrides.clone();
        }
        self.store(stored).await?;
        topic.configure(overrides, config);
        Ok(())
    }

    /// Reserves a block of producer ids.
    pub(crate) async fn reserve_producer_ids(&self) -> io::Result<std::ops::Range<i64>> {
        let mut cluster = self.cluster.lock().await;
        let first = cluster.next_producer_id;
        let mut next = cluster.clone();
        next.next_producer_id = first.saturating_add(PRODUCER_ID_BLOCK);
        let path = self.dir.join(CLUSTER_FILE);
        let stored = next.clone();
        blocking(move || write_json(&path, &stored)).await?;
        *cluster = next;
        Ok(first..cluster.next_producer_id)
    }

    /// Id of the cluster.
    pub(crate) fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// The topics as they are stored.
    fn stored(&self) -> Vec<StoredTopic> {
        let stored = |t: &Arc<Topic>| StoredTopic {
            name: t.name.to_string(),
            id: t.id,
            partitions: t.partition_count(),
            config: t.overrides(),
        };
        self.topics.read().by_name.values().map(stored).collect()
    }

    /// Stores the topics durably.
    async fn store(&self, topics: Vec<StoredTopic>) -> Result<(), CatalogError> {
        let path = self.dir.join(TOPICS_FILE);
        blocking(move || write_json(&path, &topics)).await.map_err(|e| {
            error!(error = %e, "cannot store the topic metadata");
            CatalogError::Storage(e)
        })
    }
}

impl Topics {
    /// Adds a topic.
    fn insert(&mut self, topic: Arc<Topic>) {
        self.by_id.insert(topic.id, Arc::clone(&topic));
        self.by_name.insert(Arc::clone(&topic.name), topic);
    }

    /// Removes a topic.
    fn remove(&mut self, topic: &Topic) {
        self.by_id.remove(&topic.id);
        self.by_name.remove(&topic.name);
    }
}
