//! Keys of TiDB's meta range, `m` to `n`: the schema and other cluster-wide values.

use crate::{CodecError, cursor, memcomparable};

/// First byte of every meta key.
const META: u8 = b'm';
/// Kind of a plain value.
const STRING: u64 = b's' as u64;
/// Kind of a hash's bookkeeping entry (old clusters).
const HASH_META: u64 = b'H' as u64;
/// Kind of a hash field.
const HASH_FIELD: u64 = b'h' as u64;
/// Kind of a list's bookkeeping entry.
const LIST_META: u64 = b'L' as u64;
/// Kind of a list element.
const LIST_ELEMENT: u64 = b'l' as u64;

/// Raw bounds of the whole meta range.
pub const META_RANGE: (&[u8], &[u8]) = (b"m", b"n");

/// A meta key taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetaKey {
    /// A plain value.
    String {
        /// Name of the value, such as `SchemaVersionKey`.
        name: Vec<u8>,
    },
    /// A field of a hash.
    HashField {
        /// Name of the hash, such as `DBs` or `DB:1`.
        name: Vec<u8>,
        /// Name of the field, such as `Table:5`.
        field: Vec<u8>,
    },
    /// The bookkeeping entry of a hash.
    HashMeta {
        /// Name of the hash.
        name: Vec<u8>,
    },
    /// An element of a list.
    ListElement {
        /// Name of the list.
        name: Vec<u8>,
        /// Position, may be negative.
        index: i64,
    },
    /// The bookkeeping entry of a list.
    ListMeta {
        /// Name of the list.
        name: Vec<u8>,
    },
}

/// `m`, the name, the kind.
fn head(name: &[u8], kind: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + memcomparable::encoded_len(name.len()) + size_of::<u64>());
    out.push(META);
    memcomparable::encode_bytes(name, &mut out);
    memcomparable::encode_u64(kind, &mut out);
    out
}

/// Key of a plain value.
pub fn string_key(name: &[u8]) -> Vec<u8> {
    head(name, STRING)
}

/// Start of every field key of a hash.
pub fn hash_prefix(name: &[u8]) -> Vec<u8> {
    head(name, HASH_FIELD)
}

/// Key of a hash field.
pub fn hash_key(name: &[u8], field: &[u8]) -> Vec<u8> {
    let mut out = hash_prefix(name);
    memcomparable::encode_bytes(field, &mut out);
    out
}

/// All field keys of a hash.
pub fn hash_range(name: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let start = hash_prefix(name);
    let end = super::prefix_end(&start);
    (start, end)
}

/// Key of a list's bookkeeping entry.
pub fn list_meta_key(name: &[u8]) -> Vec<u8> {
    head(name, LIST_META)
}

/// Key of a list element.
pub fn list_element_key(name: &[u8], index: i64) -> Vec<u8> {
    let mut out = head(name, LIST_ELEMENT);
    memcomparable::encode_i64(index, &mut out);
    out
}

/// Takes a meta key apart.
///
/// # Errors
/// A key outside the meta range, or of an unknown kind.
pub fn decode(key: &[u8]) -> Result<MetaKey, CodecError> {
    let (first, rest) = cursor::take_u8(key, "meta key")?;
    if first != META {
        return Err(CodecError::Malformed { what: "meta key", reason: "does not start with 'm'" });
    }
    let (name, rest) = memcomparable::decode_bytes(rest)?;
    let (kind, rest) = memcomparable::decode_u64(rest)?;
    let (decoded, rest) = match kind {
        STRING => (MetaKey::String { name }, rest),
        HASH_META => (MetaKey::HashMeta { name }, rest),
        LIST_META => (MetaKey::ListMeta { name }, rest),
        HASH_FIELD => {
            let (field, rest) = memcomparable::decode_bytes(rest)?;
            (MetaKey::HashField { name, field }, rest)
        }
        LIST_ELEMENT => {
            let (index, rest) = memcomparable::decode_i64(rest)?;
            (MetaKey::ListElement { name, index }, rest)
        }
        _ => return Err(CodecError::Malformed { what: "meta key", reason: "unknown kind" }),
    };
    cursor::expect_end(rest, "meta key")?;
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_round_trips() {
        let name = b"DB:1234567".to_vec();
        assert_eq!(decode(&string_key(&name)), Ok(MetaKey::String { name: name.clone() }));
        assert_eq!(
            decode(&hash_key(&name, b"Table:5")),
            Ok(MetaKey::HashField { name: name.clone(), field: b"Table:5".to_vec() })
        );
        assert_eq!(
            decode(&list_element_key(&name, -3)),
            Ok(MetaKey::ListElement { name: name.clone(), index: -3 })
        );
        assert_eq!(decode(&list_meta_key(&name)), Ok(MetaKey::ListMeta { name }));
    }

    #[test]
    fn hash_range_holds_its_fields_only() {
        let (start, end) = hash_range(b"DBs");
        let field = hash_key(b"DBs", b"DB:9");
        assert!(start < field && field < end);
        assert!(hash_key(b"DBt", b"a") > end);
    }
}
