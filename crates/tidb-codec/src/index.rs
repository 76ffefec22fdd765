//! Index entries as TiDB writes them with the new collation framework on: keys that sort by the indexed
//! values, and values that hold the handle and whatever the key has lost.

use crate::{
    CodecError, Datum, FieldType, Handle, HandleRef,
    collation::{self, Collation},
    cursor,
    datum::{self, flagged},
    field::flag,
    key, memcomparable,
    row::{self, RowV2},
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

/// Parts of an index entry's value.
#[derive(Debug, Clone, Copy, Default)]
pub struct IndexValue<'a> {
    /// Handle, of entries whose key does not end in it.
    pub handle: Option<HandleRef<'a>>,
    /// Partition, of entries of a global index.
    pub partition_id: Option<i64>,
    /// What the key has lost.
    pub restored: Option<RowV2<'a>>,
}

/// Takes an index entry's value apart.
///
/// # Errors
/// A malformed value.
pub fn decode_index_value(value: &[u8]) -> Result<IndexValue<'_>, CodecError> {
    const WHAT: &str = "index value";
    if value.len() <= MAX_OLD_LEN && value.get(1) != Some(&VERSION_FLAG) {
        let handle = value.first_chunk::<8>().map(|bytes| HandleRef::Int(i64::from_be_bytes(*bytes)));
        return Ok(IndexValue { handle, ..IndexValue::default() });
    }
    let (tail_len, rest) = cursor::take_u8(value, WHAT)?;
    let Some(body_len) = rest.len().checked_sub(usize::from(tail_len)) else {
        return Err(CodecError::Malformed { what: WHAT, reason: "tail is longer than the value" });
    };
    let (mut body, tail) = cursor::take_slice(rest, body_len, WHAT)?;
    let mut found = IndexValue::default();
    if let [VERSION_FLAG, version, after @ ..] = body {
        if *version != CLUSTERED_VERSION {
            return Err(CodecError::UnknownCode { what: "index value version", code: *version });
        }
        body = after;
    } else if let Some(bytes) = tail.first_chunk::<8>() {
        found.handle = Some(HandleRef::Int(i64::from_be_bytes(*bytes)));
    }
    if let [COMMON_HANDLE_FLAG, after @ ..] = body {
        let (len, after) = cursor::take::<2>(after, WHAT)?;
        let (handle, after) = cursor::take_slice(after, usize::from(u16::from_be_bytes(len)), WHAT)?;
        found.handle = Some(HandleRef::Common(handle));
        body = after;
    }
    if let [PARTITION_FLAG, after @ ..] = body {
        let (partition_id, after) = memcomparable::decode_i64(after)?;
        found.partition_id = Some(partition_id);
        body = after;
    }
    if !body.is_empty() {
        found.restored = Some(RowV2::parse(body)?);
    }
    Ok(found)
}

/// Handle of an index entry, from its value or the end of its key.
///
/// # Errors
/// A malformed entry.
pub fn decode_entry_handle(
    entry_key: &[u8],
    value: &[u8],
    column_count: usize,
    common_handle: bool,
) -> Result<Handle, CodecError> {
    let mut rest = key::decode_index_key(entry_key)?.suffix;
    for _ in 0..column_count {
        rest = datum::skip_one(rest)?;
    }
    if rest.is_empty() {
        return match decode_index_value(value)?.handle {
            Some(handle) => Ok(handle.to_owned()),
            None => Err(CodecError::Malformed { what: "index entry", reason: "no handle in key or value" }),
        };
    }
    if common_handle {
        return Ok(Handle::Common(rest.to_vec()));
    }
    match datum::decode_one(rest)? {
        (Datum::Int(handle), []) => Ok(Handle::Int(handle)),
        (Datum::Uint(handle), []) => Ok(Handle::Int(handle as i64)),
        _ => Err(CodecError::Malformed { what: "index entry", reason: "the key does not end in a handle" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::tp;

    fn text_field(code: u8, collate: &str) -> FieldType {
        FieldType { charset: "utf8mb4".to_owned(), collate: collate.to_owned(), ..FieldType::new(code) }
    }

    fn column<'a>(id: i64, field: &'a FieldType) -> IndexColumn<'a> {
        IndexColumn { id, field, prefix: None }
    }

    fn int_row(values: &[Datum]) -> IndexedRow<'_> {
        IndexedRow { values, handle: HandleRef::Int(7), handle_values: &[], partition_id: 0 }
    }

    #[test]
    fn entries_with_integer_handles() {
        let int = FieldType::new(tp::LONG);
        let mut layout = IndexLayout {
            table_id: 100,
            index_id: 2,
            unique: true,
            global: false,
            columns: vec![column(3, &int)],
            handle_columns: vec![],
        };
        let values = [Datum::Int(5)];
        let entry = layout.entry(&int_row(&values)).unwrap();
        assert_eq!(entry.key, b"t\x80\0\0\0\0\0\0\x64_i\x80\0\0\0\0\0\0\x02\x03\x80\0\0\0\0\0\0\x05");
        assert_eq!((entry.value, entry.distinct), (vec![0, 0, 0, 0, 0, 0, 0, 7], true));
        let entry = layout.entry(&int_row(&[Datum::Null])).unwrap();
        assert!(!entry.distinct && entry.value == b"0" && entry.key.ends_with(b"\0\x03\x80\0\0\0\0\0\0\x07"));
        layout.unique = false;
        let entry = layout.entry(&int_row(&values)).unwrap();
        assert!(!entry.distinct && entry.value == b"0" && entry.key.ends_with(b"\x03\x80\0\0\0\0\0\0\x07"));
        assert_eq!(decode_entry_handle(&entry.key, &entry.value, 1, false).unwrap(), Handle::Int(7));
    }

    #[test]
    fn varchar_values_are_restored_from_the_value() {
        let text = text_field(tp::VARCHAR, "utf8mb4_bin");
        let mut layout = IndexLayout {
            table_id: 100,
            index_id: 2,
            unique: true,
            global: false,
            columns: vec![IndexColumn { id: 3, field: &text, prefix: Some(2) }],
            handle_columns: vec![],
        };
        let values = [Datum::Bytes(b"a bc".to_vec())];
        let entry = layout.entry(&int_row(&values)).unwrap();
        // The prefix "a " is trimmed in the key and whole in the restored row.
        assert!(entry.key.ends_with(b"\x01a\0\0\0\0\0\0\0\xF8"));
        assert_eq!(entry.value, b"\x08\x80\0\x01\0\0\0\x03\x02\0a \0\0\0\0\0\0\0\x07");
        let parts = decode_index_value(&entry.value).unwrap();
        assert_eq!(parts.handle, Some(HandleRef::Int(7)));
        assert_eq!(parts.restored.unwrap().get(3), Some(Some(&b"a "[..])));
        layout.unique = false;
        let entry = layout.entry(&int_row(&values)).unwrap();
        assert_eq!(entry.value, b"\0\x80\0\x01\0\0\0\x03\x02\0a ");
        assert_eq!(decode_index_value(&entry.value).unwrap().handle, None);
    }

    #[test]
    fn clustered_tables_keep_spaces_or_text() {
        let mut pk = text_field(tp::VARCHAR, "utf8mb4_bin");
        pk.flag = flag::PRI_KEY | flag::NOT_NULL;
        let ci = text_field(tp::STRING, "utf8mb4_general_ci");
        let layout = IndexLayout {
            table_id: 100,
            index_id: 2,
            unique: true,
            global: false,
            columns: vec![column(2, &ci)],
            handle_columns: vec![column(1, &pk)],
        };
        let mut handle = Vec::new();
        let pk_value = [Datum::Bytes(b"k  ".to_vec())];
        datum::encode_key_column(&pk, &pk_value[0], None, &mut handle).unwrap();
        let values = [Datum::Bytes(b"Ab".to_vec())];
        let row = IndexedRow {
            values: &values,
            handle: HandleRef::Common(&handle),
            handle_values: &pk_value,
            partition_id: 0,
        };
        let entry = layout.entry(&row).unwrap();
        assert!(entry.distinct && entry.key.ends_with(b"\x01\0A\0B\0\0\0\0\xFB"));
        let mut expected = vec![0, 125, 1, 127, 0, 10];
        expected.extend_from_slice(&handle);
        expected.extend_from_slice(b"\x80\0\x02\0\0\0\x01\x02\x01\0\x03\0\x02Ab");
        assert_eq!(entry.value, expected);
        assert_eq!(
            decode_entry_handle(&entry.key, &entry.value, 1, true).unwrap(),
            Handle::Common(handle.clone())
        );
        let with_null = IndexedRow { values: &[Datum::Null], ..row };
        let entry = layout.entry(&with_null).unwrap();
        assert!(!entry.distinct && entry.key.ends_with(&handle));
        assert_eq!(decode_entry_handle(&entry.key, &entry.value, 1, true).unwrap(), Handle::Common(handle));
    }

    #[test]
    fn global_entries_name_their_partition() {
        let int = FieldType::new(tp::LONG);
        let layout = IndexLayout {
            table_id: 100,
            index_id: 2,
            unique: true,
            global: true,
            columns: vec![column(3, &int)],
            handle_columns: vec![],
        };
        let values = [Datum::Int(5)];
        let row = IndexedRow { partition_id: 101, ..int_row(&values) };
        let entry = layout.entry(&row).unwrap();
        assert_eq!(entry.value, b"\x08\x7E\x80\0\0\0\0\0\0\x65\0\0\0\0\0\0\0\x07");
        let parts = decode_index_value(&entry.value).unwrap();
        assert_eq!((parts.handle, parts.partition_id), (Some(HandleRef::Int(7)), Some(101)));
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_values_never_panic(value: Vec<u8>, suffix: Vec<u8>) {
            let _ = decode_index_value(&value);
            let mut entry_key = key::index_prefix(1, 1);
            entry_key.extend_from_slice(&suffix);
            let _ = decode_entry_handle(&entry_key, &value, 2, false);
        }
    }
}
