//! JSON.

use tidb_codec::Datum;
use tidb_codec::json::JsonNode;

use super::{Builtin, Call, MANY, function, int_type, json_type, text_type};
use crate::coerce;
use crate::error::{Result, SqlError};
use crate::json_value::{self, Change, Leg};

/// A JSON result.
fn json(node: &JsonNode) -> Result<Datum> {
    json_value::encode(node).map(Datum::Json)
}

/// An argument as a JSON value: text is a JSON string.
fn member(c: &Call<'_>, at: usize) -> Result<JsonNode> {
    json_value::node_from_datum(&c.value(at)?, c.arg(at)?.ty())
}

/// An argument as a document: text is parsed.
fn document(c: &Call<'_>, at: usize) -> Result<Option<JsonNode>> {
    let found = coerce::json_document(&c.value(at)?, c.arg(at)?.ty(), "argument")?;
    found.map(|json| json.as_ref().to_node().map_err(coerce::codec)).transpose()
}

/// An argument as a path; `None` for NULL.
fn path(c: &Call<'_>, at: usize) -> Result<Option<Vec<Leg>>> {
    c.string(at)?.map(|text| json_value::parse_path(&text)).transpose()
}

/// `JSON_ARRAY(a, …)`.
fn array(c: &Call<'_>) -> Result<Datum> {
    let items = (0..c.args.len()).map(|at| member(c, at)).collect::<Result<_>>()?;
    json(&JsonNode::Array(items))
}

/// `JSON_OBJECT(key, value, …)`.
fn object(c: &Call<'_>) -> Result<Datum> {
    if c.args.len() % 2 == 1 {
        return Err(SqlError::new(
            1582,
            "Incorrect parameter count in the call to native function 'json_object'",
        ));
    }
    let mut members = Vec::new();
    for at in (0..c.args.len()).step_by(2) {
        let key = c
            .string(at)?
            .ok_or_else(|| SqlError::new(3158, "JSON documents may not contain NULL member names."))?;
        members.push((key, member(c, at + 1)?));
    }
    json(&JsonNode::Object(members))
}

/// `JSON_EXTRACT(doc, path, …)`.
fn extract(c: &Call<'_>) -> Result<Datum> {
    let Some(root) = document(c, 0)? else { return Ok(Datum::Null) };
    let mut found = Vec::new();
    let mut many = c.args.len() > 2;
    for at in 1..c.args.len() {
        let Some(legs) = path(c, at)? else { return Ok(Datum::Null) };
        many |= legs.iter().any(|leg| matches!(leg, Leg::AnyKey | Leg::AnyIndex));
        found.extend(json_value::find(&root, &legs).into_iter().cloned());
    }
    match found.as_slice() {
        [] => Ok(Datum::Null),
        [one] if !many => json(one),
        _ => json(&JsonNode::Array(found)),
    }
}

/// `JSON_UNQUOTE(x)`.
fn unquote(c: &Call<'_>) -> Result<Datum> {
    let value = c.value(0)?;
    if let Datum::Json(doc) = &value {
        return Ok(Datum::Bytes(match doc.as_ref().to_node().map_err(coerce::codec)? {
            JsonNode::String(text) => text.into_bytes(),
            _ => doc.to_string().into_bytes(),
        }));
    }
    let Some(text) = coerce::string(&value, c.arg(0)?.ty()) else { return Ok(Datum::Null) };
    if text.starts_with('"')
        && let Ok(JsonNode::String(inner)) = JsonNode::parse(&text)
    {
        return Ok(Datum::Bytes(inner.into_bytes()));
    }
    Ok(Datum::Bytes(text.into_bytes()))
}

/// `JSON_SET` and its kin: pairs of path and value.
fn changed(c: &Call<'_>, how: Change) -> Result<Datum> {
    let Some(mut root) = document(c, 0)? else { return Ok(Datum::Null) };
    for at in (1..c.args.len()).step_by(2) {
        let Some(legs) = path(c, at)? else { return Ok(Datum::Null) };
        let value = if c.has(at + 1) { member(c, at + 1)? } else { JsonNode::Null };
        json_value::change(&mut root, &legs, &value, how);
    }
    json(&root)
}

/// `JSON_REMOVE(doc, path, …)`.
fn remove(c: &Call<'_>) -> Result<Datum> {
    let Some(mut root) = document(c, 0)? else { return Ok(Datum::Null) };
    for at in 1..c.args.len() {
        let Some(legs) = path(c, at)? else { return Ok(Datum::Null) };
        json_value::change(&mut root, &legs, &JsonNode::Null, Change::Remove);
    }
    json(&root)
}

/// What `JSON_TYPE` calls a value.
fn type_name(node: &JsonNode) -> &'static str {
    match node {
        JsonNode::Null => "NULL",
        JsonNode::Bool(_) => "BOOLEAN",
        JsonNode::Int(_) => "INTEGER",
        JsonNode::Uint(_) => "UNSIGNED INTEGER",
        JsonNode::Double(_) => "DOUBLE",
        JsonNode::String(_) => "STRING",
        JsonNode::Opaque(..) => "BLOB",
        JsonNode::Time(time) if time.kind() == tidb_codec::TimeKind::Date => "DATE",
        JsonNode::Time(_) => "DATETIME",
        JsonNode::Duration(_) => "TIME",
        JsonNode::Array(_) => "ARRAY",
        JsonNode::Object(_) => "OBJECT",
    }
}

/// The document, or the part that a path given as second argument leads to.
fn part(c: &Call<'_>) -> Result<Option<JsonNode>> {
    let Some(root) = document(c, 0)? else { return Ok(None) };
    if !c.has(1) {
        return Ok(Some(root));
    }
    let Some(legs) = path(c, 1)? else { return Ok(None) };
    Ok(json_value::find(&root, &legs).first().map(|found| (*found).clone()))
}

/// `JSON_LENGTH(doc[, path])`.
fn length(c: &Call<'_>) -> Result<Datum> {
    Ok(match part(c)? {
        None => Datum::Null,
        Some(JsonNode::Array(items)) => Datum::Int(items.len() as i64),
        Some(JsonNode::Object(members)) => Datum::Int(members.len() as i64),
        Some(_) => Datum::Int(1),
    })
}

/// `JSON_KEYS(doc[, path])`.
fn keys(c: &Call<'_>) -> Result<Datum> {
    match part(c)? {
        Some(JsonNode::Object(members)) => {
            json(&JsonNode::Array(members.into_iter().map(|(key, _)| JsonNode::String(key)).collect()))
        }
        _ => Ok(Datum::Null),
    }
}

/// Whether `inner` is contained in `outer`.
fn contains(outer: &JsonNode, inner: &JsonNode) -> bool {
    match (outer, inner) {
        (JsonNode::Object(a), JsonNode::Object(b)) => {
            b.iter().all(|(key, value)| a.iter().any(|(k, v)| k == key && contains(v, value)))
        }
        (JsonNode::Array(a), JsonNode::Array(b)) => {
            b.iter().all(|value| a.iter().any(|v| contains(v, value)))
        }
        (JsonNode::Array(a), value) => a.iter().any(|v| contains(v, value)),
        (a, b) => match (json_value::encode(a), json_value::encode(b)) {
            (Ok(a), Ok(b)) => a.compare(&b).is_eq(),
            _ => false,
        },
    }
}

/// `JSON_CONTAINS(doc, value[, path])`.
fn json_contains(c: &Call<'_>) -> Result<Datum> {
    let (Some(root), Some(wanted)) = (document(c, 0)?, document(c, 1)?) else { return Ok(Datum::Null) };
    let target = if c.has(2) {
        let Some(legs) = path(c, 2)? else { return Ok(Datum::Null) };
        json_value::find(&root, &legs).first().map(|found| (*found).clone())
    } else {
        Some(root)
    };
    Ok(target.map_or(Datum::Null, |target| Datum::Int(i64::from(contains(&target, &wanted)))))
}

/// `JSON_VALID(x)`.
fn valid(c: &Call<'_>) -> Result<Datum> {
    let value = c.value(0)?;
    Ok(match &value {
        Datum::Null => Datum::Null,
        Datum::Json(_) => Datum::Int(1),
        Datum::Bytes(text) => {
            Datum::Int(i64::from(std::str::from_utf8(text).is_ok_and(|text| JsonNode::parse(text).is_ok())))
        }
        _ => Datum::Int(0),
    })
}

/// `JSON_QUOTE(text)`.
fn quote(c: &Call<'_>) -> Result<Datum> {
    let Some(text) = c.string(0)? else { return Ok(Datum::Null) };
    Ok(Datum::Bytes(json_value::encode(&JsonNode::String(text))?.to_string().into_bytes()))
}

/// The functions of this module.
pub(super) static TABLE: &[Builtin] = &[
    function("json_array", 0, MANY, json_type, array),
    function("json_object", 0, MANY, json_type, object),
    function("json_extract", 2, MANY, json_type, extract),
    function("json_unquote", 1, 1, text_type, unquote),
    function("json_set", 3, MANY, json_type, |c| changed(c, Change::Set)),
    function("json_insert", 3, MANY, json_type, |c| changed(c, Change::Insert)),
    function("json_replace", 3, MANY, json_type, |c| changed(c, Change::Replace)),
    function("json_remove", 2, MANY, json_type, remove),
    function("json_type", 1, 1, text_type, |c| {
        Ok(document(c, 0)?.map_or(Datum::Null, |node| Datum::Bytes(type_name(&node).as_bytes().to_vec())))
    }),
    function("json_length", 1, 2, int_type, length),
    function("json_keys", 1, 2, json_type, keys),
    function("json_contains", 2, 3, int_type, json_contains),
    function("json_valid", 1, 1, int_type, valid),
    function("json_quote", 1, 1, text_type, quote),
];
