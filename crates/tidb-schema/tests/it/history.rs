//! Versions of the schema over time.

use tidb_schema::{ActionType, SchemaError, SchemaHistory, SchemaSnapshot};

use crate::jobs::{create_schema, table, table_job};

/// Database 1 at 110; table 10 made at 120, revision 1 at 130, 2 at 140; truncated to 11 at 150.
fn history() -> SchemaHistory {
    let mut history = SchemaHistory::new(SchemaSnapshot::empty(100));
    history.apply(&create_schema(1, "d", 1), 110).unwrap();
    history.apply(&table_job(ActionType::CREATE_TABLE, 1, 10, 2, table(10, "t")), 120).unwrap();
    for revision in [1, 2] {
        let mut info = table(10, "t");
        info.revision = revision;
        let version = 2 + i64::try_from(revision).unwrap();
        history.apply(&table_job(ActionType::ADD_COLUMN, 1, 10, version, info), 120 + 10 * revision).unwrap();
    }
    history.apply(&table_job(ActionType::TRUNCATE_TABLE, 1, 10, 5, table(11, "t")), 150).unwrap();
    history
}

#[test]
fn a_row_is_decoded_with_the_version_before_its_commit() {
    let history = history();
    let revision = |ts| history.table_for_row(10, ts).unwrap().map(|table| table.info.revision);
    assert_eq!(revision(120), None);
    assert_eq!(revision(121), Some(0));
    assert_eq!(revision(130), Some(0), "a DDL of the same timestamp is not in force yet");
    assert_eq!(revision(131), Some(1));
    assert_eq!(revision(150), Some(2));
    assert_eq!(revision(151), None);
    assert!(history.table_for_row(11, 151).unwrap().is_some());
}

#[test]
fn collected_versions_are_refused_and_kept_ones_stay() {
    let mut history = history();
    let all = history.versions();
    history.collect(99);
    assert_eq!(history.versions(), all);
    history.collect(135);
    assert_eq!(history.oldest_ts(), 130);
    assert_eq!(history.at(135).unwrap().table(10).unwrap().info.revision, 1);
    assert_eq!(history.at(129).unwrap_err(), SchemaError::Collected { ts: 129, oldest: 130 });
    history.collect(u64::MAX);
    assert_eq!((history.versions(), history.oldest_ts()), (1, 150));
    assert!(history.at(u64::MAX).is_ok());
}

#[test]
fn ignored_jobs_make_no_version() {
    let mut history = history();
    let versions = history.versions();
    history.apply(&create_schema(1, "d", 1), 110).unwrap();
    assert_eq!(history.versions(), versions);
    assert!(history.apply(&table_job(ActionType::DROP_TABLE, 1, 99, 9, table(99, "x")), 160).is_err());
    assert_eq!(history.versions(), versions);
}
