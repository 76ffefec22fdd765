//! Following the leader of several members, with a member of our own behind scripted facades.

use std::time::Duration;

use local_pd::PdConfig;
use tempfile::TempDir;
use tikv_client::{Error, PdClient, Security};
use tikv_proto::{metapb, pdpb};
use tonic::Status;

use super::PATIENCE;
use super::facade::{Call, Facade, Plan};

/// A placement driver that looks like two members.
struct Pair {
    pd: local_pd::Running,
    one: Facade,
    two: Facade,
    _dir: TempDir,
}

/// The answer of a cluster of members at these URLs.
fn members(cluster_id: u64, urls: &[String], leader: &str) -> pdpb::GetMembersResponse {
    let member = |url: &String| pdpb::Member { client_urls: vec![url.clone()], ..Default::default() };
    pdpb::GetMembersResponse {
        header: Some(pdpb::ResponseHeader { cluster_id, error: None }),
        members: urls.iter().map(member).collect(),
        leader: Some(member(&leader.to_owned())),
        etcd_leader: None,
    }
}

impl Pair {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let pd = local_pd::start(PdConfig::new(([127, 0, 0, 1], 0).into(), dir.path())).await.unwrap();
        let (one, two) = (Facade::start(pd.url()).await, Facade::start(pd.url()).await);
        let pair = Self { pd, one, two, _dir: dir };
        pair.lead(&pair.one.url());
        pair
    }

    fn urls(&self) -> [String; 2] {
        [self.one.url(), self.two.url()]
    }

    /// Makes one of the members the leader; the other hands on what is marked for it, and refuses the rest.
    fn lead(&self, leader: &str) {
        for member in [&self.one, &self.two] {
            let (own, leader) = (member.url(), leader.to_owned());
            let (id, urls) = (self.pd.cluster_id(), self.urls());
            member.script(move |call: &Call| match call.method.as_str() {
                "GetMembers" => Plan::always(members(id, &urls, &leader)),
                _ if own == leader || call.forwarded.as_ref() == Some(&leader) => Plan::Pass,
                _ => Plan::Refuse(Status::unavailable("not leader")),
            });
        }
    }

    async fn client(&self) -> PdClient {
        PdClient::connect(&self.urls(), Security::none()).await.unwrap()
    }
}

/// Waits until a condition holds.
async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !condition().await {
        assert!(tokio::time::Instant::now() < deadline, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_and_timestamps_follow_a_leader_that_changes() {
    let pair = Pair::start().await;
    let client = pair.client().await;
    assert_eq!(client.leader_url(), pair.one.url());
    let mut urls = pair.urls();
    urls.sort();
    assert_eq!(client.urls(), urls);
    let before = client.get_ts().await.unwrap();
    assert!(!client.is_bootstrapped().await.unwrap());
    pair.lead(&pair.two.url());
    assert!(!client.is_bootstrapped().await.unwrap());
    assert_eq!(client.leader_url(), pair.two.url());
    // The stream moves with the leader, although the old one would go on serving it.
    until("timestamps come from the new leader", async || {
        client.get_ts().await.unwrap() > before && pair.two.count("Tso") > 0
    })
    .await;
    assert!(pair.two.calls().iter().all(|call| call.forwarded.is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_hands_calls_on_while_the_leader_cannot_be_reached() {
    let mut pair = Pair::start().await;
    let client = pair.client().await;
    let leader = pair.one.url();
    let before = client.get_ts().await.unwrap();
    pair.one.stop();
    assert!(!client.is_bootstrapped().await.unwrap());
    assert!(client.get_ts().await.unwrap() > before);
    assert_eq!(client.leader_url(), leader, "the leader is still the leader");
    let handed_on = |method: &str| {
        let call = Call { method: method.to_owned(), forwarded: Some(leader.clone()) };
        pair.two.calls().contains(&call)
    };
    assert!(handed_on("IsBootstrapped") && handed_on("Tso"));
    // As soon as its health check works again, it is called itself.
    let (calls, streams) = (pair.one.count("IsBootstrapped"), pair.one.count("Tso"));
    pair.one.restart().await;
    until("the leader is called itself again", async || {
        assert!(!client.is_bootstrapped().await.unwrap());
        assert!(client.get_ts().await.unwrap() > before);
        pair.one.count("IsBootstrapped") > calls && pair.one.count("Tso") > streams
    })
    .await;
    assert!(pair.one.count("Check") > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_can_start_while_the_leader_cannot_be_reached() {
    let mut pair = Pair::start().await;
    pair.one.stop();
    let client = pair.client().await;
    assert_eq!(client.leader_url(), pair.one.url());
    assert!(client.get_ts().await.unwrap() > 0);
}

#[tokio::test]
async fn an_answer_of_another_cluster_is_refused() {
    let pair = Pair::start().await;
    let client = pair.client().await;
    let (id, leader) = (client.cluster_id(), pair.one.url());
    let urls = pair.urls();
    pair.one.script(move |call| match call.method.as_str() {
        "GetMembers" => Plan::always(members(id, &urls, &leader)),
        "GetStore" => Plan::always(pdpb::GetStoreResponse {
            header: Some(pdpb::ResponseHeader { cluster_id: id ^ 1, error: None }),
            store: Some(metapb::Store { id: 1, ..Default::default() }),
            ..Default::default()
        }),
        _ => Plan::Pass,
    });
    let error = client.store(1).await.unwrap_err();
    let Error::ClusterMismatch { expected, actual, .. } = error else { panic!("{error}") };
    assert_eq!((expected, actual), (id, id ^ 1));
}
