//! `ALTER TABLE`.

use serde_json::{Value, json};
use tidb_codec::field::flag;
use tidb_schema::{
    ActionType, CIStr, ColumnInfo, DbInfo, JobState, MultiSchemaInfo, SchemaState, SubJob, TableInfo,
};
use tidb_sql::ddl::{
    AlterColumnDefault, AlterTable, AlterTableSpec, ColumnDef, ColumnName, ColumnPosition, TableConstraint,
    TableOption,
};

use super::column_def::{self, ImpliedKey};
use super::job::{self, Change};
use super::table_def::{self, KeyDef};
use super::{DdlContext, table};
use crate::catalog::lower;
use crate::collation;
use crate::error::{Result, SqlError};

/// What one part of the statement does, beside its change of the description.
struct Step {
    action: ActionType,
    raw_args: Value,
    end: SchemaState,
    /// Ids of keys to fill.
    backfill: Vec<i64>,
}

impl Step {
    fn new(action: ActionType, raw_args: Value) -> Self {
        Self { action, raw_args, end: SchemaState::PUBLIC, backfill: Vec::new() }
    }

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

fn position_of(info: &TableInfo, name: &str) -> Option<usize> {
    let lower = lower(name);
    info.columns.iter().position(|c| c.name.l == lower)
}

/// Gives columns the offsets of their places, in keys too.
fn renumber(info: &mut TableInfo) {
    for (at, column) in info.columns.iter_mut().enumerate() {
        column.offset = i64::try_from(at).unwrap_or(i64::MAX);
    }
    for index in &mut info.indices {
        for part in &mut index.columns {
            if let Some(at) = info.columns.iter().position(|c| c.name.l == part.name.l) {
                part.offset = i64::try_from(at).unwrap_or(i64::MAX);
            }
        }
    }
}

fn add_column(
    cx: &DdlContext<'_>,
    info: &mut TableInfo,
    def: &ColumnDef,
    position: Option<&ColumnPosition>,
    if_not_exists: bool,
) -> Result<Vec<Step>> {
    if position_of(info, &def.name.name).is_some() {
        let error = SqlError::new(1060, format!("Duplicate column name '{}'", def.name.name));
        if if_not_exists {
            cx.note(&error);
            return Ok(Vec::new());
        }
        return Err(error);
    }
    let table_collation = collation::by_name(&info.collate).unwrap_or_else(collation::utf8mb4_bin);
    let (mut column, keys) = column_def::build(def, table_collation, cx.variables, cx.cx)?;
    if column.has_flag(flag::AUTO_INCREMENT) {
        return Err(SqlError::new(
            8200,
            format!(
                "unsupported add column '{}' constraint AUTO_INCREMENT when altering '{}'",
                column.name.o, info.name.o
            ),
        ));
    }
    if keys.iter().any(|k| matches!(k, ImpliedKey::Primary(_))) {
        return Err(SqlError::new(
            8200,
            format!(
                "unsupported add column '{}' constraint PRIMARY KEY when altering '{}'",
                column.name.o, info.name.o
            ),
        ));
    }
    if !keys.is_empty() {
        return Err(SqlError::new(
            8200,
            format!(
                "unsupported add column '{}' constraint UNIQUE KEY when altering '{}'",
                column.name.o, info.name.o
            ),
        ));
    }
    column_def::freeze_origin_default(&mut column, cx.cx)?;
    info.max_col_id += 1;
    column.id = info.max_col_id;
    let (kind, at, relative) = match position {
        None => (0, info.columns.len(), Value::Null),
        Some(ColumnPosition::First) => (1, 0, Value::Null),
        Some(ColumnPosition::After(after)) => {
            let at = position_of(info, &after.name)
                .ok_or_else(|| SqlError::unknown_column(&after.name, &info.name.o))?;
            let empty = CIStr::default();
            let name = CIStr::new(after.name.clone());
            (2, at + 1, json!({ "Schema": empty, "Table": empty, "Name": name }))
        }
    };
    column.offset = i64::try_from(at).unwrap_or(i64::MAX);
    let mut queued = column.clone();
    queued.state = SchemaState::DELETE_ONLY;
    info.columns.insert(at, column);
    renumber(info);
    let raw_args = json!({ "column_info": queued, "position": { "Tp": kind, "RelativeColumn": relative } });
    Ok(vec![Step::new(ActionType::ADD_COLUMN, raw_args)])
}

fn drop_column(
    cx: &DdlContext<'_>,
    info: &mut TableInfo,
    name: &ColumnName,
    if_exists: bool,
) -> Result<Vec<Step>> {
    let Some(at) = position_of(info, &name.name) else {
        let error = SqlError::new(1091, format!("Can't DROP '{}'; check that column/key exists", name.name));
        if if_exists {
            cx.note(&error);
            return Ok(Vec::new());
        }
        return Err(error);
    };
    let lower_name = lower(&name.name);
    let primary = info.columns.get(at).is_some_and(ColumnInfo::is_primary_key);
    if primary {
        return Err(SqlError::new(8200, format!("Unsupported drop primary key column '{}'", name.name)));
    }
    let covers = |i: &&tidb_schema::IndexInfo| i.columns.iter().any(|c| c.name.l == lower_name);
    if let Some(index) = info.indices.iter().filter(covers).find(|i| i.columns.len() > 1) {
        return Err(SqlError::new(
            8200,
            format!(
                "can't drop column {} with composite index covered or Primary Key covered now: {}",
                name.name, index.name.o
            ),
        ));
    }
    info.indices.retain(|i| !i.columns.iter().any(|c| c.name.l == lower_name));
    info.columns.remove(at);
    renumber(info);
    let named = ColumnInfo { name: CIStr::new(name.name.clone()), ..ColumnInfo::default() };
    Ok(vec![Step::removal(ActionType::DROP_COLUMN, json!({ "column_info": named }))])
}

fn add_key(cx: &DdlContext<'_>, info: &mut TableInfo, constraint: &TableConstraint) -> Result<Option<Step>> {
    let key = KeyDef::from_constraint(constraint)?;
    if key.primary {
        return Err(SqlError::unsupported("ALTER TABLE ADD PRIMARY KEY"));
    }
    let if_not_exists = matches!(
        constraint,
        TableConstraint::Unique { if_not_exists: true, .. }
            | TableConstraint::Index { if_not_exists: true, .. }
    );
    let index = match table_def::build_index(info, &key) {
        Err(error) if error.code == 1061 && if_not_exists => {
            cx.note(&error);
            return Ok(None);
        }
        other => other?,
    };
    table_def::push_index(info, index);
    let id = info.max_idx_id;
    let empty = CIStr::default();
    let raw_args =
        json!({ "index_args": [{ "index_name": empty, "index_part_specifications": null, "index_id": id }] });
    Ok(Some(Step { backfill: vec![id], ..Step::new(ActionType::ADD_INDEX, raw_args) }))
}

fn drop_index(
    cx: &DdlContext<'_>,
    info: &mut TableInfo,
    name: &str,
    if_exists: bool,
) -> Result<Option<Step>> {
    let lower_name = lower(name);
    let Some(at) = info.indices.iter().position(|i| i.name.l == lower_name) else {
        let error = SqlError::new(1091, format!("index {name} doesn't exist"));
        if if_exists {
            cx.note(&error);
            return Ok(None);
        }
        return Err(error);
    };
    if info.indices.get(at).is_some_and(|i| i.primary) {
        return Err(SqlError::unsupported("ALTER TABLE DROP PRIMARY KEY"));
    }
    let index = info.indices.remove(at);
    refresh_key_flags(info);
    let raw_args = json!({ "index_args": [{ "index_name": index.name, "index_part_specifications": null, "index_id": index.id }] });
    Ok(Some(Step::removal(ActionType::DROP_INDEX, raw_args)))
}

/// Sets the flags by which columns tell that keys lead with them.
fn refresh_key_flags(info: &mut TableInfo) {
    for column in &mut info.columns {
        column.field_type.flag &= !(flag::UNIQUE_KEY | flag::MULTIPLE_KEY);
    }
    let leads: Vec<(usize, u32)> = info
        .indices
        .iter()
        .filter(|i| !i.primary)
        .filter_map(|i| {
            let bit = if i.unique && i.columns.len() == 1 { flag::UNIQUE_KEY } else { flag::MULTIPLE_KEY };
            Some((i.columns.first()?.position()?, bit))
        })
        .collect();
    for (at, bit) in leads {
        if let Some(column) = info.columns.get_mut(at) {
            column.field_type.flag |= bit;
        }
    }
}

fn rename_index(info: &mut TableInfo, old: &str, new: &str) -> Result<Step> {
    let (old_lower, new_lower) = (lower(old), lower(new));
    if info.indices.iter().any(|i| i.name.l == new_lower && old_lower != new_lower) {
        return Err(SqlError::new(1061, format!("Duplicate key name '{new}'")));
    }
    let index = info.indices.iter_mut().find(|i| i.name.l == old_lower).ok_or_else(|| {
        SqlError::new(1176, format!("Key '{old}' doesn't exist in table '{}'", info.name.o))
    })?;
    index.name = CIStr::new(new);
    let part = |name: &str| json!({ "index_name": CIStr::new(name), "index_part_specifications": null });
    Ok(Step::new(ActionType::RENAME_INDEX, json!({ "index_args": [part(old), part(new)] })))
}

fn rename_column(info: &mut TableInfo, old: &ColumnName, new: &ColumnName) -> Result<Step> {
    let at = position_of(info, &old.name).ok_or_else(|| SqlError::unknown_column(&old.name, &info.name.o))?;
    if position_of(info, &new.name).is_some_and(|other| other != at) {
        return Err(SqlError::new(1060, format!("Duplicate column name '{}'", new.name)));
    }
    column_def::check_name(&new.name, 1166, "column")?;
    let name = CIStr::new(new.name.clone());
    let old_lower = lower(&old.name);
    for part in info.indices.iter_mut().flat_map(|i| i.columns.iter_mut()).filter(|p| p.name.l == old_lower) {
        part.name = name.clone();
    }
    let mut column = ColumnInfo::default();
    if let Some(found) = info.columns.get_mut(at) {
        found.name = name;
        column = found.clone();
    }
    let raw_args = json!({ "column": column, "old_column_name": CIStr::new(old.name.clone()) });
    Ok(Step::new(ActionType::MODIFY_COLUMN, raw_args))
}

fn change_default(
    cx: &DdlContext<'_>,
    info: &mut TableInfo,
    name: &ColumnName,
    default: &AlterColumnDefault,
) -> Result<Step> {
    let at =
        position_of(info, &name.name).ok_or_else(|| SqlError::unknown_column(&name.name, &info.name.o))?;
    let Some(column) = info.columns.get_mut(at) else {
        return Err(SqlError::unknown_column(&name.name, &info.name.o));
    };
    match default {
        AlterColumnDefault::Set(expr) => column_def::set_default(column, expr, cx.variables, cx.cx)?,
        AlterColumnDefault::Drop => {
            column.default = Value::Null;
            column.default_bit = None;
            column.field_type.flag |= flag::NO_DEFAULT_VALUE;
        }
    }
    Ok(Step::new(ActionType::SET_DEFAULT_VALUE, json!({ "column_info": column })))
}

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
