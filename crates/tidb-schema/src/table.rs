//! Tables.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    CIStr, ColumnInfo, ConstraintInfo, FkInfo, HandleKey, IndexInfo, PartitionInfo, SchemaState,
    SequenceInfo, ViewInfo, go_json, handle_key,
};

/// A table, view or sequence, as TiDB stores it in the hash `DB:<id>`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TableInfo {
    /// The logical id; also the physical one of a table without partitions.
    pub id: i64,
    /// The name.
    pub name: CIStr,
    /// Default character set of new columns.
    pub charset: String,
    /// Default collation of new columns.
    pub collate: String,
    /// Columns in order, those of a running DDL last.
    #[serde(rename = "cols", with = "go_json::null_list")]
    pub columns: Vec<ColumnInfo>,
    /// Indexes.
    #[serde(rename = "index_info", with = "go_json::null_list")]
    pub indices: Vec<IndexInfo>,
    /// Check constraints.
    #[serde(rename = "constraint_info", with = "go_json::null_list")]
    pub constraints: Vec<ConstraintInfo>,
    /// Foreign keys.
    #[serde(rename = "fk_info", with = "go_json::null_list")]
    pub foreign_keys: Vec<FkInfo>,
    /// State in an online DDL.
    pub state: SchemaState,
    /// Whether the primary key is one integer column that is the row's handle.
    pub pk_is_handle: bool,
    /// Whether the handle is the encoded primary key.
    pub is_common_handle: bool,
    /// Version of the common handle encoding: 1 today.
    pub common_handle_version: u16,
    /// Comment.
    pub comment: String,
    /// First auto increment value as given in the statement.
    pub auto_inc_id: i64,
    /// Row id base that only backup tools set.
    #[serde(skip_serializing_if = "go_json::is_zero")]
    pub auto_inc_id_extra: i64,
    /// `AUTO_ID_CACHE`.
    pub auto_id_cache: i64,
    /// First auto random value as given in the statement.
    pub auto_rand_id: i64,
    /// Largest column id ever given.
    pub max_col_id: i64,
    /// Largest index id ever given.
    pub max_idx_id: i64,
    /// Largest foreign key id ever given.
    pub max_fk_id: i64,
    /// Largest constraint id ever given.
    pub max_cst_id: i64,
    /// Timestamp of the last change of this structure.
    pub update_timestamp: u64,
    /// Schema id under which auto ids are kept, if the table was renamed to another schema.
    #[serde(skip_serializing_if = "go_json::is_zero")]
    pub old_schema_id: i64,
    /// `SHARD_ROW_ID_BITS`.
    #[serde(rename = "ShardRowIDBits")]
    pub shard_row_id_bits: u64,
    /// Largest value of `shard_row_id_bits` so far.
    pub max_shard_row_id_bits: u64,
    /// `AUTO_RANDOM` shard bits.
    pub auto_random_bits: u64,
    /// `AUTO_RANDOM` range bits.
    pub auto_random_range_bits: u64,
    /// `PRE_SPLIT_REGIONS`.
    pub pre_split_regions: u64,
    /// Partitioning.
    pub partition: Option<PartitionInfo>,
    /// `COMPRESSION` text.
    pub compression: String,
    /// Set for views.
    pub view: Option<ViewInfo>,
    /// Set for sequences.
    pub sequence: Option<SequenceInfo>,
    /// Table lock, kept as it is.
    #[serde(rename = "Lock")]
    pub lock: Value,
    /// Version of this structure: 5 today.
    pub version: u16,
    /// Columnar replica, kept as it is.
    pub tiflash_replica: Value,
    /// Whether the table is columnar only.
    pub is_columnar: bool,
    /// 0 none, 1 global, 2 local temporary table.
    pub temp_table_type: u8,
    /// 0 disabled, 1 enabled, 2 switching.
    pub cache_table_status: i64,
    /// Placement policy, kept as it is.
    pub policy_ref_info: Value,
    /// Statistics options, kept as they are.
    pub stats_options: Value,
    /// Link between the tables of a running `EXCHANGE PARTITION`, kept as it is.
    pub exchange_partition_info: Value,
    /// TTL settings, kept as they are.
    pub ttl_info: Value,
    /// Number of changes of this structure.
    pub revision: u64,
}

impl TableInfo {
    /// The version of the structure that TiDB writes today.
    pub const CURRENT_VERSION: u16 = 5;

    /// Whether this is a view.
    pub fn is_view(&self) -> bool {
        self.view.is_some()
    }

    /// Whether this is a sequence.
    pub fn is_sequence(&self) -> bool {
        self.sequence.is_some()
    }

    /// Whether this is a temporary table.
    pub fn is_temporary(&self) -> bool {
        self.temp_table_type != 0
    }

    /// Whether the table stores rows that can be replicated: no view, sequence or temporary table.
    pub fn has_rows(&self) -> bool {
        !self.is_view() && !self.is_sequence() && !self.is_temporary()
    }

    /// The partitioning, if rows are stored by it.
    pub fn enabled_partition(&self) -> Option<&PartitionInfo> {
        self.partition.as_ref().filter(|partition| partition.enable)
    }

    /// Ids under which the rows are stored: the partitions', or the table's own. Empty for what has no rows.
    pub fn physical_ids(&self) -> Vec<i64> {
        if !self.has_rows() {
            return Vec::new();
        }
        match self.enabled_partition() {
            Some(partition) => partition.definitions.iter().map(|definition| definition.id).collect(),
            None => vec![self.id],
        }
    }

    /// Columns in state public, in order. Includes virtual ones.
    pub fn public_columns(&self) -> impl Iterator<Item = &ColumnInfo> {
        self.columns.iter().filter(|column| column.state.is_public())
    }

    /// The public column with this name, compared in lower case.
    pub fn column(&self, lower_name: &str) -> Option<&ColumnInfo> {
        self.public_columns().find(|column| column.name.l == lower_name)
    }

    /// The public index with this name, compared in lower case.
    pub fn index(&self, lower_name: &str) -> Option<&IndexInfo> {
        self.indices.iter().find(|index| index.state.is_public() && index.name.l == lower_name)
    }

    /// The primary key among the indexes, in any state. A clustered integer key has none.
    pub fn primary_index(&self) -> Option<&IndexInfo> {
        self.indices.iter().find(|index| index.primary)
    }

    /// The columns that identify a row to consumers.
    pub fn handle_key(&self) -> HandleKey {
        handle_key::of(self)
    }

    /// Whether changes of the table are replicated. Sequences and temporary tables never are; views are, for their
    /// DDL; a table is if it has a handle key, or in any case with `force_replicate`.
    pub fn is_eligible(&self, force_replicate: bool) -> bool {
        if self.is_sequence() || self.is_temporary() {
            return false;
        }
        self.is_view() || force_replicate || !self.handle_key().is_empty()
    }
}
