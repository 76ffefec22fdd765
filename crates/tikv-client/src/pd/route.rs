//! The way to the leader: straight, or through a follower when the leader cannot be reached from here.

use std::time::Duration;

use tikv_proto::healthpb;
use tikv_proto::healthpb::health_check_response::ServingStatus;
use tikv_proto::healthpb::health_client::HealthClient;
use tikv_proto::pdpb::pd_client::PdClient as PdService;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;

use crate::channel::{ChannelPool, MAX_MESSAGE_BYTES};
use crate::error::{Error, Result};

/// Metadata by which a follower is asked to hand a call on to the leader.
const FORWARD_KEY: &str = "pd-forwarded-host";
/// How long the leader's health check may take.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(1);

/// The placement driver's service on a [`Route`].
pub(super) type Service = PdService<InterceptedService<Channel, Forwarding>>;

/// How the leader is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    /// URL of the leader.
    pub(super) leader: String,
    /// URL of the follower that hands calls on; `None` if the leader is reached itself.
    pub(super) via: Option<String>,
}

impl Route {
    /// The route in words, for errors.
    pub(super) fn describe(&self) -> String {
        match &self.via {
            Some(via) => format!("{} through {via}", self.leader),
            None => self.leader.clone(),
        }
    }

    /// A client for the route.
    pub(super) fn service(&self, pool: &ChannelPool) -> Result<Service> {
        let forwarding = match &self.via {
            None => Forwarding(None),
            Some(_) => Forwarding(Some(MetadataValue::try_from(&self.leader).map_err(|error| {
                Error::InvalidEndpoint { endpoint: self.leader.clone(), reason: error.to_string() }
            })?)),
        };
        let channel = pool.channel(self.via.as_ref().unwrap_or(&self.leader))?;
        Ok(PdService::with_interceptor(channel, forwarding).max_decoding_message_size(MAX_MESSAGE_BYTES))
    }
}

/// Marks calls that a follower is to hand on to the leader.
#[derive(Debug, Clone)]
pub(crate) struct Forwarding(Option<MetadataValue<Ascii>>);

impl Interceptor for Forwarding {
    fn call(
        &mut self,
        mut request: tonic::Request<()>,
    ) -> std::result::Result<tonic::Request<()>, tonic::Status> {
        if let Some(leader) = &self.0 {
            request.metadata_mut().insert(FORWARD_KEY, leader.clone());
        }
        Ok(request)
    }
}

/// Whether a member says that it serves, by the standard health check.
pub(super) async fn is_healthy(pool: &ChannelPool, url: &str) -> bool {
    let Ok(channel) = pool.channel(url) else { return false };
    let mut health = HealthClient::new(channel);
    let check = health.check(healthpb::HealthCheckRequest::default());
    match tokio::time::timeout(HEALTH_TIMEOUT, check).await {
        Ok(Ok(answer)) => answer.into_inner().status() == ServingStatus::Serving,
        _ => false,
    }
}
