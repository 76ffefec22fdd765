//! Sequences.

use serde::{Deserialize, Serialize};

/// A sequence: a table entry without rows that consumers care for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SequenceInfo {
    /// First value.
    pub sequence_start: i64,
    /// Whether values are cached.
    pub sequence_cache: bool,
    /// Whether it wraps round.
    pub sequence_cycle: bool,
    /// Smallest value.
    pub sequence_min_value: i64,
    /// Largest value.
    pub sequence_max_value: i64,
    /// Step.
    pub sequence_increment: i64,
    /// Number of cached values.
    pub sequence_cache_value: i64,
    /// Comment.
    pub sequence_comment: String,
}
