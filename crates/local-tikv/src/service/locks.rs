//! Pessimistic locks: taking, waiting, giving up.

use super::writes::check_ts;
use super::{Failure, TikvService, key, keys, raw};
use crate::engine::Snapshot;
use crate::record::{Lock, LockKind};
use crate::store::{Ticket, Wake};
use crate::txn::{self, Execution, Key, LockOutcome, LockRequest, LockTarget, TxnError};
use bytes::Bytes;
use std::time::Duration;
use tikv_proto::kvrpcpb::*;
use tokio::time::{Instant, timeout_at};
use tonic::Status;

/// A lock request waits no longer than this; clients ask again (TiKV's `wait-for-lock-timeout`).
const MAX_LOCK_WAIT: Duration = Duration::from_secs(1);
/// Locks that one command resolves.
const RESOLVE_BATCH: usize = 256;

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
        let mut ticket = self
            .store
            .waits
            .wait(&lock.key, command.start_ts, lock.lock_version)
            .map_err(TxnError::Deadlock)?;
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
            self.for_locks(request.context.as_ref(), wanted, move |exec, key, _| roll_back(exec, key))
                .await?;
        } else {
            let keys = keys(request.keys)?;
            self.for_each(request.context.as_ref(), keys, roll_back).await?;
        }
        Ok(PessimisticRollbackResponse::default())
    }

    /// Runs a command on every lock of the region that `wanted` accepts, in batches.
    pub(super) async fn for_locks(
        &self,
        context: Option<&Context>,
        wanted: impl Fn(&Lock) -> bool + Send,
        command: impl Fn(&mut Execution<'_, Snapshot>, &Key, u64) -> Result<(), TxnError> + Clone + Send + 'static,
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
