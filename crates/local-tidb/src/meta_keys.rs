//! Names of TiDB's meta keys.

use tidb_expr::{Result, SqlError};

/// Largest id given out so far (string).
pub(crate) const NEXT_GLOBAL_ID: &[u8] = b"NextGlobalID";
/// Schema version (string).
pub(crate) const SCHEMA_VERSION: &[u8] = b"SchemaVersionKey";
/// Databases (hash).
pub(crate) const DBS: &[u8] = b"DBs";
/// Finished DDL jobs by 8-byte job id (hash).
pub(crate) const DDL_JOB_HISTORY: &[u8] = b"DDLJobHistory";
/// Version of TiDB's system tables (string).
pub(crate) const BOOTSTRAP: &[u8] = b"BootstrapKey";
/// Version of the DDL tables (string).
pub(crate) const DDL_TABLE_VERSION: &[u8] = b"DDLTableVersion";
/// Whether DDL waits for metadata locks (string).
pub(crate) const METADATA_LOCK: &[u8] = b"metadataLock";
/// Memory for schema caches (string).
pub(crate) const SCHEMA_CACHE_SIZE: &[u8] = b"SchemaCacheSize";

/// `DB:<id>`: field of a database in [`DBS`], and name of the hash of its tables.
pub(crate) fn db_field(id: i64) -> Vec<u8> {
    format!("DB:{id}").into_bytes()
}

/// `Table:<id>`: field of a table in its database's hash.
pub(crate) fn table_field(id: i64) -> Vec<u8> {
    format!("Table:{id}").into_bytes()
}

/// `TID:<id>`: field of a table's row id and auto increment allocator in its database's hash.
pub(crate) fn auto_id_field(id: i64) -> Vec<u8> {
    format!("TID:{id}").into_bytes()
}

/// `Diff:<version>`: what a schema version changed.
pub(crate) fn diff_name(version: i64) -> Vec<u8> {
    format!("Diff:{version}").into_bytes()
}

/// Reads a number kept as decimal text.
///
/// # Errors
/// Text that is no number.
pub(crate) fn parse_number(text: &[u8]) -> Result<i64> {
    std::str::from_utf8(text).ok().and_then(|t| t.parse().ok()).ok_or_else(|| {
        SqlError::internal(format!("meta value {:?} is no number", String::from_utf8_lossy(text)))
    })
}
