//! No input makes the parser panic, overflow the stack or take long.

use std::time::Instant;

use proptest::prelude::*;
use tidb_sql::{ParseError, RestoreOptions, SqlMode, Statement, parse, restore, restore_query};

use crate::blocks::pairs;

/// Parses and, if it is accepted, writes again.
fn exercise(sql: &str, mode: SqlMode) {
    let Ok(statements) = parse(sql, mode) else { return };
    for parsed in statements {
        assert!(sql.get(parsed.range.clone()).is_some());
        match &parsed.statement {
            Statement::Ddl(ddl) => drop(restore(ddl, RestoreOptions::default())),
            Statement::Query(query) => drop(restore_query(query, RestoreOptions::default())),
            _ => {}
        }
        drop(parsed.clone());
    }
}

/// Statements to start from.
fn seeds() -> Vec<&'static str> {
    let files = [
        include_str!("../data/recorded.txt"),
        include_str!("../data/canonical.txt"),
        include_str!("../data/statements.txt"),
    ];
    let mut seeds: Vec<_> = files.iter().flat_map(|file| pairs(file)).map(|(typed, _)| typed).collect();
    seeds.extend(include_str!("../data/statements.txt").lines());
    seeds
}

/// Words and symbols that mutations put in.
const PIECES: &[&str] = &[
    "(",
    ")",
    ",",
    ";",
    ".",
    "'",
    "\"",
    "`",
    "/*",
    "*/",
    "/*!",
    "/*T![ttl]",
    "--",
    "#",
    "@",
    "@@",
    "?",
    "0x",
    "x'",
    "b'",
    "N'",
    "_utf8mb4",
    "\\",
    "NULL",
    "SELECT",
    "FROM",
    "PARTITION",
    "INTERVAL",
    "NOT",
    "DEFAULT",
    "VALUES",
    "AS",
    "OF",
    "é",
    "\u{3000}",
    "\0",
    "1e",
    "->",
    "->>",
    ":=",
    "{",
    "}",
    "CASE",
    "KEY",
    "ON",
    "UPDATE",
    "WITH",
    "UNION",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn mutated_statements_do_not_panic(
        seed in any::<prop::sample::Index>(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0_u8..4), 1..5),
        ansi in any::<bool>(),
        raw in any::<bool>(),
    ) {
        let seeds = seeds();
        let mut sql = seed.get(&seeds).to_string();
        for (place, piece, kind) in cuts {
            let places: Vec<usize> = sql.char_indices().map(|(i, _)| i).chain([sql.len()]).collect();
            let at = *place.get(&places);
            let piece = *piece.get(PIECES);
            match kind {
                0 => sql.insert_str(at, piece),
                1 => sql.truncate(at),
                2 => sql.replace_range(at.., &format!(" {piece} {}", &sql[at..].to_owned())),
                _ => {
                    let end = places.iter().copied().find(|i| *i > at + 5).unwrap_or(sql.len());
                    sql.replace_range(at.min(end)..end, piece);
                }
            }
        }
        let mode = SqlMode { ansi_quotes: ansi, no_backslash_escapes: raw, pipes_as_concat: ansi, ..SqlMode::default() };
        exercise(&sql, mode);
    }

    #[test]
    fn random_pieces_do_not_panic(pieces in prop::collection::vec(any::<prop::sample::Index>(), 0..40)) {
        let sql: Vec<&str> = pieces.iter().map(|piece| *piece.get(PIECES)).collect();
        exercise(&sql.join(" "), SqlMode::default());
        exercise(&sql.concat(), SqlMode::default());
    }

    #[test]
    fn random_text_does_not_panic(sql in "\\PC*") {
        exercise(&sql, SqlMode::default());
    }
}

#[test]
fn deep_nesting_is_refused_without_overflow() {
    let deep = 100_000;
    for (open, inner, close) in [
        ("(", "1", ")"),
        ("-", "1", ""),
        ("not ", "1", ""),
        ("!", "1", ""),
        ("f(", "1", ")"),
        ("case when ", "1", " then 1 end"),
        ("(select ", "1", ")"),
        ("1 between 2 and ", "3", ""),
        ("binary ", "1", ""),
        ("@a := ", "1", ""),
        ("interval (", "1", ") day"),
        ("cast(", "1", " as signed)"),
    ] {
        let sql = format!("select {}{inner}{}", open.repeat(deep), close.repeat(deep));
        let error = parse(&sql, SqlMode::default()).unwrap_err();
        assert!(matches!(error, ParseError::TooDeep { .. } | ParseError::Syntax { .. }), "{open}");
    }
    for prefix in [
        "explain ",
        "trace ",
        "((((select 1 from ",
        "select * from (",
        "select * from a left join ",
        "create view v as (",
    ] {
        let sql = prefix.repeat(deep);
        assert!(parse(&sql, SqlMode::default()).is_err(), "{prefix}");
    }
}

#[test]
fn long_chains_are_bounded_where_trees_grow_and_free_where_not() {
    let parts = |operator: &str, count: usize| vec!["a = 1"; count].join(operator);
    for operator in [" or ", " and ", " || ", " && ", " xor "] {
        let sql = format!("select {}", parts(operator, 50_000));
        exercise(&sql, SqlMode::default());
        assert!(parse(&sql, SqlMode::default()).is_ok(), "{operator}");
    }
    let list = format!("select 1 in ({})", vec!["1"; 100_000].join(","));
    assert!(parse(&list, SqlMode::default()).is_ok());
    let rows = format!("insert into t values {}", vec!["(1,'a')"; 50_000].join(","));
    assert!(parse(&rows, SqlMode::default()).is_ok());
    for operator in [" union select ", " union all select ", " intersect select "] {
        let sql = format!("select {}", vec!["1"; 5_000].join(operator));
        exercise(&sql, SqlMode::default());
        assert!(parse(&sql, SqlMode::default()).is_ok(), "{operator}");
    }
    for operator in [" + ", " except select ", " - ", " collate utf8mb4_bin collate utf8mb4_bin + "] {
        let sql = format!("select {}", vec!["1"; 50_000].join(operator));
        assert!(matches!(parse(&sql, SqlMode::default()), Err(ParseError::TooDeep { .. })), "{operator}");
    }
}

#[test]
fn usual_nesting_is_accepted() {
    let sql = format!("select {}1{}", "(".repeat(30), ")".repeat(30));
    exercise(&sql, SqlMode::default());
    assert!(parse(&sql, SqlMode::default()).is_ok());
    let sql = format!("select {}1{}", "(".repeat(90), ")".repeat(90));
    exercise(&sql, SqlMode::default());
    let sql = format!("select {}", vec!["1"; 190].join(" + "));
    exercise(&sql, SqlMode::default());
    assert!(parse(&sql, SqlMode::default()).is_ok());
    let sql = vec!["select 1"; 390].join(" union all ");
    exercise(&sql, SqlMode::default());
    assert!(parse(&sql, SqlMode::default()).is_ok());
}

#[test]
fn hostile_shapes_are_read_in_linear_time() {
    let start = Instant::now();
    for sql in ["(", "((select 1)", "'a' ", "@a ", "/* ", "a.", "case ", "interval (", "grant a, "] {
        let _ = parse(&format!("select {}", sql.repeat(20_000)), SqlMode::default());
        let _ = parse(&sql.repeat(20_000), SqlMode::default());
    }
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}
