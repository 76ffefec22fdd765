//! What is done about the locks of others: asking, listing, resolving; and keeping one's own alive.

use super::writes::{check_read_ts, check_ts};
use super::{Failure, TikvService, key, keys, range_in};
use crate::record::Lock;
use crate::txn::{self, CheckStatus, SecondaryStatus, TxnStatus};
use bytes::Bytes;
use std::collections::HashMap;
use tikv_proto::kvrpcpb::*;

/// Locks that one answer lists at most.
const MAX_SCANNED_LOCKS: usize = 16 * 1024;

impl TikvService {
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
            .for_each(request.context.as_ref(), keys, move |exec, key| {
                txn::check_secondary(exec, key, start_ts)
            })
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
