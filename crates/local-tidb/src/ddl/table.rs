//! `CREATE`, `DROP`, `TRUNCATE` and `RENAME TABLE`.

use serde_json::json;
use tidb_schema::{ActionType, CIStr, DbInfo, InvolvingSchemaInfo, SchemaState, TableInfo};
use tidb_sql::ddl::{CreateTable, CreateTableSource, DropTable, TableName, TruncateTable};

use super::column_def::check_name;
use super::job::{self, Change, Renamed};
use super::{DdlContext, table_def};
use crate::catalog::lower;
use tidb_expr::{Result, SqlError};

/// `CREATE TABLE`.
pub(super) async fn create(cx: &DdlContext<'_>, d: &CreateTable) -> Result<()> {
    let (db_name, name) = cx.resolve(&d.table)?;
    let db = cx.writable_database(&db_name)?;
    let schema = cx.engine.schema();
    if schema.database(&db_name).is_some_and(|db| db.table(&name).is_some()) {
        let error = SqlError::new(1050, format!("Table '{db_name}.{name}' already exists"));
        if d.if_not_exists {
            cx.note(&error);
            return Ok(());
        }
        return Err(error);
    }
    let mut info = match &d.source {
        CreateTableSource::Like(source) => like(cx, source, &name)?,
        CreateTableSource::Definition { .. } => table_def::build(d, &db, cx.variables, cx.cx)?,
    };
    let (id, job_id) = job::take_ids(cx.engine, 1).await?;
    info.id = id;
    let mut job = job::new_job(job_id, ActionType::CREATE_TABLE, &db, Some((id, &info.name.o)), &cx.origin);
    job.raw_args = json!({ "table_info": info, "fk_check": true });
    job::run(cx.engine, job, Change::CreateTable { db, info }).await
}

/// The description of a table like another one.
fn like(cx: &DdlContext<'_>, source: &TableName, name: &str) -> Result<TableInfo> {
    let (db_name, table) = cx.resolve(source)?;
    let schema = cx.engine.schema();
    let found = schema.expect_table(&db_name, &table)?;
    if !found.is_base_table() {
        return Err(SqlError::new(1347, format!("'{db_name}.{table}' is not BASE TABLE")));
    }
    check_name(name, 1103, "table")?;
    let mut info = found.info.clone();
    info.name = CIStr::new(name);
    info.auto_inc_id = 0;
    info.revision = 0;
    info.update_timestamp = 0;
    info.foreign_keys.clear();
    info.columns.retain(|c| c.state.is_public());
    info.state = SchemaState::NONE;
    Ok(info)
}

/// `DROP TABLE`.
pub(super) async fn drop(cx: &DdlContext<'_>, d: &DropTable) -> Result<()> {
    if d.temporary.is_some() {
        return Err(SqlError::unsupported("DROP TEMPORARY TABLE"));
    }
    let mut missing = Vec::new();
    let mut found = Vec::new();
    for name in &d.tables {
        let (db_name, table_name) = cx.resolve(name)?;
        match cx.engine.schema().database(&db_name).and_then(|db| db.table(&table_name).cloned()) {
            Some(table) if table.is_base_table() => found.push((cx.writable_database(&db_name)?, table)),
            _ => missing.push(format!("{db_name}.{table_name}")),
        }
    }
    if !missing.is_empty() && !d.if_exists {
        return Err(SqlError::new(1051, format!("Unknown table '{}'", missing.join(","))));
    }
    for (db, table) in found {
        let id = table.info.id;
        let (_, job_id) = job::take_ids(cx.engine, 0).await?;
        let mut job = job::new_job(job_id, ActionType::DROP_TABLE, &db, Some((id, table.name())), &cx.origin);
        job.schema_state = SchemaState::PUBLIC;
        job.raw_args = json!({
            "identifiers": [{ "Schema": db.name, "Name": table.info.name }],
            "fk_check": true,
        });
        job::run(cx.engine, job, Change::DropTable { db, info: table.info.clone() }).await?;
        cx.engine.auto_ids.forget(id);
    }
    for name in missing {
        cx.note(&SqlError::new(1051, format!("Unknown table '{name}'")));
    }
    Ok(())
}

/// `TRUNCATE TABLE`.
pub(super) async fn truncate(cx: &DdlContext<'_>, d: &TruncateTable) -> Result<()> {
    let (db_name, name) = cx.resolve(&d.table)?;
    let db = cx.writable_database(&db_name)?;
    let table = cx.engine.schema().expect_table(&db_name, &name)?.clone();
    if !table.is_base_table() {
        return Err(SqlError::no_such_table(&db_name, &name));
    }
    let old_id = table.info.id;
    let (new_id, job_id) = job::take_ids(cx.engine, 1).await?;
    let mut info = table.info.clone();
    info.id = new_id;
    let mut job =
        job::new_job(job_id, ActionType::TRUNCATE_TABLE, &db, Some((old_id, table.name())), &cx.origin);
    job.raw_args = json!({ "fk_check": true, "new_table_id": new_id });
    job::run(cx.engine, job, Change::TruncateTable { db, info, old_id }).await?;
    cx.engine.auto_ids.forget(old_id);
    Ok(())
}

/// Renames tables one after the other, as one change.
pub(super) async fn rename(cx: &DdlContext<'_>, renames: &[(TableName, TableName)]) -> Result<()> {
    let mut plan: Vec<Renamed> = Vec::new();
    for (old, new) in renames {
        plan.push(rename_one(cx, &plan, old, new)?);
    }
    let (_, job_id) = job::take_ids(cx.engine, 0).await?;
    let Some(first) = plan.first() else { return Ok(()) };
    let arguments = |t: &Renamed, many: bool| {
        json!({
            "old_schema_id": t.old_db.id,
            "old_schema_name": t.old_db.name,
            "new_table_name": t.info.name,
            "old_table_name": if many { t.old_name.clone() } else { CIStr::default() },
            "new_schema_id": t.new_db.id,
            "table_id": t.info.id,
        })
    };
    let single = plan.len() == 1;
    let (action, raw_args) = if single {
        let mut args = arguments(first, false);
        if let Some(map) = args.as_object_mut() {
            map.remove("table_id");
        }
        (ActionType::RENAME_TABLE, args)
    } else {
        let infos: Vec<_> = plan.iter().map(|t| arguments(t, true)).collect();
        (ActionType::RENAME_TABLES, json!({ "rename_table_infos": infos }))
    };
    // TiDB names the job after the database and table of the last renaming when there are several.
    let named = if single { first } else { plan.last().unwrap_or(first) };
    let mut job =
        job::new_job(job_id, action, &named.new_db, Some((named.info.id, &named.old_name.o)), &cx.origin);
    job.schema_name = named.old_db.name.o.clone();
    job.raw_args = raw_args;
    job.involving_schema_info = plan
        .iter()
        .flat_map(|t| [(&t.old_db, &t.old_name.l), (&t.new_db, &t.info.name.l)])
        .map(|(db, table)| InvolvingSchemaInfo {
            database: db.name.l.clone(),
            table: table.clone(),
            ..InvolvingSchemaInfo::default()
        })
        .collect();
    job::run(cx.engine, job, Change::RenameTables(plan)).await
}

/// One renaming, checked against the schema as the ones before it leave it.
fn rename_one(cx: &DdlContext<'_>, before: &[Renamed], old: &TableName, new: &TableName) -> Result<Renamed> {
    let (old_db_name, old_name) = cx.resolve(old)?;
    let (new_db_name, new_name) = cx.resolve(new)?;
    let (old_db, new_db) = (cx.writable_database(&old_db_name)?, cx.writable_database(&new_db_name)?);
    check_name(&new_name, 1103, "table")?;
    let schema = cx.engine.schema();
    let given = |db: &DbInfo, name: &str| {
        before.iter().rfind(|t| t.new_db.id == db.id && t.info.name.l == lower(name))
    };
    let taken =
        |db: &DbInfo, name: &str| before.iter().any(|t| t.old_db.id == db.id && t.old_name.l == lower(name));
    let info = match given(&old_db, &old_name) {
        Some(renamed) => renamed.info.clone(),
        None if taken(&old_db, &old_name) => return Err(SqlError::no_such_table(&old_db_name, &old_name)),
        None => schema.expect_table(&old_db_name, &old_name)?.info.clone(),
    };
    let exists = given(&new_db, &new_name).is_some()
        || schema.database(&new_db_name).is_some_and(|db| db.table(&new_name).is_some())
            && !taken(&new_db, &new_name);
    if exists {
        return Err(SqlError::new(1050, format!("Table '{new_name}' already exists")));
    }
    let old_name = info.name.clone();
    Ok(Renamed { old_db, old_name, new_db, info: TableInfo { name: CIStr::new(new_name), ..info } })
}
