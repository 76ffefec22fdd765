//! How jobs change a snapshot, and what consumers are told.

use std::collections::BTreeSet;

use tidb_schema::{
    ActionType, DdlEffect, DdlText, HistoryInfo, IgnoreReason, Job, JobState, SchemaError, SchemaSnapshot,
};

use crate::jobs::{create_schema, job, partitioned, rename_args, table, table_job};

/// A snapshot with databases 1 `Shop` and 2 `other`, tables 10 `a`, 11 `b` and 20 `part` (partitions 21, 22).
fn snapshot() -> SchemaSnapshot {
    let mut snapshot = SchemaSnapshot::empty(100);
    apply(&mut snapshot, &create_schema(1, "Shop", 1));
    apply(&mut snapshot, &create_schema(2, "other", 2));
    apply(&mut snapshot, &table_job(ActionType::CREATE_TABLE, 1, 10, 3, table(10, "a")));
    apply(&mut snapshot, &table_job(ActionType::CREATE_TABLE, 1, 11, 4, table(11, "b")));
    let part = partitioned(20, "part", &[21, 22]);
    apply(&mut snapshot, &table_job(ActionType::CREATE_TABLE, 1, 20, 5, part));
    snapshot
}

/// Applies a job at 100 + its schema version.
fn apply(snapshot: &mut SchemaSnapshot, job: &Job) -> DdlEffect {
    snapshot.apply(job, 100 + u64::try_from(job.schema_version()).unwrap()).unwrap()
}

fn ids(list: &[i64]) -> BTreeSet<i64> {
    list.iter().copied().collect()
}

#[test]
fn create_table_adds_its_partitions() {
    let mut s = snapshot();
    let effect =
        apply(&mut s, &table_job(ActionType::CREATE_TABLE, 2, 30, 6, partitioned(30, "New", &[31, 32])));
    assert_eq!(effect.added(), ids(&[31, 32]));
    assert_eq!(effect.events.len(), 1);
    assert_eq!((effect.events[0].schema.as_str(), effect.events[0].table.as_str()), ("other", "New"));
    assert_eq!(effect.events[0].text, DdlText::Query);
    assert_eq!(s.table_by_physical_id(32).unwrap().info.id, 30);
    assert!(s.table_by_physical_id(30).is_none(), "no rows are stored under the logical id");
}

#[test]
fn create_table_that_exists_is_a_duplicate() {
    let mut s = snapshot();
    let effect = apply(&mut s, &table_job(ActionType::CREATE_TABLE, 1, 10, 6, table(10, "a")));
    assert_eq!(effect.ignored, Some(IgnoreReason::Duplicate));
    assert!(effect.events.is_empty() && effect.changes.is_empty());
}

#[test]
fn batch_of_create_tables_is_split_in_statement_order() {
    let mut s = snapshot();
    let mut batch = job(ActionType::CREATE_TABLES, 2, 0, 6);
    let binlog: &mut HistoryInfo = batch.binlog.as_mut().unwrap();
    binlog.multiple_table_infos = vec![table(31, "x"), table(30, "y")];
    let effect = apply(&mut s, &batch);
    let events: Vec<_> =
        effect.events.iter().map(|event| (event.table.as_str(), event.text.clone())).collect();
    assert_eq!(events, [("x", DdlText::Statement(0)), ("y", DdlText::Statement(1))]);
    assert_eq!(effect.added(), ids(&[30, 31]));
}

#[test]
fn drop_table_is_rebuilt_for_its_object() {
    let mut s = snapshot();
    let effect =
        apply(&mut s, &table_job(ActionType::DROP_TABLE, 1, 20, 6, partitioned(20, "part", &[21, 22])));
    assert_eq!(effect.removed(), ids(&[21, 22]));
    assert_eq!(effect.events[0].text, DdlText::Rebuilt("DROP TABLE `Shop`.`part`".to_owned()));
    assert!(s.table(20).is_none() && s.table_by_physical_id(21).is_none());
    assert!(s.table_by_name("shop", "part").is_none());
}

#[test]
fn truncate_moves_to_a_new_id() {
    let mut s = snapshot();
    let effect = apply(&mut s, &table_job(ActionType::TRUNCATE_TABLE, 1, 10, 6, table(40, "a")));
    assert_eq!((effect.removed(), effect.added()), (ids(&[10]), ids(&[40])));
    assert_eq!(effect.affected(), ids(&[10, 40]));
    assert!(!effect.is_local());
    assert_eq!(s.table_by_name("Shop", "A").unwrap().info.id, 40);
}

#[test]
fn rename_into_another_database_tells_both_names() {
    let mut s = snapshot();
    let effect = apply(&mut s, &table_job(ActionType::RENAME_TABLE, 2, 10, 6, table(10, "A2")));
    let event = &effect.events[0];
    assert_eq!((event.schema.as_str(), event.table.as_str()), ("other", "A2"));
    assert_eq!(event.old_name, Some(("Shop".to_owned(), "a".to_owned())));
    assert_eq!(event.text, DdlText::Rebuilt("RENAME TABLE `Shop`.`a` TO `other`.`A2`".to_owned()));
    assert!(effect.added().is_empty() && effect.removed().is_empty());
    assert!(effect.is_local());
    assert!(s.table_by_name("shop", "a").is_none());
    assert_eq!(s.table_by_name("other", "a2").unwrap().info.id, 10);
}

#[test]
fn tables_can_swap_names() {
    let mut s = snapshot();
    let mut rename = job(ActionType::RENAME_TABLES, 1, 0, 6);
    rename.raw_args = rename_args(&[(10, 1, 1, "b"), (11, 1, 1, "a")]);
    let effect = apply(&mut s, &rename);
    let texts: Vec<_> = effect.events.iter().map(|event| event.text.clone()).collect();
    assert_eq!(
        texts,
        [
            DdlText::Rebuilt("RENAME TABLE `Shop`.`a` TO `Shop`.`b`;".to_owned()),
            DdlText::Rebuilt("RENAME TABLE `Shop`.`b` TO `Shop`.`a`;".to_owned())
        ]
    );
    assert_eq!(s.table_by_name("shop", "a").unwrap().info.id, 11);
    assert_eq!(s.table_by_name("shop", "b").unwrap().info.id, 10);
}

#[test]
fn exchange_partition_swaps_the_owners_of_ids() {
    let mut s = snapshot();
    let mut exchange =
        table_job(ActionType::EXCHANGE_PARTITION, 1, 10, 6, partitioned(20, "part", &[21, 10]));
    exchange.raw_args =
        serde_json::json!({"partition_id":22,"pt_table_id":20,"partition_name":"P22","with_validation":true});
    let effect = apply(&mut s, &exchange);
    assert_eq!(effect.affected(), ids(&[10, 21, 22]));
    assert!(effect.added().is_empty() && effect.removed().is_empty());
    assert_eq!(s.table_by_physical_id(10).unwrap().table_name(), "part");
    assert_eq!(s.table_by_physical_id(22).unwrap().table_name(), "a");
    assert_eq!(s.table_by_name("shop", "a").unwrap().info.id, 22);
    assert_eq!(effect.events.len(), 1);
    assert_eq!(effect.events[0].table, "a");
    let sql = "ALTER TABLE `Shop`.`part` EXCHANGE PARTITION `p22` WITH TABLE `Shop`.`a`";
    assert_eq!(effect.events[0].text, DdlText::Rebuilt(sql.to_owned()));
}

#[test]
fn partition_ddl_adds_and_removes_the_difference() {
    let mut s = snapshot();
    let effect = apply(
        &mut s,
        &table_job(ActionType::REORGANIZE_PARTITION, 1, 20, 6, partitioned(20, "part", &[21, 25, 26])),
    );
    assert_eq!((effect.removed(), effect.added()), (ids(&[22]), ids(&[25, 26])));
    let effect = apply(&mut s, &table_job(ActionType::REMOVE_PARTITIONING, 1, 20, 7, table(27, "part")));
    assert_eq!((effect.removed(), effect.added()), (ids(&[21, 25, 26]), ids(&[27])));
    let again = partitioned(28, "part", &[29]);
    let effect = apply(&mut s, &table_job(ActionType::ALTER_TABLE_PARTITIONING, 1, 27, 8, again));
    assert_eq!((effect.removed(), effect.added()), (ids(&[27]), ids(&[29])));
}

#[test]
fn drop_database_takes_its_tables_with_one_message() {
    let mut s = snapshot();
    let mut drop = job(ActionType::DROP_SCHEMA, 1, 0, 6);
    drop.binlog.as_mut().unwrap().db_info = create_schema(1, "Shop", 1).binlog.unwrap().db_info;
    let effect = apply(&mut s, &drop);
    assert_eq!(effect.removed(), ids(&[10, 11, 21, 22]));
    assert_eq!(effect.events.len(), 1);
    assert_eq!((effect.events[0].schema.as_str(), effect.events[0].table.as_str()), ("Shop", ""));
    assert_eq!(s.table_count(), 0);
    assert_eq!(s.schemas().len(), 1);
}

#[test]
fn recover_table_brings_rows_back_under_the_old_id() {
    let mut s = snapshot();
    apply(&mut s, &table_job(ActionType::DROP_TABLE, 1, 10, 6, table(10, "a")));
    let effect = apply(&mut s, &table_job(ActionType::RECOVER_TABLE, 1, 10, 7, table(10, "a3")));
    assert_eq!(effect.added(), ids(&[10]));
    assert_eq!(s.table_by_name("shop", "a3").unwrap().since, 107);
}

#[test]
fn replaced_view_leaves() {
    let mut s = snapshot();
    let view = |id| {
        let mut info = table(id, "v");
        info.view = Some(tidb_schema::ViewInfo::default());
        info
    };
    apply(&mut s, &table_job(ActionType::CREATE_VIEW, 1, 50, 6, view(50)));
    let effect = apply(&mut s, &table_job(ActionType::CREATE_VIEW, 1, 51, 7, view(51)));
    assert!(effect.affected().is_empty(), "views have no rows");
    assert!(s.table(50).is_none());
    assert_eq!(s.table_by_name("shop", "v").unwrap().info.id, 51);
}

#[test]
fn jobs_that_changed_nothing_or_are_known_are_skipped() {
    let mut s = snapshot();
    let mut unfinished = table_job(ActionType::DROP_TABLE, 1, 10, 6, table(10, "a"));
    unfinished.state = JobState::RUNNING;
    assert_eq!(apply(&mut s, &unfinished).ignored, Some(IgnoreReason::NotDone));
    let idle = table_job(ActionType::ADD_COLUMN, 1, 10, 0, table(10, "a"));
    assert_eq!(s.apply(&idle, 106).unwrap().ignored, Some(IgnoreReason::NoChange));
    let old = table_job(ActionType::DROP_TABLE, 1, 10, 5, table(10, "a"));
    assert_eq!(apply(&mut s, &old).ignored, Some(IgnoreReason::Applied));
    let at_base = table_job(ActionType::DROP_TABLE, 1, 10, 99, table(10, "a"));
    assert_eq!(SchemaSnapshot::empty(100).apply(&at_base, 100).unwrap().ignored, Some(IgnoreReason::Applied));
}

#[test]
fn two_jobs_of_one_transaction_both_apply() {
    let mut s = snapshot();
    let first = table_job(ActionType::TRUNCATE_TABLE, 1, 10, 6, table(40, "a"));
    let second = table_job(ActionType::TRUNCATE_TABLE, 1, 11, 7, table(41, "b"));
    assert!(s.apply(&first, 200).unwrap().ignored.is_none());
    assert!(s.apply(&second, 200).unwrap().ignored.is_none());
    assert_eq!(s.apply(&second, 200).unwrap().ignored, Some(IgnoreReason::Applied));
}

#[test]
fn kinds_that_are_not_forwarded_still_keep_the_schema_current() {
    let mut s = snapshot();
    let mut changed = table(10, "a");
    changed.revision = 9;
    let effect = apply(&mut s, &table_job(ActionType::SHARD_ROW_ID, 1, 10, 6, changed.clone()));
    assert_eq!(effect.ignored, Some(IgnoreReason::NotForwarded));
    assert!(effect.events.is_empty());
    assert_eq!(s.table(10).unwrap().info.revision, 9);
    let effect = apply(&mut s, &table_job(ActionType(200), 1, 10, 7, changed));
    assert_eq!(effect.ignored, Some(IgnoreReason::UnknownAction));
}

#[test]
fn a_job_that_cannot_apply_leaves_the_snapshot_as_it_was() {
    let mut s = snapshot();
    let unknown = table_job(ActionType::DROP_TABLE, 1, 77, 6, table(77, "x"));
    assert!(matches!(s.apply(&unknown, 106), Err(SchemaError::UnknownTable { table: 77, .. })));
    let nowhere = table_job(ActionType::CREATE_TABLE, 9, 78, 6, table(78, "x"));
    assert!(matches!(s.apply(&nowhere, 106), Err(SchemaError::UnknownSchema { schema: 9, .. })));
    let empty = job(ActionType::ADD_COLUMN, 1, 10, 6);
    assert!(matches!(s.apply(&empty, 106), Err(SchemaError::MissingInfo { .. })));
    let mut broken = job(ActionType::RENAME_TABLES, 1, 0, 6);
    broken.raw_args = rename_args(&[(10, 1, 1, "z"), (999, 1, 1, "y")]);
    assert!(s.apply(&broken, 106).is_err());
    assert_eq!(s.ts(), 105);
    assert_eq!(s.table_by_name("shop", "a").unwrap().info.id, 10);
}

#[test]
fn eligibility_is_compared_over_the_ddl() {
    let mut s = snapshot();
    let mut keyless = table(10, "a");
    keyless.pk_is_handle = false;
    let effect = apply(&mut s, &table_job(ActionType::DROP_PRIMARY_KEY, 1, 10, 6, keyless));
    assert!(effect.changes[0].loses_eligibility(false));
    assert!(!effect.changes[0].loses_eligibility(true));
    let effect = apply(&mut s, &table_job(ActionType::ADD_PRIMARY_KEY, 1, 10, 7, table(10, "a")));
    assert!(effect.changes[0].gains_eligibility(false));
}
