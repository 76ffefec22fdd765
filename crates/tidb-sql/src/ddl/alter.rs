//! `ALTER TABLE`.

use sqlparser::ast::Expr;

use super::column::ColumnDef;
use super::key::{IndexAlgorithm, IndexLock, TableConstraint};
use super::names::{ColumnName, TableName};
use super::object::{PlacementOption, TiFlashReplica};
use super::partition::{PartitionBoundary, PartitionDefinition, PartitionOptions};
use super::table::TableOption;

/// `ALTER TABLE`.
#[derive(Debug, Clone, PartialEq)]
pub struct AlterTable {
    /// The table.
    pub table: TableName,
    /// The changes in order. May be empty.
    pub specs: Vec<AlterTableSpec>,
}

/// Where a column goes.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnPosition {
    /// `FIRST`.
    First,
    /// `AFTER column`.
    After(ColumnName),
}

/// Which partitions an operation is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartitionSelection {
    /// `ALL`.
    All,
    /// These.
    Names(Vec<String>),
}

/// `ALTER COLUMN c SET DEFAULT … | DROP DEFAULT`.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant)] // short-lived, few at a time
pub enum AlterColumnDefault {
    /// `SET DEFAULT`: a literal, or [`Expr::Nested`] for an expression in parentheses.
    Set(Expr),
    /// `DROP DEFAULT`.
    Drop,
}

/// An item of `ORDER BY`.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderItem {
    /// The column.
    pub column: ColumnName,
    /// `DESC`.
    pub desc: bool,
}

/// One change of a table.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant)]
pub enum AlterTableSpec {
    /// `ADD [COLUMN] [IF NOT EXISTS] definition [FIRST | AFTER c]`.
    AddColumn {
        /// `IF NOT EXISTS`.
        if_not_exists: bool,
        /// The column.
        column: ColumnDef,
        /// Its place.
        position: Option<ColumnPosition>,
    },
    /// `ADD [COLUMN] [IF NOT EXISTS] (definition, …)`.
    AddColumns {
        /// `IF NOT EXISTS`.
        if_not_exists: bool,
        /// The columns.
        columns: Vec<ColumnDef>,
        /// Keys among them.
        constraints: Vec<TableConstraint>,
    },
    /// `ADD` a key or constraint.
    AddConstraint(TableConstraint),
    /// `DROP [COLUMN] [IF EXISTS] c`.
    DropColumn {
        /// `IF EXISTS`.
        if_exists: bool,
        /// The column.
        column: ColumnName,
    },
    /// `DROP PRIMARY KEY`.
    DropPrimaryKey,
    /// `DROP {INDEX | KEY} [IF EXISTS] i`.
    DropIndex {
        /// `IF EXISTS`.
        if_exists: bool,
        /// The index.
        name: String,
    },
    /// `DROP FOREIGN KEY [IF EXISTS] f`.
    DropForeignKey {
        /// `IF EXISTS`.
        if_exists: bool,
        /// The constraint.
        name: String,
    },
    /// `DROP {CHECK | CONSTRAINT} c`.
    DropCheck(String),
    /// `ALTER {CHECK | CONSTRAINT} c [NOT] ENFORCED`.
    AlterCheck {
        /// The constraint.
        name: String,
        /// Whether it holds.
        enforced: bool,
    },
    /// `MODIFY [COLUMN] [IF EXISTS] definition [position]`.
    ModifyColumn {
        /// `IF EXISTS`.
        if_exists: bool,
        /// The new definition.
        column: ColumnDef,
        /// Its place.
        position: Option<ColumnPosition>,
    },
    /// `CHANGE [COLUMN] [IF EXISTS] old definition [position]`.
    ChangeColumn {
        /// `IF EXISTS`.
        if_exists: bool,
        /// The column's present name.
        old: ColumnName,
        /// The new definition.
        column: ColumnDef,
        /// Its place.
        position: Option<ColumnPosition>,
    },
    /// `RENAME COLUMN a TO b`.
    RenameColumn {
        /// Present name.
        old: ColumnName,
        /// New name.
        new: ColumnName,
    },
    /// `ALTER [COLUMN] c SET DEFAULT … | DROP DEFAULT`.
    AlterColumn {
        /// The column.
        column: ColumnName,
        /// The change.
        default: AlterColumnDefault,
    },
    /// `RENAME {INDEX | KEY} a TO b`.
    RenameIndex {
        /// Present name.
        old: String,
        /// New name.
        new: String,
    },
    /// `ALTER INDEX i {VISIBLE | INVISIBLE}`.
    AlterIndexVisibility {
        /// The index.
        name: String,
        /// Whether the optimizer sees it.
        visible: bool,
    },
    /// `RENAME [TO | AS | =] t`.
    RenameTable(TableName),
    /// Table options (one or several in a row, without commas).
    Options(Vec<TableOption>),
    /// `ORDER BY c, …` (no effect).
    OrderBy(Vec<OrderItem>),
    /// `ADD PARTITION [IF NOT EXISTS] [NO_WRITE_TO_BINLOG] (definitions)` or `PARTITIONS n`.
    AddPartitions {
        /// `IF NOT EXISTS`.
        if_not_exists: bool,
        /// `NO_WRITE_TO_BINLOG` or `LOCAL`.
        no_write_to_binlog: bool,
        /// The partitions.
        definitions: Vec<PartitionDefinition>,
        /// Or how many.
        count: Option<u64>,
    },
    /// `FIRST PARTITION LESS THAN (expr)` or `LAST PARTITION LESS THAN (expr) [NO_WRITE_TO_BINLOG]` (move an end
    /// of an interval-partitioned table), `MERGE FIRST PARTITION LESS THAN (…)`, `SPLIT MAXVALUE PARTITION LESS
    /// THAN (…)`.
    MoveBoundary {
        /// Which end.
        boundary: PartitionBoundary,
        /// `MERGE` of the first or `SPLIT MAXVALUE` of the last.
        merge_or_split: bool,
        /// The new bound.
        bound: Expr,
        /// `NO_WRITE_TO_BINLOG`.
        no_write_to_binlog: bool,
    },
    /// `DROP PARTITION [IF EXISTS] p, …`.
    DropPartitions {
        /// `IF EXISTS`.
        if_exists: bool,
        /// The partitions.
        names: Vec<String>,
    },
    /// `TRUNCATE PARTITION {ALL | p, …}`.
    TruncatePartitions(PartitionSelection),
    /// `COALESCE PARTITION [NO_WRITE_TO_BINLOG] n`.
    CoalescePartitions {
        /// How many to take away.
        count: u64,
        /// `NO_WRITE_TO_BINLOG` or `LOCAL`.
        no_write_to_binlog: bool,
    },
    /// `REORGANIZE PARTITION [NO_WRITE_TO_BINLOG] [p, … INTO (definitions)]`.
    ReorganizePartitions {
        /// `NO_WRITE_TO_BINLOG` or `LOCAL`.
        no_write_to_binlog: bool,
        /// Those to replace; empty without `INTO`.
        names: Vec<String>,
        /// The new ones.
        definitions: Vec<PartitionDefinition>,
    },
    /// `EXCHANGE PARTITION p WITH TABLE t [WITH | WITHOUT VALIDATION]`.
    ExchangePartition {
        /// The partition.
        name: String,
        /// The table.
        table: TableName,
        /// `WITHOUT VALIDATION` makes it false.
        validation: bool,
    },
    /// `{CHECK | OPTIMIZE | REPAIR | REBUILD | ANALYZE …} PARTITION …` which TiDB accepts without effect or refuses.
    MaintainPartitions {
        /// The verb in upper case.
        verb: &'static str,
        /// `NO_WRITE_TO_BINLOG` or `LOCAL`.
        no_write_to_binlog: bool,
        /// The partitions.
        partitions: PartitionSelection,
    },
    /// `{IMPORT | DISCARD} PARTITION … TABLESPACE`.
    PartitionTablespace {
        /// Import, else discard.
        import: bool,
        /// The partitions.
        partitions: PartitionSelection,
    },
    /// `{IMPORT | DISCARD} TABLESPACE`.
    Tablespace {
        /// Import, else discard.
        import: bool,
    },
    /// `PARTITION BY …`.
    PartitionBy(PartitionOptions),
    /// `REMOVE PARTITIONING`.
    RemovePartitioning,
    /// `PARTITION p placement option`.
    PartitionOptions {
        /// The partition.
        name: String,
        /// Its options.
        options: Vec<PlacementOption>,
    },
    /// `PARTITION p ATTRIBUTES = 'text'`, `None` is `DEFAULT`.
    PartitionAttributes {
        /// The partition.
        name: String,
        /// The text.
        attributes: Option<String>,
    },
    /// `ATTRIBUTES = 'text'`, `None` is `DEFAULT`.
    Attributes(Option<String>),
    /// `STATS_OPTIONS = 'text'`, `None` is `DEFAULT`.
    StatsOptions(Option<String>),
    /// `SET TIFLASH REPLICA`.
    SetTiFlashReplica(TiFlashReplica),
    /// `SET HYPO TIFLASH REPLICA`.
    SetHypoTiFlashReplica(TiFlashReplica),
    /// `COMPACT [PARTITION p, …] [TIFLASH REPLICA]`.
    Compact {
        /// Only these.
        partitions: Vec<String>,
        /// `TIFLASH REPLICA` was written.
        tiflash: bool,
    },
    /// `CACHE` (true), `NOCACHE` (false).
    Cache(bool),
    /// `REMOVE TTL`.
    RemoveTtl,
    /// `ADD STATS_EXTENDED [IF NOT EXISTS] name {CARDINALITY | DEPENDENCY | CORRELATION} (columns)`.
    AddStatistics {
        /// `IF NOT EXISTS`.
        if_not_exists: bool,
        /// Name.
        name: String,
        /// Kind in upper case.
        kind: &'static str,
        /// Columns.
        columns: Vec<ColumnName>,
    },
    /// `DROP STATS_EXTENDED [IF EXISTS] name`.
    DropStatistics {
        /// `IF EXISTS`.
        if_exists: bool,
        /// Name.
        name: String,
    },
    /// `LOCK [=] …`.
    Lock(IndexLock),
    /// `ALGORITHM [=] …`.
    Algorithm(IndexAlgorithm),
    /// `READ {ONLY | WRITE}`: true is write.
    Writable(bool),
    /// `FORCE`.
    Force,
    /// `{WITH | WITHOUT} VALIDATION`: true is with.
    Validation(bool),
    /// `{ENABLE | DISABLE} KEYS`: true is enable.
    Keys(bool),
    /// `SECONDARY_LOAD` (true), `SECONDARY_UNLOAD` (false).
    SecondaryLoad(bool),
}
