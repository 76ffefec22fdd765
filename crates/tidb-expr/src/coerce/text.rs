//! Values as text.

use std::borrow::Cow;

use tidb_codec::field::tp;
use tidb_codec::{Datum, float};

use crate::result_type::ResultType;

/// Text of an ENUM or SET value.
fn member_text(value: &Datum, ty: &ResultType) -> Vec<u8> {
    let elems = ty.elems.as_deref().unwrap_or_default();
    match value {
        Datum::Enum(n) => usize::try_from(*n)
            .ok()
            .and_then(|n| n.checked_sub(1))
            .and_then(|at| elems.get(at))
            .map(|e| e.as_bytes().to_vec())
            .unwrap_or_default(),
        Datum::Set(mask) => {
            let chosen: Vec<&str> = elems
                .iter()
                .enumerate()
                .filter(|(at, _)| mask >> at & 1 == 1)
                .map(|(_, e)| e.as_str())
                .collect();
            chosen.join(",").into_bytes()
        }
        _ => Vec::new(),
    }
}

/// Bytes of a BIT value of its type's width.
fn bit_text(bits: u64, ty: &ResultType) -> Vec<u8> {
    let width = usize::try_from(ty.flen.clamp(1, 64)).unwrap_or(64).div_ceil(8);
    bits.to_be_bytes().into_iter().skip(8 - width).collect()
}

/// The value as text; `None` is NULL.
pub fn text<'a>(value: &'a Datum, ty: &ResultType) -> Option<Cow<'a, [u8]>> {
    let mut out = Vec::new();
    match value {
        Datum::Null => return None,
        Datum::Bytes(bytes) => return Some(Cow::Borrowed(bytes)),
        Datum::Int(v) if ty.tp == tp::YEAR => out.extend_from_slice(format!("{v:04}").as_bytes()),
        Datum::Int(v) => tidb_codec::text::write_i64(*v, &mut out),
        Datum::Uint(v) => tidb_codec::text::write_u64(*v, &mut out),
        Datum::Float(v) if has_scale(ty) => out = format!("{v:.*}", scale_of(ty)).into_bytes(),
        Datum::Double(v) if has_scale(ty) => out = format!("{v:.*}", scale_of(ty)).into_bytes(),
        Datum::Float(v) => float::write_f32_sql(*v, &mut out),
        Datum::Double(v) => float::write_f64_sql(*v, &mut out),
        Datum::Decimal(v) => out = v.to_string().into_bytes(),
        Datum::Time(v) => v.write_text(&mut out),
        Datum::Duration(v) => v.write_text(&mut out),
        Datum::Json(v) => out = v.to_string().into_bytes(),
        Datum::Enum(_) | Datum::Set(_) => out = member_text(value, ty),
        Datum::Bit(bits) => out = bit_text(*bits, ty),
        Datum::Vector(values) => {
            out.push(b'[');
            for (at, v) in values.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                float::write_f32(*v, &mut out);
            }
            out.push(b']');
        }
    }
    Some(Cow::Owned(out))
}

/// FLOAT(M,D) and DOUBLE(M,D) columns print with D digits.
fn has_scale(ty: &ResultType) -> bool {
    matches!(ty.tp, tp::FLOAT | tp::DOUBLE) && (0..31).contains(&ty.decimal)
}

/// Fraction digits of a type.
fn scale_of(ty: &ResultType) -> usize {
    usize::try_from(ty.decimal).unwrap_or(0)
}

/// The value as text that is certainly UTF-8: other bytes become replacement characters.
pub fn string(value: &Datum, ty: &ResultType) -> Option<String> {
    text(value, ty).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}
