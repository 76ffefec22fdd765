//! The members of the placement driver and who leads them.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::RwLock;
use tikv_proto::pdpb;
use tokio::sync::watch;

use crate::backoff::Backoff;
use crate::channel::{ChannelPool, describe};
use crate::error::{Error, Result};

use super::route::{Route, Service, is_healthy};

/// How often the members are asked for without a reason.
const REFRESH_INTERVAL: Duration = Duration::from_secs(60);
/// How often the leader's health is asked for while a follower hands calls on.
const HEALTH_INTERVAL: Duration = Duration::from_secs(1);
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
    /// The way to the leader, for those who keep a stream to it.
    route: watch::Sender<Route>,
}

/// What the last answer told.
#[derive(Debug, Clone)]
struct State {
    urls: Vec<String>,
    route: Route,
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
                    let route = watch::Sender::new(state.route.clone());
                    let (state, refreshing) = (RwLock::new(state), tokio::sync::Mutex::new(()));
                    return Ok(Self { pool, cluster_id, given, state, refreshing, route });
                }
                Err(error @ (Error::ClusterMismatch { .. } | Error::Certificate { .. })) => {
                    return Err(error);
                }
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
        let mut state: Option<State> = None;
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
            if state.is_none()
                && let Some(mut found) = state_of(&answer, given, pool.security().scheme())
            {
                found.route.via = detour(pool, &found.route.leader, url).await;
                state = Some(found);
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
        self.state.read().route.leader.clone()
    }

    /// Advertised URLs, sorted.
    pub(super) fn urls(&self) -> Vec<String> {
        self.state.read().urls.clone()
    }

    /// The way to the leader and a client for it.
    pub(super) fn leader(&self) -> Result<(Route, Service)> {
        let route = self.state.read().route.clone();
        let service = route.service(&self.pool)?;
        Ok((route, service))
    }

    /// Tells when the way to the leader changes.
    pub(super) fn route_changes(&self) -> watch::Receiver<Route> {
        self.route.subscribe()
    }

    /// Takes over what a member told.
    fn adopt(&self, state: State) {
        let mut current = self.state.write();
        if current.route != state.route {
            tracing::info!(leader = %state.route.describe(), "placement driver leader");
            self.route.send_replace(state.route.clone());
        }
        *current = state;
    }

    /// The leader, if a follower hands calls on to it.
    fn forwarded_leader(&self) -> Option<String> {
        let state = self.state.read();
        state.route.via.is_some().then(|| state.route.leader.clone())
    }

    /// Calls the leader itself again.
    fn go_straight(&self, leader: &str) {
        let mut state = self.state.write();
        if state.route.leader == leader && state.route.via.take().is_some() {
            tracing::info!(leader, "the placement driver leader can be reached again");
            self.route.send_replace(state.route.clone());
        }
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
            if let Some(mut state) = state_of(&answer, &self.given, self.pool.security().scheme()) {
                state.route.via = detour(&self.pool, &state.route.leader, &url).await;
                self.adopt(state);
                return Ok(answer);
            }
        }
        Err(last)
    }

    /// Looks for the leader after a call on `failed` went wrong, unless somebody else has found a new way meanwhile.
    pub(super) async fn refresh_after(&self, failed: &Route) {
        let asked = Instant::now();
        let _one = self.refreshing.lock().await;
        {
            let state = self.state.read();
            if state.route != *failed || state.heard >= asked {
                return;
            }
        }
        if let Err(error) = self.fetch().await {
            tracing::debug!(%error, "no placement driver member answers");
        }
    }
}

/// Asks for the members every minute, and for the leader's health each second while a follower hands calls on, until
/// the client is dropped.
pub(super) fn spawn_refresh(members: &Arc<Members>) {
    let weak: Weak<Members> = Arc::downgrade(members);
    let mut route = members.route_changes();
    tokio::spawn(async move {
        let mut next_refresh = Instant::now() + REFRESH_INTERVAL;
        loop {
            let forwarded = route.borrow_and_update().via.is_some();
            let wake =
                if forwarded { next_refresh.min(Instant::now() + HEALTH_INTERVAL) } else { next_refresh };
            tokio::select! {
                () = tokio::time::sleep_until(wake.into()) => {}
                changed = route.changed() => if changed.is_err() { return },
            }
            let Some(members) = weak.upgrade() else { return };
            if let Some(leader) = members.forwarded_leader()
                && is_healthy(&members.pool, &leader).await
            {
                members.go_straight(&leader);
            }
            if Instant::now() >= next_refresh {
                next_refresh = Instant::now() + REFRESH_INTERVAL;
                if let Err(error) = members.fetch().await {
                    tracing::warn!(%error, "placement driver members could not be refreshed");
                }
            }
        }
    });
}

/// The member that answered, if calls must go through it because the leader does not answer itself.
async fn detour(pool: &ChannelPool, leader: &str, answered: &str) -> Option<String> {
    if answered == leader || ask(pool, leader).await.is_ok() {
        return None;
    }
    Some(answered.to_owned())
}

/// Asks one member.
async fn ask(pool: &ChannelPool, url: &str) -> Result<pdpb::GetMembersResponse> {
    let mut service = Route { leader: url.to_owned(), via: None }.service(pool)?;
    let call = service.get_members(pdpb::GetMembersRequest::default());
    let answer = match tokio::time::timeout(MEMBER_TIMEOUT, call).await {
        Ok(Ok(answer)) => answer.into_inner(),
        Ok(Err(status)) => return Err(Error::rpc("GetMembers", url, spoken(status))),
        Err(_) => {
            let status = tonic::Status::deadline_exceeded(format!("no answer within {MEMBER_TIMEOUT:?}"));
            return Err(Error::rpc("GetMembers", url, status));
        }
    };
    super::checked("GetMembers", answer)
}

/// A status whose message tells its sources too: why a connection was refused, or a certificate.
fn spoken(status: tonic::Status) -> tonic::Status {
    match std::error::Error::source(&status) {
        Some(source) => {
            tonic::Status::new(status.code(), format!("{}: {}", status.message(), describe(source)))
        }
        None => status,
    }
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
    let urls: BTreeSet<String> = answer
        .members
        .iter()
        .flat_map(|member| member.client_urls.iter())
        .filter(fitting)
        .map(|url| url.trim_end_matches('/').to_owned())
        .collect();
    let urls = if urls.is_empty() { given.to_vec() } else { urls.into_iter().collect() };
    let route = Route { leader: url.trim_end_matches('/').to_owned(), via: None };
    Some(State { urls, route, heard: Instant::now() })
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
        assert_eq!(state_of(&answer, &[], "http").unwrap().route.leader, "http://a:1");
        assert_eq!(state_of(&answer, &[], "https").unwrap().route.leader, "https://b:1");
    }
}
