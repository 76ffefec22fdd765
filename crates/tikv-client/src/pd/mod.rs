//! Client of the placement driver.

mod gc;
mod members;
mod route;
mod routing;
mod tso;
mod tso_service;
mod versions;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tikv_proto::pdpb;

use crate::backoff::Backoff;
use crate::channel::ChannelPool;
use crate::error::{Error, Result, is_transient_code};
use crate::security::Security;

use members::Members;
use route::Service;
use routing::StoreCache;
use tso::TsoClient;

/// Longest time for one call, the limit that TiCDC uses.
const CALL_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a call is repeated while no leader answers.
const CALL_BUDGET: Duration = Duration::from_secs(10);
/// First wait between attempts.
const RETRY_BASE: Duration = Duration::from_millis(20);
/// Longest wait between attempts.
const RETRY_MAX: Duration = Duration::from_millis(200);
/// How long [`PdClient::connect`] waits for a first answer: the 100 attempts of one second that TiCDC makes.
const CONNECT_BUDGET: Duration = Duration::from_secs(100);

/// Client of the placement driver. Finds the leader among the members and follows it; clones share everything.
#[derive(Debug, Clone)]
pub struct PdClient {
    inner: Arc<PdInner>,
}

/// What the clones of a [`PdClient`] share.
#[derive(Debug)]
struct PdInner {
    members: Arc<Members>,
    tso: TsoClient,
    stores: StoreCache,
    /// Set once the server turned out not to know `BatchScanRegions`.
    scans_singly: AtomicBool,
    /// Set once the server turned out to keep barriers instead of services' safepoints.
    keeps_barriers: AtomicBool,
}

/// Answers that carry the placement driver's header.
trait PdAnswer {
    /// The header, if set.
    fn header(&self) -> Option<&pdpb::ResponseHeader>;
}

/// Implements [`PdAnswer`] for generated messages.
macro_rules! pd_answers {
    ($($name:ident),* $(,)?) => {
        $(impl PdAnswer for pdpb::$name {
            fn header(&self) -> Option<&pdpb::ResponseHeader> {
                self.header.as_ref()
            }
        })*
    };
}

pd_answers!(
    GetClusterInfoResponse,
    IsBootstrappedResponse,
    GetStoreResponse,
    GetAllStoresResponse,
    GetRegionResponse,
    ScanRegionsResponse,
    BatchScanRegionsResponse,
    GetGcSafePointResponse,
    UpdateGcSafePointResponse,
    UpdateServiceGcSafePointResponse,
    SetGcBarrierResponse,
    DeleteGcBarrierResponse,
    GetGcStateResponse,
);

impl PdClient {
    /// Connects to a cluster by any of its members' URLs (or `host:port`), waiting up to 100 s for the first answer.
    ///
    /// # Errors
    /// [`Error::NoEndpoints`], [`Error::InvalidEndpoint`], [`Error::TlsNotConfigured`], [`Error::ClusterMismatch`], or
    /// [`Error::Unavailable`] if no member answered in time.
    pub async fn connect(endpoints: &[String], security: Security) -> Result<Self> {
        Self::connect_within(endpoints, security, CONNECT_BUDGET).await
    }

    /// Like [`PdClient::connect`] with another bound on the wait for the first answer.
    ///
    /// # Errors
    /// As [`PdClient::connect`].
    pub async fn connect_within(endpoints: &[String], security: Security, budget: Duration) -> Result<Self> {
        let members = Arc::new(Members::discover(endpoints, ChannelPool::new(security), budget).await?);
        members::spawn_refresh(&members);
        let tso = TsoClient::spawn(Arc::clone(&members));
        let inner = PdInner {
            members,
            tso,
            stores: StoreCache::default(),
            scans_singly: AtomicBool::new(false),
            keeps_barriers: AtomicBool::new(false),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The cluster's id.
    pub fn cluster_id(&self) -> u64 {
        self.inner.members.cluster_id()
    }

    /// URL of the leader as last heard of.
    pub fn leader_url(&self) -> String {
        self.inner.members.leader_url()
    }

    /// Client URLs of all members as last heard of, sorted.
    pub fn urls(&self) -> Vec<String> {
        self.inner.members.urls()
    }

    /// How connections are secured.
    pub fn security(&self) -> &Security {
        self.inner.members.pool().security()
    }

    /// The members, asked now.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if no member answers.
    pub async fn members(&self) -> Result<pdpb::GetMembersResponse> {
        self.inner.members.fetch().await
    }

    /// A fresh timestamp. Concurrent callers share requests over one stream; dropping the future is safe.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the leader does not answer in time.
    pub async fn get_ts(&self) -> Result<u64> {
        self.get_ts_batch(1).await
    }

    /// Reserves `count` (at least 1) consecutive timestamps and returns the first.
    ///
    /// # Errors
    /// As [`PdClient::get_ts`].
    pub async fn get_ts_batch(&self, count: u32) -> Result<u64> {
        self.inner.tso.get(count.max(1)).await
    }

    /// Service modes and timestamp service addresses. Old servers without the call count as normal mode.
    ///
    /// # Errors
    /// [`Error::Unavailable`], [`Error::Rpc`] or [`Error::Pd`].
    pub async fn cluster_info(&self) -> Result<pdpb::GetClusterInfoResponse> {
        let answer = self
            .call("GetClusterInfo", |mut pd| async move {
                pd.get_cluster_info(pdpb::GetClusterInfoRequest::default()).await
            })
            .await;
        match answer {
            Err(error) if error.is_unimplemented() => Ok(pdpb::GetClusterInfoResponse::default()),
            other => other,
        }
    }

    /// Whether the cluster has its first region.
    ///
    /// # Errors
    /// [`Error::Unavailable`], [`Error::Rpc`] or [`Error::Pd`].
    pub async fn is_bootstrapped(&self) -> Result<bool> {
        let header = self.header();
        let answer = self
            .call("IsBootstrapped", |mut pd| {
                let request = pdpb::IsBootstrappedRequest { header: header.clone() };
                async move { pd.is_bootstrapped(request).await }
            })
            .await?;
        Ok(answer.bootstrapped)
    }

    /// Header of every request.
    fn header(&self) -> Option<pdpb::RequestHeader> {
        self.inner.members.header()
    }

    /// Sends a request to the leader; follows leader changes and repeats after transport failures.
    async fn call<T, F, Fut>(&self, method: &'static str, send: F) -> Result<T>
    where
        T: PdAnswer,
        F: Fn(Service) -> Fut,
        Fut: Future<Output = std::result::Result<tonic::Response<T>, tonic::Status>>,
    {
        let mut backoff = Backoff::new(RETRY_BASE, RETRY_MAX, CALL_BUDGET);
        loop {
            let (route, service) = self.inner.members.leader()?;
            let answer = tokio::time::timeout(CALL_TIMEOUT, send(service)).await;
            let status = match answer {
                Ok(Ok(response)) => {
                    let answer = response.into_inner();
                    self.check_cluster(&route.leader, answer.header())?;
                    return checked(method, answer);
                }
                Ok(Err(status)) if is_transient_code(status.code()) => status,
                Ok(Err(status)) => return Err(Error::rpc(method, &route.describe(), status)),
                Err(_) => tonic::Status::deadline_exceeded(format!("no answer within {CALL_TIMEOUT:?}")),
            };
            tracing::debug!(method, address = %route.describe(), %status, "placement driver call failed, looking for the leader");
            if !backoff.wait().await {
                return Err(self.inner.members.unavailable(backoff.elapsed(), format!("{method}: {status}")));
            }
            self.inner.members.refresh_after(&route).await;
        }
    }

    /// Refuses an answer of another cluster: an address may have been given to another server.
    fn check_cluster(&self, endpoint: &str, header: Option<&pdpb::ResponseHeader>) -> Result<()> {
        let expected = self.cluster_id();
        match header.map(|header| header.cluster_id) {
            Some(actual) if actual != 0 && actual != expected => {
                Err(Error::ClusterMismatch { endpoint: endpoint.to_owned(), expected, actual })
            }
            _ => Ok(()),
        }
    }
}

/// Refuses an answer whose header holds an error.
fn checked<T: PdAnswer>(method: &'static str, answer: T) -> Result<T> {
    match answer.header().and_then(|header| header.error.as_ref()) {
        Some(error) if error.r#type != pdpb::ErrorType::Ok as i32 => {
            Err(Error::Pd { method, kind: error.r#type, message: error.message.clone() })
        }
        _ => Ok(answer),
    }
}
