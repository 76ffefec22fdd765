//! DDL text as TiDB's own parser writes it: see `tests/data/README.md`.

use tidb_sql::{RestoreOptions, SqlMode, rewrite};

/// Differences that a failing test shows.
const SHOWN: usize = 50;
/// Fewest statements: a file that was cut is no proof.
const FEWEST: usize = 1000;
/// Statements without canonical text here, which a changefeed sends as they were typed, and counts.
const SENT_AS_TYPED: [&str; 1] = ["create view v as select /*+ hash_join(t) */ a from t use index (k)"];

/// Undoes the escapes of a field.
fn plain(field: &str) -> String {
    let mut out = String::new();
    let mut chars = field.chars();
    while let Some(char) = chars.next() {
        if char != '\\' {
            out.push(char);
            continue;
        }
        out.push(match chars.next() {
            Some('t') => '\t',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('0') => '\0',
            other => other.unwrap(),
        });
    }
    out
}

#[test]
fn ddl_is_written_as_tidb_writes_it() {
    let mut different = Vec::new();
    let mut without_text = Vec::new();
    let mut count = 0;
    for line in include_str!("../data/tidb.tsv").lines() {
        let fields: Vec<String> = line.split('\t').map(plain).collect();
        let [mode, typed, theirs] = &fields[..] else { panic!("{line}") };
        count += 1;
        match rewrite::canonical_query(typed, SqlMode::from_names(mode), RestoreOptions::default()) {
            Ok(ours) if ours == *theirs => {}
            Err(_) if SENT_AS_TYPED.contains(&typed.as_str()) => without_text.push(typed.clone()),
            ours => different.push(format!("\n{mode} {typed}\n  ours   {ours:?}\n  theirs {theirs}")),
        }
    }
    assert!(count >= FEWEST, "{count} statements");
    let list: String = different.iter().take(SHOWN).cloned().collect();
    assert!(different.is_empty(), "{} of {count} differ{list}", different.len());
    assert_eq!(without_text, SENT_AS_TYPED);
}
