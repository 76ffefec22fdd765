//! A table with most kinds of columns, and rows of it.

use std::sync::Arc;

use change_format::{CanalEncoder, CanalOptions, RowChange};
use tidb_codec::field::{FieldType, flag, tp};
use tidb_codec::{Datum, Decimal, Handle, Time, TimeKind, key, row};
use tidb_schema::{CIStr, ColumnInfo, DbInfo, IndexColumn, IndexInfo, SchemaState, TableInfo, TableVersion};

/// Commit timestamp of every change; its milliseconds are 1750000000123.
pub(crate) const COMMIT_TS: u64 = 458_752_000_032_243_713;
/// Wall clock of every message.
pub(crate) const NOW_MS: u64 = 1_750_000_000_456;
/// The table's id.
pub(crate) const TABLE_ID: i64 = 77;

fn column(id: i64, name: &str, code: u8, flags: u32, flen: i64, decimal: i64, charset: &str) -> ColumnInfo {
    let field_type = FieldType {
        flag: flags,
        flen,
        decimal,
        charset: charset.to_owned(),
        collate: charset.to_owned(),
        ..FieldType::new(code)
    };
    let state = SchemaState::PUBLIC;
    ColumnInfo {
        id,
        name: CIStr::new(name),
        offset: id - 1,
        field_type,
        state,
        version: 2,
        ..ColumnInfo::default()
    }
}

/// `shop.orders(id bigint unsigned primary key, amt decimal(8,2), st enum('new','paid'), tags set('a','b','c'),
/// raw varbinary(4), note varchar(20), ok bit(8), at timestamp(3), code int unique)`.
pub(crate) fn table() -> TableInfo {
    let mut columns = vec![
        column(1, "id", tp::LONGLONG, flag::UNSIGNED | flag::PRI_KEY | flag::NOT_NULL, 20, 0, "binary"),
        column(2, "amt", tp::NEW_DECIMAL, 0, 8, 2, "binary"),
        column(3, "st", tp::ENUM, 0, 0, 0, "utf8mb4"),
        column(4, "tags", tp::SET, 0, 0, 0, "utf8mb4"),
        column(5, "raw", tp::VARCHAR, flag::BINARY, 4, 0, "binary"),
        column(6, "note", tp::VARCHAR, 0, 20, 0, "utf8mb4"),
        column(7, "ok", tp::BIT, flag::UNSIGNED, 8, 0, "binary"),
        column(8, "at", tp::TIMESTAMP, flag::BINARY, 23, 3, "binary"),
        column(9, "code", tp::LONG, flag::UNIQUE_KEY, 11, 0, "binary"),
    ];
    columns[2].field_type.elems = ["new", "paid"].map(str::to_owned).to_vec();
    columns[3].field_type.elems = ["a", "b", "c"].map(str::to_owned).to_vec();
    let unique = IndexInfo {
        id: 1,
        name: CIStr::new("Code_Key"),
        columns: vec![IndexColumn { name: CIStr::new("code"), offset: 8, length: IndexColumn::WHOLE }],
        unique: true,
        state: SchemaState::PUBLIC,
        ..IndexInfo::default()
    };
    TableInfo {
        id: TABLE_ID,
        name: CIStr::new("orders"),
        columns,
        indices: vec![unique],
        state: SchemaState::PUBLIC,
        pk_is_handle: true,
        ..TableInfo::default()
    }
}

/// The version of a table in database `shop`.
pub(crate) fn version(info: TableInfo) -> TableVersion {
    let db = DbInfo { id: 1, name: CIStr::new("shop"), state: SchemaState::PUBLIC, ..DbInfo::default() };
    TableVersion::new(&db, info, 1)
}

/// An encoder for all columns.
pub(crate) fn encoder(options: CanalOptions) -> CanalEncoder {
    CanalEncoder::new(&version(table()), Arc::new(options)).unwrap()
}

/// A row in format v2: note and code as given, the rest fixed.
pub(crate) fn stored(note: Option<&str>, code: Option<i64>) -> Vec<u8> {
    let info = table();
    let at = Time::parse("2025-06-15 15:06:40.123", TimeKind::Timestamp, 3).unwrap();
    let values = [
        Datum::Decimal(Decimal::parse("12.5").unwrap()),
        Datum::Enum(2),
        Datum::Set(5),
        Datum::Bytes(b"\0\xff<A".to_vec()),
        note.map_or(Datum::Null, |note| Datum::Bytes(note.as_bytes().to_vec())),
        Datum::Bit(3),
        Datum::Time(at),
        code.map_or(Datum::Null, Datum::Int),
    ];
    let columns = info.columns.iter().skip(1).zip(&values);
    let columns: Vec<_> = columns.map(|(column, value)| (column.id, &column.field_type, value)).collect();
    row::encode_row_v2(&columns).unwrap()
}

/// The key of the row with this id.
pub(crate) fn row_key(id: i64) -> Vec<u8> {
    key::record_key(TABLE_ID, &Handle::Int(id))
}

/// A change of the row in `key`.
pub(crate) fn change<'a>(key: &'a [u8], old_value: &'a [u8], value: &'a [u8]) -> RowChange<'a> {
    RowChange { start_ts: COMMIT_TS - 1, commit_ts: COMMIT_TS, key, value, old_value }
}

/// Encodes one change.
pub(crate) fn encode(encoder: &CanalEncoder, change: &RowChange<'_>) -> String {
    let mut out = Vec::new();
    encoder.encode(change, NOW_MS, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}
