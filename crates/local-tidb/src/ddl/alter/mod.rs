//! `ALTER TABLE`.

mod column;
mod key;

use serde_json::{Value, json};
use tidb_schema::{ActionType, DbInfo, JobState, MultiSchemaInfo, SchemaState, SubJob, TableInfo};
use tidb_sql::ddl::{AlterTable, AlterTableSpec, TableOption};

use super::job::{self, Change};
use super::{DdlContext, table};
use column::{add_column, change_default, drop_column, rename_column};
use key::{add_key, drop_index, rename_index};
use tidb_expr::{Result, SqlError};

/// What one part of the statement does, beside its change of the description.
struct Step {
    /// Kind of job.
    action: ActionType,
    /// The job's arguments as TiDB writes them.
    raw_args: Value,
    /// State that the changed object ends in.
    end: SchemaState,
    /// Ids of keys to fill.
    backfill: Vec<i64>,
}

impl Step {
    /// A part that adds or changes something.
    fn new(action: ActionType, raw_args: Value) -> Self {
        Self { action, raw_args, end: SchemaState::PUBLIC, backfill: Vec::new() }
    }

    /// A part that removes something.
    fn removal(action: ActionType, raw_args: Value) -> Self {
        Self { end: SchemaState::NONE, ..Self::new(action, raw_args) }
    }
}

/// Runs the statement: one job, of several parts if it has several.
pub(super) async fn alter(cx: &DdlContext<'_>, d: &AlterTable) -> Result<()> {
    let (db_name, name) = cx.resolve(&d.table)?;
    let db = cx.writable_database(&db_name)?;
    let current = cx.engine.schema().expect_table(&db_name, &name)?.clone();
    if !current.is_base_table() {
        return Err(SqlError::new(1347, format!("'{db_name}.{name}' is not BASE TABLE")));
    }
    if let [AlterTableSpec::RenameTable(new)] = d.specs.as_slice() {
        return table::rename(cx, &[(d.table.clone(), new.clone())]).await;
    }
    let mut info = current.info.clone();
    let mut steps = Vec::new();
    for spec in &d.specs {
        apply(cx, spec, &db, &mut info, &mut steps)?;
    }
    if steps.is_empty() {
        return Ok(());
    }
    check(&info)?;
    let (_, job_id) = job::take_ids(cx.engine, 0).await?;
    let backfill: Vec<i64> = steps.iter().flat_map(|s| s.backfill.iter().copied()).collect();
    let single = steps.len() == 1;
    let action = if single {
        steps.first().map_or(ActionType::NONE, |s| s.action)
    } else {
        ActionType::MULTI_SCHEMA_CHANGE
    };
    let end = if single { steps.first().map_or(SchemaState::PUBLIC, |s| s.end) } else { SchemaState::NONE };
    let mut job = job::new_job(job_id, action, &db, Some((info.id, current.name())), &cx.origin);
    if single {
        job.raw_args = steps.into_iter().next().map_or(Value::Null, |s| s.raw_args);
    } else {
        job.multi_schema_info = Some(MultiSchemaInfo {
            sub_jobs: steps.into_iter().map(sub_job).collect(),
            ..MultiSchemaInfo::default()
        });
    }
    job::run(cx.engine, job, Change::UpdateTable { db, info, backfill, end }).await
}

/// A part as a job of several parts holds it.
fn sub_job(step: Step) -> SubJob {
    SubJob {
        action: step.action,
        raw_args: step.raw_args,
        schema_state: step.end,
        state: JobState::DONE,
        ..SubJob::default()
    }
}

/// Applies one part to the description.
fn apply(
    cx: &DdlContext<'_>,
    spec: &AlterTableSpec,
    db: &DbInfo,
    info: &mut TableInfo,
    steps: &mut Vec<Step>,
) -> Result<()> {
    match spec {
        AlterTableSpec::AddColumn { if_not_exists, column, position } => {
            steps.extend(add_column(cx, info, column, position.as_ref(), *if_not_exists)?);
        }
        AlterTableSpec::AddColumns { if_not_exists, columns, constraints } => {
            for column in columns {
                steps.extend(add_column(cx, info, column, None, *if_not_exists)?);
            }
            for constraint in constraints {
                steps.extend(add_key(cx, info, constraint)?);
            }
        }
        AlterTableSpec::DropColumn { if_exists, column } => {
            steps.extend(drop_column(cx, info, column, *if_exists)?)
        }
        AlterTableSpec::AddConstraint(constraint) => steps.extend(add_key(cx, info, constraint)?),
        AlterTableSpec::DropIndex { if_exists, name } => {
            steps.extend(drop_index(cx, info, name, *if_exists)?)
        }
        AlterTableSpec::RenameIndex { old, new } => steps.push(rename_index(info, old, new)?),
        AlterTableSpec::RenameColumn { old, new } => steps.push(rename_column(info, old, new)?),
        AlterTableSpec::AlterColumn { column, default } => {
            steps.push(change_default(cx, info, column, default)?)
        }
        AlterTableSpec::Options(options) => steps.extend(change_options(options, info)?),
        AlterTableSpec::Algorithm(_)
        | AlterTableSpec::Lock(_)
        | AlterTableSpec::Force
        | AlterTableSpec::Validation(_) => {}
        AlterTableSpec::ModifyColumn { .. } | AlterTableSpec::ChangeColumn { .. } => {
            return Err(SqlError::new(
                8200,
                "Unsupported modify column: changes of a column's type are not supported",
            ));
        }
        AlterTableSpec::DropPrimaryKey => return Err(SqlError::unsupported("ALTER TABLE DROP PRIMARY KEY")),
        AlterTableSpec::RenameTable(_) => {
            return Err(SqlError::unsupported("RENAME together with other changes"));
        }
        other => {
            let debug = format!("{other:?}");
            let name = debug.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
            return Err(SqlError::new(
                8108,
                format!("Unsupported type of ALTER TABLE on '{}': {name}", db.name.o),
            ));
        }
    }
    Ok(())
}

/// The description as a whole must still make sense.
fn check(info: &TableInfo) -> Result<()> {
    if !info.columns.iter().any(|c| c.state.is_public()) {
        return Err(SqlError::new(
            1090,
            "You can't delete all columns with ALTER TABLE; use DROP TABLE instead",
        ));
    }
    Ok(())
}

/// Table options; one job part for each that changes something.
fn change_options(options: &[TableOption], info: &mut TableInfo) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    for option in options {
        match option {
            TableOption::Comment(text) => {
                info.comment = text.clone();
                steps.push(Step::new(ActionType::MODIFY_TABLE_COMMENT, json!({ "comment": text })));
            }
            TableOption::Engine(_) | TableOption::RowFormat(_) => {}
            other => {
                let debug = format!("{other:?}");
                let name = debug.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
                return Err(SqlError::unsupported(format!("ALTER TABLE option {name}")));
            }
        }
    }
    Ok(steps)
}
