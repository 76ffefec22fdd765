//! DDL jobs: rows of `mysql.tidb_ddl_job` through their states, schema changes, history.
//!
//! A statement's job is queued in one transaction, done together with the schema change in a second, and moved to
//! the history in a third. Capture clients read the second one's row.

use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tidb_codec::{Datum, Time, TimeKind};
use tidb_schema::{
    ActionType, DDL_HISTORY_TABLE_ID, DDL_JOB_TABLE_ID, DbInfo, HistoryInfo, Job, JobState, SchemaState,
    TableInfo,
};
use tikv_client::{Error, Transaction, TransactionOptions};

use super::backfill;
use super::meta::{Meta, SchemaDiff};
use crate::catalog::{Schema, Table};
use crate::engine::{Engine, MAX_RETRIES};
use crate::error::{Result, SqlError};
use crate::expr::coerce::codec;
use crate::storage_error::from_client;
use crate::store::{StoredRow, entries, row};

/// Jobs read at once when the server starts.
const RECOVERY_PAGE: usize = 64;

/// What a job changes.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// A new database.
    CreateDatabase(DbInfo),
    /// Another default collation.
    AlterDatabase(DbInfo),
    /// A database goes with its tables.
    DropDatabase {
        /// The database.
        db: DbInfo,
        /// Ids of its tables.
        tables: Vec<i64>,
    },
    /// A new table.
    CreateTable {
        /// Its database.
        db: DbInfo,
        /// Its description.
        info: TableInfo,
    },
    /// A table goes.
    DropTable {
        /// Its database.
        db: DbInfo,
        /// Its description.
        info: TableInfo,
    },
    /// A table gets a new id and loses its rows.
    TruncateTable {
        /// Its database.
        db: DbInfo,
        /// Its description, with the new id.
        info: TableInfo,
        /// The old id.
        old_id: i64,
    },
    /// Columns, keys or options change.
    UpdateTable {
        /// Its database.
        db: DbInfo,
        /// The new description.
        info: TableInfo,
        /// Ids of keys whose entries are to be written for the rows that are there.
        backfill: Vec<i64>,
        /// State that the job ends with: public for additions, none for removals.
        end: SchemaState,
    },
    /// Tables get other names, perhaps in other databases.
    RenameTables(Vec<Renamed>),
}

/// One table of a renaming.
#[derive(Debug, Clone)]
pub(crate) struct Renamed {
    /// Database before.
    pub(crate) old_db: DbInfo,
    /// Name before.
    pub(crate) old_name: tidb_schema::CIStr,
    /// Database after.
    pub(crate) new_db: DbInfo,
    /// The description with the new name.
    pub(crate) info: TableInfo,
}

/// A transaction for meta keys and job rows.
async fn begin(engine: &Engine) -> Result<Transaction> {
    let mut options = TransactionOptions::optimistic();
    options.request_source = "local-tidb-ddl".to_owned();
    engine.client.begin(options.one_pc()).await.map_err(from_client)
}

fn system_table(engine: &Engine, id: i64) -> Result<Arc<Table>> {
    let schema = engine.schema();
    let found = schema.database("mysql").and_then(|db| db.tables().find(|t| t.info.id == id).cloned());
    found.ok_or_else(|| SqlError::internal(format!("system table {id} is missing")))
}

/// Ids of the databases and tables of a job, as text.
fn ids_text(job: &Job, change: &Change) -> (String, String) {
    match change {
        Change::RenameTables(tables) => {
            let join = |ids: Vec<i64>| ids.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
            let mut schemas: Vec<i64> = tables.iter().flat_map(|t| [t.old_db.id, t.new_db.id]).collect();
            schemas.sort_unstable();
            schemas.dedup();
            (join(schemas), join(tables.iter().map(|t| t.info.id).collect()))
        }
        Change::TruncateTable { info, old_id, .. } => {
            (job.schema_id.to_string(), format!("{old_id},{}", info.id))
        }
        _ => (job.schema_id.to_string(), job.table_id.to_string()),
    }
}

/// Writes the job's row.
fn put_job_row(engine: &Engine, txn: &mut Transaction, job: &Job, ids: &(String, String)) -> Result<()> {
    let table = system_table(engine, DDL_JOB_TABLE_ID)?;
    let meta = serde_json::to_vec(job).map_err(SqlError::internal)?;
    let values = vec![
        Datum::Int(job.id),
        Datum::Int(0),
        Datum::Bytes(ids.0.clone().into_bytes()),
        Datum::Bytes(ids.1.clone().into_bytes()),
        Datum::Bytes(meta),
        Datum::Int(i64::from(job.action.0)),
        Datum::Int(0),
    ];
    let key = entries::record_key(&table, &tidb_codec::Handle::Int(job.id));
    txn.put(key, row::encode(&table, &values, &TimeZone::UTC)?).map_err(from_client)
}

/// Runs a job to its end.
///
/// The caller holds [`Engine::ddl`] and has checked the change against the newest schema.
///
/// # Errors
/// Storage failures; the schema is then as before, unless the error says that the outcome is unknown.
pub(crate) async fn run(engine: &Engine, mut job: Job, change: Change) -> Result<()> {
    let ids = ids_text(&job, &change);
    let mut txn = begin(engine).await?;
    job.start_ts = txn.start_ts();
    job.state = JobState::QUEUEING;
    job.version = Job::CURRENT_VERSION;
    job.binlog = Some(HistoryInfo::default());
    put_job_row(engine, &mut txn, &job, &ids)?;
    txn.commit().await.map_err(from_client)?;
    match Box::pin(perform(engine, &mut job, &change, &ids)).await {
        Ok(()) => {
            if let Err(error) = retire(engine, job).await {
                // The change is done; the next start moves the row.
                tracing::warn!(%error, "finished DDL job stays in the queue");
            }
            Ok(())
        }
        Err(error) => {
            remove_row(engine, job.id).await?;
            Err(error)
        }
    }
}

/// Takes ids for a job and the objects that it makes: `(first object id, job id)`.
///
/// # Errors
/// Storage failures.
pub(crate) async fn take_ids(engine: &Engine, objects: i64) -> Result<(i64, i64)> {
    for _ in 0..MAX_RETRIES {
        let mut txn = begin(engine).await?;
        let first = Meta { txn: &mut txn }.take_ids(objects + 1).await?;
        match txn.commit().await {
            Ok(_) => return Ok((first, first + objects)),
            Err(Error::WriteConflict { .. } | Error::Retryable { .. }) => {}
            Err(other) => return Err(from_client(other)),
        }
    }
    Err(SqlError::new(8204, "cannot take ids for the DDL job"))
}

/// Changes the schema and marks the job done in one transaction, while no other transaction commits.
async fn perform(engine: &Engine, job: &mut Job, change: &Change, ids: &(String, String)) -> Result<()> {
    let _gate = engine.schema_gate.write().await;
    let mut txn = begin(engine).await?;
    job.real_start_ts = txn.start_ts();
    job.state = JobState::DONE;
    let mut schema = Schema::clone(&engine.schema());
    let mut change = change.clone();
    stamp(&mut change, txn.start_ts());
    let mut meta = Meta { txn: &mut txn };
    let version = apply(&mut meta, job, &change).await?;
    if let Change::UpdateTable { db, info, backfill, .. } = &change
        && !backfill.is_empty()
    {
        job.row_count =
            backfill::write_entries(&mut txn, &Table::new(db.clone(), info.clone()), backfill).await?;
    }
    put_job_row(engine, &mut txn, job, ids)?;
    txn.commit().await.map_err(from_client)?;
    update_schema(&mut schema, &change);
    schema.version = version;
    engine.publish(schema);
    Ok(())
}

/// Marks descriptions as changed at a timestamp.
fn stamp(change: &mut Change, ts: u64) {
    match change {
        Change::CreateTable { info, .. } | Change::TruncateTable { info, .. } => {
            info.update_timestamp = ts;
            info.state = SchemaState::PUBLIC;
        }
        Change::UpdateTable { info, .. } => {
            info.update_timestamp = ts;
            info.revision += 1;
        }
        Change::DropTable { info, .. } => info.state = SchemaState::NONE,
        Change::RenameTables(tables) => {
            for table in tables {
                table.info.update_timestamp = ts;
                table.info.revision += 1;
            }
        }
        Change::CreateDatabase(db) => db.state = SchemaState::PUBLIC,
        Change::DropDatabase { db, .. } => db.state = SchemaState::NONE,
        Change::AlterDatabase(_) => {}
    }
}

/// Writes the change to the meta keys and its outcome into the job; returns the new schema version.
async fn apply(meta: &mut Meta<'_>, job: &mut Job, change: &Change) -> Result<i64> {
    let mut diff = SchemaDiff {
        action: job.action.0,
        schema_id: job.schema_id,
        table_id: job.table_id,
        ..SchemaDiff::default()
    };
    let mut binlog = HistoryInfo::default();
    job.schema_state = SchemaState::PUBLIC;
    match change {
        Change::CreateDatabase(db) => {
            meta.put_database(db)?;
            binlog.db_info = Some(db.clone());
            job.raw_args = json!({ "db_info": db });
        }
        Change::AlterDatabase(db) => {
            meta.put_database(db)?;
            binlog.db_info = Some(db.clone());
        }
        Change::DropDatabase { db, tables } => {
            for id in tables {
                meta.remove_table(db.id, *id)?;
            }
            meta.remove_database(db.id)?;
            binlog.db_info = Some(db.clone());
            job.raw_args = json!({ "all_dropped_table_ids": tables });
            job.schema_state = SchemaState::NONE;
        }
        Change::CreateTable { db, info } => {
            meta.put_table(db.id, info)?;
            if info.auto_inc_id > 1 {
                meta.put_auto_id(db.id, info.id, info.auto_inc_id - 1)?;
            }
            binlog.table_info = Some(info.clone());
            job.raw_args = json!({ "table_info": info, "fk_check": true });
        }
        Change::DropTable { db, info } => {
            meta.remove_table(db.id, info.id)?;
            binlog.table_info = Some(info.clone());
            job.schema_state = SchemaState::NONE;
        }
        Change::TruncateTable { db, info, old_id } => {
            meta.remove_table(db.id, *old_id)?;
            meta.put_table(db.id, info)?;
            diff.table_id = info.id;
            diff.old_table_id = *old_id;
            binlog.table_info = Some(info.clone());
            job.raw_args = json!({ "fk_check": true, "new_table_id": info.id });
        }
        Change::UpdateTable { db, info, end, .. } => {
            meta.put_table(db.id, info)?;
            binlog.table_info = Some(info.clone());
            job.schema_state = *end;
        }
        Change::RenameTables(tables) => {
            for table in tables {
                rename(meta, table).await?;
            }
            if let [one] = tables.as_slice() {
                diff.old_schema_id = one.old_db.id;
            }
            binlog.table_info = tables.last().map(|t| t.info.clone());
            if tables.len() > 1 {
                binlog.multiple_table_infos = tables.iter().map(|t| t.info.clone()).collect();
            }
        }
    }
    binlog.schema_version = meta.next_version(diff).await?;
    let version = binlog.schema_version;
    job.binlog = Some(binlog);
    Ok(version)
}

/// Moves a table's description; its id allocator goes with it.
async fn rename(meta: &mut Meta<'_>, table: &Renamed) -> Result<()> {
    if table.old_db.id != table.new_db.id {
        let last = meta.auto_id(table.old_db.id, table.info.id).await?;
        meta.remove_table(table.old_db.id, table.info.id)?;
        if last > 0 {
            meta.put_auto_id(table.new_db.id, table.info.id, last)?;
        }
    }
    meta.put_table(table.new_db.id, &table.info)
}

/// The same change on the schema in memory.
fn update_schema(schema: &mut Schema, change: &Change) {
    match change {
        Change::CreateDatabase(db) | Change::AlterDatabase(db) => schema.put_database(db.clone()),
        Change::DropDatabase { db, .. } => schema.remove_database(&db.name.l),
        Change::CreateTable { db, info }
        | Change::TruncateTable { db, info, .. }
        | Change::UpdateTable { db, info, .. } => {
            schema.put_table(&db.name.l, info.clone());
        }
        Change::DropTable { db, info } => schema.remove_table(&db.name.l, &info.name.l),
        Change::RenameTables(tables) => {
            for table in tables {
                schema.remove_table(&table.old_db.name.l, &table.old_name.l);
            }
            for table in tables {
                schema.put_table(&table.new_db.name.l, table.info.clone());
            }
        }
    }
}

/// Moves a done job from the queue to the history.
async fn retire(engine: &Engine, mut job: Job) -> Result<()> {
    for _ in 0..MAX_RETRIES {
        let mut txn = begin(engine).await?;
        job.state = JobState::SYNCED;
        job.raw_args = Value::Null;
        if let Some(binlog) = &mut job.binlog {
            binlog.finished_ts = txn.start_ts();
        }
        put_history_row(engine, &mut txn, &job)?;
        Meta { txn: &mut txn }.put_job_history(&job)?;
        let queue = system_table(engine, DDL_JOB_TABLE_ID)?;
        txn.delete(entries::record_key(&queue, &tidb_codec::Handle::Int(job.id))).map_err(from_client)?;
        match txn.commit().await {
            Ok(_) => return Ok(()),
            Err(Error::WriteConflict { .. } | Error::Retryable { .. }) => {}
            Err(other) => return Err(from_client(other)),
        }
    }
    Err(SqlError::internal("the DDL history is under constant conflict"))
}

fn put_history_row(engine: &Engine, txn: &mut Transaction, job: &Job) -> Result<()> {
    let table = system_table(engine, DDL_HISTORY_TABLE_ID)?;
    let meta = serde_json::to_vec(job).map_err(SqlError::internal)?;
    // The physical part of a timestamp is milliseconds above 18 logical bits.
    let micros = i64::try_from(job.start_ts >> 18).unwrap_or(0) * 1000;
    let created = Time::from_unix_micros(micros, TimeKind::DateTime, 0).map_err(codec)?;
    let text = |s: &str| Datum::Bytes(s.as_bytes().to_vec());
    let row = StoredRow {
        handle: tidb_codec::Handle::Int(job.id),
        values: vec![
            Datum::Int(job.id),
            Datum::Bytes(meta),
            text(&job.schema_name),
            text(&job.table_name),
            text(&job.schema_id.to_string()),
            text(&job.table_id.to_string()),
            Datum::Time(created),
        ],
    };
    let value = row::encode(&table, &row.values, &TimeZone::UTC)?;
    txn.put(entries::record_key(&table, &row.handle), value).map_err(from_client)
}

/// Takes a job that failed out of the queue.
async fn remove_row(engine: &Engine, id: i64) -> Result<()> {
    let table = system_table(engine, DDL_JOB_TABLE_ID)?;
    let mut txn = begin(engine).await?;
    txn.delete(entries::record_key(&table, &tidb_codec::Handle::Int(id))).map_err(from_client)?;
    txn.commit().await.map(|_| ()).map_err(from_client)
}

/// After a restart: jobs that were done go to the history, those that had not begun are dropped, since the client
/// that waited for them is gone.
///
/// # Errors
/// Storage failures, unreadable jobs.
pub(crate) async fn finish_interrupted(engine: &Engine) -> Result<()> {
    let table = system_table(engine, DDL_JOB_TABLE_ID)?;
    let (start, end) = tidb_codec::key::record_range(table.info.id);
    loop {
        let ts = engine.client.pd().get_ts().await.map_err(from_client)?;
        let page =
            engine.client.snapshot(ts).scan(&start, &end, RECOVERY_PAGE, false).await.map_err(from_client)?;
        if page.is_empty() {
            return Ok(());
        }
        for pair in page {
            let stored = row::decode(&table, &pair.key, &pair.value, &TimeZone::UTC)?;
            let Some(Datum::Bytes(meta)) = stored.values.get(4) else {
                return Err(SqlError::internal("a queued DDL job has no description"));
            };
            let job = Job::from_json(meta).map_err(SqlError::internal)?;
            if job.is_done() { retire(engine, job).await? } else { remove_row(engine, job.id).await? }
        }
    }
}

/// A job for a statement; ids, states and outcome are filled in when it runs.
pub(crate) fn new_job(
    id: i64,
    action: ActionType,
    db: &DbInfo,
    table: Option<(i64, &str)>,
    origin: &Origin,
) -> Job {
    Job {
        id,
        action,
        schema_id: db.id,
        table_id: table.map_or(0, |(id, _)| id),
        schema_name: db.name.o.clone(),
        table_name: table.map_or_else(String::new, |(_, name)| name.to_owned()),
        query: origin.query.clone(),
        trace_info: json!({ "connection_id": origin.connection_id, "session_alias": "" }),
        sql_mode: origin.sql_mode,
        cdc_write_source: origin.cdc_write_source,
        ..Job::default()
    }
}

/// Where a DDL statement comes from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origin {
    /// Text as typed.
    pub(crate) query: String,
    /// Number of the connection.
    pub(crate) connection_id: u64,
    /// The session's `sql_mode` as TiDB numbers it.
    pub(crate) sql_mode: u64,
    /// The session's `tidb_cdc_write_source`.
    pub(crate) cdc_write_source: u64,
}
