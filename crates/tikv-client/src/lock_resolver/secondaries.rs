//! Transactions in async commit: they are committed when all their locks are there, so all must be looked at.

use bytes::Bytes;
use tikv_proto::kvrpcpb;

use crate::backoff::Backoff;
use crate::error::{Error, Result};

use super::LockResolver;

/// What the secondary locks tell so far.
#[derive(Debug)]
struct Verdict {
    /// Largest minimum of the locks seen.
    min_commit_ts: u64,
    /// Set once a key shows that the transaction has ended: its commit timestamp, 0 if rolled back.
    decided: Option<u64>,
    /// Set once a lock turns out to be of a plain two-phase commit: its writer fell back, and the primary decides alone.
    is_plain: bool,
}

impl LockResolver {
    /// Decides an expired async-commit transaction by its secondaries, ends all its keys, and returns its commit
    /// timestamp (0 if rolled back). `None` if the writer had fallen back to a plain two-phase commit: then only the
    /// primary can decide.
    pub(super) async fn end_async_commit(
        &self,
        primary: &kvrpcpb::LockInfo,
        backoff: &mut Backoff,
    ) -> Result<Option<u64>> {
        let start_ts = primary.lock_version;
        let mut verdict = Verdict { min_commit_ts: primary.min_commit_ts, decided: None, is_plain: false };
        let mut open: Vec<Bytes> = primary.secondaries.clone();
        while let Some(key) = open.last() {
            let region = self.client.regions().locate(key).await?;
            let (here, elsewhere): (Vec<Bytes>, Vec<Bytes>) =
                open.drain(..).partition(|key| region.contains(key));
            open = elsewhere;
            let request = kvrpcpb::CheckSecondaryLocksRequest {
                keys: here.clone(),
                start_version: start_ts,
                ..Default::default()
            };
            match self.client.call(&region, request, region.context(), backoff).await? {
                None => open.extend(here),
                Some(answer) => verdict.learn(answer, here.len(), start_ts)?,
            }
        }
        if verdict.is_plain && verdict.decided.is_none() {
            return Ok(None);
        }
        let commit_ts = verdict.decided.unwrap_or(verdict.min_commit_ts);
        let mut keys = primary.secondaries.clone();
        keys.push(primary.primary_lock.clone());
        self.end_keys(start_ts, commit_ts, keys, backoff).await?;
        Ok(Some(commit_ts))
    }
}

impl Verdict {
    /// Takes in what one region told about `asked` keys.
    fn learn(
        &mut self,
        answer: kvrpcpb::CheckSecondaryLocksResponse,
        asked: usize,
        start_ts: u64,
    ) -> Result<()> {
        if let Some(error) = answer.error {
            return Err(Error::from_key_error(error, start_ts));
        }
        if answer.locks.len() < asked {
            // A lock is missing: the key was committed, or rolled back so that the transaction cannot commit any more.
            return self.decide(answer.commit_ts, start_ts);
        }
        if let Some(other) = answer.locks.iter().find(|lock| lock.lock_version != start_ts) {
            return Err(contradiction(
                start_ts,
                format!("a lock of transaction {} came", other.lock_version),
            ));
        }
        self.is_plain |= answer.locks.iter().any(|lock| !lock.use_async_commit);
        let highest = answer.locks.iter().map(|lock| lock.min_commit_ts).max().unwrap_or(0);
        self.min_commit_ts = self.min_commit_ts.max(highest);
        Ok(())
    }

    /// Takes in that the transaction has ended. All keys must agree how: nothing is guessed where they do not.
    fn decide(&mut self, commit_ts: u64, start_ts: u64) -> Result<()> {
        match self.decided {
            Some(known) if known != commit_ts => Err(contradiction(
                start_ts,
                format!("one key ended at {known} and another at {commit_ts} (0 is rolled back)"),
            )),
            _ if commit_ts != 0 && commit_ts <= start_ts => {
                Err(contradiction(start_ts, format!("commit ts {commit_ts} is not behind its start")))
            }
            _ => {
                self.decided = Some(commit_ts);
                Ok(())
            }
        }
    }
}

/// The error for stores that contradict each other about a transaction.
fn contradiction(start_ts: u64, what: String) -> Error {
    Error::InvalidResponse {
        method: "KvCheckSecondaryLocks",
        reason: format!("transaction {start_ts}: {what}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(min_commit_ts: &[u64], commit_ts: u64) -> kvrpcpb::CheckSecondaryLocksResponse {
        let locks = min_commit_ts
            .iter()
            .map(|ts| kvrpcpb::LockInfo {
                lock_version: 1,
                use_async_commit: true,
                min_commit_ts: *ts,
                ..Default::default()
            })
            .collect();
        kvrpcpb::CheckSecondaryLocksResponse { locks, commit_ts, ..Default::default() }
    }

    fn fresh() -> Verdict {
        Verdict { min_commit_ts: 5, decided: None, is_plain: false }
    }

    #[test]
    fn all_locks_commit_at_the_largest_minimum_and_a_missing_one_decides() {
        let mut verdict = fresh();
        verdict.learn(answer(&[7, 6], 0), 2, 1).unwrap();
        assert_eq!((verdict.min_commit_ts, verdict.decided), (7, None));
        verdict.learn(answer(&[], 9), 1, 1).unwrap();
        assert_eq!(verdict.decided, Some(9));
        let mut verdict = fresh();
        verdict.learn(answer(&[8], 0), 2, 1).unwrap();
        assert_eq!(verdict.decided, Some(0));
        verdict.learn(answer(&[], 0), 1, 1).unwrap();
    }

    #[test]
    fn keys_that_disagree_about_the_end_are_an_error_and_not_a_guess() {
        let mut verdict = fresh();
        verdict.learn(answer(&[], 0), 1, 1).unwrap();
        assert!(matches!(verdict.learn(answer(&[], 9), 1, 1), Err(Error::InvalidResponse { .. })));
        assert!(matches!(fresh().learn(answer(&[], 1), 1, 1), Err(Error::InvalidResponse { .. })));
        let mut foreign = answer(&[7], 0);
        foreign.locks[0].lock_version = 3;
        assert!(matches!(fresh().learn(foreign, 1, 1), Err(Error::InvalidResponse { .. })));
    }

    #[test]
    fn a_plain_lock_leaves_the_decision_to_the_primary() {
        let mut verdict = fresh();
        let mut plain = answer(&[7, 0], 0);
        plain.locks[1].use_async_commit = false;
        verdict.learn(plain, 2, 1).unwrap();
        assert!(verdict.is_plain && verdict.decided.is_none());
    }
}
