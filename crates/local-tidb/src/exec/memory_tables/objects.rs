//! Databases, tables and columns.

use tidb_codec::Datum;
use tidb_codec::field::tp;

use super::{Content, all_tables, columns, number, text};
use crate::catalog::{Column, Table};
use crate::exec::{Exec, Row};
use crate::session::{column_default, extra_text, key_text, type_text};
use tidb_expr::collation;

/// `SCHEMATA`.
pub(super) fn schemata(exec: &Exec<'_>) -> Content {
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
pub(super) fn tables(exec: &Exec<'_>) -> Content {
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
pub(super) fn all_columns(exec: &Exec<'_>) -> Content {
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
