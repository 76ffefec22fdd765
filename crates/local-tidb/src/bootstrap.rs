//! A fresh cluster's system databases and tables, written in one transaction.

use std::sync::Arc;

use jiff::tz::TimeZone;
use tidb_codec::{Datum, Handle};
use tidb_schema::{
    CIStr, DDL_HISTORY_TABLE_ID, DDL_JOB_TABLE_ID, DDL_REORG_TABLE_ID, DbInfo, MDL_INFO_TABLE_ID,
    SchemaState, TableInfo,
};
use tidb_sql::{Ddl, SqlMode, Statement};
use tikv_client::{Error, Transaction, TransactionOptions};

use crate::catalog::{HandleKind, Table, load::read_number};
use crate::ddl::meta::Meta;
use crate::ddl::table_def;
use crate::default_value;
use crate::engine::{Engine, MAX_RETRIES};
use crate::meta_keys;
use crate::session::variable_table::{self, DEFAULT_SQL_MODE};
use crate::storage_error::from_client;
use crate::store::{StoredRow, entries, row};
use tidb_expr::collation;
use tidb_expr::{EvalContext, ModeFlags, ResultType, SessionFacts};
use tidb_expr::{Result, SqlError};

/// Version of the system tables that a current TiDB would find up to date enough to leave alone.
const BOOTSTRAP_VERSION: i64 = 218;
/// Version of the DDL tables: job, reorg, history, metadata lock and background tables exist.
const DDL_TABLE_VERSION: &str = "4";
/// Id of the database `mysql`, as in every TiDB cluster.
const MYSQL_DB_ID: i64 = 1;
/// Id of the database `test`.
const TEST_DB_ID: i64 = 2;
/// Bytes that TiDB lets its schema cache take.
const SCHEMA_CACHE_BYTES: &str = "536870912";

/// System tables with the ids that a TiDB cluster gives them.
static SYSTEM_TABLES: &[(i64, &str)] = &[
    (
        DDL_JOB_TABLE_ID,
        "CREATE TABLE tidb_ddl_job (job_id BIGINT NOT NULL, reorg INT, schema_ids TEXT(65535), table_ids TEXT(65535), job_meta LONGBLOB, type INT, processing INT, PRIMARY KEY(job_id))",
    ),
    (
        DDL_REORG_TABLE_ID,
        "CREATE TABLE tidb_ddl_reorg (job_id BIGINT NOT NULL, ele_id BIGINT, ele_type BLOB, start_key BLOB, end_key BLOB, physical_id BIGINT, reorg_meta LONGBLOB, UNIQUE KEY(job_id, ele_id, ele_type(20)))",
    ),
    (
        DDL_HISTORY_TABLE_ID,
        "CREATE TABLE tidb_ddl_history (job_id BIGINT NOT NULL, job_meta LONGBLOB, db_name CHAR(64), table_name CHAR(64), schema_ids TEXT(65535), table_ids TEXT(65535), create_time DATETIME, PRIMARY KEY(job_id))",
    ),
    (
        MDL_INFO_TABLE_ID,
        "CREATE TABLE tidb_mdl_info (job_id BIGINT NOT NULL PRIMARY KEY, version BIGINT NOT NULL, table_ids TEXT(65535), owner_id VARCHAR(64) NOT NULL DEFAULT '')",
    ),
    (
        4,
        "CREATE TABLE user (Host CHAR(255), User CHAR(32), authentication_string TEXT, plugin CHAR(64), Select_priv ENUM('N','Y') NOT NULL DEFAULT 'N', Super_priv ENUM('N','Y') NOT NULL DEFAULT 'N', Account_locked ENUM('N','Y') NOT NULL DEFAULT 'N', Token_issuer VARCHAR(255), User_attributes JSON, password_expired ENUM('N','Y') NOT NULL DEFAULT 'N', PRIMARY KEY (Host, User))",
    ),
    (
        10,
        "CREATE TABLE db (Host CHAR(255), DB CHAR(64) CHARSET utf8mb4 COLLATE utf8mb4_general_ci, User CHAR(32), Select_priv ENUM('N','Y') NOT NULL DEFAULT 'N', Insert_priv ENUM('N','Y') NOT NULL DEFAULT 'N', PRIMARY KEY (Host, DB, User))",
    ),
    (
        16,
        "CREATE TABLE GLOBAL_VARIABLES (VARIABLE_NAME VARCHAR(64) NOT NULL PRIMARY KEY, VARIABLE_VALUE VARCHAR(16383) DEFAULT NULL)",
    ),
    (
        18,
        "CREATE TABLE tidb (VARIABLE_NAME VARCHAR(64) NOT NULL PRIMARY KEY, VARIABLE_VALUE VARCHAR(1024) DEFAULT NULL, COMMENT VARCHAR(1024))",
    ),
    (
        28,
        "CREATE TABLE gc_delete_range (job_id BIGINT NOT NULL, element_id BIGINT NOT NULL, start_key VARCHAR(255) NOT NULL, end_key VARCHAR(255) NOT NULL, ts BIGINT NOT NULL, UNIQUE KEY delete_range_index (job_id, element_id))",
    ),
];
/// First id that is free after the system objects.
const FIRST_FREE_ID: i64 = 102;

/// Rows of `mysql.tidb`.
static TIDB_ROWS: &[(&str, &str, &str)] = &[
    ("bootstrapped", "True", "Bootstrap flag. Do not delete."),
    ("tidb_server_version", "218", "Bootstrap version. Do not delete."),
    ("system_tz", "UTC", "TiDB Global System Timezone."),
    ("new_collation_enabled", "True", "If the new collations are enabled. Do not edit it."),
];

/// What the defaults of system tables are evaluated with.
fn context() -> EvalContext {
    EvalContext::new(
        jiff::Timestamp::UNIX_EPOCH,
        TimeZone::UTC,
        ModeFlags::from_names(DEFAULT_SQL_MODE),
        SessionFacts::default(),
    )
}

/// A system database.
fn database(id: i64, name: &str) -> DbInfo {
    let collation = collation::utf8mb4_bin();
    DbInfo {
        id,
        name: CIStr::new(name),
        charset: collation.charset.to_owned(),
        collate: collation.name.to_owned(),
        state: SchemaState::PUBLIC,
        ..DbInfo::default()
    }
}

/// Builds a system table's description from its statement.
fn system_table(db: &DbInfo, id: i64, sql: &str) -> Result<TableInfo> {
    let parsed = tidb_sql::parse_one(sql, SqlMode::default()).map_err(SqlError::internal)?;
    let Statement::Ddl(ddl) = parsed.statement else {
        return Err(SqlError::internal("system table is no DDL"));
    };
    let Ddl::CreateTable(create) = *ddl else {
        return Err(SqlError::internal("system table is no CREATE TABLE"));
    };
    let mut info = table_def::build(&create, db, &crate::session::NoVariables, &context())?;
    info.id = id;
    info.state = SchemaState::PUBLIC;
    Ok(info)
}

/// Makes the cluster a TiDB cluster unless it is one.
///
/// # Errors
/// Storage failures.
pub(crate) async fn ensure(engine: &Arc<Engine>) -> Result<()> {
    for _ in 0..MAX_RETRIES {
        let ts = engine.client.pd().get_ts().await.map_err(from_client)?;
        if read_number(&engine.client.snapshot(ts), meta_keys::BOOTSTRAP).await? > 0 {
            return Ok(());
        }
        let mut txn = engine.client.begin(TransactionOptions::optimistic()).await.map_err(from_client)?;
        write(&mut txn).await?;
        match txn.commit().await {
            Ok(_) => return Ok(()),
            Err(Error::WriteConflict { .. } | Error::Retryable { .. }) => {}
            Err(other) => return Err(from_client(other)),
        }
    }
    Err(SqlError::internal("the cluster cannot be bootstrapped: constant write conflicts"))
}

/// Writes the system databases, their tables and the cluster's first settings.
async fn write(txn: &mut Transaction) -> Result<()> {
    let start_ts = txn.start_ts();
    let mysql = database(MYSQL_DB_ID, "mysql");
    let mut tables = Vec::new();
    for (id, sql) in SYSTEM_TABLES {
        let mut info = system_table(&mysql, *id, sql)?;
        info.update_timestamp = start_ts;
        tables.push(info);
    }
    let mut meta = Meta { txn };
    meta.put_database(&mysql)?;
    meta.put_database(&database(TEST_DB_ID, "test"))?;
    for info in &tables {
        meta.put_table(mysql.id, info)?;
    }
    meta.set_string(meta_keys::NEXT_GLOBAL_ID, &FIRST_FREE_ID.to_string())?;
    meta.set_string(meta_keys::BOOTSTRAP, &BOOTSTRAP_VERSION.to_string())?;
    meta.set_string(meta_keys::DDL_TABLE_VERSION, DDL_TABLE_VERSION)?;
    meta.set_string(meta_keys::METADATA_LOCK, "0")?;
    meta.set_string(meta_keys::SCHEMA_CACHE_SIZE, SCHEMA_CACHE_BYTES)?;
    meta.set_string(meta_keys::SCHEMA_VERSION, "1")?;
    let by_name = |name: &str| {
        tables
            .iter()
            .find(|t| t.name.l == name)
            .map(|info| Table::new(mysql.clone(), info.clone()))
            .ok_or_else(|| SqlError::internal(format!("system table {name} is not defined")))
    };
    let tidb = by_name("tidb")?;
    for (name, value, comment) in TIDB_ROWS {
        put_row(txn, &tidb, &[("variable_name", name), ("variable_value", value), ("comment", comment)])?;
    }
    let user = by_name("user")?;
    let root = [
        ("host", "%"),
        ("user", "root"),
        ("authentication_string", ""),
        ("plugin", "mysql_native_password"),
        ("select_priv", "Y"),
        ("super_priv", "Y"),
    ];
    put_row(txn, &user, &root)
}

/// Writes a row of a table with a clustered key; columns that are not named get their defaults.
fn put_row(txn: &mut Transaction, table: &Table, given: &[(&str, &str)]) -> Result<()> {
    let cx = context();
    let mut values = Vec::with_capacity(table.columns.len());
    for column in &table.columns {
        let text = given.iter().find(|(name, _)| *name == column.info.name.l).map(|(_, text)| *text);
        values.push(match text {
            Some(text) => {
                let target = tidb_expr::convert::Target {
                    name: column.name(),
                    field: &column.info.field_type,
                    row: 1,
                };
                tidb_expr::convert::to_column(
                    Datum::Bytes(text.as_bytes().to_vec()),
                    &ResultType::text(),
                    target,
                    &cx,
                )?
            }
            None => default_value::current(column, &cx)?.unwrap_or(Datum::Null),
        });
    }
    let handle = match table.handle {
        HandleKind::RowId => Handle::Int(1),
        _ => row::handle_of(table, &values, &TimeZone::UTC)?
            .ok_or_else(|| SqlError::internal("row without handle"))?,
    };
    let stored = StoredRow { handle, values };
    let value = row::encode(table, &stored.values, &TimeZone::UTC)?;
    txn.put(entries::record_key(table, &stored.handle), value).map_err(from_client)?;
    for index in table.stored_indices() {
        let entry = entries::entry(table, index, &stored, &TimeZone::UTC)?;
        txn.put(entry.key, entry.value).map_err(from_client)?;
    }
    Ok(())
}

/// The table that global variables are kept in.
fn globals_table(engine: &Engine) -> Result<Arc<Table>> {
    engine.schema().expect_table("mysql", "GLOBAL_VARIABLES").cloned()
}

/// Reads the global variables that were set.
///
/// # Errors
/// Storage failures.
pub(crate) async fn load_globals(engine: &Engine) -> Result<()> {
    let table = globals_table(engine)?;
    let (start, end) = tidb_codec::key::record_range(table.info.id);
    let ts = engine.client.pd().get_ts().await.map_err(from_client)?;
    // Each variable has one row: there cannot be more than there are variables.
    let limit = variable_table::VARIABLES.len().max(1024);
    for pair in engine.client.snapshot(ts).scan(&start, &end, limit, false).await.map_err(from_client)? {
        let stored = row::decode(&table, &pair.key, &pair.value, &TimeZone::UTC)?;
        if let [Datum::Bytes(name), Datum::Bytes(value)] = stored.values.as_slice() {
            engine.set_global(&String::from_utf8_lossy(name), &String::from_utf8_lossy(value));
        }
    }
    Ok(())
}

/// Keeps a global variable over restarts.
///
/// # Errors
/// Storage failures.
pub(crate) async fn store_global(engine: &Engine, name: &str, value: &str) -> Result<()> {
    let table = globals_table(engine)?;
    for _ in 0..MAX_RETRIES {
        let mut txn =
            engine.client.begin(TransactionOptions::optimistic().one_pc()).await.map_err(from_client)?;
        put_row(&mut txn, &table, &[("variable_name", name), ("variable_value", value)])?;
        match txn.commit().await {
            Ok(_) => return Ok(()),
            Err(Error::WriteConflict { .. } | Error::Retryable { .. }) => {}
            Err(other) => return Err(from_client(other)),
        }
    }
    Err(SqlError::new(9007, "Write conflict on mysql.global_variables"))
}
