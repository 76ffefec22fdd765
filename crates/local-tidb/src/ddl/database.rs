//! `CREATE`, `ALTER` and `DROP DATABASE`.

use serde_json::json;
use tidb_schema::{ActionType, CIStr, DbInfo, InvolvingSchemaInfo, SchemaState};
use tidb_sql::ddl::{AlterDatabase, CreateDatabase, DatabaseOption, DropDatabase};

use super::DdlContext;
use super::column_def::check_name;
use super::column_type::pick_collation;
use super::job::{self, Change};
use tidb_expr::collation::{self, Collation};
use tidb_expr::{Result, SqlError};

/// The collation that options ask for.
fn options_collation(options: &[DatabaseOption], default: Collation) -> Result<Collation> {
    let (mut charset, mut collate) = (None, None);
    for option in options {
        match option {
            DatabaseOption::Charset(name) => charset = Some(name.as_str()),
            DatabaseOption::Collate(name) => collate = Some(name.as_str()),
            DatabaseOption::Encryption(_) => {}
            DatabaseOption::Placement(_) => return Err(SqlError::unsupported("placement options")),
            DatabaseOption::SetTiFlashReplica(_) => return Err(SqlError::unsupported("TiFlash replicas")),
        }
    }
    pick_collation(charset, collate, default)
}

/// All of a database, as a job names it.
fn involving(name: &str) -> Vec<InvolvingSchemaInfo> {
    vec![InvolvingSchemaInfo {
        database: crate::catalog::lower(name),
        table: "*".to_owned(),
        ..InvolvingSchemaInfo::default()
    }]
}

/// `CREATE DATABASE`.
pub(super) async fn create(cx: &DdlContext<'_>, d: &CreateDatabase) -> Result<()> {
    check_name(&d.name, 1102, "database")?;
    if cx.engine.schema().database(&d.name).is_some() || d.name.eq_ignore_ascii_case("information_schema") {
        let error = SqlError::new(1007, format!("Can't create database '{}'; database exists", d.name));
        if d.if_not_exists {
            cx.note(&error);
            return Ok(());
        }
        return Err(error);
    }
    let collation = options_collation(&d.options, collation::utf8mb4_bin())?;
    let (id, job_id) = job::take_ids(cx.engine, 1).await?;
    let db = DbInfo {
        id,
        name: CIStr::new(d.name.clone()),
        charset: collation.charset.to_owned(),
        collate: collation.name.to_owned(),
        state: SchemaState::NONE,
        ..DbInfo::default()
    };
    let mut job = job::new_job(job_id, ActionType::CREATE_SCHEMA, &db, None, &cx.origin);
    job.raw_args = json!({ "db_info": db });
    job.involving_schema_info = involving(&d.name);
    job::run(cx.engine, job, Change::CreateDatabase(db)).await
}

/// `ALTER DATABASE`.
pub(super) async fn alter(cx: &DdlContext<'_>, d: &AlterDatabase) -> Result<()> {
    let name = d.name.clone().or_else(|| cx.database.clone()).ok_or_else(SqlError::no_database)?;
    let mut db = cx.writable_database(&name)?;
    let current = collation::by_name(&db.collate).unwrap_or_else(collation::utf8mb4_bin);
    let collation = options_collation(&d.options, current)?;
    if collation == current {
        return Ok(());
    }
    db.charset = collation.charset.to_owned();
    db.collate = collation.name.to_owned();
    let (_, job_id) = job::take_ids(cx.engine, 0).await?;
    let mut job = job::new_job(job_id, ActionType::MODIFY_SCHEMA_CHARSET, &db, None, &cx.origin);
    job.raw_args = json!({ "to_charset": db.charset, "to_collate": db.collate });
    job.involving_schema_info = involving(&name);
    job::run(cx.engine, job, Change::AlterDatabase(db)).await
}

/// `DROP DATABASE`.
pub(super) async fn drop(cx: &DdlContext<'_>, d: &DropDatabase) -> Result<()> {
    let schema = cx.engine.schema();
    let Some(found) = schema.database(&d.name) else {
        let error = SqlError::new(1008, format!("Can't drop database '{}'; database doesn't exist", d.name));
        if d.if_exists {
            cx.note(&error);
            return Ok(());
        }
        return Err(error);
    };
    let db = cx.writable_database(&d.name)?;
    let tables: Vec<i64> = found.tables().map(|t| t.info.id).collect();
    let (_, job_id) = job::take_ids(cx.engine, 0).await?;
    let mut job = job::new_job(job_id, ActionType::DROP_SCHEMA, &db, None, &cx.origin);
    job.raw_args = json!({ "fk_check": true });
    job.involving_schema_info = involving(&d.name);
    job.schema_state = SchemaState::PUBLIC;
    job::run(cx.engine, job, Change::DropDatabase { db, tables: tables.clone() }).await?;
    for id in tables {
        cx.engine.auto_ids.forget(id);
    }
    Ok(())
}
