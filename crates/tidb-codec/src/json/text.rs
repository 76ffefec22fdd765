//! JSON text as MySQL and TiDB print it, written in one pass over the binary form.

use super::{
    HEADER, KEY_ENTRY, LITERAL_FALSE, LITERAL_NULL, LITERAL_TRUE, MAX_DEPTH, VALUE_ENTRY, code,
    read::{JsonRef, JsonValue, WHAT},
};
use crate::{CodecError, Duration, Time, float};

/// Hexadecimal digits.
const HEX: &[u8; 16] = b"0123456789abcdef";
/// Digits of base 64.
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Text bytes a byte of a document may at most become, counting shared members: bounds hostile documents.
const MAX_EXPANSION: usize = 64;
/// Text that any document may have, however short it is.
const MIN_LIMIT: usize = 1024;
/// Lengths below this one take one byte.
const LONG_LENGTH: u8 = 0x80;

/// How strings and quotes of JSON text are written: as they are, or again escaped because the text becomes a string
/// of another document. Everything else in JSON text is the same either way.
pub trait TextForm {
    /// A quote that begins or ends a string or key.
    const QUOTE: &'static [u8];

    /// Appends the escaped form of the first `len` bytes of `text`. What follows them may be read, so that short
    /// strings can be moved in steps of fixed width, but must not show.
    fn write_content(text: &[u8], len: usize, out: &mut Vec<u8>);
}

/// JSON text as it is.
struct Plain;

impl TextForm for Plain {
    const QUOTE: &'static [u8] = b"\"";

    #[inline]
    fn write_content(text: &[u8], len: usize, out: &mut Vec<u8>) {
        push_content(text.get(..len).unwrap_or(text), out);
    }
}

impl JsonRef<'_> {
    /// Appends the text.
    ///
    /// # Errors
    /// A malformed value; a part of the text may then have been appended.
    pub fn write_text(&self, out: &mut Vec<u8>) -> Result<(), CodecError> {
        self.write_text_as::<Plain>(out)
    }

    /// Appends the text in another form.
    ///
    /// # Errors
    /// As [`JsonRef::write_text`].
    pub fn write_text_as<F: TextForm>(&self, out: &mut Vec<u8>) -> Result<(), CodecError> {
        let limit =
            out.len().saturating_add(self.len().saturating_mul(MAX_EXPANSION)).saturating_add(MIN_LIMIT);
        out.reserve(self.len());
        write_value::<F>(self.type_code(), self.bytes(), Place { depth: 0, limit }, out)
    }
}

/// Where in a document a value is.
#[derive(Clone, Copy)]
struct Place {
    /// Levels above it.
    depth: usize,
    /// Length that the output must not exceed.
    limit: usize,
}

/// Appends the text of a value at the front of `bytes`. Scalars first: they are most of a document.
#[inline]
fn write_value<F: TextForm>(
    type_code: u8,
    bytes: &[u8],
    place: Place,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    match type_code {
        code::STRING => write_string::<F>(bytes, out),
        code::INT64 => match bytes.first_chunk::<8>() {
            Some(value) => {
                crate::text::write_i64(i64::from_le_bytes(*value), out);
                Ok(())
            }
            None => Err(CodecError::Truncated { what: WHAT, needed: 8, have: bytes.len() }),
        },
        code::LITERAL => write_literal(bytes.first().copied(), out),
        code::ARRAY | code::OBJECT => write_container::<F>(type_code, bytes, place, out),
        _ => write_rare::<F>(type_code, bytes, out),
    }
}

/// Appends `null`, `true` or `false`.
#[inline]
fn write_literal(literal: Option<u8>, out: &mut Vec<u8>) -> Result<(), CodecError> {
    match literal {
        Some(LITERAL_NULL) => out.extend_from_slice(b"null"),
        Some(LITERAL_TRUE) => out.extend_from_slice(b"true"),
        Some(LITERAL_FALSE) => out.extend_from_slice(b"false"),
        Some(other) => return Err(CodecError::UnknownCode { what: "JSON literal", code: other }),
        None => return Err(CodecError::Truncated { what: WHAT, needed: 1, have: 0 }),
    }
    Ok(())
}

/// Appends a string that stands behind its length.
#[inline]
fn write_string<F: TextForm>(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
    let (len, text) = match bytes.split_first() {
        Some((len, text)) if *len < LONG_LENGTH && text.len() >= usize::from(*len) => {
            (usize::from(*len), text)
        }
        _ => {
            let JsonValue::String(text) = JsonRef::new(code::STRING, bytes).get()? else { return Ok(()) };
            (text.len(), text)
        }
    };
    out.extend_from_slice(F::QUOTE);
    F::write_content(text, len, out);
    out.extend_from_slice(F::QUOTE);
    Ok(())
}

/// Appends what documents seldom hold.
fn write_rare<F: TextForm>(type_code: u8, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
    match JsonRef::new(type_code, bytes).get()? {
        JsonValue::Uint(value) => crate::text::write_u64(value, out),
        JsonValue::Double(value) => float::write_f64_json(value, out),
        JsonValue::Opaque(type_code, value) => push_opaque::<F>(type_code, value, out),
        JsonValue::Time(value) => push_time::<F>(value, out),
        JsonValue::Duration(value) => {
            out.extend_from_slice(F::QUOTE);
            crate::text::push_duration(value.nanos(), Duration::MAX_FSP, out);
            out.extend_from_slice(F::QUOTE);
        }
        // The caller takes these.
        JsonValue::Null
        | JsonValue::Bool(_)
        | JsonValue::Int(_)
        | JsonValue::String(_)
        | JsonValue::Array(_)
        | JsonValue::Object(_) => {}
    }
    Ok(())
}

/// Appends an array or object.
fn write_container<F: TextForm>(
    type_code: u8,
    bytes: &[u8],
    place: Place,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    if place.depth > MAX_DEPTH {
        return Err(CodecError::JsonTooDeep { limit: MAX_DEPTH });
    }
    // Its own size says where it ends: members lie within.
    let container = JsonRef::new(type_code, bytes).within_size()?;
    let (count, keys) = match container.get()? {
        JsonValue::Array(count) => (count, 0),
        JsonValue::Object(count) => (count, count),
        _ => return Ok(()),
    };
    let bytes = container.bytes();
    let entries = bytes.get(HEADER..).unwrap_or_default();
    let (key_entries, entries) = entries.split_at_checked(keys * KEY_ENTRY).unwrap_or_default();
    let mut key_entries = key_entries.as_chunks::<KEY_ENTRY>().0.iter();
    let values = entries.as_chunks::<VALUE_ENTRY>().0.iter().take(count);
    let is_object = type_code == code::OBJECT;
    out.push(if is_object { b'{' } else { b'[' });
    let place = Place { depth: place.depth + 1, ..place };
    let mut separator: &[u8] = b"";
    for [type_code, offset @ ..] in values {
        if out.len() > place.limit {
            return Err(CodecError::Malformed { what: WHAT, reason: "members overlap" });
        }
        out.extend_from_slice(separator);
        separator = b", ";
        if let Some(entry) = key_entries.next() {
            write_key::<F>(entry, bytes, out)?;
        }
        if *type_code == code::LITERAL {
            write_literal(offset.first().copied(), out)?;
            continue;
        }
        let offset = u32::from_le_bytes(*offset) as usize;
        // A member starts behind the header, so a document cannot contain itself.
        match bytes.get(offset..) {
            Some(rest) if offset >= HEADER => write_value::<F>(*type_code, rest, place, out)?,
            _ => {
                return Err(CodecError::Malformed {
                    what: WHAT,
                    reason: "a member lies outside its container",
                });
            }
        }
    }
    out.push(if is_object { b'}' } else { b']' });
    Ok(())
}

/// Appends a key of an object, and what stands behind it.
#[inline]
fn write_key<F: TextForm>(
    entry: &[u8; KEY_ENTRY],
    object: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let [a, b, c, d, low, high] = *entry;
    let (offset, len) =
        (u32::from_le_bytes([a, b, c, d]) as usize, usize::from(u16::from_le_bytes([low, high])));
    let text = object.get(offset..).filter(|text| text.len() >= len);
    let Some(text) = text else {
        return Err(CodecError::Malformed { what: WHAT, reason: "a key lies outside its object" });
    };
    out.extend_from_slice(F::QUOTE);
    F::write_content(text, len, out);
    out.extend_from_slice(F::QUOTE);
    out.extend_from_slice(b": ");
    Ok(())
}

/// Appends a date and time in quotes, with six digits after the second.
fn push_time<F: TextForm>(value: Time, out: &mut Vec<u8>) {
    out.extend_from_slice(F::QUOTE);
    // Values read from JSON have six digits.
    value.write_text(out);
    out.extend_from_slice(F::QUOTE);
}

/// Appends what stands between the quotes of a string: control characters, quotes and backslashes escaped, U+2028
/// and U+2029 too, and `\ufffd` for each byte that is no UTF-8.
fn push_content(text: &[u8], out: &mut Vec<u8>) {
    for chunk in text.utf8_chunks() {
        push_valid(chunk.valid().as_bytes(), out);
        for _ in chunk.invalid() {
            out.extend_from_slice(b"\\ufffd");
        }
    }
}

/// Appends valid UTF-8, escaped.
fn push_valid(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| needs_care(*byte)) {
        let (plain, tail) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        out.extend_from_slice(plain);
        let Some((first, after)) = tail.split_first() else { return };
        rest = after;
        match first {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *first]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0C => out.extend_from_slice(b"\\f"),
            0xE2 => match after {
                [0x80, last @ (0xA8 | 0xA9), others @ ..] => {
                    out.extend_from_slice(b"\\u202");
                    out.push(b'0' + (last & 0x0F));
                    rest = others;
                }
                _ => out.push(*first),
            },
            control => {
                let hex = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[hex(control >> 4), hex(control & 0x0F)]);
            }
        }
    }
    out.extend_from_slice(rest);
}

/// Whether a byte may have to be escaped.
#[inline]
const fn needs_care(byte: u8) -> bool {
    byte < 0x20 || matches!(byte, b'"' | b'\\' | 0xE2)
}

/// Appends `"base64:typeN:…"`.
fn push_opaque<F: TextForm>(type_code: u8, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(F::QUOTE);
    out.extend_from_slice(b"base64:type");
    crate::text::write_u64(type_code.into(), out);
    out.push(b':');
    push_base64(value, out);
    out.extend_from_slice(F::QUOTE);
}

/// Appends padded base 64.
fn push_base64(data: &[u8], out: &mut Vec<u8>) {
    for group in data.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let digit = BASE64.get((bits >> (18 - 6 * at) & 63) as usize).copied().unwrap_or(b'=');
            out.push(if at > group.len() { b'=' } else { digit });
        }
    }
}
