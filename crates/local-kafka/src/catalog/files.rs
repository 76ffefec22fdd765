//! The metadata files of the broker.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tracing::warn;
use uuid::Uuid;

use super::settings::Overrides;
use crate::error::StartError;
use crate::platform::replace_file;

/// File with the topics.
pub(super) const TOPICS_FILE: &str = "topics.json";
/// File with the identity of the cluster.
pub(super) const CLUSTER_FILE: &str = "cluster.json";
/// Directory with one directory per topic.
pub(super) const TOPICS_DIR: &str = "topics";

/// One topic as stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredTopic {
    /// Its name.
    pub(super) name: String,
    /// Its id.
    pub(super) id: Uuid,
    /// Number of partitions.
    pub(super) partitions: i32,
    /// Settings which differ from the defaults.
    #[serde(default)]
    pub(super) config: Overrides,
}

/// Identity of the cluster and the producer ids handed out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ClusterMeta {
    /// Id of the cluster, made up when the data directory was created.
    pub(super) cluster_id: String,
    /// First producer id which was never reserved.
    pub(super) next_producer_id: i64,
}

/// Runs file work off the async runtime.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| Err(io::Error::other(e)))
}

/// A start error for a file.
pub(super) fn storage(path: &Path, source: io::Error) -> StartError {
    StartError::Storage { path: path.to_owned(), source }
}

/// Reads the identity of the cluster, or makes one up.
pub(super) fn open_cluster(path: &Path) -> Result<ClusterMeta, StartError> {
    if let Some(cluster) = read_json(path)? {
        return Ok(cluster);
    }
    let cluster = ClusterMeta { cluster_id: Uuid::new_v4().simple().to_string(), next_producer_id: 1 };
    write_json(path, &cluster).map_err(|e| storage(path, e))?;
    Ok(cluster)
}

/// Reads a JSON file; `None` if there is none.
pub(super) fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>, StartError> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|e| StartError::Metadata { path: path.to_owned(), reason: e.to_string() }),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(storage(path, e)),
    }
}

/// Writes a JSON file durably.
pub(super) fn write_json<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    replace_file(path, &serde_json::to_vec_pretty(value)?)
}

/// Removes directories of topics which are not in the catalogue (their deletion was interrupted).
pub(super) fn remove_orphans(topics_dir: &Path, known: impl Fn(Uuid) -> bool) {
    for entry in fs::read_dir(topics_dir).into_iter().flatten().flatten() {
        let id = entry.file_name().to_str().and_then(|n| Uuid::try_parse(n).ok());
        if let Some(id) = id
            && !known(id)
            && let Err(e) = fs::remove_dir_all(entry.path())
        {
            warn!(path = %entry.path().display(), error = %e, "cannot delete the files of a deleted topic");
        }
    }
}
