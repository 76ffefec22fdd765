//! Finding text in text and in lists.

use tidb_codec::Datum;

use super::text::{by_characters, units};
use super::{Builtin, Call, MANY, function, int_type, like_text_type, text_or_null, text_type};
use crate::error::Result;

/// `SUBSTRING_INDEX(text, delimiter, count)`.
fn substring_index(c: &Call<'_>) -> Result<Datum> {
    let (Some(text), Some(mark), Some(count)) = (c.string(0)?, c.string(1)?, c.int(2)?) else {
        return Ok(Datum::Null);
    };
    if mark.is_empty() || count == 0 {
        return Ok(Datum::Bytes(Vec::new()));
    }
    let parts: Vec<&str> = text.split(mark.as_str()).collect();
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let chosen: Vec<&str> = if count > 0 {
        parts.into_iter().take(wanted).collect()
    } else {
        let skip = parts.len().saturating_sub(wanted);
        parts.into_iter().skip(skip).collect()
    };
    Ok(Datum::Bytes(chosen.join(&mark).into_bytes()))
}

/// `LOCATE(needle, text[, from])`: position from 1, or 0.
fn locate(c: &Call<'_>, needle: usize, text: usize) -> Result<Datum> {
    let (Some(mark), Some(haystack)) = (c.bytes(needle)?, c.bytes(text)?) else { return Ok(Datum::Null) };
    let from = if c.has(2) { c.int(2)?.unwrap_or(1) } else { 1 };
    let characters = by_characters(c, text);
    let (mark, all) = (units(&mark, characters), units(&haystack, characters));
    let Ok(skip) = usize::try_from(from - 1) else { return Ok(Datum::Int(0)) };
    if mark.is_empty() {
        return Ok(Datum::Int(if skip <= all.len() { from } else { 0 }));
    }
    let ci = c.arg(text)?.ty();
    let same = |window: &[&[u8]]| {
        window.iter().zip(&mark).all(|(a, b)| {
            a == b || ci.is_string() && !ci.collation.keeps_case() && ci.collation.compare(a, b).is_eq()
        })
    };
    let found = all.windows(mark.len()).enumerate().skip(skip).find(|(_, w)| same(w));
    Ok(Datum::Int(found.map_or(0, |(at, _)| at as i64 + 1)))
}

/// `REPLACE(text, from, to)`.
fn replace(c: &Call<'_>) -> Result<Datum> {
    let (Some(text), Some(from), Some(to)) = (c.bytes(0)?, c.bytes(1)?, c.bytes(2)?) else {
        return Ok(Datum::Null);
    };
    if from.is_empty() {
        return Ok(Datum::Bytes(text));
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_slice();
    while let Some(at) = rest.windows(from.len()).position(|w| w == from.as_slice()) {
        let (before, after) = rest.split_at(at);
        out.extend_from_slice(before);
        out.extend_from_slice(&to);
        rest = after.get(from.len()..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    Ok(Datum::Bytes(out))
}

/// `ELT(n, a, …)`: the n-th of the rest.
fn elt(c: &Call<'_>) -> Result<Datum> {
    match c.int(0)?.and_then(|n| usize::try_from(n).ok()) {
        Some(n) if n >= 1 && c.has(n) => Ok(text_or_null(c.bytes(n)?)),
        _ => Ok(Datum::Null),
    }
}

/// `FIELD(x, a, …)`: the place of the first among the rest, 0 without one.
fn field(c: &Call<'_>) -> Result<Datum> {
    let Some(wanted) = c.bytes(0)? else { return Ok(Datum::Int(0)) };
    for at in 1..c.args.len() {
        if c.bytes(at)?.is_some_and(|candidate| candidate == wanted) {
            return Ok(Datum::Int(at as i64));
        }
    }
    Ok(Datum::Int(0))
}

/// `FIND_IN_SET(x, list)`: the place in a list with commas, 0 without one.
fn find_in_set(c: &Call<'_>) -> Result<Datum> {
    let (Some(wanted), Some(list)) = (c.bytes(0)?, c.bytes(1)?) else { return Ok(Datum::Null) };
    if list.is_empty() {
        return Ok(Datum::Int(0));
    }
    Ok(Datum::Int(
        list.split(|b| *b == b',').position(|e| e == wanted.as_slice()).map_or(0, |at| at as i64 + 1),
    ))
}

/// The functions of this module.
pub(super) static TABLE: &[Builtin] = &[
    function("substring_index", 3, 3, like_text_type, substring_index),
    function("replace", 3, 3, like_text_type, replace),
    function("locate", 2, 3, int_type, |c| locate(c, 0, 1)),
    function("position", 2, 2, int_type, |c| locate(c, 0, 1)),
    function("instr", 2, 2, int_type, |c| locate(c, 1, 0)),
    function("elt", 2, MANY, text_type, elt),
    function("field", 2, MANY, int_type, field),
    function("find_in_set", 2, 2, int_type, find_in_set),
];
