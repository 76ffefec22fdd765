//! A table as row readers and writers use it.

use tidb_codec::field::flag;
use tidb_schema::{ColumnInfo, DbInfo, IndexInfo, TableInfo};

use tidb_expr::ResultType;

/// What identifies a row in its record key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HandleKind {
    /// A hidden number given to each row.
    RowId,
    /// The value of an integer column, by position.
    Int(usize),
    /// The encoded columns of the primary key, the index at this position of [`Table::indices`].
    Common(usize),
}

/// A column that statements see.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    /// As stored in the schema.
    pub(crate) info: ColumnInfo,
    /// Type in expressions.
    pub(crate) ty: ResultType,
}

impl Column {
    /// Name as typed at creation.
    pub(crate) fn name(&self) -> &str {
        &self.info.name.o
    }

    /// Whether NULL is refused.
    pub(crate) fn is_not_null(&self) -> bool {
        self.info.is_not_null()
    }

    /// Whether missing values are numbered.
    pub(crate) fn is_auto_increment(&self) -> bool {
        self.info.has_flag(flag::AUTO_INCREMENT)
    }
}

/// A key of a table.
#[derive(Debug, Clone)]
pub(crate) struct Index {
    /// As stored in the schema.
    pub(crate) info: IndexInfo,
    /// For each key column: its position in [`Table::columns`] and the indexed prefix in characters, if not whole.
    pub(crate) columns: Vec<(usize, Option<usize>)>,
}

/// A table with everything derived from its description.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    /// Its database.
    pub(crate) db: DbInfo,
    /// As stored in the schema.
    pub(crate) info: TableInfo,
    /// Public columns in order: rows are laid out so.
    pub(crate) columns: Vec<Column>,
    /// Public keys.
    pub(crate) indices: Vec<Index>,
    /// What rows are stored under.
    pub(crate) handle: HandleKind,
}

impl Table {
    /// Derives the table from its description.
    pub(crate) fn new(db: DbInfo, info: TableInfo) -> Self {
        let columns: Vec<Column> = info
            .columns
            .iter()
            .filter(|c| c.state.is_public())
            .map(|c| Column { ty: ResultType::of_column(&c.field_type), info: c.clone() })
            .collect();
        let indices: Vec<Index> = info
            .indices
            .iter()
            .filter(|i| i.state.is_public())
            .map(|i| Index { columns: key_columns(i, &columns), info: i.clone() })
            .collect();
        let handle = if info.pk_is_handle {
            columns.iter().position(|c| c.info.is_primary_key()).map_or(HandleKind::RowId, HandleKind::Int)
        } else if info.is_common_handle {
            indices.iter().position(|i| i.info.primary).map_or(HandleKind::RowId, HandleKind::Common)
        } else {
            HandleKind::RowId
        };
        Self { db, info, columns, indices, handle }
    }

    /// Name as typed at creation.
    pub(crate) fn name(&self) -> &str {
        &self.info.name.o
    }

    /// Position of a column, by name in any case.
    pub(crate) fn column_position(&self, name: &str) -> Option<usize> {
        let lower = super::lower(name);
        self.columns.iter().position(|c| c.info.name.l == lower)
    }

    /// The column that numbers itself.
    pub(crate) fn auto_increment(&self) -> Option<usize> {
        self.columns.iter().position(Column::is_auto_increment)
    }

    /// The keys that have entries of their own: all but a clustered primary key.
    pub(crate) fn stored_indices(&self) -> impl Iterator<Item = &Index> {
        self.indices.iter().filter(|i| !(self.info.is_common_handle && i.info.primary))
    }

    /// Name of a key in messages about duplicates: `table.key`.
    pub(crate) fn key_name(&self, index: Option<&Index>) -> String {
        format!("{}.{}", self.name(), index.map_or("PRIMARY", |i| i.info.name.o.as_str()))
    }

    /// A view or sequence has no rows of its own.
    pub(crate) fn is_base_table(&self) -> bool {
        !self.info.is_view() && !self.info.is_sequence()
    }
}

/// Positions of a key's columns among the public ones.
fn key_columns(index: &IndexInfo, columns: &[Column]) -> Vec<(usize, Option<usize>)> {
    index
        .columns
        .iter()
        .filter_map(|key| {
            let at = columns.iter().position(|c| c.info.name.l == key.name.l)?;
            Some((at, usize::try_from(key.length).ok()))
        })
        .collect()
}
