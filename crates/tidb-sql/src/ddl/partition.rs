//! `PARTITION BY` and partition definitions.

use sqlparser::ast::Expr;

use super::names::ColumnName;
use super::table::TableOption;

/// How rows are spread over partitions.
#[derive(Debug, Clone, PartialEq)]
pub enum PartitionMethod {
    /// `HASH (expr)`.
    Hash {
        /// `LINEAR`.
        linear: bool,
        /// The expression.
        expr: Expr,
    },
    /// `KEY [ALGORITHM = n] (columns)`.
    Key {
        /// `LINEAR`.
        linear: bool,
        /// `ALGORITHM`.
        algorithm: Option<u64>,
        /// The columns; empty means the primary key.
        columns: Vec<ColumnName>,
    },
    /// `RANGE (expr)`.
    Range {
        /// The expression.
        expr: Expr,
    },
    /// `RANGE COLUMNS (columns)`.
    RangeColumns {
        /// The columns.
        columns: Vec<ColumnName>,
    },
    /// `LIST (expr)`.
    List {
        /// The expression.
        expr: Expr,
    },
    /// `LIST COLUMNS (columns)`.
    ListColumns {
        /// The columns.
        columns: Vec<ColumnName>,
    },
    /// `SYSTEM_TIME [INTERVAL n unit] [LIMIT n]` (parsed; TiDB refuses it).
    SystemTime {
        /// Interval value and unit.
        interval: Option<(Expr, String)>,
        /// Rows per partition.
        limit: Option<u64>,
    },
}

/// `INTERVAL (…) FIRST PARTITION LESS THAN (…) LAST PARTITION LESS THAN (…)` of `RANGE`.
#[derive(Debug, Clone, PartialEq)]
pub struct IntervalPartitioning {
    /// The step.
    pub interval: Expr,
    /// Unit of the step, in upper case, for time columns.
    pub unit: Option<String>,
    /// End of the first and of the last partition.
    pub ends: Option<(Expr, Expr)>,
    /// `NULL PARTITION`.
    pub null_partition: bool,
    /// `MAXVALUE PARTITION`.
    pub maxvalue_partition: bool,
}

/// One bound or list member.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant)] // short-lived, few at a time
pub enum PartitionValue {
    /// `MAXVALUE`.
    MaxValue,
    /// `DEFAULT` in a list.
    Default,
    /// An expression.
    Expr(Expr),
}

/// `VALUES …` of a partition.
#[derive(Debug, Clone, PartialEq)]
pub enum PartitionValues {
    /// None given (`HASH`, `KEY`).
    None,
    /// `VALUES LESS THAN (…)` or `VALUES LESS THAN MAXVALUE`.
    LessThan(Vec<PartitionValue>),
    /// `VALUES IN (…)`: each member has one value per column.
    In(Vec<Vec<PartitionValue>>),
    /// `DEFAULT` alone: a list partition for all else.
    Default,
    /// `HISTORY` (true) or `CURRENT` (false) of `SYSTEM_TIME`.
    History(bool),
}

/// A subpartition's definition.
#[derive(Debug, Clone, PartialEq)]
pub struct SubPartitionDefinition {
    /// Its name.
    pub name: String,
    /// Its options.
    pub options: Vec<TableOption>,
}

/// A partition's definition.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionDefinition {
    /// Its name.
    pub name: String,
    /// Its bounds.
    pub values: PartitionValues,
    /// Its options.
    pub options: Vec<TableOption>,
    /// Its subpartitions.
    pub subpartitions: Vec<SubPartitionDefinition>,
}

/// `SUBPARTITION BY`.
#[derive(Debug, Clone, PartialEq)]
pub struct SubPartition {
    /// `HASH` or `KEY`.
    pub method: PartitionMethod,
    /// `SUBPARTITIONS`.
    pub count: Option<u64>,
}

/// A change of an index that comes with a new partitioning: `UPDATE INDEXES (name GLOBAL, …)`.
#[derive(Debug, Clone, PartialEq)]
pub struct UpdateIndexSpec {
    /// The index.
    pub name: String,
    /// `GLOBAL`, else `LOCAL`.
    pub global: bool,
}

/// `PARTITION BY …`.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionOptions {
    /// How rows are spread.
    pub method: PartitionMethod,
    /// `INTERVAL` of `RANGE`.
    pub interval: Option<IntervalPartitioning>,
    /// `PARTITIONS n`.
    pub count: Option<u64>,
    /// `SUBPARTITION BY`.
    pub subpartition: Option<SubPartition>,
    /// The partitions.
    pub definitions: Vec<PartitionDefinition>,
    /// `UPDATE INDEXES (…)`.
    pub update_indexes: Vec<UpdateIndexSpec>,
}

/// Which end of an interval-partitioned table to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PartitionBoundary {
    /// `FIRST PARTITION LESS THAN`.
    First,
    /// `LAST PARTITION LESS THAN`.
    Last,
}
