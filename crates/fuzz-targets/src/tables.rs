//! The tables whose rows are fuzzed.

use std::sync::{Arc, LazyLock};

use change_format::{CanalEncoder, CanalOptions, LargeMessage};
use jiff::tz::TimeZone;
use tidb_schema::{DbInfo, TableInfo, TableVersion};

/// Where the tables are, relative to the crate: a JSON list of table infos as TiDB stored them.
pub const TABLES_FILE: &str = "data/tables.json";
/// The tables.
const TABLES: &str = include_str!("../data/tables.json");

/// Encoders of each table: with few and with many settings.
pub(crate) static ENCODERS: LazyLock<Vec<[CanalEncoder; 2]>> = LazyLock::new(|| {
    let tables: Vec<TableInfo> = serde_json::from_str(TABLES).unwrap_or_default();
    assert!(!tables.is_empty(), "{TABLES_FILE} holds tables");
    let db: Result<DbInfo, _> = serde_json::from_str(r#"{"id":1,"db_name":{"O":"Db","L":"db"},"state":5}"#);
    let Ok(db) = db else { unreachable!("a database") };
    let many = CanalOptions {
        enable_tidb_extension: true,
        content_compatible: true,
        only_output_updated_columns: true,
        output_row_key: true,
        large_message: LargeMessage::HandleKeyOnly,
        max_message_bytes: Some(1000),
        time_zone: TimeZone::get("America/New_York").unwrap_or(TimeZone::UTC),
        ..CanalOptions::default()
    };
    let options = [Arc::new(CanalOptions::default()), Arc::new(many)];
    let encoder =
        |version: &TableVersion, at: usize| CanalEncoder::new(version, Arc::clone(&options[at])).ok();
    let both = |info| {
        let version = TableVersion::new(&db, info, 1);
        Some([encoder(&version, 0)?, encoder(&version, 1)?])
    };
    tables.into_iter().filter_map(both).collect()
});
