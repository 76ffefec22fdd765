//! Pessimistic locks, and what is done about the locks of others.

use super::writes::{check_read_ts, check_ts};
use super::{Failure, TikvService, key, keys, range_in, raw};
use crate::engine::Snapshot;
use crate::record::{Lock, LockKind};
use crate::store::{Ticket, Wake};
use crate::txn::{
    self, CheckStatus, Execution, Key, LockOutcome, LockRequest, LockTarget, SecondaryStatus, TxnError,
    TxnStatus,
};
use bytes::Bytes;
use std::collections::HashMap;
use std::time::Duration;
use tikv_proto::kvrpcpb::*;
use tokio::time::{Instant, timeout_at};
use tonic::Status;

/// A lock request waits no longer than this; clients ask again (TiKV's `wait-for-lock-timeout`).
const MAX_LOCK_WAIT: Duration = Duration::from_secs(1);
/// Locks that one command resolves.
const RESOLVE_BATCH: usize = 256;
/// Locks that one answer lists at most.
const MAX_SCANNED_LOCKS: usize = 16 * 1024;

impl TikvService {
    /// `KvPessimisticLock`: waits for locks of others, up to the client's and the store's limit.
    pub(super) async fn pessimistic_lock(
        &self,
        request: PessimisticLockRequest,
    ) -> Result<PessimisticLockResponse, Failure> {
        self.check_cluster(request.context.as_ref())?;
        let command = lock_command(&request)?;
        let wait = match request.wait_timeout {
            ..0 => Duration::ZERO,
            0 => MAX_LOCK_WAIT,
            ms => MAX_LOCK_WAIT.min(Duration::from_millis(ms.unsigned_abs())),
        };
        let deadline = Instant::now() + wait;
        let mut ticket: Option<Ticket> = None;
        loop {
            let outcome = self.try_lock(request.context.as_ref(), command.clone()).await?;
            let lock = match outcome {
                Ok(locked) => {
                    if let Some(ticket) = ticket.take() {
                        ticket.used();
                    }
                    return Ok(lock_response(&request, locked));
                }
                Err(TxnError::Locked(lock)) => lock,
                Err(error) => return Err(error.into()),
            };
            if let Some(ticket) = ticket.take()
                && ticket.key() == &*lock.key
            {
                ticket.used();
            }
            if Instant::now() >= deadline {
                return Err(TxnError::Locked(lock).into());
            }
            ticket = self.wait_for(&command, &lock, deadline).await?;
            if ticket.is_none() {
                return Err(TxnError::Locked(lock).into());
            }
        }
    }

    async fn try_lock(
        &self,
        context: Option<&Context>,
        command: LockRequest,
    ) -> Result<Result<LockOutcome, TxnError>, Failure> {
        let targets = command.targets.iter().map(|target| &target.key);
        let admission = self.store.admit(context, raw(targets)).await?;
        Ok(self.store.execute(admission, move |exec| txn::pessimistic_lock(exec, &command)).await?)
    }

    /// Waits until `lock` may be gone; `None` when the time is up.
    async fn wait_for(
        &self,
        command: &LockRequest,
        lock: &LockInfo,
        deadline: Instant,
    ) -> Result<Option<Ticket>, Failure> {
        let mut ticket =
            self.store.waits.wait(&lock.key, command.start_ts, lock.lock_version).map_err(TxnError::Deadlock)?;
        // The lock may have gone before there was a ticket: then nobody would wake this one.
        let held = self.store.locks.get(&lock.key).is_some_and(|held| held.start_ts == lock.lock_version);
        if !held {
            return Ok(Some(ticket));
        }
        match timeout_at(deadline, ticket.woken()).await {
            Ok(Wake::Released) => Ok(Some(ticket)),
            Ok(Wake::Deadlock(deadlock)) => Err(TxnError::Deadlock(deadlock).into()),
            Err(_) => Ok(None),
        }
    }

    /// `KvPessimisticRollback`; without keys, all of the transaction's in the region.
    pub(super) async fn pessimistic_rollback(
        &self,
        request: PessimisticRollbackRequest,
    ) -> Result<PessimisticRollbackResponse, Failure> {
        self.check_cluster(request.context.as_ref())?;
        let (start_ts, for_update_ts) = (request.start_version, request.for_update_ts);
        let roll_back = move |exec: &mut Execution<'_, Snapshot>, key: &Key| {
            txn::pessimistic_rollback(exec, key, start_ts, for_update_ts);
            Ok(())
        };
        if request.keys.is_empty() {
            let wanted = move |lock: &Lock| {
                lock.kind == LockKind::Pessimistic
                    && lock.start_ts == start_ts
                    && lock.for_update_ts <= for_update_ts
            };
            self.for_locks(request.context.as_ref(), wanted, move |exec, key, _| roll_back(exec, key)).await?;
        } else {
            let keys = keys(request.keys)?;
            self.for_each(request.context.as_ref(), keys, roll_back).await?;
        }
        Ok(PessimisticRollbackResponse::default())
    }

    /// `KvTxnHeartBeat`.
    pub(super) async fn heart_beat(
        &self,
        request: TxnHeartBeatRequest,
    ) -> Result<TxnHeartBeatResponse, Failure> {
        self.check_cluster(request.context.as_ref())?;
        let key = key(request.primary_lock)?;
        let (start_ts, ttl_ms, min_commit_ts) =
            (request.start_version, request.advise_lock_ttl, request.min_commit_ts);
        let result = self
            .for_each(request.context.as_ref(), vec![key], move |exec, key| {
                txn::heart_beat(exec, key, start_ts, ttl_ms, min_commit_ts)
            })
            .await?;
        let lock_ttl = result.into_iter().next().unwrap_or_default();
        Ok(TxnHeartBeatResponse { lock_ttl, ..TxnHeartBeatResponse::default() })
    }

    /// `KvCheckTxnStatus`.
    pub(super) async fn check_txn_status(
        &self,
        request: CheckTxnStatusRequest,
    ) -> Result<CheckTxnStatusResponse, Failure> {
        self.check_cluster(request.context.as_ref())?;
        check_ts(request.lock_ts)?;
        check_read_ts(request.caller_start_ts)?;
        check_read_ts(request.current_ts)?;
        let primary = key(request.primary_key)?;
        let raw_key = primary.raw.clone();
        let check = CheckStatus {
            start_ts: request.lock_ts,
            caller_start_ts: request.caller_start_ts,
            current_ts: request.current_ts,
            rollback_if_not_exist: request.rollback_if_not_exist,
            resolving_pessimistic_lock: request.resolving_pessimistic_lock,
            verify_is_primary: request.verify_is_primary,
        };
        let result = self
            .for_each(request.context.as_ref(), vec![primary], move |exec, key| {
                txn::check_txn_status(exec, key, &check)
            })
            .await?;
        Ok(result.into_iter().next().map(|status| status_response(&raw_key, status)).unwrap_or_default())
    }

    /// `KvCheckSecondaryLocks`.
    pub(super) async fn check_secondary_locks(
        &self,
        request: CheckSecondaryLocksRequest,
    ) -> Result<CheckSecondaryLocksResponse, Failure> {
        self.check_cluster(request.context.as_ref())?;
        check_ts(request.start_version)?;
        let start_ts = request.start_version;
        let raw_keys = request.keys.clone();
        let keys = keys(request.keys)?;
        let statuses = self
            .for_each(request.context.as_ref(), keys, move |exec, key| txn::check_secondary(exec, key, start_ts))
            .await?;
        let mut response = CheckSecondaryLocksResponse::default();
        let all_locked = statuses.iter().all(|status| matches!(status, SecondaryStatus::Locked(_)));
        for (key, status) in raw_keys.iter().zip(statuses) {
            match status {
                SecondaryStatus::Locked(lock) if all_locked => response.locks.push(lock.info(key)),
                SecondaryStatus::Committed { commit_ts } => response.commit_ts = commit_ts,
                SecondaryStatus::Locked(_) | SecondaryStatus::RolledBack => {}
            }
        }
        Ok(response)
    }

    /// `KvScanLock`.
    pub(super) fn scan_lock(&self, request: ScanLockRequest) -> Result<ScanLockResponse, Failure> {
        self.check_cluster(request.context.as_ref())?;
        let region = self.store.regions.check(request.context.as_ref())?;
        let limit = match request.limit {
            0 => MAX_SCANNED_LOCKS,
            limit => (limit as usize).min(MAX_SCANNED_LOCKS),
        };
        check_read_ts(request.max_version)?;
        self.store.max_ts.update(request.max_version);
        let locks = match range_in(&region, &request.start_key, &request.end_key) {
            Some(range) => self.store.locks.scan(&range, limit, |lock| lock.start_ts <= request.max_version),
            None => Vec::new(),
        };
        let locks = locks.iter().map(|(key, lock)| lock.info(key)).collect();
        Ok(ScanLockResponse { locks, ..ScanLockResponse::default() })
    }

    /// `KvResolveLock`: the named keys, or all locks of the named transactions in the region.
    pub(super) async fn resolve_lock(
        &self,
        request: ResolveLockRequest,
    ) -> Result<ResolveLockResponse, Failure> {
        self.check_cluster(request.context.as_ref())?;
        let mut outcomes: HashMap<u64, u64> =
            request.txn_infos.iter().map(|info| (info.txn, info.status)).collect();
        if request.start_version != 0 {
            outcomes.insert(request.start_version, request.commit_version);
        }
        for (start_ts, commit_ts) in &outcomes {
            check_ts(*start_ts)?;
            check_ts(*commit_ts)?;
        }
        if request.keys.is_empty() {
            let named: Vec<u64> = outcomes.keys().copied().collect();
            let wanted = move |lock: &Lock| named.contains(&lock.start_ts);
            self.for_locks(request.context.as_ref(), wanted, move |exec, key, start_ts| {
                // A lock that went away since it was listed was resolved by somebody else.
                let held = exec.locks.get(&key.raw).is_some_and(|lock| lock.start_ts == start_ts);
                match outcomes.get(&start_ts) {
                    Some(commit_ts) if held => txn::resolve(exec, key, start_ts, *commit_ts),
                    _ => Ok(()),
                }
            })
            .await?;
        } else {
            let (start_ts, commit_ts) = (request.start_version, request.commit_version);
            let keys = keys(request.keys)?;
            self.for_each(request.context.as_ref(), keys, move |exec, key| {
                txn::resolve(exec, key, start_ts, commit_ts)
            })
            .await?;
        }
        Ok(ResolveLockResponse::default())
    }

    /// Runs a command on every lock of the region that `wanted` accepts, in batches.
    async fn for_locks(
        &self,
        context: Option<&Context>,
        wanted: impl Fn(&Lock) -> bool + Send,
        command: impl Fn(&mut Execution<'_, Snapshot>, &Key, u64) -> Result<(), TxnError>
        + Clone
        + Send
        + 'static,
    ) -> Result<(), Failure> {
        let region = self.store.regions.check(context)?;
        let mut range = region.range().clone();
        loop {
            let found = self.store.locks.scan(&range, RESOLVE_BATCH, &wanted);
            let Some((last, _)) = found.last() else { return Ok(()) };
            // The next key in byte order.
            range.start = [last.as_slice(), &[0]].concat();
            let batch: Vec<(Key, u64)> =
                found.into_iter().map(|(key, lock)| (Key::new(Bytes::from(key)), lock.start_ts)).collect();
            let admission = self.store.admit(context, raw(batch.iter().map(|(key, _)| key))).await?;
            let command = command.clone();
            let run = move |exec: &mut Execution<'_, Snapshot>| {
                batch.iter().try_for_each(|(key, start_ts)| command(exec, key, *start_ts))
            };
            self.store.execute(admission, run).await??;
        }
    }
}

fn lock_command(request: &PessimisticLockRequest) -> Result<LockRequest, Status> {
    for ts in [request.start_version, request.for_update_ts, request.min_commit_ts] {
        check_ts(ts)?;
    }
    if request.mutations.is_empty() {
        return Err(Status::invalid_argument("the request names no key"));
    }
    if request.lock_only_if_exists && !request.return_values {
        return Err(Status::invalid_argument("lock_only_if_exists needs return_values"));
    }
    let targets = request.mutations.iter().map(|mutation| match mutation.op() {
        Op::PessimisticLock => Ok(LockTarget {
            key: key(mutation.key.clone())?,
            must_be_new: mutation.assertion() == Assertion::NotExist,
        }),
        op => Err(Status::unimplemented(format!("{} is not supported in a lock request", op.as_str_name()))),
    });
    Ok(LockRequest {
        // A copy: the slice of the request would keep the whole request in memory.
        primary: Bytes::copy_from_slice(&request.primary_lock),
        start_ts: request.start_version,
        for_update_ts: request.for_update_ts,
        ttl_ms: request.lock_ttl,
        min_commit_ts: request.min_commit_ts,
        return_values: request.return_values,
        check_existence: request.check_existence,
        lock_only_if_exists: request.lock_only_if_exists,
        targets: targets.collect::<Result<_, Status>>()?,
    })
}

/// Old clients read `values` and `not_founds`; in force-lock mode there is one result per key.
fn lock_response(request: &PessimisticLockRequest, locked: LockOutcome) -> PessimisticLockResponse {
    let mut response = PessimisticLockResponse::default();
    if request.wake_up_mode() == PessimisticLockWakeUpMode::WakeUpModeForceLock {
        response.results = locked
            .into_iter()
            .map(|key| PessimisticLockKeyResult {
                r#type: PessimisticLockKeyResultType::LockResultNormal.into(),
                value: key.value.unwrap_or_default(),
                existence: key.exists,
                ..PessimisticLockKeyResult::default()
            })
            .collect();
        return response;
    }
    if request.return_values || request.check_existence {
        response.not_founds = locked.iter().map(|key| !key.exists).collect();
    }
    if request.return_values {
        response.values = locked.into_iter().map(|key| key.value.unwrap_or_default()).collect();
    }
    response
}

fn status_response(key: &Bytes, status: TxnStatus) -> CheckTxnStatusResponse {
    let mut response = CheckTxnStatusResponse::default();
    match status {
        TxnStatus::Committed { commit_ts } => response.commit_version = commit_ts,
        TxnStatus::RolledBack { action } => response.action = action.into(),
        TxnStatus::Alive { lock, action } => {
            response.lock_ttl = lock.ttl_ms;
            response.action = action.into();
            response.lock_info = Some(lock.info(key));
        }
    }
    response
}
