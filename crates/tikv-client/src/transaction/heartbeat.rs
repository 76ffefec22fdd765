//! Keeps the locks of a long transaction alive.

use std::time::Duration;

use bytes::Bytes;
use tikv_proto::kvrpcpb;
use tokio_util::task::AbortOnDropHandle;

use crate::client::TikvClient;
use crate::error::{Error, Result};
use crate::timestamp::Timestamp;

use super::MANAGED_LOCK_TTL;

/// How often the lock is prolonged.
const INTERVAL: Duration = Duration::from_secs(10);
/// Age at which a transaction is no longer kept alive, TiDB's limit.
const MAX_AGE: Duration = Duration::from_secs(3600);

/// Prolongs the primary lock until dropped.
#[derive(Debug)]
pub(super) struct Heartbeat {
    _task: AbortOnDropHandle<()>,
}

impl Heartbeat {
    /// Starts to prolong the primary lock of a transaction.
    pub(super) fn start(client: TikvClient, start_ts: u64, primary: Bytes) -> Self {
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(INTERVAL).await;
                if Timestamp(start_ts).age() > MAX_AGE {
                    tracing::warn!(start_ts, "transaction is too old to be kept alive");
                    return;
                }
                // The primary lock may not be there yet, or be gone; the transaction finds out by itself.
                if let Err(error) = beat(&client, start_ts, &primary).await {
                    tracing::debug!(start_ts, %error, "transaction heartbeat failed");
                }
            }
        });
        Self { _task: AbortOnDropHandle::new(task) }
    }
}

/// Prolongs the primary lock once.
async fn beat(client: &TikvClient, start_ts: u64, primary: &Bytes) -> Result<()> {
    let mut backoff = client.region_backoff();
    loop {
        let region = client.regions().locate(primary).await?;
        let request = kvrpcpb::TxnHeartBeatRequest {
            primary_lock: primary.clone(),
            start_version: start_ts,
            advise_lock_ttl: lock_ttl_ms(start_ts, MANAGED_LOCK_TTL),
            ..Default::default()
        };
        let Some(answer) = client.call(&region, request, region.context(), &mut backoff).await? else {
            continue;
        };
        return match answer.error {
            Some(error) => Err(Error::from_key_error(error, start_ts)),
            None => Ok(()),
        };
    }
}

/// Lifetime of a lock in milliseconds, counted from the transaction's start as the stores do.
pub(super) fn lock_ttl_ms(start_ts: u64, from_now: Duration) -> u64 {
    let total = Timestamp(start_ts).age().saturating_add(from_now);
    u64::try_from(total.as_millis()).unwrap_or(u64::MAX)
}
