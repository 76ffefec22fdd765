//! Names of a table for errors.

use tidb_codec::CodecError;
use tidb_schema::TableVersion;

use crate::{EncodeError, RowPlace};

/// Database and table.
#[derive(Debug, Clone)]
pub(crate) struct TableNames {
    schema: String,
    table: String,
}

impl TableNames {
    /// The names of a table version.
    pub(crate) fn of(version: &TableVersion) -> Self {
        Self { schema: version.schema_name().to_owned(), table: version.table_name().to_owned() }
    }

    /// An error about a table of which nothing is sent.
    pub(crate) fn no_columns(&self) -> EncodeError {
        EncodeError::NoColumns { schema: self.schema.clone(), table: self.table.clone() }
    }

    /// An error about a record of this length.
    pub(crate) fn too_large(&self, length: usize, max: usize) -> EncodeError {
        EncodeError::TooLarge { schema: self.schema.clone(), table: self.table.clone(), length, max }
    }

    /// The table without a row.
    fn place(&self) -> Box<RowPlace> {
        Box::new(RowPlace { schema: self.schema.clone(), table: self.table.clone(), row: None })
    }

    /// An error about a column.
    pub(crate) fn column_error(&self, column: &str, source: CodecError) -> EncodeError {
        EncodeError::Column { place: self.place(), column: column.to_owned(), source }
    }

    /// An error about a row.
    pub(crate) fn row_error(&self, source: CodecError) -> EncodeError {
        EncodeError::Row { place: self.place(), source }
    }

    /// An error about a row `before` or `after` a change that is not the one that its checksum was made of.
    pub(crate) fn corrupted(&self, image: &'static str, source: CodecError) -> EncodeError {
        EncodeError::Corrupted { place: self.place(), image, source }
    }

    /// An error about a dispatch rule.
    pub(crate) fn dispatch_error(&self, what: &str, reason: &'static str) -> EncodeError {
        let (schema, table) = (self.schema.clone(), self.table.clone());
        EncodeError::Dispatch { schema, table, what: what.to_owned(), reason }
    }
}
