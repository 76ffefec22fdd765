//! Rows of a real cluster with the messages of the reference system, `mysqlType` brought in column order: all column
//! types with their edge values, every kind of key, both row formats.

use std::sync::Arc;

use change_format::{CanalEncoder, CanalOptions, Encoded, RowChange};
use serde::Deserialize;
use tidb_schema::{CIStr, DbInfo, TableInfo, TableVersion};

/// Wall clock in the messages.
const NOW_MS: u64 = 1_700_000_000_000;

#[derive(Deserialize)]
struct Table {
    schema: String,
    table: TableInfo,
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    commit_ts: String,
    key: String,
    value: String,
    old_value: String,
    message: String,
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn stored_rows_give_the_bytes_of_the_reference_system() {
    let tables: Vec<Table> = serde_json::from_str(include_str!("data/rows.json")).unwrap();
    let options = Arc::new(CanalOptions { enable_tidb_extension: true, ..CanalOptions::default() });
    for table in tables {
        let db = DbInfo { id: 1, name: CIStr::new(table.schema), ..DbInfo::default() };
        let version = TableVersion::new(&db, table.table, 1);
        let encoder = CanalEncoder::new(&version, Arc::clone(&options)).unwrap();
        for row in &table.rows {
            let (key, value, old_value) = (unhex(&row.key), unhex(&row.value), unhex(&row.old_value));
            let commit_ts = row.commit_ts.parse().unwrap();
            let change =
                RowChange { start_ts: 0, commit_ts, key: &key, value: &value, old_value: &old_value };
            let mut out = Vec::new();
            assert_eq!(encoder.encode(&change, NOW_MS, &mut out).unwrap(), Encoded::Message);
            assert_eq!(String::from_utf8(out).unwrap(), row.message, "{}", version.table_name());
        }
    }
}
