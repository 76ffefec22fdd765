//! A stored row before or after a change.

use tidb_codec::row::Row;
use tidb_codec::{CodecError, HandleRef, datum};

use crate::column_template::{ColumnTemplate, KeyPart};
use crate::flagged_value;

/// A stored row and its key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowImage<'a> {
    handle: HandleRef<'a>,
    stored: Row<'a>,
}

/// Where a column's value was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Located<'a> {
    /// The row does not hold the column.
    Missing,
    /// The row says NULL.
    Null,
    /// Bytes of row format v2.
    Raw(&'a [u8]),
    /// Bytes behind a type flag: row format v1, or a part of the key.
    Flagged(&'a [u8]),
    /// The integer handle.
    Handle(i64),
}

impl<'a> RowImage<'a> {
    /// Reads a stored row.
    ///
    /// # Errors
    /// If the row is malformed.
    pub(crate) fn new(handle: HandleRef<'a>, value: &'a [u8]) -> Result<Self, CodecError> {
        let stored = Row::parse(value)?;
        Ok(Self { handle, stored })
    }

    /// The stored row.
    pub(crate) fn stored(&self) -> &Row<'a> {
        &self.stored
    }

    /// Finds the value of a column: in the row, or else in the key. The row comes first because the key may hold a
    /// sort key in place of a string.
    ///
    /// # Errors
    /// If row or key are malformed.
    #[inline]
    pub(crate) fn locate(&self, column: &ColumnTemplate) -> Result<Located<'a>, CodecError> {
        if let (Some(KeyPart::IntHandle), HandleRef::Int(handle)) = (column.key_part, self.handle) {
            return Ok(Located::Handle(handle));
        }
        let (found, flagged) = match &self.stored {
            Row::V2(row) => (row.get(column.id), false),
            Row::V1(row) => (row.get(column.id), true),
        };
        let found = match found {
            Some(Some(value)) if flagged => Located::Flagged(value),
            Some(Some(raw)) => Located::Raw(raw),
            Some(None) => Located::Null,
            None => Located::Missing,
        };
        match (found, column.key_part, self.handle) {
            (Located::Missing, Some(KeyPart::Common(position)), HandleRef::Common(parts)) => {
                part_of(parts, position)
            }
            _ => Ok(found),
        }
    }
}

/// The flagged value at `position` of a common handle. Columns of a primary key are never NULL.
///
/// # Errors
/// A handle that is malformed or has no such part.
pub(crate) fn part_of(parts: &[u8], position: usize) -> Result<Located<'_>, CodecError> {
    let mut rest = parts;
    for _ in 0..position {
        rest = datum::skip_one(rest)?;
    }
    match rest.first() {
        None | Some(&flagged_value::NIL) => {
            Err(CodecError::Malformed { what: "row key", reason: "a column of the primary key is missing" })
        }
        Some(_) => Ok(Located::Flagged(rest)),
    }
}
