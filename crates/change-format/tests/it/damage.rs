//! Damaged rows: errors that say where and what, never another value.

use change_format::{CanalOptions, EncodeError};
use proptest::prelude::*;
use tidb_codec::field::{FieldType, flag, tp};
use tidb_codec::{Datum, Handle, HandleRef, key, row};

use crate::orders::{COMMIT_TS, NOW_MS, TABLE_ID, change, encoder, row_key, stored, table};

/// A row in format v2 of one column with these bytes.
fn with_raw(id: u8, raw: &[u8]) -> Vec<u8> {
    let mut value = vec![row::VERSION_2, 0, 1, 0, 0, 0, id];
    value.extend_from_slice(&(raw.len() as u16).to_le_bytes());
    value.extend_from_slice(raw);
    value
}

/// The whole message of the error of an INSERT.
fn reason(key: &[u8], value: &[u8]) -> String {
    let mut out = b"kept".to_vec();
    let encoder = encoder(CanalOptions::default());
    let outcome = encoder.encode(&change(key, &[], value), NOW_MS, &mut out);
    let error = outcome.expect_err(&String::from_utf8_lossy(&out));
    assert_eq!(out, b"kept");
    error.chain()
}

#[test]
fn each_kind_of_damaged_value_is_an_error_with_its_place() {
    let long: [&[u8]; 2] = [&[0xFF; 8], &[1, 2, 3]];
    for (column, id, raw, what) in [
        ("amt", 2, &[8u8, 2][..], "cut short"),
        ("amt", 2, &[8, 2, 0x80, 0, 0, 12, 200][..], ""),
        ("st", 3, long[1], "integer column is malformed: not 1, 2, 4 or 8 bytes"),
        ("tags", 4, &[8][..], "set column is malformed: bits beyond the members"),
        ("ok", 7, &[0, 1][..], "out of range: '256'"),
        ("at", 8, long[0], ""),
        ("at", 8, long[1], "not 1, 2, 4 or 8 bytes"),
        ("code", 9, &[0, 0, 0, 0, 1, 0, 0, 0][..], "out of range: '4294967296'"),
        ("code", 9, &[][..], "not 1, 2, 4 or 8 bytes"),
    ] {
        let reason = reason(&row_key(7), &with_raw(id, raw));
        let place =
            format!("column {column} of shop.orders (handle 7, commit-ts {COMMIT_TS}) cannot be read: ");
        assert!(reason.starts_with(&place) && reason.contains(what), "{column} {raw:?}: {reason}");
    }
}

#[test]
fn each_kind_of_damaged_row_is_an_error_with_its_place() {
    let good = stored(Some("a"), Some(1));
    let mut unknown_flag = good.clone();
    unknown_flag[1] = 4;
    let rows: [(&[u8], &str); 5] = [
        (&good[..good.len() - 1], "row is cut short"),
        (&good[..5], "row is cut short"),
        (&unknown_flag, "row flags has the unknown code 0x04"),
        (&[8, 4, 99], "datum flag has the unknown code 0x63"),
        (&[8, 4], "is cut short"),
    ];
    for (value, what) in rows {
        let reason = reason(&row_key(-1), value);
        let place =
            format!("a row of shop.orders (handle 18446744073709551615, commit-ts {COMMIT_TS}) cannot");
        assert!(reason.starts_with(&place) && reason.contains(what), "{value:?}: {reason}");
    }
}

#[test]
fn values_of_another_type_in_the_old_format_are_errors() {
    for (id, field, datum) in [
        (9, FieldType::new(tp::VARCHAR), Datum::Bytes(b"7".to_vec())),
        (6, FieldType::new(tp::LONGLONG), Datum::Int(7)),
        (8, FieldType::new(tp::DOUBLE), Datum::Double(1.0)),
    ] {
        let value = row::encode_row_v1(&[(id, &field, &datum)]).unwrap();
        let reason = reason(&row_key(7), &value);
        assert!(reason.contains("(handle 7, ") && reason.contains("is required"), "{datum:?}: {reason}");
    }
}

#[test]
fn keys_that_are_not_of_the_table_are_errors() {
    let value = stored(None, None);
    let name = FieldType { flag: flag::PRI_KEY, ..FieldType::new(tp::VARCHAR) };
    let common = Handle::common([(&name, &Datum::Bytes(b"long enough".to_vec()), None)]).unwrap();
    let other_kind = reason(&key::record_key(TABLE_ID, &common), &value);
    assert!(other_kind.contains("the handle is not of the table's kind"), "{other_kind}");
    let no_key = reason(b"\x01\x02", &value);
    assert!(no_key.contains("(handle in key 0x0102, "), "{no_key}");
}

#[test]
fn a_checksum_that_does_not_match_names_the_row_and_the_image() {
    let info = table();
    let code = &info.columns[8].field_type;
    let mut value = Vec::new();
    row::write_row_v2(&[(9, code, &Datum::Int(5))], Some(HandleRef::Int(7)), &mut value).unwrap();
    let encoder = encoder(CanalOptions::default());
    let key = row_key(7);
    assert_eq!(encoder.verify_checksums(&change(&key, &value, &value)), Ok(()));
    assert_eq!(
        encoder.verify_checksums(&change(&key, &[], &stored(None, None))),
        Ok(()),
        "nothing to verify"
    );
    let mut damaged = value.clone();
    *damaged.iter_mut().rfind(|byte| **byte == 5).unwrap() = 4;
    for (old, new, image) in [(&value, &damaged, "after"), (&damaged, &value, "before")] {
        let error = encoder.verify_checksums(&change(&key, old, new)).unwrap_err();
        assert!(matches!(error, EncodeError::Corrupted { .. }), "{error:?}");
        let place =
            format!("the row {image} a change of shop.orders (handle 7, commit-ts {COMMIT_TS}) is corrupted");
        let text = error.chain();
        assert!(text.starts_with(&place) && text.contains("checksum mismatch: stored 0x"), "{text}");
    }
    assert!(encoder.verify_checksums(&change(&row_key(8), &[], &value)).is_err(), "the row of another key");
}

proptest! {
    #[test]
    fn random_damage_gives_json_or_an_error_that_names_the_row(
        note in ".{0,20}",
        code: i32,
        at: prop::sample::Index,
        byte: u8,
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let encoder = encoder(CanalOptions::default());
        let (key, mut value) = (row_key(7), stored(Some(&note), Some(code.into())));
        *at.get_mut(&mut value) = byte;
        if let Some(cut) = cut {
            value.truncate(cut.index(value.len()).max(1));
        }
        let mut out = Vec::new();
        match encoder.encode(&change(&key, &[], &value), NOW_MS, &mut out) {
            Ok(_) => {
                serde_json::from_slice::<serde_json::Value>(&out).unwrap();
            }
            Err(error) => {
                prop_assert!(error.to_string().contains("shop.orders (handle 7, commit-ts"), "{}", error);
                prop_assert!(out.is_empty());
            }
        }
    }
}
