//! What requests say to a group, and how a group is shown.

use std::time::Duration;

use bytes::Bytes;

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
