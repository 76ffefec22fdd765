//! Why a change cannot be encoded.

use thiserror::Error;
use tidb_codec::CodecError;

/// A change that cannot be encoded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// A stored value is not of its column's form.
    #[error("column {column} of {schema}.{table} cannot be read")]
    Column {
        /// Database.
        schema: String,
        /// Table.
        table: String,
        /// Column.
        column: String,
        /// What is wrong.
        source: CodecError,
    },
    /// A stored row or its key is malformed.
    #[error("a row of {schema}.{table} cannot be read")]
    Row {
        /// Database.
        schema: String,
        /// Table.
        table: String,
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
