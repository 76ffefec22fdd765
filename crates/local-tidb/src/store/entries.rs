//! Index entries of rows, and the writes that add, change and remove a row.

use bytes::Bytes;
use jiff::tz::TimeZone;
use tidb_codec::index::{IndexColumn, IndexEntry, IndexLayout, IndexedRow};
use tidb_codec::{Datum, Handle, key};

use super::row::{self, StoredRow};
use super::txn::Txn;
use crate::catalog::{HandleKind, Index, Table};
use tidb_expr::coerce::{self, codec};
use tidb_expr::{Result, SqlError};

/// How an index's entries are written.
pub(crate) fn layout<'a>(table: &'a Table, index: &'a Index) -> IndexLayout<'a> {
    let columns_of = |index: &'a Index| -> Vec<IndexColumn<'a>> {
        index
            .columns
            .iter()
            .filter_map(|(at, prefix)| {
                let column = table.columns.get(*at)?;
                Some(IndexColumn { id: column.info.id, field: &column.info.field_type, prefix: *prefix })
            })
            .collect()
    };
    let handle_columns = match table.handle {
        HandleKind::Common(at) => table.indices.get(at).map(columns_of).unwrap_or_default(),
        _ => Vec::new(),
    };
    IndexLayout {
        table_id: table.info.id,
        index_id: index.info.id,
        unique: index.info.unique,
        global: false,
        columns: columns_of(index),
        handle_columns,
    }
}

/// Stored values of an index's columns.
fn key_values(table: &Table, index: &Index, values: &[Datum], zone: &TimeZone) -> Result<Vec<Datum>> {
    index
        .columns
        .iter()
        .filter_map(|(at, _)| Some((table.columns.get(*at)?, values.get(*at)?)))
        .map(|(column, value)| row::to_stored(column, value, zone))
        .collect()
}

/// The entry of a row in an index.
///
/// # Errors
/// Values that cannot be encoded.
pub(crate) fn entry(table: &Table, index: &Index, row: &StoredRow, zone: &TimeZone) -> Result<IndexEntry> {
    let values = key_values(table, index, &row.values, zone)?;
    let handle_values = match table.handle {
        HandleKind::Common(at) => match table.indices.get(at) {
            Some(primary) => key_values(table, primary, &row.values, zone)?,
            None => Vec::new(),
        },
        _ => Vec::new(),
    };
    layout(table, index)
        .entry(&IndexedRow {
            values: &values,
            handle: row.handle.as_ref(),
            handle_values: &handle_values,
            partition_id: 0,
        })
        .map_err(codec)
}

/// The record key of a row.
pub(crate) fn record_key(table: &Table, handle: &Handle) -> Vec<u8> {
    key::record_key(table.info.id, handle)
}

/// The keys that only one row may have: its record key (unless rows are numbered) and its entries in unique indexes.
///
/// # Errors
/// Values that cannot be encoded.
pub(crate) fn unique_keys<'a>(
    table: &'a Table,
    row: &StoredRow,
    zone: &TimeZone,
) -> Result<Vec<(Bytes, Option<&'a Index>)>> {
    let mut keys = Vec::new();
    if table.handle != HandleKind::RowId {
        let index = match table.handle {
            HandleKind::Common(at) => table.indices.get(at),
            _ => None,
        };
        keys.push((record_key(table, &row.handle).into(), index));
    }
    for index in table.stored_indices().filter(|i| i.info.unique) {
        let entry = entry(table, index, row, zone)?;
        if entry.distinct {
            keys.push((entry.key.into(), Some(index)));
        }
    }
    Ok(keys)
}

/// 1062 for a row's key.
pub(crate) fn duplicate(table: &Table, index: Option<&Index>, values: &[Datum]) -> SqlError {
    let shown = |at: usize| {
        let column = table.columns.get(at);
        let ty = column.map(|c| c.ty.clone());
        match (values.get(at), ty) {
            (Some(value), Some(ty)) => coerce::string(value, &ty).unwrap_or_else(|| "NULL".to_owned()),
            _ => String::new(),
        }
    };
    let columns: Vec<usize> = match (index, table.handle) {
        (Some(index), _) => index.columns.iter().map(|(at, _)| *at).collect(),
        (None, HandleKind::Int(at)) => vec![at],
        _ => Vec::new(),
    };
    let entry: Vec<String> = columns.into_iter().map(shown).collect();
    SqlError::duplicate_entry(&entry.join("-"), &table.key_name(index))
}

/// Adds a row. `lazy` leaves the check for duplicates among stored rows to the commit; duplicates among the
/// transaction's own writes are found in any case.
///
/// # Errors
/// 1062, values that cannot be encoded, 8004.
pub(crate) fn add(txn: &mut Txn, table: &Table, row: &StoredRow, lazy: bool, zone: &TimeZone) -> Result<()> {
    txn.changed_tables.insert(table.info.id);
    let record = record_key(table, &row.handle);
    let value = row::encode(table, &row.values, zone)?;
    let keyed = table.handle != HandleKind::RowId;
    if keyed && txn.own_write(&record) == Some(true) {
        let index = if let HandleKind::Common(at) = table.handle { table.indices.get(at) } else { None };
        return Err(duplicate(table, index, &row.values));
    }
    if lazy && keyed {
        txn.put_new(record, value)?
    } else {
        txn.put(record, value)?
    }
    for index in table.stored_indices() {
        let entry = entry(table, index, row, zone)?;
        if entry.distinct && txn.own_write(&entry.key) == Some(true) {
            return Err(duplicate(table, Some(index), &row.values));
        }
        if lazy && entry.distinct {
            txn.put_new(entry.key, entry.value)?
        } else {
            txn.put(entry.key, entry.value)?
        }
    }
    Ok(())
}

/// Removes a row.
///
/// # Errors
/// Values that cannot be encoded, 8004.
pub(crate) fn remove(txn: &mut Txn, table: &Table, row: &StoredRow, zone: &TimeZone) -> Result<()> {
    txn.changed_tables.insert(table.info.id);
    txn.delete(record_key(table, &row.handle))?;
    for index in table.stored_indices() {
        let entry = entry(table, index, row, zone)?;
        txn.delete(entry.key)?;
    }
    Ok(())
}

/// Changes a row in place: same handle, entries only where they differ.
///
/// # Errors
/// 1062 against own writes, values that cannot be encoded, 8004.
pub(crate) fn change(
    txn: &mut Txn,
    table: &Table,
    old: &StoredRow,
    new: &StoredRow,
    lazy: bool,
    zone: &TimeZone,
) -> Result<()> {
    txn.changed_tables.insert(table.info.id);
    let record = record_key(table, &new.handle);
    txn.put(record, row::encode(table, &new.values, zone)?)?;
    for index in table.stored_indices() {
        let (before, after) = (entry(table, index, old, zone)?, entry(table, index, new, zone)?);
        if before.key == after.key {
            if before.value != after.value {
                txn.put(after.key, after.value)?;
            }
            continue;
        }
        txn.delete(before.key)?;
        if after.distinct && txn.own_write(&after.key) == Some(true) {
            return Err(duplicate(table, Some(index), &new.values));
        }
        if lazy && after.distinct {
            txn.put_new(after.key, after.value)?
        } else {
            txn.put(after.key, after.value)?
        }
    }
    Ok(())
}

/// 1062 for a key that the commit found taken: finds the row among the transaction's own writes.
pub(crate) fn duplicate_at_commit(
    writes: &[(Bytes, Bytes)],
    tables: &[std::sync::Arc<Table>],
    taken: &[u8],
    zone: &TimeZone,
) -> Option<SqlError> {
    let table_id = key::table_id_of(taken)?;
    let table = tables.iter().find(|t| t.info.id == table_id)?;
    for (record, value) in writes {
        if key::decode_record_key(record).is_ok_and(|r| r.table_id == table_id)
            && let Ok(row) = row::decode(table, record, value, zone)
            && let Ok(keys) = unique_keys(table, &row, zone)
            && let Some((_, index)) = keys.into_iter().find(|(k, _)| k == taken)
        {
            return Some(duplicate(table, index, &row.values));
        }
    }
    None
}
