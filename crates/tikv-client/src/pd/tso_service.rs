//! Where timestamps come from: the placement driver's leader, or a timestamp service that runs apart from it.

use std::time::Duration;

use tikv_proto::tsopb::tso_client::TsoClient as TimestampService;
use tikv_proto::{pdpb, tsopb};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::error::Result;

use super::members::Members;
use super::route::Route;

/// Keyspace id that stands for "none": such clients use the default keyspace group.
const NULL_KEYSPACE: u32 = 0xFFFF_FFFF;
/// Longest time for the questions that come before a stream.
const ASK_TIMEOUT: Duration = Duration::from_secs(1);
/// Requests that may wait for a stream to take them; as many as may be under way.
const REQUEST_QUEUE: usize = 8;

/// What to open a stream to.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // one at a time, made when a stream is opened
pub(super) enum Source {
    /// The leader.
    Leader(Route, super::Service),
    /// The primary of the timestamp service.
    Primary {
        /// Its address.
        address: String,
        /// The keyspace group that it serves.
        group: u32,
    },
}

/// Where timestamps come from as last heard of.
#[derive(Debug, Default)]
pub(super) struct SourceFinder {
    /// Addresses of the timestamp service; empty if the leader gives timestamps.
    urls: Vec<String>,
    /// Whether `urls` is to be asked for again.
    is_stale: bool,
    /// Streams opened to the service; picks another address each time none names a primary.
    attempts: usize,
}

impl SourceFinder {
    /// Nothing known yet.
    pub(super) fn new() -> Self {
        Self { urls: Vec::new(), is_stale: true, attempts: 0 }
    }

    /// The stream broke: the service may have moved.
    pub(super) fn invalidate(&mut self) {
        self.is_stale = true;
    }

    /// What to open the next stream to.
    pub(super) async fn find(&mut self, members: &Members) -> Result<Source> {
        let (route, service) = members.leader()?;
        if self.is_stale
            && let Some(urls) = service_urls(service.clone()).await
        {
            (self.urls, self.is_stale) = (urls, false);
        }
        if self.urls.is_empty() {
            return Ok(Source::Leader(route, service));
        }
        self.attempts = self.attempts.wrapping_add(1);
        for url in &self.urls {
            if let Some((address, group)) = primary_of(members, url).await {
                return Ok(Source::Primary { address, group });
            }
        }
        // Services before keyspace groups do not know the question; one of them is the primary.
        let address = self.urls.get(self.attempts % self.urls.len()).cloned().unwrap_or_default();
        Ok(Source::Primary { address, group: 0 })
    }
}

/// Addresses of the timestamp service: empty if there is none, `None` if that is not known now.
async fn service_urls(mut service: super::Service) -> Option<Vec<String>> {
    let asked = service.get_cluster_info(pdpb::GetClusterInfoRequest::default());
    match tokio::time::timeout(ASK_TIMEOUT, asked).await {
        Ok(Ok(answer)) => {
            let answer = answer.into_inner();
            let apart = answer.service_modes().any(|mode| mode == pdpb::ServiceMode::ApiSvcMode);
            Some(if apart { answer.tso_urls } else { Vec::new() })
        }
        // Old servers have no such mode.
        Ok(Err(status)) if status.code() == tonic::Code::Unimplemented => Some(Vec::new()),
        _ => None,
    }
}

/// The primary that a member of the timestamp service names, and its keyspace group.
async fn primary_of(members: &Members, url: &str) -> Option<(String, u32)> {
    let mut service = TimestampService::new(members.pool().channel(url).ok()?);
    let request =
        tsopb::FindGroupByKeyspaceIdRequest { header: Some(header(members, 0)), keyspace_id: NULL_KEYSPACE };
    let asked = service.find_group_by_keyspace_id(request);
    let answer = tokio::time::timeout(ASK_TIMEOUT, asked).await.ok()?.ok()?.into_inner();
    let group = answer.keyspace_group?;
    let primary = group.members.into_iter().find(|member| member.is_primary)?;
    Some((primary.address, group.id))
}

/// Header of a request to the timestamp service.
fn header(members: &Members, group: u32) -> tsopb::RequestHeader {
    tsopb::RequestHeader {
        cluster_id: members.cluster_id(),
        keyspace_id: NULL_KEYSPACE,
        keyspace_group_id: group,
        ..Default::default()
    }
}

/// Sends requests for timestamps.
#[derive(Debug)]
pub(super) enum Requests {
    /// To the leader.
    Leader(mpsc::Sender<pdpb::TsoRequest>, Option<pdpb::RequestHeader>),
    /// To the timestamp service.
    Primary(mpsc::Sender<tsopb::TsoRequest>, tsopb::RequestHeader),
}

impl Requests {
    /// Asks for `count` timestamps; false if the stream is ending.
    pub(super) fn ask(&self, count: u32) -> bool {
        match self {
            Self::Leader(sender, header) => {
                let request = pdpb::TsoRequest { header: header.clone(), count, dc_location: String::new() };
                sender.try_send(request).is_ok()
            }
            Self::Primary(sender, header) => {
                let request = tsopb::TsoRequest { header: Some(*header), count, dc_location: String::new() };
                sender.try_send(request).is_ok()
            }
        }
    }
}

/// A stream that has not been opened yet: the first requests go ahead of the call.
#[derive(Debug)]
pub(super) enum Opening {
    /// To the leader.
    Leader(super::Service, mpsc::Receiver<pdpb::TsoRequest>),
    /// To the timestamp service.
    Primary(TimestampService<tonic::transport::Channel>, mpsc::Receiver<tsopb::TsoRequest>),
}

impl Source {
    /// Address of the server, in words.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Leader(route, _) => route.describe(),
            Self::Primary { address, .. } => format!("timestamp service at {address}"),
        }
    }

    /// Prepares a stream.
    pub(super) fn prepare(self, members: &Members) -> Result<(Requests, Opening)> {
        match self {
            Self::Leader(_, service) => {
                let (sender, receiver) = mpsc::channel(REQUEST_QUEUE);
                Ok((Requests::Leader(sender, members.header()), Opening::Leader(service, receiver)))
            }
            Self::Primary { address, group } => {
                let (sender, receiver) = mpsc::channel(REQUEST_QUEUE);
                let service = TimestampService::new(members.pool().channel(&address)?);
                let requests = Requests::Primary(sender, header(members, group));
                Ok((requests, Opening::Primary(service, receiver)))
            }
        }
    }
}

impl Opening {
    /// Opens the stream.
    pub(super) async fn open(self) -> std::result::Result<Answers, Status> {
        match self {
            Self::Leader(mut service, requests) => {
                Ok(Answers::Leader(service.tso(ReceiverStream::new(requests)).await?.into_inner()))
            }
            Self::Primary(mut service, requests) => {
                Ok(Answers::Primary(service.tso(ReceiverStream::new(requests)).await?.into_inner()))
            }
        }
    }
}

/// Answers of a stream.
#[derive(Debug)]
pub(super) enum Answers {
    /// Of the leader.
    Leader(Streaming<pdpb::TsoResponse>),
    /// Of the timestamp service.
    Primary(Streaming<tsopb::TsoResponse>),
}

/// Timestamps that were given: `count` of them, of which `last` is the last.
#[derive(Debug)]
pub(super) struct Granted {
    /// How many.
    pub(super) count: u32,
    /// The last one; `None` if the answer has none.
    pub(super) last: Option<pdpb::Timestamp>,
    /// Cluster of the server; 0 if it does not tell.
    pub(super) cluster_id: u64,
    /// Why there are none.
    pub(super) refusal: Option<String>,
}

impl Answers {
    /// The next answer; `None` at the end of the stream.
    pub(super) async fn next(&mut self) -> std::result::Result<Option<Granted>, Status> {
        match self {
            Self::Leader(stream) => Ok(stream.message().await?.map(|answer| {
                let (cluster_id, error) =
                    answer.header.map_or((0, None), |header| (header.cluster_id, header.error));
                let refusal = error.filter(|error| error.r#type != pdpb::ErrorType::Ok as i32);
                Granted {
                    count: answer.count,
                    last: answer.timestamp,
                    cluster_id,
                    refusal: refusal.map(|error| error.message),
                }
            })),
            Self::Primary(stream) => Ok(stream.message().await?.map(|answer| {
                let (cluster_id, error) =
                    answer.header.map_or((0, None), |header| (header.cluster_id, header.error));
                let refusal = error.filter(|error| error.r#type != tsopb::ErrorType::Ok as i32);
                Granted {
                    count: answer.count,
                    last: answer.timestamp,
                    cluster_id,
                    refusal: refusal.map(|error| error.message),
                }
            })),
        }
    }
}
