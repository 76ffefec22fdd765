//! A group, step by step, with a clock of our own.

use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::ResponseError;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use super::group::{Group, State};
use super::member::{JoinReply, Joined, SyncReply};
use super::requests::{JoinInput, Leaving, SyncInput};

/// Time in which the first members gather.
const DELAY: Duration = Duration::from_millis(50);
/// Session timeout of all members.
const SESSION: Duration = Duration::from_secs(10);
/// Rebalance timeout of all members.
const REBALANCE: Duration = Duration::from_secs(60);

/// A group and the time.
struct Scene {
    group: Group,
    now: Instant,
}

impl Scene {
    fn new() -> Self {
        Self { group: Group::new(DELAY), now: Instant::now() }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.group.tick(self.now);
    }

    fn join_as(&mut self, input: JoinInput) -> oneshot::Receiver<JoinReply> {
        let (reply, answer) = oneshot::channel();
        self.group.join(input, self.now, reply);
        answer
    }

    fn join(&mut self, member_id: &str) -> oneshot::Receiver<JoinReply> {
        self.join_as(input(member_id))
    }

    fn sync(
        &mut self,
        joined: &Joined,
        assignments: &[(&str, &'static str)],
    ) -> oneshot::Receiver<SyncReply> {
        let (reply, answer) = oneshot::channel();
        let assignment =
            |(id, a): &(&str, &'static str)| ((*id).to_owned(), Bytes::from_static(a.as_bytes()));
        let input = SyncInput {
            member_id: joined.member_id.clone(),
            instance_id: None,
            generation: joined.generation,
            protocol_type: Some("consumer".into()),
            protocol: Some(joined.protocol.clone()),
            assignments: assignments.iter().map(assignment).collect(),
        };
        self.group.sync(input, self.now, reply);
        answer
    }

    fn heartbeat(&mut self, joined: &Joined) -> Result<(), ResponseError> {
        self.group.heartbeat(&joined.member_id, None, joined.generation, self.now)
    }

    /// A stable group of one member.
    fn stable() -> (Self, Joined) {
        let mut scene = Self::new();
        let mut answer = scene.join("");
        scene.pass(DELAY);
        let joined = take(&mut answer);
        let mut synced = scene.sync(&joined, &[(&joined.member_id, "all")]);
        assert_eq!(synced.try_recv().unwrap().unwrap().assignment, "all");
        (scene, joined)
    }

    /// A stable group of two members.
    fn pair() -> (Self, Joined, Joined) {
        let mut scene = Self::new();
        let (mut a, mut b) = (scene.join(""), scene.join(""));
        scene.pass(DELAY);
        let (a, b) = (take(&mut a), take(&mut b));
        let (leader, other) = if a.leader == a.member_id { (a, b) } else { (b, a) };
        let mut waiting = scene.sync(&other, &[]);
        assert_eq!(waiting.try_recv(), Err(TryRecvError::Empty), "the leader has not spoken");
        let mut own = scene.sync(&leader, &[(&leader.member_id, "x"), (&other.member_id, "y")]);
        assert_eq!(own.try_recv().unwrap().unwrap().assignment, "x");
        assert_eq!(waiting.try_recv().unwrap().unwrap().assignment, "y");
        (scene, leader, other)
    }
}

fn input(member_id: &str) -> JoinInput {
    JoinInput {
        member_id: member_id.into(),
        instance_id: None,
        client_id: "c".into(),
        client_host: "h".into(),
        session_timeout: SESSION,
        rebalance_timeout: REBALANCE,
        protocol_type: "consumer".into(),
        protocols: vec![("range".into(), Bytes::from_static(b"topics"))],
        needs_member_id: false,
        may_skip_assignment: true,
    }
}

fn take(answer: &mut oneshot::Receiver<JoinReply>) -> Joined {
    answer.try_recv().expect("answered").expect("joined")
}

fn error(answer: &mut oneshot::Receiver<JoinReply>) -> ResponseError {
    answer.try_recv().expect("answered").expect_err("refused").0
}

#[test]
fn first_members_gather_and_the_leader_assigns() {
    let (mut scene, leader, other) = Scene::pair();
    assert_eq!(leader.members.len(), 2);
    assert!(other.members.is_empty());
    assert_eq!((leader.generation, other.generation), (1, 1));
    assert_eq!(scene.heartbeat(&other), Ok(()));
    assert_eq!(scene.group.view().state, "Stable");
}

#[test]
fn a_third_member_makes_the_others_rejoin() {
    let (mut scene, leader, other) = Scene::pair();
    let mut third = scene.join("");
    assert_eq!(scene.heartbeat(&other), Err(ResponseError::RebalanceInProgress));
    let mut again = scene.join(&leader.member_id);
    assert_eq!(third.try_recv(), Err(TryRecvError::Empty));
    let mut again_other = scene.join(&other.member_id);
    assert_eq!(take(&mut third).generation, 2);
    assert_eq!(take(&mut again).members.len(), 3, "the leader stays");
    assert_eq!(take(&mut again_other).generation, 2);
    assert_eq!(scene.heartbeat(&other), Err(ResponseError::IllegalGeneration));
}

#[test]
fn who_does_not_rejoin_in_time_is_out() {
    let (mut scene, leader, other) = Scene::pair();
    let mut third = scene.join("");
    let mut again = scene.join(&leader.member_id);
    for _ in 0..12 {
        scene.pass(REBALANCE / 12);
        let _ = scene.heartbeat(&other);
    }
    assert_eq!(take(&mut third).generation, 2);
    assert_eq!(take(&mut again).members.len(), 2);
    assert_eq!(scene.heartbeat(&other), Err(ResponseError::UnknownMemberId));
}

#[test]
fn a_silent_member_loses_its_session_and_the_group_goes_on() {
    let (mut scene, leader, other) = Scene::pair();
    scene.pass(SESSION - Duration::from_secs(1));
    assert_eq!(scene.heartbeat(&leader), Ok(()));
    scene.pass(Duration::from_secs(1));
    assert_eq!(scene.heartbeat(&leader), Err(ResponseError::RebalanceInProgress));
    let mut again = scene.join(&leader.member_id);
    assert_eq!(take(&mut again).members.len(), 1);
    assert_eq!(scene.heartbeat(&other), Err(ResponseError::UnknownMemberId));
}

#[test]
fn a_waiting_member_does_not_lose_its_session() {
    let (mut scene, leader, _) = Scene::pair();
    let mut third = scene.join("");
    for _ in 0..6 {
        let _ = scene.heartbeat(&leader);
        scene.pass(SESSION - Duration::from_secs(1));
    }
    assert!(matches!(third.try_recv(), Err(TryRecvError::Empty) | Ok(Ok(_))));
}

#[test]
fn a_leader_which_never_assigns_is_replaced() {
    let mut scene = Scene::new();
    let (mut a, mut b) = (scene.join(""), scene.join(""));
    scene.pass(DELAY);
    let (a, b) = (take(&mut a), take(&mut b));
    let (leader, other) = if a.leader == a.member_id { (a, b) } else { (b, a) };
    let mut waiting = scene.sync(&other, &[]);
    scene.pass(SESSION);
    assert_eq!(waiting.try_recv().unwrap(), Err(ResponseError::RebalanceInProgress));
    let mut again = scene.join(&other.member_id);
    let joined = take(&mut again);
    assert_eq!((joined.leader.as_str(), joined.members.len()), (other.member_id.as_str(), 1));
    assert_eq!(scene.heartbeat(&leader), Err(ResponseError::UnknownMemberId));
}

#[test]
fn a_broken_connection_shortens_the_session_unless_the_member_comes_back() {
    let (mut scene, leader, other) = Scene::pair();
    scene.group.disconnected(&other.member_id, scene.now);
    scene.pass(Duration::from_secs(3));
    assert_eq!(scene.heartbeat(&other), Ok(()), "back in time");
    scene.group.disconnected(&other.member_id, scene.now);
    scene.pass(Duration::from_secs(5));
    assert_eq!(scene.heartbeat(&leader), Err(ResponseError::RebalanceInProgress));
    assert_eq!(scene.heartbeat(&other), Err(ResponseError::UnknownMemberId));
}

#[test]
fn leaving_is_immediate_and_empties_the_group() {
    let (mut scene, joined) = Scene::stable();
    let leaving = Leaving { member_id: joined.member_id, instance_id: None };
    assert_eq!(scene.group.leave(&leaving, scene.now), Ok(()));
    assert!(scene.group.is_idle());
    assert_eq!(scene.group.leave(&leaving, scene.now), Err(ResponseError::UnknownMemberId));
    assert_eq!(scene.group.next_deadline(), None);
}

#[test]
fn an_id_handed_out_and_never_used_is_forgotten() {
    let mut scene = Scene::new();
    let mut told = scene.join_as(JoinInput { needs_member_id: true, ..input("") });
    assert_eq!(error(&mut told), ResponseError::MemberIdRequired);
    assert!(!scene.group.is_idle());
    scene.pass(SESSION);
    assert!(scene.group.is_idle());
}

#[test]
fn incompatible_and_unknown_members_are_refused() {
    let (mut scene, _) = Scene::stable();
    let foreign = JoinInput { protocol_type: "connect".into(), ..input("") };
    assert_eq!(error(&mut scene.join_as(foreign)), ResponseError::InconsistentGroupProtocol);
    let other = JoinInput { protocols: vec![("sticky".into(), Bytes::new())], ..input("") };
    assert_eq!(error(&mut scene.join_as(other)), ResponseError::InconsistentGroupProtocol);
    assert_eq!(error(&mut scene.join("nobody")), ResponseError::UnknownMemberId);
    assert_eq!(
        error(&mut scene.join_as(JoinInput { protocols: Vec::new(), ..input("") })),
        ResponseError::InconsistentGroupProtocol
    );
}

#[test]
fn the_common_protocol_with_most_votes_wins() {
    let mut scene = Scene::new();
    let offer = |names: &[&str]| JoinInput {
        protocols: names.iter().map(|n| ((*n).to_owned(), Bytes::new())).collect(),
        ..input("")
    };
    let mut answers = [
        scene.join_as(offer(&["a", "b", "c"])),
        scene.join_as(offer(&["c", "b"])),
        scene.join_as(offer(&["b", "c"])),
    ];
    scene.pass(DELAY);
    assert!(answers.iter_mut().all(|a| take(a).protocol == "b"), "a is not offered by all");
}

/// A join of the static member `i`.
fn fixed(member_id: &str) -> JoinInput {
    JoinInput { instance_id: Some("i".into()), ..input(member_id) }
}

#[test]
fn a_static_member_takes_its_place_again_without_a_rebalance() {
    let mut scene = Scene::new();
    let mut answer = scene.join_as(fixed(""));
    scene.pass(DELAY);
    let first = take(&mut answer);
    drop(scene.sync(&first, &[(&first.member_id, "all")]));
    let second = take(&mut scene.join_as(fixed("")));
    assert_eq!((second.generation, second.skip_assignment), (first.generation, true));
    assert_ne!(second.member_id, first.member_id);
    let mut synced = scene.sync(&second, &[]);
    assert_eq!(synced.try_recv().unwrap().unwrap().assignment, "all", "the assignment stayed");
    let fenced = scene.group.heartbeat(&first.member_id, Some("i"), first.generation, scene.now);
    assert_eq!(fenced, Err(ResponseError::FencedInstanceId));
    assert_eq!(error(&mut scene.join_as(fixed(&first.member_id))), ResponseError::FencedInstanceId);
    let old_client = JoinInput { may_skip_assignment: false, ..fixed("") };
    let third = take(&mut scene.join_as(old_client));
    assert_ne!(third.leader, third.member_id, "a client which cannot skip is told to follow");
}

#[test]
fn a_static_member_with_a_new_subscription_rebalances() {
    let mut scene = Scene::new();
    let mut answer = scene.join_as(fixed(""));
    scene.pass(DELAY);
    let first = take(&mut answer);
    drop(scene.sync(&first, &[(&first.member_id, "all")]));
    let changed = JoinInput { protocols: vec![("range".into(), Bytes::from_static(b"other"))], ..fixed("") };
    assert_eq!(take(&mut scene.join_as(changed)).generation, first.generation + 1);
}

#[test]
fn commits_need_the_present_generation_or_an_empty_group() {
    let mut scene = Scene::new();
    assert_eq!(scene.group.check_commit("", None, -1, scene.now), Ok(()));
    assert_eq!(scene.group.check_commit("x", None, 1, scene.now), Err(ResponseError::IllegalGeneration));
    let (mut scene, joined) = Scene::stable();
    let (id, generation) = (joined.member_id.as_str(), joined.generation);
    assert_eq!(scene.group.check_commit(id, None, generation, scene.now), Ok(()));
    assert_eq!(
        scene.group.check_commit(id, None, generation - 1, scene.now),
        Err(ResponseError::IllegalGeneration)
    );
    assert_eq!(scene.group.check_commit("", None, -1, scene.now), Err(ResponseError::UnknownMemberId));
    drop(scene.join(""));
    assert!(matches!(scene.group.state, State::Preparing { .. }));
    assert_eq!(
        scene.group.check_commit(id, None, generation, scene.now),
        Ok(()),
        "commits before rejoining count"
    );
}

#[test]
fn a_lost_join_answer_is_given_again() {
    let mut scene = Scene::new();
    let mut answer = scene.join("");
    scene.pass(DELAY);
    let first = take(&mut answer);
    let again = take(&mut scene.join(&first.member_id));
    assert_eq!(again, first);
}
