//! What can be wrong with schema data.

use thiserror::Error;
use tidb_codec::CodecError;

use crate::ActionType;

/// Schema data that cannot be read or applied.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum SchemaError {
    /// A DDL job is not of the expected JSON form.
    #[error("DDL job is not readable: {reason}")]
    JobJson {
        /// What the JSON reader says.
        reason: String,
    },
    /// A database or table entry is not of the expected JSON form.
    #[error("{what} {id} in the meta range is not readable: {reason}")]
    MetaJson {
        /// `database` or `table`.
        what: &'static str,
        /// Its id.
        id: i64,
        /// What the JSON reader says.
        reason: String,
    },
    /// A key of the meta range is malformed.
    #[error("key {key} of the meta range is malformed")]
    MetaKey {
        /// The key in hexadecimal.
        key: String,
        /// What is wrong with it.
        source: CodecError,
    },
    /// A job lacks the schema object after the DDL.
    #[error("DDL job {job} ({action}) holds no {what}")]
    MissingInfo {
        /// The job's id.
        job: i64,
        /// The job's kind.
        action: ActionType,
        /// What is missing.
        what: &'static str,
    },
    /// The arguments of a job are not of the expected form.
    #[error("arguments of DDL job {job} ({action}) are not readable: {reason}")]
    Arguments {
        /// The job's id.
        job: i64,
        /// The job's kind.
        action: ActionType,
        /// What is wrong.
        reason: String,
    },
    /// A job names a database that the snapshot does not know.
    #[error("DDL job {job} ({action}) names database {schema}, which is unknown at that time")]
    UnknownSchema {
        /// The job's id.
        job: i64,
        /// The job's kind.
        action: ActionType,
        /// The database's id.
        schema: i64,
    },
    /// A job names a table that the snapshot does not know.
    #[error("DDL job {job} ({action}) names table {table}, which is unknown at that time")]
    UnknownTable {
        /// The job's id.
        job: i64,
        /// The job's kind.
        action: ActionType,
        /// The table's id.
        table: i64,
    },
    /// A schema of a time before the oldest kept one is asked for.
    #[error("the schema at {ts} is no longer kept: the oldest is that of {oldest}")]
    Collected {
        /// The timestamp asked for.
        ts: u64,
        /// The oldest one kept.
        oldest: u64,
    },
}

impl SchemaError {
    /// A job that is no JSON of a job.
    pub(crate) fn job_json(source: &serde_json::Error) -> Self {
        Self::JobJson { reason: source.to_string() }
    }
}
