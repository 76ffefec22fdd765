//! Leases: keys that vanish with their owner.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tikv_proto::etcdserverpb as pb;
use tikv_proto::etcdserverpb::lease_client::LeaseClient;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::error::{Error, Result};

use super::{EtcdClient, Repeat, lease_missing};

/// Part of its lifetime after which a lease is renewed.
const RENEWALS_PER_TTL: u32 = 3;
/// Part of its lifetime by which a lease counts as lost before the store lets it expire: whoever relies on it has that
/// long to stop before anybody else can have it.
const MARGIN_PER_TTL: u32 = 5;
/// Wait before a new stream after a failure.
const RECONNECT_WAIT: Duration = Duration::from_millis(100);
/// Longest time for one renewal, if the lease's own time is not shorter.
const RENEWAL_TIMEOUT: Duration = Duration::from_secs(3);

/// A granted lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Its id.
    pub id: i64,
    /// How long it lives without renewal.
    pub ttl: Duration,
}

/// What is known of a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseState {
    /// What is left of its time.
    pub left: Duration,
    /// The time it was granted for.
    pub granted: Duration,
    /// Its keys, if asked for.
    pub keys: Vec<Bytes>,
}

impl EtcdClient {
    /// Grants a lease for at least `ttl` (whole seconds, rounded up).
    ///
    /// # Errors
    /// See [`EtcdClient::get`]; [`Error::InvalidResponse`] if the store refuses it in words.
    pub async fn lease_grant(&self, ttl: Duration) -> Result<Lease> {
        let seconds = ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0);
        let request = pb::LeaseGrantRequest { ttl: i64::try_from(seconds.max(1)).unwrap_or(i64::MAX), id: 0 };
        let answer = self
            .call("LeaseGrant", Repeat::Always, |channel| async move {
                LeaseClient::new(channel).lease_grant(request).await
            })
            .await?;
        if !answer.error.is_empty() {
            return Err(Error::InvalidResponse { method: "LeaseGrant", reason: answer.error });
        }
        Ok(Lease { id: answer.id, ttl: seconds_of(answer.ttl) })
    }

    /// Ends a lease and deletes its keys.
    ///
    /// # Errors
    /// See [`EtcdClient::get`]; [`Error::LeaseNotFound`].
    pub async fn lease_revoke(&self, id: i64) -> Result<()> {
        self.call("LeaseRevoke", Repeat::Always, |channel| async move {
            LeaseClient::new(channel).lease_revoke(pb::LeaseRevokeRequest { id }).await
        })
        .await
        .map_err(|error| lease_missing(error, id))?;
        Ok(())
    }

    /// What is left of a lease, and its keys if `keys`.
    ///
    /// # Errors
    /// See [`EtcdClient::get`]; [`Error::LeaseNotFound`].
    pub async fn lease_state(&self, id: i64, keys: bool) -> Result<LeaseState> {
        let answer = self
            .call("LeaseTimeToLive", Repeat::Always, |channel| async move {
                LeaseClient::new(channel).lease_time_to_live(pb::LeaseTimeToLiveRequest { id, keys }).await
            })
            .await?;
        if answer.ttl < 0 {
            return Err(Error::LeaseNotFound { lease: id });
        }
        Ok(LeaseState {
            left: seconds_of(answer.ttl),
            granted: seconds_of(answer.granted_ttl),
            keys: answer.keys,
        })
    }

    /// Renews a lease once and returns its new time.
    ///
    /// # Errors
    /// See [`EtcdClient::get`]; [`Error::LeaseNotFound`].
    pub async fn lease_keep_alive_once(&self, id: i64) -> Result<Duration> {
        let answer = self
            .call("LeaseKeepAlive", Repeat::Always, |channel| async move {
                let once = futures::stream::iter([pb::LeaseKeepAliveRequest { id }]);
                let mut stream = LeaseClient::new(channel).lease_keep_alive(once).await?.into_inner();
                let answer = stream.message().await?;
                Ok(tonic::Response::new(answer.ok_or_else(|| tonic::Status::unavailable("no answer"))?))
            })
            .await?;
        if answer.ttl <= 0 {
            return Err(Error::LeaseNotFound { lease: id });
        }
        Ok(seconds_of(answer.ttl))
    }

    /// Renews a lease in the background until the handle is dropped. The lease is not revoked then.
    pub fn keep_alive(&self, lease: Lease) -> KeepAlive {
        let lost = CancellationToken::new();
        let validity = Validity::new(safe_life(lease.ttl));
        let task = tokio::spawn(renew(self.clone(), lease, validity.clone(), lost.clone()));
        KeepAlive { lease, validity, lost, _task: AbortOnDropHandle::new(task) }
    }
}

/// Until when a lease may be relied on. Asking is cheap, and right also in a process that was stopped for a while, before
/// anything has told it so.
#[derive(Debug, Clone)]
pub struct Validity {
    /// What the time below counts from.
    base: Instant,
    /// Milliseconds.
    until: Arc<AtomicU64>,
}

impl Validity {
    /// Valid for so long from now on.
    fn new(life: Duration) -> Self {
        let validity = Self { base: Instant::now(), until: Arc::default() };
        validity.extend(validity.base + life);
        validity
    }

    /// Valid until then.
    fn extend(&self, until: Instant) {
        let millis = until.saturating_duration_since(self.base).as_millis();
        self.until.store(u64::try_from(millis).unwrap_or(u64::MAX), Ordering::Release);
    }

    /// Not valid any more.
    fn end(&self) {
        self.until.store(0, Ordering::Release);
    }

    /// Whether the time is over.
    pub fn is_over(&self) -> bool {
        self.base.elapsed().as_millis() >= u128::from(self.until.load(Ordering::Acquire))
    }
}

/// Renews a lease until dropped.
#[derive(Debug)]
pub struct KeepAlive {
    lease: Lease,
    validity: Validity,
    lost: CancellationToken,
    _task: AbortOnDropHandle<()>,
}

impl KeepAlive {
    /// The lease.
    pub fn lease(&self) -> Lease {
        self.lease
    }

    /// Waits until the lease is lost: it was revoked, or the store has not answered for so long that it is about to let it
    /// expire.
    pub async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// Until when the lease may be relied on.
    pub fn validity(&self) -> Validity {
        self.validity.clone()
    }

    /// Whether the lease is lost.
    pub fn is_lost(&self) -> bool {
        self.lost.is_cancelled()
    }

    /// A token that is cancelled when the lease is lost.
    pub fn lost_token(&self) -> CancellationToken {
        self.lost.clone()
    }
}

/// Renews a lease over one stream after the other, until it is lost.
async fn renew(client: EtcdClient, lease: Lease, validity: Validity, lost: CancellationToken) {
    let mut alive_until = Instant::now() + safe_life(lease.ttl);
    let _announce = lost.clone().drop_guard();
    while Instant::now() < alive_until {
        let left = alive_until.saturating_duration_since(Instant::now());
        match tokio::time::timeout(left, renew_on_stream(&client, lease, &validity, &mut alive_until)).await {
            Ok(StreamEnd::Lost) => {
                validity.end();
                tracing::warn!(lease = lease.id, "lease is gone");
                return;
            }
            Ok(StreamEnd::Broken) => {
                tokio::time::sleep(RECONNECT_WAIT.min(lease.ttl / RENEWALS_PER_TTL)).await
            }
            Err(_) => {}
        }
    }
    tracing::warn!(lease = lease.id, "lease could not be renewed in time");
}

/// How long a lease may be relied on after a renewal was asked for.
fn safe_life(ttl: Duration) -> Duration {
    ttl - ttl / MARGIN_PER_TTL
}

/// How a renewal stream ended.
enum StreamEnd {
    /// The store does not know the lease any more.
    Lost,
    /// The connection failed.
    Broken,
}

/// Renews a lease on one stream.
async fn renew_on_stream(
    client: &EtcdClient,
    lease: Lease,
    validity: &Validity,
    alive_until: &mut Instant,
) -> StreamEnd {
    let Ok((index, endpoint, channel)) = client.channel() else { return StreamEnd::Broken };
    let (requests, outbound) = mpsc::channel(1);
    let timeout = RENEWAL_TIMEOUT.min(lease.ttl / RENEWALS_PER_TTL);
    let mut asked = Instant::now();
    let request = pb::LeaseKeepAliveRequest { id: lease.id };
    if requests.try_send(request).is_err() {
        return StreamEnd::Broken;
    }
    let opened = tokio::time::timeout(
        timeout,
        LeaseClient::new(channel).lease_keep_alive(ReceiverStream::new(outbound)),
    )
    .await;
    let Ok(Ok(stream)) = opened else {
        tracing::debug!(endpoint, lease = lease.id, "lease stream could not be opened");
        client.leave(index);
        return StreamEnd::Broken;
    };
    let mut stream = stream.into_inner();
    loop {
        match tokio::time::timeout(timeout, stream.message()).await {
            Ok(Ok(Some(answer))) if answer.ttl <= 0 => return StreamEnd::Lost,
            Ok(Ok(Some(answer))) => {
                *alive_until = asked + safe_life(seconds_of(answer.ttl));
                validity.extend(*alive_until);
            }
            _ => break,
        }
        tokio::time::sleep(lease.ttl / RENEWALS_PER_TTL).await;
        asked = Instant::now();
        if requests.send(request).await.is_err() {
            break;
        }
    }
    client.leave(index);
    StreamEnd::Broken
}

/// Seconds of an answer; negative counts as zero.
fn seconds_of(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}
