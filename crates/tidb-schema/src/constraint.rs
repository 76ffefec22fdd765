//! Check constraints and foreign keys.

use serde::{Deserialize, Serialize};

use crate::{CIStr, SchemaState, go_json};

/// A `CHECK` constraint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConstraintInfo {
    /// The id.
    pub id: i64,
    /// The name.
    #[serde(rename = "constraint_name")]
    pub name: CIStr,
    /// The table's name.
    #[serde(rename = "tbl_name")]
    pub table: CIStr,
    /// Columns that the expression reads.
    #[serde(with = "go_json::null_list")]
    pub constraint_cols: Vec<CIStr>,
    /// Whether TiDB checks it.
    pub enforced: bool,
    /// Whether it was given with a column.
    pub in_column: bool,
    /// The expression.
    pub expr_string: String,
    /// State in an online DDL.
    pub state: SchemaState,
}

/// A foreign key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FkInfo {
    /// The id.
    pub id: i64,
    /// The name.
    #[serde(rename = "fk_name")]
    pub name: CIStr,
    /// Database of the referenced table.
    pub ref_schema: CIStr,
    /// The referenced table.
    pub ref_table: CIStr,
    /// The referenced columns.
    #[serde(with = "go_json::null_list")]
    pub ref_cols: Vec<CIStr>,
    /// The referencing columns.
    #[serde(with = "go_json::null_list")]
    pub cols: Vec<CIStr>,
    /// `ON DELETE` action: 0 none, 1 restrict, 2 cascade, 3 set null, 4 no action, 5 set default.
    pub on_delete: i64,
    /// `ON UPDATE` action, numbered as `on_delete`.
    pub on_update: i64,
    /// State in an online DDL.
    pub state: SchemaState,
    /// 0: not enforced (before TiDB 6.6), 1: enforced.
    pub version: i64,
}
