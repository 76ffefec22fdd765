//! The tables of `INFORMATION_SCHEMA` that clients and tools read.

mod keys;
mod objects;
mod server;

use std::sync::Arc;

use tidb_codec::Datum;

use super::{Exec, Row};
use crate::catalog::Table;
use keys::{constraints, key_usage, statistics};
use objects::{all_columns, schemata, tables};
use server::{character_sets, collations, engines};
use tidb_expr::ResultType;
use tidb_expr::collation;
use tidb_expr::{Result, SqlError};

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
        "COLLATIONS" => collations(),
        "CHARACTER_SETS" => character_sets(),
        "ENGINES" => engines(),
        "VIEWS" => (columns(&["TABLE_CATALOG", "TABLE_SCHEMA", "TABLE_NAME", "VIEW_DEFINITION"]), Vec::new()),
        _ => return Err(SqlError::no_such_table(db, name)),
    })
}

/// All tables of the schema.
fn all_tables(exec: &Exec<'_>) -> Vec<Arc<Table>> {
    exec.schema.databases().flat_map(|d| d.tables().cloned().collect::<Vec<_>>()).collect()
}
