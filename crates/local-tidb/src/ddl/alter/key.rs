//! Adding, dropping and renaming keys.

use serde_json::json;
use tidb_codec::field::flag;
use tidb_schema::{ActionType, CIStr, TableInfo};
use tidb_sql::ddl::TableConstraint;

use super::Step;
use crate::catalog::lower;
use crate::ddl::DdlContext;
use crate::ddl::table_def::{self, KeyDef};
use tidb_expr::{Result, SqlError};

/// `ADD INDEX`, `ADD UNIQUE`; nothing where `IF NOT EXISTS` finds it.
///
/// # Errors
/// As [`table_def::build_index`]; primary keys.
pub(super) fn add_key(
    cx: &DdlContext<'_>,
    info: &mut TableInfo,
    constraint: &TableConstraint,
) -> Result<Option<Step>> {
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

/// `DROP INDEX`; nothing where `IF EXISTS` does not find it.
///
/// # Errors
/// 1091; the primary key.
pub(super) fn drop_index(
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

/// `RENAME INDEX`.
///
/// # Errors
/// 1061, 1176.
pub(super) fn rename_index(info: &mut TableInfo, old: &str, new: &str) -> Result<Step> {
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
