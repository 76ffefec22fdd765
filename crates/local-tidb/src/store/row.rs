//! Rows as record keys and values.

use std::sync::OnceLock;

use jiff::tz::TimeZone;
use tidb_codec::field::tp;
use tidb_codec::key::{self, HandleRef};
use tidb_codec::row::{ColumnValue, RowV2, encode_row_v2};
use tidb_codec::{Datum, Handle, TimeKind};

use crate::catalog::{Column, HandleKind, Index, Table};
use tidb_expr::coerce::codec;
use tidb_expr::{Result, SqlError};

/// A row with what it is stored under. Values are those of the table's public columns, TIMESTAMPs in the session's
/// zone.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredRow {
    /// The handle.
    pub(crate) handle: Handle,
    /// The values.
    pub(crate) values: Vec<Datum>,
}

/// UTC, to tell whether TIMESTAMPs need a conversion at all.
fn utc() -> &'static TimeZone {
    static UTC: OnceLock<TimeZone> = OnceLock::new();
    UTC.get_or_init(|| TimeZone::UTC)
}

/// A column's value as it is stored: a TIMESTAMP in UTC.
pub(crate) fn to_stored(column: &Column, value: &Datum, zone: &TimeZone) -> Result<Datum> {
    match value {
        Datum::Time(time) if column.ty.tp == tp::TIMESTAMP && zone != utc() => {
            time.to_utc_from(zone).map(Datum::Time).map_err(codec)
        }
        other => Ok(other.clone()),
    }
}

/// A stored value as the session sees it.
fn from_stored(column: &Column, value: Datum, zone: &TimeZone) -> Result<Datum> {
    match value {
        Datum::Time(time) if column.ty.tp == tp::TIMESTAMP && zone != utc() => {
            time.from_utc_to(zone).map(Datum::Time).map_err(codec)
        }
        other => Ok(other),
    }
}

/// The handle that a row's values give it; `None` where rows are numbered.
///
/// # Errors
/// A key value that cannot be encoded.
pub(crate) fn handle_of(table: &Table, values: &[Datum], zone: &TimeZone) -> Result<Option<Handle>> {
    match table.handle {
        HandleKind::RowId => Ok(None),
        HandleKind::Int(at) => match values.get(at) {
            Some(Datum::Int(v)) => Ok(Some(Handle::Int(*v))),
            Some(Datum::Uint(v)) => Ok(Some(Handle::Int(*v as i64))),
            other => Err(SqlError::internal(format!("handle is {other:?}"))),
        },
        HandleKind::Common(at) => {
            let mut out = Vec::new();
            for (column, prefix) in primary_columns(table, at) {
                let value = values.get(column).unwrap_or(&Datum::Null);
                if let Some(info) = table.columns.get(column) {
                    let stored = to_stored(info, value, zone)?;
                    tidb_codec::datum::encode_key_column(&info.info.field_type, &stored, prefix, &mut out)
                        .map_err(codec)?;
                }
            }
            Ok(Some(Handle::Common(out)))
        }
    }
}

/// Columns of the clustered key with their prefix lengths.
fn primary_columns(table: &Table, index: usize) -> impl Iterator<Item = (usize, Option<usize>)> + '_ {
    table.indices.get(index).into_iter().flat_map(|i: &Index| i.columns.iter().copied())
}

/// Whether a column's value is in the handle alone.
fn only_in_handle(table: &Table, at: usize, column: &Column) -> bool {
    match table.handle {
        HandleKind::RowId => false,
        HandleKind::Int(pk) => pk == at,
        HandleKind::Common(index) => {
            let whole = primary_columns(table, index).any(|(c, prefix)| c == at && prefix.is_none());
            whole && !tidb_codec::collation::needs_restored_data(&column.info.field_type)
        }
    }
}

/// Whether a row without the column reads as NULL, so that TiDB leaves a NULL out.
fn reads_as_null(column: &Column) -> bool {
    let info = &column.info;
    info.default.is_null()
        && info.default_bit.is_none()
        && info.origin_default.is_null()
        && info.origin_default_bit.is_none()
        && !column.is_not_null()
}

/// The record value of a row.
///
/// # Errors
/// A value that its column cannot hold.
pub(crate) fn encode(table: &Table, values: &[Datum], zone: &TimeZone) -> Result<Vec<u8>> {
    let mut converted: Vec<(usize, Datum)> = Vec::new();
    if zone != utc() {
        for (at, (column, value)) in table.columns.iter().zip(values).enumerate() {
            if column.ty.tp == tp::TIMESTAMP && !value.is_null() {
                converted.push((at, to_stored(column, value, zone)?));
            }
        }
    }
    let mut columns: Vec<ColumnValue<'_>> = Vec::with_capacity(values.len());
    for (at, (column, value)) in table.columns.iter().zip(values).enumerate() {
        if only_in_handle(table, at, column) || value.is_null() && reads_as_null(column) {
            continue;
        }
        let value = converted.iter().find(|(c, _)| *c == at).map_or(value, |(_, v)| v);
        columns.push((column.info.id, &column.info.field_type, value));
    }
    encode_row_v2(&columns).map_err(codec)
}

/// Reads a row.
///
/// # Errors
/// A malformed key or value.
pub(crate) fn decode(table: &Table, record_key: &[u8], value: &[u8], zone: &TimeZone) -> Result<StoredRow> {
    let record = key::decode_record_key(record_key).map_err(codec)?;
    let row = RowV2::parse(value).map_err(codec)?;
    let mut values = Vec::with_capacity(table.columns.len());
    for (at, column) in table.columns.iter().enumerate() {
        let field = &column.info.field_type;
        let stored = if table.handle == HandleKind::Int(at) {
            int_handle(&record.handle, field.is_unsigned())
        } else {
            match row.get(column.info.id) {
                Some(Some(raw)) => Some(tidb_codec::row::decode_column(field, raw).map_err(codec)?),
                Some(None) => Some(Datum::Null),
                None => None,
            }
        };
        let value = match stored {
            Some(value) => from_stored(column, value, zone)?,
            None => match from_handle(table, at, &record.handle)? {
                Some(value) => from_stored(column, value, zone)?,
                None => missing(column, zone)?,
            },
        };
        values.push(value);
    }
    Ok(StoredRow { handle: record.handle.to_owned(), values })
}

/// The value of a primary key column that is the handle itself.
fn int_handle(handle: &HandleRef<'_>, unsigned: bool) -> Option<Datum> {
    match handle {
        HandleRef::Int(v) if unsigned => Some(Datum::Uint(*v as u64)),
        HandleRef::Int(v) => Some(Datum::Int(*v)),
        HandleRef::Common(_) => None,
    }
}

/// A column that is kept in the common handle.
fn from_handle(table: &Table, at: usize, handle: &HandleRef<'_>) -> Result<Option<Datum>> {
    let (HandleKind::Common(index), HandleRef::Common(bytes)) = (table.handle, handle) else {
        return Ok(None);
    };
    let mut rest: &[u8] = bytes;
    for (column, _) in primary_columns(table, index) {
        let (value, tail) = tidb_codec::datum::decode_one(rest).map_err(codec)?;
        rest = tail;
        if column == at
            && let Some(info) = table.columns.get(at)
        {
            return value.into_column(&info.info.field_type).map(Some).map_err(codec);
        }
    }
    Ok(None)
}

/// The value of a column that was added after the row was written.
fn missing(column: &Column, zone: &TimeZone) -> Result<Datum> {
    crate::default_value::origin(column, zone)
}

/// The kind of time that a column holds.
pub(crate) fn time_kind(column: &Column) -> TimeKind {
    TimeKind::of_column(column.ty.tp).unwrap_or(TimeKind::DateTime)
}
