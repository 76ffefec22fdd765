//! What parsing and restoring can fail with.

use thiserror::Error;

/// MySQL's code of a syntax error.
const ER_PARSE_ERROR: u16 = 1064;
/// MySQL's code of an empty query.
const ER_EMPTY_QUERY: u16 = 1065;

/// Bytes of the offending text that a syntax error quotes (as TiDB limits it).
pub(crate) const NEAR_LIMIT: usize = 2048;

/// SQL text that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParseError {
    /// The text violates the grammar.
    #[error(
        "You have an error in your SQL syntax; check the manual that corresponds to your TiDB version for the right \
         syntax to use line {line} column {column} near \"{near}\"{detail}"
    )]
    Syntax {
        /// Line of the offending token's end, from 1.
        line: usize,
        /// Column of the offending token's end in characters.
        column: usize,
        /// The text from the offending token on, at most 2048 bytes.
        near: String,
        /// What is wrong in more words: empty, or a text that starts with a space.
        detail: String,
        /// Byte offset of the offending token in the text.
        offset: usize,
    },
    /// Nested deeper than the parser follows.
    #[error("SQL statement is nested more than {limit} levels deep")]
    TooDeep {
        /// The limit in levels.
        limit: usize,
    },
    /// A statement was expected, the text holds none.
    #[error("Query was empty")]
    Empty,
}

impl ParseError {
    /// The MySQL error code that a server sends with this error.
    pub fn code(&self) -> u16 {
        match self {
            Self::Syntax { .. } | Self::TooDeep { .. } => ER_PARSE_ERROR,
            Self::Empty => ER_EMPTY_QUERY,
        }
    }

    /// The SQLSTATE that a server sends with this error.
    pub fn sql_state(&self) -> &'static str {
        "42000"
    }
}

/// A node that has no canonical text here.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RestoreError {
    /// An expression or query form that TiDB's grammar does not have.
    #[error("no canonical form for {0}")]
    Unsupported(String),
}
