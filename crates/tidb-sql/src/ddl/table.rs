//! `CREATE TABLE` and table options.

use sqlparser::ast::Query;

use super::column::ColumnDef;
use super::key::TableConstraint;
use super::names::TableName;
use super::object::PlacementOption;
use super::partition::PartitionOptions;

/// Kind of temporary table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Temporary {
    /// `TEMPORARY`: of the session.
    Local,
    /// `GLOBAL TEMPORARY … ON COMMIT DELETE ROWS` (true) or `PRESERVE ROWS` (false).
    Global {
        /// Rows go at commit.
        delete_rows: bool,
    },
}

/// What to do with duplicates of `CREATE TABLE … SELECT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DuplicateHandling {
    /// Fail.
    Error,
    /// `IGNORE`.
    Ignore,
    /// `REPLACE`.
    Replace,
}

/// The query of `CREATE TABLE … SELECT`.
#[derive(Debug, Clone, PartialEq)]
pub struct SelectSource {
    /// `IGNORE` or `REPLACE`.
    pub duplicates: DuplicateHandling,
    /// The query.
    pub query: Box<Query>,
}

/// Where a new table's columns come from.
#[derive(Debug, Clone, PartialEq)]
pub enum CreateTableSource {
    /// `LIKE table`.
    Like(TableName),
    /// Definitions in parentheses (which may be absent, with a query).
    Definition {
        /// Columns in order.
        columns: Vec<ColumnDef>,
        /// Keys and constraints in order.
        constraints: Vec<TableConstraint>,
        /// `AS SELECT …`.
        select: Option<SelectSource>,
    },
}

/// `CREATE TABLE`.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateTable {
    /// `TEMPORARY`.
    pub temporary: Option<Temporary>,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// The new table.
    pub table: TableName,
    /// Its columns.
    pub source: CreateTableSource,
    /// Table options in order.
    pub options: Vec<TableOption>,
    /// `PARTITION BY`.
    pub partition: Option<PartitionOptions>,
    /// `SPLIT …` clauses of the table and its indexes, as typed (parsed, no effect).
    pub splits: Vec<String>,
}

/// How a table's character set was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CharsetForm {
    /// `[DEFAULT] CHARACTER SET [=] x`.
    Default,
    /// `CONVERT TO CHARACTER SET x`.
    ConvertTo,
}

/// A table option.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant)] // short-lived, few at a time
pub enum TableOption {
    /// `ENGINE`.
    Engine(String),
    /// `CHARACTER SET`; `None` is `DEFAULT`. In lower case.
    Charset {
        /// How it was written.
        form: CharsetForm,
        /// The character set.
        charset: Option<String>,
    },
    /// `COLLATE`, in lower case.
    Collate(String),
    /// `[FORCE] AUTO_INCREMENT`.
    AutoIncrement {
        /// Next value.
        value: u64,
        /// `FORCE`: it may go back.
        force: bool,
    },
    /// `AUTO_ID_CACHE`.
    AutoIdCache(u64),
    /// `[FORCE] AUTO_RANDOM_BASE`.
    AutoRandomBase {
        /// Next value.
        value: u64,
        /// `FORCE`: it may go back.
        force: bool,
    },
    /// `COMMENT`.
    Comment(String),
    /// `SHARD_ROW_ID_BITS`.
    ShardRowIdBits(u64),
    /// `PRE_SPLIT_REGIONS`.
    PreSplitRegions(u64),
    /// `TTL = column + INTERVAL value unit`.
    Ttl {
        /// The time column.
        column: super::names::ColumnName,
        /// The value as an expression.
        value: sqlparser::ast::Expr,
        /// The unit in upper case.
        unit: String,
    },
    /// `TTL_ENABLE`.
    TtlEnable(bool),
    /// `TTL_JOB_INTERVAL`.
    TtlJobInterval(String),
    /// Placement.
    Placement(PlacementOption),
    /// `STATS_PERSISTENT`.
    StatsPersistent,
    /// `STATS_AUTO_RECALC`; `None` is `DEFAULT`.
    StatsAutoRecalc(Option<u64>),
    /// `STATS_SAMPLE_PAGES`; `None` is `DEFAULT`.
    StatsSamplePages(Option<u64>),
    /// `STATS_BUCKETS`; `None` is `DEFAULT`.
    StatsBuckets(Option<u64>),
    /// `STATS_TOPN`; `None` is `DEFAULT`.
    StatsTopN(Option<u64>),
    /// `STATS_SAMPLE_RATE`; `None` is `DEFAULT`. The number as typed.
    StatsSampleRate(Option<String>),
    /// `STATS_COL_CHOICE`; `None` is `DEFAULT`.
    StatsColumnsChoice(Option<String>),
    /// `STATS_COL_LIST`; `None` is `DEFAULT`.
    StatsColumnList(Option<String>),
    /// `ROW_FORMAT`, in upper case.
    RowFormat(String),
    /// `PACK_KEYS`.
    PackKeys,
    /// `AFFINITY = 'level'`.
    Affinity(String),
    /// An option with a number: `AVG_ROW_LENGTH`, `CHECKSUM`, `KEY_BLOCK_SIZE`, `MAX_ROWS`, `MIN_ROWS`,
    /// `DELAY_KEY_WRITE`, `NODEGROUP`, `TABLE_CHECKSUM`, `AUTOEXTEND_SIZE`.
    Number {
        /// The option's name in upper case.
        name: &'static str,
        /// Its value.
        value: u64,
    },
    /// An option with a string: `COMPRESSION`, `CONNECTION`, `PASSWORD`, `DATA DIRECTORY`, `INDEX DIRECTORY`,
    /// `ENCRYPTION`, `SECONDARY_ENGINE`, `SECONDARY_ENGINE_ATTRIBUTE`, `ENGINE_ATTRIBUTE`.
    Text {
        /// The option's name in upper case.
        name: &'static str,
        /// Its value.
        value: String,
    },
    /// `SECONDARY_ENGINE = NULL`.
    SecondaryEngineNull,
    /// `TABLESPACE`.
    Tablespace(String),
    /// `STORAGE DISK | MEMORY`, in upper case.
    Storage(String),
    /// `INSERT_METHOD`: `NO`, `FIRST` or `LAST`, as typed.
    InsertMethod(String),
    /// `UNION = (t, …)`.
    Union(Vec<TableName>),
}
