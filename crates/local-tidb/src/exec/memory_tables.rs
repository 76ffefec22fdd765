//! The tables of `INFORMATION_SCHEMA` that clients and tools read.

use tidb_codec::Datum;
use tidb_codec::field::tp;

use super::{Exec, Row};
use crate::catalog::{Column, HandleKind, Table};
use crate::collation;
use crate::error::{Result, SqlError};
use crate::expr::ResultType;
use crate::session::{column_default, extra_text, key_text, type_text};

/// Names of the tables.
pub(crate) static NAMES: &[&str] = &[
    "CHARACTER_SETS",
    "COLLATIONS",
    "COLUMNS",
    "ENGINES",
    "KEY_COLUMN_USAGE",
    "SCHEMATA",
    "STATISTICS",
    "TABLES",
    "TABLE_CONSTRAINTS",
    "VIEWS",
];

/// Columns with types, and rows.
type Content = (Vec<(&'static str, ResultType)>, Vec<Row>);

/// A text value.
fn text(value: impl Into<String>) -> Datum {
    Datum::Bytes(value.into().into_bytes())
}

/// A number value.
fn number(value: i64) -> Datum {
    Datum::Int(value)
}

/// Columns: those whose name starts with `#` are numbers.
fn columns(names: &[&'static str]) -> Vec<(&'static str, ResultType)> {
    let ci = collation::by_name("utf8mb4_general_ci").unwrap_or_else(collation::utf8mb4_bin);
    names
        .iter()
        .map(|n| match n.strip_prefix('#') {
            Some(name) => (name, ResultType::int()),
            None => (*n, ResultType::text_of(512, ci)),
        })
        .collect()
}

/// Reads one of the tables.
///
/// # Errors
/// 1146 for one that is not there.
pub(crate) fn read(exec: &Exec<'_>, db: &str, name: &str) -> Result<Content> {
    if !db.eq_ignore_ascii_case("information_schema") {
        return Err(SqlError::no_such_table(db, name));
    }
    Ok(match name.to_ascii_uppercase().as_str() {
        "SCHEMATA" => schemata(exec),
        "TABLES" => tables(exec),
        "COLUMNS" => all_columns(exec),
        "STATISTICS" => statistics(exec),
        "KEY_COLUMN_USAGE" => key_usage(exec),
        "TABLE_CONSTRAINTS" => constraints(exec),
        "COLLATIONS" => {
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
            (
                columns(&[
                    "COLLATION_NAME",
                    "CHARACTER_SET_NAME",
                    "#ID",
                    "IS_DEFAULT",
                    "IS_COMPILED",
                    "#SORTLEN",
                ]),
                rows,
            )
        }
        "CHARACTER_SETS" => {
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
        "ENGINES" => {
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
        "VIEWS" => (columns(&["TABLE_CATALOG", "TABLE_SCHEMA", "TABLE_NAME", "VIEW_DEFINITION"]), Vec::new()),
        _ => return Err(SqlError::no_such_table(db, name)),
    })
}

/// All tables of the schema.
fn all_tables(exec: &Exec<'_>) -> Vec<std::sync::Arc<Table>> {
    exec.schema.databases().flat_map(|d| d.tables().cloned().collect::<Vec<_>>()).collect()
}

/// `SCHEMATA`.
fn schemata(exec: &Exec<'_>) -> Content {
    let mut rows: Vec<Row> = exec
        .schema
        .databases()
        .map(|d| {
            vec![
                text("def"),
                text(d.info.name.o.clone()),
                text(d.info.charset.clone()),
                text(d.info.collate.clone()),
                Datum::Null,
            ]
        })
        .collect();
    rows.push(vec![
        text("def"),
        text("INFORMATION_SCHEMA"),
        text("utf8mb4"),
        text("utf8mb4_bin"),
        Datum::Null,
    ]);
    (
        columns(&[
            "CATALOG_NAME",
            "SCHEMA_NAME",
            "DEFAULT_CHARACTER_SET_NAME",
            "DEFAULT_COLLATION_NAME",
            "SQL_PATH",
        ]),
        rows,
    )
}

/// `TABLES`.
fn tables(exec: &Exec<'_>) -> Content {
    let rows = all_tables(exec)
        .iter()
        .map(|t| {
            let kind = if t.info.is_view() { "VIEW" } else { "BASE TABLE" };
            vec![
                text("def"),
                text(t.db.name.o.clone()),
                text(t.name()),
                text(kind),
                text("InnoDB"),
                number(10),
                text("Compact"),
                number(0),
                text(t.info.collate.clone()),
                text(t.info.comment.clone()),
                number(t.info.id),
            ]
        })
        .collect();
    let names = [
        "TABLE_CATALOG",
        "TABLE_SCHEMA",
        "TABLE_NAME",
        "TABLE_TYPE",
        "ENGINE",
        "#VERSION",
        "ROW_FORMAT",
        "#TABLE_ROWS",
        "TABLE_COLLATION",
        "TABLE_COMMENT",
        "#TIDB_TABLE_ID",
    ];
    (columns(&names), rows)
}

/// `COLUMNS`.
fn all_columns(exec: &Exec<'_>) -> Content {
    let mut rows = Vec::new();
    for table in all_tables(exec) {
        for (at, column) in table.columns.iter().enumerate() {
            rows.push(column_row(&table, at, column));
        }
    }
    let names = [
        "TABLE_CATALOG",
        "TABLE_SCHEMA",
        "TABLE_NAME",
        "COLUMN_NAME",
        "#ORDINAL_POSITION",
        "COLUMN_DEFAULT",
        "IS_NULLABLE",
        "DATA_TYPE",
        "#CHARACTER_MAXIMUM_LENGTH",
        "#CHARACTER_OCTET_LENGTH",
        "#NUMERIC_PRECISION",
        "#NUMERIC_SCALE",
        "#DATETIME_PRECISION",
        "CHARACTER_SET_NAME",
        "COLLATION_NAME",
        "COLUMN_TYPE",
        "COLUMN_KEY",
        "EXTRA",
        "PRIVILEGES",
        "COLUMN_COMMENT",
        "GENERATION_EXPRESSION",
    ];
    (columns(&names), rows)
}

/// A row of `COLUMNS`.
fn column_row(table: &Table, at: usize, column: &Column) -> Row {
    let ty = &column.ty;
    let written = type_text(column);
    let data_type = written.split(['(', ' ']).next().unwrap_or_default().to_owned();
    let textual = ty.is_string() || matches!(ty.tp, tp::ENUM | tp::SET);
    let when = |given: bool, value: i64| if given { number(value) } else { Datum::Null };
    let numeric = ty.is_integer() || matches!(ty.tp, tp::NEW_DECIMAL | tp::FLOAT | tp::DOUBLE);
    let timed = matches!(ty.tp, tp::DATETIME | tp::TIMESTAMP | tp::DURATION);
    let bytes = ty.flen.saturating_mul(i64::from(collation::max_char_bytes(ty.collation.charset)));
    let charset = |name: &str| if textual && !ty.collation.is_binary() { text(name) } else { Datum::Null };
    vec![
        text("def"),
        text(table.db.name.o.clone()),
        text(table.name()),
        text(column.name()),
        number(at as i64 + 1),
        column_default(column),
        text(if column.is_not_null() { "NO" } else { "YES" }),
        text(data_type),
        when(textual, ty.flen),
        when(textual, bytes),
        when(numeric, ty.flen),
        when(numeric, ty.decimal.max(0)),
        when(timed, i64::from(ty.fsp())),
        charset(ty.collation.charset),
        charset(ty.collation.name),
        text(written),
        text(key_text(column)),
        text(extra_text(column)),
        text("select,insert,update,references"),
        text(column.info.comment.clone()),
        text(""),
    ]
}

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
fn statistics(exec: &Exec<'_>) -> Content {
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
fn key_usage(exec: &Exec<'_>) -> Content {
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
fn constraints(exec: &Exec<'_>) -> Content {
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
