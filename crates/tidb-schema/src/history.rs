//! Versions of the schema over time.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::{DdlEffect, Job, SchemaError, SchemaSnapshot, TableVersion};

/// The schema from a base timestamp on, by version. Versions share what they have in common.
#[derive(Debug, Clone)]
pub struct SchemaHistory {
    /// The newest version.
    latest: SchemaSnapshot,
    /// Older versions, oldest first.
    older: VecDeque<SchemaSnapshot>,
}

impl SchemaHistory {
    /// A history that begins with `base`.
    pub fn new(base: SchemaSnapshot) -> Self {
        Self { latest: base, older: VecDeque::new() }
    }

    /// Applies a job as [`SchemaSnapshot::apply`] does and keeps the version before it.
    ///
    /// # Errors
    /// As [`SchemaSnapshot::apply`]; the history is then unchanged.
    pub fn apply(&mut self, job: &Job, finished_ts: u64) -> Result<DdlEffect, SchemaError> {
        let before = self.latest.clone();
        let effect = self.latest.apply(job, finished_ts)?;
        if (self.latest.ts, self.latest.applied_version) != (before.ts, before.applied_version) {
            self.older.push_back(before);
        }
        Ok(effect)
    }

    /// The newest version.
    pub fn latest(&self) -> &SchemaSnapshot {
        &self.latest
    }

    /// The schema with every DDL finished up to `ts` and none after. The caller knows that all jobs up to `ts` have
    /// been applied.
    ///
    /// # Errors
    /// If `ts` is before the oldest version kept.
    pub fn at(&self, ts: u64) -> Result<&SchemaSnapshot, SchemaError> {
        if self.latest.ts <= ts {
            return Ok(&self.latest);
        }
        let newer = self.older.partition_point(|snapshot| snapshot.ts <= ts);
        newer
            .checked_sub(1)
            .and_then(|position| self.older.get(position))
            .ok_or(SchemaError::Collected { ts, oldest: self.oldest_ts() })
    }

    /// The version of the table whose rows are stored under `physical_id`, for a row committed at `commit_ts`: the
    /// one in force just before. `None` if there was no such table.
    ///
    /// # Errors
    /// If that time is before the oldest version kept.
    pub fn table_for_row(
        &self,
        physical_id: i64,
        commit_ts: u64,
    ) -> Result<Option<Arc<TableVersion>>, SchemaError> {
        Ok(self.at(commit_ts.saturating_sub(1))?.table_by_physical_id(physical_id).cloned())
    }

    /// The timestamp of the oldest version kept.
    pub fn oldest_ts(&self) -> u64 {
        self.older.front().unwrap_or(&self.latest).ts
    }

    /// Number of versions kept.
    pub fn versions(&self) -> usize {
        self.older.len() + 1
    }

    /// Drops the versions that nobody asks for any more who asks only for timestamps from `ts` on.
    pub fn collect(&mut self, ts: u64) {
        let is_superseded = |history: &Self| history.older.get(1).unwrap_or(&history.latest).ts <= ts;
        while !self.older.is_empty() && is_superseded(self) {
            self.older.pop_front();
        }
    }
}
