//! Text, byte strings, ENUM, SET.

use tidb_codec::Datum;
use tidb_codec::field::tp;

use super::Target;
use crate::coerce;
use crate::collation::{self, Collation};
use crate::error::Result;
use crate::{EvalContext, ResultType};

/// Bytes of bad text that a message shows.
const SHOWN_BYTES: usize = 6;

/// A value for a column of text or bytes.
pub(super) fn string(value: Datum, from: &ResultType, target: Target<'_>, cx: &EvalContext) -> Result<Datum> {
    let field = target.field;
    let mut bytes = match value {
        Datum::Bytes(bytes) => bytes,
        other => coerce::text(&other, from).map(|t| t.into_owned()).unwrap_or_default(),
    };
    let binary = field.charset == "binary";
    if !binary {
        check_characters(&mut bytes, target, cx)?;
    }
    let limit = usize::try_from(field.flen).unwrap_or(usize::MAX);
    // TEXT sizes are in bytes, CHAR and VARCHAR lengths in characters.
    let by_bytes = binary || field.is_blob();
    let end = if by_bytes { bytes.len().min(limit) } else { char_end(&bytes, limit) };
    if end < bytes.len() {
        let only_spaces = !binary && !field.is_blob() && bytes.iter().skip(end).all(|b| *b == b' ');
        if !only_spaces {
            cx.bad_value(target.too_long())?;
        }
        bytes.truncate(end);
    }
    if field.tp == tp::STRING {
        if binary {
            bytes.resize(limit.min(usize::from(u8::MAX)), 0);
        } else {
            bytes.truncate(collation::trim_spaces(&bytes).len());
        }
    }
    Ok(Datum::Bytes(bytes))
}

/// Byte position behind the first `limit` characters.
fn char_end(text: &[u8], limit: usize) -> usize {
    if text.len() <= limit {
        return text.len();
    }
    let starts = text.iter().enumerate().filter(|(_, b)| (**b & 0xC0) != 0x80);
    starts.map(|(at, _)| at).nth(limit).unwrap_or(text.len())
}

/// Text must be UTF-8 (and ASCII for `ascii`); in non-strict mode it is cut before the first bad byte.
fn check_characters(bytes: &mut Vec<u8>, target: Target<'_>, cx: &EvalContext) -> Result<()> {
    let good = match std::str::from_utf8(bytes) {
        Ok(_) if target.field.charset != "ascii" || bytes.is_ascii() => return Ok(()),
        Ok(_) => bytes.iter().position(|b| !b.is_ascii()).unwrap_or(bytes.len()),
        Err(e) => e.valid_up_to(),
    };
    let shown: String = bytes.iter().skip(good).take(SHOWN_BYTES).map(|b| format!("\\x{b:02X}")).collect();
    cx.bad_value(target.incorrect("string", &shown))?;
    bytes.truncate(good);
    Ok(())
}

/// The collation by which members of an ENUM or SET are found.
fn member_collation(target: Target<'_>) -> Collation {
    collation::by_name(&target.field.collate).unwrap_or_else(collation::utf8mb4_bin)
}

/// Position of a member, from 1.
fn member(elems: &[String], name: &[u8], collation: Collation) -> Option<u64> {
    let at = elems.iter().position(|e| collation.compare(e.as_bytes(), name).is_eq())?;
    u64::try_from(at + 1).ok()
}

/// A number given for an ENUM or SET, as a number or as text.
fn given_number(value: &Datum, from: &ResultType, cx: &EvalContext) -> Result<Option<u64>> {
    Ok(match value {
        Datum::Bytes(text) => std::str::from_utf8(text).ok().and_then(|t| t.trim().parse().ok()),
        other => coerce::integer(other, from, cx)?.and_then(|v| u64::try_from(v.wide()).ok()),
    })
}

/// A value for an `ENUM` column.
pub(super) fn enumeration(
    value: &Datum,
    from: &ResultType,
    target: Target<'_>,
    cx: &EvalContext,
) -> Result<Datum> {
    let elems = &target.field.elems;
    let by_name = match value {
        Datum::Bytes(_) | Datum::Enum(_) | Datum::Set(_) | Datum::Json(_) => {
            let name = coerce::text(value, from).unwrap_or_default();
            member(elems, &name, member_collation(target))
        }
        _ => None,
    };
    let chosen = match by_name {
        Some(at) => Some(at),
        None => given_number(value, from, cx)?.filter(|n| (1..=elems.len() as u64).contains(n)),
    };
    match chosen {
        Some(at) => Ok(Datum::Enum(at)),
        None => {
            cx.bad_value(target.truncated())?;
            Ok(Datum::Enum(0))
        }
    }
}

/// A value for a `SET` column.
pub(super) fn set(value: &Datum, from: &ResultType, target: Target<'_>, cx: &EvalContext) -> Result<Datum> {
    let elems = &target.field.elems;
    let all = if elems.len() >= 64 { u64::MAX } else { (1u64 << elems.len()) - 1 };
    if let Datum::Bytes(_) | Datum::Enum(_) | Datum::Set(_) | Datum::Json(_) = value {
        let text = coerce::text(value, from).unwrap_or_default();
        if text.is_empty() {
            return Ok(Datum::Set(0));
        }
        let collation = member_collation(target);
        let mut mask = 0u64;
        let mut complete = true;
        for name in text.split(|b| *b == b',') {
            match member(elems, name, collation) {
                Some(at) => mask |= 1 << (at - 1),
                None => complete = false,
            }
        }
        if complete {
            return Ok(Datum::Set(mask));
        }
        if let Some(number) = given_number(value, from, cx)?.filter(|n| *n <= all) {
            return Ok(Datum::Set(number));
        }
        cx.bad_value(target.truncated())?;
        return Ok(Datum::Set(mask));
    }
    match given_number(value, from, cx)? {
        Some(number) if number <= all => Ok(Datum::Set(number)),
        other => {
            cx.bad_value(target.truncated())?;
            Ok(Datum::Set(other.unwrap_or(0) & all))
        }
    }
}
