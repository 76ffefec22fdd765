//! Rules that give labels to ranges of keys. Schedulers heed them in PD; there are none here, so rules are checked, kept
//! and shown. They are in the metadata store where PD has them: `/pd/CLUSTER/region_label/ID`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::{Value, json};
use tikv_proto::etcdserverpb as etcd;

use crate::error::JournalFailed;
use crate::etcd::Changes;
use crate::node::{Done, Node};

/// Rules that can be kept.
const MAX_RULES: usize = 1024;

/// Why a rule was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RuleError {
    /// The rule is not as it must be.
    #[error("invalid region rule content, {0}")]
    Content(String),
    /// There are too many.
    #[error("no more than {MAX_RULES} region label rules can be kept")]
    TooMany,
    /// It cannot be made durable.
    #[error(transparent)]
    Journal(#[from] JournalFailed),
}

impl IntoResponse for RuleError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Content(_) => StatusCode::BAD_REQUEST,
            Self::TooMany | Self::Journal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, Json(json!(self.to_string()))).into_response()
    }
}

/// A content error.
fn content(reason: impl Into<String>) -> RuleError {
    RuleError::Content(reason.into())
}

/// Key below which the rules are.
fn folder(node: &Node) -> String {
    format!("/pd/{}/region_label/", node.identity.cluster_id)
}

/// The rules that are kept, by key.
fn kept(state: &mut crate::state::State, folder: &str) -> Vec<etcd::KeyValue> {
    // The folder ends in a slash, and `0` follows it.
    let range_end = Bytes::from(format!("{}0", folder.trim_end_matches('/')));
    let request = etcd::RangeRequest { key: folder.to_owned().into(), range_end, ..Default::default() };
    state.etcd.range(&request).map(|answer| answer.kvs).unwrap_or_default()
}

/// A member of a rule that must be a text.
fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Checks a rule as PD does.
fn check(rule: &Value) -> Result<(), RuleError> {
    if text(rule, "id").is_empty() {
        return Err(content("empty rule id"));
    }
    let labels = rule.get("labels").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if labels.is_empty() {
        return Err(content("no region labels"));
    }
    for label in labels {
        if text(label, "key").is_empty() {
            return Err(content("empty region label key"));
        }
        if text(label, "value").is_empty() {
            return Err(content("empty region label value"));
        }
        if !text(label, "ttl").is_empty() {
            return Err(content("labels with a ttl are not supported"));
        }
    }
    if text(rule, "rule_type") != "key-range" {
        return Err(content(format!("invalid rule type: {}", text(rule, "rule_type"))));
    }
    let ranges = rule.get("data").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if ranges.is_empty() {
        return Err(content("no key ranges"));
    }
    for range in ranges {
        let (start, end) = (text(range, "start_key"), text(range, "end_key"));
        let is_hex =
            |key: &str| key.len().is_multiple_of(2) && key.bytes().all(|digit| digit.is_ascii_hexdigit());
        if !is_hex(start) || !is_hex(end) {
            return Err(content("the keys of a range are written in hex"));
        }
        if !end.is_empty() && end.to_ascii_lowercase() <= start.to_ascii_lowercase() {
            return Err(content("endKey should be greater than startKey"));
        }
    }
    Ok(())
}

/// `GET …/rules`.
pub(crate) async fn list(State(node): State<Arc<Node>>) -> Json<Value> {
    let folder = folder(&node);
    let rules = node.peek(|state| kept(state, &folder));
    let rules = rules.iter().filter_map(|kv| serde_json::from_slice(&kv.value).ok());
    Json(Value::Array(rules.collect()))
}

/// `GET …/rule/{id}`.
pub(crate) async fn one(State(node): State<Arc<Node>>, Path(id): Path<String>) -> Response {
    let folder = folder(&node);
    let key = format!("{folder}{id}");
    let rules = node.peek(|state| kept(state, &folder));
    let rule = rules
        .iter()
        .find(|kv| kv.key == key.as_bytes())
        .and_then(|kv| serde_json::from_slice(&kv.value).ok());
    match rule {
        Some(rule) => Json::<Value>(rule).into_response(),
        None => (StatusCode::NOT_FOUND, Json(Value::Null)).into_response(),
    }
}

/// `PATCH …/rules`: removes the rules that `deletes` names, then keeps those of `sets`; all or none.
pub(crate) async fn patch(State(node): State<Arc<Node>>, body: Bytes) -> Result<Json<Value>, RuleError> {
    let patch: Value = serde_json::from_slice(&body).map_err(|error| content(error.to_string()))?;
    let list = |name: &str| patch.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let (sets, deletes) = (list("sets"), list("deletes"));
    sets.iter().try_for_each(check)?;
    let folder = folder(&node);
    node.with(|state| {
        // Before the first change: there is no way back.
        if kept(state, &folder).len() + sets.len() > MAX_RULES {
            return Err(RuleError::TooMany);
        }
        let mut changes = Changes::default();
        for id in deletes.iter().filter_map(Value::as_str) {
            let key = format!("{folder}{id}").into();
            state.etcd.delete(&etcd::DeleteRangeRequest { key, ..Default::default() }, &mut changes);
        }
        for rule in &sets {
            let key = format!("{folder}{}", text(rule, "id")).into();
            let value = rule.to_string().into();
            state.etcd.put(etcd::PutRequest { key, value, ..Default::default() }, &mut changes);
        }
        Ok::<_, RuleError>(Done::changed((), state.etcd.finish(changes)))
    })
    .await?;
    Ok(Json(json!("Update region label rules successfully.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_checked() {
        let good = json!({
            "id": "a/b", "labels": [{"key": "k", "value": "v"}], "rule_type": "key-range",
            "data": [{"start_key": "6d", "end_key": "6E00"}, {"start_key": "", "end_key": ""}],
        });
        assert!(check(&good).is_ok());
        let with = |name: &str, value: Value| {
            let mut rule = good.clone();
            rule[name] = value;
            check(&rule).unwrap_err().to_string()
        };
        assert_eq!(with("id", json!("")), "invalid region rule content, empty rule id");
        assert!(with("labels", json!([])).contains("no region labels"));
        assert!(with("labels", json!([{"key": "k"}])).contains("empty region label value"));
        assert!(with("labels", json!([{"key": "k", "value": "v", "ttl": "1h"}])).contains("ttl"));
        assert!(with("rule_type", json!("table")).contains("invalid rule type: table"));
        assert!(with("data", json!([{"start_key": "6d", "end_key": "6d"}])).contains("greater"));
        assert!(with("data", json!([{"start_key": "6", "end_key": ""}])).contains("hex"));
    }
}
