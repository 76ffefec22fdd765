//! Keys as table descriptions hold them.

use tidb_codec::field::{FieldType, flag, tp};
use tidb_schema::{CIStr, ColumnInfo, IndexColumn, IndexInfo, IndexType, SchemaState, TableInfo};
use tidb_sql::ddl::PrimaryKeyKind;

use super::key_def::KeyDef;
use crate::catalog::lower;
use crate::ddl::column_def;
use tidb_expr::collation;
use tidb_expr::{Result, SqlError};

/// Longest key in bytes.
const MAX_KEY_BYTES: i64 = 3072;

/// Adds keys in order: the clustered one first decides how rows are stored.
///
/// # Errors
/// 1068, 1061, 1072, 1170, 1071 …
pub(super) fn add_keys(info: &mut TableInfo, keys: Vec<KeyDef>) -> Result<()> {
    if keys.iter().filter(|k| k.primary).count() > 1 {
        return Err(SqlError::new(1068, "Multiple primary key defined"));
    }
    for key in keys {
        if key.primary {
            add_primary(info, &key)?;
        } else {
            let index = build_index(info, &key)?;
            push_index(info, index);
        }
    }
    Ok(())
}

/// Adds the primary key: clustered unless asked otherwise, and then the handle of the rows.
fn add_primary(info: &mut TableInfo, key: &KeyDef) -> Result<()> {
    let mut index = build_index(info, key)?;
    for part in &index.columns {
        if let Some(column) = column_at(info, part) {
            column.field_type.flag |= flag::PRI_KEY | flag::NOT_NULL;
            column_def::mark_missing_default(column);
        }
    }
    let clustered = key.kind != Some(PrimaryKeyKind::NonClustered);
    if clustered
        && let [part] = index.columns.as_slice()
        && column_at(info, part).is_some_and(|c| c.field_type.is_integer() && c.field_type.tp != tp::YEAR)
    {
        info.pk_is_handle = true;
        return Ok(());
    }
    if clustered {
        info.is_common_handle = true;
        info.common_handle_version = 1;
    }
    info.max_idx_id += 1;
    index.id = info.max_idx_id;
    info.indices.push(index);
    Ok(())
}

/// The column of a key part.
fn column_at<'a>(info: &'a mut TableInfo, part: &IndexColumn) -> Option<&'a mut ColumnInfo> {
    part.position().and_then(|at| info.columns.get_mut(at))
}

/// Adds a secondary index with the flags that its columns get from it.
pub(crate) fn push_index(info: &mut TableInfo, mut index: IndexInfo) {
    info.max_idx_id += 1;
    index.id = info.max_idx_id;
    let bit = if index.unique && index.columns.len() == 1 { flag::UNIQUE_KEY } else { flag::MULTIPLE_KEY };
    let first = index.columns.first().cloned();
    if let Some(column) = first.as_ref().and_then(|part| column_at(info, part)) {
        column.field_type.flag |= bit;
    }
    info.indices.push(index);
}

/// Builds an index of a table, without its id.
///
/// # Errors
/// 1072, 1170, 1071, 1061, 1060.
pub(crate) fn build_index(info: &TableInfo, key: &KeyDef) -> Result<IndexInfo> {
    let mut columns: Vec<IndexColumn> = Vec::new();
    let mut total = 0;
    for (name, length) in &key.parts {
        let wanted = lower(name);
        let column = info
            .columns
            .iter()
            .find(|c| c.name.l == wanted)
            .ok_or_else(|| SqlError::new(1072, format!("Key column '{name}' doesn't exist in table")))?;
        if columns.iter().any(|c| c.name.l == wanted) {
            return Err(SqlError::new(1060, format!("Duplicate column name '{name}'")));
        }
        let length = prefix_length(column, *length)?;
        total += part_bytes(&column.field_type, length);
        columns.push(IndexColumn { name: column.name.clone(), offset: column.offset, length });
    }
    if total > MAX_KEY_BYTES {
        return Err(SqlError::new(
            1071,
            format!("Specified key was too long ({total} bytes); max key length is {MAX_KEY_BYTES} bytes"),
        ));
    }
    let name = index_name(info, key)?;
    Ok(IndexInfo {
        name: CIStr::new(name),
        columns,
        state: SchemaState::PUBLIC,
        comment: key.comment.clone(),
        tp: IndexType::BTREE,
        unique: key.unique,
        primary: key.primary,
        invisible: key.invisible,
        ..IndexInfo::default()
    })
}

/// The indexed prefix of a column, −1 for all of it.
fn prefix_length(column: &ColumnInfo, length: Option<u64>) -> Result<i64> {
    let field = &column.field_type;
    if field.tp == tp::JSON {
        return Err(SqlError::new(
            3152,
            format!("JSON column '{}' cannot be used in key specification.", column.name.o),
        ));
    }
    let Some(length) = length else {
        if field.is_blob() {
            return Err(SqlError::new(
                1170,
                format!(
                    "BLOB/TEXT column '{}' used in key specification without a key length",
                    column.name.o
                ),
            ));
        }
        return Ok(IndexColumn::WHOLE);
    };
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    if length == 0 {
        return Err(SqlError::new(1391, format!("Key part '{}' length cannot be 0", column.name.o)));
    }
    let too_long = !field.is_string() || !field.is_blob() && length > field.flen;
    if too_long {
        return Err(SqlError::new(
            1089,
            "Incorrect prefix key; the used key part isn't a string, the used length is longer than the key part, or the storage engine doesn't support unique prefix keys",
        ));
    }
    // A prefix as long as the column is the whole column.
    Ok(if length == field.flen && !field.is_blob() { IndexColumn::WHOLE } else { length })
}

/// Bytes that a column takes in a key.
fn part_bytes(field: &FieldType, length: i64) -> i64 {
    if field.is_string() {
        let characters = if length == IndexColumn::WHOLE { field.flen } else { length };
        return characters.saturating_mul(i64::from(collation::max_char_bytes(&field.charset)));
    }
    match field.tp {
        tp::TINY | tp::YEAR => 1,
        tp::SHORT => 2,
        tp::INT24 | tp::DATE => 3,
        tp::LONG | tp::FLOAT => 4,
        tp::NEW_DECIMAL => field.flen / 9 * 4 + 4,
        _ => 8,
    }
}

/// The name of an index: as given, or that of its first column, with a number if taken.
fn index_name(info: &TableInfo, key: &KeyDef) -> Result<String> {
    let taken = |name: &str| {
        let wanted = lower(name);
        info.indices.iter().any(|i| i.name.l == wanted)
    };
    if key.primary {
        return Ok("PRIMARY".to_owned());
    }
    if let Some(name) = &key.name {
        column_def::check_name(name, 1280, "index")?;
        if name.eq_ignore_ascii_case("PRIMARY") {
            return Err(SqlError::new(1280, format!("Incorrect index name '{name}'")));
        }
        return if taken(name) {
            Err(SqlError::new(1061, format!("Duplicate key name '{name}'")))
        } else {
            Ok(name.clone())
        };
    }
    let first = key.parts.first().map(|(name, _)| name.clone()).unwrap_or_default();
    let mut name = first.clone();
    let mut number = 2;
    while taken(&name) || name.eq_ignore_ascii_case("PRIMARY") {
        name = format!("{first}_{number}");
        number += 1;
    }
    Ok(name)
}
