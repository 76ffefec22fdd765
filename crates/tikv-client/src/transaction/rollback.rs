//! The end of a transaction that does not commit.

use bytes::Bytes;
use tikv_proto::kvrpcpb;

use crate::error::{Error, Result};

use super::plan::CommitPlan;
use super::{State, Transaction};

impl Transaction {
    /// Gives everything up: drops the writes and removes the locks, the latter in the background.
    ///
    /// # Errors
    /// [`Error::TransactionEnded`] after a commit.
    pub async fn rollback(&mut self) -> Result<()> {
        if self.state == State::RolledBack {
            return Ok(());
        }
        self.check_active()?;
        self.abandon();
        Ok(())
    }

    /// Drops the writes and removes pessimistic locks in the background.
    fn abandon(&mut self) {
        self.state = State::RolledBack;
        self.writes.take();
        self.release_locks();
    }

    /// Removes pessimistic locks in the background.
    pub(super) fn release_locks(&mut self) {
        self.heartbeat = None;
        let locks = std::mem::take(&mut self.locks);
        if locks.is_empty() {
            return;
        }
        let keys: Vec<Bytes> = locks.into_keys().collect();
        let (start_ts, for_update_ts) = (self.start_ts(), self.for_update_ts);
        let resolver = self.client.lock_resolver();
        let mut backoff = self.client.region_backoff();
        self.client.spawn_background_now(async move {
            if let Err(error) = resolver.unlock_pessimistic(start_ts, for_update_ts, keys, &mut backoff).await
            {
                tracing::debug!(start_ts, %error, "pessimistic locks stay until they expire");
            }
        });
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if self.state == State::Active {
            self.abandon();
        }
    }
}

impl CommitPlan {
    /// Removes all locks of the transaction in the background.
    pub(super) fn roll_back_behind(&self) {
        let client = self.client.clone();
        let start_ts = self.start_ts;
        let keys = self.lock_keys(&(0..self.mutations.len()));
        client.clone().spawn_background_now(async move {
            if let Err(error) = roll_back(&client, start_ts, keys).await {
                tracing::debug!(start_ts, %error, "locks of a failed transaction stay until they expire");
            }
        });
    }
}

/// Removes the locks on sorted keys, region by region, and marks the transaction as rolled back there.
async fn roll_back(client: &crate::client::TikvClient, start_ts: u64, keys: Vec<Bytes>) -> Result<()> {
    let mut backoff = client.region_backoff();
    let mut open = keys;
    while let Some(next) = open.last() {
        let region = client.regions().locate(next).await?;
        let outside = open.iter().rposition(|key| !region.contains(key)).map_or(0, |last| last + 1);
        let from = outside.max(open.len().saturating_sub(ROLLBACK_BATCH_KEYS));
        let here = open.split_off(from);
        let request = kvrpcpb::BatchRollbackRequest {
            start_version: start_ts,
            keys: here.clone(),
            ..Default::default()
        };
        match client.call(&region, request, region.context(), &mut backoff).await? {
            None => open.extend(here),
            Some(answer) => {
                if let Some(error) = answer.error {
                    return Err(Error::from_key_error(error, start_ts));
                }
            }
        }
    }
    Ok(())
}

/// Keys in one roll-back request.
const ROLLBACK_BATCH_KEYS: usize = 4096;
