//! `ADMIN`, `SPLIT`, `ANALYZE`.

use sqlparser::ast::Expr;

use crate::ddl::TableName;

/// How to split.
#[derive(Debug, Clone, PartialEq)]
pub enum SplitMethod {
    /// `BETWEEN (lower) AND (upper) REGIONS n`.
    Between {
        /// Lower bound.
        lower: Vec<Expr>,
        /// Upper bound.
        upper: Vec<Expr>,
        /// How many regions.
        regions: u64,
    },
    /// `BY (values), …`.
    By(Vec<Vec<Expr>>),
}

/// `SPLIT [REGION FOR] [PARTITION] TABLE t [PARTITION (p, …)] [INDEX i] …`.
#[derive(Debug, Clone, PartialEq)]
pub struct SplitRegion {
    /// `REGION FOR` was written.
    pub region_for: bool,
    /// `PARTITION` was written.
    pub partition: bool,
    /// The table.
    pub table: TableName,
    /// Only these partitions.
    pub partitions: Vec<String>,
    /// Of this index, else of the rows.
    pub index: Option<String>,
    /// How.
    pub method: SplitMethod,
}

/// `ADMIN …`.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant)] // short-lived, few at a time
pub enum AdminStatement {
    /// `SHOW DDL`.
    ShowDdl,
    /// `SHOW DDL JOBS [n] [WHERE …]`.
    ShowDdlJobs {
        /// How many finished ones.
        count: Option<u64>,
        /// Condition.
        filter: Option<Expr>,
    },
    /// `SHOW DDL JOB QUERIES id, …`.
    ShowDdlJobQueries(Vec<i64>),
    /// `SHOW DDL JOB QUERIES LIMIT n [OFFSET m]`.
    ShowDdlJobQueriesLimit {
        /// Rows.
        count: u64,
        /// First row.
        offset: u64,
    },
    /// `CANCEL DDL JOBS id, …`.
    CancelDdlJobs(Vec<i64>),
    /// `PAUSE DDL JOBS id, …`.
    PauseDdlJobs(Vec<i64>),
    /// `RESUME DDL JOBS id, …`.
    ResumeDdlJobs(Vec<i64>),
    /// `ALTER DDL JOBS id option = value, …`: the options as typed.
    AlterDdlJob {
        /// Job.
        job: i64,
        /// Options as typed.
        options: String,
    },
    /// `CHECK TABLE t, …`.
    CheckTable(Vec<TableName>),
    /// `CHECK INDEX t i [(a, b), …]`: the ranges as typed.
    CheckIndex {
        /// Table.
        table: TableName,
        /// Index.
        index: String,
        /// Handle ranges.
        ranges: Vec<(i64, i64)>,
    },
    /// `CHECKSUM TABLE t, …`.
    ChecksumTable(Vec<TableName>),
    /// `RECOVER INDEX t i`.
    RecoverIndex {
        /// Table.
        table: TableName,
        /// Index.
        index: String,
    },
    /// `CLEANUP INDEX t i`.
    CleanupIndex {
        /// Table.
        table: TableName,
        /// Index.
        index: String,
    },
    /// `CLEANUP TABLE LOCK t, …`.
    CleanupTableLock(Vec<TableName>),
    /// `SHOW t NEXT_ROW_ID`.
    ShowNextRowId(TableName),
    /// `SHOW SLOW …`: the words as typed.
    ShowSlow(String),
    /// `RELOAD what`.
    Reload(String),
    /// `SET BDR ROLE {PRIMARY | SECONDARY}`.
    SetBdrRole {
        /// Primary, else secondary.
        primary: bool,
    },
    /// `SHOW BDR ROLE`.
    ShowBdrRole,
    /// `UNSET BDR ROLE`.
    UnsetBdrRole,
    /// Others (`PLUGINS …`, `CAPTURE BINDINGS`, `EVOLVE BINDINGS`, `FLUSH PLAN_CACHE`, `SHOW TELEMETRY`, …): the words
    /// in upper case.
    Other(String),
}

/// `ANALYZE [INCREMENTAL] TABLE …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnalyzeTable {
    /// `INCREMENTAL`.
    pub incremental: bool,
    /// `NO_WRITE_TO_BINLOG` or `LOCAL`.
    pub no_write_to_binlog: bool,
    /// The tables.
    pub tables: Vec<TableName>,
    /// `PARTITION p, …`.
    pub partitions: Vec<String>,
    /// What else was written (`INDEX i`, `COLUMNS …`, `WITH n TOPN`, …), as typed.
    pub options: String,
}

/// `PLAN REPLAYER …`: the words as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanReplayer {
    /// What follows the two words.
    pub text: String,
}
