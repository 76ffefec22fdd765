//! Encoded key ranges.

use std::cmp::Ordering;
use std::fmt;

use bytes::Bytes;
use tidb_codec::Sensitive;

/// A range of encoded (memcomparable) keys; the end is exclusive, and empty for "no end".
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct KeyRange {
    /// First key.
    pub start: Bytes,
    /// First key behind the range; empty if there is none.
    pub end: Bytes,
}

impl KeyRange {
    /// The range from `start` to `end`.
    pub fn new(start: impl Into<Bytes>, end: impl Into<Bytes>) -> Self {
        Self { start: start.into(), end: end.into() }
    }

    /// The range of raw keys from `start` to `end` (empty: no bound), encoded.
    pub fn encode(start: &[u8], end: &[u8]) -> Self {
        Self { start: encode_bound(start), end: encode_bound(end) }
    }

    /// True if there is no key in the range.
    pub fn is_empty(&self) -> bool {
        !self.end.is_empty() && self.start >= self.end
    }

    /// True if both ranges have keys in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        !self.intersection(other).is_empty()
    }

    /// The keys in both ranges.
    pub fn intersection(&self, other: &Self) -> Self {
        let start = (&self.start).max(&other.start).clone();
        let end = if compare_ends(&self.end, &other.end).is_le() { &self.end } else { &other.end };
        Self { start, end: end.clone() }
    }

    /// The range of raw keys, if the bounds are encoded keys (else the text says which is not).
    pub fn decode(&self) -> Result<(Vec<u8>, Vec<u8>), String> {
        Ok((decode_bound(&self.start)?, decode_bound(&self.end)?))
    }
}

/// Orders range ends: empty is the greatest.
pub(crate) fn compare_ends(left: &[u8], right: &[u8]) -> Ordering {
    left.is_empty().cmp(&right.is_empty()).then_with(|| left.cmp(right))
}

/// Encodes a bound; empty stays empty.
fn encode_bound(raw: &[u8]) -> Bytes {
    let mut encoded = Vec::new();
    if !raw.is_empty() {
        tidb_codec::memcomparable::encode_bytes(raw, &mut encoded);
    }
    Bytes::from(encoded)
}

/// Decodes a bound; empty stays empty.
fn decode_bound(encoded: &[u8]) -> Result<Vec<u8>, String> {
    if encoded.is_empty() {
        return Ok(Vec::new());
    }
    match tidb_codec::memcomparable::decode_bytes(encoded) {
        Ok((raw, [])) => Ok(raw),
        Ok(_) => Err(format!("range bound {} has bytes behind the key", Sensitive(Digits(encoded)))),
        Err(error) => Err(format!("range bound {}: {error}", Sensitive(Digits(encoded)))),
    }
}

impl fmt::Debug for KeyRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The digits of a bound.
struct Digits<'a>(&'a [u8]);

impl fmt::Display for Digits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Display for KeyRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Regions are split at rows: bounds hold values of their keys.
        write!(f, "[{}, {})", Sensitive(Digits(&self.start)), Sensitive(Digits(&self.end)))
    }
}
