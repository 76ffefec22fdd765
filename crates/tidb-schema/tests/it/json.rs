//! The JSON form of schema objects, as a real cluster writes it.

use tidb_codec::field::tp;
use tidb_schema::{ActionType, DbInfo, Job, JobState, TableInfo};

/// `CREATE TABLE t (b BIT(4) NOT NULL DEFAULT b'1010', PRIMARY KEY (b))`, as stored.
const TABLE: &str = concat!(
    r#"{"id":104,"name":{"O":"T","L":"t"},"charset":"utf8mb4","collate":"utf8mb4_bin","cols":[{"id":1,"#,
    r#""name":{"O":"b","L":"b"},"offset":0,"origin_default":"\n","origin_default_bit":"Cg==","default":"\n","#,
    r#""default_bit":"Cg==","default_is_expr":false,"generated_expr_string":"","generated_stored":false,"#,
    r#""dependences":{"a":{}},"type":{"Tp":16,"Flag":35,"Flen":4,"Decimal":0,"Charset":"binary","#,
    r#""Collate":"binary","Elems":null,"ElemsIsBinaryLit":null,"Array":false},"state":5,"comment":"","#,
    r#""hidden":false,"change_state_info":null,"version":2}],"index_info":[{"id":1,"#,
    r#""idx_name":{"O":"PRIMARY","L":"primary"},"tbl_name":{"O":"","L":""},"idx_cols":[{"name":{"O":"b","L":"b"},"#,
    r#""offset":0,"length":-1}],"state":5,"backfill_state":0,"comment":"","index_type":1,"is_unique":true,"#,
    r#""is_primary":true,"is_invisible":false,"is_global":false,"mv_index":false,"vector_index":null}],"#,
    r#""constraint_info":null,"fk_info":null,"state":5,"pk_is_handle":false,"is_common_handle":true,"#,
    r#""common_handle_version":1,"comment":"","auto_inc_id":0,"auto_id_cache":0,"auto_rand_id":0,"max_col_id":1,"#,
    r#""max_idx_id":1,"max_fk_id":0,"max_cst_id":0,"update_timestamp":470640064046563330,"ShardRowIDBits":0,"#,
    r#""max_shard_row_id_bits":0,"auto_random_bits":0,"auto_random_range_bits":0,"pre_split_regions":0,"#,
    r#""partition":{"type":3,"expr":"","columns":[{"O":"b","L":"b"}],"enable":true,"is_empty_columns":false,"#,
    r#""definitions":[{"id":353,"name":{"O":"eu","L":"eu"},"less_than":null,"in_values":[["'de'"],["'fr'"]],"#,
    r#""policy_ref_info":null}],"adding_definitions":null,"dropping_definitions":null,"states":null,"num":2,"#,
    r#""ddl_state":0},"compression":"","view":null,"sequence":null,"Lock":null,"version":5,"tiflash_replica":null,"#,
    r#""is_columnar":false,"temp_table_type":0,"cache_table_status":0,"policy_ref_info":null,"stats_options":null,"#,
    r#""exchange_partition_info":null,"ttl_info":null,"revision":1}"#
);

/// `CREATE DATABASE`, as found in the history.
const JOB: &str = concat!(
    r#"{"id":3,"type":1,"schema_id":2,"table_id":0,"schema_name":"test","table_name":"","state":6,"warning":null,"#,
    r#""err":null,"err_count":0,"row_count":0,"raw_args":null,"schema_state":5,"snapshot_ver":0,"#,
    r#""real_start_ts":470640064085622797,"start_ts":470640064085622793,"dependency_id":0,"#,
    r#""query":"CREATE DATABASE IF NOT EXISTS test","binlog":{"SchemaVersion":1,"DBInfo":{"id":2,"#,
    r#""db_name":{"O":"test","L":"test"},"charset":"utf8mb4","collate":"utf8mb4_bin","Deprecated":{},"state":5,"#,
    r#""policy_ref_info":null},"TableInfo":null,"FinishedTS":470640064098992135,"MultipleTableInfos":null},"#,
    r#""version":2,"reorg_meta":null,"multi_schema_info":null,"priority":0,"seq_num":1,"charset":"","collate":"","#,
    r#""involving_schema_info":[{"database":"test","table":"*"}],"admin_operator":0,"#,
    r#""trace_info":{"connection_id":0,"session_alias":""},"bdr_role":"","cdc_write_source":0,"local_mode":false,"#,
    r#""sql_mode":0}"#
);

#[test]
fn table_is_written_as_stored() {
    let table: TableInfo = serde_json::from_str(TABLE).unwrap();
    assert_eq!(table.columns[0].field_type.tp, tp::BIT);
    assert_eq!(table.columns[0].origin_default_bit.as_deref(), Some(b"\n".as_slice()));
    assert_eq!(table.physical_ids(), [353]);
    assert_eq!(serde_json::to_string(&table).unwrap(), TABLE);
}

#[test]
fn job_is_written_as_stored() {
    let job = Job::from_json(JOB.as_bytes()).unwrap();
    assert_eq!((job.action, job.state), (ActionType::CREATE_SCHEMA, JobState::SYNCED));
    assert_eq!(String::from_utf8(job.to_json().unwrap()).unwrap(), JOB);
}

#[test]
fn unknown_and_absent_members_do_not_matter() {
    let info: DbInfo =
        serde_json::from_str(r#"{"id":7,"from_the_future":[1],"policy_ref_info":{"id":1}}"#).unwrap();
    assert_eq!((info.id, info.charset.as_str()), (7, ""));
    let table: TableInfo = serde_json::from_str(r#"{"cols":null,"index_info":[],"partition":{}}"#).unwrap();
    assert!(table.columns.is_empty() && table.enabled_partition().is_none());
    assert!(Job::from_json(b"7").is_err());
}
