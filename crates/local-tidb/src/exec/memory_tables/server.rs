//! What the server offers: collations, character sets, engines.

use super::{Content, columns, number, text};
use tidb_expr::collation;

/// `COLLATIONS`.
pub(super) fn collations() -> Content {
    let rows = collation::ALL
        .iter()
        .map(|c| {
            vec![
                text(c.name),
                text(c.charset),
                number(i64::from(c.id)),
                text(if c.is_default { "Yes" } else { "" }),
                text("Yes"),
                number(1),
            ]
        })
        .collect();
    (columns(&["COLLATION_NAME", "CHARACTER_SET_NAME", "#ID", "IS_DEFAULT", "IS_COMPILED", "#SORTLEN"]), rows)
}

/// `CHARACTER_SETS`.
pub(super) fn character_sets() -> Content {
    let rows = collation::ALL
        .iter()
        .filter(|c| c.is_default)
        .map(|c| {
            vec![
                text(c.charset),
                text(c.name),
                text(c.charset),
                number(i64::from(collation::max_char_bytes(c.charset))),
            ]
        })
        .collect();
    (columns(&["CHARACTER_SET_NAME", "DEFAULT_COLLATE_NAME", "DESCRIPTION", "#MAXLEN"]), rows)
}

/// `ENGINES`.
pub(super) fn engines() -> Content {
    let row = [
        "InnoDB",
        "DEFAULT",
        "Supports transactions, row-level locking, and foreign keys",
        "YES",
        "YES",
        "YES",
    ]
    .map(text)
    .to_vec();
    (columns(&["ENGINE", "SUPPORT", "COMMENT", "TRANSACTIONS", "XA", "SAVEPOINTS"]), vec![row])
}
