//! A hundred thousand tables in the time that SQL takes for a few hundred: one is created by SQL, and its description is
//! copied under new names and ids to where TiDB keeps them, as TiDB's own tool for restoring backups does it.

use serde_json::{Value, json};
use tidb_codec::key::meta::{MetaKey, decode, hash_key, string_key};
use tidb_schema::{SCHEMA_END, SCHEMA_START};
use tikv_client::{PdClient, Security, TikvClient, TransactionOptions};
use xtask::Failure;

/// Name of the table that is copied, in the database `test`.
pub(crate) const MODEL: &str = "model";
/// Tables of one transaction.
const BATCH: u64 = 2_000;

/// Any failure of the cluster.
fn failed(error: tikv_client::Error) -> Failure {
    Failure::check(format!("writing tables: {error}"))
}

/// Where the model is.
struct Model {
    /// Name of the hash of its database's tables.
    database: Vec<u8>,
    /// Its description.
    info: Value,
}

/// Copies the model `count` times; `name` gives the names. SQL must not run meanwhile: it would not see them.
pub(crate) fn copy(pd: u16, count: u64, name: impl Fn(u64) -> String) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::check(format!("no runtime: {error}")))?;
    runtime.block_on(async {
        let endpoints = [format!("127.0.0.1:{pd}")];
        let pd = PdClient::connect(&endpoints, Security::none()).await.map_err(failed)?;
        let client = TikvClient::new(pd);
        let model = find(&client).await?;
        let next = number(&client, b"NextGlobalID").await?;
        for start in (0..count).step_by(usize::try_from(BATCH).unwrap_or(1)) {
            let options = TransactionOptions::optimistic();
            let mut txn = client.begin(options).await.map_err(failed)?;
            for index in start..count.min(start + BATCH) {
                let id = next + 1 + i64::try_from(index).unwrap_or(i64::MAX);
                let name = name(index);
                let mut info = model.info.clone();
                (info["id"], info["name"]) = (id.into(), json!({"O": name, "L": name}));
                let key = hash_key(&model.database, format!("Table:{id}").as_bytes());
                txn.put(key, info.to_string()).map_err(failed)?;
            }
            txn.commit().await.map_err(failed)?;
        }
        finish(&client, next + 1 + i64::try_from(count).unwrap_or(0)).await
    })
}

/// A number among the meta keys.
async fn number(client: &TikvClient, name: &[u8]) -> Result<i64, Failure> {
    let ts = client.pd().get_ts().await.map_err(failed)?;
    let value = client.snapshot(ts).get(&string_key(name)).await.map_err(failed)?;
    let text = value.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
    text.parse().map_err(|_| Failure::check(format!("{}: {text:?}", String::from_utf8_lossy(name))))
}

/// Finds the model.
async fn find(client: &TikvClient) -> Result<Model, Failure> {
    let ts = client.pd().get_ts().await.map_err(failed)?;
    let mut scanner = client.snapshot(ts).scanner(SCHEMA_START, SCHEMA_END, false);
    while let Some(batch) = scanner.next_batch().await.map_err(failed)? {
        for pair in batch {
            let Ok(MetaKey::HashField { name, field }) = decode(&pair.key) else { continue };
            if !field.starts_with(b"Table:") {
                continue;
            }
            if let Ok(info) = serde_json::from_slice::<Value>(&pair.value)
                && info["name"]["L"] == MODEL
            {
                return Ok(Model { database: name.to_vec(), info });
            }
        }
    }
    Err(Failure::check("the table to copy is not there"))
}

/// Moves the counters past what was written: ids, and the version of the schema with its note.
async fn finish(client: &TikvClient, last_id: i64) -> Result<(), Failure> {
    let version = number(client, b"SchemaVersionKey").await? + 1;
    let mut txn = client.begin(TransactionOptions::optimistic()).await.map_err(failed)?;
    txn.put(string_key(b"NextGlobalID"), last_id.to_string()).map_err(failed)?;
    txn.put(string_key(b"SchemaVersionKey"), version.to_string()).map_err(failed)?;
    let note = json!({"version": version, "type": 0, "schema_id": 0, "table_id": 0});
    txn.put(string_key(format!("Diff:{version}").as_bytes()), note.to_string()).map_err(failed)?;
    txn.commit().await.map(|_| ()).map_err(failed)
}
