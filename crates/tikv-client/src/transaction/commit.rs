//! The commit of a transaction.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use tikv_proto::kvrpcpb;

use crate::channel::was_never_sent;
use crate::client::Attempt;
use crate::error::{Error, Result};

use super::heartbeat::Heartbeat;
use super::plan::{Batch, CommitPlan, mutations_of};
use super::prewrite::PrewriteMode;
use super::{CommitInfo, CommitMode, State, Transaction};

/// Secondary batches of one transaction that are committed at once.
const SECONDARY_CONCURRENCY: usize = 4;

impl Transaction {
    /// Commits. The primary key decides; the other keys follow in the background, readers complete them if need be.
    ///
    /// # Errors
    /// [`Error::WriteConflict`], [`Error::KeyExists`], [`Error::Locked`], [`Error::Aborted`], [`Error::Retryable`],
    /// [`Error::RegionUnavailable`] and others: nothing is committed. [`Error::Undetermined`]: only the store knows.
    pub async fn commit(&mut self) -> Result<CommitInfo> {
        self.check_active()?;
        let start_ts = self.start_ts();
        if self.writes.len() == 0 {
            self.release_locks();
            self.state = State::Committed;
            return Ok(CommitInfo { start_ts, commit_ts: None, one_pc: false, keys: 0 });
        }
        let plan = Arc::new(self.plan());
        self.state = State::Prewriting;
        // Rolls back if this future is dropped or fails before the decision.
        let mut undo = UndoGuard { plan: Some(Arc::clone(&plan)) };
        let outcome = self.run(&plan, &mut undo).await;
        self.heartbeat = None;
        self.locks.clear();
        match outcome {
            Ok(info) => {
                self.state = State::Committed;
                Ok(info)
            }
            Err(error) => {
                if matches!(error, Error::Undetermined { .. }) {
                    undo.plan = None;
                    self.state = State::Deciding;
                } else {
                    self.state = State::RolledBack;
                }
                Err(error)
            }
        }
    }

    /// Collects what is to be written.
    fn plan(&mut self) -> CommitPlan {
        let mutations = mutations_of(self.options.mode, self.writes.take(), &self.locks);
        let candidate = mutations.iter().find(|mutation| mutation.locks()).or(mutations.first());
        let primary = self
            .primary
            .clone()
            .unwrap_or_else(|| candidate.map_or_else(Bytes::new, |mutation| mutation.key.clone()));
        CommitPlan {
            client: self.client.clone(),
            options: self.options.clone(),
            start_ts: self.start_ts(),
            for_update_ts: self.for_update_ts,
            primary,
            mutations,
        }
    }

    /// Both phases.
    async fn run(&mut self, plan: &Arc<CommitPlan>, undo: &mut UndoGuard) -> Result<CommitInfo> {
        let keys = plan.mutations.len();
        let batches = plan.batches(0..keys).await?;
        let large = batches.len() > 1;
        let one_pc = !large && plan.options.commit_mode == CommitMode::OnePc;
        let min_commit_ts = if one_pc {
            // The store must not choose a timestamp that somebody has read at already.
            plan.client.pd().get_ts().await?.saturating_add(1)
        } else {
            plan.start_ts.max(plan.for_update_ts).saturating_add(1)
        };
        if large && self.heartbeat.is_none() {
            self.heartbeat = Some(Heartbeat::start(plan.client.clone(), plan.start_ts, plan.primary.clone()));
        }
        let prewritten = plan.prewrite(batches, PrewriteMode { one_pc, min_commit_ts, large }).await?;
        let info = |commit_ts, one_pc| CommitInfo { start_ts: plan.start_ts, commit_ts, one_pc, keys };
        if let Some(commit_ts) = prewritten.committed_at {
            undo.plan = None;
            return Ok(info(Some(commit_ts), true));
        }
        if !plan.mutations.iter().any(super::plan::PlannedMutation::locks) {
            undo.plan = None;
            return Ok(info(None, false));
        }
        let mut commit_ts = plan.client.pd().get_ts().await?;
        if commit_ts < prewritten.min_commit_ts {
            commit_ts = plan.client.pd().get_ts().await?;
        }
        self.state = State::Deciding;
        let decided = plan.commit_primary(commit_ts, undo).await?;
        plan.commit_secondaries_behind(decided.rest, decided.commit_ts).await;
        Ok(info(Some(decided.commit_ts), false))
    }
}

/// A committed primary key.
struct Decided {
    commit_ts: u64,
    /// Positions of the mutations that are still to be committed.
    rest: Vec<Range<usize>>,
}

impl CommitPlan {
    /// Commits the batch that holds the primary key. From the first request on the outcome may be out of our hands.
    async fn commit_primary(&self, mut commit_ts: u64, undo: &mut UndoGuard) -> Result<Decided> {
        let mut backoff = self.client.region_backoff();
        let mut unanswered: Option<String> = None;
        let primary = self.primary_index();
        let all = 0..self.mutations.len();
        loop {
            let step = match self.primary_batch(primary).await {
                Ok(batch) => {
                    undo.plan = None;
                    self.commit_once(&batch, commit_ts).await.map(|answer| (batch, answer))
                }
                Err(error) => Err(error),
            };
            let failure = match step {
                Ok((batch, Attempt::Answered(answer))) => match answer.error {
                    None => {
                        let rest = vec![all.start..batch.range.start, batch.range.end..all.end];
                        return Ok(Decided { commit_ts, rest });
                    }
                    Some(error) if error.commit_ts_expired.is_some() && backoff.wait().await => {
                        match self.client.pd().get_ts().await {
                            Ok(later) => {
                                commit_ts = later;
                                continue;
                            }
                            Err(error) => error,
                        }
                    }
                    Some(error) => Error::from_key_error(error, self.start_ts),
                },
                Ok((batch, Attempt::Refused(error))) => {
                    match self.client.refused(&batch.region, *error, &mut backoff).await {
                        Ok(()) => continue,
                        Err(error) => error,
                    }
                }
                Ok((batch, Attempt::Failed(status))) => {
                    if !was_never_sent(&status) {
                        unanswered = Some(status.to_string());
                    }
                    match self.client.failed("KvCommit", &batch.region, &status, &mut backoff).await {
                        Ok(()) => continue,
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            return Err(match unanswered {
                Some(last) => Error::Undetermined { start_ts: self.start_ts, last },
                None => {
                    // The store refused: the locks are ours to remove.
                    self.roll_back_behind();
                    failure
                }
            });
        }
    }

    /// The neighbours of the primary key that share its request.
    async fn primary_batch(&self, primary: usize) -> Result<Batch> {
        let region = self.client.regions().locate(&self.primary).await?;
        let limit = self.client.config().commit_batch_bytes;
        let mut range = primary..primary + 1;
        let mut bytes = 0_usize;
        for mutation in self.mutations.iter().skip(range.end) {
            bytes += mutation.key.len();
            if bytes > limit || !region.contains(&mutation.key) {
                break;
            }
            range.end += 1;
        }
        Ok(Batch { region, range })
    }

    /// One attempt at committing a batch.
    async fn commit_once(&self, batch: &Batch, commit_ts: u64) -> Result<Attempt<kvrpcpb::CommitResponse>> {
        let request = kvrpcpb::CommitRequest {
            start_version: self.start_ts,
            keys: self.lock_keys(&batch.range),
            commit_version: commit_ts,
            primary_key: self.primary.clone(),
            ..Default::default()
        };
        self.client.attempt(&batch.region, request, self.context(&batch.region)).await
    }

    /// Commits the other keys in the background.
    async fn commit_secondaries_behind(self: &Arc<Self>, rest: Vec<Range<usize>>, commit_ts: u64) {
        if rest.iter().all(|range| range.is_empty()) {
            return;
        }
        let plan = Arc::clone(self);
        let work = async move {
            if let Err(error) = plan.commit_secondaries(rest, commit_ts).await {
                tracing::debug!(start_ts = plan.start_ts, %error, "secondary locks are left to their readers");
            }
        };
        self.client.spawn_background(work).await;
    }

    /// Commits keys of a transaction whose primary key is committed.
    async fn commit_secondaries(&self, rest: Vec<Range<usize>>, commit_ts: u64) -> Result<()> {
        let mut batches = Vec::new();
        for range in rest {
            batches.extend(self.batches(range).await?);
        }
        let mut answers = futures::stream::iter(batches)
            .map(|batch| self.commit_secondary(batch, commit_ts))
            .buffer_unordered(SECONDARY_CONCURRENCY);
        while let Some(answer) = answers.next().await {
            answer?;
        }
        Ok(())
    }

    /// Commits one secondary batch, in as many requests as it takes if its region has changed.
    async fn commit_secondary(&self, batch: Batch, commit_ts: u64) -> Result<()> {
        let mut backoff = self.client.region_backoff();
        let mut open = vec![batch];
        while let Some(batch) = open.pop() {
            if self.lock_keys(&batch.range).is_empty() {
                continue;
            }
            match self.commit_once(&batch, commit_ts).await? {
                Attempt::Answered(answer) => {
                    if let Some(error) = answer.error {
                        return Err(Error::from_key_error(error, self.start_ts));
                    }
                    continue;
                }
                Attempt::Refused(error) => self.client.refused(&batch.region, *error, &mut backoff).await?,
                Attempt::Failed(status) => {
                    self.client.failed("KvCommit", &batch.region, &status, &mut backoff).await?;
                }
            }
            open.extend(self.batches(batch.range).await?);
        }
        Ok(())
    }
}

/// Rolls a transaction back when dropped, unless disarmed.
struct UndoGuard {
    plan: Option<Arc<CommitPlan>>,
}

impl Drop for UndoGuard {
    fn drop(&mut self) {
        if let Some(plan) = self.plan.take() {
            plan.roll_back_behind();
        }
    }
}
