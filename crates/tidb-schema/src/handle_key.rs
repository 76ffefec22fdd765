//! The columns that identify a row: they key partition dispatch and reduced messages, and decide eligibility.

use tidb_codec::field::flag;

use crate::{ColumnInfo, IndexInfo, TableInfo};

/// Where a handle key comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandleKeyKind {
    /// The integer primary key that is the row's handle.
    IntHandle,
    /// The clustered primary key, encoded as the row's handle.
    CommonHandle,
    /// A primary key that is a separate index.
    PrimaryIndex,
    /// A unique index over NOT NULL columns.
    UniqueIndex,
    /// There is none: the table is replicated only on request.
    None,
}

/// The handle key of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandleKey {
    /// Where it comes from.
    pub kind: HandleKeyKind,
    /// Positions in [`TableInfo::columns`], in key order.
    pub columns: Vec<usize>,
}

impl HandleKey {
    /// Whether the table has no handle key.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Whether the column at `position` of the table belongs to the key.
    pub fn contains(&self, position: usize) -> bool {
        self.columns.contains(&position)
    }
}

/// Chooses the handle key of `table`.
pub(crate) fn of(table: &TableInfo) -> HandleKey {
    if table.pk_is_handle {
        let position = table.columns.iter().position(|column| column.has_flag(flag::PRI_KEY));
        if let Some(position) = position {
            return HandleKey { kind: HandleKeyKind::IntHandle, columns: vec![position] };
        }
    }
    let primary = table.indices.iter().find(|index| index.primary && index.state.is_public());
    if let Some(columns) = primary.and_then(|index| positions(table, index)) {
        let kind =
            if table.is_common_handle { HandleKeyKind::CommonHandle } else { HandleKeyKind::PrimaryIndex };
        return HandleKey { kind, columns };
    }
    let unique = table
        .indices
        .iter()
        .filter(|index| index.unique && !index.primary && index.state.is_public())
        .filter_map(|index| Some((index.columns.len(), index.id, not_null_positions(table, index)?)))
        .min();
    match unique {
        Some((_, _, columns)) => HandleKey { kind: HandleKeyKind::UniqueIndex, columns },
        None => HandleKey { kind: HandleKeyKind::None, columns: Vec::new() },
    }
}

/// Positions of the index's columns in the table; `None` if the index is empty or points nowhere.
pub(crate) fn positions(table: &TableInfo, index: &IndexInfo) -> Option<Vec<usize>> {
    let columns: Option<Vec<usize>> = index
        .columns
        .iter()
        .map(|column| column.position().filter(|position| *position < table.columns.len()))
        .collect();
    columns.filter(|columns| !columns.is_empty())
}

/// The same, if every column is stored and refuses NULL.
fn not_null_positions(table: &TableInfo, index: &IndexInfo) -> Option<Vec<usize>> {
    let columns = positions(table, index)?;
    let usable =
        |column: &ColumnInfo| column.is_not_null() && column.state.is_public() && !column.is_virtual();
    columns.iter().all(|position| table.columns.get(*position).is_some_and(usable)).then_some(columns)
}

#[cfg(test)]
mod tests {
    use tidb_codec::field::flag;

    use super::*;
    use crate::{CIStr, IndexColumn, SchemaState};

    fn column(name: &str, flags: u32) -> ColumnInfo {
        let mut column =
            ColumnInfo { name: CIStr::new(name), state: SchemaState::PUBLIC, ..ColumnInfo::default() };
        column.field_type.flag = flags;
        column
    }

    fn unique(id: i64, offsets: &[i64]) -> IndexInfo {
        IndexInfo {
            id,
            unique: true,
            state: SchemaState::PUBLIC,
            columns: offsets
                .iter()
                .map(|offset| IndexColumn {
                    offset: *offset,
                    length: IndexColumn::WHOLE,
                    ..Default::default()
                })
                .collect(),
            ..IndexInfo::default()
        }
    }

    fn table(columns: Vec<ColumnInfo>, indices: Vec<IndexInfo>) -> TableInfo {
        TableInfo { columns, indices, state: SchemaState::PUBLIC, ..TableInfo::default() }
    }

    #[test]
    fn integer_primary_key_wins() {
        let mut t = table(
            vec![column("a", flag::NOT_NULL), column("b", flag::PRI_KEY | flag::NOT_NULL)],
            vec![unique(1, &[0])],
        );
        t.pk_is_handle = true;
        assert_eq!(t.handle_key(), HandleKey { kind: HandleKeyKind::IntHandle, columns: vec![1] });
    }

    #[test]
    fn shortest_then_oldest_unique_index_is_chosen() {
        let columns =
            || vec![column("a", flag::NOT_NULL), column("b", flag::NOT_NULL), column("c", flag::NOT_NULL)];
        let t = table(columns(), vec![unique(1, &[0, 1]), unique(3, &[2]), unique(2, &[1])]);
        assert_eq!(t.handle_key().columns, vec![1]);
        assert!(t.is_eligible(false));
    }

    #[test]
    fn nullable_virtual_or_non_public_columns_disqualify() {
        let mut generated = column("v", flag::NOT_NULL);
        generated.generated_expr_string = "a+1".to_owned();
        let mut hidden = column("h", flag::NOT_NULL);
        hidden.state = SchemaState::WRITE_ONLY;
        let t = table(
            vec![column("n", 0), generated, hidden],
            vec![unique(1, &[0]), unique(2, &[1]), unique(3, &[2])],
        );
        assert!(t.handle_key().is_empty());
        assert!(!t.is_eligible(false));
        assert!(t.is_eligible(true));
    }

    #[test]
    fn index_under_construction_does_not_count() {
        let mut index = unique(1, &[0]);
        index.state = SchemaState::WRITE_REORGANIZATION;
        assert!(table(vec![column("a", flag::NOT_NULL)], vec![index]).handle_key().is_empty());
    }
}
