//! Writing rows.

use super::{
    VERSION_2, checksum,
    column::{check_kind, coerce_integer, encode_column},
    v2::{FLAG_CHECKSUM, FLAG_LARGE},
};
use crate::{CodecError, Datum, FieldType, HandleRef, datum::flagged, varint};

/// A column's id, type and value.
pub type ColumnValue<'a> = (i64, &'a FieldType, &'a Datum);

/// Largest column id of a small row.
const SMALL_ID: u32 = u8::MAX as u32;
/// Most data bytes of a small row.
const SMALL_DATA: usize = u16::MAX as usize;

/// A row in format v2 without checksum. TIMESTAMP values must be in UTC.
///
/// # Errors
/// A value its column cannot hold, a column id outside 0 to 2³²−1 or given twice, or too many columns.
pub fn encode_row_v2(columns: &[ColumnValue<'_>]) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::new();
    write_row_v2(columns, None, &mut out)?;
    Ok(out)
}

/// Appends a row in format v2, with TiDB's current checksum (version 2) if a handle is given.
///
/// # Errors
/// As [`encode_row_v2`].
pub fn write_row_v2(
    columns: &[ColumnValue<'_>],
    checksum_handle: Option<HandleRef<'_>>,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let checked = columns.iter().map(|(id, field, datum)| {
        check_kind(field, datum)?;
        Ok((*id, *field, coerce_integer(field, datum).map_or(Value::Kept(datum), Value::Coerced)))
    });
    let values = checked.collect::<Result<Vec<_>, CodecError>>()?;
    let borrowed: Vec<ColumnValue<'_>> =
        values.iter().map(|(id, field, value)| (*id, *field, value.get())).collect();
    write_unchecked(&borrowed, checksum_handle, out)
}

/// A value as given, or with the sign kind of its column.
enum Value<'a> {
    /// As given.
    Kept(&'a Datum),
    /// Changed.
    Coerced(Datum),
}

impl Value<'_> {
    /// The value.
    fn get(&self) -> &Datum {
        match self {
            Self::Kept(datum) => datum,
            Self::Coerced(datum) => datum,
        }
    }
}

/// Appends a row in format v2 whatever the kinds of its values: index entries keep other things than column
/// values in rows.
pub(crate) fn write_unchecked(
    columns: &[ColumnValue<'_>],
    checksum_handle: Option<HandleRef<'_>>,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let start = out.len();
    let mut with_value = Vec::with_capacity(columns.len());
    let mut null_ids = Vec::new();
    for (id, field, datum) in columns {
        let id = u32::try_from(*id)
            .map_err(|_| CodecError::OutOfRange { kind: "column id", value: id.to_string() })?;
        if datum.is_null() {
            null_ids.push(id);
        } else {
            with_value.push((id, *field, *datum));
        }
    }
    with_value.sort_unstable_by_key(|(id, ..)| *id);
    null_ids.sort_unstable();
    check_distinct(columns)?;

    let mut data = Vec::new();
    let mut ends = Vec::with_capacity(with_value.len());
    for (_, field, datum) in &with_value {
        encode_column(field, datum, &mut data)?;
        ends.push(u32::try_from(data.len()).map_err(|_| too_large("row", data.len()))?);
    }
    let ids = || with_value.iter().map(|(id, ..)| *id).chain(null_ids.iter().copied());
    let large = data.len() > SMALL_DATA || ids().any(|id| id > SMALL_ID);
    let count = |len: usize| u16::try_from(len).map_err(|_| too_large("number of columns", len));
    let flags =
        if large { FLAG_LARGE } else { 0 } | if checksum_handle.is_some() { FLAG_CHECKSUM } else { 0 };
    out.extend_from_slice(&[VERSION_2, flags]);
    out.extend_from_slice(&count(with_value.len())?.to_le_bytes());
    out.extend_from_slice(&count(null_ids.len())?.to_le_bytes());
    if large {
        ids().for_each(|id| out.extend_from_slice(&id.to_le_bytes()));
        ends.iter().for_each(|end| out.extend_from_slice(&end.to_le_bytes()));
    } else {
        out.extend(ids().map(|id| id as u8));
        ends.iter().for_each(|end| out.extend_from_slice(&(*end as u16).to_le_bytes()));
    }
    out.extend_from_slice(&data);
    if let Some(handle) = checksum_handle {
        checksum::append(start, handle, out);
    }
    Ok(())
}

/// Refuses a column given twice.
fn check_distinct(columns: &[ColumnValue<'_>]) -> Result<(), CodecError> {
    let mut ids: Vec<i64> = columns.iter().map(|(id, ..)| *id).collect();
    ids.sort_unstable();
    if ids.is_sorted_by(|a, b| a < b) {
        Ok(())
    } else {
        Err(CodecError::Malformed { what: "row", reason: "a column is given twice" })
    }
}

/// A row beyond what the format can count.
fn too_large(kind: &'static str, value: usize) -> CodecError {
    CodecError::OutOfRange { kind, value: value.to_string() }
}

/// A row in format v1. TIMESTAMP values must be in UTC.
///
/// # Errors
/// A value its column cannot hold.
pub fn encode_row_v1(columns: &[ColumnValue<'_>]) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::new();
    for (id, field, datum) in columns {
        check_kind(field, datum)?;
        out.push(flagged::VARINT);
        varint::encode_varint(*id, &mut out);
        let coerced = coerce_integer(field, datum);
        flagged::encode_value_column(field, coerced.as_ref().unwrap_or(datum), &mut out)?;
    }
    if out.is_empty() {
        out.push(flagged::NIL);
    }
    Ok(out)
}
