//! Texts of DDL messages that differ from the job's text.

use tidb_sql::{Ddl, RestoreOptions, SqlMode, rewrite};

fn only(query: &str) -> Ddl {
    rewrite::job_statements(query, SqlMode::default()).unwrap().remove(0)
}

#[test]
fn rename_is_regenerated_with_both_schemas() {
    assert_eq!(
        rewrite::rename_table(("golden_ddl", "t"), ("golden_ddl", "t_renamed")),
        "RENAME TABLE `golden_ddl`.`t` TO `golden_ddl`.`t_renamed`"
    );
}

#[test]
fn drops_are_rebuilt_for_one_object() {
    assert_eq!(rewrite::drop_table("golden_ddl", "t4"), "DROP TABLE `golden_ddl`.`t4`");
    assert_eq!(rewrite::drop_view("golden_ddl", "v`w"), "DROP VIEW `golden_ddl`.`v``w`");
}

#[test]
fn exchange_partition_names_both_tables_in_full() {
    let ddl = only("ALTER TABLE p EXCHANGE PARTITION p2 WITH TABLE px");
    assert_eq!(
        rewrite::exchange_partition(&ddl, ("golden_ddl", "p"), ("golden_ddl", "px")).as_deref(),
        Some("ALTER TABLE `golden_ddl`.`p` EXCHANGE PARTITION `p2` WITH TABLE `golden_ddl`.`px`")
    );
    let ddl = only("ALTER TABLE p EXCHANGE PARTITION p2 WITH TABLE px WITHOUT VALIDATION");
    assert!(
        rewrite::exchange_partition(&ddl, ("a", "p"), ("b", "q"))
            .unwrap()
            .ends_with("`b`.`q` WITHOUT VALIDATION")
    );
    assert_eq!(rewrite::exchange_partition(&only("drop table t"), ("a", "p"), ("b", "q")), None);
}

#[test]
fn a_batch_of_tables_is_split() {
    let texts = rewrite::split_query(
        "create table a (x int);create table b (y int);",
        SqlMode::default(),
        RestoreOptions::default(),
    );
    assert_eq!(texts.unwrap(), ["CREATE TABLE `a` (`x` INT);", "CREATE TABLE `b` (`y` INT);"]);
}

#[test]
fn several_statements_of_one_job_are_joined() {
    let text =
        rewrite::canonical_query("drop table a; drop table b", SqlMode::default(), RestoreOptions::default())
            .unwrap();
    assert_eq!(text, "DROP TABLE `a`;DROP TABLE `b`");
}

#[test]
fn the_source_of_create_like_gets_a_schema() {
    let Ddl::CreateTable(mut create) = only("create table b.t like u") else { panic!() };
    assert_eq!(rewrite::like_source(&create).unwrap().name, "u");
    assert!(rewrite::qualify_like_source(&mut create, "a"));
    assert!(!rewrite::qualify_like_source(&mut create, "c"));
    let text = tidb_sql::restore(&Ddl::CreateTable(create), RestoreOptions::default()).unwrap();
    assert_eq!(text, "CREATE TABLE `b`.`t` LIKE `a`.`u`");
}

#[test]
fn a_view_takes_the_stored_query() {
    let Ddl::CreateView(view) = only("create view v as select a from t") else { panic!() };
    let text =
        rewrite::create_view_with_select(&view, "SELECT `a` AS `a` FROM `s`.`t`", RestoreOptions::default());
    assert_eq!(
        text.unwrap(),
        "CREATE ALGORITHM = UNDEFINED DEFINER = CURRENT_USER SQL SECURITY DEFINER VIEW `v` AS SELECT `a` AS `a` FROM `s`.`t`"
    );
}

#[test]
fn what_is_no_ddl_is_reported() {
    let options = RestoreOptions::default();
    for (query, error) in [("", "Empty"), ("select 1", "NotDdl"), ("create tabel t", "Parse")] {
        let got = rewrite::canonical_query(query, SqlMode::default(), options).unwrap_err();
        assert!(format!("{got:?}").starts_with(error), "{query}: {got:?}");
    }
}
