//! The rows of `mysql.tidb_ddl_job` and `mysql.tidb_ddl_history`.

use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::Value;
use tidb_codec::{Datum, Handle, Time, TimeKind, key};
use tidb_schema::{DDL_HISTORY_TABLE_ID, DDL_JOB_TABLE_ID, Job, JobState};
use tikv_client::{Error, Transaction};

use super::begin;
use super::change::Change;
use crate::catalog::Table;
use crate::ddl::meta::Meta;
use crate::engine::{Engine, MAX_RETRIES};
use crate::storage_error::from_client;
use crate::store::{StoredRow, entries, row};
use tidb_expr::coerce::codec;
use tidb_expr::{Result, SqlError};

/// Jobs read at once when the server starts.
const RECOVERY_PAGE: usize = 64;

/// A table of the `mysql` database by its fixed id.
fn system_table(engine: &Engine, id: i64) -> Result<Arc<Table>> {
    let schema = engine.schema();
    let found = schema.database("mysql").and_then(|db| db.tables().find(|t| t.info.id == id).cloned());
    found.ok_or_else(|| SqlError::internal(format!("system table {id} is missing")))
}

/// Ids of the databases and tables of a job, as text.
pub(super) fn ids_text(job: &Job, change: &Change) -> (String, String) {
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
pub(super) fn put_job_row(
    engine: &Engine,
    txn: &mut Transaction,
    job: &Job,
    ids: &(String, String),
) -> Result<()> {
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
    let row_key = entries::record_key(&table, &Handle::Int(job.id));
    txn.put(row_key, row::encode(&table, &values, &TimeZone::UTC)?).map_err(from_client)
}

/// Moves a done job from the queue to the history.
pub(super) async fn retire(engine: &Engine, mut job: Job) -> Result<()> {
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
        txn.delete(entries::record_key(&queue, &Handle::Int(job.id))).map_err(from_client)?;
        match txn.commit().await {
            Ok(_) => return Ok(()),
            Err(Error::WriteConflict { .. } | Error::Retryable { .. }) => {}
            Err(other) => return Err(from_client(other)),
        }
    }
    Err(SqlError::internal("the DDL history is under constant conflict"))
}

/// Writes the row of a job that is over.
fn put_history_row(engine: &Engine, txn: &mut Transaction, job: &Job) -> Result<()> {
    let table = system_table(engine, DDL_HISTORY_TABLE_ID)?;
    let meta = serde_json::to_vec(job).map_err(SqlError::internal)?;
    // The physical part of a timestamp is milliseconds above 18 logical bits.
    let micros = i64::try_from(job.start_ts >> 18).unwrap_or(0) * 1000;
    let created = Time::from_unix_micros(micros, TimeKind::DateTime, 0).map_err(codec)?;
    let text = |s: &str| Datum::Bytes(s.as_bytes().to_vec());
    let row = StoredRow {
        handle: Handle::Int(job.id),
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
pub(super) async fn remove_row(engine: &Engine, id: i64) -> Result<()> {
    let table = system_table(engine, DDL_JOB_TABLE_ID)?;
    let mut txn = begin(engine).await?;
    txn.delete(entries::record_key(&table, &Handle::Int(id))).map_err(from_client)?;
    txn.commit().await.map(|_| ()).map_err(from_client)
}

/// After a restart: jobs that were done go to the history, those that had not begun are dropped, since the client
/// that waited for them is gone.
///
/// # Errors
/// Storage failures, unreadable jobs.
pub(crate) async fn finish_interrupted(engine: &Engine) -> Result<()> {
    let table = system_table(engine, DDL_JOB_TABLE_ID)?;
    let (start, end) = key::record_range(table.info.id);
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
