//! Client of the metadata store (etcd v3) that the placement driver embeds.

mod lease;
mod operation;
mod watch;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tikv_proto::etcdserverpb as pb;
use tonic::transport::Channel;

use crate::backoff::Backoff;
use crate::channel::{ChannelPool, MAX_MESSAGE_BYTES, was_never_sent};
use crate::error::{Error, Result, is_transient_code};
use crate::keys;
use crate::security::Security;

pub use lease::{KeepAlive, Lease, LeaseState, Validity};
pub use operation::{Comparison, Operation, OperationResult, Range, Txn, TxnResult};
pub use pb::KeyValue;
pub use watch::{EventKind, WatchBatch, WatchEvent, WatchOptions, Watcher};

/// Longest time for one call.
const CALL_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a call is repeated while no endpoint answers.
const CALL_BUDGET: Duration = Duration::from_secs(10);
/// First wait between attempts.
const RETRY_BASE: Duration = Duration::from_millis(20);
/// Longest wait between attempts.
const RETRY_MAX: Duration = Duration::from_millis(500);

/// Client of an etcd v3 store with one or more endpoints. Cheap to clone; connections open when first used.
#[derive(Debug, Clone)]
pub struct EtcdClient {
    inner: Arc<EtcdInner>,
}

/// What the clones of an [`EtcdClient`] share.
#[derive(Debug)]
struct EtcdInner {
    pool: ChannelPool,
    endpoints: Vec<String>,
    /// Index of the endpoint in use; moves on after a failure.
    current: AtomicUsize,
}

/// Keys found by a range read.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    /// Revision of the store at the read.
    pub revision: i64,
    /// The pairs, by key unless asked otherwise.
    pub kvs: Vec<KeyValue>,
    /// Number of keys in the range, whatever the limit.
    pub count: i64,
    /// Whether the limit left some out.
    pub more: bool,
}

/// Whether a call may be repeated when it is not known whether it was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repeat {
    /// Yes: doing it twice is the same as doing it once.
    Always,
    /// Only if it was certainly not sent.
    IfUnsent,
}

impl EtcdClient {
    /// A client of a store with these endpoints (URLs or `host:port`, comma lists allowed).
    ///
    /// # Errors
    /// [`Error::NoEndpoints`], [`Error::InvalidEndpoint`] or [`Error::TlsNotConfigured`].
    pub fn new(endpoints: &[String], security: Security) -> Result<Self> {
        let endpoints: Vec<String> = endpoints
            .iter()
            .flat_map(|entry| entry.split(','))
            .filter(|entry| !entry.trim().is_empty())
            .map(|entry| security.url(entry))
            .collect::<Result<_>>()?;
        if endpoints.is_empty() {
            return Err(Error::NoEndpoints);
        }
        let inner = EtcdInner { pool: ChannelPool::new(security), endpoints, current: AtomicUsize::new(0) };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The value of one key.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if no endpoint answers in time, [`Error::Rpc`] if the store refuses; the same holds for
    /// all calls here.
    pub async fn get(&self, key: impl Into<Bytes>) -> Result<Option<KeyValue>> {
        Ok(self.range(Range::key(key)).await?.kvs.into_iter().next())
    }

    /// All keys with a prefix.
    ///
    /// # Errors
    /// See [`EtcdClient::get`].
    pub async fn get_prefix(&self, prefix: impl AsRef<[u8]>) -> Result<Listing> {
        self.range(Range::prefix(prefix)).await
    }

    /// Keys of a range.
    ///
    /// # Errors
    /// See [`EtcdClient::get`]; [`Error::Compacted`] if the wanted revision is gone.
    pub async fn range(&self, range: Range) -> Result<Listing> {
        let wanted = range.request.revision;
        let answer = self
            .call("Range", Repeat::Always, |channel| {
                let request = range.request.clone();
                async move { kv(channel).range(request).await }
            })
            .await
            .map_err(|error| compacted_at(error, wanted))?;
        let revision = revision_of(answer.header.as_ref());
        Ok(Listing { revision, kvs: answer.kvs, count: answer.count, more: answer.more })
    }

    /// Sets a key, under a lease if one is given (0 is none), and returns the new revision.
    ///
    /// # Errors
    /// See [`EtcdClient::get`]; [`Error::LeaseNotFound`].
    pub async fn put(&self, key: impl Into<Bytes>, value: impl Into<Bytes>, lease: i64) -> Result<i64> {
        let request = pb::PutRequest { key: key.into(), value: value.into(), lease, ..Default::default() };
        let answer = self
            .call("Put", Repeat::Always, |channel| {
                let request = request.clone();
                async move { kv(channel).put(request).await }
            })
            .await
            .map_err(|error| lease_missing(error, lease))?;
        Ok(revision_of(answer.header.as_ref()))
    }

    /// Deletes one key and returns what it held.
    ///
    /// # Errors
    /// See [`EtcdClient::get`].
    pub async fn delete(&self, key: impl Into<Bytes>) -> Result<Option<KeyValue>> {
        let request = pb::DeleteRangeRequest { key: key.into(), range_end: Bytes::new(), prev_kv: true };
        Ok(self.delete_range(request).await?.prev_kvs.into_iter().next())
    }

    /// Deletes all keys with a prefix and returns how many there were.
    ///
    /// # Errors
    /// See [`EtcdClient::get`].
    pub async fn delete_prefix(&self, prefix: impl AsRef<[u8]>) -> Result<i64> {
        let range = Range::prefix(prefix).request;
        let request = pb::DeleteRangeRequest { key: range.key, range_end: range.range_end, prev_kv: false };
        Ok(self.delete_range(request).await?.deleted)
    }

    /// Sends a delete request.
    async fn delete_range(&self, request: pb::DeleteRangeRequest) -> Result<pb::DeleteRangeResponse> {
        self.call("DeleteRange", Repeat::Always, |channel| {
            let request = request.clone();
            async move { kv(channel).delete_range(request).await }
        })
        .await
    }

    /// Compares and acts in one step. It is not repeated once it may have been carried out: a broken connection is
    /// then an [`Error::Rpc`], and only a read can tell.
    ///
    /// # Errors
    /// See [`EtcdClient::get`]; [`Error::LeaseNotFound`].
    pub async fn txn(&self, txn: Txn) -> Result<TxnResult> {
        let lease = txn.lease();
        let request = txn.into_request();
        let answer = self
            .call("Txn", Repeat::IfUnsent, |channel| {
                let request = request.clone();
                async move { kv(channel).txn(request).await }
            })
            .await
            .map_err(|error| lease_missing(error, lease))?;
        Ok(TxnResult::from(answer))
    }

    /// Numeric id of the store's cluster.
    ///
    /// # Errors
    /// See [`EtcdClient::get`].
    pub async fn cluster_id(&self) -> Result<u64> {
        let answer = self.member_list().await?;
        Ok(answer.header.map_or(0, |header| header.cluster_id))
    }

    /// The store's members.
    ///
    /// # Errors
    /// See [`EtcdClient::get`].
    pub async fn member_list(&self) -> Result<pb::MemberListResponse> {
        self.call("MemberList", Repeat::Always, |channel| async move {
            pb::cluster_client::ClusterClient::new(channel)
                .member_list(pb::MemberListRequest::default())
                .await
        })
        .await
    }

    /// Version and size of the store.
    ///
    /// # Errors
    /// See [`EtcdClient::get`].
    pub async fn status(&self) -> Result<pb::StatusResponse> {
        self.call("Status", Repeat::Always, |channel| async move {
            pb::maintenance_client::MaintenanceClient::new(channel).status(pb::StatusRequest::default()).await
        })
        .await
    }

    /// The endpoint in use.
    fn endpoint(&self) -> (usize, String) {
        let index = self.inner.current.load(Ordering::Relaxed);
        let count = self.inner.endpoints.len().max(1);
        (index, self.inner.endpoints.get(index % count).cloned().unwrap_or_default())
    }

    /// Leaves an endpoint that failed, unless somebody else has done so.
    fn leave(&self, index: usize) {
        let _ = self.inner.current.compare_exchange(
            index,
            index.wrapping_add(1),
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
    }

    /// A channel to the endpoint in use.
    fn channel(&self) -> Result<(usize, String, Channel)> {
        let (index, endpoint) = self.endpoint();
        let channel = self.inner.pool.channel(&endpoint)?;
        Ok((index, endpoint, channel))
    }

    /// The error for a store that does not answer.
    fn unavailable(&self, waited: Duration, last: String) -> Error {
        Error::Unavailable { service: format!("etcd at {}", self.inner.endpoints.join(",")), waited, last }
    }

    /// Sends a request; moves to the next endpoint after transport failures.
    async fn call<T, F, Fut>(&self, method: &'static str, repeat: Repeat, send: F) -> Result<T>
    where
        F: Fn(Channel) -> Fut,
        Fut: Future<Output = std::result::Result<tonic::Response<T>, tonic::Status>>,
    {
        let mut backoff = Backoff::new(RETRY_BASE, RETRY_MAX, CALL_BUDGET);
        loop {
            let (index, endpoint, channel) = self.channel()?;
            let status = match tokio::time::timeout(CALL_TIMEOUT, send(channel)).await {
                Ok(Ok(response)) => return Ok(response.into_inner()),
                Ok(Err(status)) => status,
                Err(_) => tonic::Status::deadline_exceeded(format!("no answer within {CALL_TIMEOUT:?}")),
            };
            let repeatable = repeat == Repeat::Always || was_never_sent(&status);
            if !is_transient_code(status.code()) || !repeatable {
                return Err(Error::rpc(method, &endpoint, status));
            }
            tracing::debug!(method, endpoint, %status, "etcd call failed");
            self.leave(index);
            if !backoff.wait().await {
                return Err(self.unavailable(backoff.elapsed(), format!("{method}: {status}")));
            }
        }
    }
}

/// The key-value service on a channel.
fn kv(channel: Channel) -> pb::kv_client::KvClient<Channel> {
    pb::kv_client::KvClient::new(channel)
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES)
}

/// Revision of an answer.
fn revision_of(header: Option<&pb::ResponseHeader>) -> i64 {
    header.map_or(0, |header| header.revision)
}

/// Text by which etcd tells that a lease is unknown.
const LEASE_NOT_FOUND_TEXT: &str = "requested lease not found";
/// Text by which etcd tells that a revision is gone.
const COMPACTED_TEXT: &str = "required revision has been compacted";

/// Recognises the refusal of an unknown lease.
fn lease_missing(error: Error, lease: i64) -> Error {
    match &error {
        Error::Rpc { status, .. } if status.message().contains(LEASE_NOT_FOUND_TEXT) => {
            Error::LeaseNotFound { lease }
        }
        _ => error,
    }
}

/// Recognises the refusal of a compacted revision.
fn compacted_at(error: Error, wanted: i64) -> Error {
    match &error {
        Error::Rpc { status, .. } if status.message().contains(COMPACTED_TEXT) => {
            Error::Compacted { wanted, compact_revision: 0 }
        }
        _ => error,
    }
}

/// The range of all keys with a prefix; the end is one zero byte where there is no next prefix.
fn prefix_range(prefix: &[u8]) -> (Bytes, Bytes) {
    let end = keys::prefix_end(prefix);
    let unbounded = Bytes::from_static(&[0]);
    let start = if prefix.is_empty() { unbounded.clone() } else { Bytes::copy_from_slice(prefix) };
    (start, if end.is_empty() { unbounded } else { end })
}
