//! From `CREATE TABLE` to a table description as stored.

mod index;
mod key_def;

use tidb_codec::field::flag;
use tidb_schema::{CIStr, ColumnInfo, DbInfo, SchemaState, TableInfo};
use tidb_sql::ddl::{ColumnDef, CreateTable, CreateTableSource, TableOption};

use super::column_def;
use super::column_type::pick_collation;
use index::add_keys;
use tidb_expr::EvalContext;
use tidb_expr::bind::Variables;
use tidb_expr::collation::{self, Collation};
use tidb_expr::{Result, SqlError};

pub(crate) use index::{build_index, push_index};
pub(crate) use key_def::KeyDef;

/// Most columns of a table.
const MAX_COLUMNS: usize = 1017;

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

/// Adds a column at the end; keys that its options ask for are added to `keys`.
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
