//! JSON documents inside of JSON strings: both levels of escapes are written at once.

use tidb_codec::json::TextForm;

use crate::json_string::{Step, next_step};

/// Strings up to this length are looked at and moved in one step.
const SHORT: usize = 16;
/// Lower-case hexadecimal digits.
const HEX: [u8; 16] = *b"0123456789abcdef";
/// The lowest bit of each byte of a word.
const ONES: u64 = u64::MAX / 0xFF;
/// The highest bit of each byte of a word.
const HIGH: u64 = ONES << 7;

/// The text of a document as the content of a JSON string, with the escapes that Go's encoder makes of it.
pub(crate) struct InString;

impl TextForm for InString {
    const QUOTE: &'static [u8] = b"\\\"";

    #[inline]
    fn write_content(text: &[u8], len: usize, out: &mut Vec<u8>) {
        if len <= SHORT
            && let Some(chunk) = text.first_chunk::<SHORT>()
            && is_plain(chunk, len)
        {
            // A move of fixed width is cheaper than one of exactly the right length.
            out.extend_from_slice(chunk);
            out.truncate(out.len() - (SHORT - len));
        } else {
            write_escaped(text.get(..len).unwrap_or(text), out);
        }
    }
}

/// Whether the first `len` bytes are ASCII that needs no escape.
#[inline]
fn is_plain(chunk: &[u8; SHORT], len: usize) -> bool {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *chunk;
    let low = special(u64::from_le_bytes([a, b, c, d, e, f, g, h]));
    let high = special(u64::from_le_bytes([i, j, k, l, m, n, o, p]));
    // Marks of bytes behind the string do not count.
    let both = u128::from(high) << 64 | u128::from(low);
    let beyond = u128::MAX.checked_shl(8 * len as u32).unwrap_or(0);
    both & !beyond == 0
}

/// Marks bytes of a word that are escaped or not ASCII by their highest bits. Behind a marked byte other bytes may be
/// marked wrongly, before it none.
#[inline]
const fn special(word: u64) -> u64 {
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    // `"` and `&` differ in one bit, and so do `<` and `>`.
    let quote_or_ampersand = (word & !(ONES * 0x04)) ^ (ONES * 0x22);
    let angle = (word & !(ONES * 0x02)) ^ (ONES * 0x3C);
    let backslash = word ^ (ONES * 0x5C);
    (word | control | zero(quote_or_ampersand) | zero(angle) | zero(backslash)) & HIGH
}

/// Marks bytes of a word that are zero.
#[inline]
const fn zero(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word
}

/// Appends a string of a document that may need escapes.
fn write_escaped(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    loop {
        let consumed = match next_step(rest) {
            Step::Copy(len) => {
                out.extend_from_slice(rest.get(..len).unwrap_or_default());
                len
            }
            Step::Escape(byte) => {
                write_escape(byte, out);
                1
            }
            Step::Separator(last) => {
                out.extend_from_slice(if last == 0xA8 { b"\\\\u2028" } else { b"\\\\u2029" });
                3
            }
            Step::Invalid(len) => {
                (0..len).for_each(|_| out.extend_from_slice(b"\\\\ufffd"));
                len
            }
            Step::End => return,
        };
        rest = rest.get(consumed..).unwrap_or_default();
    }
}

/// Appends the two levels of escapes of an ASCII byte.
fn write_escape(byte: u8, out: &mut Vec<u8>) {
    let digit = |value: u8| HEX.get(usize::from(value & 15)).copied().unwrap_or(b'0');
    match byte {
        b'"' => out.extend_from_slice(b"\\\\\\\""),
        b'\\' => out.extend_from_slice(b"\\\\\\\\"),
        b'\n' => out.extend_from_slice(b"\\\\n"),
        b'\r' => out.extend_from_slice(b"\\\\r"),
        b'\t' => out.extend_from_slice(b"\\\\t"),
        0x08 => out.extend_from_slice(b"\\\\b"),
        0x0C => out.extend_from_slice(b"\\\\f"),
        // Only the outer level escapes these.
        b'<' | b'>' | b'&' => {
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte)]);
        }
        _ => out.extend_from_slice(&[b'\\', b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte)]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tidb_codec::Json;
    use tidb_codec::json::JsonNode;

    use super::*;
    use crate::json_string;

    /// Both levels at once, and one after the other.
    fn both_ways(json: &Json) -> (Vec<u8>, Vec<u8>) {
        let (mut fused, mut text, mut stepwise) = (b"\"".to_vec(), Vec::new(), Vec::new());
        json.as_ref().write_text_as::<InString>(&mut fused).unwrap();
        fused.push(b'"');
        json.write_text(&mut text).unwrap();
        json_string::write_text(&text, &mut stepwise);
        (fused, stepwise)
    }

    #[test]
    fn every_byte_has_the_escapes_of_both_levels() {
        for byte in 0..=u8::MAX {
            for len in [1, 7, 8, 15, 16, 17, 40] {
                let mut text = vec![b'x'; len];
                text[len - 1] = byte;
                let mut stored = vec![tidb_codec::json::code::STRING, len as u8];
                stored.extend_from_slice(&text);
                let json = Json::from_stored(&stored).unwrap();
                let (fused, stepwise) = both_ways(&json);
                assert_eq!(fused, stepwise, "byte {byte:#04x} at the end of {len}");
            }
        }
        let json = Json::parse("{\"a<\": [\"q\\\"\\\\\\n\u{2028}é\", 1, null]}").unwrap();
        let text = String::from_utf8(both_ways(&json).0).unwrap();
        assert_eq!(text, r#""{\"a\u003c\": [\"q\\\"\\\\\\n\\u2028é\", 1, null]}""#);
    }

    fn any_node() -> impl Strategy<Value = JsonNode> {
        let text = prop_oneof![any::<String>(), "[ -~]{0,20}", "[a-z\\\\\"<>&\u{2028}\u{1}é]{0,40}"];
        let leaf = prop_oneof![
            Just(JsonNode::Null),
            any::<bool>().prop_map(JsonNode::Bool),
            any::<i64>().prop_map(JsonNode::Int),
            (i64::MAX as u64 + 1..).prop_map(JsonNode::Uint),
            proptest::num::f64::NORMAL.prop_map(JsonNode::Double),
            text.clone().prop_map(JsonNode::String),
            any::<Vec<u8>>().prop_map(|bytes| JsonNode::Opaque(252, bytes)),
        ];
        leaf.prop_recursive(4, 40, 6, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(JsonNode::Array),
                proptest::collection::btree_map(text.clone(), inner, 0..6)
                    .prop_map(|map| JsonNode::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn both_levels_at_once_are_both_levels_one_after_the_other(node in any_node()) {
            let (fused, stepwise) = both_ways(&Json::from_node(&node).unwrap());
            prop_assert_eq!(String::from_utf8(fused), String::from_utf8(stepwise));
        }

        #[test]
        fn strings_of_any_bytes_too(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let mut stored = vec![tidb_codec::json::code::STRING, bytes.len() as u8];
            stored.extend_from_slice(&bytes);
            let (fused, stepwise) = both_ways(&Json::from_stored(&stored).unwrap());
            prop_assert_eq!(String::from_utf8(fused), String::from_utf8(stepwise));
        }
    }
}
