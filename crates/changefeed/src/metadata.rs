//! Changefeeds in PD's etcd, under TiCDC's keys.

use std::collections::HashMap;

use bytes::Bytes;
use changefeed_config::{ChangeFeedInfo, ChangeFeedStatus};
use parking_lot::RwLock;
use tikv_client::EtcdClient;
use tikv_client::etcd::{Comparison, Operation, Txn};

use crate::FeedError;
use crate::status_queue::{Pair, StatusQueue};

/// The namespace of changefeeds when clusters have no keyspaces.
pub const DEFAULT_KEYSPACE: &str = "default";

/// Proof of ownership: writes happen only while this key is as it was when the owner was elected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// Election key.
    pub key: String,
    /// Its creation revision.
    pub create_revision: i64,
}

/// A changefeed as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Id.
    pub id: String,
    /// Configuration and state.
    pub info: ChangeFeedInfo,
    /// Progress.
    pub status: ChangeFeedStatus,
}

/// The part of etcd that belongs to one cluster of captures.
pub struct MetadataStore {
    /// Client.
    etcd: EtcdClient,
    /// Cluster id of the captures.
    cluster: String,
    /// Set while this process is owner.
    fence: RwLock<Option<Fence>>,
    /// Progress that waits to be written.
    statuses: StatusQueue,
}

/// Turns a failure of etcd into the error of a changefeed.
fn etcd_error(error: tikv_client::Error) -> FeedError {
    FeedError::new("CDC:ErrPDEtcdAPIError", format!("etcd api call error: {error}"))
}

/// Turns unreadable metadata into an error that names the key.
fn decode<T: for<'de> serde::Deserialize<'de>>(key: &str, value: &[u8]) -> Result<T, FeedError> {
    serde_json::from_slice(value).map_err(|e| {
        FeedError::new("CDC:ErrUnmarshalFailed", format!("metadata at {key} can't be read: {e}"))
    })
}

/// JSON of metadata.
fn encode<T: serde::Serialize>(value: &T) -> Result<Bytes, FeedError> {
    let json =
        serde_json::to_vec(value).map_err(|e| FeedError::new("CDC:ErrMarshalFailed", e.to_string()))?;
    Ok(json.into())
}

impl MetadataStore {
    /// The metadata of one cluster of captures.
    pub fn new(etcd: EtcdClient, cluster: &str) -> Self {
        Self { etcd, cluster: cluster.to_owned(), fence: RwLock::new(None), statuses: StatusQueue::default() }
    }

    /// The etcd client.
    pub fn etcd(&self) -> &EtcdClient {
        &self.etcd
    }

    /// Start of every key of the cluster.
    pub fn base(&self) -> String {
        format!("/tidb/cdc/{}", self.cluster)
    }

    /// Start of keys about captures and the owner.
    pub fn meta_base(&self) -> String {
        format!("{}/__cdc_meta__", self.base())
    }

    /// Key of a changefeed's configuration.
    fn info_key(&self, id: &str) -> String {
        format!("{}/{DEFAULT_KEYSPACE}/changefeed/info/{id}", self.base())
    }

    /// Key of a changefeed's progress.
    fn status_key(&self, id: &str) -> String {
        format!("{}/{DEFAULT_KEYSPACE}/changefeed/status/{id}", self.base())
    }

    /// Sets or clears the proof of ownership.
    pub fn set_fence(&self, fence: Option<Fence>) {
        *self.fence.write() = fence;
    }

    /// The comparison that proves ownership.
    fn fenced(&self) -> Result<Comparison, FeedError> {
        match &*self.fence.read() {
            Some(fence) => Ok(Comparison::created_at(fence.key.clone(), fence.create_revision)),
            None => Err(not_owner()),
        }
    }

    /// Every changefeed.
    pub async fn load_all(&self) -> Result<Vec<Stored>, FeedError> {
        let prefix = self.info_key("");
        // Progress first: of a changefeed that comes between the two it is read alone.
        let statuses = self.etcd.get_prefix(self.status_key("")).await.map_err(etcd_error)?;
        let mut statuses: HashMap<_, _> = statuses.kvs.into_iter().map(|kv| (kv.key, kv.value)).collect();
        let infos = self.etcd.get_prefix(&prefix).await.map_err(etcd_error)?;
        let mut all = Vec::new();
        for kv in infos.kvs {
            let key = String::from_utf8_lossy(&kv.key).into_owned();
            let Some(id) = key.strip_prefix(&prefix) else { continue };
            let mut info: ChangeFeedInfo = decode(&key, &kv.value)?;
            info.id = id.to_owned();
            let status_key = self.status_key(id);
            let stored = match statuses.remove(status_key.as_bytes()) {
                Some(value) => Some(value),
                None => self.etcd.get(status_key.clone()).await.map_err(etcd_error)?.map(|kv| kv.value),
            };
            let status = match stored {
                Some(value) => decode(&status_key, &value)?,
                None => ChangeFeedStatus {
                    checkpoint_ts: info.start_ts,
                    min_table_barrier_ts: info.start_ts,
                    admin_job_type: 0,
                },
            };
            all.push(Stored { id: id.to_owned(), info, status });
        }
        Ok(all)
    }

    /// Stores a new changefeed; false if the id is taken.
    pub async fn create(&self, stored: &Stored) -> Result<bool, FeedError> {
        let (info_key, status_key) = (self.info_key(&stored.id), self.status_key(&stored.id));
        let txn = Txn::when([self.fenced()?, Comparison::absent(info_key.clone())]).then([
            Operation::put(info_key.clone(), encode(&stored.info)?, 0),
            Operation::put(status_key, encode(&stored.status)?, 0),
        ]);
        if self.etcd.txn(txn).await.map_err(etcd_error)?.succeeded {
            return Ok(true);
        }
        if self.etcd.get(info_key).await.map_err(etcd_error)?.is_some() {
            Ok(false)
        } else {
            Err(not_owner())
        }
    }

    /// Stores configuration and state.
    pub async fn save_info(&self, id: &str, info: &ChangeFeedInfo) -> Result<(), FeedError> {
        self.write([Operation::put(self.info_key(id), encode(info)?, 0)]).await
    }

    /// Stores progress.
    pub async fn save_status(&self, id: &str, status: &ChangeFeedStatus) -> Result<(), FeedError> {
        let write = |batch: Vec<Pair>| {
            self.write(batch.into_iter().map(|(key, value)| Operation::put(key, value, 0)))
        };
        self.statuses.put((self.status_key(id), encode(status)?), write).await
    }

    /// Forgets a changefeed.
    pub async fn remove(&self, id: &str) -> Result<(), FeedError> {
        self.write([Operation::delete(self.info_key(id)), Operation::delete(self.status_key(id))]).await
    }

    /// Writes as the owner.
    async fn write(&self, operations: impl IntoIterator<Item = Operation>) -> Result<(), FeedError> {
        let txn = Txn::when([self.fenced()?]).then(operations);
        if self.etcd.txn(txn).await.map_err(etcd_error)?.succeeded { Ok(()) } else { Err(not_owner()) }
    }

    /// Every key and value of the cluster, for `unsafe show-metadata`.
    pub async fn dump(&self) -> Result<Vec<(String, String)>, FeedError> {
        let listing = self.etcd.get_prefix(format!("{}/", self.base())).await.map_err(etcd_error)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(listing.kvs.iter().map(|kv| (text(&kv.key), text(&kv.value))).collect())
    }
}

/// The error of a write after ownership was lost.
fn not_owner() -> FeedError {
    FeedError::new("CDC:ErrNotOwner", "this capture is not a owner")
}
