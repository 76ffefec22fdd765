//! Raw keys and their memcomparable form, in which the placement driver knows region boundaries.

use bytes::{BufMut, Bytes, BytesMut};

/// Bytes of a group.
const GROUP: usize = 8;
/// Marker of a group without padding.
const FULL_MARKER: u8 = 0xFF;

/// Encodes a raw key: groups of 8 bytes padded with zeroes, each followed by a marker `0xFF - padding`.
pub(crate) fn encode(raw: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity((raw.len() / GROUP + 1) * (GROUP + 1));
    let mut chunks = raw.chunks_exact(GROUP);
    for chunk in &mut chunks {
        out.put_slice(chunk);
        out.put_u8(FULL_MARKER);
    }
    let rest = chunks.remainder();
    let padding = GROUP - rest.len();
    out.put_slice(rest);
    out.put_bytes(0, padding);
    out.put_u8(FULL_MARKER - u8::try_from(padding).unwrap_or(0));
    out.freeze()
}

#[cfg(test)]
/// Encodes a boundary: empty, which stands for an end of the key space, stays empty.
pub(crate) fn encode_boundary(raw: &[u8]) -> Bytes {
    if raw.is_empty() { Bytes::new() } else { encode(raw) }
}

/// Decodes what [`encode`] made; trailing bytes are an error.
pub(crate) fn decode(encoded: &[u8]) -> Result<Bytes, String> {
    let mut out = BytesMut::with_capacity(encoded.len() / (GROUP + 1) * GROUP);
    let mut groups = encoded.chunks_exact(GROUP + 1);
    for (index, group) in (&mut groups).enumerate() {
        let (data, marker) = group.split_at(GROUP);
        let padding = usize::from(FULL_MARKER - marker.first().copied().unwrap_or(0));
        if padding > GROUP {
            return Err(format!("group {index} has an invalid marker"));
        }
        let (used, filler) = data.split_at(GROUP - padding);
        out.put_slice(used);
        if padding == 0 {
            continue;
        }
        if filler.iter().any(|byte| *byte != 0) {
            return Err(format!("group {index} has non-zero padding"));
        }
        return if (index + 1) * (GROUP + 1) == encoded.len() {
            Ok(out.freeze())
        } else {
            Err("bytes follow the last group".to_owned())
        };
    }
    Err("the last group is missing".to_owned())
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
