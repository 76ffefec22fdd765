//! Columns.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidb_codec::field::{FieldType, flag};

use crate::{CIStr, SchemaState, go_json};

/// A column of a table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ColumnInfo {
    /// The id under which rows store the value.
    pub id: i64,
    /// The name.
    pub name: CIStr,
    /// Position in the table, from 0.
    pub offset: i64,
    /// The default that rows written before the column existed have: text, or `null`. Never changes after
    /// `ADD COLUMN`. A `TIMESTAMP` default is in UTC from column version 1 on.
    pub origin_default: Value,
    /// The same for `BIT` columns, as bytes.
    #[serde(with = "go_json::optional_bytes")]
    pub origin_default_bit: Option<Vec<u8>>,
    /// The current default of new rows.
    pub default: Value,
    /// The same for `BIT` columns, as bytes.
    #[serde(with = "go_json::optional_bytes")]
    pub default_bit: Option<Vec<u8>>,
    /// Whether `default` is an expression.
    pub default_is_expr: bool,
    /// The expression of a generated column, or empty.
    pub generated_expr_string: String,
    /// Whether a generated column is stored.
    pub generated_stored: bool,
    /// Columns that the generated expression reads, lower case.
    #[serde(with = "go_json::name_set")]
    pub dependences: Vec<String>,
    /// Type, flags, length, character set.
    #[serde(rename = "type")]
    pub field_type: FieldType,
    /// The type that a running `MODIFY COLUMN` changes to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changing_type: Option<FieldType>,
    /// State in an online DDL.
    pub state: SchemaState,
    /// Comment.
    pub comment: String,
    /// Whether TiDB made the column itself, for an expression index.
    pub hidden: bool,
    /// Set while the column belongs to a running `MODIFY COLUMN`.
    pub change_state_info: Option<ChangeStateInfo>,
    /// Version of this structure: 2 today; at 0, `TIMESTAMP` defaults are in the system time zone.
    pub version: u64,
}

/// Link from a column under change to the column it replaces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChangeStateInfo {
    /// Offset of the replaced column.
    pub relative_col_offset: i64,
}

impl ColumnInfo {
    /// Whether the column is generated.
    pub fn is_generated(&self) -> bool {
        !self.generated_expr_string.is_empty()
    }

    /// Whether the column is generated on read, so that rows do not hold it.
    pub fn is_virtual(&self) -> bool {
        self.is_generated() && !self.generated_stored
    }

    /// Whether the column carries `bit` of [`flag`].
    pub fn has_flag(&self, bit: u32) -> bool {
        self.field_type.flag & bit != 0
    }

    /// Whether the column refuses NULL.
    pub fn is_not_null(&self) -> bool {
        self.has_flag(flag::NOT_NULL)
    }

    /// Whether the column is part of the primary key.
    pub fn is_primary_key(&self) -> bool {
        self.has_flag(flag::PRI_KEY)
    }

    /// Whether an integer column is unsigned.
    pub fn is_unsigned(&self) -> bool {
        self.has_flag(flag::UNSIGNED)
    }
}
