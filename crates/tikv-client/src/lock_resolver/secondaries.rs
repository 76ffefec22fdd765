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
}

impl LockResolver {
    /// Decides an expired async-commit transaction by its secondaries, ends all its keys, and returns its commit
    /// timestamp (0 if rolled back).
    pub(super) async fn end_async_commit(
        &self,
        primary: &kvrpcpb::LockInfo,
        backoff: &mut Backoff,
    ) -> Result<u64> {
        let start_ts = primary.lock_version;
        let mut verdict = Verdict { min_commit_ts: primary.min_commit_ts, decided: None };
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
        let commit_ts = verdict.decided.unwrap_or(verdict.min_commit_ts);
        let mut keys = primary.secondaries.clone();
        keys.push(primary.primary_lock.clone());
        self.end_keys(start_ts, commit_ts, keys, backoff).await?;
        Ok(commit_ts)
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
            self.decided = Some(answer.commit_ts.max(self.decided.unwrap_or(0)));
            return Ok(());
        }
        let highest = answer.locks.iter().map(|lock| lock.min_commit_ts).max().unwrap_or(0);
        self.min_commit_ts = self.min_commit_ts.max(highest);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(min_commit_ts: &[u64], commit_ts: u64) -> kvrpcpb::CheckSecondaryLocksResponse {
        let locks = min_commit_ts
            .iter()
            .map(|ts| kvrpcpb::LockInfo { min_commit_ts: *ts, ..Default::default() })
            .collect();
        kvrpcpb::CheckSecondaryLocksResponse { locks, commit_ts, ..Default::default() }
    }

    #[test]
    fn all_locks_commit_at_the_largest_minimum_and_a_missing_one_decides() {
        let mut verdict = Verdict { min_commit_ts: 5, decided: None };
        verdict.learn(answer(&[7, 6], 0), 2, 1).unwrap();
        assert_eq!((verdict.min_commit_ts, verdict.decided), (7, None));
        verdict.learn(answer(&[], 0), 1, 1).unwrap();
        assert_eq!(verdict.decided, Some(0));
        verdict.learn(answer(&[], 9), 1, 1).unwrap();
        assert_eq!(verdict.decided, Some(9));
    }
}
