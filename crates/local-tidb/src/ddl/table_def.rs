//! From `CREATE TABLE` to a table description as stored.

use tidb_codec::field::{FieldType, flag, tp};
use tidb_schema::{CIStr, ColumnInfo, DbInfo, IndexColumn, IndexInfo, IndexType, SchemaState, TableInfo};
use tidb_sql::ddl::{
    ColumnDef, CreateTable, CreateTableSource, IndexColumn as KeyPart, IndexOptions, IndexPart,
    PrimaryKeyKind, TableConstraint, TableOption,
};

use super::column_def::{self, ImpliedKey};
use super::column_type::pick_collation;
use crate::collation::{self, Collation};
use crate::error::{Result, SqlError};
use crate::expr::EvalContext;
use crate::expr::bind::Variables;

/// Longest key in bytes.
const MAX_KEY_BYTES: i64 = 3072;
/// Most columns of a key.
const MAX_KEY_PARTS: usize = 16;
/// Most columns of a table.
const MAX_COLUMNS: usize = 1017;

/// A key as asked for, from column options and table constraints alike.
#[derive(Debug, Clone)]
pub(crate) struct KeyDef {
    /// Name, if given.
    pub(crate) name: Option<String>,
    /// It is the primary key.
    pub(crate) primary: bool,
    /// It is unique.
    pub(crate) unique: bool,
    /// `CLUSTERED` or `NONCLUSTERED`.
    pub(crate) kind: Option<PrimaryKeyKind>,
    /// Column names with prefix lengths.
    pub(crate) parts: Vec<(String, Option<u64>)>,
    /// Comment.
    pub(crate) comment: String,
    /// `INVISIBLE`.
    pub(crate) invisible: bool,
}

/// Columns of a key.
///
/// # Errors
/// Expressions.
pub(crate) fn key_parts(parts: &[IndexPart]) -> Result<Vec<(String, Option<u64>)>> {
    if parts.len() > MAX_KEY_PARTS {
        return Err(SqlError::new(
            1070,
            format!("Too many key parts specified; max {MAX_KEY_PARTS} parts allowed"),
        ));
    }
    parts
        .iter()
        .map(|part| match &part.column {
            KeyPart::Column { name, length } => Ok((name.name.clone(), *length)),
            KeyPart::Expr(_) => Err(SqlError::unsupported("expression indexes")),
        })
        .collect()
}

/// Options of a key that this server has.
///
/// # Errors
/// Those it does not have.
pub(crate) fn check_options(options: &IndexOptions) -> Result<()> {
    if options.global == Some(true) {
        return Err(SqlError::unsupported("GLOBAL indexes"));
    }
    if options.condition.is_some() {
        return Err(SqlError::unsupported("partial indexes"));
    }
    Ok(())
}

impl KeyDef {
    /// A key from a table constraint; `None` for constraints that TiDB ignores by default.
    ///
    /// # Errors
    /// Kinds of constraints that are not supported.
    pub(crate) fn from_constraint(constraint: &TableConstraint) -> Result<Self> {
        let (name, parts, options, primary, unique) = match constraint {
            TableConstraint::PrimaryKey { parts, options, .. } => (None, parts, options, true, true),
            TableConstraint::Unique { name, parts, options, .. } => {
                (name.clone(), parts, options, false, true)
            }
            TableConstraint::Index { name, parts, options, .. } => {
                (name.clone(), parts, options, false, false)
            }
            TableConstraint::FullText { .. } => return Err(SqlError::unsupported("FULLTEXT indexes")),
            TableConstraint::Vector { .. } => return Err(SqlError::unsupported("VECTOR indexes")),
            TableConstraint::Columnar { .. } => return Err(SqlError::unsupported("COLUMNAR indexes")),
            TableConstraint::ForeignKey(_) => return Err(SqlError::unsupported("FOREIGN KEY constraints")),
            TableConstraint::Check { .. } => return Err(SqlError::unsupported("CHECK constraints")),
        };
        let default = IndexOptions::default();
        let options = options.as_ref().unwrap_or(&default);
        check_options(options)?;
        Ok(Self {
            name,
            primary,
            unique,
            kind: options.primary_key,
            parts: key_parts(parts)?,
            comment: options.comment.clone().unwrap_or_default(),
            invisible: options.visible == Some(false),
        })
    }

    /// The key that a column's own option asks for.
    pub(crate) fn implied(column: &str, key: ImpliedKey) -> Self {
        let (primary, kind) = match key {
            ImpliedKey::Primary(kind) => (true, kind),
            ImpliedKey::Unique => (false, None),
        };
        Self {
            name: None,
            primary,
            unique: true,
            kind,
            parts: vec![(column.to_owned(), None)],
            comment: String::new(),
            invisible: false,
        }
    }
}

/// Builds a table's description; its id is given later.
///
/// # Errors
/// Whatever is wrong with columns, keys and options; unsupported parts by name.
pub(crate) fn build(
    create: &CreateTable,
    db: &DbInfo,
    variables: &dyn Variables,
    cx: &EvalContext,
) -> Result<TableInfo> {
    if create.temporary.is_some() {
        return Err(SqlError::unsupported("temporary tables"));
    }
    if create.partition.is_some() {
        return Err(SqlError::unsupported("partitioned tables"));
    }
    if !create.splits.is_empty() {
        return Err(SqlError::unsupported("SPLIT in CREATE TABLE"));
    }
    let CreateTableSource::Definition { columns, constraints, select } = &create.source else {
        return Err(SqlError::internal("CREATE TABLE LIKE has no definition"));
    };
    if select.is_some() {
        return Err(SqlError::unsupported("CREATE TABLE … SELECT"));
    }
    column_def::check_name(&create.table.name, 1103, "table")?;
    let mut info = TableInfo {
        name: CIStr::new(create.table.name.clone()),
        state: SchemaState::NONE,
        version: TableInfo::CURRENT_VERSION,
        ..TableInfo::default()
    };
    let db_collation = collation::by_name(&db.collate).unwrap_or_else(collation::utf8mb4_bin);
    let collation = apply_options(&create.options, &mut info, db_collation)?;
    info.charset = collation.charset.to_owned();
    info.collate = collation.name.to_owned();
    let mut keys = Vec::new();
    for def in columns {
        add_column(&mut info, def, collation, variables, cx, &mut keys)?;
    }
    if info.columns.is_empty() {
        return Err(SqlError::new(1113, "A table must have at least 1 column"));
    }
    if info.columns.len() > MAX_COLUMNS {
        return Err(SqlError::new(1117, "Too many columns"));
    }
    // Keys of the table get their numbers before those of column options.
    let mut all = constraints.iter().map(KeyDef::from_constraint).collect::<Result<Vec<_>>>()?;
    all.extend(keys);
    add_keys(&mut info, all)?;
    check_auto_increment(&info)?;
    Ok(info)
}

fn add_column(
    info: &mut TableInfo,
    def: &ColumnDef,
    collation: Collation,
    variables: &dyn Variables,
    cx: &EvalContext,
    keys: &mut Vec<KeyDef>,
) -> Result<()> {
    let (mut column, implied) = column_def::build(def, collation, variables, cx)?;
    if info.columns.iter().any(|c| c.name.l == column.name.l) {
        return Err(SqlError::new(1060, format!("Duplicate column name '{}'", column.name.o)));
    }
    info.max_col_id += 1;
    column.id = info.max_col_id;
    column.offset = i64::try_from(info.columns.len()).unwrap_or(i64::MAX);
    keys.extend(implied.into_iter().map(|key| KeyDef::implied(&column.name.o, key)));
    info.columns.push(column);
    Ok(())
}

/// Reads the table options; returns the table's collation.
fn apply_options(options: &[TableOption], info: &mut TableInfo, default: Collation) -> Result<Collation> {
    let (mut charset, mut collate) = (None, None);
    for option in options {
        match option {
            TableOption::Charset { charset: given, .. } => charset = given.as_deref(),
            TableOption::Collate(name) => collate = Some(name.as_str()),
            TableOption::Comment(text) => info.comment = text.clone(),
            TableOption::AutoIncrement { value, .. } => {
                info.auto_inc_id = i64::try_from(*value)
                    .map_err(|_| SqlError::unsupported("AUTO_INCREMENT above the signed range"))?;
            }
            TableOption::AutoIdCache(_) => return Err(SqlError::unsupported("AUTO_ID_CACHE")),
            TableOption::AutoRandomBase { .. } => return Err(SqlError::unsupported("AUTO_RANDOM_BASE")),
            TableOption::ShardRowIdBits(n) if *n > 0 => {
                return Err(SqlError::unsupported("SHARD_ROW_ID_BITS"));
            }
            TableOption::PreSplitRegions(n) if *n > 0 => {
                return Err(SqlError::unsupported("PRE_SPLIT_REGIONS"));
            }
            TableOption::Ttl { .. } | TableOption::TtlEnable(_) | TableOption::TtlJobInterval(_) => {
                return Err(SqlError::unsupported("TTL"));
            }
            TableOption::Placement(_) => return Err(SqlError::unsupported("placement options")),
            TableOption::Affinity(_) => return Err(SqlError::unsupported("AFFINITY")),
            TableOption::Union(_) => return Err(SqlError::unsupported("UNION tables")),
            // The rest is accepted and has no effect, as in TiDB.
            _ => {}
        }
    }
    pick_collation(charset, collate, default)
}

/// Adds keys in order: the clustered one first decides how rows are stored.
///
/// # Errors
/// 1068, 1061, 1072, 1170, 1071 …
pub(crate) fn add_keys(info: &mut TableInfo, keys: Vec<KeyDef>) -> Result<()> {
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
        let lower = crate::catalog::lower(name);
        let column = info
            .columns
            .iter()
            .find(|c| c.name.l == lower)
            .ok_or_else(|| SqlError::new(1072, format!("Key column '{name}' doesn't exist in table")))?;
        if columns.iter().any(|c| c.name.l == lower) {
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
        let lower = crate::catalog::lower(name);
        info.indices.iter().any(|i| i.name.l == lower)
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

/// There may be one AUTO_INCREMENT column, and it must lead a key.
fn check_auto_increment(info: &TableInfo) -> Result<()> {
    let autos: Vec<&ColumnInfo> = info.columns.iter().filter(|c| c.has_flag(flag::AUTO_INCREMENT)).collect();
    let wrong = || {
        SqlError::new(
            1075,
            "Incorrect table definition; there can be only one auto column and it must be defined as a key",
        )
    };
    match autos.as_slice() {
        [] => Ok(()),
        [column] => {
            let leads =
                info.indices.iter().any(|i| i.columns.first().is_some_and(|c| c.offset == column.offset));
            if leads || info.pk_is_handle && column.is_primary_key() { Ok(()) } else { Err(wrong()) }
        }
        _ => Err(wrong()),
    }
}
