//! Jobs as the tests need them.

use serde_json::{Value, json};
use tidb_codec::field::{flag, tp};
use tidb_schema::{
    ActionType, CIStr, ColumnInfo, DbInfo, HistoryInfo, Job, JobState, PartitionDefinition, PartitionInfo,
    PartitionType, SchemaState, TableInfo,
};

/// A job in state done that made schema version `version`.
pub(crate) fn job(action: ActionType, schema_id: i64, table_id: i64, version: i64) -> Job {
    Job {
        id: 1000 + version,
        action,
        schema_id,
        table_id,
        state: JobState::DONE,
        version: Job::CURRENT_VERSION,
        query: format!("query {version}"),
        binlog: Some(HistoryInfo { schema_version: version, ..HistoryInfo::default() }),
        ..Job::default()
    }
}

/// The same, with the table after the DDL.
pub(crate) fn table_job(
    action: ActionType,
    schema_id: i64,
    table_id: i64,
    version: i64,
    info: TableInfo,
) -> Job {
    let mut job = job(action, schema_id, table_id, version);
    job.binlog.as_mut().unwrap().table_info = Some(info);
    job
}

/// `CREATE DATABASE`.
pub(crate) fn create_schema(id: i64, name: &str, version: i64) -> Job {
    let mut job = job(ActionType::CREATE_SCHEMA, id, 0, version);
    let info = DbInfo { id, name: CIStr::new(name), state: SchemaState::PUBLIC, ..DbInfo::default() };
    job.binlog.as_mut().unwrap().db_info = Some(info);
    job
}

/// A table with an integer primary key `id`.
pub(crate) fn table(id: i64, name: &str) -> TableInfo {
    let mut column =
        ColumnInfo { id: 1, name: CIStr::new("id"), state: SchemaState::PUBLIC, ..ColumnInfo::default() };
    column.field_type.tp = tp::LONG;
    column.field_type.flag = flag::PRI_KEY | flag::NOT_NULL;
    TableInfo {
        id,
        name: CIStr::new(name),
        state: SchemaState::PUBLIC,
        pk_is_handle: true,
        columns: vec![column],
        ..TableInfo::default()
    }
}

/// The same with partitions `p<id>`.
pub(crate) fn partitioned(id: i64, name: &str, partitions: &[i64]) -> TableInfo {
    let definition =
        |id: &i64| PartitionDefinition { id: *id, name: CIStr::new(format!("p{id}")), ..Default::default() };
    let partition = PartitionInfo {
        tp: PartitionType::RANGE,
        enable: true,
        definitions: partitions.iter().map(definition).collect(),
        ..PartitionInfo::default()
    };
    TableInfo { partition: Some(partition), ..table(id, name) }
}

/// Version 2 arguments of `RENAME TABLES` from (table id, old schema, new schema, new name).
pub(crate) fn rename_args(renames: &[(i64, i64, i64, &str)]) -> Value {
    let info = |(table, old_schema, new_schema, name): &(i64, i64, i64, &str)| {
        json!({"table_id": table, "old_schema_id": old_schema, "new_schema_id": new_schema,
            "new_table_name": CIStr::new(*name)})
    };
    json!({ "rename_table_infos": renames.iter().map(info).collect::<Vec<_>>() })
}
