//! What is known about a lock's transaction.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use parking_lot::Mutex;
use tikv_proto::kvrpcpb;

use crate::backoff::Backoff;
use crate::error::{Error, Result};
use crate::timestamp::Timestamp;

use super::LockResolver;

/// Ended transactions remembered.
const REMEMBERED: usize = 2048;
/// First wait for a primary lock that is not there yet.
const MISSING_PRIMARY_BASE: Duration = Duration::from_millis(2);
/// Longest wait for a primary lock that is not there yet.
const MISSING_PRIMARY_MAX: Duration = Duration::from_millis(50);
/// How long a missing primary is waited for before its transaction counts as alive for this time.
const MISSING_PRIMARY_BUDGET: Duration = Duration::from_millis(200);

/// Fate of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TxnStatus {
    /// It may still commit; its primary lock lives `ttl` milliseconds from its start.
    Alive { ttl: u64 },
    /// Like `Alive`, but it cannot commit at or before the reader's timestamp.
    Passable { ttl: u64 },
    /// It committed at `commit_ts`, or was rolled back if that is 0.
    Ended { commit_ts: u64 },
}

/// How the primary's region is asked about a transaction.
#[derive(Debug)]
struct Question {
    /// Timestamp of the reader in whose way the lock is; 0 if there is none.
    caller_ts: u64,
    /// The time by the placement driver's clock.
    now: u64,
    /// Roll the transaction back if its primary is not there.
    rollback_if_missing: bool,
    /// Treat the primary as that of a plain two-phase commit although it is marked for async commit.
    as_plain: bool,
}

/// Fates of ended transactions, which never change. Bounded.
#[derive(Debug, Default)]
pub(crate) struct StatusCache {
    entries: Mutex<Entries>,
}

/// Content of a [`StatusCache`], oldest first in `order`.
#[derive(Debug, Default)]
struct Entries {
    fates: HashMap<u64, u64>,
    order: VecDeque<u64>,
}

impl StatusCache {
    /// Commit timestamp (0 if rolled back) of an ended transaction.
    fn get(&self, start_ts: u64) -> Option<u64> {
        self.entries.lock().fates.get(&start_ts).copied()
    }

    /// Remembers the fate of an ended transaction.
    fn put(&self, start_ts: u64, commit_ts: u64) {
        let mut entries = self.entries.lock();
        if entries.fates.insert(start_ts, commit_ts).is_some() {
            return;
        }
        entries.order.push_back(start_ts);
        if entries.order.len() > REMEMBERED
            && let Some(oldest) = entries.order.pop_front()
        {
            entries.fates.remove(&oldest);
        }
    }
}

impl LockResolver {
    /// Fate of a lock's transaction; rolls it back if its time is over.
    pub(super) async fn status(
        &self,
        lock: &kvrpcpb::LockInfo,
        caller_ts: u64,
        now: u64,
        backoff: &mut Backoff,
    ) -> Result<TxnStatus> {
        if let Some(commit_ts) = self.client.statuses().get(lock.lock_version) {
            return Ok(TxnStatus::Ended { commit_ts });
        }
        let mut patience = Backoff::new(MISSING_PRIMARY_BASE, MISSING_PRIMARY_MAX, MISSING_PRIMARY_BUDGET);
        let mut question = Question {
            caller_ts,
            now,
            rollback_if_missing: is_expired(lock.lock_version, lock.lock_ttl, now),
            as_plain: false,
        };
        loop {
            match self.check(lock, &question, backoff).await? {
                Ok(answer) => match self.judge(lock, answer, &question, backoff).await? {
                    Some(status) => return Ok(status),
                    // Its writer fell back to a plain commit: the primary is to be treated as such.
                    None => question.as_plain = true,
                },
                Err(error) if error.txn_not_found.is_some() && !question.rollback_if_missing => {
                    // The primary is not there yet, or never will be.
                    if !patience.wait().await {
                        return Ok(TxnStatus::Alive { ttl: lock.lock_ttl });
                    }
                    question.rollback_if_missing =
                        is_expired(lock.lock_version, lock.lock_ttl, self.client.pd().get_ts().await?);
                }
                Err(error) if error.txn_not_found.is_some() => return Ok(self.ended(lock, 0)),
                Err(error) => return Err(Error::from_key_error(error, lock.lock_version)),
            }
        }
    }

    /// Asks the region of the primary key.
    async fn check(
        &self,
        lock: &kvrpcpb::LockInfo,
        question: &Question,
        backoff: &mut Backoff,
    ) -> Result<std::result::Result<kvrpcpb::CheckTxnStatusResponse, kvrpcpb::KeyError>> {
        loop {
            let region = self.client.regions().locate(&lock.primary_lock).await?;
            let request = kvrpcpb::CheckTxnStatusRequest {
                primary_key: lock.primary_lock.clone(),
                lock_ts: lock.lock_version,
                caller_start_ts: question.caller_ts,
                current_ts: question.now,
                rollback_if_not_exist: question.rollback_if_missing,
                force_sync_commit: question.as_plain,
                resolving_pessimistic_lock: lock.lock_type() == kvrpcpb::Op::PessimisticLock,
                ..Default::default()
            };
            if let Some(mut answer) = self.client.call(&region, request, region.context(), backoff).await? {
                return Ok(match answer.error.take() {
                    Some(error) => Err(error),
                    None => Ok(answer),
                });
            }
        }
    }

    /// Reads the answer about a transaction; `None` if the primary must be asked again as that of a plain commit.
    async fn judge(
        &self,
        lock: &kvrpcpb::LockInfo,
        answer: kvrpcpb::CheckTxnStatusResponse,
        question: &Question,
        backoff: &mut Backoff,
    ) -> Result<Option<TxnStatus>> {
        if answer.commit_version > 0 {
            return Ok(Some(self.ended(lock, answer.commit_version)));
        }
        if let Some(primary) = answer.lock_info.as_ref().filter(|primary| primary.use_async_commit)
            && !question.as_plain
            && is_expired(primary.lock_version, primary.lock_ttl, question.now)
        {
            let commit_ts = self.end_async_commit(primary, backoff).await?;
            return Ok(commit_ts.map(|commit_ts| self.ended(lock, commit_ts)));
        }
        if answer.lock_ttl == 0 {
            // A pessimistic lock that expired on its primary says nothing about a later prewrite: not remembered.
            return Ok(Some(match answer.action() {
                kvrpcpb::Action::TtlExpirePessimisticRollback | kvrpcpb::Action::LockNotExistDoNothing => {
                    TxnStatus::Ended { commit_ts: 0 }
                }
                _ => self.ended(lock, 0),
            }));
        }
        let ttl = answer.lock_ttl;
        Ok(Some(match answer.action() {
            kvrpcpb::Action::MinCommitTsPushed => TxnStatus::Passable { ttl },
            _ => TxnStatus::Alive { ttl },
        }))
    }

    /// Remembers and returns the fate of an ended transaction.
    fn ended(&self, lock: &kvrpcpb::LockInfo, commit_ts: u64) -> TxnStatus {
        self.client.statuses().put(lock.lock_version, commit_ts);
        TxnStatus::Ended { commit_ts }
    }
}

/// Whether a lock's time is over by the clock of the placement driver.
fn is_expired(lock_ts: u64, ttl_ms: u64, now: u64) -> bool {
    Timestamp(now).physical_ms() >= Timestamp(lock_ts).physical_ms().saturating_add(ttl_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_fates_are_forgotten() {
        let cache = StatusCache::default();
        for ts in 0..=(REMEMBERED as u64) {
            cache.put(ts, ts + 1);
        }
        assert_eq!(cache.get(0), None);
        assert_eq!(cache.get(1), Some(2));
        assert_eq!(cache.get(REMEMBERED as u64), Some(REMEMBERED as u64 + 1));
    }

    #[test]
    fn expiry_counts_from_the_start_of_the_transaction() {
        let start = Timestamp::compose(10_000, 5).0;
        assert!(!is_expired(start, 3_000, Timestamp::compose(12_999, 0).0));
        assert!(is_expired(start, 3_000, Timestamp::compose(13_000, 0).0));
    }
}
