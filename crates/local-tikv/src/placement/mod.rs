//! The store's link to PD.

mod bootstrap;
mod heartbeat;
mod tso;

pub(crate) use bootstrap::{Identity, JoinError, join};
pub(crate) use heartbeat::send_heartbeats;
pub(crate) use tso::Timestamps;

use std::time::Duration;
use tikv_proto::{metapb, pdpb, pdpb::pd_client::PdClient};
use tokio::sync::Notify;
use tonic::transport::{Channel, Endpoint};

/// One call to PD takes no longer than this.
const CALL_TIMEOUT: Duration = Duration::from_secs(3);
/// Connecting to PD takes no longer than this.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// HTTP/2 keep-alive of the connection to PD, as TiKV's clients use it.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// Name in request headers.
const CALLER: &str = "local-tikv";

/// PD did not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PlacementError {
    /// The endpoint is no URL.
    #[error("PD endpoint {endpoint:?} is not a valid address")]
    Endpoint {
        /// The endpoint as configured.
        endpoint: String,
    },
    /// No endpoint answered in time.
    #[error("no PD at {endpoints} within {waited:?}")]
    Unreachable {
        /// Endpoints that were tried.
        endpoints: String,
        /// For how long.
        waited: Duration,
    },
    /// The call failed.
    #[error("PD call {call} failed: {status}")]
    Call {
        /// Name of the call.
        call: &'static str,
        /// Why.
        #[source]
        status: Box<tonic::Status>,
    },
    /// PD answered with an error.
    #[error("PD refused {call}: {message}")]
    Refused {
        /// Name of the call.
        call: &'static str,
        /// PD's words.
        message: String,
    },
    /// The answer lacks something.
    #[error("PD's answer to {call} lacks {what}")]
    Incomplete {
        /// Name of the call.
        call: &'static str,
        /// What is missing.
        what: &'static str,
    },
    /// The store's data belong to another cluster.
    #[error("the data directory belongs to cluster {stored}, but PD serves cluster {served}")]
    OtherCluster {
        /// Cluster id in the data directory.
        stored: u64,
        /// Cluster id of PD.
        served: u64,
    },
    /// The connection for timestamps is gone.
    #[error("no timestamp from PD: {0}")]
    Timestamp(String),
}

/// A connected client.
pub(crate) struct Placement {
    client: PdClient<Channel>,
    cluster_id: u64,
    timestamps: Timestamps,
    /// Told when regions changed: they are reported at once.
    pub(crate) regions_changed: Notify,
}

impl Placement {
    pub(crate) fn new(client: PdClient<Channel>, cluster_id: u64) -> Self {
        let timestamps = Timestamps::start(client.clone(), cluster_id);
        Self { client, cluster_id, timestamps, regions_changed: Notify::new() }
    }

    /// The client for one call.
    pub(crate) fn client(&self) -> PdClient<Channel> {
        self.client.clone()
    }

    /// The header of every request.
    pub(crate) fn header(&self) -> Option<pdpb::RequestHeader> {
        header(self.cluster_id)
    }

    /// A timestamp later than every one PD gave before.
    pub(crate) async fn timestamp(&self) -> Result<u64, PlacementError> {
        self.timestamps.get().await
    }

    /// Ids for the parts of a region that is to be split at `count` keys.
    pub(crate) async fn ask_split(
        &self,
        region: &metapb::Region,
        count: usize,
    ) -> Result<Vec<pdpb::SplitId>, PlacementError> {
        let request = pdpb::AskBatchSplitRequest {
            header: self.header(),
            region: Some(region.clone()),
            split_count: u32::try_from(count).unwrap_or(u32::MAX),
        };
        let answer = call("AskBatchSplit", self.client().ask_batch_split(request)).await?;
        check_header("AskBatchSplit", answer.header.as_ref())?;
        Ok(answer.ids)
    }

    /// Snapshots before this timestamp are read by nobody.
    pub(crate) async fn gc_safe_point(&self) -> Result<u64, PlacementError> {
        let request = pdpb::GetGcSafePointRequest { header: self.header() };
        let answer = call("GetGCSafePoint", self.client().get_gc_safe_point(request)).await?;
        check_header("GetGCSafePoint", answer.header.as_ref())?;
        Ok(answer.safe_point)
    }

    /// Tells PD about a split. The heart beats say the same, so a failure does no harm.
    pub(crate) async fn report_split(&self, regions: Vec<metapb::Region>) {
        self.regions_changed.notify_one();
        let request = pdpb::ReportBatchSplitRequest { header: self.header(), regions };
        let result = call("ReportBatchSplit", self.client().report_batch_split(request)).await;
        if let Err(error) = result.and_then(|answer| check_header("ReportBatchSplit", answer.header.as_ref()))
        {
            tracing::warn!(%error, "PD did not take the report of a split");
        }
    }
}

/// The header of every request.
fn header(cluster_id: u64) -> Option<pdpb::RequestHeader> {
    Some(pdpb::RequestHeader {
        cluster_id,
        caller_id: CALLER.to_owned(),
        caller_component: CALLER.to_owned(),
        ..pdpb::RequestHeader::default()
    })
}

/// Splits a comma separated list of endpoints; `http://` may be left out.
fn endpoints(list: &str) -> Result<Vec<Endpoint>, PlacementError> {
    list.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| {
            let url = if part.contains("://") { part.to_owned() } else { format!("http://{part}") };
            let endpoint = Endpoint::from_shared(url)
                .map_err(|_| PlacementError::Endpoint { endpoint: part.to_owned() })?;
            Ok(endpoint
                .connect_timeout(CONNECT_TIMEOUT)
                .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
                .keep_alive_while_idle(true)
                .tcp_nodelay(true))
        })
        .collect()
}

/// Makes one call with the usual timeout.
async fn call<T>(
    name: &'static str,
    request: impl Future<Output = Result<tonic::Response<T>, tonic::Status>>,
) -> Result<T, PlacementError> {
    let failed = |status| PlacementError::Call { call: name, status: Box::new(status) };
    match tokio::time::timeout(CALL_TIMEOUT, request).await {
        Ok(Ok(response)) => Ok(response.into_inner()),
        Ok(Err(status)) => Err(failed(status)),
        Err(_) => Err(failed(tonic::Status::deadline_exceeded(format!("no answer in {CALL_TIMEOUT:?}")))),
    }
}

/// An error in the header of an answer is an error of the call.
fn check_header(call: &'static str, header: Option<&pdpb::ResponseHeader>) -> Result<(), PlacementError> {
    match header.and_then(|header| header.error.as_ref()) {
        Some(error) if error.r#type != i32::from(pdpb::ErrorType::Ok) => {
            Err(PlacementError::Refused { call, message: error.message.clone() })
        }
        _ => Ok(()),
    }
}
