//! The client of the stores.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tidb_codec::Sensitive;
use tikv_proto::tikvpb::tikv_client::TikvClient as StoreService;
use tikv_proto::{errorpb, kvrpcpb};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tonic::transport::Channel;

use crate::backoff::Backoff;
use crate::channel::{ChannelPool, MAX_MESSAGE_BYTES};
use crate::error::{Error, KeyText, Result, is_transient_code};
use crate::lock_resolver::{LockResolver, StatusCache};
use crate::pd::PdClient;
use crate::region::Region;
use crate::region_cache::{Reaction, RegionCache};
use crate::request::{StoreAnswer, StoreRequest};
use crate::snapshot::Snapshot;
use crate::transaction::{Transaction, TransactionOptions};

/// Secondary commits and roll-backs that may be under way behind their transactions.
const BACKGROUND_TASKS: usize = 256;
/// How long [`TikvClient::close`] waits for them.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// Regions that one operation asks at once.
pub(crate) const REGION_CONCURRENCY: usize = 16;

/// Sizes and bounds of a [`TikvClient`].
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Bytes of keys and values in one prewrite or commit request. Requests beyond a few MiB are refused by stores.
    pub commit_batch_bytes: usize,
    /// Largest transaction in bytes of keys and values.
    pub max_transaction_bytes: usize,
    /// Largest single entry in bytes of key and value.
    pub max_entry_bytes: usize,
    /// How long an operation is repeated while a region is not available.
    pub region_budget: Duration,
    /// How long a read, or an optimistic commit, waits for the lock of a live transaction.
    pub lock_budget: Duration,
}

/// Bytes in one prewrite or commit request: large enough that most transactions need one.
const COMMIT_BATCH_BYTES: usize = 1 << 20;
/// Largest transaction. Buffered in memory until commit.
const MAX_TRANSACTION_BYTES: usize = 1 << 30;
/// Largest entry, TiDB's default limit.
const MAX_ENTRY_BYTES: usize = 6 << 20;
/// Wait for regions, the total that TiDB's own client allows.
const REGION_BUDGET: Duration = Duration::from_secs(20);
/// Wait for locks: longer than an abandoned lock lives.
const LOCK_BUDGET: Duration = Duration::from_secs(40);

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            commit_batch_bytes: COMMIT_BATCH_BYTES,
            max_transaction_bytes: MAX_TRANSACTION_BYTES,
            max_entry_bytes: MAX_ENTRY_BYTES,
            region_budget: REGION_BUDGET,
            lock_budget: LOCK_BUDGET,
        }
    }
}

/// Client of the stores of a cluster. Cheap to clone; clones share connections, routes and background work.
#[derive(Debug, Clone)]
pub struct TikvClient {
    inner: Arc<ClientInner>,
}

/// What the clones of a [`TikvClient`] share.
#[derive(Debug)]
struct ClientInner {
    pd: PdClient,
    regions: RegionCache,
    pool: ChannelPool,
    config: ClientConfig,
    background: TaskTracker,
    background_slots: Arc<Semaphore>,
    statuses: StatusCache,
}

/// How one attempt at a request went.
#[derive(Debug)]
pub(crate) enum Attempt<T> {
    /// The store answered.
    Answered(T),
    /// The store refused the region; nothing was done.
    Refused(Box<errorpb::Error>),
    /// The connection failed; the request may have been carried out.
    Failed(tonic::Status),
}

impl TikvClient {
    /// A client of the cluster that the placement driver leads; connections open when first used.
    pub fn new(pd: PdClient) -> Self {
        Self::with_config(pd, ClientConfig::default())
    }

    /// Like [`TikvClient::new`] with other sizes.
    pub fn with_config(pd: PdClient, config: ClientConfig) -> Self {
        let inner = ClientInner {
            regions: RegionCache::new(pd.clone()),
            pool: ChannelPool::new(pd.security().clone()),
            pd,
            config,
            background: TaskTracker::new(),
            background_slots: Arc::new(Semaphore::new(BACKGROUND_TASKS)),
            statuses: StatusCache::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The placement driver's client.
    pub fn pd(&self) -> &PdClient {
        &self.inner.pd
    }

    /// The routes.
    pub fn regions(&self) -> &RegionCache {
        &self.inner.regions
    }

    /// The connections.
    pub fn pool(&self) -> &ChannelPool {
        &self.inner.pool
    }

    /// The sizes and bounds.
    pub fn config(&self) -> &ClientConfig {
        &self.inner.config
    }

    /// The shared channel to a store's address.
    ///
    /// # Errors
    /// [`Error::InvalidEndpoint`] or [`Error::TlsNotConfigured`].
    pub fn channel(&self, address: &str) -> Result<Channel> {
        self.inner.pool.channel(address)
    }

    /// Reads as of a timestamp.
    pub fn snapshot(&self, ts: u64) -> Snapshot {
        Snapshot::new(self.clone(), ts)
    }

    /// Starts a transaction at a fresh timestamp, or at the one in the options.
    ///
    /// # Errors
    /// What [`PdClient::get_ts`] fails with.
    pub async fn begin(&self, options: TransactionOptions) -> Result<Transaction> {
        Transaction::begin(self.clone(), options).await
    }

    /// Finds out about locks and removes those of ended transactions.
    pub fn lock_resolver(&self) -> LockResolver {
        LockResolver::new(self.clone())
    }

    /// Splits regions at raw keys and returns the resulting regions' ids. For tests and pre-splitting.
    ///
    /// # Errors
    /// [`Error::RegionUnavailable`] or what the calls fail with.
    pub async fn split_region(&self, split_key: &[u8]) -> Result<Vec<u64>> {
        let mut backoff = self.region_backoff();
        loop {
            let region = self.regions().locate(split_key).await?;
            let request = kvrpcpb::SplitRegionRequest {
                split_keys: vec![Bytes::copy_from_slice(split_key)],
                ..Default::default()
            };
            if let Some(answer) = self.call(&region, request, region.context(), &mut backoff).await? {
                self.regions().invalidate(region.id);
                return Ok(answer.regions.iter().map(|region| region.id).collect());
            }
        }
    }

    /// Waits for secondary commits and roll-backs under way, at most 5 s; true if all ended.
    pub async fn close(&self) -> bool {
        self.inner.background.close();
        tokio::time::timeout(CLOSE_TIMEOUT, self.inner.background.wait()).await.is_ok()
    }

    /// Waits for regions.
    pub(crate) fn region_backoff(&self) -> Backoff {
        Backoff::region(self.inner.config.region_budget)
    }

    /// Waits for locks.
    pub(crate) fn lock_backoff(&self) -> Backoff {
        Backoff::lock(self.inner.config.lock_budget)
    }

    /// What is known about ended transactions.
    pub(crate) fn statuses(&self) -> &StatusCache {
        &self.inner.statuses
    }

    /// Runs work behind a transaction; waits for a free slot first, so that the backlog is bounded.
    pub(crate) async fn spawn_background<F>(&self, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Ok(slot) = Arc::clone(&self.inner.background_slots).acquire_owned().await else { return };
        self.inner.background.spawn(async move {
            work.await;
            drop(slot);
        });
    }

    /// Like [`TikvClient::spawn_background`] where waiting is impossible: the task itself waits for its slot.
    pub(crate) fn spawn_background_now<F>(&self, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let slots = Arc::clone(&self.inner.background_slots);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        self.inner.background.spawn_on(
            async move {
                let _slot = slots.acquire_owned().await;
                work.await;
            },
            &runtime,
        );
    }

    /// Sends a request to a region's leader, once.
    pub(crate) async fn attempt<R: StoreRequest>(
        &self,
        region: &Region,
        mut request: R,
        context: kvrpcpb::Context,
    ) -> Result<Attempt<R::Answer>> {
        request.set_context(context);
        let channel = self.channel(&region.store_address)?;
        let service = StoreService::new(channel)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        let status = match tokio::time::timeout(R::TIMEOUT, request.send(service)).await {
            Ok(Ok(response)) => {
                let mut answer = response.into_inner();
                return Ok(match answer.take_region_error() {
                    Some(error) => Attempt::Refused(Box::new(error)),
                    None => Attempt::Answered(answer),
                });
            }
            Ok(Err(status)) => status,
            Err(_) => tonic::Status::deadline_exceeded(format!("no answer within {:?}", R::TIMEOUT)),
        };
        if is_transient_code(status.code()) {
            Ok(Attempt::Failed(status))
        } else {
            Err(Error::rpc(R::METHOD, &region.store_address, status))
        }
    }

    /// Sends a request to a region's leader. `None` means that the route was wrong or the store unreachable: it has been
    /// waited for, and the keys are to be located again.
    pub(crate) async fn call<R: StoreRequest>(
        &self,
        region: &Region,
        request: R,
        context: kvrpcpb::Context,
        backoff: &mut Backoff,
    ) -> Result<Option<R::Answer>> {
        match self.attempt(region, request, context).await? {
            Attempt::Answered(answer) => Ok(Some(answer)),
            Attempt::Refused(error) => {
                self.refused(region, *error, backoff).await?;
                Ok(None)
            }
            Attempt::Failed(status) => {
                self.failed(R::METHOD, region, &status, backoff).await?;
                Ok(None)
            }
        }
    }

    /// Learns from a region error and waits before the next attempt.
    pub(crate) async fn refused(
        &self,
        region: &Region,
        error: errorpb::Error,
        backoff: &mut Backoff,
    ) -> Result<()> {
        let text = describe(&error);
        tracing::debug!(region = region.id, error = %text, "region error");
        let goes_on = match self.regions().react(region, error).await {
            Reaction::Reroute => backoff.wait().await,
            Reaction::Wait(least) => backoff.wait_at_least(least).await,
            Reaction::GiveUp(reason) => return Err(unavailable(region, backoff, reason)),
        };
        if goes_on { Ok(()) } else { Err(unavailable(region, backoff, text)) }
    }

    /// Forgets the route after a transport failure and waits before the next attempt.
    pub(crate) async fn failed(
        &self,
        method: &'static str,
        region: &Region,
        status: &tonic::Status,
        backoff: &mut Backoff,
    ) -> Result<()> {
        tracing::debug!(method, store = %region.store_address, %status, "store request failed");
        self.regions().store_failed(region);
        if backoff.wait().await {
            Ok(())
        } else {
            Err(unavailable(region, backoff, format!("{method} at {}: {status}", region.store_address)))
        }
    }
}

/// The error for a region that could not be reached.
fn unavailable(region: &Region, backoff: &Backoff, last: String) -> Error {
    Error::RegionUnavailable { key: KeyText(region.raw_start.clone()), waited: backoff.elapsed(), last }
}

/// A region error in words.
fn describe(error: &errorpb::Error) -> String {
    let text = if error.message.is_empty() { format!("{error:?}") } else { error.message.clone() };
    // Some name the keys of the request.
    Sensitive(text).to_string()
}
