//! Prewrite, commit, rollback, garbage collection and splits.

use super::{Failure, TikvService, key, keys, raw};
use crate::garbage;
use crate::record::LockKind;
use crate::region::{SplitError, check_key, split_region};
use crate::store::is_plausible;
use crate::txn::{self, Key, Mutation, OnePhase, PessimisticCheck, Prewrite, TxnError};
use tikv_proto::kvrpcpb::{self, prewrite_request::PessimisticAction, *};
use tonic::Status;

impl TikvService {
    /// `KvPrewrite`. Async commit is declined: the answer's `min_commit_ts` stays 0, and the client commits in two
    /// phases.
    pub(super) async fn prewrite(&self, request: PrewriteRequest) -> Result<PrewriteResponse, Failure> {
        self.check_cluster(request.context.as_ref())?;
        let context = request.context.clone();
        let command = prewrite_command(request)?;
        let admission =
            self.store.admit(context.as_ref(), raw(command.mutations.iter().map(|m| &m.key))).await?;
        let outcome = self.store.execute(admission, move |exec| txn::prewrite(exec, &command)).await?;
        match outcome {
            Ok(done) => Ok(PrewriteResponse {
                one_pc_commit_ts: done.one_pc_commit_ts,
                ..PrewriteResponse::default()
            }),
            Err(errors) => {
                let mut response = PrewriteResponse::default();
                for error in errors {
                    match Failure::from(error) {
                        Failure::Key(error) => response.errors.push(*error),
                        failure => return Err(failure),
                    }
                }
                Ok(response)
            }
        }
    }

    /// `KvCommit`.
    pub(super) async fn commit(&self, request: CommitRequest) -> Result<CommitResponse, Failure> {
        self.check_cluster(request.context.as_ref())?;
        check_ts(request.commit_version)?;
        let (start_ts, commit_ts) = (request.start_version, request.commit_version);
        let keys = keys(request.keys)?;
        self.for_each(request.context.as_ref(), keys, move |exec, key| {
            txn::commit(exec, key, start_ts, commit_ts)
        })
        .await?;
        Ok(CommitResponse { commit_version: commit_ts, ..CommitResponse::default() })
    }

    /// `KvBatchRollback`.
    pub(super) async fn batch_rollback(
        &self,
        request: BatchRollbackRequest,
    ) -> Result<BatchRollbackResponse, Failure> {
        self.check_cluster(request.context.as_ref())?;
        check_ts(request.start_version)?;
        let start_ts = request.start_version;
        let keys = keys(request.keys)?;
        self.for_each(request.context.as_ref(), keys, move |exec, key| {
            txn::batch_rollback(exec, key, start_ts)
        })
        .await?;
        Ok(BatchRollbackResponse::default())
    }

    /// `KvCleanup`.
    pub(super) async fn cleanup(&self, request: CleanupRequest) -> Result<CleanupResponse, Failure> {
        self.check_cluster(request.context.as_ref())?;
        check_ts(request.start_version)?;
        let key = key(request.key)?;
        let (start_ts, current_ts) = (request.start_version, request.current_ts);
        let result = self
            .for_each(request.context.as_ref(), vec![key], move |exec, key| {
                match txn::cleanup(exec, key, start_ts, current_ts) {
                    Err(TxnError::Committed { commit_ts, .. }) => Ok(commit_ts),
                    other => other.map(|()| 0),
                }
            })
            .await?;
        let commit_version = result.into_iter().next().unwrap_or_default();
        Ok(CleanupResponse { commit_version, ..CleanupResponse::default() })
    }

    /// Runs a command on every key of a request, all or nothing.
    pub(super) async fn for_each<R: Send + 'static>(
        &self,
        context: Option<&Context>,
        keys: Vec<Key>,
        command: impl Fn(&mut txn::Execution<'_, crate::engine::Snapshot>, &Key) -> Result<R, TxnError>
        + Send
        + 'static,
    ) -> Result<Vec<R>, Failure> {
        let admission = self.store.admit(context, raw(keys.iter())).await?;
        let run = move |exec: &mut txn::Execution<'_, _>| {
            keys.iter().map(|key| command(exec, key)).collect::<Result<Vec<R>, TxnError>>()
        };
        Ok(self.store.execute(admission, run).await??)
    }

    /// `KvGC`: drops what no reader at or after the safe point can see, in the whole region.
    pub(super) async fn gc(&self, request: GcRequest) -> Result<GcResponse, Failure> {
        self.check_cluster(request.context.as_ref())?;
        check_ts(request.safe_point)?;
        let region = self.store.regions.check(request.context.as_ref())?;
        let old_locks = self.store.locks.scan(region.range(), 1, |lock| lock.start_ts <= request.safe_point);
        if let Some((key, lock)) = old_locks.first() {
            return Err(TxnError::Locked(Box::new(lock.info(key))).into());
        }
        garbage::collect(&self.store, &region, request.safe_point).await?;
        Ok(GcResponse::default())
    }

    /// `SplitRegion`: keys are raw user keys.
    pub(super) async fn split(&self, request: SplitRegionRequest) -> Result<SplitRegionResponse, Failure> {
        self.check_cluster(request.context.as_ref())?;
        if request.is_raw_kv {
            return Err(Status::unimplemented("splitting raw key space is not supported").into());
        }
        let region = self.store.regions.check(request.context.as_ref())?;
        let mut split_keys: Vec<Vec<u8>> = Vec::new();
        let single = Some(request.split_key).filter(|key| !key.is_empty());
        for key in request.split_keys.iter().chain(single.as_ref()) {
            super::check_key_len(key)?;
            check_key(&region, key)?;
            split_keys.push(key.to_vec());
        }
        if split_keys.is_empty() {
            return Err(Status::invalid_argument("the request names no split key").into());
        }
        match split_region(&self.store, &region, split_keys).await {
            Ok(regions) => Ok(SplitRegionResponse {
                left: regions.first().cloned(),
                right: regions.last().cloned(),
                regions,
                ..SplitRegionResponse::default()
            }),
            Err(SplitError::Changed) => {
                let asked = region.meta().region_epoch.as_ref();
                Err(Failure::Region(Box::new(self.store.regions.epoch_not_match(region.id(), asked))))
            }
            Err(error) => Err(Status::unavailable(error.to_string()).into()),
        }
    }
}

/// Refuses a timestamp that cannot have come from PD.
pub(super) fn check_ts(ts: u64) -> Result<(), Status> {
    if ts == u64::MAX || !is_plausible(ts) {
        return Err(Status::invalid_argument(format!("ts {ts} lies in the future")));
    }
    Ok(())
}

/// Like [`check_ts`], for timestamps where `u64::MAX` means "the newest".
pub(super) fn check_read_ts(ts: u64) -> Result<(), Status> {
    if !is_plausible(ts) {
        return Err(Status::invalid_argument(format!("ts {ts} lies in the future")));
    }
    Ok(())
}

fn prewrite_command(request: PrewriteRequest) -> Result<Prewrite, Status> {
    for ts in [request.start_version, request.for_update_ts, request.min_commit_ts] {
        check_ts(ts)?;
    }
    if request.mutations.is_empty() {
        return Err(Status::invalid_argument("the request names no key"));
    }
    let assertion_level = request.assertion_level();
    let txn_source = request.context.as_ref().map_or(0, |context| context.txn_source);
    let mut mutations = Vec::with_capacity(request.mutations.len());
    for (index, mutation) in request.mutations.into_iter().enumerate() {
        let action = request.pessimistic_actions.get(index).copied().unwrap_or_default();
        let check = match PessimisticAction::try_from(action) {
            Ok(PessimisticAction::SkipPessimisticCheck) => PessimisticCheck::None,
            Ok(PessimisticAction::DoPessimisticCheck) => {
                let expected = request.for_update_ts_constraints.iter().find(|c| c.index as usize == index);
                PessimisticCheck::Locked {
                    expected_for_update_ts: expected
                        .map_or(0, |constraint| constraint.expected_for_update_ts),
                }
            }
            Ok(PessimisticAction::DoConstraintCheck) => PessimisticCheck::Constraints,
            Err(_) => return Err(Status::invalid_argument(format!("unknown pessimistic action {action}"))),
        };
        mutations.push(prewrite_mutation(mutation, check)?);
    }
    let one_phase = request.try_one_pc.then_some(OnePhase { max_commit_ts: request.max_commit_ts });
    Ok(Prewrite {
        // A copy: the slice of the request would keep the whole request in memory.
        primary: bytes::Bytes::copy_from_slice(&request.primary_lock),
        start_ts: request.start_version,
        ttl_ms: request.lock_ttl,
        for_update_ts: request.for_update_ts,
        min_commit_ts: request.min_commit_ts,
        txn_size: request.txn_size,
        txn_source,
        skip_constraint_check: request.skip_constraint_check,
        assertion_level,
        one_phase,
        mutations,
    })
}

fn prewrite_mutation(mutation: kvrpcpb::Mutation, check: PessimisticCheck) -> Result<Mutation, Status> {
    let assertion = mutation.assertion();
    let (kind, must_be_new) = match mutation.op() {
        Op::Put => (Some(LockKind::Put), false),
        Op::Del => (Some(LockKind::Delete), false),
        Op::Lock => (Some(LockKind::Lock), false),
        Op::Insert => (Some(LockKind::Put), true),
        Op::CheckNotExists => (None, true),
        op => {
            return Err(Status::unimplemented(format!(
                "{} is not supported in a prewrite",
                op.as_str_name()
            )));
        }
    };
    Ok(Mutation { key: key(mutation.key)?, kind, value: mutation.value, must_be_new, assertion, check })
}
