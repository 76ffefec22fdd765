//! A member of a consumer group, and the answers it waits for.

use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::ResponseError;
use tokio::sync::oneshot;

/// A successful JoinGroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Joined {
    /// Generation joined.
    pub(crate) generation: i32,
    /// Protocol type of the group.
    pub(crate) protocol_type: String,
    /// Protocol chosen for the generation.
    pub(crate) protocol: String,
    /// Member id of the leader.
    pub(crate) leader: String,
    /// The member's own id.
    pub(crate) member_id: String,
    /// For the leader: id, instance id and subscription of every member.
    pub(crate) members: Vec<(String, Option<String>, Bytes)>,
    /// The leader need not assign partitions: the present assignment stays.
    pub(crate) skip_assignment: bool,
}

/// Answer to JoinGroup; an error may come with the member id to use.
pub(crate) type JoinReply = Result<Joined, (ResponseError, String)>;

/// A successful SyncGroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Synced {
    /// Protocol type of the group.
    pub(crate) protocol_type: String,
    /// Protocol of the generation.
    pub(crate) protocol: String,
    /// The member's assignment.
    pub(crate) assignment: Bytes,
}

/// Answer to SyncGroup.
pub(crate) type SyncReply = Result<Synced, ResponseError>;

/// A member of a group.
#[derive(Debug)]
pub(super) struct Member {
    /// Its id, made up by the coordinator.
    pub(super) id: String,
    /// Id of a static member.
    pub(super) instance_id: Option<String>,
    /// Name its client gave itself.
    pub(super) client_id: String,
    /// Address of its client.
    pub(super) client_host: String,
    /// Silence after which it is taken for dead.
    pub(super) session_timeout: Duration,
    /// Time it needs to rejoin.
    pub(super) rebalance_timeout: Duration,
    /// Protocols it offers, preferred first, with its subscription for each.
    pub(super) protocols: Vec<(String, Bytes)>,
    /// What the leader assigned to it in the present generation.
    pub(super) assignment: Bytes,
    /// When its session ends.
    pub(super) session_end: Instant,
    /// Order of joining; the earliest becomes leader.
    pub(super) joined: u64,
    /// A JoinGroup which waits for the rebalance.
    pub(super) joining: Option<oneshot::Sender<JoinReply>>,
    /// A SyncGroup which waits for the leader.
    pub(super) syncing: Option<oneshot::Sender<SyncReply>>,
}

impl Member {
    /// Its subscription for `protocol`.
    pub(super) fn subscription(&self, protocol: &str) -> Bytes {
        self.protocols.iter().find(|(name, _)| name == protocol).map(|(_, m)| m.clone()).unwrap_or_default()
    }

    /// Whether it offers `protocol`.
    pub(super) fn offers(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|(name, _)| name == protocol)
    }

    /// Starts its session anew.
    pub(super) fn touch(&mut self, now: Instant) {
        self.session_end = now + self.session_timeout;
    }

    /// Whether it waits for an answer, which keeps it alive.
    pub(super) fn is_waiting(&self) -> bool {
        self.joining.is_some() || self.syncing.is_some()
    }

    /// Answers waiting requests with an error.
    pub(super) fn dismiss(&mut self, error: ResponseError) {
        if let Some(joining) = self.joining.take() {
            // A requester which is gone no longer wants the answer.
            let _ = joining.send(Err((error, self.id.clone())));
        }
        if let Some(syncing) = self.syncing.take() {
            let _ = syncing.send(Err(error));
        }
    }
}
