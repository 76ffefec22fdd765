//! Reading index entries.

use super::{CLUSTERED_VERSION, COMMON_HANDLE_FLAG, MAX_OLD_LEN, PARTITION_FLAG, VERSION_FLAG};
use crate::{CodecError, Datum, Handle, HandleRef, cursor, datum, key, memcomparable, row::RowV2};

/// Parts of an index entry's value.
#[derive(Debug, Clone, Copy, Default)]
pub struct IndexValue<'a> {
    /// Handle, of entries whose key does not end in it.
    pub handle: Option<HandleRef<'a>>,
    /// Partition, of entries of a global index.
    pub partition_id: Option<i64>,
    /// What the key has lost.
    pub restored: Option<RowV2<'a>>,
}

/// Takes an index entry's value apart.
///
/// # Errors
/// A malformed value.
pub fn decode_index_value(value: &[u8]) -> Result<IndexValue<'_>, CodecError> {
    const WHAT: &str = "index value";
    if value.len() <= MAX_OLD_LEN && value.get(1) != Some(&VERSION_FLAG) {
        let handle = value.first_chunk::<8>().map(|bytes| HandleRef::Int(i64::from_be_bytes(*bytes)));
        return Ok(IndexValue { handle, ..IndexValue::default() });
    }
    let (tail_len, rest) = cursor::take_u8(value, WHAT)?;
    let Some(body_len) = rest.len().checked_sub(usize::from(tail_len)) else {
        return Err(CodecError::Malformed { what: WHAT, reason: "tail is longer than the value" });
    };
    let (mut body, tail) = cursor::take_slice(rest, body_len, WHAT)?;
    let mut found = IndexValue::default();
    if let [VERSION_FLAG, version, after @ ..] = body {
        if *version != CLUSTERED_VERSION {
            return Err(CodecError::UnknownCode { what: "index value version", code: *version });
        }
        body = after;
    } else if let Some(bytes) = tail.first_chunk::<8>() {
        found.handle = Some(HandleRef::Int(i64::from_be_bytes(*bytes)));
    }
    if let [COMMON_HANDLE_FLAG, after @ ..] = body {
        let (len, after) = cursor::take::<2>(after, WHAT)?;
        let (handle, after) = cursor::take_slice(after, usize::from(u16::from_be_bytes(len)), WHAT)?;
        found.handle = Some(HandleRef::Common(handle));
        body = after;
    }
    if let [PARTITION_FLAG, after @ ..] = body {
        let (partition_id, after) = memcomparable::decode_i64(after)?;
        found.partition_id = Some(partition_id);
        body = after;
    }
    if !body.is_empty() {
        found.restored = Some(RowV2::parse(body)?);
    }
    Ok(found)
}

/// Handle of an index entry, from its value or the end of its key.
///
/// # Errors
/// A malformed entry.
pub fn decode_entry_handle(
    entry_key: &[u8],
    value: &[u8],
    column_count: usize,
    common_handle: bool,
) -> Result<Handle, CodecError> {
    let mut rest = key::decode_index_key(entry_key)?.suffix;
    for _ in 0..column_count {
        rest = datum::skip_one(rest)?;
    }
    if rest.is_empty() {
        return match decode_index_value(value)?.handle {
            Some(handle) => Ok(handle.to_owned()),
            None => Err(CodecError::Malformed { what: "index entry", reason: "no handle in key or value" }),
        };
    }
    if common_handle {
        return Ok(Handle::Common(rest.to_vec()));
    }
    match datum::decode_one(rest)? {
        (Datum::Int(handle), []) => Ok(Handle::Int(handle)),
        (Datum::Uint(handle), []) => Ok(Handle::Int(handle as i64)),
        _ => Err(CodecError::Malformed { what: "index entry", reason: "the key does not end in a handle" }),
    }
}
