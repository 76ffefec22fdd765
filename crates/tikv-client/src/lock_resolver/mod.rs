//! Locks in the way: whose they are, and removing those of ended transactions.

mod secondaries;
mod status;

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use tikv_proto::kvrpcpb;

use crate::backoff::Backoff;
use crate::client::TikvClient;
use crate::error::{Error, Result};
use crate::timestamp::Timestamp;

pub(crate) use status::StatusCache;
use status::TxnStatus;

/// Locks asked for in one request, the number that TiCDC uses.
const SCAN_LIMIT: u32 = 1024;
/// Locks of one transaction in a request above which the whole region is cleared of it instead.
const KEYS_PER_RESOLVE: usize = 256;
/// Shortest wait for a live lock whose end is near.
const MIN_LOCK_WAIT: Duration = Duration::from_millis(1);

/// A lock of a transaction that is alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveLock {
    /// Start timestamp of the transaction.
    pub start_ts: u64,
    /// Raw primary key: the transaction is committed when this key is.
    pub primary: Bytes,
    /// A raw key that it holds in the range.
    pub key: Bytes,
    /// How long the transaction may live, from its start; a client that is there makes it longer now and then.
    pub ttl: Duration,
}

/// What became of the locks of a range.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResolvedLocks {
    /// Locks found.
    pub found: usize,
    /// Locks removed, their transactions having ended.
    pub resolved: usize,
    /// Transactions that are still alive, each with one of its locks, by start timestamp.
    pub alive: Vec<LiveLock>,
}

/// What clearing the way for an operation has led to.
#[derive(Debug, Default)]
pub(crate) struct Clearing {
    /// A lock that stays, and how long until it expires.
    pub(crate) alive: Option<(kvrpcpb::LockInfo, Duration)>,
    /// Transactions that cannot commit at or before the reader's timestamp: their locks do not concern it.
    pub(crate) passable: Vec<u64>,
}

/// Finds out about locks and removes those of ended transactions. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LockResolver {
    client: TikvClient,
}

impl LockResolver {
    /// A resolver on a client.
    pub(crate) fn new(client: TikvClient) -> Self {
        Self { client }
    }

    /// Removes the locks of ended transactions older than `max_ts` (inclusive) in a raw range (an empty end is unbounded). Locks of live
    /// transactions stay and are reported.
    ///
    /// # Errors
    /// [`Error::RegionUnavailable`] or what the calls fail with.
    pub async fn resolve_locks(&self, start: &[u8], end: &[u8], max_ts: u64) -> Result<ResolvedLocks> {
        let mut total = ResolvedLocks::default();
        let mut next = Bytes::copy_from_slice(start);
        let mut backoff = self.client.region_backoff();
        loop {
            let region = self.client.regions().locate(&next).await?;
            let request = kvrpcpb::ScanLockRequest {
                max_version: max_ts,
                start_key: next.clone(),
                end_key: Bytes::copy_from_slice(end),
                limit: SCAN_LIMIT,
                ..Default::default()
            };
            let Some(answer) = self.client.call(&region, request, region.context(), &mut backoff).await?
            else {
                continue;
            };
            backoff = self.client.region_backoff();
            if let Some(error) = answer.error {
                return Err(Error::from_key_error(error, max_ts));
            }
            let full = answer.locks.len() >= usize::try_from(SCAN_LIMIT).unwrap_or(usize::MAX);
            let last = answer.locks.last().map(|lock| crate::keys::successor(&lock.key));
            self.resolve_found(answer.locks, &mut total).await?;
            next = match last {
                Some(behind) if full => behind,
                _ => region.raw_end.clone(),
            };
            if next.is_empty() || (!end.is_empty() && next[..] >= *end) {
                total.alive.sort_by_key(|lock| lock.start_ts);
                total.alive.dedup_by_key(|lock| lock.start_ts);
                return Ok(total);
            }
        }
    }

    /// Resolves a batch of found locks.
    async fn resolve_found(&self, locks: Vec<kvrpcpb::LockInfo>, total: &mut ResolvedLocks) -> Result<()> {
        total.found += locks.len();
        let mut backoff = self.client.region_backoff();
        let now = self.client.pd().get_ts().await?;
        for (_, locks) in by_transaction(&locks) {
            let Some(first) = locks.first() else { continue };
            match self.status(first, 0, now, &mut backoff).await? {
                TxnStatus::Alive { ttl } | TxnStatus::Passable { ttl } => total.alive.push(LiveLock {
                    start_ts: first.lock_version,
                    primary: first.primary_lock.clone(),
                    key: first.key.clone(),
                    ttl: Duration::from_millis(ttl),
                }),
                TxnStatus::Ended { commit_ts } => {
                    self.remove(&locks, commit_ts, &mut backoff).await?;
                    total.resolved += locks.len();
                }
            }
        }
        Ok(())
    }

    /// Clears the way for a read as of `read_ts`.
    pub(crate) async fn clear_for_read(&self, locks: &[kvrpcpb::LockInfo], read_ts: u64) -> Result<Clearing> {
        self.clear(locks, read_ts).await
    }

    /// Clears the way for a write.
    pub(crate) async fn clear_for_write(&self, locks: &[kvrpcpb::LockInfo]) -> Result<Clearing> {
        self.clear(locks, 0).await
    }

    /// Removes the locks of ended transactions and tells about the others.
    async fn clear(&self, locks: &[kvrpcpb::LockInfo], caller_ts: u64) -> Result<Clearing> {
        let mut backoff = self.client.region_backoff();
        let now = self.client.pd().get_ts().await?;
        let mut clearing = Clearing::default();
        for (_, locks) in by_transaction(locks) {
            let Some(first) = locks.first() else { continue };
            match self.status(first, caller_ts, now, &mut backoff).await? {
                TxnStatus::Passable { .. } if caller_ts > 0 => clearing.passable.push(first.lock_version),
                TxnStatus::Alive { ttl } | TxnStatus::Passable { ttl } => {
                    let left = remaining(first.lock_version, ttl, now);
                    if clearing.alive.as_ref().is_none_or(|(_, other)| left < *other) {
                        clearing.alive = Some(((*first).clone(), left));
                    }
                }
                TxnStatus::Ended { commit_ts } => self.remove(&locks, commit_ts, &mut backoff).await?,
            }
        }
        Ok(clearing)
    }

    /// Removes locks of one ended transaction: commits them at `commit_ts`, or rolls them back if that is 0.
    async fn remove(
        &self,
        locks: &[&kvrpcpb::LockInfo],
        commit_ts: u64,
        backoff: &mut Backoff,
    ) -> Result<()> {
        let Some(first) = locks.first() else { return Ok(()) };
        let start_ts = first.lock_version;
        let (pessimistic, prewritten): (Vec<&kvrpcpb::LockInfo>, Vec<&kvrpcpb::LockInfo>) =
            locks.iter().copied().partition(|lock| lock.lock_type() == kvrpcpb::Op::PessimisticLock);
        let keys = prewritten.iter().map(|lock| lock.key.clone()).collect();
        self.end_keys(start_ts, commit_ts, keys, backoff).await?;
        let for_update_ts = pessimistic.iter().map(|lock| lock.lock_for_update_ts).max().unwrap_or(0);
        let keys = pessimistic.iter().map(|lock| lock.key.clone()).collect();
        self.unlock_pessimistic(start_ts, for_update_ts, keys, backoff).await
    }

    /// Commits or rolls back a transaction's locks on keys, region by region.
    async fn end_keys(
        &self,
        start_ts: u64,
        commit_ts: u64,
        keys: Vec<Bytes>,
        backoff: &mut Backoff,
    ) -> Result<()> {
        let mut open = keys;
        while let Some(key) = open.last() {
            let region = self.client.regions().locate(key).await?;
            let (here, elsewhere): (Vec<Bytes>, Vec<Bytes>) =
                open.drain(..).partition(|key| region.contains(key));
            let request = kvrpcpb::ResolveLockRequest {
                start_version: start_ts,
                commit_version: commit_ts,
                keys: if here.len() > KEYS_PER_RESOLVE { Vec::new() } else { here.clone() },
                ..Default::default()
            };
            open = elsewhere;
            match self.client.call(&region, request, region.context(), backoff).await? {
                None => open.extend(here),
                Some(answer) => {
                    if let Some(error) = answer.error {
                        return Err(Error::from_key_error(error, start_ts));
                    }
                }
            }
        }
        Ok(())
    }

    /// Removes a transaction's pessimistic locks on keys, region by region.
    pub(crate) async fn unlock_pessimistic(
        &self,
        start_ts: u64,
        for_update_ts: u64,
        keys: Vec<Bytes>,
        backoff: &mut Backoff,
    ) -> Result<()> {
        let mut open = keys;
        while let Some(key) = open.last() {
            let region = self.client.regions().locate(key).await?;
            let (here, elsewhere): (Vec<Bytes>, Vec<Bytes>) =
                open.drain(..).partition(|key| region.contains(key));
            let request = kvrpcpb::PessimisticRollbackRequest {
                start_version: start_ts,
                for_update_ts,
                keys: here.clone(),
                ..Default::default()
            };
            open = elsewhere;
            match self.client.call(&region, request, region.context(), backoff).await? {
                None => open.extend(here),
                Some(answer) => {
                    if let Some(error) = answer.errors.into_iter().next() {
                        return Err(Error::from_key_error(error, start_ts));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Groups locks by their transaction.
fn by_transaction(locks: &[kvrpcpb::LockInfo]) -> HashMap<u64, Vec<&kvrpcpb::LockInfo>> {
    let mut groups: HashMap<u64, Vec<&kvrpcpb::LockInfo>> = HashMap::new();
    for lock in locks {
        groups.entry(lock.lock_version).or_default().push(lock);
    }
    groups
}

/// Time until a lock expires by the clock of the placement driver.
fn remaining(lock_ts: u64, ttl_ms: u64, now: u64) -> Duration {
    let expiry = Timestamp(lock_ts).physical_ms().saturating_add(ttl_ms);
    Duration::from_millis(expiry.saturating_sub(Timestamp(now).physical_ms())).max(MIN_LOCK_WAIT)
}
