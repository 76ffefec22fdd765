//! The rebalance of a group: from "please rejoin" to the assignment, and everything that happens by time.

use std::collections::HashMap;
use std::time::Instant;

use bytes::Bytes;
use kafka_protocol::ResponseError;

use super::group::{Group, State};
use super::member::{Member, Synced};

impl Group {
    /// Asks all members to rejoin, and completes at once if all have.
    pub(super) fn prepare_rebalance(&mut self, now: Instant) {
        match self.state {
            State::Preparing { .. } => {}
            State::Empty => {
                self.state = State::Preparing { until: now + self.initial_delay, initial: true };
            }
            State::Completing { .. } | State::Stable => {
                for member in self.members.values_mut() {
                    if let Some(syncing) = member.syncing.take() {
                        let _ = syncing.send(Err(ResponseError::RebalanceInProgress));
                    }
                }
                self.state = State::Preparing { until: now + self.rebalance_timeout(), initial: false };
            }
        }
        self.complete_if_ready(now);
    }

    /// The longest time a member asks for.
    fn rebalance_timeout(&self) -> std::time::Duration {
        self.members.values().map(|m| m.rebalance_timeout).max().unwrap_or_default()
    }

    /// Ends the joining phase if nobody is missing. The first members of a group always wait their time.
    pub(super) fn complete_if_ready(&mut self, now: Instant) {
        let State::Preparing { until, initial } = self.state else { return };
        let all_joined = self.promised.is_empty() && self.members.values().all(|m| m.joining.is_some());
        if self.members.is_empty() && self.promised.is_empty() {
            self.become_empty();
        } else if now >= until || (all_joined && !initial) {
            self.complete_join(now);
        }
    }

    /// Nobody is left.
    fn become_empty(&mut self) {
        self.state = State::Empty;
        self.generation += 1;
        self.protocol.clear();
        self.leader.clear();
    }

    /// Starts the next generation with the members which joined; static ones keep their place without joining.
    fn complete_join(&mut self, now: Instant) {
        let absent = |m: &&Member| m.joining.is_none() && m.instance_id.is_none();
        let gone: Vec<String> = self.members.values().filter(absent).map(|m| m.id.clone()).collect();
        for id in gone {
            self.members.remove(&id);
        }
        if self.members.is_empty() {
            self.become_empty();
            return;
        }
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        self.protocol = self.vote();
        let leader_joined = self.members.get(&self.leader).is_some_and(|m| m.joining.is_some());
        if !leader_joined {
            let joined = self.members.values().filter(|m| m.joining.is_some());
            let first = joined.min_by_key(|m| m.joined).or(self.members.values().min_by_key(|m| m.joined));
            self.leader = first.map(|m| m.id.clone()).unwrap_or_default();
        }
        self.state = State::Completing { until: now + self.rebalance_timeout() };
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let joined = self.joined(&id);
            let Some(member) = self.members.get_mut(&id) else { continue };
            member.touch(now);
            if let Some(joining) = member.joining.take() {
                let _ = joining.send(Ok(joined));
            }
        }
    }

    /// The protocol most members prefer among those all of them offer.
    fn vote(&self) -> String {
        let mut votes: HashMap<&str, usize> = HashMap::new();
        for member in self.members.values() {
            let common = |name: &str| self.members.values().all(|m| m.offers(name));
            if let Some((name, _)) = member.protocols.iter().find(|(name, _)| common(name)) {
                *votes.entry(name).or_default() += 1;
            }
        }
        let winner = votes.into_iter().max_by(|a, b| a.1.cmp(&b.1).then_with(|| b.0.cmp(a.0)));
        winner.map(|(name, _)| name.to_owned()).unwrap_or_default()
    }

    /// Takes the leader's assignment and answers every waiting member.
    pub(super) fn assign(&mut self, assignments: Vec<(String, Bytes)>, now: Instant) {
        let mut assignments: HashMap<String, Bytes> = assignments.into_iter().collect();
        self.state = State::Stable;
        for member in self.members.values_mut() {
            member.assignment = assignments.remove(&member.id).unwrap_or_default();
            member.touch(now);
            if let Some(syncing) = member.syncing.take() {
                let synced = Synced {
                    protocol_type: self.protocol_type.clone(),
                    protocol: self.protocol.clone(),
                    assignment: member.assignment.clone(),
                };
                let _ = syncing.send(Ok(synced));
            }
        }
    }

    /// When [`Group::tick`] has to be called next.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let phase = match self.state {
            State::Preparing { until, .. } | State::Completing { until } => Some(until),
            State::Empty | State::Stable => None,
        };
        let sessions = self.members.values().filter(|m| !m.is_waiting()).map(|m| m.session_end);
        sessions.chain(self.promised.values().copied()).chain(phase).min()
    }

    /// Does what is due at `now`: expired sessions, the end of a phase.
    pub(super) fn tick(&mut self, now: Instant) {
        self.promised.retain(|_, end| *end > now);
        let expired = |m: &&Member| !m.is_waiting() && m.session_end <= now;
        let dead: Vec<String> = self.members.values().filter(expired).map(|m| m.id.clone()).collect();
        for id in dead {
            self.remove_member(&id, ResponseError::UnknownMemberId, now);
        }
        if let State::Completing { until } = self.state
            && now >= until
        {
            let silent = |m: &&Member| m.syncing.is_none() && m.instance_id.is_none();
            let dead: Vec<String> = self.members.values().filter(silent).map(|m| m.id.clone()).collect();
            for id in dead {
                self.remove_member(&id, ResponseError::UnknownMemberId, now);
            }
            if matches!(self.state, State::Completing { .. }) {
                self.prepare_rebalance(now);
            }
        }
        self.complete_if_ready(now);
    }

    /// Whether nothing would be lost by forgetting the group.
    pub(super) fn is_idle(&self) -> bool {
        self.state == State::Empty && self.members.is_empty() && self.promised.is_empty()
    }
}
