//! The members of the placement driver and who leads them.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::RwLock;
use tikv_proto::pdpb;
use tikv_proto::pdpb::pd_client::PdClient as PdService;
use tonic::transport::Channel;

use crate::backoff::Backoff;
use crate::channel::{ChannelPool, MAX_MESSAGE_BYTES};
use crate::error::{Error, Result};

/// How often the members are asked for without a reason.
const REFRESH_INTERVAL: Duration = Duration::from_secs(60);
/// Longest time for one member's answer.
const MEMBER_TIMEOUT: Duration = Duration::from_secs(1);
/// First wait between rounds of discovery.
const DISCOVER_BASE: Duration = Duration::from_millis(20);
/// Longest wait between rounds of discovery.
const DISCOVER_MAX: Duration = Duration::from_secs(1);

/// Who answers to the cluster's name.
#[derive(Debug)]
pub(super) struct Members {
    pool: ChannelPool,
    cluster_id: u64,
    /// What the user gave, as URLs. Asked as well as the advertised ones, which may not be reachable from here.
    given: Vec<String>,
    state: RwLock<State>,
    /// One refresh at a time.
    refreshing: tokio::sync::Mutex<()>,
}

/// What the last answer told.
#[derive(Debug, Clone)]
struct State {
    urls: Vec<String>,
    leader: String,
    heard: Instant,
}

impl Members {
    /// Asks every given endpoint until one knows a leader.
    pub(super) async fn discover(endpoints: &[String], pool: ChannelPool, budget: Duration) -> Result<Self> {
        let given: Vec<String> = endpoints
            .iter()
            .flat_map(|entry| entry.split(','))
            .filter(|entry| !entry.trim().is_empty())
            .map(|entry| pool.security().url(entry))
            .collect::<Result<_>>()?;
        if given.is_empty() {
            return Err(Error::NoEndpoints);
        }
        let mut backoff = Backoff::new(DISCOVER_BASE, DISCOVER_MAX, budget);
        loop {
            let last = match Self::first_answer(&given, &pool).await {
                Ok((cluster_id, state)) => {
                    let refreshing = tokio::sync::Mutex::new(());
                    return Ok(Self { pool, cluster_id, given, state: RwLock::new(state), refreshing });
                }
                Err(error @ Error::ClusterMismatch { .. }) => return Err(error),
                Err(error) => error,
            };
            if !backoff.wait().await {
                return Err(Error::Unavailable {
                    service: format!("placement driver at {}", given.join(",")),
                    waited: backoff.elapsed(),
                    last: last.to_string(),
                });
            }
        }
    }

    /// One round of discovery: all endpoints that answer must belong to one cluster.
    async fn first_answer(given: &[String], pool: &ChannelPool) -> Result<(u64, State)> {
        let answers = futures::future::join_all(given.iter().map(|url| ask(pool, url))).await;
        let mut cluster_id = 0;
        let mut state = None;
        let mut last = Error::NoEndpoints;
        for (url, answer) in given.iter().zip(answers) {
            let answer = match answer {
                Ok(answer) => answer,
                Err(error) => {
                    last = error;
                    continue;
                }
            };
            let actual = answer.header.as_ref().map_or(0, |header| header.cluster_id);
            if cluster_id == 0 {
                cluster_id = actual;
            } else if actual != 0 && actual != cluster_id {
                return Err(Error::ClusterMismatch { endpoint: url.clone(), expected: cluster_id, actual });
            }
            if state.is_none() {
                state = state_of(&answer, given, pool.security().scheme());
            }
        }
        match state {
            Some(state) if cluster_id != 0 => Ok((cluster_id, state)),
            _ if matches!(last, Error::NoEndpoints) => Err(Error::InvalidResponse {
                method: "GetMembers",
                reason: "no member knows a leader".to_owned(),
            }),
            _ => Err(last),
        }
    }

    /// The cluster's id.
    pub(super) fn cluster_id(&self) -> u64 {
        self.cluster_id
    }

    /// Header of every request.
    pub(super) fn header(&self) -> Option<pdpb::RequestHeader> {
        Some(pdpb::RequestHeader { cluster_id: self.cluster_id, ..Default::default() })
    }

    /// The connections.
    pub(super) fn pool(&self) -> &ChannelPool {
        &self.pool
    }

    /// URL of the leader.
    pub(super) fn leader_url(&self) -> String {
        self.state.read().leader.clone()
    }

    /// Advertised URLs, sorted.
    pub(super) fn urls(&self) -> Vec<String> {
        self.state.read().urls.clone()
    }

    /// The leader's URL and a client for it.
    pub(super) fn leader(&self) -> Result<(String, PdService<Channel>)> {
        let url = self.leader_url();
        let service = service(&self.pool, &url)?;
        Ok((url, service))
    }

    /// The error for a service that did not answer.
    pub(super) fn unavailable(&self, waited: Duration, last: String) -> Error {
        Error::Unavailable { service: format!("placement driver at {}", self.urls().join(",")), waited, last }
    }

    /// Asks the members in turn; the first answer that knows a leader becomes the state.
    pub(super) async fn fetch(&self) -> Result<pdpb::GetMembersResponse> {
        let mut candidates = self.urls();
        candidates.extend(self.given.iter().cloned());
        let mut asked = BTreeSet::new();
        let mut last = Error::NoEndpoints;
        for url in candidates {
            if !asked.insert(url.clone()) {
                continue;
            }
            let answer = match ask(&self.pool, &url).await {
                Ok(answer) => answer,
                Err(error) => {
                    last = error;
                    continue;
                }
            };
            let actual = answer.header.as_ref().map_or(0, |header| header.cluster_id);
            if actual != self.cluster_id {
                last = Error::ClusterMismatch { endpoint: url, expected: self.cluster_id, actual };
                continue;
            }
            if let Some(state) = state_of(&answer, &self.given, self.pool.security().scheme()) {
                *self.state.write() = state;
                return Ok(answer);
            }
        }
        Err(last)
    }

    /// Looks for the leader after a call to `failed` went wrong, unless somebody else has found a new one meanwhile.
    pub(super) async fn refresh_after(&self, failed: &str) {
        let asked = Instant::now();
        let _one = self.refreshing.lock().await;
        {
            let state = self.state.read();
            if state.leader != failed || state.heard >= asked {
                return;
            }
        }
        if let Err(error) = self.fetch().await {
            tracing::debug!(%error, "no placement driver member answers");
        }
    }
}

/// Asks for the members every minute, until the client is dropped.
pub(super) fn spawn_refresh(members: &Arc<Members>) {
    let weak: Weak<Members> = Arc::downgrade(members);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(REFRESH_INTERVAL).await;
            let Some(members) = weak.upgrade() else { return };
            if let Err(error) = members.fetch().await {
                tracing::warn!(%error, "placement driver members could not be refreshed");
            }
        }
    });
}

/// A client for one URL.
fn service(pool: &ChannelPool, url: &str) -> Result<PdService<Channel>> {
    Ok(PdService::new(pool.channel(url)?).max_decoding_message_size(MAX_MESSAGE_BYTES))
}

/// Asks one member.
async fn ask(pool: &ChannelPool, url: &str) -> Result<pdpb::GetMembersResponse> {
    let mut service = service(pool, url)?;
    let call = service.get_members(pdpb::GetMembersRequest::default());
    let answer = match tokio::time::timeout(MEMBER_TIMEOUT, call).await {
        Ok(Ok(answer)) => answer.into_inner(),
        Ok(Err(status)) => return Err(Error::rpc("GetMembers", url, status)),
        Err(_) => {
            let status = tonic::Status::deadline_exceeded(format!("no answer within {MEMBER_TIMEOUT:?}"));
            return Err(Error::rpc("GetMembers", url, status));
        }
    };
    super::checked("GetMembers", answer)
}

impl super::PdAnswer for pdpb::GetMembersResponse {
    fn header(&self) -> Option<&pdpb::ResponseHeader> {
        self.header.as_ref()
    }
}

/// Reads the URLs and the leader of an answer; `None` without a leader.
fn state_of(answer: &pdpb::GetMembersResponse, given: &[String], scheme: &str) -> Option<State> {
    let leader = answer.leader.as_ref()?;
    let fitting = |url: &&String| {
        url.starts_with(scheme) && url.get(scheme.len()..).is_some_and(|rest| rest.starts_with("://"))
    };
    let url = leader.client_urls.iter().find(fitting)?;
    let urls: BTreeSet<String> =
        answer.members.iter().flat_map(|member| member.client_urls.iter()).filter(fitting).cloned().collect();
    let urls = if urls.is_empty() { given.to_vec() } else { urls.into_iter().collect() };
    Some(State { urls, leader: url.trim_end_matches('/').to_owned(), heard: Instant::now() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leaders_url_of_our_scheme_is_taken() {
        let member = pdpb::Member {
            client_urls: vec!["https://b:1".to_owned(), "http://a:1/".to_owned()],
            ..Default::default()
        };
        let mut answer = pdpb::GetMembersResponse { members: vec![member.clone()], ..Default::default() };
        assert!(state_of(&answer, &[], "http").is_none());
        answer.leader = Some(member);
        assert_eq!(state_of(&answer, &[], "http").unwrap().leader, "http://a:1");
        assert_eq!(state_of(&answer, &[], "https").unwrap().leader, "https://b:1");
    }
}
