//! DescribeGroups, ListGroups, DeleteGroups.

use std::collections::BTreeMap;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse, GroupId,
    ListGroupsRequest, ListGroupsResponse,
};

use super::OK;
use crate::connection::Connection;
use crate::groups::GroupView;
use crate::wire::text;

/// First DescribeGroups version in which an unknown group is an error.
const NOT_FOUND_VERSION: i16 = 6;
/// The only type of group.
const CLASSIC: &str = "classic";
/// Protocol type of groups which commit offsets.
const CONSUMER: &str = "consumer";
/// State of a group which has committed offsets and no members.
const EMPTY: &str = "Empty";
/// State of an unknown group.
const DEAD: &str = "Dead";

/// Members and state of groups.
pub(super) fn describe(
    c: &Connection,
    version: i16,
    request: DescribeGroupsRequest,
) -> DescribeGroupsResponse {
    let groups = request.groups.into_iter().map(|id| describe_one(c, version, id)).collect();
    DescribeGroupsResponse::default().with_groups(groups)
}

/// One group.
fn describe_one(c: &Connection, version: i16, id: GroupId) -> DescribedGroup {
    let view = c.broker.groups.view(&id);
    let stored = c.broker.offsets.has_group(&id);
    let answer = DescribedGroup::default().with_group_id(id.clone());
    let Some(view) = view else {
        let (state, protocol_type) = if stored { (EMPTY, CONSUMER) } else { (DEAD, "") };
        let answer = answer.with_group_state(text(state)).with_protocol_type(text(protocol_type));
        return if stored || version < NOT_FOUND_VERSION {
            answer
        } else {
            let message = format!("group {:?} does not exist", id.as_str());
            answer
                .with_error_code(ResponseError::GroupIdNotFound.code())
                .with_error_message(Some(text(message)))
        };
    };
    let GroupView { state, protocol_type, protocol, members } = view;
    let mut described = Vec::with_capacity(members.len());
    for m in members {
        let member = DescribedGroupMember::default()
            .with_member_id(text(m.id))
            .with_client_id(text(m.client_id))
            .with_client_host(text(format!("/{}", m.client_host)))
            .with_member_metadata(m.subscription)
            .with_member_assignment(m.assignment);
        /// First version which tells static members.
        const INSTANCE_VERSION: i16 = 4;
        described.push(if version >= INSTANCE_VERSION {
            member.with_group_instance_id(m.instance_id.map(text))
        } else {
            member
        });
    }
    answer
        .with_group_state(text(state))
        .with_protocol_type(text(protocol_type))
        .with_protocol_data(text(protocol))
        .with_members(described)
}

/// All groups, with or without members.
pub(super) fn list(c: &Connection, request: ListGroupsRequest) -> ListGroupsResponse {
    let mut groups: BTreeMap<String, (String, &'static str)> = BTreeMap::new();
    for id in c.broker.offsets.groups() {
        groups.insert(id, (CONSUMER.to_owned(), EMPTY));
    }
    for (id, view) in c.broker.groups.views() {
        groups.insert(id, (view.protocol_type, view.state));
    }
    let any_type = request.types_filter.is_empty();
    let wanted_type = any_type || request.types_filter.iter().any(|t| t.eq_ignore_ascii_case(CLASSIC));
    let wanted = |state: &str| {
        let states = &request.states_filter;
        wanted_type && (states.is_empty() || states.iter().any(|s| s.eq_ignore_ascii_case(state)))
    };
    let listed = |(id, (protocol_type, state)): (String, (String, &'static str))| {
        ListedGroup::default()
            .with_group_id(text(id).into())
            .with_protocol_type(text(protocol_type))
            .with_group_state(text(state))
            .with_group_type(text(CLASSIC))
    };
    let groups = groups.into_iter().filter(|(_, (_, state))| wanted(state)).map(listed).collect();
    ListGroupsResponse::default().with_groups(groups)
}

/// Removes groups without members, with their committed offsets.
pub(super) async fn delete(c: &Connection, request: DeleteGroupsRequest) -> DeleteGroupsResponse {
    let mut results = Vec::with_capacity(request.groups_names.len());
    for id in request.groups_names {
        let code = if c.broker.groups.has_members(&id) {
            ResponseError::NonEmptyGroup.code()
        } else if !c.broker.offsets.has_group(&id) && c.broker.groups.view(&id).is_none() {
            ResponseError::GroupIdNotFound.code()
        } else {
            let removed = c.broker.offsets.remove_group(&id).await;
            removed.map_or(ResponseError::CoordinatorNotAvailable.code(), |()| OK)
        };
        results.push(DeletableGroupResult::default().with_group_id(id).with_error_code(code));
    }
    DeleteGroupsResponse::default().with_results(results)
}
