//! Keys of rows, tables and indexes.
//!
//! All keys here are raw: without TiKV's outer memory-comparable encoding and without the key-space
//! prefix of API v2 (see [`strip_keyspace`]). Table ids are physical: a partition has its own.

pub mod meta;

use crate::{CodecError, Datum, FieldType, cursor, datum, memcomparable};

/// First byte of every key of a table.
const TABLE: u8 = b't';
/// Separator of row keys.
const RECORD_SEPARATOR: [u8; 2] = *b"_r";
/// Separator of index keys.
const INDEX_SEPARATOR: [u8; 2] = *b"_i";
/// Length of `t{id}`.
pub const TABLE_PREFIX_LEN: usize = 9;
/// Length of `t{id}_r`.
pub const RECORD_PREFIX_LEN: usize = 11;
/// Length of `t{id}_i{index id}`.
pub const INDEX_PREFIX_LEN: usize = 19;
/// Shortest common handle.
const MIN_COMMON_LEN: usize = 9;
/// First byte of a transactional key in API v2.
const KEYSPACE_TXN: u8 = b'x';
/// Length of the API v2 prefix: mode byte and key-space id.
const KEYSPACE_PREFIX_LEN: usize = 4;

/// What identifies a row within its table.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Handle {
    /// Value of the integer primary key, or the hidden `_tidb_rowid`. An unsigned key has its bits here.
    Int(i64),
    /// Flagged columns of a clustered primary key, one after another; see [`Handle::common`].
    Common(Vec<u8>),
}

impl Handle {
    /// The handle of a row with a clustered primary key, from the key's columns in the order of the key:
    /// type, value, and the length of a prefix column. Handles of less than nine bytes are filled up with
    /// zero bytes, so that none can be taken for an integer.
    ///
    /// # Errors
    /// A value its column cannot hold, or a collation without sort keys here.
    pub fn common<'a>(
        columns: impl IntoIterator<Item = (&'a FieldType, &'a Datum, Option<usize>)>,
    ) -> Result<Self, CodecError> {
        let mut bytes = Vec::new();
        for (field, value, prefix) in columns {
            datum::encode_key_column(field, value, prefix, &mut bytes)?;
        }
        bytes.resize(bytes.len().max(MIN_COMMON_LEN), 0);
        Ok(Self::Common(bytes))
    }

    /// Borrows the handle.
    #[inline]
    pub fn as_ref(&self) -> HandleRef<'_> {
        match self {
            Self::Int(value) => HandleRef::Int(*value),
            Self::Common(bytes) => HandleRef::Common(bytes),
        }
    }
}

/// A [`Handle`] inside a key. A common handle may end in zero bytes behind its last column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HandleRef<'a> {
    /// See [`Handle::Int`].
    Int(i64),
    /// See [`Handle::Common`].
    Common(&'a [u8]),
}

impl HandleRef<'_> {
    /// Copies the handle.
    pub fn to_owned(self) -> Handle {
        match self {
            Self::Int(value) => Handle::Int(value),
            Self::Common(bytes) => Handle::Common(bytes.to_vec()),
        }
    }
}

/// The parts of a row key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RecordKey<'a> {
    /// Physical table id.
    pub table_id: i64,
    /// Handle of the row.
    pub handle: HandleRef<'a>,
}

/// The parts of an index key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IndexKey<'a> {
    /// Physical table id (the logical one for a global index).
    pub table_id: i64,
    /// Index id.
    pub index_id: i64,
    /// Flagged values of the indexed columns, then the handle where the entry is not unique.
    pub suffix: &'a [u8],
}

/// `t{id}`: start of every key of the table.
pub fn table_prefix(table_id: i64) -> Vec<u8> {
    let mut out = Vec::with_capacity(TABLE_PREFIX_LEN);
    out.push(TABLE);
    memcomparable::encode_i64(table_id, &mut out);
    out
}

/// `t{id}_r`: start of every row key of the table.
pub fn record_prefix(table_id: i64) -> Vec<u8> {
    let mut out = Vec::with_capacity(RECORD_PREFIX_LEN);
    write_record_prefix(table_id, &mut out);
    out
}

/// Appends `t{id}_r`.
fn write_record_prefix(table_id: i64, out: &mut Vec<u8>) {
    out.push(TABLE);
    memcomparable::encode_i64(table_id, out);
    out.extend_from_slice(&RECORD_SEPARATOR);
}

/// Key of a row.
pub fn record_key(table_id: i64, handle: &Handle) -> Vec<u8> {
    let mut out = Vec::new();
    write_record_key(table_id, handle.as_ref(), &mut out);
    out
}

/// Appends the key of a row.
pub fn write_record_key(table_id: i64, handle: HandleRef<'_>, out: &mut Vec<u8>) {
    match handle {
        HandleRef::Int(value) => {
            out.reserve(RECORD_PREFIX_LEN + size_of::<i64>());
            write_record_prefix(table_id, out);
            memcomparable::encode_i64(value, out);
        }
        HandleRef::Common(bytes) => {
            out.reserve(RECORD_PREFIX_LEN + bytes.len());
            write_record_prefix(table_id, out);
            out.extend_from_slice(bytes);
        }
    }
}

/// Takes a row key apart. Exactly eight bytes behind the prefix are an integer handle.
///
/// # Errors
/// A key that is not a row key, or has no handle.
#[inline]
pub fn decode_record_key(key: &[u8]) -> Result<RecordKey<'_>, CodecError> {
    let (table_id, separator, rest) = split_table_key(key)?;
    if separator != RECORD_SEPARATOR {
        return Err(CodecError::Malformed { what: "row key", reason: "no row separator" });
    }
    let handle = match rest.len() {
        0 => return Err(CodecError::Truncated { what: "row key", needed: 1, have: 0 }),
        8 => HandleRef::Int(memcomparable::decode_i64(rest)?.0),
        _ => HandleRef::Common(rest),
    };
    Ok(RecordKey { table_id, handle })
}

/// Takes an index key apart.
///
/// # Errors
/// A key that is not an index key.
pub fn decode_index_key(key: &[u8]) -> Result<IndexKey<'_>, CodecError> {
    let (table_id, separator, rest) = split_table_key(key)?;
    if separator != INDEX_SEPARATOR {
        return Err(CodecError::Malformed { what: "index key", reason: "no index separator" });
    }
    let (index_id, suffix) = memcomparable::decode_i64(rest)?;
    Ok(IndexKey { table_id, index_id, suffix })
}

/// Table id, separator and what follows.
#[inline]
fn split_table_key(key: &[u8]) -> Result<(i64, [u8; 2], &[u8]), CodecError> {
    let (first, rest) = cursor::take_u8(key, "table key")?;
    if first != TABLE {
        return Err(CodecError::Malformed { what: "table key", reason: "does not start with 't'" });
    }
    let (table_id, rest) = memcomparable::decode_i64(rest)?;
    let (separator, rest) = cursor::take::<2>(rest, "table key separator")?;
    Ok((table_id, separator, rest))
}

/// Physical table id of any key of a table; `None` for other keys.
#[inline]
pub fn table_id_of(key: &[u8]) -> Option<i64> {
    match key.split_first() {
        Some((&TABLE, rest)) => memcomparable::decode_i64(rest).ok().map(|(id, _)| id),
        _ => None,
    }
}

/// All row keys of the table, `[t{id}_r, t{id}_s)`.
pub fn record_range(table_id: i64) -> (Vec<u8>, Vec<u8>) {
    let start = record_prefix(table_id);
    let end = prefix_end(&start);
    (start, end)
}

/// All keys of the table, `[t{id}, t{id+1})`.
pub fn table_range(table_id: i64) -> (Vec<u8>, Vec<u8>) {
    let start = table_prefix(table_id);
    let end = prefix_end(&start);
    (start, end)
}

/// `t{id}_i{index id}`: start of every entry of the index.
pub fn index_prefix(table_id: i64, index_id: i64) -> Vec<u8> {
    let mut out = Vec::with_capacity(INDEX_PREFIX_LEN);
    out.push(TABLE);
    memcomparable::encode_i64(table_id, &mut out);
    out.extend_from_slice(&INDEX_SEPARATOR);
    memcomparable::encode_i64(index_id, &mut out);
    out
}

/// All keys of the index.
pub fn index_range(table_id: i64, index_id: i64) -> (Vec<u8>, Vec<u8>) {
    let start = index_prefix(table_id, index_id);
    let end = prefix_end(&start);
    (start, end)
}

/// The smallest key greater than every key with this prefix; empty when there is none.
pub fn prefix_end(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            break;
        }
    }
    end
}

/// The key without the API v2 prefix (`x` and a key-space id of three bytes), if it has one.
#[inline]
pub fn strip_keyspace(key: &[u8]) -> &[u8] {
    match key.first() {
        Some(&KEYSPACE_TXN) => key.get(KEYSPACE_PREFIX_LEN..).unwrap_or(key),
        _ => key,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_end_behind_the_last_key() {
        let (start, end) = record_range(7);
        assert_eq!(start, b"t\x80\0\0\0\0\0\0\x07_r");
        assert_eq!(end, b"t\x80\0\0\0\0\0\0\x07_s");
        assert_eq!(table_range(255).1, b"t\x80\0\0\0\0\0\x01");
        assert_eq!(table_range(i64::MAX).1, b"u");
        assert_eq!(prefix_end(&[0xFF, 0xFF]), b"");
    }

    #[test]
    fn other_keys_are_refused() {
        assert!(decode_record_key(b"m").is_err());
        assert!(decode_record_key(b"t\x80\0\0\0\0\0\0\x07_i12345678").is_err());
        assert!(decode_record_key(&record_prefix(3)).is_err());
        assert_eq!(table_id_of(b"m\0\0\0\0\0\0\0\0"), None);
    }

    #[test]
    fn short_common_handles_are_filled_up() {
        let field = FieldType { flen: 2, decimal: 0, ..FieldType::new(crate::field::tp::NEW_DECIMAL) };
        let handle = Handle::common([(&field, &Datum::Decimal(7u64.into()), None)]).unwrap();
        assert_eq!(handle, Handle::Common(vec![6, 2, 0, 0x87, 0, 0, 0, 0, 0]));
        let key = record_key(1, &handle);
        assert_eq!(decode_record_key(&key).unwrap().handle, handle.as_ref());
    }

    #[test]
    fn keyspace_prefix_is_stripped() {
        assert_eq!(strip_keyspace(b"x\0\0\x01tabc"), b"tabc");
        assert_eq!(strip_keyspace(b"tabc"), b"tabc");
        assert_eq!(strip_keyspace(b"x"), b"x");
    }

    proptest! {
        #[test]
        fn record_keys_round_trip_in_order(table: i64, a: i64, b: i64) {
            let (ka, kb) = (record_key(table, &Handle::Int(a)), record_key(table, &Handle::Int(b)));
            prop_assert_eq!(ka.cmp(&kb), a.cmp(&b));
            prop_assert_eq!(decode_record_key(&ka).unwrap(), RecordKey { table_id: table, handle: HandleRef::Int(a) });
            prop_assert_eq!(table_id_of(&ka), Some(table));
            let (start, end) = record_range(table);
            prop_assert!(start < ka && ka < end);
            let index = index_prefix(table, a);
            prop_assert_eq!(decode_index_key(&index).unwrap(), IndexKey { table_id: table, index_id: a, suffix: b"" });
        }

        #[test]
        fn arbitrary_keys_never_panic(bytes: Vec<u8>) {
            let _ = decode_record_key(&bytes);
            let _ = decode_index_key(&bytes);
            let _ = meta::decode(&bytes);
        }
    }
}
