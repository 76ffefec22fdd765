//! What can be wrong with bytes or text.

use crate::redact::Sensitive;

/// Why bytes could not be decoded, or a value could not be encoded or parsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The input ended inside an item.
    #[error("{what} is cut short: needs {needed} bytes, has {have}")]
    Truncated {
        /// The item being read.
        what: &'static str,
        /// Bytes the item needs.
        needed: usize,
        /// Bytes that were left.
        have: usize,
    },
    /// The bytes contradict the format.
    #[error("{what} is malformed: {reason}")]
    Malformed {
        /// The item being read.
        what: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A flag, type code or marker byte that the format does not define.
    #[error("{what} has the unknown code {code:#04x}")]
    UnknownCode {
        /// The item being read.
        what: &'static str,
        /// The byte found.
        code: u8,
    },
    /// Bytes were left after the last item.
    #[error("{what} is followed by {len} surplus bytes")]
    Surplus {
        /// The item that should have been the last.
        what: &'static str,
        /// How many bytes were left.
        len: usize,
    },
    /// Text that is no value of its type (MySQL's "Incorrect … value").
    #[error("Incorrect {kind} value: '{}'", Sensitive(.text))]
    IncorrectValue {
        /// SQL name of the type, lower case.
        kind: &'static str,
        /// The offending text.
        text: String,
    },
    /// A value outside the range of its type.
    #[error("{kind} value is out of range: '{}'", Sensitive(.value))]
    OutOfRange {
        /// The type whose range is exceeded.
        kind: &'static str,
        /// The value as text.
        value: String,
    },
    /// Division or remainder by zero.
    #[error("Division by 0")]
    DivisionByZero,
    /// JSON text with a syntax error.
    #[error("Invalid JSON text: {reason} at position {position}")]
    InvalidJsonText {
        /// What was expected or found.
        reason: &'static str,
        /// Byte offset of the error.
        position: usize,
    },
    /// JSON nested deeper than MySQL and TiDB allow.
    #[error("The JSON document exceeds the maximum depth of {limit} levels")]
    JsonTooDeep {
        /// The limit.
        limit: usize,
    },
    /// No sort keys can be made for this collation.
    #[error("collation '{0}' is not supported in keys")]
    UnsupportedCollation(String),
    /// A column type this crate cannot encode or decode.
    #[error("column type code {0} is not supported")]
    UnsupportedType(u8),
    /// The value is of another kind than the place requires.
    #[error("a {expected} is required, found a {found}")]
    KindMismatch {
        /// Required kind.
        expected: &'static str,
        /// Kind of the given value.
        found: &'static str,
    },
    /// A row checksum that does not match its row.
    #[error("row checksum mismatch: stored {stored:#010x}, computed {computed:#010x}")]
    ChecksumMismatch {
        /// Checksum in the row.
        stored: u32,
        /// Checksum of the row's content.
        computed: u32,
    },
}
