//! What a DDL job does: to tables, and what consumers are told.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::{ActionType, Job, TableVersion};

/// The effect of one DDL job.
#[derive(Debug, Clone)]
pub struct DdlEffect {
    /// The job's id.
    pub job_id: i64,
    /// The job's kind.
    pub action: ActionType,
    /// Commit timestamp of the DDL: rows with a later commit timestamp are of the new schema.
    pub finished_ts: u64,
    /// The schema version that the job made.
    pub schema_version: i64,
    /// Why consumers are not told, if they are not.
    pub ignored: Option<IgnoreReason>,
    /// What consumers are told, in order: one event per message.
    pub events: Vec<DdlEvent>,
    /// The tables that were made, changed or dropped, in statement order.
    pub changes: Vec<TableChange>,
}

/// Why a job yields no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IgnoreReason {
    /// The job is not done, or was rolled back.
    NotDone,
    /// The job changed nothing.
    NoChange,
    /// The snapshot has the job already.
    Applied,
    /// The table that the job creates exists.
    Duplicate,
    /// Consumers are not told of this kind of job.
    NotForwarded,
    /// A kind of job that this version does not know.
    UnknownAction,
}

/// A table before and after a DDL.
#[derive(Debug, Clone)]
pub struct TableChange {
    /// Before; `None` if it was made.
    pub before: Option<Arc<TableVersion>>,
    /// After; `None` if it was dropped.
    pub after: Option<Arc<TableVersion>>,
}

/// One DDL message.
#[derive(Debug, Clone)]
pub struct DdlEvent {
    /// The job's kind.
    pub action: ActionType,
    /// Commit timestamp of the DDL.
    pub finished_ts: u64,
    /// Database, as typed; after a rename, the new one.
    pub schema: String,
    /// Table, as typed; after a rename, the new one; empty for a database.
    pub table: String,
    /// Database and table before a rename: they decide filters and the topic.
    pub old_name: Option<(String, String)>,
    /// Where the message's SQL comes from.
    pub text: DdlText,
    /// The statement as typed, possibly several statements.
    pub query: Arc<str>,
    /// SQL mode of the session, as bits: how to parse `query`.
    pub sql_mode: u64,
    /// Character set of `query`; empty for the default.
    pub charset: String,
    /// Collation of `query`; empty for the default.
    pub collate: String,
    /// Not 0 if a change capture wrote the statement into this cluster.
    pub cdc_write_source: u64,
    /// Role of the cluster in bidirectional replication.
    pub bdr_role: String,
    /// The table before and after. For `EXCHANGE PARTITION` the table without partitions. `None` for a database.
    pub change: Option<TableChange>,
}

/// Where the SQL of a DDL message comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DdlText {
    /// The whole query, restored.
    Query,
    /// One statement of the query, by position from 0, restored and closed with `;`.
    Statement(usize),
    /// This text.
    Rebuilt(String),
}

impl TableChange {
    /// The table after, or before if it was dropped.
    pub fn latest(&self) -> Option<&Arc<TableVersion>> {
        self.after.as_ref().or(self.before.as_ref())
    }

    /// Whether the table was replicated and no longer can be: it lost its key.
    pub fn loses_eligibility(&self, force_replicate: bool) -> bool {
        let eligible = |version: &Arc<TableVersion>| version.is_eligible(force_replicate);
        self.before.as_ref().is_some_and(eligible)
            && self.after.as_ref().is_some_and(|after| !eligible(after))
    }

    /// Whether the table can be replicated from this DDL on, but could not before.
    pub fn gains_eligibility(&self, force_replicate: bool) -> bool {
        let eligible = |version: &Arc<TableVersion>| version.is_eligible(force_replicate);
        self.after.as_ref().is_some_and(eligible)
            && self.before.as_ref().is_some_and(|before| !eligible(before))
    }
}

impl DdlEffect {
    /// An effect without any change.
    pub(crate) fn none(job: &Job, finished_ts: u64, reason: IgnoreReason) -> Self {
        Self {
            job_id: job.id,
            action: job.action,
            finished_ts,
            schema_version: job.schema_version(),
            ignored: Some(reason),
            events: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// Physical ids that the DDL concerns, as they were before it: their rows up to the DDL come before its message.
    pub fn before(&self) -> BTreeSet<i64> {
        physical_ids(self.changes.iter().filter_map(|change| change.before.as_ref()))
    }

    /// Physical ids that the DDL concerns, as they are after it.
    pub fn after(&self) -> BTreeSet<i64> {
        physical_ids(self.changes.iter().filter_map(|change| change.after.as_ref()))
    }

    /// All physical ids that wait for the DDL's message.
    pub fn affected(&self) -> BTreeSet<i64> {
        let mut ids = self.before();
        ids.append(&mut self.after());
        ids
    }

    /// Physical ids to capture from the DDL on.
    pub fn added(&self) -> BTreeSet<i64> {
        let before = self.before();
        self.after().into_iter().filter(|id| !before.contains(id)).collect()
    }

    /// Physical ids that hold no rows after the DDL.
    pub fn removed(&self) -> BTreeSet<i64> {
        let after = self.after();
        self.before().into_iter().filter(|id| !after.contains(id)).collect()
    }

    /// Whether the DDL concerns at most one table that has no partitions and keeps its id: nothing but this table's
    /// own stream has to wait.
    pub fn is_local(&self) -> bool {
        self.affected().len() <= 1
    }
}

/// Physical ids of some table versions.
fn physical_ids<'a>(versions: impl Iterator<Item = &'a Arc<TableVersion>>) -> BTreeSet<i64> {
    versions.flat_map(|version| version.info.physical_ids()).collect()
}
