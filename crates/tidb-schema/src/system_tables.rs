//! TiDB's own schemas and the fixed ids of the tables that hold DDL jobs.

/// Largest id that TiDB gives out; the DDL tables count down from it.
const MAX_GLOBAL_ID: i64 = 0xFFFF_FFFF_FFFF;

/// `mysql.tidb_ddl_job`: running DDL jobs; its changes are the DDL stream.
pub const DDL_JOB_TABLE_ID: i64 = MAX_GLOBAL_ID - 1;
/// `mysql.tidb_ddl_reorg`: progress of back-fills.
pub const DDL_REORG_TABLE_ID: i64 = MAX_GLOBAL_ID - 2;
/// `mysql.tidb_ddl_history`: finished DDL jobs.
pub const DDL_HISTORY_TABLE_ID: i64 = MAX_GLOBAL_ID - 3;
/// `mysql.tidb_mdl_info`: metadata locks.
pub const MDL_INFO_TABLE_ID: i64 = MAX_GLOBAL_ID - 4;
/// Column `job_meta` of `mysql.tidb_ddl_job` and of `mysql.tidb_ddl_history`'s predecessor: the job as JSON.
pub const DDL_JOB_META_COLUMN_ID: i64 = 5;

/// Schemas whose tables are never replicated, in lower case: TiDB's own and those of its tools.
const SYSTEM_SCHEMAS: [&str; 10] = [
    "mysql",
    "sys",
    "information_schema",
    "performance_schema",
    "metrics_schema",
    "inspection_schema",
    "workload_schema",
    "dm_heartbeat",
    "tidb_cdc",
    "lightning_task_info",
];

/// Whether a schema belongs to TiDB or its tools; `name` in any case.
pub fn is_system_schema(name: &str) -> bool {
    SYSTEM_SCHEMAS.iter().any(|system| system.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_a_real_cluster() {
        assert_eq!(DDL_JOB_TABLE_ID, 281_474_976_710_654);
        assert_eq!(DDL_REORG_TABLE_ID, 281_474_976_710_653);
        assert_eq!(DDL_HISTORY_TABLE_ID, 281_474_976_710_652);
        assert_eq!(MDL_INFO_TABLE_ID, 281_474_976_710_651);
    }

    #[test]
    fn system_schemas_are_recognised_in_any_case() {
        assert!(is_system_schema("INFORMATION_SCHEMA"));
        assert!(is_system_schema("tidb_cdc"));
        assert!(!is_system_schema("test"));
    }
}
