//! When an UPDATE is sent as DELETE and INSERT.

use change_format::{CanalEncoder, CanalOptions, RowKind};
use std::sync::Arc;
use tidb_codec::{Datum, row};

use crate::orders::{change, encode, encoder, row_key, stored, table, version};

#[test]
fn change_of_a_unique_column_splits() {
    let encoder = encoder(CanalOptions::default());
    let key = row_key(1);
    let splits = |old: &[u8], new: &[u8]| encoder.splits(&change(&key, old, new), &mut Vec::new()).unwrap();
    assert!(!splits(&stored(Some("a"), Some(1)), &stored(Some("b"), Some(1))));
    assert!(splits(&stored(None, Some(1)), &stored(None, Some(2))));
    assert!(splits(&stored(None, Some(1)), &stored(None, None)), "NULL counts as a value");
    assert!(!splits(&stored(None, None), &stored(None, None)));
    assert!(!splits(&[], &stored(None, Some(2))), "an INSERT is never split");
    assert!(!splits(&stored(None, Some(2)), &[]));
}

#[test]
fn raw_change_events_are_kept_whole() {
    let encoder = encoder(CanalOptions { output_raw_change_event: true, ..CanalOptions::default() });
    let (key, old, new) = (row_key(1), stored(None, Some(1)), stored(None, Some(2)));
    assert!(!encoder.splits(&change(&key, &old, &new), &mut Vec::new()).unwrap());
}

#[test]
fn halves_hold_the_image_before_and_after() {
    let encoder = encoder(CanalOptions::default());
    let (key, old, new) = (row_key(1), stored(None, Some(1)), stored(None, Some(2)));
    let update = change(&key, &old, &new);
    assert_eq!(update.delete_half().kind(), Some(RowKind::Delete));
    assert_eq!(update.insert_half().kind(), Some(RowKind::Insert));
    assert!(encode(&encoder, &update.delete_half()).contains(r#""code":"1"}]"#));
    assert!(encode(&encoder, &update.insert_half()).contains(r#""code":"2"}]"#));
}

#[test]
fn the_same_value_in_another_row_format_is_no_change() {
    let info = table();
    let code = [(9, &info.columns[8].field_type, &Datum::Int(300))];
    let (old, new) = (row::encode_row_v1(&code).unwrap(), row::encode_row_v2(&code).unwrap());
    let encoder = encoder(CanalOptions::default());
    let mut scratch = b"kept".to_vec();
    assert!(!encoder.splits(&change(&row_key(1), &old, &new), &mut scratch).unwrap());
    assert_eq!(scratch, b"kept");
}

#[test]
fn columns_left_out_by_a_selector_still_split() {
    let encoder = CanalEncoder::with_columns(&version(table()), Arc::new(CanalOptions::default()), |c| {
        c.name.l != "code"
    });
    let (key, old, new) = (row_key(1), stored(None, Some(1)), stored(None, Some(2)));
    assert!(encoder.unwrap().splits(&change(&key, &old, &new), &mut Vec::new()).unwrap());
}

#[test]
fn an_update_of_listed_columns_only_is_told_from_others() {
    let encoder = encoder(CanalOptions::default());
    let key = row_key(1);
    let only = |old: &[u8], new: &[u8], listed: &[&str]| {
        let listed = |name: &str| listed.contains(&name);
        let mut scratch = b"kept".to_vec();
        let only = encoder.changes_only(&change(&key, old, new), listed, &mut scratch).unwrap();
        assert_eq!(scratch, b"kept");
        only
    };
    let text = table().columns.iter().find(|column| column.id == 6).unwrap().name.l.clone();
    let (before, after) = (stored(Some("a"), Some(1)), stored(Some("b"), Some(1)));
    assert!(only(&before, &after, &[&text, "other"]));
    assert!(!only(&before, &after, &["other"]));
    assert!(!only(&before, &before, &[&text]), "nothing changes");
    assert!(!only(&before, &stored(Some("b"), Some(2)), &[&text]), "another column changes, too");
    assert!(!only(&before, &stored(Some("a"), Some(2)), &["code"]), "the column is unique");
    assert!(!only(&[], &after, &[&text]) && !only(&before, &[], &[&text]), "no UPDATE");
}
