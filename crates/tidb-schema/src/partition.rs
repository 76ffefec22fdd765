//! Partitions.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{CIStr, SchemaState, go_json};

/// How a table is partitioned. Numbers not listed here are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartitionType(pub i64);

impl PartitionType {
    /// Not partitioned.
    pub const NONE: Self = Self(0);
    /// By range.
    pub const RANGE: Self = Self(1);
    /// By hash.
    pub const HASH: Self = Self(2);
    /// By list of values.
    pub const LIST: Self = Self(3);
    /// By key.
    pub const KEY: Self = Self(4);
}

/// The partitioning of a table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PartitionInfo {
    /// The method.
    #[serde(rename = "type")]
    pub tp: PartitionType,
    /// The expression, or empty when `columns` are used.
    pub expr: String,
    /// The columns, for `COLUMNS` and `KEY` partitioning.
    #[serde(with = "go_json::null_list")]
    pub columns: Vec<CIStr>,
    /// Whether rows are stored under partition ids.
    pub enable: bool,
    /// Whether `PARTITION BY KEY()` named no column.
    pub is_empty_columns: bool,
    /// The partitions in order.
    #[serde(with = "go_json::null_list")]
    pub definitions: Vec<PartitionDefinition>,
    /// Partitions that a running DDL adds.
    #[serde(with = "go_json::null_list")]
    pub adding_definitions: Vec<PartitionDefinition>,
    /// Partitions that a running DDL drops or truncates.
    #[serde(with = "go_json::null_list")]
    pub dropping_definitions: Vec<PartitionDefinition>,
    /// New ids of a running `TRUNCATE PARTITION`.
    #[serde(rename = "NewPartitionIDs", with = "go_json::null_list", skip_serializing_if = "Vec::is_empty")]
    pub new_partition_ids: Vec<i64>,
    /// States of partitions that are not public.
    #[serde(with = "go_json::null_list")]
    pub states: Vec<PartitionState>,
    /// Number of partitions as given in the statement.
    pub num: u64,
    /// State of a running reorganisation.
    pub ddl_state: SchemaState,
    /// New table id of a running (re-)partitioning.
    #[serde(skip_serializing_if = "go_json::is_zero")]
    pub new_table_id: i64,
    /// Method of a running (re-)partitioning.
    #[serde(skip_serializing_if = "go_json::is_zero")]
    pub ddl_type: PartitionType,
    /// Expression of a running (re-)partitioning.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ddl_expr: String,
    /// Columns of a running (re-)partitioning.
    #[serde(with = "go_json::null_list", skip_serializing_if = "Vec::is_empty")]
    pub ddl_columns: Vec<CIStr>,
    /// Index changes of a running (re-)partitioning, kept as they are.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub ddl_update_indexes: Value,
}

/// One partition: physically a table of its own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PartitionDefinition {
    /// The physical table id: rows are stored under it.
    pub id: i64,
    /// The name.
    pub name: CIStr,
    /// Upper bounds of a range partition.
    #[serde(with = "go_json::null_list")]
    pub less_than: Vec<String>,
    /// Values of a list partition.
    #[serde(with = "go_json::null_list")]
    pub in_values: Vec<Vec<String>>,
    /// Placement policy, kept as it is.
    pub policy_ref_info: Value,
    /// Comment.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub comment: String,
}

/// The state of a partition that is not public.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PartitionState {
    /// The partition's id.
    pub id: i64,
    /// Its state.
    pub state: SchemaState,
}

impl PartitionInfo {
    /// The partition with this name, compared in lower case.
    pub fn definition(&self, lower_name: &str) -> Option<&PartitionDefinition> {
        self.definitions.iter().find(|definition| definition.name.l == lower_name)
    }
}
