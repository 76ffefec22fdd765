//! Registration of the capture and election of the owner, as TiCDC does both in etcd.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use changefeed::{Context, Fence, MetadataStore, Owner, Term};
use serde::{Deserialize, Serialize};
use tikv_client::EtcdClient;
use tikv_client::etcd::{KeepAlive, Range, WatchOptions};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::config::CaptureConfig;

/// Pause between the end of another owner and the begin of our term.
const HANDOVER_PAUSE: Duration = Duration::from_secs(1);
/// Pause before registering again after the lease was lost or etcd refused.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// A capture as it stands in etcd (`…/__cdc_meta__/capture/<id>`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct CaptureInfo {
    /// Id.
    pub(crate) id: String,
    /// Address for others.
    pub(crate) address: String,
    /// Version.
    #[serde(default)]
    pub(crate) version: String,
    /// Commit.
    #[serde(default)]
    pub(crate) git_hash: String,
    /// Path of the program.
    #[serde(default)]
    pub(crate) deploy_path: String,
    /// When it started, seconds since 1970.
    #[serde(default)]
    pub(crate) start_timestamp: i64,
}

/// This capture among the others.
pub(crate) struct Membership {
    /// This capture.
    pub(crate) info: CaptureInfo,
    /// Metadata and etcd.
    metadata: Arc<MetadataStore>,
    /// What changefeeds share.
    context: Arc<Context>,
    /// Life of the registration.
    session_ttl: Duration,
    /// Set while this capture is the owner.
    owner: ArcSwapOption<Owner>,
    /// A request to give up ownership.
    resign: Notify,
    /// True once the cluster has an owner, this capture or another. Told again whenever the owner may have changed.
    settled: watch::Sender<bool>,
}

impl Membership {
    /// A capture that is not registered yet.
    pub(crate) fn new(
        info: CaptureInfo,
        context: Arc<Context>,
        metadata: Arc<MetadataStore>,
        config: &CaptureConfig,
    ) -> Self {
        let (session_ttl, owner, resign) = (config.session_ttl, ArcSwapOption::empty(), Notify::new());
        Self { info, metadata, context, session_ttl, owner, resign, settled: watch::Sender::new(false) }
    }

    /// The changefeeds, if this capture is the owner.
    pub(crate) fn owner(&self) -> Option<Arc<Owner>> {
        self.owner.load_full()
    }

    /// Metadata and etcd.
    pub(crate) fn metadata(&self) -> &MetadataStore {
        &self.metadata
    }

    /// Waits until the cluster has an owner.
    pub(crate) async fn wait_settled(&self) {
        let mut settled = self.settled.subscribe();
        // The sender lives as long as `self`: waiting can't fail.
        let _ = settled.wait_for(|settled| *settled).await;
    }

    /// Tells whenever the owner may have changed.
    pub(crate) fn elections(&self) -> watch::Receiver<bool> {
        self.settled.subscribe()
    }

    /// Makes the owner part of this capture give up ownership once. From now on nobody asks it.
    pub(crate) fn resign(&self) {
        self.owner.store(None);
        self.resign.notify_one();
    }

    /// Client.
    fn etcd(&self) -> &EtcdClient {
        self.metadata.etcd()
    }

    /// Key of this capture.
    fn capture_key(&self) -> String {
        format!("{}/capture/{}", self.metadata.meta_base(), self.info.id)
    }

    /// Start of election keys.
    fn owner_prefix(&self) -> String {
        format!("{}/owner/", self.metadata.meta_base())
    }

    /// Every registered capture, with whether it is the owner.
    pub(crate) async fn captures(&self) -> Result<Vec<(CaptureInfo, bool)>, tikv_client::Error> {
        let owner = self.owner_id().await?;
        let listing = self.etcd().get_prefix(format!("{}/capture/", self.metadata.meta_base())).await?;
        let parse =
            |kv: &tikv_proto::etcdserverpb::KeyValue| serde_json::from_slice::<CaptureInfo>(&kv.value).ok();
        Ok(listing
            .kvs
            .iter()
            .filter_map(parse)
            .map(|info| {
                let is_owner = owner.as_deref() == Some(info.id.as_str());
                (info, is_owner)
            })
            .collect())
    }

    /// Id of the owner: the oldest election key.
    pub(crate) async fn owner_id(&self) -> Result<Option<String>, tikv_client::Error> {
        let range = Range::prefix(self.owner_prefix()).by_creation().limit(1);
        let oldest = self.etcd().range(range).await?.kvs.into_iter().next();
        Ok(oldest.map(|kv| String::from_utf8_lossy(&kv.value).into_owned()))
    }

    /// Stays registered, and is the owner whenever it is this capture's turn, until `stop`.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Err(error) = self.session(&stop).await {
                warn!(%error, "capture session ended");
            }
            tokio::select! {
                () = tokio::time::sleep(RETRY_PAUSE) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// One registration.
    async fn session(&self, stop: &CancellationToken) -> Result<(), tikv_client::Error> {
        self.bury_predecessors().await?;
        let lease = self.etcd().lease_grant(self.session_ttl).await?;
        let alive = self.etcd().keep_alive(lease);
        let info = serde_json::to_vec(&self.info).unwrap_or_default();
        self.etcd().put(self.capture_key(), info, lease.id).await?;
        info!(id = %self.info.id, address = %self.info.address, "capture registered");
        let mut outcome = Ok(());
        while outcome.is_ok() && !stop.is_cancelled() && !alive.is_lost() {
            outcome = self.term(lease.id, &alive, stop).await;
        }
        self.owner.store(None);
        if let Err(error) = self.etcd().lease_revoke(lease.id).await {
            warn!(%error, "the registration stays until its lease expires");
        }
        outcome
    }

    /// Ends registrations of earlier processes at our address. This process listens there, so they are dead, and
    /// waiting for their leases would only delay the changefeeds.
    async fn bury_predecessors(&self) -> Result<(), tikv_client::Error> {
        let listing = self.etcd().get_prefix(format!("{}/capture/", self.metadata.meta_base())).await?;
        for kv in listing.kvs {
            let Ok(info) = serde_json::from_slice::<CaptureInfo>(&kv.value) else { continue };
            if info.address == self.info.address && info.id != self.info.id && kv.lease != 0 {
                info!(id = %info.id, "ending the registration of an earlier process at this address");
                if let Err(error) = self.etcd().lease_revoke(kv.lease).await {
                    debug!(%error, "the lease has expired meanwhile");
                }
            }
        }
        Ok(())
    }

    /// One candidacy: waits for its turn, is the owner, and gives up.
    async fn term(
        &self,
        lease: i64,
        alive: &KeepAlive,
        stop: &CancellationToken,
    ) -> Result<(), tikv_client::Error> {
        let key = format!("{}{lease:x}", self.owner_prefix());
        self.etcd().put(key.clone(), self.info.id.clone(), lease).await?;
        let create_revision = tokio::select! {
            turn = self.wait_for_turn(&key) => turn?,
            () = alive.lost() => return Ok(()),
            () = stop.cancelled() => return Ok(()),
        };
        self.metadata.set_fence(Some(Fence { key: key.clone(), create_revision }));
        let reign = Term::new(alive.validity());
        self.context.begin_term(reign.clone());
        // Changefeeds start after the last thing that is waited for: whoever loses the lease before has none.
        let taking_over = tokio::select! {
            outcome = Owner::take_over(Arc::clone(&self.context)) => outcome,
            () = alive.lost() => {
                self.metadata.set_fence(None);
                return Ok(());
            }
        };
        let owner = match taking_over {
            Ok(owner) => owner,
            Err(error) => {
                warn!(%error, "cannot take over as owner; trying again");
                tokio::time::sleep(RETRY_PAUSE).await;
                self.etcd().delete(key).await?;
                return Ok(());
            }
        };
        self.owner.store(Some(Arc::clone(&owner)));
        self.settled.send_replace(true);
        let mut resigned = false;
        tokio::select! {
            () = alive.lost() => reign.end(),
            () = self.gone(&key, create_revision) => reign.end(),
            () = stop.cancelled() => {}
            () = self.resign.notified() => resigned = true,
        }
        self.owner.store(None);
        owner.step_down().await;
        self.metadata.set_fence(None);
        info!("this capture is no longer the owner");
        if resigned {
            self.etcd().delete(key).await?;
        }
        Ok(())
    }

    /// Waits until the election key is gone: somebody ended the lease or removed the key. Whether the lease is renewed in
    /// time does not tell that.
    async fn gone(&self, key: &str, create_revision: i64) {
        loop {
            let outcome = async {
                let range = self.etcd().range(Range::key(key.to_owned())).await?;
                if range.kvs.first().is_none_or(|kv| kv.create_revision != create_revision) {
                    return Ok(true);
                }
                let options = WatchOptions::key(key.to_owned()).from_revision(range.revision + 1);
                self.etcd().watch(options).next().await?;
                Ok::<_, tikv_client::Error>(false)
            };
            match outcome.await {
                Ok(true) => return,
                Ok(false) => {}
                // The lease runs out if etcd stays away.
                Err(error) => {
                    debug!(%error, "the election key can't be watched");
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
        }
    }

    /// Waits until the election key is the oldest; returns its creation revision. After another owner there is a pause: a
    /// lease that was revoked ends without a warning, and its holder hears of it when we do.
    async fn wait_for_turn(&self, key: &str) -> Result<i64, tikv_client::Error> {
        let mut waited = false;
        loop {
            let listing = self.etcd().range(Range::prefix(self.owner_prefix()).by_creation()).await?;
            match listing.kvs.first() {
                Some(first) if first.key == key.as_bytes() => {
                    if waited {
                        tokio::time::sleep(HANDOVER_PAUSE).await;
                    }
                    return Ok(first.create_revision);
                }
                _ => {
                    waited = true;
                    self.settled.send_replace(true);
                    let options =
                        WatchOptions::prefix(self.owner_prefix()).from_revision(listing.revision + 1);
                    self.etcd().watch(options).next().await?;
                }
            }
        }
    }
}
