//! DDL jobs: rows of `mysql.tidb_ddl_job` through their states, schema changes, history.
//!
//! A statement's job is queued in one transaction, done together with the schema change in a second, and moved to
//! the history in a third. Capture clients read the second one's row.

mod change;
mod queue;

use serde_json::json;
use tidb_schema::{ActionType, DbInfo, HistoryInfo, Job, JobState};
use tikv_client::{Error, Transaction, TransactionOptions};

use super::backfill;
use super::meta::Meta;
use crate::catalog::{Schema, Table};
use crate::engine::{Engine, MAX_RETRIES};
use crate::storage_error::from_client;
use change::{apply, stamp, update_schema};
use queue::{ids_text, put_job_row, remove_row, retire};
use tidb_expr::{Result, SqlError};

pub(crate) use change::{Change, Renamed};
pub(crate) use queue::finish_interrupted;

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

/// A transaction for meta keys and job rows.
async fn begin(engine: &Engine) -> Result<Transaction> {
    let mut options = TransactionOptions::optimistic();
    options.request_source = "local-tidb-ddl".to_owned();
    engine.client.begin(options.one_pc()).await.map_err(from_client)
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
