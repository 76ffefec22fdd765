//! DDL jobs.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ActionType, DbInfo, SchemaError, SchemaState, TableInfo, go_json};

/// How far a DDL job has come. Numbers not listed here are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobState(pub i32);

impl JobState {
    /// Not started.
    pub const NONE: Self = Self(0);
    /// Running.
    pub const RUNNING: Self = Self(1);
    /// Being rolled back.
    pub const ROLLING_BACK: Self = Self(2);
    /// Rolled back.
    pub const ROLLBACK_DONE: Self = Self(3);
    /// Done: the schema has changed with the transaction that wrote this.
    pub const DONE: Self = Self(4);
    /// Cancelled.
    pub const CANCELLED: Self = Self(5);
    /// Done and known to every server: what the history holds.
    pub const SYNCED: Self = Self(6);
    /// Being cancelled.
    pub const CANCELLING: Self = Self(7);
    /// Waiting.
    pub const QUEUEING: Self = Self(8);
    /// Paused.
    pub const PAUSED: Self = Self(9);
    /// Being paused.
    pub const PAUSING: Self = Self(10);
}

/// A DDL job as TiDB keeps it in column `job_meta` of `mysql.tidb_ddl_job`.
///
/// The timestamp at which the schema changed is the commit timestamp of the row in which the state first is
/// [`JobState::DONE`]; [`HistoryInfo::finished_ts`] is still 0 there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Job {
    /// The job's id.
    pub id: i64,
    /// The kind.
    #[serde(rename = "type")]
    pub action: ActionType,
    /// The schema's id; for a rename, the new schema's.
    pub schema_id: i64,
    /// The table's id before the DDL; 0 for schema-level jobs.
    pub table_id: i64,
    /// The schema's name.
    pub schema_name: String,
    /// The table's name before the DDL.
    pub table_name: String,
    /// Progress.
    pub state: JobState,
    /// Warning, kept as it is.
    pub warning: Value,
    /// Error, kept as it is.
    #[serde(rename = "err")]
    pub error: Value,
    /// Number of failures so far.
    #[serde(rename = "err_count")]
    pub error_count: i64,
    /// Number of back-filled rows.
    pub row_count: i64,
    /// Arguments: a list in version 1, an object in version 2.
    pub raw_args: Value,
    /// State of the schema object.
    pub schema_state: SchemaState,
    /// Snapshot of the back-fill.
    pub snapshot_ver: u64,
    /// Timestamp at which the job began to run.
    pub real_start_ts: u64,
    /// Timestamp at which the job was queued.
    pub start_ts: u64,
    /// The job this one waits for.
    pub dependency_id: i64,
    /// The statement as typed, possibly several statements.
    pub query: String,
    /// The schema objects after the DDL.
    pub binlog: Option<HistoryInfo>,
    /// Version of the arguments: 1 or 2.
    pub version: i64,
    /// Settings of the back-fill, kept as they are.
    pub reorg_meta: Value,
    /// Parts of an `ALTER TABLE` with several changes.
    pub multi_schema_info: Option<MultiSchemaInfo>,
    /// Priority of the back-fill.
    pub priority: i64,
    /// Order in which jobs entered the history.
    pub seq_num: u64,
    /// Character set of `query`.
    pub charset: String,
    /// Collation of `query`.
    pub collate: String,
    /// Names the job locks, in lower case: not for output.
    #[serde(with = "go_json::null_list", skip_serializing_if = "Vec::is_empty")]
    pub involving_schema_info: Vec<InvolvingSchemaInfo>,
    /// Who paused or cancelled the job.
    pub admin_operator: i64,
    /// Session of the statement, kept as it is.
    pub trace_info: Value,
    /// Role of the cluster in bidirectional replication.
    pub bdr_role: String,
    /// Not 0 if a change capture wrote the statement into this cluster.
    pub cdc_write_source: u64,
    /// Whether the job ran outside of the DDL owner.
    pub local_mode: bool,
    /// SQL mode of the session, as bits: needed to parse `query`.
    pub sql_mode: u64,
    /// System variables of the session, kept as they are (newer TiDB).
    #[serde(skip_serializing_if = "Value::is_null")]
    pub session_vars: Value,
    /// Schema version of the last step (newer TiDB).
    #[serde(skip_serializing_if = "go_json::is_zero")]
    pub last_schema_version: i64,
}

/// The schema objects after a DDL.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HistoryInfo {
    /// The schema version the job made; 0: nothing changed.
    #[serde(rename = "SchemaVersion")]
    pub schema_version: i64,
    /// The database, of schema-level jobs.
    #[serde(rename = "DBInfo")]
    pub db_info: Option<DbInfo>,
    /// The table.
    #[serde(rename = "TableInfo")]
    pub table_info: Option<TableInfo>,
    /// Filled in only in the history.
    #[serde(rename = "FinishedTS")]
    pub finished_ts: u64,
    /// The tables, of jobs for several.
    #[serde(rename = "MultipleTableInfos", with = "go_json::null_list")]
    pub multiple_table_infos: Vec<TableInfo>,
}

/// Parts of an `ALTER TABLE` with several changes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MultiSchemaInfo {
    /// The parts.
    #[serde(with = "go_json::null_list")]
    pub sub_jobs: Vec<SubJob>,
    /// Whether the job can still be rolled back.
    pub revertible: bool,
    /// Number of the running part.
    pub seq: i32,
}

/// One part of an `ALTER TABLE` with several changes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SubJob {
    /// The kind.
    #[serde(rename = "type")]
    pub action: ActionType,
    /// Arguments as in [`Job::raw_args`].
    pub raw_args: Value,
    /// State of the schema object.
    pub schema_state: SchemaState,
    /// Snapshot of the back-fill.
    pub snapshot_ver: u64,
    /// Timestamp at which the part began to run.
    pub real_start_ts: u64,
    /// Whether the part can still be rolled back.
    pub revertible: bool,
    /// Progress.
    pub state: JobState,
    /// Number of back-filled rows.
    pub row_count: i64,
    /// Warning, kept as it is.
    pub warning: Value,
    /// Schema version of the part.
    pub schema_version: i64,
    /// How the part back-fills.
    pub reorg_tp: i64,
}

/// A name that a job locks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InvolvingSchemaInfo {
    /// Database, lower case; `*` for all.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub database: String,
    /// Table, lower case; `*` for all.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub table: String,
    /// Placement policy.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub policy: String,
    /// Resource group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub resource_group: String,
    /// 0 exclusive, 1 shared.
    #[serde(skip_serializing_if = "go_json::is_zero")]
    pub mode: i64,
}

impl Job {
    /// The version of the arguments that current TiDB writes.
    pub const CURRENT_VERSION: i64 = 2;

    /// Reads a job.
    ///
    /// # Errors
    /// If the bytes are no JSON object of a job's form.
    pub fn from_json(json: &[u8]) -> Result<Self, SchemaError> {
        serde_json::from_slice(json).map_err(|source| SchemaError::job_json(&source))
    }

    /// Writes the job.
    ///
    /// # Errors
    /// Never in practice: every field has a JSON form.
    pub fn to_json(&self) -> Result<Vec<u8>, SchemaError> {
        serde_json::to_vec(self).map_err(|source| SchemaError::job_json(&source))
    }

    /// The schema version the job made; 0: nothing changed.
    pub fn schema_version(&self) -> i64 {
        self.binlog.as_ref().map_or(0, |binlog| binlog.schema_version)
    }

    /// Whether the job has changed the schema: done, or done and in the history.
    pub fn is_done(&self) -> bool {
        self.state == JobState::DONE || self.state == JobState::SYNCED
    }

    /// The table after the DDL.
    pub fn table_info(&self) -> Option<&TableInfo> {
        self.binlog.as_ref()?.table_info.as_ref()
    }

    /// The database after the DDL.
    pub fn db_info(&self) -> Option<&DbInfo> {
        self.binlog.as_ref()?.db_info.as_ref()
    }

    /// The tables after a DDL on several.
    pub fn table_infos(&self) -> &[TableInfo] {
        self.binlog.as_ref().map_or(&[], |binlog| &binlog.multiple_table_infos)
    }
}
