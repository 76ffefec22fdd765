//! A snapshot from the meta key range.

use serde::de::DeserializeOwned;
use tidb_codec::key::meta::{self, MetaKey};

use crate::{DbInfo, SchemaError, SchemaSnapshot, TableInfo, TableVersion};

/// Hash of databases.
const DATABASES: &[u8] = b"DBs";
/// Start of the name of a database's hash, and of its field in [`DATABASES`].
const DATABASE: &[u8] = b"DB:";
/// Start of a table's field in its database's hash.
const TABLE: &[u8] = b"Table:";

/// First raw key of the databases and their tables within the meta range.
pub const SCHEMA_START: &[u8] = b"mDB";
/// First raw key behind them: DDL history, statistics and the like are not read.
pub const SCHEMA_END: &[u8] = b"mDC";

/// Builds a snapshot from meta keys as they are read, so that their JSON need not be kept.
#[derive(Debug)]
pub struct SchemaLoader {
    /// What is complete.
    snapshot: SchemaSnapshot,
    /// Tables with the id of their database, which may come later.
    tables: Vec<(i64, TableInfo)>,
}

impl SchemaLoader {
    /// A loader of the schema at `ts`.
    pub fn new(ts: u64) -> Self {
        Self { snapshot: SchemaSnapshot::empty(ts), tables: Vec::new() }
    }

    /// Takes a key and value of the meta range; keys that hold no schema object are skipped.
    ///
    /// # Errors
    /// If the key is malformed, or the entry of a database or table is not readable.
    pub fn push(&mut self, key: &[u8], value: &[u8]) -> Result<(), SchemaError> {
        let decoded = meta::decode(key).map_err(|source| SchemaError::MetaKey { key: hex(key), source })?;
        let MetaKey::HashField { name, field } = decoded else { return Ok(()) };
        if name == DATABASES {
            if let Some(id) = id_after(&field, DATABASE) {
                self.snapshot.put_schema(read::<DbInfo>("database", id, value)?);
            }
        } else if let (Some(schema_id), Some(id)) = (id_after(&name, DATABASE), id_after(&field, TABLE)) {
            self.tables.push((schema_id, read::<TableInfo>("table", id, value)?));
        }
        Ok(())
    }

    /// The snapshot of all that was taken.
    pub fn finish(self) -> SchemaSnapshot {
        let Self { mut snapshot, tables } = self;
        let ts = snapshot.ts;
        for (schema_id, info) in tables {
            match snapshot.schema(schema_id).cloned() {
                Some(db) => {
                    snapshot.put_table(TableVersion::new(&db, info, ts));
                }
                None => {
                    tracing::warn!(schema_id, table_id = info.id, "table of an unknown database is left out")
                }
            }
        }
        snapshot
    }
}

impl SchemaSnapshot {
    /// The schema at `ts` from the keys and values of the meta range (`m` … `n`) at that timestamp, in any order.
    /// Keys that hold no schema object are skipped.
    ///
    /// # Errors
    /// As [`SchemaLoader::push`].
    pub fn from_meta<K: AsRef<[u8]>, V: AsRef<[u8]>>(
        ts: u64,
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, SchemaError> {
        let mut loader = SchemaLoader::new(ts);
        for (key, value) in pairs {
            loader.push(key.as_ref(), value.as_ref())?;
        }
        Ok(loader.finish())
    }
}

/// The decimal id after `prefix`; `None` if the text is something else.
fn id_after(text: &[u8], prefix: &[u8]) -> Option<i64> {
    std::str::from_utf8(text.strip_prefix(prefix)?).ok()?.parse().ok()
}

/// Reads a JSON entry.
fn read<T: DeserializeOwned>(what: &'static str, id: i64, json: &[u8]) -> Result<T, SchemaError> {
    serde_json::from_slice(json).map_err(|error| SchemaError::MetaJson {
        what,
        id,
        reason: error.to_string(),
    })
}

/// Hexadecimal text of a key.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CIStr, SchemaState};

    fn db(id: i64, name: &str) -> (Vec<u8>, Vec<u8>) {
        let info = DbInfo { id, name: CIStr::new(name), state: SchemaState::PUBLIC, ..DbInfo::default() };
        (meta::hash_key(b"DBs", format!("DB:{id}").as_bytes()), serde_json::to_vec(&info).unwrap())
    }

    fn table(db: i64, id: i64, name: &str) -> (Vec<u8>, Vec<u8>) {
        let info =
            TableInfo { id, name: CIStr::new(name), state: SchemaState::PUBLIC, ..TableInfo::default() };
        (
            meta::hash_key(format!("DB:{db}").as_bytes(), format!("Table:{id}").as_bytes()),
            serde_json::to_vec(&info).unwrap(),
        )
    }

    #[test]
    fn objects_are_found_in_any_order_and_counters_skipped() {
        let pairs = vec![
            table(2, 11, "B"),
            db(2, "Shop"),
            (meta::hash_key(b"DB:2", b"TID:11"), b"5000".to_vec()),
            (meta::string_key(b"SchemaVersionKey"), b"77".to_vec()),
            table(9, 12, "orphan"),
        ];
        let snapshot = SchemaSnapshot::from_meta(5, pairs).unwrap();
        assert_eq!(snapshot.ts(), 5);
        assert_eq!(snapshot.table_count(), 1);
        assert_eq!(snapshot.table_by_name("SHOP", "b").unwrap().info.id, 11);
        assert_eq!(snapshot.table_by_physical_id(11).unwrap().schema_name(), "Shop");
    }

    #[test]
    fn unreadable_entries_are_named() {
        let (key, _) = table(2, 11, "B");
        let error = SchemaSnapshot::from_meta(5, [(key, b"{".to_vec())]).unwrap_err();
        assert!(error.to_string().starts_with("table 11 in the meta range is not readable"), "{error}");
        assert!(SchemaSnapshot::from_meta(5, [(b"x".to_vec(), Vec::new())]).is_err());
    }
}
