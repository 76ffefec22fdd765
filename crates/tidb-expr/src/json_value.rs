//! SQL values as JSON values, and paths into JSON documents.

use tidb_codec::field::tp;
use tidb_codec::json::JsonNode;
use tidb_codec::{Datum, Json};

use super::coerce;
use super::result_type::ResultType;
use crate::error::{Result, SqlError};

/// A value as a JSON tree: text becomes a JSON string, not a parsed document.
pub fn node_from_datum(value: &Datum, ty: &ResultType) -> Result<JsonNode> {
    Ok(match value {
        Datum::Null => JsonNode::Null,
        Datum::Int(v) if ty.flag & tidb_codec::field::flag::IS_BOOLEAN != 0 => JsonNode::Bool(*v != 0),
        Datum::Int(v) => JsonNode::Int(*v),
        Datum::Uint(v) => JsonNode::Uint(*v),
        Datum::Float(v) => JsonNode::Double(f64::from(*v)),
        Datum::Double(v) => JsonNode::Double(*v),
        Datum::Decimal(v) => JsonNode::Double(v.to_f64()),
        Datum::Bytes(v) if ty.is_string() && ty.collation.is_binary() => {
            JsonNode::Opaque(opaque_code(ty), v.clone())
        }
        Datum::Bytes(v) => JsonNode::String(String::from_utf8_lossy(v).into_owned()),
        // A DATETIME or TIMESTAMP in JSON always has six fraction digits.
        Datum::Time(v) if v.kind() != tidb_codec::TimeKind::Date => {
            JsonNode::Time(v.with_kind(v.kind(), 6).map_err(coerce::codec)?)
        }
        Datum::Time(v) => JsonNode::Time(*v),
        Datum::Duration(v) => JsonNode::Duration(v.round(6).map_err(coerce::codec)?),
        Datum::Json(v) => v.as_ref().to_node().map_err(coerce::codec)?,
        Datum::Bit(_) => JsonNode::Opaque(tp::BIT, coerce::text(value, ty).unwrap_or_default().into_owned()),
        other => JsonNode::String(coerce::string(other, ty).unwrap_or_default()),
    })
}

/// Type code that a byte string keeps inside JSON.
fn opaque_code(ty: &ResultType) -> u8 {
    if ty.tp == tp::VAR_STRING { tp::VAR_STRING } else { ty.tp }
}

/// A value as a JSON value.
pub fn from_datum(value: &Datum, ty: &ResultType) -> Result<Json> {
    if let Datum::Json(json) = value {
        return Ok(json.clone());
    }
    encode(&node_from_datum(value, ty)?)
}

/// The binary form of a tree.
pub fn encode(node: &JsonNode) -> Result<Json> {
    Json::from_node(node).map_err(coerce::codec)
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leg {
    /// `.key`
    Key(String),
    /// `[n]`
    Index(usize),
    /// `.*`
    AnyKey,
    /// `[*]`
    AnyIndex,
}

/// Parses `$.a."b c"[0][*]`.
///
/// # Errors
/// 3143 for anything else.
pub fn parse_path(text: &str) -> Result<Vec<Leg>> {
    let bad = |at: usize| {
        SqlError::new(
            3143,
            format!("Invalid JSON path expression. The error is around character position {at}."),
        )
    };
    let mut rest = text.trim().strip_prefix('$').ok_or_else(|| bad(1))?;
    let mut legs = Vec::new();
    while !rest.is_empty() {
        let at = text.len() - rest.len();
        rest = rest.trim_start();
        if let Some(tail) = rest.strip_prefix('.') {
            let tail = tail.trim_start();
            if let Some(tail) = tail.strip_prefix('*') {
                legs.push(Leg::AnyKey);
                rest = tail;
            } else if let Some(quoted) = tail.strip_prefix('"') {
                let end = quoted.find('"').ok_or_else(|| bad(at))?;
                legs.push(Leg::Key(quoted.get(..end).unwrap_or_default().to_owned()));
                rest = quoted.get(end + 1..).unwrap_or_default();
            } else {
                let end =
                    tail.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(tail.len());
                if end == 0 {
                    return Err(bad(at));
                }
                legs.push(Leg::Key(tail.get(..end).unwrap_or_default().to_owned()));
                rest = tail.get(end..).unwrap_or_default();
            }
        } else if let Some(tail) = rest.strip_prefix('[') {
            let end = tail.find(']').ok_or_else(|| bad(at))?;
            let inner = tail.get(..end).unwrap_or_default().trim();
            legs.push(if inner == "*" {
                Leg::AnyIndex
            } else {
                Leg::Index(inner.parse().map_err(|_| bad(at))?)
            });
            rest = tail.get(end + 1..).unwrap_or_default();
        } else {
            return Err(bad(at));
        }
    }
    Ok(legs)
}

/// Everything that a path finds.
pub fn find<'a>(node: &'a JsonNode, legs: &[Leg]) -> Vec<&'a JsonNode> {
    let Some((leg, rest)) = legs.split_first() else { return vec![node] };
    match (leg, node) {
        (Leg::Key(key), JsonNode::Object(members)) => {
            members.iter().filter(|(k, _)| k == key).flat_map(|(_, v)| find(v, rest)).collect()
        }
        (Leg::AnyKey, JsonNode::Object(members)) => members.iter().flat_map(|(_, v)| find(v, rest)).collect(),
        (Leg::Index(at), JsonNode::Array(items)) => items.get(*at).map(|v| find(v, rest)).unwrap_or_default(),
        (Leg::AnyIndex, JsonNode::Array(items)) => items.iter().flat_map(|v| find(v, rest)).collect(),
        // A value that is no array is found under `[0]`.
        (Leg::Index(0), other) => find(other, rest),
        _ => Vec::new(),
    }
}

/// What a change does where its path leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Only where nothing is.
    Insert,
    /// Only where something is.
    Replace,
    /// Both.
    Set,
    /// Takes it away.
    Remove,
}

/// Changes the value at a path without wildcards.
pub fn change(node: &mut JsonNode, legs: &[Leg], value: &JsonNode, how: Change) {
    let Some((leg, rest)) = legs.split_first() else {
        if matches!(how, Change::Replace | Change::Set) {
            *node = value.clone();
        }
        return;
    };
    let last = rest.is_empty();
    match (leg, node) {
        (Leg::Key(key), JsonNode::Object(members)) => match members.iter_mut().position(|(k, _)| k == key) {
            Some(at) if last && how == Change::Remove => {
                members.remove(at);
            }
            Some(at) => {
                if let Some((_, member)) = members.get_mut(at) {
                    change(member, rest, value, how);
                }
            }
            None if last && matches!(how, Change::Insert | Change::Set) => {
                members.push((key.clone(), value.clone()))
            }
            None => {}
        },
        (Leg::Index(at), JsonNode::Array(items)) => {
            if *at < items.len() {
                if last && how == Change::Remove {
                    items.remove(*at);
                } else if let Some(item) = items.get_mut(*at) {
                    change(item, rest, value, how);
                }
            } else if last && matches!(how, Change::Insert | Change::Set) {
                items.push(value.clone());
            }
        }
        (Leg::Index(0), other) => change(other, rest, value, how),
        (Leg::Index(_), other) if last && matches!(how, Change::Insert | Change::Set) => {
            *other = JsonNode::Array(vec![other.clone(), value.clone()]);
        }
        _ => {}
    }
}
