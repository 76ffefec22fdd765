//! Hashes of rows by the values of columns, for partition dispatch.

use tidb_schema::TableVersion;

use crate::{CanalEncoder, EncodeError, PartitionHash, RowChange};

/// Columns whose values choose the partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DispatchColumns {
    /// Positions in the encoder's list of templates, in the order of the rule.
    columns: Vec<usize>,
}

impl CanalEncoder {
    /// The hash of rules `default` and `table`: the same for every row.
    pub fn table_hash(&self) -> PartitionHash {
        self.table_hash
    }

    /// The columns of rule `index-value`: those of the handle key, none without one.
    pub fn handle_key_columns(&self, version: &TableVersion) -> DispatchColumns {
        let mut columns: Vec<usize> =
            version.handle_key.columns.iter().filter_map(|position| self.template_at(*position)).collect();
        columns.sort_unstable();
        DispatchColumns { columns }
    }

    /// The columns of rule `index-value` with a named index, in index order.
    ///
    /// # Errors
    /// If the table has no such index, or it is not unique.
    pub fn index_columns(&self, version: &TableVersion, index: &str) -> Result<DispatchColumns, EncodeError> {
        let lower = index.to_lowercase();
        if version.info.pk_is_handle && lower == "primary" {
            return Ok(self.handle_key_columns(version));
        }
        let refuse = |reason| self.table.dispatch_error(index, reason);
        let found = version.info.index(&lower).ok_or_else(|| refuse("there is no such index"))?;
        if !found.unique && !found.primary {
            return Err(refuse("the index is not unique"));
        }
        let columns = found.columns.iter().map(|part| part.position().and_then(|at| self.template_at(at)));
        let columns: Option<Vec<usize>> = columns.collect();
        columns
            .map(|columns| DispatchColumns { columns })
            .ok_or_else(|| refuse("the index has virtual columns"))
    }

    /// The columns of rule `columns`, in the order of the rule.
    ///
    /// # Errors
    /// If the table has no such column, or it is virtual.
    pub fn named_columns(
        &self,
        version: &TableVersion,
        names: &[String],
    ) -> Result<DispatchColumns, EncodeError> {
        let mut columns = Vec::with_capacity(names.len());
        for name in names {
            let lower = name.to_lowercase();
            let known = version
                .info
                .columns
                .iter()
                .position(|column| column.state.is_public() && column.name.l == lower);
            let position = known.ok_or_else(|| self.table.dispatch_error(name, "there is no such column"))?;
            let template = self.template_at(position);
            columns.push(template.ok_or_else(|| self.table.dispatch_error(name, "the column is virtual"))?);
        }
        Ok(DispatchColumns { columns })
    }

    /// The hash of a row by schema, table and the values of some columns; NULL is left out. The image after the
    /// change counts, of a DELETE the one before. `scratch` is left as it was.
    ///
    /// # Errors
    /// If the row is malformed.
    pub fn row_hash(
        &self,
        row: &RowChange<'_>,
        dispatch: &DispatchColumns,
        scratch: &mut Vec<u8>,
    ) -> Result<PartitionHash, EncodeError> {
        self.hash_columns(row, dispatch, scratch).map_err(|error| error.in_row(|| self.changed_row(row)))
    }

    /// [`CanalEncoder::row_hash`]; errors do not name the row yet.
    fn hash_columns(
        &self,
        row: &RowChange<'_>,
        dispatch: &DispatchColumns,
        scratch: &mut Vec<u8>,
    ) -> Result<PartitionHash, EncodeError> {
        let mut hash = self.table_hash;
        let Some(image) = self.latest_image(row)? else { return Ok(hash) };
        let start = scratch.len();
        for column in dispatch.columns.iter().filter_map(|at| self.columns.get(*at)) {
            let written = image
                .locate(column)
                .and_then(|value| column.write_plain(value, &self.options.time_zone, scratch));
            let text = scratch.get(start..).unwrap_or_default();
            if let Ok(true) = written {
                hash.write(&[column.name.as_bytes(), text]);
            }
            scratch.truncate(start);
            written.map_err(|source| self.table.column_error(&column.name, source))?;
        }
        Ok(hash)
    }

    /// The template of the column at `position` of the table.
    fn template_at(&self, position: usize) -> Option<usize> {
        self.positions.iter().position(|at| *at == position)
    }
}
