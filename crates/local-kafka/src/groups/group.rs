//! One consumer group: who is in it, and what each request means in its present state.
//!
//! States: *Empty* (no members), *Preparing* (members are asked to rejoin), *Completing* (all joined, the leader's
//! assignment is awaited), *Stable*. No clock and no I/O in here: the caller passes the time and calls
//! [`Group::tick`] when [`Group::next_deadline`] is reached.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::ResponseError;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::member::{JoinReply, Joined, Member, SyncReply, Synced};
use crate::limits::{DISCONNECT_GRACE, MAX_GROUP_MEMBERS};

/// What a group is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// No members.
    Empty,
    /// Members are rejoining.
    Preparing {
        /// The rebalance ends then without those who did not rejoin.
        until: Instant,
        /// First members of an empty group: wait the whole time for further ones.
        initial: bool,
    },
    /// All joined; the leader's assignment is awaited.
    Completing {
        /// Members which did not sync by then are removed.
        until: Instant,
    },
    /// Every member has its assignment.
    Stable,
}

impl State {
    /// Kafka's name of the state.
    fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Preparing { .. } => "PreparingRebalance",
            Self::Completing { .. } => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// A checked JoinGroup request.
#[derive(Debug)]
pub(crate) struct JoinInput {
    /// Id from an earlier answer, or empty.
    pub(crate) member_id: String,
    /// Id of a static member.
    pub(crate) instance_id: Option<String>,
    /// Name the client gave itself.
    pub(crate) client_id: String,
    /// Address of the client.
    pub(crate) client_host: String,
    /// Silence after which the member is taken for dead.
    pub(crate) session_timeout: Duration,
    /// Time the member needs to rejoin.
    pub(crate) rebalance_timeout: Duration,
    /// For consumers: `consumer`.
    pub(crate) protocol_type: String,
    /// Offered protocols with subscriptions, preferred first.
    pub(crate) protocols: Vec<(String, Bytes)>,
    /// The client first asks for a member id, then joins with it (version 4 and newer).
    pub(crate) needs_member_id: bool,
    /// The client understands "skip the assignment" (version 9 and newer).
    pub(crate) may_skip_assignment: bool,
}

/// A SyncGroup request.
#[derive(Debug)]
pub(crate) struct SyncInput {
    /// The member.
    pub(crate) member_id: String,
    /// Id of a static member.
    pub(crate) instance_id: Option<String>,
    /// Generation it joined.
    pub(crate) generation: i32,
    /// Protocol type it joined with, if told.
    pub(crate) protocol_type: Option<String>,
    /// Protocol it got, if told.
    pub(crate) protocol: Option<String>,
    /// From the leader: assignments by member id.
    pub(crate) assignments: Vec<(String, Bytes)>,
}

/// A member named by LeaveGroup.
#[derive(Debug, Clone)]
pub(crate) struct Leaving {
    /// Member id; may be empty for a static member.
    pub(crate) member_id: String,
    /// Id of a static member.
    pub(crate) instance_id: Option<String>,
}

/// A group as DescribeGroups shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupView {
    /// Name of the state.
    pub(crate) state: &'static str,
    /// Protocol type, empty if none.
    pub(crate) protocol_type: String,
    /// Protocol of a stable group.
    pub(crate) protocol: String,
    /// Members.
    pub(crate) members: Vec<MemberView>,
}

/// A member as DescribeGroups shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MemberView {
    /// Member id.
    pub(crate) id: String,
    /// Id of a static member.
    pub(crate) instance_id: Option<String>,
    /// Name of the client.
    pub(crate) client_id: String,
    /// Address of the client.
    pub(crate) client_host: String,
    /// Subscription.
    pub(crate) subscription: Bytes,
    /// Assignment.
    pub(crate) assignment: Bytes,
}

/// One consumer group.
#[derive(Debug)]
pub(super) struct Group {
    /// What it is doing.
    pub(super) state: State,
    /// Counts rebalances.
    pub(super) generation: i32,
    /// Protocol type of its members.
    pub(super) protocol_type: String,
    /// Protocol of the present generation.
    pub(super) protocol: String,
    /// Member id of the leader.
    pub(super) leader: String,
    /// Members by id.
    pub(super) members: BTreeMap<String, Member>,
    /// Member ids of static members by instance id.
    instances: HashMap<String, String>,
    /// Ids handed out to members which have not joined yet, with the end of their session.
    pub(super) promised: HashMap<String, Instant>,
    /// Source of [`Member::joined`].
    joins: u64,
    /// Time in which the first members gather.
    pub(super) initial_delay: Duration,
}

impl Group {
    /// An empty group.
    pub(super) fn new(initial_delay: Duration) -> Self {
        Self {
            state: State::Empty,
            generation: 0,
            protocol_type: String::new(),
            protocol: String::new(),
            leader: String::new(),
            members: BTreeMap::new(),
            instances: HashMap::new(),
            promised: HashMap::new(),
            joins: 0,
            initial_delay,
        }
    }

    /// JoinGroup. The answer may come at once or at the end of the rebalance.
    pub(super) fn join(&mut self, input: JoinInput, now: Instant, reply: oneshot::Sender<JoinReply>) {
        if let Err(refusal) = self.try_join(input, now, reply) {
            let (error, member_id, reply) = *refusal;
            let _ = reply.send(Err((error, member_id)));
        }
    }

    /// Routes a join to the case it is; gives the reply back with an error if it is refused.
    fn try_join(&mut self, input: JoinInput, now: Instant, reply: oneshot::Sender<JoinReply>) -> Result<(), Refusal> {
        let refuse = |error, id: String, reply| Err(Box::new((error, id, reply)));
        if !self.compatible(&input) {
            return refuse(ResponseError::InconsistentGroupProtocol, input.member_id, reply);
        }
        let known = input.instance_id.as_ref().and_then(|i| self.instances.get(i)).cloned();
        if input.member_id.is_empty() {
            if let Some(old_id) = known {
                self.replace_static(&old_id, input, now, reply);
                return Ok(());
            }
            if self.members.len() + self.promised.len() >= MAX_GROUP_MEMBERS {
                return refuse(ResponseError::GroupMaxSizeReached, String::new(), reply);
            }
            let prefix = input.instance_id.as_deref().unwrap_or(&input.client_id);
            let id = format!("{prefix}-{}", Uuid::new_v4());
            if input.instance_id.is_none() && input.needs_member_id {
                self.promised.insert(id.clone(), now + input.session_timeout);
                return refuse(ResponseError::MemberIdRequired, id, reply);
            }
            self.add_member(id, input, now, reply);
            return Ok(());
        }
        if input.instance_id.is_some() && known.as_ref() != Some(&input.member_id) {
            let error = if known.is_some() { ResponseError::FencedInstanceId } else { ResponseError::UnknownMemberId };
            return refuse(error, input.member_id, reply);
        }
        if self.members.contains_key(&input.member_id) {
            self.rejoin(input, now, reply);
        } else if self.promised.remove(&input.member_id).is_some() {
            self.add_member(input.member_id.clone(), input, now, reply);
        } else {
            return refuse(ResponseError::UnknownMemberId, input.member_id, reply);
        }
        Ok(())
    }

    /// Whether a member with these protocols could work with the present members.
    fn compatible(&self, input: &JoinInput) -> bool {
        if input.protocols.is_empty() || input.protocol_type.is_empty() {
            return false;
        }
        let mut others = self.members.values().filter(|m| m.id != input.member_id).peekable();
        if others.peek().is_none() {
            return true;
        }
        let others: Vec<&Member> = others.collect();
        input.protocol_type == self.protocol_type
            && input.protocols.iter().any(|(name, _)| others.iter().all(|m| m.offers(name)))
    }

    /// Adds a member and lets it wait for the rebalance this causes.
    fn add_member(&mut self, id: String, input: JoinInput, now: Instant, reply: oneshot::Sender<JoinReply>) {
        self.joins += 1;
        self.protocol_type = input.protocol_type;
        if let Some(instance) = &input.instance_id {
            self.instances.insert(instance.clone(), id.clone());
        }
        let member = Member {
            id: id.clone(),
            instance_id: input.instance_id,
            client_id: input.client_id,
            client_host: input.client_host,
            session_timeout: input.session_timeout,
            rebalance_timeout: input.rebalance_timeout,
            protocols: input.protocols,
            assignment: Bytes::new(),
            session_end: now + input.session_timeout,
            joined: self.joins,
            joining: Some(reply),
            syncing: None,
        };
        self.members.insert(id, member);
        self.prepare_rebalance(now);
    }

    /// A present member joins again.
    fn rejoin(&mut self, input: JoinInput, now: Instant, reply: oneshot::Sender<JoinReply>) {
        let is_leader = self.leader == input.member_id;
        let Some(member) = self.members.get_mut(&input.member_id) else { return };
        let unchanged = member.protocols == input.protocols;
        member.protocols = input.protocols;
        member.session_timeout = input.session_timeout;
        member.rebalance_timeout = input.rebalance_timeout;
        member.touch(now);
        self.protocol_type = input.protocol_type;
        let repeated = unchanged
            && match self.state {
                State::Completing { .. } => true,
                State::Stable => !is_leader,
                State::Empty | State::Preparing { .. } => false,
            };
        if repeated {
            // The answer of the present generation was lost, or nothing changed.
            let joined = self.joined(&input.member_id);
            let _ = reply.send(Ok(joined));
            return;
        }
        if let Some(member) = self.members.get_mut(&input.member_id) {
            member.dismiss(ResponseError::RebalanceInProgress);
            member.joining = Some(reply);
        }
        self.prepare_rebalance(now);
    }

    /// A static member came back with a new process: it takes over the place of the old one.
    fn replace_static(&mut self, old_id: &str, input: JoinInput, now: Instant, reply: oneshot::Sender<JoinReply>) {
        let Some(mut member) = self.members.remove(old_id) else { return };
        member.dismiss(ResponseError::FencedInstanceId);
        let instance = input.instance_id.clone().unwrap_or_default();
        let new_id = format!("{instance}-{}", Uuid::new_v4());
        let same_subscription = self.protocol == choose(&input.protocols, &self.protocol)
            && input.protocols.iter().any(|(n, m)| *n == self.protocol && *m == member.subscription(&self.protocol));
        let was_leader = self.leader == old_id;
        member.id.clone_from(&new_id);
        member.client_id = input.client_id;
        member.client_host = input.client_host;
        member.session_timeout = input.session_timeout;
        member.rebalance_timeout = input.rebalance_timeout;
        member.protocols = input.protocols;
        member.touch(now);
        self.instances.insert(instance, new_id.clone());
        if was_leader {
            self.leader.clone_from(&new_id);
        }
        let keep = self.state == State::Stable && same_subscription;
        if !keep {
            member.joining = Some(reply);
            self.members.insert(new_id, member);
            self.prepare_rebalance(now);
            return;
        }
        self.members.insert(new_id.clone(), member);
        let mut joined = self.joined(&new_id);
        if was_leader {
            // The assignment stays. Clients which cannot be told so are told that another member leads.
            joined.skip_assignment = input.may_skip_assignment;
            if !input.may_skip_assignment {
                joined.leader = old_id.to_owned();
                joined.members.clear();
            }
        }
        let _ = reply.send(Ok(joined));
    }

    /// The answer to a member of the present generation.
    pub(super) fn joined(&self, id: &str) -> Joined {
        let entry = |m: &Member| (m.id.clone(), m.instance_id.clone(), m.subscription(&self.protocol));
        let members = if self.leader == id { self.members.values().map(entry).collect() } else { Vec::new() };
        Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            member_id: id.to_owned(),
            members,
            skip_assignment: false,
        }
    }

    /// Finds the member a request speaks of, checking the static id.
    fn identify(&self, member_id: &str, instance_id: Option<&str>) -> Result<String, ResponseError> {
        if let Some(instance) = instance_id {
            let current = self.instances.get(instance).ok_or(ResponseError::UnknownMemberId)?;
            if !member_id.is_empty() && current != member_id {
                return Err(ResponseError::FencedInstanceId);
            }
            return Ok(current.clone());
        }
        if self.members.contains_key(member_id) { Ok(member_id.to_owned()) } else { Err(ResponseError::UnknownMemberId) }
    }

    /// SyncGroup. The answer may come at once or with the leader's assignment.
    pub(super) fn sync(&mut self, input: SyncInput, now: Instant, reply: oneshot::Sender<SyncReply>) {
        if let Err(error) = self.check_sync(&input) {
            let _ = reply.send(Err(error));
            return;
        }
        let is_leader = self.leader == input.member_id;
        let Some(member) = self.members.get_mut(&input.member_id) else { return };
        member.touch(now);
        if self.state == State::Stable {
            let synced = Synced {
                protocol_type: self.protocol_type.clone(),
                protocol: self.protocol.clone(),
                assignment: member.assignment.clone(),
            };
            let _ = reply.send(Ok(synced));
            return;
        }
        member.syncing = Some(reply);
        if is_leader {
            self.assign(input.assignments, now);
        }
    }

    /// Whether a SyncGroup may be served.
    fn check_sync(&self, input: &SyncInput) -> Result<(), ResponseError> {
        self.identify(&input.member_id, input.instance_id.as_deref())?;
        if !self.members.contains_key(&input.member_id) {
            return Err(ResponseError::UnknownMemberId);
        }
        if input.generation != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        let differs = |told: &Option<String>, ours: &String| told.as_ref().is_some_and(|t| t != ours);
        if differs(&input.protocol_type, &self.protocol_type) || differs(&input.protocol, &self.protocol) {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        match self.state {
            State::Completing { .. } | State::Stable => Ok(()),
            State::Preparing { .. } => Err(ResponseError::RebalanceInProgress),
            State::Empty => Err(ResponseError::UnknownMemberId),
        }
    }

    /// Heartbeat.
    pub(super) fn heartbeat(
        &mut self,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
        now: Instant,
    ) -> Result<(), ResponseError> {
        let id = self.identify(member_id, instance_id)?;
        if generation != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        if let Some(member) = self.members.get_mut(&id) {
            member.touch(now);
        }
        match self.state {
            State::Preparing { .. } => Err(ResponseError::RebalanceInProgress),
            State::Empty | State::Completing { .. } | State::Stable => Ok(()),
        }
    }

    /// LeaveGroup of one member.
    pub(super) fn leave(&mut self, leaving: &Leaving, now: Instant) -> Result<(), ResponseError> {
        if self.promised.remove(&leaving.member_id).is_some() {
            self.complete_if_ready(now);
            return Ok(());
        }
        let id = self.identify(&leaving.member_id, leaving.instance_id.as_deref())?;
        self.remove_member(&id, ResponseError::UnknownMemberId, now);
        Ok(())
    }

    /// Whether an offset commit is allowed. Without member and generation it is, if nobody is in the group.
    pub(super) fn check_commit(
        &mut self,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
        now: Instant,
    ) -> Result<(), ResponseError> {
        if self.members.is_empty() {
            return if generation < 0 { Ok(()) } else { Err(ResponseError::IllegalGeneration) };
        }
        let id = self.identify(member_id, instance_id)?;
        if generation != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        if matches!(self.state, State::Completing { .. }) {
            return Err(ResponseError::RebalanceInProgress);
        }
        if let Some(member) = self.members.get_mut(&id) {
            member.touch(now);
        }
        Ok(())
    }

    /// The connection of a member broke: unless it is static or comes back soon, it is taken for dead.
    pub(super) fn disconnected(&mut self, member_id: &str, now: Instant) {
        if self.promised.remove(member_id).is_some() {
            self.complete_if_ready(now);
        }
        let Some(member) = self.members.get_mut(member_id) else { return };
        // The answers these requests wait for could not be delivered any more.
        member.joining.take_if(|j| j.is_closed());
        member.syncing.take_if(|s| s.is_closed());
        if member.instance_id.is_none() {
            member.session_end = member.session_end.min(now + DISCONNECT_GRACE);
        }
    }

    /// Removes a member and lets the others rebalance.
    pub(super) fn remove_member(&mut self, id: &str, error: ResponseError, now: Instant) {
        let Some(mut member) = self.members.remove(id) else { return };
        member.dismiss(error);
        if let Some(instance) = &member.instance_id {
            self.instances.remove(instance);
        }
        match self.state {
            State::Preparing { .. } => self.complete_if_ready(now),
            State::Empty => {}
            State::Completing { .. } | State::Stable => self.prepare_rebalance(now),
        }
    }

    /// The group as DescribeGroups shows it.
    pub(super) fn view(&self) -> GroupView {
        let stable = self.state == State::Stable;
        let protocol = if stable { self.protocol.clone() } else { String::new() };
        let member = |m: &Member| MemberView {
            id: m.id.clone(),
            instance_id: m.instance_id.clone(),
            client_id: m.client_id.clone(),
            client_host: m.client_host.clone(),
            subscription: if stable { m.subscription(&self.protocol) } else { Bytes::new() },
            assignment: if stable { m.assignment.clone() } else { Bytes::new() },
        };
        GroupView {
            state: self.state.name(),
            protocol_type: self.protocol_type.clone(),
            protocol,
            members: self.members.values().map(member).collect(),
        }
    }
}

/// A refused join: the error, the member id to tell, and where to tell it.
type Refusal = Box<(ResponseError, String, oneshot::Sender<JoinReply>)>;

/// `current` if it is among the offered protocols, otherwise the first of them.
fn choose(protocols: &[(String, Bytes)], current: &str) -> String {
    let found = protocols.iter().find(|(name, _)| name == current).or(protocols.first());
    found.map(|(name, _)| name.clone()).unwrap_or_default()
}
