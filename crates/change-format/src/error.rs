//! Why a change cannot be encoded.

use std::fmt;

use thiserror::Error;
use tidb_codec::{CodecError, Sensitive};

/// A table and, where it is known, a row of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowPlace {
    /// Database.
    pub schema: String,
    /// Table.
    pub table: String,
    /// The row; absent if the error is about the table.
    pub row: Option<ChangedRow>,
}

/// A change of a row, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedRow {
    /// The handle: an integer, the values of a clustered key, or what the key holds in hexadecimal digits.
    pub handle: String,
    /// Commit timestamp of the change.
    pub commit_ts: u64,
}

impl fmt::Display for RowPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.table)?;
        match &self.row {
            Some(row) => write!(f, " (handle {}, commit-ts {})", Sensitive(&row.handle), row.commit_ts),
            None => Ok(()),
        }
    }
}

/// A change that cannot be encoded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// A message can't be compressed.
    #[error("a message cannot be compressed with {codec}: {reason}")]
    Compression {
        /// Codec.
        codec: &'static str,
        /// What it says.
        reason: String,
    },
    /// A stored value is not of its column's form.
    #[error("column {column} of {place} cannot be read")]
    Column {
        /// Table and row.
        place: Box<RowPlace>,
        /// Column.
        column: String,
        /// What is wrong.
        source: CodecError,
    },
    /// A stored row or its key is malformed.
    #[error("a row of {place} cannot be read")]
    Row {
        /// Table and row.
        place: Box<RowPlace>,
        /// What is wrong.
        source: CodecError,
    },
    /// A row is not the one that its checksum was made of.
    #[error("the row {image} a change of {place} is corrupted")]
    Corrupted {
        /// Table and row.
        place: Box<RowPlace>,
        /// `before` or `after`.
        image: &'static str,
        /// What is wrong.
        source: CodecError,
    },
    /// No column is left to send.
    #[error("no column of {schema}.{table} is selected")]
    NoColumns {
        /// Database.
        schema: String,
        /// Table.
        table: String,
    },
    /// The message is larger than the limit, in every form that the settings allow.
    #[error("message is too large. table:{schema}.{table}, length:{length}, maxMessageBytes:{max}")]
    TooLarge {
        /// Database.
        schema: String,
        /// Table.
        table: String,
        /// Length of the record.
        length: usize,
        /// The limit.
        max: usize,
    },
    /// A dispatch rule names an index or column that the table does not have, or one it cannot use.
    #[error("{schema}.{table} cannot be dispatched by {what}: {reason}")]
    Dispatch {
        /// Database.
        schema: String,
        /// Table.
        table: String,
        /// The index or column.
        what: String,
        /// Why not.
        reason: &'static str,
    },
}

impl EncodeError {
    /// The error, about this row.
    pub(crate) fn in_row(mut self, row: impl FnOnce() -> ChangedRow) -> Self {
        if let Self::Column { place, .. } | Self::Row { place, .. } | Self::Corrupted { place, .. } =
            &mut self
        {
            place.row.get_or_insert_with(row);
        }
        self
    }

    /// The message with those of all causes.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}
