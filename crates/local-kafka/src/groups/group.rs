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

use super::member::{Member, SyncReply, Synced};
use super::requests::{GroupView, Leaving, MemberView, SyncInput};
use crate::limits::DISCONNECT_GRACE;

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
    pub(super) instances: HashMap<String, String>,
    /// Ids handed out to members which have not joined yet, with the end of their session.
    pub(super) promised: HashMap<String, Instant>,
    /// Source of [`Member::joined`].
    pub(super) joins: u64,
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

    /// Finds the member a request speaks of, checking the static id.
    fn identify(&self, member_id: &str, instance_id: Option<&str>) -> Result<String, ResponseError> {
        if let Some(instance) = instance_id {
            let current = self.instances.get(instance).ok_or(ResponseError::UnknownMemberId)?;
            if !member_id.is_empty() && current != member_id {
                return Err(ResponseError::FencedInstanceId);
            }
            return Ok(current.clone());
        }
        if self.members.contains_key(member_id) {
            Ok(member_id.to_owned())
        } else {
            Err(ResponseError::UnknownMemberId)
        }
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
