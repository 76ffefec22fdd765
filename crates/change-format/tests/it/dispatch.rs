//! Hashes for partition dispatch.

use change_format::{CanalOptions, EncodeError, PartitionHash};

use crate::orders::{change, encoder, row_key, stored, table, version};

/// The hash of schema, table and name-text pairs.
fn hash(pairs: &[(&str, &str)]) -> PartitionHash {
    let mut hash = PartitionHash::new();
    hash.write(&[b"shop", b"orders"]);
    for (name, text) in pairs {
        hash.write(&[name.as_bytes(), text.as_bytes()]);
    }
    hash
}

#[test]
fn rows_hash_by_the_columns_of_the_rule() {
    let (encoder, version) = (encoder(CanalOptions::default()), version(table()));
    let (key, old, new) = (row_key(-1), stored(Some("before"), Some(1)), stored(Some("aé"), Some(2)));
    let mut scratch = b"kept".to_vec();
    let mut row_hash = |columns, old: &[u8], new: &[u8]| {
        encoder.row_hash(&change(&key, old, new), columns, &mut scratch).unwrap()
    };
    assert_eq!(encoder.table_hash(), hash(&[]));
    let handle = encoder.handle_key_columns(&version);
    assert_eq!(row_hash(&handle, &old, &new), hash(&[("id", "18446744073709551615")]));
    let index = encoder.index_columns(&version, "CODE_key").unwrap();
    assert_eq!(row_hash(&index, &old, &new), hash(&[("code", "2")]));
    assert_eq!(row_hash(&index, &old, &[]), hash(&[("code", "1")]), "a DELETE has the image before");
    let names = ["NOTE", "st", "at"].map(str::to_owned);
    let named = encoder.named_columns(&version, &names).unwrap();
    let expected = hash(&[("note", "aé"), ("st", "2"), ("at", "2025-06-15 15:06:40.123")]);
    assert_eq!(row_hash(&named, &old, &new), expected);
    let without_note = hash(&[("st", "2"), ("at", "2025-06-15 15:06:40.123")]);
    assert_eq!(row_hash(&named, &[], &stored(None, None)), without_note, "NULL is left out");
    assert_eq!(scratch, b"kept");
}

#[test]
fn rules_that_do_not_fit_the_table_are_refused() {
    let (encoder, version) = (encoder(CanalOptions::default()), version(table()));
    let reason =
        |result: Result<_, EncodeError>| result.map(|_: change_format::DispatchColumns| ()).unwrap_err();
    assert!(reason(encoder.index_columns(&version, "nope")).to_string().contains("no such index"));
    assert!(
        reason(encoder.named_columns(&version, &["nope".to_owned()])).to_string().contains("no such column")
    );
    assert!(encoder.index_columns(&version, "PRIMARY").is_ok());
    let mut plain = table();
    plain.indices[0].unique = false;
    assert!(
        reason(encoder.index_columns(&crate::orders::version(plain), "code_key"))
            .to_string()
            .contains("not unique")
    );
    let mut generated = table();
    generated.columns[5].generated_expr_string = "1".to_owned();
    let generated = crate::orders::version(generated);
    let encoder = change_format::CanalEncoder::new(&generated, CanalOptions::default().into()).unwrap();
    assert!(reason(encoder.named_columns(&generated, &["note".to_owned()])).to_string().contains("virtual"));
}
