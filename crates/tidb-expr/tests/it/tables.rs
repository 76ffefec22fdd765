//! Tables to try expressions on.

use jiff::tz::TimeZone;
use tidb_codec::Datum;
use tidb_codec::field::{FieldType, flag, tp};
use tidb_expr::SqlError;
use tidb_expr::table::{BindError, RowExpr, ValueExpr};
use tidb_schema::{CIStr, ColumnInfo, SchemaState, TableInfo};

/// A public column.
pub(crate) fn column(name: &str, field_type: FieldType) -> ColumnInfo {
    ColumnInfo {
        name: CIStr::new(name),
        field_type,
        state: SchemaState::PUBLIC,
        version: 2,
        ..ColumnInfo::default()
    }
}

/// A type without text.
pub(crate) fn number(tp: u8, flag: u32, flen: i64, decimal: i64) -> FieldType {
    let (charset, collate) = ("binary".to_owned(), "binary".to_owned());
    FieldType { tp, flag, flen, decimal, charset, collate, ..FieldType::default() }
}

/// VARCHAR(64) of a collation.
pub(crate) fn text(collate: &str) -> FieldType {
    let charset = collate.split('_').next().unwrap_or_default().to_owned();
    FieldType {
        tp: tp::VARCHAR,
        flen: 64,
        decimal: -1,
        charset,
        collate: collate.to_owned(),
        ..FieldType::default()
    }
}

/// ENUM or SET of members.
pub(crate) fn members(tp: u8, elems: &[&str]) -> FieldType {
    let elems = elems.iter().map(|elem| (*elem).to_owned()).collect();
    FieldType { tp, elems, ..text("utf8mb4_bin") }
}

/// A table `shop.t`.
pub(crate) fn table(columns: Vec<ColumnInfo>) -> TableInfo {
    TableInfo { id: 1, name: CIStr::new("t"), columns, state: SchemaState::PUBLIC, ..TableInfo::default() }
}

/// Binds an expression to a table.
pub(crate) fn bind(table: &TableInfo, source: &str) -> Result<RowExpr, BindError> {
    let expr = ValueExpr::parse(source).unwrap_or_else(|error| panic!("{source}: {error}"));
    RowExpr::bind(&expr, "shop", table, &TimeZone::UTC)
}

/// Whether an expression is true for a row.
pub(crate) fn truth(table: &TableInfo, source: &str, row: &[Datum]) -> Result<bool, SqlError> {
    let bound = bind(table, source).unwrap_or_else(|error| panic!("{source}: {error}"));
    let mut values = vec![Datum::Null; table.columns.len()];
    for stored in bound.stored() {
        values[stored.position] = row.get(stored.position).cloned().unwrap_or_else(|| stored.missing.clone());
    }
    bound.is_true(&mut values, &TimeZone::UTC)
}

/// The unsigned flag.
pub(crate) const UNSIGNED: u32 = flag::UNSIGNED;
