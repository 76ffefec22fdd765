//! Index entries as TiDB writes them with the new collation framework on: keys that sort by the indexed
//! values, and values that hold the handle and whatever the key has lost.

mod decode;
#[cfg(test)]
mod tests;

pub use decode::{IndexValue, decode_entry_handle, decode_index_value};

use crate::{
    CodecError, Datum, FieldType, HandleRef,
    collation::{self, Collation},
    datum::{self, flagged},
    field::flag,
    key, memcomparable, row,
};

/// Marks a value of a clustered table of version 1 (all since TiDB 5.0).
const VERSION_FLAG: u8 = 125;
/// Marks a partition id.
const PARTITION_FLAG: u8 = 126;
/// Marks a common handle.
const COMMON_HANDLE_FLAG: u8 = 127;
/// Version of clustered tables' index values.
const CLUSTERED_VERSION: u8 = 1;
/// Longest value of the old layout; longer values have the new one.
const MAX_OLD_LEN: usize = 9;
/// Value of an entry that has nothing to say.
const EMPTY_VALUE: u8 = b'0';

/// A column of an index.
#[derive(Debug, Clone, Copy)]
pub struct IndexColumn<'a> {
    /// Column id.
    pub id: i64,
    /// Column type.
    pub field: &'a FieldType,
    /// Characters (bytes of binary strings) of an index on a prefix; `None` for the whole column.
    pub prefix: Option<usize>,
}

/// What has to be known of an index and its table to write entries.
#[derive(Debug, Clone)]
pub struct IndexLayout<'a> {
    /// Physical table id; the logical one for a global index.
    pub table_id: i64,
    /// Index id.
    pub index_id: i64,
    /// Whether the index is UNIQUE or a PRIMARY KEY.
    pub unique: bool,
    /// Whether the index spans the partitions of its table.
    pub global: bool,
    /// Indexed columns.
    pub columns: Vec<IndexColumn<'a>>,
    /// Columns of the clustered primary key of a table with common handles; empty for integer handles.
    pub handle_columns: Vec<IndexColumn<'a>>,
}

/// A row, as far as an index entry needs it.
#[derive(Debug, Clone, Copy)]
pub struct IndexedRow<'a> {
    /// Values of the indexed columns, in the index's order; TIMESTAMP in UTC.
    pub values: &'a [Datum],
    /// Handle of the row.
    pub handle: HandleRef<'a>,
    /// Values of the clustered primary key's columns; empty for integer handles.
    pub handle_values: &'a [Datum],
    /// Partition of the row, for a global index.
    pub partition_id: i64,
}

/// An index entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexEntry {
    /// Raw key.
    pub key: Vec<u8>,
    /// Value.
    pub value: Vec<u8>,
    /// Whether the key is unique by itself: it does not end in the handle, and another row with the same
    /// values is a duplicate.
    pub distinct: bool,
}

impl IndexLayout<'_> {
    /// The entry of a row.
    ///
    /// # Errors
    /// Values that do not match the columns in number or kind, or a collation without sort keys.
    pub fn entry(&self, row: &IndexedRow<'_>) -> Result<IndexEntry, CodecError> {
        if row.values.len() != self.columns.len() || row.handle_values.len() != self.handle_columns.len() {
            return Err(CodecError::Malformed { what: "index entry", reason: "number of values" });
        }
        let distinct = self.unique && !row.values.iter().any(Datum::is_null);
        let mut key = self.prefix_key(row.values)?;
        if !distinct {
            match row.handle {
                HandleRef::Int(value) => {
                    key.push(flagged::INT);
                    memcomparable::encode_i64(value, &mut key);
                }
                HandleRef::Common(bytes) => key.extend_from_slice(bytes),
            }
        }
        let value = match row.handle {
            HandleRef::Int(handle) => self.value_of_int_handle(row, handle, distinct)?,
            HandleRef::Common(handle) => self.value_of_common_handle(row, handle, distinct)?,
        };
        Ok(IndexEntry { key, value, distinct })
    }

    /// The key up to the given values, which may be fewer than the index has: start of all entries with them.
    ///
    /// # Errors
    /// As [`IndexLayout::entry`].
    pub fn prefix_key(&self, values: &[Datum]) -> Result<Vec<u8>, CodecError> {
        let mut key = key::index_prefix(self.table_id, self.index_id);
        for (column, value) in self.columns.iter().zip(values) {
            datum::encode_key_column(column.field, value, column.prefix, &mut key)?;
        }
        Ok(key)
    }

    /// Value for a table with integer handles.
    fn value_of_int_handle(
        &self,
        row: &IndexedRow<'_>,
        handle: i64,
        distinct: bool,
    ) -> Result<Vec<u8>, CodecError> {
        let restored = self.columns.iter().any(|column| collation::needs_restored_data(column.field));
        if !restored && !self.global {
            return Ok(if distinct { handle.to_be_bytes().to_vec() } else { vec![EMPTY_VALUE] });
        }
        let mut value = vec![0];
        if self.global {
            write_partition(row.partition_id, &mut value);
        }
        if restored {
            let values = self
                .columns
                .iter()
                .zip(row.values)
                .map(|(column, value)| truncated(column.field, value, column.prefix))
                .collect::<Result<Vec<_>, _>>()?;
            let columns: Vec<_> = self
                .columns
                .iter()
                .zip(&values)
                .map(|(column, value)| (column.id, column.field, value))
                .collect();
            row::write_restored(&columns, &mut value)?;
        }
        let mut tail = 0;
        if distinct {
            value.extend_from_slice(&handle.to_be_bytes());
            tail = size_of::<i64>();
        } else if value.len() <= MAX_OLD_LEN {
            tail = MAX_OLD_LEN + 1 - value.len();
            value.resize(MAX_OLD_LEN + 1, 0);
        }
        if let Some(first) = value.first_mut() {
            *first = tail as u8;
        }
        Ok(value)
    }

    /// Value for a table with common handles.
    fn value_of_common_handle(
        &self,
        row: &IndexedRow<'_>,
        handle: &[u8],
        distinct: bool,
    ) -> Result<Vec<u8>, CodecError> {
        let mut value = vec![0, VERSION_FLAG, CLUSTERED_VERSION];
        if distinct {
            let len = u16::try_from(handle.len()).map_err(|_| CodecError::OutOfRange {
                kind: "handle length",
                value: handle.len().to_string(),
            })?;
            value.push(COMMON_HANDLE_FLAG);
            value.extend_from_slice(&len.to_be_bytes());
            value.extend_from_slice(handle);
        }
        if self.global {
            write_partition(row.partition_id, &mut value);
        }
        let needs = |columns: &[IndexColumn<'_>]| {
            columns.iter().any(|column| collation::needs_restored_data(column.field))
        };
        if needs(&self.columns) || needs(&self.handle_columns) {
            let restored = self.restored_data(row)?;
            let columns: Vec<_> = restored.iter().map(|(id, field, value)| (*id, *field, value)).collect();
            row::write_restored(&columns, &mut value)?;
        }
        Ok(value)
    }

    /// What the keys of a clustered table's entry have lost: for `_bin` collations the number of trailing
    /// spaces, else the text. Primary key columns come from the handle's values.
    fn restored_data(&self, row: &IndexedRow<'_>) -> Result<Vec<(i64, &FieldType, Datum)>, CodecError> {
        let mut restored = Vec::new();
        for (column, value) in self.columns.iter().zip(row.values) {
            if column.field.has_flag(flag::PRI_KEY) || !collation::needs_restored_data(column.field) {
                continue;
            }
            let text = truncated(column.field, value, column.prefix)?;
            let kept = if collation::is_bin_collation(&column.field.collate) {
                Datum::Uint(trailing_spaces(&text))
            } else {
                text
            };
            restored.push((column.id, column.field, kept));
        }
        for (column, value) in self.handle_columns.iter().zip(row.handle_values) {
            if !collation::needs_restored_data(column.field) {
                continue;
            }
            let indexed = self.columns.iter().find(|indexed| indexed.id == column.id);
            let prefix = match (column.prefix, indexed.map(|indexed| indexed.prefix)) {
                (Some(own), Some(Some(other))) => Some(own.max(other)),
                (None, _) | (_, Some(None)) => None,
                (own, None) => own,
            };
            let text = truncated(column.field, value, prefix)?;
            let kept = if collation::is_bin_collation(&column.field.collate) {
                Datum::Int(trailing_spaces(&text) as i64)
            } else {
                text
            };
            restored.push((column.id, column.field, kept));
        }
        Ok(restored)
    }
}

/// Appends a partition id.
fn write_partition(partition_id: i64, out: &mut Vec<u8>) {
    out.push(PARTITION_FLAG);
    memcomparable::encode_i64(partition_id, out);
}

/// A value cut to the index's prefix.
fn truncated(field: &FieldType, value: &Datum, prefix: Option<usize>) -> Result<Datum, CodecError> {
    match (value, prefix) {
        (Datum::Bytes(bytes), Some(len)) => {
            Ok(Datum::Bytes(Collation::of_column(field)?.prefix(field, bytes, len).to_vec()))
        }
        _ => Ok(value.clone()),
    }
}

/// Number of trailing spaces of a text; 0 for other values.
fn trailing_spaces(value: &Datum) -> u64 {
    match value {
        Datum::Bytes(bytes) => (bytes.len() - collation::trim_spaces(bytes).len()) as u64,
        _ => 0,
    }
}
