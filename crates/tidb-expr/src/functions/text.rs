//! Text and bytes.

use tidb_codec::Datum;

use super::{Builtin, Call, MANY, function, int_or_null, int_type, like_text_type, text_or_null, text_type};
use crate::coerce;
use crate::error::{Result, SqlError};

/// Longest text that a function may build (`max_allowed_packet`); longer results are NULL.
pub(super) const MAX_RESULT_BYTES: usize = 64 * 1024 * 1024;

/// Whether characters, not bytes, are counted in an argument.
pub(super) fn by_characters(c: &Call<'_>, at: usize) -> bool {
    c.args.get(at).is_none_or(|a| !(a.ty().is_string() && a.ty().collation.is_binary()))
}

/// The characters of a text, each as its bytes.
pub(super) fn units(text: &[u8], characters: bool) -> Vec<&[u8]> {
    if !characters {
        return text.chunks(1).collect();
    }
    let mut out = Vec::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        let valid = chunk.valid();
        out.extend(
            valid
                .char_indices()
                .map(|(at, ch)| valid.as_bytes().get(at..at + ch.len_utf8()).unwrap_or_default()),
        );
        out.extend(chunk.invalid().chunks(1));
    }
    out
}

/// `CONCAT(a, …)`.
fn concat(c: &Call<'_>) -> Result<Datum> {
    let mut out = Vec::new();
    for at in 0..c.args.len() {
        match c.bytes(at)? {
            Some(part) => out.extend(part),
            None => return Ok(Datum::Null),
        }
    }
    Ok(Datum::Bytes(out))
}

/// `CONCAT_WS(separator, a, …)`: leaves out NULLs.
fn concat_ws(c: &Call<'_>) -> Result<Datum> {
    let Some(separator) = c.bytes(0)? else { return Ok(Datum::Null) };
    let mut parts = Vec::new();
    for at in 1..c.args.len() {
        parts.extend(c.bytes(at)?);
    }
    Ok(Datum::Bytes(parts.join(separator.as_slice())))
}

/// `CHAR_LENGTH(text)`.
fn char_length(c: &Call<'_>) -> Result<Datum> {
    let characters = by_characters(c, 0);
    Ok(int_or_null(c.bytes(0)?.map(|b| units(&b, characters).len() as i64)))
}

/// `SUBSTRING(text, from[, count])`.
fn substring(c: &Call<'_>) -> Result<Datum> {
    let (Some(text), Some(from)) = (c.bytes(0)?, c.int(1)?) else { return Ok(Datum::Null) };
    let count = if c.has(2) { c.int(2)? } else { Some(i64::MAX) };
    let Some(count) = count else { return Ok(Datum::Null) };
    let units = units(&text, by_characters(c, 0));
    let len = units.len() as i64;
    let start = if from < 0 { len + from } else { from - 1 };
    if from == 0 || start < 0 || start >= len || count <= 0 {
        return Ok(Datum::Bytes(Vec::new()));
    }
    let taken = units.iter().skip(start as usize).take(usize::try_from(count).unwrap_or(usize::MAX));
    Ok(Datum::Bytes(taken.copied().flatten().copied().collect()))
}

/// `LEFT(text, count)`.
fn left(c: &Call<'_>) -> Result<Datum> {
    let (Some(text), Some(count)) = (c.bytes(0)?, c.int(1)?) else { return Ok(Datum::Null) };
    let units = units(&text, by_characters(c, 0));
    Ok(Datum::Bytes(units.iter().take(count.max(0) as usize).copied().flatten().copied().collect()))
}

/// `RIGHT(text, count)`.
fn right(c: &Call<'_>) -> Result<Datum> {
    let (Some(text), Some(count)) = (c.bytes(0)?, c.int(1)?) else { return Ok(Datum::Null) };
    let units = units(&text, by_characters(c, 0));
    let skip = units.len().saturating_sub(count.max(0) as usize);
    Ok(Datum::Bytes(units.iter().skip(skip).copied().flatten().copied().collect()))
}

/// Changes letters unless the argument is a byte string.
fn cased(c: &Call<'_>, change: fn(&str) -> String) -> Result<Datum> {
    if !by_characters(c, 0) {
        return Ok(text_or_null(c.bytes(0)?));
    }
    Ok(text_or_null(c.string(0)?.map(|t| change(&t).into_bytes())))
}

/// `REPEAT(text, count)`; NULL beyond the largest result.
fn repeat(c: &Call<'_>) -> Result<Datum> {
    let (Some(text), Some(count)) = (c.bytes(0)?, c.int(1)?) else { return Ok(Datum::Null) };
    let count = usize::try_from(count).unwrap_or(0);
    if text.len().saturating_mul(count) > MAX_RESULT_BYTES {
        return Ok(Datum::Null);
    }
    Ok(Datum::Bytes(text.repeat(count)))
}

/// `LPAD` and `RPAD`.
fn pad(c: &Call<'_>, on_left: bool) -> Result<Datum> {
    let (Some(text), Some(len), Some(filler)) = (c.bytes(0)?, c.int(1)?, c.bytes(2)?) else {
        return Ok(Datum::Null);
    };
    let Ok(len) = usize::try_from(len) else { return Ok(Datum::Null) };
    let characters = by_characters(c, 0);
    let own = units(&text, characters);
    if own.len() >= len {
        return Ok(Datum::Bytes(own.into_iter().take(len).flatten().copied().collect()));
    }
    let fill = units(&filler, characters);
    if fill.is_empty() || len.saturating_mul(4) > MAX_RESULT_BYTES {
        return Ok(Datum::Null);
    }
    let padding: Vec<u8> = fill.iter().cycle().take(len - own.len()).copied().flatten().copied().collect();
    Ok(Datum::Bytes(if on_left {
        [padding, text.clone()].concat()
    } else {
        [text.clone(), padding].concat()
    }))
}

/// Removes a text (by default a blank) from the start, the end or both: bit 0 and bit 1 of `ends`.
fn trim(c: &Call<'_>, ends: u8) -> Result<Datum> {
    let Some(text) = c.bytes(0)? else { return Ok(Datum::Null) };
    let mark = if c.has(1) { c.bytes(1)? } else { Some(b" ".to_vec()) };
    let Some(mark) = mark else { return Ok(Datum::Null) };
    let mut rest = text.as_slice();
    if !mark.is_empty() {
        while let (true, Some(shorter)) = (ends & 1 != 0, rest.strip_prefix(mark.as_slice())) {
            rest = shorter;
        }
        while let (true, Some(shorter)) = (ends & 2 != 0, rest.strip_suffix(mark.as_slice())) {
            rest = shorter;
        }
    }
    Ok(Datum::Bytes(rest.to_vec()))
}

/// `FORMAT(x, d)`: with thousands separators.
fn format_(c: &Call<'_>) -> Result<Datum> {
    if c.has(2) {
        return Err(SqlError::unsupported("FORMAT with a locale"));
    }
    let (Some(value), Some(digits)) = (c.decimal(0)?, c.int(1)?) else { return Ok(Datum::Null) };
    let digits = digits.clamp(0, 30);
    let text = value.round(digits as i16).map_err(coerce::codec)?.to_string();
    let (sign, text) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("-", rest));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let width = digits as usize;
    let tail = if width == 0 { String::new() } else { format!(".{fraction:0<width$}") };
    Ok(Datum::Bytes(format!("{sign}{grouped}{tail}").into_bytes()))
}

/// `QUOTE(text)`: as a literal.
fn quote(c: &Call<'_>) -> Result<Datum> {
    let Some(text) = c.bytes(0)? else { return Ok(Datum::Bytes(b"NULL".to_vec())) };
    let mut out = vec![b'\''];
    for byte in text {
        match byte {
            b'\'' | b'\\' => out.extend([b'\\', byte]),
            0 => out.extend(b"\\0"),
            0x1A => out.extend(b"\\Z"),
            other => out.push(other),
        }
    }
    out.push(b'\'');
    Ok(Datum::Bytes(out))
}

/// The functions of this module.
pub(super) static TABLE: &[Builtin] = &[
    function("concat", 1, MANY, like_text_type, concat),
    function("concat_ws", 2, MANY, like_text_type, concat_ws),
    function("length", 1, 1, int_type, |c| Ok(int_or_null(c.bytes(0)?.map(|b| b.len() as i64)))),
    function("octet_length", 1, 1, int_type, |c| Ok(int_or_null(c.bytes(0)?.map(|b| b.len() as i64)))),
    function("bit_length", 1, 1, int_type, |c| Ok(int_or_null(c.bytes(0)?.map(|b| b.len() as i64 * 8)))),
    function("char_length", 1, 1, int_type, char_length),
    function("character_length", 1, 1, int_type, char_length),
    function("substring", 2, 3, like_text_type, substring),
    function("substr", 2, 3, like_text_type, substring),
    function("mid", 3, 3, like_text_type, substring),
    function("left", 2, 2, like_text_type, left),
    function("right", 2, 2, like_text_type, right),
    function("upper", 1, 1, like_text_type, |c| cased(c, |t| t.to_uppercase())),
    function("ucase", 1, 1, like_text_type, |c| cased(c, |t| t.to_uppercase())),
    function("lower", 1, 1, like_text_type, |c| cased(c, |t| t.to_lowercase())),
    function("lcase", 1, 1, like_text_type, |c| cased(c, |t| t.to_lowercase())),
    function("repeat", 2, 2, like_text_type, repeat),
    function("lpad", 3, 3, like_text_type, |c| pad(c, true)),
    function("rpad", 3, 3, like_text_type, |c| pad(c, false)),
    function("trim", 1, 2, like_text_type, |c| trim(c, 3)),
    function("ltrim", 1, 2, like_text_type, |c| trim(c, 1)),
    function("rtrim", 1, 2, like_text_type, |c| trim(c, 2)),
    function("space", 1, 1, text_type, |c| {
        Ok(c.int(0)?.map_or(Datum::Null, |n| {
            Datum::Bytes(vec![b' '; usize::try_from(n).unwrap_or(0).min(MAX_RESULT_BYTES)])
        }))
    }),
    function("reverse", 1, 1, like_text_type, |c| {
        let characters = by_characters(c, 0);
        Ok(text_or_null(
            c.bytes(0)?.map(|b| units(&b, characters).into_iter().rev().flatten().copied().collect()),
        ))
    }),
    function("format", 2, 3, text_type, format_),
    function("quote", 1, 1, text_type, quote),
];
