//! Indexes.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{CIStr, SchemaState, go_json};

/// The kind of an index. Numbers not listed here are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IndexType(pub i64);

impl IndexType {
    /// Not given.
    pub const INVALID: Self = Self(0);
    /// What TiDB gives every ordinary index.
    pub const BTREE: Self = Self(1);
    /// `USING HASH`, stored as an ordinary index.
    pub const HASH: Self = Self(2);
    /// `USING RTREE`, stored as an ordinary index.
    pub const RTREE: Self = Self(3);
}

/// An index of a table. A clustered primary key on several columns, or on one that is no integer, is one of these;
/// a clustered integer primary key is not.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct IndexInfo {
    /// The id in index keys.
    pub id: i64,
    /// The name.
    #[serde(rename = "idx_name")]
    pub name: CIStr,
    /// The table's name; TiDB leaves it empty.
    #[serde(rename = "tbl_name")]
    pub table: CIStr,
    /// The columns in index order.
    #[serde(rename = "idx_cols", with = "go_json::null_list")]
    pub columns: Vec<IndexColumn>,
    /// State in an online DDL.
    pub state: SchemaState,
    /// Progress of the ingest back-fill.
    pub backfill_state: u8,
    /// Comment.
    pub comment: String,
    /// The kind.
    #[serde(rename = "index_type")]
    pub tp: IndexType,
    /// Whether the index is unique.
    #[serde(rename = "is_unique")]
    pub unique: bool,
    /// Whether the index is the primary key.
    #[serde(rename = "is_primary")]
    pub primary: bool,
    /// Whether the optimizer ignores the index.
    #[serde(rename = "is_invisible")]
    pub invisible: bool,
    /// Whether the index of a partitioned table spans the partitions.
    #[serde(rename = "is_global")]
    pub global: bool,
    /// Whether the index is over the elements of a JSON array.
    pub mv_index: bool,
    /// Vector index details, kept as they are.
    pub vector_index: Value,
}

/// A column of an index.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IndexColumn {
    /// The column's name.
    pub name: CIStr,
    /// The column's offset in the table.
    pub offset: i64,
    /// Indexed prefix in characters, or [`IndexColumn::WHOLE`].
    pub length: i64,
}

impl IndexColumn {
    /// The whole column is indexed.
    pub const WHOLE: i64 = -1;

    /// The offset as an index into the table's columns.
    pub fn position(&self) -> Option<usize> {
        usize::try_from(self.offset).ok()
    }
}
