//! Adding, dropping and renaming columns, changing their defaults.

use serde_json::{Value, json};
use tidb_codec::field::flag;
use tidb_schema::{ActionType, CIStr, ColumnInfo, IndexInfo, SchemaState, TableInfo};
use tidb_sql::ddl::{AlterColumnDefault, ColumnDef, ColumnName, ColumnPosition};

use super::Step;
use crate::catalog::lower;
use crate::ddl::DdlContext;
use crate::ddl::column_def::{self, ImpliedKey};
use tidb_expr::collation;
use tidb_expr::{Result, SqlError};

/// Place of a column of any case.
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

/// `ADD COLUMN`.
///
/// # Errors
/// 1060, 8200 for columns that bring a key or AUTO_INCREMENT, what is wrong with the definition.
pub(super) fn add_column(
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

/// `DROP COLUMN`; keys of this column alone go with it.
///
/// # Errors
/// 1091, 8200 for columns of the primary key or of a key of several columns.
pub(super) fn drop_column(
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
    let covers = |i: &&IndexInfo| i.columns.iter().any(|c| c.name.l == lower_name);
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

/// `RENAME COLUMN`, in keys too.
///
/// # Errors
/// 1054, 1060, 1166.
pub(super) fn rename_column(info: &mut TableInfo, old: &ColumnName, new: &ColumnName) -> Result<Step> {
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

/// `ALTER COLUMN … SET DEFAULT` and `DROP DEFAULT`.
///
/// # Errors
/// 1054, values that do not fit.
pub(super) fn change_default(
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
