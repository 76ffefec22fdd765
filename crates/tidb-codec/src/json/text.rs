//! JSON text as MySQL and TiDB print it.

use super::{
    MAX_DEPTH,
    read::{JsonRef, JsonValue},
};
use crate::{CodecError, Duration, Time, float};

/// Hexadecimal digits.
const HEX: &[u8; 16] = b"0123456789abcdef";
/// Digits of base 64.
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Text bytes a byte of a document may at most become, counting shared members: bounds hostile documents.
const MAX_EXPANSION: usize = 64;

impl JsonRef<'_> {
    /// Appends the text.
    ///
    /// # Errors
    /// A malformed value; a part of the text may then have been appended.
    pub fn write_text(&self, out: &mut Vec<u8>) -> Result<(), CodecError> {
        let limit = out.len().saturating_add(self.len().saturating_mul(MAX_EXPANSION)).saturating_add(1024);
        self.write_text_at(0, limit, out)
    }

    /// Appends the text of a value `depth` levels down, unless the text grows beyond `limit`.
    fn write_text_at(&self, depth: usize, limit: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
        if depth > MAX_DEPTH {
            return Err(CodecError::JsonTooDeep { limit: MAX_DEPTH });
        }
        match self.get()? {
            JsonValue::Null => out.extend_from_slice(b"null"),
            JsonValue::Bool(true) => out.extend_from_slice(b"true"),
            JsonValue::Bool(false) => out.extend_from_slice(b"false"),
            JsonValue::Int(value) => crate::text::write_i64(value, out),
            JsonValue::Uint(value) => crate::text::write_u64(value, out),
            JsonValue::Double(value) => float::write_f64_json(value, out),
            JsonValue::String(value) => push_string(value, out),
            JsonValue::Opaque(type_code, value) => push_opaque(type_code, value, out),
            JsonValue::Time(value) => push_time(value, out),
            JsonValue::Duration(value) => {
                out.push(b'"');
                crate::text::push_duration(value.nanos(), Duration::MAX_FSP, out);
                out.push(b'"');
            }
            JsonValue::Array(count) => {
                out.push(b'[');
                for index in 0..count {
                    separate(index, limit, out)?;
                    self.element(index)?.write_text_at(depth + 1, limit, out)?;
                }
                out.push(b']');
            }
            JsonValue::Object(count) => {
                out.push(b'{');
                for index in 0..count {
                    separate(index, limit, out)?;
                    push_string(self.key(index)?, out);
                    out.extend_from_slice(b": ");
                    self.object_value(index, count)?.write_text_at(depth + 1, limit, out)?;
                }
                out.push(b'}');
            }
        }
        Ok(())
    }
}

/// Appends what stands before member `index`.
#[inline]
fn separate(index: usize, limit: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
    if out.len() > limit {
        return Err(CodecError::Malformed { what: "JSON", reason: "members overlap" });
    }
    if index > 0 {
        out.extend_from_slice(b", ");
    }
    Ok(())
}

/// Appends a date and time in quotes, with six digits after the second.
fn push_time(value: Time, out: &mut Vec<u8>) {
    out.push(b'"');
    // Values read from JSON have six digits.
    value.write_text(out);
    out.push(b'"');
}

/// Appends a string in quotes: control characters, quotes and backslashes escaped, U+2028 and U+2029 too, and
/// `\ufffd` for each byte that is no UTF-8.
pub(super) fn push_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for chunk in text.utf8_chunks() {
        push_valid(chunk.valid().as_bytes(), out);
        for _ in chunk.invalid() {
            out.extend_from_slice(b"\\ufffd");
        }
    }
    out.push(b'"');
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
fn push_opaque(type_code: u8, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"\"base64:type");
    crate::text::write_u64(type_code.into(), out);
    out.push(b':');
    push_base64(value, out);
    out.push(b'"');
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
