//! JoinGroup, SyncGroup, Heartbeat, LeaveGroup.

use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::{
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    LeaveGroupResponse, SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::OK;
use crate::connection::Connection;
use crate::groups::{JoinInput, JoinReply, Leaving, SyncInput, SyncReply};
use crate::limits::{
    MAX_MEMBER_METADATA_BYTES, MAX_MEMBER_PROTOCOLS, MAX_REBALANCE_TIMEOUT, MAX_SESSION_TIMEOUT,
    MIN_SESSION_TIMEOUT,
};
use crate::wire::{Request, text};

/// First JoinGroup version in which a new member first asks for its id.
const MEMBER_ID_VERSION: i16 = 4;
/// First JoinGroup version with a rebalance timeout of its own.
const REBALANCE_TIMEOUT_VERSION: i16 = 1;
/// First JoinGroup version in which a leader can be told to keep the assignment.
const SKIP_ASSIGNMENT_VERSION: i16 = 9;
/// First JoinGroup version in which the protocol may be absent.
const NULL_PROTOCOL_VERSION: i16 = 7;
/// First JoinGroup and LeaveGroup version with static members, respectively several members.
const LEAVE_MANY_VERSION: i16 = 3;
/// Longest group, member, instance and client id (bytes).
const MAX_ID_BYTES: usize = 1024;

/// Text of the protocol as a Rust string.
pub(super) fn owned(s: &StrBytes) -> String {
    s.as_str().to_owned()
}

/// Joins a group; answers at the end of the rebalance.
pub(super) async fn join(c: &Connection, r: &Request, request: JoinGroupRequest) -> JoinGroupResponse {
    let group_id = owned(&request.group_id.0);
    let own_id = owned(&request.member_id);
    let reply = match join_input(c, r, request) {
        Err(e) => Err((e, own_id)),
        Ok(input) => {
            let reply = c.broker.groups.join(&group_id, input);
            tokio::select! {
                reply = reply => reply.unwrap_or(Err((ResponseError::UnknownMemberId, own_id))),
                () = c.leaving.cancelled() => Err((ResponseError::CoordinatorNotAvailable, own_id)),
            }
        }
    };
    if let Ok(joined) = &reply {
        c.note_member(&group_id, &joined.member_id);
    } else if let Err((ResponseError::MemberIdRequired, id)) = &reply {
        c.note_member(&group_id, id);
    }
    join_answer(r.version, reply)
}

/// Checks a JoinGroup request.
fn join_input(c: &Connection, r: &Request, request: JoinGroupRequest) -> Result<JoinInput, ResponseError> {
    if request.group_id.is_empty() {
        return Err(ResponseError::InvalidGroupId);
    }
    let ids = [Some(&request.group_id.0), Some(&request.member_id), request.group_instance_id.as_ref()];
    let metadata: usize = request.protocols.iter().map(|p| p.metadata.len() + p.name.len()).sum();
    if ids.into_iter().flatten().any(|id| id.len() > MAX_ID_BYTES)
        || r.client_id.len() > MAX_ID_BYTES
        || request.protocols.len() > MAX_MEMBER_PROTOCOLS
        || metadata > MAX_MEMBER_METADATA_BYTES
    {
        return Err(ResponseError::InvalidRequest);
    }
    let ms = |ms: i32| Duration::from_millis(u64::try_from(ms).unwrap_or(0));
    let session_timeout = ms(request.session_timeout_ms);
    if !(MIN_SESSION_TIMEOUT..=MAX_SESSION_TIMEOUT).contains(&session_timeout) {
        return Err(ResponseError::InvalidSessionTimeout);
    }
    let own = r.version >= REBALANCE_TIMEOUT_VERSION && request.rebalance_timeout_ms > 0;
    let rebalance_timeout = if own { ms(request.rebalance_timeout_ms) } else { session_timeout };
    // Copied: the subscription outlives the frame it came in.
    let copy = |b: &bytes::Bytes| bytes::Bytes::copy_from_slice(b);
    Ok(JoinInput {
        member_id: owned(&request.member_id),
        instance_id: request.group_instance_id.as_ref().map(owned),
        client_id: r.client_id.clone(),
        client_host: c.peer.ip().to_canonical().to_string(),
        session_timeout,
        rebalance_timeout: rebalance_timeout.min(MAX_REBALANCE_TIMEOUT),
        protocol_type: owned(&request.protocol_type),
        protocols: request.protocols.iter().map(|p| (owned(&p.name), copy(&p.metadata))).collect(),
        needs_member_id: r.version >= MEMBER_ID_VERSION,
        may_skip_assignment: r.version >= SKIP_ASSIGNMENT_VERSION,
    })
}

/// Builds the answer to JoinGroup.
fn join_answer(version: i16, reply: JoinReply) -> JoinGroupResponse {
    match reply {
        Err((error, member_id)) => JoinGroupResponse::default()
            .with_error_code(error.code())
            .with_generation_id(-1)
            .with_protocol_name((version < NULL_PROTOCOL_VERSION).then(StrBytes::default))
            .with_member_id(text(member_id)),
        Ok(joined) => {
            let member = |(id, instance_id, metadata): (String, Option<String>, bytes::Bytes)| {
                JoinGroupResponseMember::default()
                    .with_member_id(text(id))
                    .with_group_instance_id(instance_id.map(text))
                    .with_metadata(metadata)
            };
            let answer = JoinGroupResponse::default()
                .with_error_code(OK)
                .with_generation_id(joined.generation)
                .with_protocol_name(Some(text(joined.protocol)))
                .with_leader(text(joined.leader))
                .with_skip_assignment(joined.skip_assignment)
                .with_member_id(text(joined.member_id))
                .with_members(joined.members.into_iter().map(member).collect());
            if version >= NULL_PROTOCOL_VERSION {
                answer.with_protocol_type(Some(text(joined.protocol_type)))
            } else {
                answer
            }
        }
    }
}

/// Waits for the leader's assignment, or brings it.
pub(super) async fn sync(c: &Connection, request: SyncGroupRequest) -> SyncGroupResponse {
    let group_id = owned(&request.group_id.0);
    let copy = |b: &bytes::Bytes| bytes::Bytes::copy_from_slice(b);
    let input = SyncInput {
        member_id: owned(&request.member_id),
        instance_id: request.group_instance_id.as_ref().map(owned),
        generation: request.generation_id,
        protocol_type: request.protocol_type.as_ref().map(owned),
        protocol: request.protocol_name.as_ref().map(owned),
        assignments: request.assignments.iter().map(|a| (owned(&a.member_id), copy(&a.assignment))).collect(),
    };
    c.note_member(&group_id, &input.member_id);
    let reply = c.broker.groups.sync(&group_id, input);
    let reply: SyncReply = tokio::select! {
        reply = reply => reply.unwrap_or(Err(ResponseError::UnknownMemberId)),
        () = c.leaving.cancelled() => Err(ResponseError::CoordinatorNotAvailable),
    };
    match reply {
        Ok(synced) => SyncGroupResponse::default()
            .with_error_code(OK)
            .with_protocol_type(Some(text(synced.protocol_type)))
            .with_protocol_name(Some(text(synced.protocol)))
            .with_assignment(synced.assignment),
        Err(e) => SyncGroupResponse::default().with_error_code(e.code()),
    }
}

/// Code of an outcome.
fn code(outcome: Result<(), ResponseError>) -> i16 {
    outcome.map_or_else(|e| e.code(), |()| OK)
}

/// Keeps a member alive.
pub(super) fn heartbeat(c: &Connection, request: HeartbeatRequest) -> HeartbeatResponse {
    c.note_member(&request.group_id, &request.member_id);
    let instance = request.group_instance_id.as_deref();
    let outcome =
        c.broker.groups.heartbeat(&request.group_id, &request.member_id, instance, request.generation_id);
    HeartbeatResponse::default().with_error_code(code(outcome))
}

/// Members leave a group.
pub(super) fn leave(c: &Connection, version: i16, request: LeaveGroupRequest) -> LeaveGroupResponse {
    if version < LEAVE_MANY_VERSION {
        let leaving = Leaving { member_id: owned(&request.member_id), instance_id: None };
        let outcome = c.broker.groups.leave(&request.group_id, &[leaving]).pop().unwrap_or(Ok(()));
        return LeaveGroupResponse::default().with_error_code(code(outcome));
    }
    let leaving: Vec<Leaving> = request
        .members
        .iter()
        .map(|m| Leaving {
            member_id: owned(&m.member_id),
            instance_id: m.group_instance_id.as_ref().map(owned),
        })
        .collect();
    let outcomes = c.broker.groups.leave(&request.group_id, &leaving);
    let member = |(l, outcome): (Leaving, Result<(), ResponseError>)| {
        MemberResponse::default()
            .with_member_id(text(l.member_id))
            .with_group_instance_id(l.instance_id.map(text))
            .with_error_code(code(outcome))
    };
    LeaveGroupResponse::default().with_members(leaving.into_iter().zip(outcomes).map(member).collect())
}
