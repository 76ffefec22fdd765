//! The schema as it was at a timestamp.

use tidb_codec::key::meta::string_key;
use tidb_schema::{SCHEMA_END, SCHEMA_START, SchemaLoader, SchemaSnapshot};
use tikv_client::TikvClient;
use tokio::sync::Mutex;

use crate::FeedError;

/// Name of the meta key with the schema's version.
const VERSION: &[u8] = b"SchemaVersionKey";

/// The error of a failed read.
fn failed(error: tikv_client::Error) -> FeedError {
    FeedError::new("CDC:ErrMetaListDatabases", format!("meta store list databases: {error}"))
}

/// Reads the schema at `ts`: every database and table, batch by batch.
///
/// # Errors
/// `CDC:ErrMetaListDatabases` if TiKV cannot be read at `ts`, `CDC:ErrSchemaSnapshotNotFound` if what is there cannot be
/// understood.
pub async fn load_schema(tikv: &TikvClient, ts: u64) -> Result<SchemaSnapshot, FeedError> {
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

/// The schema that was read last. Changefeeds share it as long as nobody changes the schema: a hundred thousand tables are
/// read, and are in memory, once and not once for each changefeed.
#[derive(Default)]
pub(crate) struct SharedSchema {
    /// Version and content. Locked while it is read, so that others wait for it instead of reading it too.
    latest: Mutex<Option<(i64, SchemaSnapshot)>>,
}

impl SharedSchema {
    /// The schema at `ts`.
    ///
    /// # Errors
    /// As [`load_schema`].
    pub(crate) async fn at(&self, tikv: &TikvClient, ts: u64) -> Result<SchemaSnapshot, FeedError> {
        let Some(version) = settled_version(tikv, ts).await? else { return load_schema(tikv, ts).await };
        let mut latest = self.latest.lock().await;
        if let Some((known, schema)) = &*latest
            && *known == version
        {
            return Ok(schema.moved_to(ts));
        }
        let schema = load_schema(tikv, ts).await?;
        *latest = Some((version, schema.clone()));
        Ok(schema)
    }
}

/// The schema's version at `ts`; `None` if it does not tell the content.
///
/// TiDB takes a new version in a transaction of its own, before the one that changes the schema. The latter also notes what
/// the version changes, under `Diff:<version>`: only where that note is there has the version its content. TiDB's servers
/// rely on the same.
async fn settled_version(tikv: &TikvClient, ts: u64) -> Result<Option<i64>, FeedError> {
    let snapshot = tikv.snapshot(ts);
    let Some(value) = snapshot.get(&string_key(VERSION)).await.map_err(failed)? else { return Ok(None) };
    let version = std::str::from_utf8(&value).ok().and_then(|text| text.parse::<i64>().ok());
    let Some(version) = version else { return Ok(None) };
    let note = string_key(format!("Diff:{version}").as_bytes());
    Ok(snapshot.get(&note).await.map_err(failed)?.map(|_| version))
}
