//! Databases (schemas).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{CIStr, SchemaState, go_json};

/// A database, as TiDB stores it in the hash `DBs`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DbInfo {
    /// The id, unique over all schema objects.
    pub id: i64,
    /// The name.
    #[serde(rename = "db_name")]
    pub name: CIStr,
    /// Default character set of new tables.
    pub charset: String,
    /// Default collation of new tables.
    pub collate: String,
    /// An empty object that TiDB writes for old readers.
    #[serde(rename = "Deprecated")]
    pub deprecated: Deprecated,
    /// State in an online DDL.
    pub state: SchemaState,
    /// Placement policy, kept as it is.
    pub policy_ref_info: Value,
    /// Whether the database refuses writes (newer TiDB).
    #[serde(skip_serializing_if = "go_json::is_zero")]
    pub read_only: bool,
    /// Whether the database is archived (newer TiDB).
    #[serde(skip_serializing_if = "go_json::is_zero")]
    pub archived: bool,
}

/// The empty object under `Deprecated` of a [`DbInfo`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Deprecated {}
