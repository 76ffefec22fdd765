//! First phase: locks with the new values on all keys.

use std::ops::Range;
use std::time::Duration;

use futures::StreamExt;
use tikv_proto::kvrpcpb;

use crate::backoff::Backoff;
use crate::channel::was_never_sent;
use crate::client::{Attempt, REGION_CONCURRENCY};
use crate::error::{Error, KeyText, Result};

use super::heartbeat::lock_ttl_ms;
use super::plan::{Batch, CommitPlan};
use super::{MANAGED_LOCK_TTL, TransactionMode};

/// Time that the locks of a small optimistic transaction live, the value of TiDB's own client.
const SHORT_LOCK_TTL: Duration = Duration::from_secs(3);

/// What the first phase has led to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Prewritten {
    /// Smallest commit timestamp that the stores accept.
    pub(super) min_commit_ts: u64,
    /// The commit timestamp, if the store has committed at once.
    pub(super) committed_at: Option<u64>,
}

/// How the locks are to be written.
#[derive(Debug, Clone, Copy)]
pub(super) struct PrewriteMode {
    /// Ask for a commit in the same request.
    pub(super) one_pc: bool,
    /// Smallest commit timestamp that the store may choose.
    pub(super) min_commit_ts: u64,
    /// More than one request: the locks have to live longer.
    pub(super) large: bool,
}

impl CommitPlan {
    /// Prewrites all mutations.
    pub(super) async fn prewrite(&self, batches: Vec<Batch>, mode: PrewriteMode) -> Result<Prewritten> {
        let mut total = Prewritten::default();
        let mut answers = futures::stream::iter(batches)
            .map(|batch| self.prewrite_batch(batch, mode))
            .buffer_unordered(REGION_CONCURRENCY);
        while let Some(answer) = answers.next().await {
            let answer = answer?;
            total.min_commit_ts = total.min_commit_ts.max(answer.min_commit_ts);
            total.committed_at = total.committed_at.or(answer.committed_at);
        }
        Ok(total)
    }

    /// Prewrites one batch; if its region has changed, in as many requests as it takes.
    async fn prewrite_batch(&self, batch: Batch, mut mode: PrewriteMode) -> Result<Prewritten> {
        let mut total = Prewritten::default();
        let mut backoff = self.client.region_backoff();
        let mut locks = self.client.lock_backoff();
        // Set while a request that may have committed has got no answer.
        let mut unanswered = None;
        let mut open = vec![batch];
        while let Some(batch) = open.pop() {
            let request = self.prewrite_request(&batch.range, mode);
            let attempt = self.client.attempt(&batch.region, request, self.context(&batch.region)).await;
            let step = match attempt {
                Ok(Attempt::Answered(answer)) if answer.errors.is_empty() => {
                    total.min_commit_ts = total.min_commit_ts.max(answer.min_commit_ts);
                    if answer.one_pc_commit_ts > 0 {
                        total.committed_at = Some(answer.one_pc_commit_ts);
                    }
                    continue;
                }
                Ok(Attempt::Answered(answer)) => match self.clear(answer.errors, &mut locks).await {
                    Ok(()) => {
                        open.push(batch);
                        continue;
                    }
                    Err(error) => Err(error),
                },
                Ok(Attempt::Refused(error)) => self.client.refused(&batch.region, *error, &mut backoff).await,
                Ok(Attempt::Failed(status)) => {
                    if mode.one_pc && !was_never_sent(&status) {
                        unanswered = Some(status.to_string());
                    }
                    self.client.failed("KvPrewrite", &batch.region, &status, &mut backoff).await
                }
                Err(error) => Err(error),
            };
            let regrouped = match step {
                Ok(()) => self.batches(batch.range).await,
                Err(error) => Err(error),
            };
            match (regrouped, &unanswered) {
                (Ok(batches), _) => {
                    mode.one_pc &= batches.len() == 1;
                    open.extend(batches);
                }
                (Err(_), Some(last)) => {
                    return Err(Error::Undetermined { start_ts: self.start_ts, last: last.clone() });
                }
                (Err(error), None) => return Err(error),
            }
        }
        Ok(total)
    }

    /// Clears locks of other transactions out of the way.
    async fn clear(&self, errors: Vec<kvrpcpb::KeyError>, locks: &mut Backoff) -> Result<()> {
        let mut found = Vec::with_capacity(errors.len());
        for mut error in errors {
            match error.locked.take() {
                Some(lock) => found.push(lock),
                None => return Err(Error::from_key_error(error, self.start_ts)),
            }
        }
        if let Some(newer) = found.iter().find(|lock| self.must_yield_to(lock)) {
            return Err(Error::WriteConflict {
                key: KeyText(newer.key.clone()),
                primary: KeyText(self.primary.clone()),
                start_ts: self.start_ts,
                conflict_start_ts: newer.lock_version,
                conflict_commit_ts: 0,
            });
        }
        let clearing = self.client.lock_resolver().clear_for_write(&found).await?;
        let Some((lock, expires_in)) = clearing.alive else { return Ok(()) };
        if locks.wait_at_most(expires_in).await { Ok(()) } else { Err(Error::locked(&lock)) }
    }

    /// Whether to give way to a lock. An optimistic transaction that waited for a newer one would find a newer version
    /// afterwards; and two that wait for each other would do so until their locks expire.
    fn must_yield_to(&self, lock: &kvrpcpb::LockInfo) -> bool {
        self.options.mode == TransactionMode::Optimistic && lock.lock_version > self.start_ts
    }

    /// The request for a batch.
    fn prewrite_request(&self, range: &Range<usize>, mode: PrewriteMode) -> kvrpcpb::PrewriteRequest {
        let planned = self.slice(range);
        let pessimistic = self.options.mode == TransactionMode::Pessimistic;
        let mutations = planned
            .iter()
            .map(|mutation| kvrpcpb::Mutation {
                op: mutation.op.into(),
                key: mutation.key.clone(),
                value: mutation.value.clone(),
                assertion: kvrpcpb::Assertion::None.into(),
            })
            .collect();
        let pessimistic_actions = if pessimistic {
            planned.iter().map(|mutation| mutation.action.into()).collect()
        } else {
            Vec::new()
        };
        let ttl = if pessimistic || mode.large { MANAGED_LOCK_TTL } else { SHORT_LOCK_TTL };
        kvrpcpb::PrewriteRequest {
            mutations,
            primary_lock: self.primary.clone(),
            start_version: self.start_ts,
            lock_ttl: lock_ttl_ms(self.start_ts, ttl),
            pessimistic_actions,
            txn_size: u64::try_from(planned.len()).unwrap_or(u64::MAX),
            for_update_ts: if pessimistic { self.for_update_ts.max(self.start_ts) } else { 0 },
            min_commit_ts: mode.min_commit_ts,
            try_one_pc: mode.one_pc,
            max_commit_ts: if mode.one_pc { self.options.max_commit_ts } else { 0 },
            ..Default::default()
        }
    }
}
