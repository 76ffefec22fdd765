//! TiDB's schema objects, DDL jobs and schema snapshots.
//!
//! TiDB keeps databases and tables as JSON in its meta key range, and every DDL statement as a job, also JSON, in
//! the table `mysql.tidb_ddl_job`. This crate holds those structures ([`DbInfo`], [`TableInfo`], [`Job`]) with the
//! JSON keys of TiDB, readable and writable, and what a change capture needs on top of them: a [`SchemaSnapshot`]
//! built from meta keys, moved forward by jobs, and a [`SchemaHistory`] that answers which version of a table was in
//! force at a timestamp. There is no I/O here.

mod action;
mod apply;
mod column;
mod constraint;
mod database;
mod effect;
mod error;
mod go_json;
mod handle_key;
mod history;
mod index;
mod job;
mod job_args;
mod meta_load;
mod name;
mod name_list;
mod partition;
mod persistent_map;
mod sequence;
mod snapshot;
mod state;
mod statement;
mod system_tables;
mod table;
mod view;

pub use action::ActionType;
pub use column::{ChangeStateInfo, ColumnInfo};
pub use constraint::{ConstraintInfo, FkInfo};
pub use database::DbInfo;
pub use effect::{DdlEffect, DdlEvent, DdlText, IgnoreReason, TableChange};
pub use error::SchemaError;
pub use handle_key::{HandleKey, HandleKeyKind};
pub use history::SchemaHistory;
pub use index::{IndexColumn, IndexInfo, IndexType};
pub use job::{HistoryInfo, InvolvingSchemaInfo, Job, JobState, MultiSchemaInfo, SubJob};
pub use job_args::{ExchangeArgs, RenameArgs};
pub use meta_load::{SCHEMA_END, SCHEMA_START, SchemaLoader};
pub use name::CIStr;
pub use partition::{PartitionDefinition, PartitionInfo, PartitionState, PartitionType};
pub use sequence::SequenceInfo;
pub use snapshot::{SchemaSnapshot, TableVersion};
pub use state::SchemaState;
pub use system_tables::{
    DDL_HISTORY_TABLE_ID, DDL_JOB_META_COLUMN_ID, DDL_JOB_TABLE_ID, DDL_REORG_TABLE_ID, MDL_INFO_TABLE_ID,
    is_system_schema,
};
pub use table::TableInfo;
pub use view::{UserIdentity, ViewInfo};
