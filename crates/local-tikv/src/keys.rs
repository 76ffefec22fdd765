//! Layout of keys on disk.
//!
//! A user key is stored in its memcomparable form, so that a version suffix can follow it without disturbing the
//! order of user keys. The suffix is the bitwise inverse of the timestamp, big endian: newer versions sort first.

use tidb_codec::memcomparable;

/// Bytes of the timestamp suffix.
const TS_LEN: usize = 8;

/// A user key in memcomparable form, without a timestamp.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EncodedKey(Vec<u8>);

impl EncodedKey {
    /// Encodes a raw user key.
    pub(crate) fn new(raw: &[u8]) -> Self {
        Self(encode(raw))
    }

    /// The memcomparable bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The key of the version at `ts`.
    pub(crate) fn version(&self, ts: u64) -> Vec<u8> {
        let mut key = Vec::with_capacity(self.0.len() + TS_LEN);
        key.extend_from_slice(&self.0);
        key.extend_from_slice(&(!ts).to_be_bytes());
        key
    }
}

/// Encodes a raw user key in memcomparable form; room for a timestamp is reserved.
pub(crate) fn encode(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity((raw.len() / 8 + 1) * 9 + TS_LEN);
    memcomparable::encode_bytes(raw, &mut out);
    out
}

/// Decodes a whole memcomparable key; `None` when it is malformed or something follows it.
pub(crate) fn decode(encoded: &[u8]) -> Option<Vec<u8>> {
    match memcomparable::decode_bytes(encoded) {
        Ok((raw, [])) => Some(raw),
        _ => None,
    }
}

/// Splits a version key into the memcomparable user key and its timestamp.
pub(crate) fn split_version(key: &[u8]) -> Option<(&[u8], u64)> {
    let at = key.len().checked_sub(TS_LEN)?;
    let (user, suffix) = key.split_at_checked(at)?;
    let suffix: [u8; TS_LEN] = suffix.try_into().ok()?;
    Some((user, !u64::from_be_bytes(suffix)))
}

/// Decodes a region boundary: empty stays empty (unbounded), anything else is a memcomparable key.
pub(crate) fn decode_boundary(encoded: &[u8]) -> Option<Vec<u8>> {
    if encoded.is_empty() { Some(Vec::new()) } else { decode(encoded) }
}

/// Encodes a region boundary: empty stays empty.
pub(crate) fn encode_boundary(raw: &[u8]) -> Vec<u8> {
    if raw.is_empty() { Vec::new() } else { encode(raw) }
}

/// Bytes with which all keys of a table begin: `t` and the table id.
pub(crate) const PREFIX_LEN: usize = 9;

/// A half-open range of raw user keys; an empty `end` is unbounded.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct KeyRange {
    /// First key of the range.
    pub(crate) start: Vec<u8>,
    /// First key after the range; empty for no bound.
    pub(crate) end: Vec<u8>,
}

impl KeyRange {
    /// Whether `raw` lies in the range.
    pub(crate) fn contains(&self, raw: &[u8]) -> bool {
        raw >= self.start.as_slice() && (self.end.is_empty() || raw < self.end.as_slice())
    }

    /// The first bytes of a key, if it has so many.
    pub(crate) fn prefix_of(raw: &[u8]) -> Option<[u8; PREFIX_LEN]> {
        raw.first_chunk().copied()
    }

    /// The first bytes of every key of the range, if these are the same: then both bounds begin with them.
    pub(crate) fn prefix(&self) -> Option<[u8; PREFIX_LEN]> {
        let (start, end) = (Self::prefix_of(&self.start)?, Self::prefix_of(&self.end)?);
        (start == end).then_some(start)
    }

    /// The part common to both ranges, or `None` when they do not overlap.
    pub(crate) fn intersect(&self, other: &Self) -> Option<Self> {
        let start = self.start.clone().max(other.start.clone());
        let end = match (self.end.is_empty(), other.end.is_empty()) {
            (true, _) => other.end.clone(),
            (_, true) => self.end.clone(),
            _ => self.end.clone().min(other.end.clone()),
        };
        (end.is_empty() || start < end).then_some(Self { start, end })
    }

    /// The same range over version keys: bounds in memcomparable form, `None` for no upper bound.
    pub(crate) fn encoded(&self) -> (Vec<u8>, Option<Vec<u8>>) {
        (encode_boundary(&self.start), (!self.end.is_empty()).then(|| encode(&self.end)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn version_keys_round_trip_and_sort_by_key_then_newest_first(
            a in proptest::collection::vec(any::<u8>(), 0..24), b in proptest::collection::vec(any::<u8>(), 0..24),
            ta: u64, tb: u64,
        ) {
            let (ka, kb) = (EncodedKey::new(&a), EncodedKey::new(&b));
            let va = ka.version(ta);
            let (user, ts) = split_version(&va).unwrap();
            prop_assert_eq!(&decode(user).unwrap(), &a);
            prop_assert_eq!(ts, ta);
            let expected = a.cmp(&b).then(tb.cmp(&ta));
            prop_assert_eq!(va.cmp(&kb.version(tb)), expected);
        }
    }

    #[test]
    fn ranges_intersect_with_open_ends() {
        let range = |start: &[u8], end: &[u8]| KeyRange { start: start.to_vec(), end: end.to_vec() };
        assert_eq!(range(b"", b"").intersect(&range(b"b", b"c")), Some(range(b"b", b"c")));
        assert_eq!(range(b"a", b"m").intersect(&range(b"c", b"")), Some(range(b"c", b"m")));
        assert_eq!(range(b"a", b"b").intersect(&range(b"b", b"c")), None);
        assert!(range(b"a", b"").contains(b"zzz"));
        assert!(!range(b"a", b"b").contains(b"b"));
    }

    #[test]
    fn malformed_keys_are_refused() {
        assert_eq!(decode(b"short"), None);
        assert_eq!(decode(&[0; 8]), None);
        assert_eq!(split_version(b"1234567"), None);
        let mut longer = encode(b"abc");
        longer.push(1);
        assert_eq!(decode(&longer), None);
    }
}
