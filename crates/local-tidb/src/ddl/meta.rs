//! Writes to TiDB's meta keys within a transaction.

use serde::Serialize;
use tidb_codec::key::meta;
use tidb_schema::{DbInfo, Job, TableInfo};
use tikv_client::Transaction;

use crate::meta_keys;
use crate::storage_error::from_client;
use tidb_expr::{Result, SqlError};

/// A transaction on meta keys.
#[derive(Debug)]
pub(crate) struct Meta<'a> {
    /// The transaction.
    pub(crate) txn: &'a mut Transaction,
}

/// A description as the meta keys hold it.
fn json<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(SqlError::internal)
}

/// What a schema version changed, under `Diff:<version>`.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct SchemaDiff {
    /// The version.
    pub(crate) version: i64,
    /// Kind of job.
    #[serde(rename = "type")]
    pub(crate) action: u8,
    /// Database.
    pub(crate) schema_id: i64,
    /// Table after the change.
    pub(crate) table_id: i64,
    /// Table before the change, of a truncation.
    pub(crate) old_table_id: i64,
    /// Database before the change, of a rename.
    pub(crate) old_schema_id: i64,
    /// Readers need not start over.
    pub(crate) regenerate_schema_map: bool,
    /// Other tables that it concerns; unused here.
    pub(crate) affected_options: Option<()>,
}

impl Meta<'_> {
    /// Writes one key.
    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) -> Result<()> {
        self.txn.put(key, value).map_err(from_client)
    }

    /// A number kept as text; 0 when absent.
    ///
    /// # Errors
    /// Storage failures.
    pub(crate) async fn number(&mut self, name: &[u8]) -> Result<i64> {
        let value = self.txn.get(&meta::string_key(name)).await.map_err(from_client)?;
        value.map_or(Ok(0), |text| meta_keys::parse_number(&text))
    }

    /// Sets a string.
    ///
    /// # Errors
    /// The transaction is too large.
    pub(crate) fn set_string(&mut self, name: &[u8], value: &str) -> Result<()> {
        self.put(meta::string_key(name), value.as_bytes().to_vec())
    }

    /// Takes `count` ids; returns the first.
    ///
    /// # Errors
    /// Storage failures.
    pub(crate) async fn take_ids(&mut self, count: i64) -> Result<i64> {
        let last = self.number(meta_keys::NEXT_GLOBAL_ID).await?;
        self.set_string(meta_keys::NEXT_GLOBAL_ID, &(last + count).to_string())?;
        Ok(last + 1)
    }

    /// Writes a database.
    ///
    /// # Errors
    /// The transaction is too large.
    pub(crate) fn put_database(&mut self, info: &DbInfo) -> Result<()> {
        self.put(meta::hash_key(meta_keys::DBS, &meta_keys::db_field(info.id)), json(info)?)
    }

    /// Removes a database, without its tables.
    ///
    /// # Errors
    /// The transaction is too large.
    pub(crate) fn remove_database(&mut self, id: i64) -> Result<()> {
        self.txn.delete(meta::hash_key(meta_keys::DBS, &meta_keys::db_field(id))).map_err(from_client)
    }

    /// Writes a table.
    ///
    /// # Errors
    /// The transaction is too large.
    pub(crate) fn put_table(&mut self, db_id: i64, info: &TableInfo) -> Result<()> {
        self.put(meta::hash_key(&meta_keys::db_field(db_id), &meta_keys::table_field(info.id)), json(info)?)
    }

    /// Removes a table with its id allocator.
    ///
    /// # Errors
    /// The transaction is too large.
    pub(crate) fn remove_table(&mut self, db_id: i64, table_id: i64) -> Result<()> {
        let hash = meta_keys::db_field(db_id);
        self.txn.delete(meta::hash_key(&hash, &meta_keys::table_field(table_id))).map_err(from_client)?;
        self.txn.delete(meta::hash_key(&hash, &meta_keys::auto_id_field(table_id))).map_err(from_client)
    }

    /// Sets the bound of a table's id allocator.
    ///
    /// # Errors
    /// The transaction is too large.
    pub(crate) fn put_auto_id(&mut self, db_id: i64, table_id: i64, last: i64) -> Result<()> {
        let key = meta::hash_key(&meta_keys::db_field(db_id), &meta_keys::auto_id_field(table_id));
        self.put(key, last.to_string().into_bytes())
    }

    /// The bound of a table's id allocator.
    ///
    /// # Errors
    /// Storage failures.
    pub(crate) async fn auto_id(&mut self, db_id: i64, table_id: i64) -> Result<i64> {
        let key = meta::hash_key(&meta_keys::db_field(db_id), &meta_keys::auto_id_field(table_id));
        let value = self.txn.get(&key).await.map_err(from_client)?;
        value.map_or(Ok(0), |text| meta_keys::parse_number(&text))
    }

    /// Moves to the next schema version and notes what it changes; returns the version.
    ///
    /// # Errors
    /// Storage failures.
    pub(crate) async fn next_version(&mut self, mut diff: SchemaDiff) -> Result<i64> {
        let version = self.number(meta_keys::SCHEMA_VERSION).await? + 1;
        self.set_string(meta_keys::SCHEMA_VERSION, &version.to_string())?;
        diff.version = version;
        self.put(meta::string_key(&meta_keys::diff_name(version)), json(&diff)?)?;
        Ok(version)
    }

    /// Notes a finished job where older TiDB versions look for it.
    ///
    /// # Errors
    /// The transaction is too large.
    pub(crate) fn put_job_history(&mut self, job: &Job) -> Result<()> {
        let field = job.id.to_be_bytes();
        self.put(meta::hash_key(meta_keys::DDL_JOB_HISTORY, &field), json(job)?)
    }
}
