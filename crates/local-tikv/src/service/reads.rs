//! Snapshot reads.

use super::{Failure, TikvService, check_key_len, range_in};
use crate::engine::EngineError;
use crate::keys::EncodedKey;
use crate::mvcc::{self, Found, Override};
use crate::record::{Lock, LockKind};
use crate::region::{Region, check_key};
use crate::store::{Obstacle, ReadRules, Store, is_plausible};
use crate::txn::TxnError;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tikv_proto::kvrpcpb::{self, *};
use tokio_util::sync::CancellationToken;
use tonic::Status;

/// A read waits no longer than this for a one-phase commit on its way to the disk.
const IN_FLIGHT_TIMEOUT: Duration = Duration::from_secs(5);

/// Outcome of one attempt to read.
enum Attempt<T> {
    /// Done.
    Done(T),
    /// A commit is on its way: read again when it has arrived.
    Wait(CancellationToken),
}

/// One key of a read: its value, or the lock in the way.
type Read = Result<Option<Bytes>, Box<LockInfo>>;

impl TikvService {
    /// `KvGet`.
    pub(super) async fn get(&self, request: GetRequest) -> Result<GetResponse, Failure> {
        self.check_cluster(request.context.as_ref())?;
        check_key_len(&request.key)?;
        let region = self.store.regions.check(request.context.as_ref())?;
        check_key(&region, &request.key)?;
        let rules = self.rules(request.context.as_ref(), request.version)?;
        let key = request.key;
        let read = self.attempt(move |store| read_key(store, &key, &rules)).await?;
        match read {
            Ok(Some(value)) => Ok(GetResponse { value, ..GetResponse::default() }),
            Ok(None) => Ok(GetResponse { not_found: true, ..GetResponse::default() }),
            Err(lock) => Err(TxnError::Locked(lock).into()),
        }
    }

    /// `KvBatchGet`.
    pub(super) async fn batch_get(&self, request: BatchGetRequest) -> Result<BatchGetResponse, Failure> {
        self.check_cluster(request.context.as_ref())?;
        let region = self.store.regions.check(request.context.as_ref())?;
        for key in &request.keys {
            check_key_len(key)?;
            check_key(&region, key)?;
        }
        let rules = self.rules(request.context.as_ref(), request.version)?;
        let keys = request.keys;
        let pairs = self.attempt(move |store| read_keys(store, &keys, &rules)).await?;
        Ok(BatchGetResponse { pairs, ..BatchGetResponse::default() })
    }

    /// `KvScan`. For a reverse scan `start_key` is the upper bound.
    pub(super) async fn scan(&self, request: ScanRequest) -> Result<ScanResponse, Failure> {
        self.check_cluster(request.context.as_ref())?;
        let region = self.store.regions.check(request.context.as_ref())?;
        let rules = self.rules(request.context.as_ref(), request.version)?;
        if request.limit == 0 {
            return Ok(ScanResponse::default());
        }
        let pairs = self.attempt(move |store| scan(store, &region, &request, &rules)).await?;
        Ok(ScanResponse { pairs, ..ScanResponse::default() })
    }

    /// How the read treats locks; makes its timestamp known to one-phase commits.
    fn rules(&self, context: Option<&Context>, ts: u64) -> Result<ReadRules, Status> {
        if !is_plausible(ts) {
            return Err(Status::invalid_argument(format!("read ts {ts} lies in the future")));
        }
        let context = context.cloned().unwrap_or_default();
        if context.isolation_level == i32::from(IsolationLevel::RcCheckTs) {
            return Err(Status::unimplemented("isolation level RCCheckTS is not supported"));
        }
        if context.stale_read || context.replica_read {
            // There is one replica and it is current: such reads are ordinary reads.
            tracing::trace!("stale or replica read served by the only replica");
        }
        self.store.max_ts.update(ts);
        Ok(ReadRules {
            ts,
            ignore_locks: context.isolation_level == i32::from(IsolationLevel::Rc),
            bypass: context.resolved_locks,
            committed: context.committed_locks,
        })
    }

    /// Reads on a thread for reads, again after each commit that was on its way.
    async fn attempt<T: Send + 'static>(
        &self,
        read: impl Fn(&Store) -> Result<Attempt<T>, EngineError> + Send + Sync + 'static,
    ) -> Result<T, Failure> {
        let read = Arc::new(read);
        loop {
            let (store, job) = (self.store.clone(), read.clone());
            match self.store.read(move || job(&store)).await?? {
                Attempt::Done(output) => return Ok(output),
                Attempt::Wait(done) => tokio::time::timeout(IN_FLIGHT_TIMEOUT, done.cancelled())
                    .await
                    .map_err(|_| Status::unavailable("a commit in the way does not finish"))?,
            }
        }
    }
}

/// Reads one key. Locks are looked at before the versions: a lock that goes away in between left its version.
fn read_key(store: &Store, key: &[u8], rules: &ReadRules) -> Result<Attempt<Read>, EngineError> {
    match store.locks.obstacle(key, rules) {
        None => {}
        Some(Obstacle::InFlight(done)) => return Ok(Attempt::Wait(done)),
        Some(Obstacle::Locked(lock)) => return Ok(Attempt::Done(Err(Box::new(lock.info(key))))),
        Some(Obstacle::Committed(lock)) => return Ok(Attempt::Done(Ok(value_of_lock(store, key, &lock)?))),
    }
    let value = mvcc::get(&store.engine.snapshot(), &EncodedKey::new(key), rules.ts)?;
    Ok(Attempt::Done(Ok(value)))
}

/// The value that a lock will have once it is committed.
fn value_of_lock(store: &Store, key: &[u8], lock: &Lock) -> Result<Option<Bytes>, EngineError> {
    if lock.kind != LockKind::Put {
        return Ok(None);
    }
    let view = store.engine.snapshot();
    mvcc::value_of(&view, &EncodedKey::new(key), lock.start_ts, &lock.value).map(Some)
}

fn read_keys(store: &Store, keys: &[Bytes], rules: &ReadRules) -> Result<Attempt<Vec<KvPair>>, EngineError> {
    let mut pairs = Vec::with_capacity(keys.len());
    for key in keys {
        match read_key(store, key, rules)? {
            Attempt::Wait(done) => return Ok(Attempt::Wait(done)),
            Attempt::Done(Ok(Some(value))) => pairs.push(pair(key.clone(), value)),
            Attempt::Done(Ok(None)) => {}
            Attempt::Done(Err(lock)) => pairs.push(locked_pair(key.clone(), lock)),
        }
    }
    Ok(Attempt::Done(pairs))
}

fn pair(key: Bytes, value: Bytes) -> KvPair {
    KvPair { key, value, ..KvPair::default() }
}

fn locked_pair(key: Bytes, lock: Box<kvrpcpb::LockInfo>) -> KvPair {
    KvPair { key, error: Some(TxnError::Locked(lock).into_key_error()), ..KvPair::default() }
}

fn scan(
    store: &Store,
    region: &Region,
    request: &ScanRequest,
    rules: &ReadRules,
) -> Result<Attempt<Vec<KvPair>>, EngineError> {
    let (start, end) = if request.reverse {
        (&request.end_key, &request.start_key)
    } else {
        (&request.start_key, &request.end_key)
    };
    let Some(range) = range_in(region, start, end) else { return Ok(Attempt::Done(Vec::new())) };
    let limit = request.limit as usize;
    let mut overrides = BTreeMap::new();
    if !rules.ignore_locks {
        for (key, obstacle) in store.locks.obstacles(&range, rules, limit, request.reverse) {
            let effect = match obstacle {
                Obstacle::InFlight(done) => return Ok(Attempt::Wait(done)),
                Obstacle::Locked(lock) => Override::Blocked(Box::new(lock.info(&key))),
                Obstacle::Committed(lock) => Override::Value(value_of_lock(store, &key, &lock)?),
            };
            overrides.insert(key, effect);
        }
    }
    let view = store.engine.snapshot();
    let found = mvcc::scan(&view, &range, rules.ts, limit, request.reverse, &overrides)?;
    let pairs = found.into_iter().map(|(key, found)| match found {
        Found::Value(_) if request.key_only => pair(key.into(), Bytes::new()),
        Found::Value(value) => pair(key.into(), value),
        Found::Blocked(lock) => locked_pair(key.into(), lock),
    });
    Ok(Attempt::Done(pairs.collect()))
}
