//! JSON trees, and their binary form.

use super::{
    HEADER, Json, KEY_ENTRY, LITERAL_FALSE, LITERAL_NULL, LITERAL_TRUE, MAX_DEPTH, VALUE_ENTRY, code,
};
use crate::{CodecError, Duration, Time, TimeKind, varint};

/// A JSON value as a tree: what functions build and take apart.
#[derive(Debug, Clone, PartialEq)]
pub enum JsonNode {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// An unsigned integer.
    Uint(u64),
    /// A double.
    Double(f64),
    /// A string.
    String(String),
    /// SQL type code and bytes of a value that JSON has no type for.
    Opaque(u8, Vec<u8>),
    /// A DATE, DATETIME or TIMESTAMP.
    Time(Time),
    /// A TIME.
    Duration(Duration),
    /// An array.
    Array(Vec<JsonNode>),
    /// An object. Encoding sorts the keys; of equal keys the last stays.
    Object(Vec<(String, JsonNode)>),
}

impl Json {
    /// The binary form of a tree.
    ///
    /// # Errors
    /// Nesting deeper than [`MAX_DEPTH`], a key of more than 65,535 bytes, a double that is no number, or
    /// more than 4 GiB.
    pub fn from_node(node: &JsonNode) -> Result<Self, CodecError> {
        let mut value = Vec::new();
        let code = node.write(0, &mut value)?;
        Ok(Self { code, value })
    }
}

impl JsonNode {
    /// Appends the value's bytes; returns its type code.
    fn write(&self, depth: usize, out: &mut Vec<u8>) -> Result<u8, CodecError> {
        let mut bytes = |data: &[u8]| out.extend_from_slice(data);
        Ok(match self {
            Self::Null => {
                bytes(&[LITERAL_NULL]);
                code::LITERAL
            }
            Self::Bool(value) => {
                bytes(&[if *value { LITERAL_TRUE } else { LITERAL_FALSE }]);
                code::LITERAL
            }
            Self::Int(value) => {
                bytes(&value.to_le_bytes());
                code::INT64
            }
            Self::Uint(value) => {
                bytes(&value.to_le_bytes());
                code::UINT64
            }
            Self::Double(value) if value.is_finite() => {
                bytes(&value.to_le_bytes());
                code::DOUBLE
            }
            Self::Double(value) => {
                return Err(CodecError::OutOfRange { kind: "JSON number", value: value.to_string() });
            }
            Self::String(value) => {
                varint::encode_uvarint(value.len() as u64, out);
                out.extend_from_slice(value.as_bytes());
                code::STRING
            }
            Self::Opaque(type_code, value) => {
                out.push(*type_code);
                varint::encode_uvarint(value.len() as u64, out);
                out.extend_from_slice(value);
                code::OPAQUE
            }
            Self::Time(value) => {
                bytes(&value.json_bits().to_le_bytes());
                match value.kind() {
                    TimeKind::Date => code::DATE,
                    TimeKind::DateTime => code::DATETIME,
                    TimeKind::Timestamp => code::TIMESTAMP,
                }
            }
            Self::Duration(value) => {
                bytes(&value.nanos().to_le_bytes());
                bytes(&u32::from(value.fsp()).to_le_bytes());
                code::DURATION
            }
            Self::Array(members) => {
                write_array(members, deeper(depth)?, out)?;
                code::ARRAY
            }
            Self::Object(members) => {
                write_object(members, deeper(depth)?, out)?;
                code::OBJECT
            }
        })
    }
}

/// One level down.
fn deeper(depth: usize) -> Result<usize, CodecError> {
    if depth < MAX_DEPTH { Ok(depth + 1) } else { Err(CodecError::JsonTooDeep { limit: MAX_DEPTH }) }
}

/// A size or offset as stored.
fn size(value: usize) -> Result<[u8; 4], CodecError> {
    match u32::try_from(value) {
        Ok(value) => Ok(value.to_le_bytes()),
        Err(_) => Err(CodecError::OutOfRange { kind: "JSON size", value: value.to_string() }),
    }
}

/// Overwrites bytes that have been reserved before.
fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(slot) = out.get_mut(at..at + bytes.len()) {
        slot.copy_from_slice(bytes);
    }
}

/// Appends an array.
fn write_array(members: &[JsonNode], depth: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
    let start = out.len();
    let entries = start + HEADER;
    out.resize(entries + members.len() * VALUE_ENTRY, 0);
    put(out, start, &size(members.len())?);
    for (index, member) in members.iter().enumerate() {
        write_member(member, start, entries + index * VALUE_ENTRY, depth, out)?;
    }
    let total = size(out.len() - start)?;
    put(out, start + 4, &total);
    Ok(())
}

/// Appends an object, its keys sorted by their bytes.
fn write_object(members: &[(String, JsonNode)], depth: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
    let mut sorted: Vec<&(String, JsonNode)> = members.iter().collect();
    // The sort is stable: of equal keys the one that came last is next to its predecessors and stays.
    sorted.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
    let is_last = |index: usize, key: &str| sorted.get(index + 1).is_none_or(|next| next.0 != key);
    let unique: Vec<&(String, JsonNode)> = sorted
        .iter()
        .enumerate()
        .filter(|(index, member)| is_last(*index, &member.0))
        .map(|(_, member)| *member)
        .collect();
    let start = out.len();
    let keys = start + HEADER;
    let values = keys + unique.len() * KEY_ENTRY;
    out.resize(values + unique.len() * VALUE_ENTRY, 0);
    put(out, start, &size(unique.len())?);
    for (index, (key, _)) in unique.iter().enumerate() {
        let Ok(len) = u16::try_from(key.len()) else {
            return Err(CodecError::OutOfRange { kind: "JSON key length", value: key.len().to_string() });
        };
        let offset = size(out.len() - start)?;
        put(out, keys + index * KEY_ENTRY, &offset);
        put(out, keys + index * KEY_ENTRY + 4, &len.to_le_bytes());
        out.extend_from_slice(key.as_bytes());
    }
    for (index, (_, member)) in unique.iter().enumerate() {
        write_member(member, start, values + index * VALUE_ENTRY, depth, out)?;
    }
    let total = size(out.len() - start)?;
    put(out, start + 4, &total);
    Ok(())
}

/// Appends a member and fills its entry; literals stand in the entry itself.
fn write_member(
    member: &JsonNode,
    container: usize,
    entry: usize,
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let start = out.len();
    let type_code = member.write(depth, out)?;
    put(out, entry, &[type_code]);
    if type_code == code::LITERAL {
        let literal = out.pop().unwrap_or(LITERAL_NULL);
        put(out, entry + 1, &[literal]);
    } else {
        let offset = size(start - container)?;
        put(out, entry + 1, &offset);
    }
    Ok(())
}
