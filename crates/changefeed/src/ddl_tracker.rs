//! Follows DDL jobs: from rows of `mysql.tidb_ddl_job` to schema versions.

use std::collections::BTreeMap;

use event_sorter::SortedRow;
use parking_lot::RwLock;
use tidb_codec::row::Row;
use tidb_codec::{Datum, datum};
pub(crate) use tidb_schema::DDL_JOB_TABLE_ID;
use tidb_schema::{DDL_JOB_META_COLUMN_ID, DdlEffect, Job, SchemaHistory, SchemaSnapshot};

use crate::FeedError;

/// Collects jobs until they are resolved, then applies them in order.
pub(crate) struct DdlTracker {
    /// Jobs by commit ts and schema version.
    waiting: BTreeMap<(u64, i64), Job>,
    /// Every job up to here has been applied.
    resolved_ts: u64,
    /// Column of the job's JSON.
    job_meta_column: i64,
}

/// The error for something in a job that can't be understood.
fn unreadable(commit_ts: u64, reason: impl std::fmt::Display) -> FeedError {
    FeedError::new(
        "CDC:ErrDecodeRowToDatum",
        format!("DDL job committed at {commit_ts} can't be read: {reason}"),
    )
}

impl DdlTracker {
    /// A tracker for jobs that finish after `start_ts`.
    pub(crate) fn new(start_ts: u64, snapshot: &SchemaSnapshot) -> Self {
        let job_meta_column = snapshot
            .table(DDL_JOB_TABLE_ID)
            .and_then(|table| table.info.column("job_meta").map(|column| column.id))
            .unwrap_or(DDL_JOB_META_COLUMN_ID);
        Self { waiting: BTreeMap::new(), resolved_ts: start_ts, job_meta_column }
    }

    /// Every job up to here has been applied.
    pub(crate) fn resolved_ts(&self) -> u64 {
        self.resolved_ts
    }

    /// Takes rows of the job table; only jobs that are done count.
    pub(crate) fn push(&mut self, rows: &[SortedRow]) -> Result<(), FeedError> {
        for row in rows {
            if row.value.is_empty() || row.commit_ts <= self.resolved_ts {
                continue;
            }
            let json = self.job_meta(row)?;
            let job = Job::from_json(&json).map_err(|e| unreadable(row.commit_ts, e))?;
            if job.is_done() {
                self.waiting.insert((row.commit_ts, job.schema_version()), job);
            }
        }
        Ok(())
    }

    /// The job's JSON in a row.
    fn job_meta(&self, row: &SortedRow) -> Result<Vec<u8>, FeedError> {
        let failed = |e: tidb_codec::CodecError| unreadable(row.commit_ts, e);
        let json = match Row::parse(&row.value).map_err(failed)? {
            Row::V2(columns) => columns.get(self.job_meta_column).flatten().map(<[u8]>::to_vec),
            Row::V1(columns) => match columns.get(self.job_meta_column).flatten() {
                Some(flagged) => match datum::decode_one(flagged).map_err(failed)?.0 {
                    Datum::Bytes(json) => Some(json),
                    _ => None,
                },
                None => None,
            },
        };
        json.ok_or_else(|| unreadable(row.commit_ts, "column job_meta is missing"))
    }

    /// No job up to `ts` is missing: applies them and returns what they do, in order.
    pub(crate) fn resolve(
        &mut self,
        ts: u64,
        schema: &RwLock<SchemaHistory>,
    ) -> Result<Vec<DdlEffect>, FeedError> {
        if ts <= self.resolved_ts {
            return Ok(Vec::new());
        }
        let later = self.waiting.split_off(&(ts + 1, i64::MIN));
        let ready = std::mem::replace(&mut self.waiting, later);
        let mut effects = Vec::with_capacity(ready.len());
        for ((commit_ts, _), job) in ready {
            let effect = schema.write().apply(&job, commit_ts).map_err(|e| unreadable(commit_ts, e))?;
            effects.push(effect);
        }
        self.resolved_ts = ts;
        Ok(effects)
    }
}
