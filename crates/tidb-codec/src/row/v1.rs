//! Row format v1: flagged column ids and values in turn.

use crate::{CodecError, cursor, datum::flagged, varint};

/// Name of the item in errors.
const WHAT: &str = "row in format v1";

/// A row in format v1, known to be well formed.
#[derive(Debug, Clone, Copy)]
pub struct RowV1<'a> {
    /// Ids and values in turn; empty for a row without columns.
    pairs: &'a [u8],
}

/// Splits a column id and its flagged value off the front.
#[inline]
fn split_pair(bytes: &[u8]) -> Result<(i64, &[u8], &[u8]), CodecError> {
    let (flag, rest) = cursor::take_u8(bytes, WHAT)?;
    if flag != flagged::VARINT {
        return Err(CodecError::UnknownCode { what: "column id flag", code: flag });
    }
    let (id, rest) = varint::decode_varint(rest)?;
    let after = flagged::skip_one(rest)?;
    let value = rest.get(..rest.len() - after.len()).unwrap_or_default();
    Ok((id, value, after))
}

impl<'a> RowV1<'a> {
    /// Takes a row apart. A single zero byte is a row without columns.
    ///
    /// # Errors
    /// An empty or malformed row.
    pub fn parse(value: &'a [u8]) -> Result<Self, CodecError> {
        match value {
            [] => return Err(CodecError::Truncated { what: WHAT, needed: 1, have: 0 }),
            [flagged::NIL] => return Ok(Self { pairs: &[] }),
            _ => {}
        }
        let mut rest = value;
        while !rest.is_empty() {
            (_, _, rest) = split_pair(rest)?;
        }
        Ok(Self { pairs: value })
    }

    /// The flagged value of a column: `None` when the row does not mention it, `Some(None)` when it is NULL.
    pub fn get(&self, column_id: i64) -> Option<Option<&'a [u8]>> {
        self.values().find(|(id, _)| *id == column_id).map(|(_, value)| value)
    }

    /// Column ids with their flagged values (`None` for NULL), as they stand in the row.
    pub fn values(&self) -> impl Iterator<Item = (i64, Option<&'a [u8]>)> + use<'a> {
        let mut rest = self.pairs;
        std::iter::from_fn(move || {
            let (id, value, after) = split_pair(rest).ok()?;
            rest = after;
            Some((id, (!flagged::is_null(value)).then_some(value)))
        })
    }
}
