//! Raw keys and their memcomparable form, in which the placement driver knows region boundaries.

use bytes::{BufMut, Bytes, BytesMut};
use tidb_codec::memcomparable;

/// Encodes a raw key.
pub(crate) fn encode(raw: &[u8]) -> Bytes {
    let mut out = Vec::new();
    memcomparable::encode_bytes(raw, &mut out);
    out.into()
}

/// Encodes a boundary: empty, which stands for an end of the key space, stays empty.
pub(crate) fn encode_boundary(raw: &[u8]) -> Bytes {
    if raw.is_empty() { Bytes::new() } else { encode(raw) }
}

/// Decodes what [`encode`] made; trailing bytes are an error.
pub(crate) fn decode(encoded: &[u8]) -> Result<Bytes, String> {
    let (raw, rest) = memcomparable::decode_bytes(encoded).map_err(|error| error.to_string())?;
    if rest.is_empty() { Ok(raw.into()) } else { Err("bytes follow the last group".to_owned()) }
}

/// The key right after `key`.
pub(crate) fn successor(key: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(key.len() + 1);
    out.put_slice(key);
    out.put_u8(0);
    out.freeze()
}

/// The end of the range of all keys with this prefix; empty if there is none (then it is unbounded).
pub(crate) fn prefix_end(prefix: &[u8]) -> Bytes {
    let kept = prefix.iter().rposition(|byte| *byte != u8::MAX).map_or(0, |last| last + 1);
    let mut out = BytesMut::from(prefix.get(..kept).unwrap_or_default());
    if let Some(last) = out.last_mut() {
        *last += 1;
    }
    out.freeze()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_full_group_gets_an_extra_one() {
        assert_eq!(&encode(b"abcdefgh")[..], b"abcdefgh\xFF\0\0\0\0\0\0\0\0\xF7");
        assert_eq!(&encode(b"")[..], b"\0\0\0\0\0\0\0\0\xF7");
        assert!(decode(b"").is_err());
        assert!(decode(b"abcdefgh\xFF").is_err());
        assert!(decode(b"abcdefgh\xF7").is_err());
        assert_eq!(&prefix_end(b"a\xFF")[..], b"b");
        assert!(prefix_end(b"\xFF\xFF").is_empty());
    }

    proptest! {
        #[test]
        fn keys_come_back_and_keep_their_order(a: Vec<u8>, b: Vec<u8>) {
            prop_assert_eq!(encode(&a).cmp(&encode(&b)), a.cmp(&b));
            prop_assert_eq!(decode(&encode(&a)).unwrap(), a);
        }
    }
}
