//! Entries with every value layout.

use super::*;
use crate::Handle;
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
