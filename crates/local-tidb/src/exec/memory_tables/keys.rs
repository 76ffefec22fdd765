//! Keys and constraints.

use tidb_codec::Datum;

use super::{Content, all_tables, columns, number, text};
use crate::catalog::{HandleKind, Table};
use crate::exec::Exec;

/// Name, uniqueness and columns of every key, the clustered integer one included.
fn keys(table: &Table) -> Vec<(String, bool, Vec<usize>)> {
    let mut out = Vec::new();
    if let HandleKind::Int(at) = table.handle {
        out.push(("PRIMARY".to_owned(), true, vec![at]));
    }
    for index in &table.indices {
        out.push((
            index.info.name.o.clone(),
            index.info.unique,
            index.columns.iter().map(|(at, _)| *at).collect(),
        ));
    }
    out
}

/// `STATISTICS`.
pub(super) fn statistics(exec: &Exec<'_>) -> Content {
    let mut rows = Vec::new();
    for table in all_tables(exec) {
        for (name, unique, positions) in keys(&table) {
            for (seq, at) in positions.iter().enumerate() {
                let Some(column) = table.columns.get(*at) else { continue };
                rows.push(vec![
                    text("def"),
                    text(table.db.name.o.clone()),
                    text(table.name()),
                    number(i64::from(!unique)),
                    text(table.db.name.o.clone()),
                    text(name.clone()),
                    number(seq as i64 + 1),
                    text(column.name()),
                    text("A"),
                    number(0),
                    text(if column.is_not_null() { "" } else { "YES" }),
                    text("BTREE"),
                ]);
            }
        }
    }
    let names = [
        "TABLE_CATALOG",
        "TABLE_SCHEMA",
        "TABLE_NAME",
        "#NON_UNIQUE",
        "INDEX_SCHEMA",
        "INDEX_NAME",
        "#SEQ_IN_INDEX",
        "COLUMN_NAME",
        "COLLATION",
        "#CARDINALITY",
        "NULLABLE",
        "INDEX_TYPE",
    ];
    (columns(&names), rows)
}

/// `KEY_COLUMN_USAGE`.
pub(super) fn key_usage(exec: &Exec<'_>) -> Content {
    let mut rows = Vec::new();
    for table in all_tables(exec) {
        for (name, _, positions) in keys(&table).into_iter().filter(|(_, unique, _)| *unique) {
            for (seq, at) in positions.iter().enumerate() {
                let Some(column) = table.columns.get(*at) else { continue };
                let db = || text(table.db.name.o.clone());
                rows.push(vec![
                    text("def"),
                    db(),
                    text(name.clone()),
                    text("def"),
                    db(),
                    text(table.name()),
                    text(column.name()),
                    number(seq as i64 + 1),
                    Datum::Null,
                    Datum::Null,
                    Datum::Null,
                ]);
            }
        }
    }
    let names = [
        "CONSTRAINT_CATALOG",
        "CONSTRAINT_SCHEMA",
        "CONSTRAINT_NAME",
        "TABLE_CATALOG",
        "TABLE_SCHEMA",
        "TABLE_NAME",
        "COLUMN_NAME",
        "#ORDINAL_POSITION",
        "REFERENCED_TABLE_SCHEMA",
        "REFERENCED_TABLE_NAME",
        "REFERENCED_COLUMN_NAME",
    ];
    (columns(&names), rows)
}

/// `TABLE_CONSTRAINTS`.
pub(super) fn constraints(exec: &Exec<'_>) -> Content {
    let mut rows = Vec::new();
    for table in all_tables(exec) {
        for (name, _, _) in keys(&table).into_iter().filter(|(_, unique, _)| *unique) {
            let kind = if name == "PRIMARY" { "PRIMARY KEY" } else { "UNIQUE" };
            let db = || text(table.db.name.o.clone());
            rows.push(vec![text("def"), db(), text(name), db(), text(table.name()), text(kind)]);
        }
    }
    let names = [
        "CONSTRAINT_CATALOG",
        "CONSTRAINT_SCHEMA",
        "CONSTRAINT_NAME",
        "TABLE_SCHEMA",
        "TABLE_NAME",
        "CONSTRAINT_TYPE",
    ];
    (columns(&names), rows)
}
