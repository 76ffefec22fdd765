//! Reading the schema from TiDB's meta keys.

use tidb_codec::key::meta::{self, MetaKey};
use tidb_schema::{DbInfo, TableInfo};
use tikv_client::Snapshot;

use super::Schema;
use crate::meta_keys;
use crate::storage_error::from_client;
use tidb_expr::{Result, SqlError};

/// Fields of a meta hash read per call.
const PAGE: usize = 256;

/// Reads the whole schema as of a snapshot.
///
/// # Errors
/// Storage failures; JSON or numbers that are none.
pub(crate) async fn load(snapshot: &Snapshot) -> Result<Schema> {
    let mut schema =
        Schema { version: read_number(snapshot, meta_keys::SCHEMA_VERSION).await?, ..Schema::default() };
    let mut names = Vec::new();
    for (_, value) in read_hash(snapshot, meta_keys::DBS).await? {
        let db: DbInfo = parse(&value)?;
        names.push((db.id, db.name.o.clone()));
        schema.put_database(db);
    }
    for (id, name) in names {
        for (field, value) in read_hash(snapshot, &meta_keys::db_field(id)).await? {
            if field.starts_with(b"Table:") {
                let table: TableInfo = parse(&value)?;
                schema.put_table(&name, table);
            }
        }
    }
    Ok(schema)
}

/// Parses a JSON value of the meta range.
fn parse<T: serde::de::DeserializeOwned>(json: &[u8]) -> Result<T> {
    serde_json::from_slice(json).map_err(|e| SqlError::internal(format!("schema entry is not readable: {e}")))
}

/// Reads a number kept as text; 0 when absent.
///
/// # Errors
/// Storage failures; text that is no number.
pub(crate) async fn read_number(snapshot: &Snapshot, name: &[u8]) -> Result<i64> {
    let value = snapshot.get(&meta::string_key(name)).await.map_err(from_client)?;
    value.map_or(Ok(0), |text| meta_keys::parse_number(&text))
}

/// All fields of a hash with their values.
async fn read_hash(snapshot: &Snapshot, name: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let (mut start, end) = meta::hash_range(name);
    let mut out = Vec::new();
    loop {
        let page = snapshot.scan(&start, &end, PAGE, false).await.map_err(from_client)?;
        let full = page.len() == PAGE;
        for pair in page {
            start.clear();
            start.extend_from_slice(&pair.key);
            start.push(0);
            if let Ok(MetaKey::HashField { field, .. }) = meta::decode(&pair.key) {
                out.push((field, pair.value.to_vec()));
            }
        }
        if !full {
            return Ok(out);
        }
    }
}
