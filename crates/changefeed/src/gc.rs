//! Service GC safepoint: keeps TiKV from collecting versions that a changefeed still has to read.

use std::time::Duration;

use tikv_client::PdClient;

use crate::FeedError;

/// How long the safepoint of a changefeed that is being created or resumed lives, seconds.
const CREATING_TTL_SECONDS: i64 = 3600;
/// Attempts to reach PD, with [`RETRY_PAUSE`] between them.
const ATTEMPTS: u32 = 9;
/// Pause between attempts, as in TiCDC.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Names and moves the safepoints of one cluster of captures.
pub(crate) struct GcSafepoint {
    /// Client.
    pd: PdClient,
    /// `ticdc-<cluster>-<etcd cluster id>`.
    service: String,
    /// Life of the service's safepoint, seconds.
    ttl: i64,
}

impl GcSafepoint {
    /// The safepoint of the captures of `cluster`.
    pub(crate) fn new(pd: PdClient, cluster: &str, etcd_cluster_id: u64, ttl_seconds: u64) -> Self {
        let ttl = i64::try_from(ttl_seconds).unwrap_or(i64::MAX);
        Self { pd, service: format!("ticdc-{cluster}-{etcd_cluster_id}"), ttl }
    }

    /// Tries a few times: a changefeed must not lose its safepoint over a hiccup.
    async fn update(&self, service: &str, ttl: i64, ts: u64) -> Result<u64, FeedError> {
        let mut attempt = 1;
        loop {
            match self.pd.hold_versions(service, ttl, ts).await {
                Ok(min) => return Ok(min),
                Err(error) if attempt >= ATTEMPTS => {
                    let message = format!("updating service safepoint failed: {error}");
                    return Err(FeedError::new("CDC:ErrUpdateServiceSafepointFailed", message));
                }
                Err(_) => attempt += 1,
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    /// Holds versions from `ts` on while a changefeed is made; the error says that they are gone already.
    pub(crate) async fn hold_for(&self, purpose: &str, changefeed: &str, ts: u64) -> Result<Held, FeedError> {
        let service =
            format!("{}-{purpose}-{}_{changefeed}", self.service, crate::metadata::DEFAULT_KEYSPACE);
        let min = self.update(&service, CREATING_TTL_SECONDS, ts).await?;
        if min > ts {
            self.release(Held { service }).await?;
            return Err(FeedError::new(
                "CDC:ErrStartTsBeforeGC",
                format!(
                    "fail to create or maintain changefeed because start-ts {ts} is earlier than or equal to GC \
                     safepoint at {min}"
                ),
            ));
        }
        Ok(Held { service })
    }

    /// Lets go of a temporary safepoint.
    pub(crate) async fn release(&self, held: Held) -> Result<(), FeedError> {
        self.update(&held.service, 0, 0).await.map(|_| ())
    }

    /// Holds versions for all changefeeds: `min_checkpoint` is the smallest of their checkpoints, or nothing when
    /// there is none. Returns the smallest safepoint of all services.
    pub(crate) async fn keep(&self, min_checkpoint: Option<u64>) -> Result<u64, FeedError> {
        match min_checkpoint {
            Some(ts) => self.update(&self.service, self.ttl, ts.saturating_sub(1)).await,
            None => self.update(&self.service, 0, 0).await,
        }
    }

    /// Removes the service's safepoint (`unsafe delete-service-gc-safepoint`).
    pub(crate) async fn delete(&self) -> Result<(), FeedError> {
        self.keep(None).await.map(|_| ())
    }
}

/// A temporary safepoint.
pub(crate) struct Held {
    /// Its service id.
    service: String,
}
