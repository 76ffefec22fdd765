//! Jobs in the forms that older and newer TiDB write them: v6.5 and v7.5 (arguments as a list, version 0 or 1), v8.4 and
//! later (arguments as an object, version 2), each with members that others do not have. Made by hand after the
//! description of the job's JSON; column and table objects have only what matters here.

use serde_json::{Value, json};
use tidb_schema::{DdlEffect, DdlText, IgnoreReason, Job, SchemaHistory, SchemaSnapshot};

/// Which TiDB writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writer {
    V65,
    V75,
    V90,
}

/// Every writer.
const WRITERS: [Writer; 3] = [Writer::V65, Writer::V75, Writer::V90];

/// A name.
fn name(text: &str) -> Value {
    json!({"O": text, "L": text.to_lowercase()})
}

/// A table with an integer primary key and a column for each name.
fn table(id: i64, table: &str, columns: &[&str]) -> Value {
    let column = |(offset, column): (usize, &&str)| {
        let (tp, flag) = if offset == 0 { (3, 3) } else { (15, 0) };
        json!({"id": offset + 1, "name": name(column), "offset": offset, "origin_default": null, "default": null,
            "default_bit": null, "default_is_expr": false, "generated_expr_string": "", "generated_stored": false,
            "dependences": null, "state": 5, "comment": "", "hidden": false, "change_state_info": null, "version": 2,
            "type": {"Tp": tp, "Flag": flag, "Flen": 11, "Decimal": 0, "Charset": "utf8mb4", "Collate": "utf8mb4_bin",
                "Elems": null}})
    };
    json!({"id": id, "name": name(table), "charset": "utf8mb4", "collate": "utf8mb4_bin",
        "cols": columns.iter().enumerate().map(column).collect::<Vec<_>>(), "index_info": null, "fk_info": null,
        "state": 5, "pk_is_handle": true, "is_common_handle": false, "comment": "", "auto_inc_id": 0, "max_col_id": 9,
        "max_idx_id": 0, "update_timestamp": 1, "partition": null, "sequence": null, "view": null, "version": 5})
}

/// What one of the jobs below says.
struct Told<'a> {
    kind: u8,
    schema: i64,
    table: i64,
    version: i64,
    query: &'a str,
    /// Arguments as a list, and as an object.
    args: (Value, Value),
    db_info: Value,
    table_info: Value,
}

impl Default for Told<'_> {
    fn default() -> Self {
        let args = (json!([]), json!({}));
        let (db_info, table_info) = (Value::Null, Value::Null);
        Self { kind: 0, schema: 1, table: 0, version: 0, query: "", args, db_info, table_info }
    }
}

/// A job in state done.
fn job(writer: Writer, told: Told<'_>) -> Value {
    let (list, object) = told.args;
    let mut job = json!({"id": 100 + told.version, "type": told.kind, "schema_id": told.schema, "table_id": told.table,
        "schema_name": "", "table_name": "", "state": 4, "err": null, "err_count": 0, "row_count": 0, "raw_args": list,
        "schema_state": 5, "snapshot_ver": 0, "real_start_ts": 0, "start_ts": 7, "dependency_id": 0,
        "query": told.query, "reorg_meta": null, "multi_schema_info": null, "priority": 0, "seq_num": 0,
        "charset": "utf8mb4", "collate": "utf8mb4_bin",
        "binlog": {"SchemaVersion": told.version, "DBInfo": told.db_info, "TableInfo": told.table_info,
            "FinishedTS": 0}});
    let more = match writer {
        // The version of a job was not written to yet.
        Writer::V65 => json!({"version": 0}),
        Writer::V75 => json!({"version": 1, "warning": null, "admin_operator": 0, "bdr_role": "",
            "involving_schema_info": null, "trace_info": null, "cdc_write_source": 0, "local_mode": false,
            "sql_mode": 1_436_549_152_u64}),
        Writer::V90 => {
            json!({"version": 2, "raw_args": object, "warning": null, "admin_operator": 0, "bdr_role": "",
            "involving_schema_info": [{"database": "shop", "table": "t", "mode": 1}], "cdc_write_source": 0,
            "trace_info": {"ConnectionID": 3, "SessionAlias": ""}, "local_mode": false, "sql_mode": 0,
            "session_vars": {"tidb_enable_dist_task": "ON"}, "last_schema_version": told.version,
            "something_new": {"of": "the future"}})
        }
    };
    let (job_members, more) = (job.as_object_mut().unwrap(), more.as_object().cloned().unwrap());
    job_members.extend(more);
    job
}

/// Applies a job at 100 + its schema version.
fn apply(snapshot: &mut SchemaSnapshot, job: &Value) -> DdlEffect {
    let job = Job::from_json(job.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}: {job}"));
    let ts = 100 + u64::try_from(job.schema_version()).unwrap();
    snapshot.apply(&job, ts).unwrap_or_else(|error| panic!("{error}: {job:?}"))
}

/// `CREATE DATABASE`.
fn create_database(writer: Writer, id: i64, db: &str, version: i64) -> Value {
    let db_info = json!({"id": id, "db_name": name(db), "charset": "utf8mb4", "collate": "utf8mb4_bin", "state": 5,
        "policy_ref_info": null});
    job(writer, Told { kind: 1, schema: id, version, db_info, ..Told::default() })
}

/// `CREATE TABLE`.
fn create_table(writer: Writer, schema: i64, id: i64, text: &str, version: i64) -> Value {
    let info = table(id, text, &["id", "v"]);
    let args = (json!([info, false]), json!({"table_info": info, "fk_check": false}));
    job(writer, Told { kind: 3, schema, table: id, version, args, table_info: info, ..Told::default() })
}

/// Databases 1 `Shop` and 2 `other`; tables 10 `a` and 11 `b` in the first.
fn snapshot(writer: Writer) -> SchemaSnapshot {
    let mut snapshot = SchemaSnapshot::empty(100);
    apply(&mut snapshot, &create_database(writer, 1, "Shop", 1));
    apply(&mut snapshot, &create_database(writer, 2, "other", 2));
    apply(&mut snapshot, &create_table(writer, 1, 10, "a", 3));
    apply(&mut snapshot, &create_table(writer, 1, 11, "b", 4));
    snapshot
}

#[test]
fn the_life_of_a_table_reads_alike_from_every_writer() {
    for writer in WRITERS {
        let mut s = snapshot(writer);
        let info = table(10, "a", &["id", "v", "w"]);
        let args =
            (json!([{"id": 3, "name": name("w")}, {"Tp": 0, "RelativeColumn": null}, 0, false]), json!({}));
        let told = Told { kind: 5, table: 10, version: 5, args, table_info: info, ..Told::default() };
        let effect = apply(&mut s, &job(writer, told));
        assert_eq!((effect.events.len(), effect.is_local()), (1, true), "{writer:?}");
        assert_eq!(s.table(10).unwrap().info.columns.len(), 3, "{writer:?}");

        let info = table(20, "a", &["id", "v", "w"]);
        let args = (json!([20, false, null]), json!({"new_table_id": 20, "fk_check": false}));
        let told =
            Told { kind: 11, table: 10, version: 6, args, table_info: info.clone(), ..Told::default() };
        let effect = apply(&mut s, &job(writer, told));
        assert!(effect.removed().contains(&10) && effect.added().contains(&20), "{writer:?}");

        let args = (json!([[], [], false]), json!({"identifiers": null, "fk_check": false}));
        let told = Told { kind: 4, table: 20, version: 7, args, table_info: info, ..Told::default() };
        let effect = apply(&mut s, &job(writer, told));
        assert_eq!(effect.events[0].text, DdlText::Rebuilt("DROP TABLE `Shop`.`a`".to_owned()), "{writer:?}");
        assert!(s.table(20).is_none(), "{writer:?}");
    }
}

#[test]
fn rename_table_into_another_database_reads_alike_from_every_writer() {
    for writer in WRITERS {
        let mut s = snapshot(writer);
        let args = (
            json!([1, name("A2"), name("Shop")]),
            json!({"old_schema_id": 1, "old_schema_name": name("Shop"), "new_table_name": name("A2")}),
        );
        let info = table(10, "A2", &["id", "v"]);
        let told =
            Told { kind: 14, schema: 2, table: 10, version: 5, args, table_info: info, ..Told::default() };
        let effect = apply(&mut s, &job(writer, told));
        assert_eq!(
            effect.events[0].text,
            DdlText::Rebuilt("RENAME TABLE `Shop`.`a` TO `other`.`A2`".to_owned()),
            "{writer:?}"
        );
        assert_eq!(s.table_by_name("other", "a2").unwrap().info.id, 10, "{writer:?}");
    }
}

#[test]
fn rename_tables_reads_alike_from_every_writer_even_without_old_names() {
    for writer in WRITERS {
        let mut s = snapshot(writer);
        let renames = [(10, 2, "x"), (11, 1, "a")];
        let objects = renames.map(|(id, schema, text)| {
            json!({"old_schema_id": 1, "new_schema_id": schema, "new_table_name": name(text), "table_id": id,
                "old_schema_name": name("Shop")})
        });
        let names = renames.map(|(_, _, text)| name(text));
        // v6.5 wrote the names of the old schemas, but not those of the old tables.
        let list = json!([[1, 1], [2, 1], names, [10, 11], [name("Shop"), name("Shop")]]);
        let args = (list, json!({ "rename_table_infos": objects }));
        let query = "RENAME TABLE a TO other.x, b TO a";
        let told = Told { kind: 47, version: 5, query, args, ..Told::default() };
        let effect = apply(&mut s, &job(writer, told));
        let texts: Vec<_> = effect.events.iter().map(|event| event.text.clone()).collect();
        let rebuilt = |text: &str| DdlText::Rebuilt(text.to_owned());
        assert_eq!(
            texts,
            [
                rebuilt("RENAME TABLE `Shop`.`a` TO `other`.`x`;"),
                rebuilt("RENAME TABLE `Shop`.`b` TO `Shop`.`a`;")
            ],
            "{writer:?}"
        );
        assert_eq!(s.table_by_name("other", "x").unwrap().info.id, 10, "{writer:?}");
        assert_eq!(s.table_by_name("shop", "a").unwrap().info.id, 11, "{writer:?}");
    }
}

#[test]
fn several_changes_in_one_alter_are_one_message() {
    for writer in WRITERS {
        let mut s = snapshot(writer);
        let info = table(10, "a", &["id", "w"]);
        let query = "ALTER TABLE a DROP COLUMN v, ADD COLUMN w VARCHAR(9)";
        let told = Told { kind: 61, table: 10, version: 5, query, table_info: info, ..Told::default() };
        let mut job = job(writer, told);
        let sub_job = |kind: u8, list: Value, object: Value| {
            let args = if writer == Writer::V90 { object } else { list };
            let mut sub_job = json!({"type": kind, "raw_args": args, "schema_state": 0, "snapshot_ver": 0,
                "revertible": false, "state": 4, "row_count": 0, "warning": null});
            match writer {
                Writer::V65 => {}
                Writer::V75 => sub_job["real_start_ts"] = 9.into(),
                Writer::V90 => (sub_job["schema_version"], sub_job["reorg_tp"]) = (5.into(), 1.into()),
            }
            sub_job
        };
        job["multi_schema_info"] = json!({"revertible": false, "sub_jobs": [
            sub_job(6, json!([name("v"), false, []]), json!({"col": {"name": name("v")}})),
            sub_job(5, json!(null), json!({"col": {"name": name("w")}})),
        ]});
        let effect = apply(&mut s, &job);
        assert_eq!(effect.events.len(), 1, "{writer:?}");
        assert_eq!((effect.events[0].text.clone(), &*effect.events[0].query), (DdlText::Query, query));
        let columns: Vec<_> = s.table(10).unwrap().info.columns.iter().map(|c| c.name.o.clone()).collect();
        assert_eq!(columns, ["id", "w"], "{writer:?}");
    }
}

#[test]
fn exchange_partition_reads_alike_from_every_writer() {
    for writer in WRITERS {
        let mut s = snapshot(writer);
        let partitioned = |ids: [i64; 2]| {
            let mut info = table(30, "p", &["id", "v"]);
            let definitions = [0, 1]
                .map(|n| json!({"id": ids[n], "name": name(&format!("P{n}")), "less_than": [n.to_string()]}));
            info["partition"] = json!({"type": 1, "expr": "`id`", "columns": null, "enable": true, "num": 2,
                "definitions": definitions, "adding_definitions": null, "dropping_definitions": null, "states": null});
            info
        };
        let created =
            Told { kind: 3, table: 30, version: 5, table_info: partitioned([31, 32]), ..Told::default() };
        let effect = apply(&mut s, &job(writer, created));
        assert_eq!(effect.added().into_iter().collect::<Vec<_>>(), [31, 32], "{writer:?}");
        let args = (
            json!([32, 1, 30, "p1", true]),
            json!({"partition_id": 32, "pt_schema_id": 1, "pt_table_id": 30, "partition_name": "p1",
                "with_validation": true}),
        );
        let info = partitioned([31, 10]);
        let told = Told { kind: 42, table: 10, version: 6, args, table_info: info, ..Told::default() };
        let effect = apply(&mut s, &job(writer, told));
        assert_eq!(
            effect.events[0].text,
            DdlText::Rebuilt(
                "ALTER TABLE `Shop`.`p` EXCHANGE PARTITION `P1` WITH TABLE `Shop`.`a`".to_owned()
            ),
            "{writer:?}"
        );
        assert_eq!(s.table_by_physical_id(32).unwrap().table_name(), "a", "{writer:?}");
        assert_eq!(s.table_by_physical_id(10).unwrap().table_name(), "p", "{writer:?}");
    }
}

#[test]
fn only_the_step_that_changes_the_schema_counts() {
    for writer in WRITERS {
        let mut history = SchemaHistory::new(snapshot(writer));
        let mut steps = job(
            writer,
            Told {
                kind: 5,
                table: 10,
                version: 5,
                table_info: table(10, "a", &["id", "v", "w"]),
                ..Told::default()
            },
        );
        // Queued, running, rolled back, cancelled: each is written to the same row of the job table.
        for state in [0, 1, 2, 3, 5, 7, 8, 9, 10] {
            steps["state"] = state.into();
            let step = Job::from_json(steps.to_string().as_bytes()).unwrap();
            let effect = history.apply(&step, 110).unwrap();
            assert_eq!(effect.ignored, Some(IgnoreReason::NotDone), "{writer:?} state {state}");
        }
        assert_eq!((history.versions(), history.latest().table(10).unwrap().info.columns.len()), (1, 2));
        steps["state"] = 4.into();
        let done = Job::from_json(steps.to_string().as_bytes()).unwrap();
        history.apply(&done, 110).unwrap();
        assert_eq!((history.versions(), history.latest().table(10).unwrap().info.columns.len()), (2, 3));
        // The history has it once more, as synced.
        steps["state"] = 6.into();
        let synced = Job::from_json(steps.to_string().as_bytes()).unwrap();
        assert_eq!(history.apply(&synced, 110).unwrap().ignored, Some(IgnoreReason::Applied));
    }
}

#[test]
fn tables_made_twice_are_made_once() {
    for writer in WRITERS {
        let mut s = snapshot(writer);
        let infos = json!([table(40, "x", &["id"]), table(41, "y", &["id"])]);
        let mut batch =
            job(writer, Told { kind: 60, version: 5, query: "create x; create y", ..Told::default() });
        batch["binlog"]["MultipleTableInfos"] = infos;
        assert_eq!(apply(&mut s, &batch).events.len(), 2, "{writer:?}");
        batch["binlog"]["SchemaVersion"] = 6.into();
        let again = apply(&mut s, &batch);
        assert_eq!(again.ignored, Some(IgnoreReason::Duplicate), "{writer:?}");
        let again = apply(&mut s, &create_table(writer, 1, 40, "x", 7));
        assert_eq!(again.ignored, Some(IgnoreReason::Duplicate), "{writer:?}");
    }
}

#[test]
fn kinds_of_the_future_change_nothing_that_consumers_see() {
    let mut s = snapshot(Writer::V90);
    let info = table(10, "a", &["id", "v"]);
    let effect = apply(
        &mut s,
        &job(Writer::V90, Told { kind: 199, table: 10, version: 5, table_info: info, ..Told::default() }),
    );
    assert_eq!((effect.ignored, effect.events.len()), (Some(IgnoreReason::UnknownAction), 0));
}
