//! The schema as it was at a timestamp.

use tidb_schema::{SCHEMA_END, SCHEMA_START, SchemaLoader, SchemaSnapshot};
use tikv_client::TikvClient;

use crate::FeedError;

/// Reads the schema at `ts`: every database and table, batch by batch.
///
/// # Errors
/// `CDC:ErrMetaListDatabases` if TiKV cannot be read at `ts`, `CDC:ErrSchemaSnapshotNotFound` if what is there cannot be
/// understood.
pub async fn load_schema(tikv: &TikvClient, ts: u64) -> Result<SchemaSnapshot, FeedError> {
    let failed = |e: tikv_client::Error| {
        FeedError::new("CDC:ErrMetaListDatabases", format!("meta store list databases: {e}"))
    };
    let mut scanner = tikv.snapshot(ts).scanner(SCHEMA_START, SCHEMA_END, false);
    let mut loader = SchemaLoader::new(ts);
    while let Some(batch) = scanner.next_batch().await.map_err(failed)? {
        for pair in batch {
            loader.push(&pair.key, &pair.value).map_err(|e| {
                FeedError::new("CDC:ErrSchemaSnapshotNotFound", format!("schema at {ts}: {e}"))
            })?;
        }
    }
    Ok(loader.finish())
}
