//! Service GC safepoint: keeps TiKV from collecting versions that a changefeed still has to read.

use std::time::Duration;

use tikv_client::PdClient;

use crate::FeedError;

/// How long the safepoint of a changefeed that is being created or resumed lives, seconds.
const CREATING_TTL_SECONDS: i64 = 3600;
/// Attempts to reach PD, with [`RETRY_PAUSE`] between them.
const ATTEMPTS: u32 = 9;
/// Bits of a timestamp below its milliseconds.
const PHYSICAL_SHIFT: u32 = 18;
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

    /// Why a changefeed at `checkpoint` can't go on, if it can't; see [`loss`].
    pub(crate) fn loss(&self, id: &str, checkpoint: u64, held: Versions, now: u64) -> Option<FeedError> {
        loss(id, checkpoint, held, now, u64::try_from(self.ttl).unwrap_or(0))
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

/// Which old versions are held.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Versions {
    /// The smallest safepoint of all services: older versions may be gone.
    pub(crate) min: u64,
    /// What this service asked for.
    pub(crate) ours: u64,
}

/// Why a changefeed at `checkpoint` can't go on at `now`, if it can't: what it needs was collected, or nobody else holds
/// versions back any more and it has done so for longer than `ttl_seconds`.
fn loss(id: &str, checkpoint: u64, held: Versions, now: u64, ttl_seconds: u64) -> Option<FeedError> {
    let needed = checkpoint.saturating_sub(1);
    if needed < held.min {
        let message = format!(
            "fail to create or maintain changefeed due to snapshot loss caused by GC. checkpoint-ts {checkpoint} is \
             earlier than or equal to GC safepoint at {}",
            held.min
        );
        return Some(FeedError::new("CDC:ErrSnapshotLostByGC", message));
    }
    let lag_ms = (now >> PHYSICAL_SHIFT).saturating_sub(needed >> PHYSICAL_SHIFT);
    let too_long = held.min == held.ours && lag_ms > ttl_seconds.saturating_mul(1000);
    let message =
        format!("the checkpoint-ts({checkpoint}) lag of the changefeed({id}) has exceeded the GC TTL");
    too_long.then(|| FeedError::new("CDC:ErrGCTTLExceeded", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A timestamp at this second.
    fn ts(second: u64) -> u64 {
        (second * 1000) << PHYSICAL_SHIFT
    }

    /// What becomes of a changefeed with a time limit of 100 s, as a code.
    fn outcome(checkpoint: u64, min: u64, ours: u64, now: u64) -> Option<String> {
        loss("feed", checkpoint, Versions { min, ours }, now, 100).map(|error| error.code)
    }

    #[test]
    fn a_changefeed_whose_versions_are_gone_is_lost() {
        let code = Some("CDC:ErrSnapshotLostByGC".to_owned());
        assert_eq!(outcome(ts(50), ts(60), ts(50) - 1, ts(61)), code);
        assert_eq!(outcome(ts(50), ts(50), ts(50) - 1, ts(61)), code);
        assert_eq!(outcome(ts(50), ts(50) - 1, ts(50) - 1, ts(61)), None);
    }

    #[test]
    fn a_changefeed_that_alone_holds_versions_for_too_long_is_given_up() {
        let needed = ts(50) - 1;
        assert_eq!(outcome(ts(50), needed, needed, ts(149)), None);
        assert_eq!(outcome(ts(50), needed, needed, ts(151)).as_deref(), Some("CDC:ErrGCTTLExceeded"));
        // A backup that needs still older versions is to blame, not the changefeed.
        assert_eq!(outcome(ts(50), ts(10), needed, ts(151)), None);
        // The changefeed in front of the oldest is judged by its own age.
        assert_eq!(outcome(ts(120), needed, needed, ts(151)), None);
    }
}
