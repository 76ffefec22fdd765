//! DDL text.

use tidb_sql::{RestoreOptions, SqlMode, Statement, parse, restore, restore_query};

use crate::bytes::Parts;

/// SQL text, in the mode that its first byte says: parsed and written in canonical form.
pub(crate) fn ddl(data: &[u8]) {
    let mut parts = Parts(data);
    let bits = parts.byte();
    let mode = SqlMode {
        ansi_quotes: bits & 1 != 0,
        no_backslash_escapes: bits & 2 != 0,
        pipes_as_concat: bits & 4 != 0,
        ignore_space: bits & 8 != 0,
        real_as_float: bits & 16 != 0,
        high_not_precedence: bits & 64 != 0,
    };
    let Ok(text) = std::str::from_utf8(parts.0) else { return };
    for parsed in parse(text, mode).unwrap_or_default() {
        assert!(text.get(parsed.range.clone()).is_some(), "the place of a statement is one");
        for options in [RestoreOptions::default(), RestoreOptions::plain()] {
            let _ = match &parsed.statement {
                Statement::Ddl(ddl) => restore(ddl, options).map(drop),
                Statement::Query(query) => restore_query(query, options).map(drop),
                _ => Ok(()),
            };
        }
    }
}
