//! Text as numbers of its bytes, and back.

use tidb_codec::Datum;

use super::text::units;
use super::{Builtin, Call, MANY, bytes_type, function, int_or_null, int_type, text_or_null, text_type};
use crate::coerce;
use crate::error::Result;

/// `HEX(x)`: of a number or of bytes.
fn hex(c: &Call<'_>) -> Result<Datum> {
    let value = c.value(0)?;
    Ok(match &value {
        Datum::Null => Datum::Null,
        Datum::Int(_)
        | Datum::Uint(_)
        | Datum::Double(_)
        | Datum::Float(_)
        | Datum::Decimal(_)
        | Datum::Bit(_) => {
            let bits = coerce::integer(&value, c.arg(0)?.ty(), c.cx)?.map_or(0, |v| v.bits());
            Datum::Bytes(format!("{bits:X}").into_bytes())
        }
        other => {
            let text = coerce::text(other, c.arg(0)?.ty()).unwrap_or_default();
            Datum::Bytes(text.iter().flat_map(|b| format!("{b:02X}").into_bytes()).collect())
        }
    })
}

/// Bytes of a hexadecimal text; an odd number of digits gets a zero in front.
pub(crate) fn unhex_text(text: &[u8]) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        text.iter().map(|b| char::from(*b).to_digit(16).map(|d| d as u8)).collect::<Option<_>>()?;
    let odd = digits.len() % 2;
    let padded: Vec<u8> = std::iter::repeat_n(0, odd).chain(digits).collect();
    Some(padded.chunks(2).map(|pair| pair.iter().fold(0, |sum, d| sum << 4 | d)).collect())
}

/// `ASCII(text)`: the first byte.
fn ascii(c: &Call<'_>) -> Result<Datum> {
    Ok(int_or_null(c.bytes(0)?.map(|b| b.first().copied().map_or(0, i64::from))))
}

/// `CHAR(n, …)`: the bytes of the numbers.
fn char_(c: &Call<'_>) -> Result<Datum> {
    let mut out = Vec::new();
    for at in 0..c.args.len() {
        if let Some(n) = c.integer(at)? {
            let bytes = (n.bits() as u32).to_be_bytes();
            let significant = bytes.iter().position(|b| *b != 0).unwrap_or(3);
            out.extend(bytes.iter().skip(significant));
        }
    }
    Ok(Datum::Bytes(out))
}

/// The functions of this module.
pub(super) static TABLE: &[Builtin] = &[
    function("hex", 1, 1, text_type, hex),
    function("unhex", 1, 1, bytes_type, |c| Ok(text_or_null(c.bytes(0)?.and_then(|b| unhex_text(&b))))),
    function("ascii", 1, 1, int_type, ascii),
    function("ord", 1, 1, int_type, |c| {
        Ok(int_or_null(c.bytes(0)?.map(|b| {
            units(&b, true)
                .first()
                .map_or(0, |first| first.iter().fold(0, |sum, byte| sum << 8 | i64::from(*byte)))
        })))
    }),
    function("char", 1, MANY, bytes_type, char_),
];
