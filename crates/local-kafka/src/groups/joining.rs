//! JoinGroup: new members, members which join again, and static members which come back with a new process.

use std::time::Instant;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::group::{Group, State};
use super::member::{JoinReply, Joined, Member};
use super::requests::JoinInput;
use crate::limits::MAX_GROUP_MEMBERS;

impl Group {
    /// JoinGroup. The answer may come at once or at the end of the rebalance.
    pub(super) fn join(&mut self, input: JoinInput, now: Instant, reply: oneshot::Sender<JoinReply>) {
        if let Err(refusal) = self.try_join(input, now, reply) {
            let (error, member_id, reply) = *refusal;
            let _ = reply.send(Err((error, member_id)));
        }
    }

    /// Routes a join to the case it is; gives the reply back with an error if it is refused.
    fn try_join(
        &mut self,
        input: JoinInput,
        now: Instant,
        reply: oneshot::Sender<JoinReply>,
    ) -> Result<(), Refusal> {
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
            let error = if known.is_some() {
                ResponseError::FencedInstanceId
            } else {
                ResponseError::UnknownMemberId
            };
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
    fn replace_static(
        &mut self,
        old_id: &str,
        input: JoinInput,
        now: Instant,
        reply: oneshot::Sender<JoinReply>,
    ) {
        let Some(mut member) = self.members.remove(old_id) else { return };
        member.dismiss(ResponseError::FencedInstanceId);
        let instance = input.instance_id.clone().unwrap_or_default();
        let new_id = format!("{instance}-{}", Uuid::new_v4());
        let same_subscription = self.protocol == choose(&input.protocols, &self.protocol)
            && input
                .protocols
                .iter()
                .any(|(n, m)| *n == self.protocol && *m == member.subscription(&self.protocol));
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
}

/// A refused join: the error, the member id to tell, and where to tell it.
type Refusal = Box<(ResponseError, String, oneshot::Sender<JoinReply>)>;

/// `current` if it is among the offered protocols, otherwise the first of them.
fn choose(protocols: &[(String, Bytes)], current: &str) -> String {
    let found = protocols.iter().find(|(name, _)| name == current).or(protocols.first());
    found.map(|(name, _)| name.clone()).unwrap_or_default()
}
