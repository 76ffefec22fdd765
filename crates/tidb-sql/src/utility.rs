//! The AST of statements that neither read tables, nor change rows or schemas.

use sqlparser::ast::Expr;

use crate::ddl::{ColumnName, TableName};
use crate::statement::Statement;

/// `LIKE 'pattern'` or `WHERE condition` of `SHOW`.
#[derive(Debug, Clone, PartialEq)]
pub enum ShowFilter {
    /// `LIKE`: the pattern.
    Like(String),
    /// `WHERE`: the condition on the result's columns.
    Where(Expr),
}

/// Scope of variables and of their listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// `GLOBAL`, `@@global.`.
    Global,
    /// `SESSION`, `LOCAL`, `@@session.`, `@@local.`, `@@`, or none given.
    Session,
    /// `INSTANCE`, `@@instance.`.
    Instance,
}

/// `SHOW …`.
#[derive(Debug, Clone, PartialEq)]
pub enum Show {
    /// `SHOW {DATABASES | SCHEMAS}`.
    Databases {
        /// Filter.
        filter: Option<ShowFilter>,
    },
    /// `SHOW [FULL] TABLES [{FROM | IN} schema]`.
    Tables {
        /// `FULL`: with the table type.
        full: bool,
        /// Schema, if given.
        schema: Option<String>,
        /// Filter.
        filter: Option<ShowFilter>,
    },
    /// `SHOW OPEN TABLES [{FROM | IN} schema]`.
    OpenTables {
        /// Schema, if given.
        schema: Option<String>,
        /// Filter.
        filter: Option<ShowFilter>,
    },
    /// `SHOW TABLE STATUS [{FROM | IN} schema]`.
    TableStatus {
        /// Schema, if given.
        schema: Option<String>,
        /// Filter.
        filter: Option<ShowFilter>,
    },
    /// `SHOW [EXTENDED] [FULL] {COLUMNS | FIELDS} {FROM | IN} table [{FROM | IN} schema]`.
    Columns {
        /// `EXTENDED`.
        extended: bool,
        /// `FULL`: with collation, privileges and comment.
        full: bool,
        /// The table.
        table: TableName,
        /// Filter.
        filter: Option<ShowFilter>,
    },
    /// `SHOW {INDEX | INDEXES | KEYS} {FROM | IN} table [{FROM | IN} schema]`.
    Index {
        /// The table.
        table: TableName,
        /// `WHERE`.
        filter: Option<ShowFilter>,
    },
    /// `SHOW CREATE TABLE`.
    CreateTable(TableName),
    /// `SHOW CREATE VIEW`.
    CreateView(TableName),
    /// `SHOW CREATE SEQUENCE`.
    CreateSequence(TableName),
    /// `SHOW CREATE {DATABASE | SCHEMA} [IF NOT EXISTS]`.
    CreateDatabase {
        /// `IF NOT EXISTS`.
        if_not_exists: bool,
        /// The schema.
        name: String,
    },
    /// `SHOW CREATE USER`.
    CreateUser(crate::account::UserName),
    /// `SHOW CREATE PLACEMENT POLICY`.
    CreatePlacementPolicy(String),
    /// `SHOW CREATE RESOURCE GROUP`.
    CreateResourceGroup(String),
    /// `SHOW CREATE PROCEDURE`.
    CreateProcedure(TableName),
    /// `SHOW [GLOBAL | SESSION] VARIABLES`.
    Variables {
        /// Scope.
        scope: Scope,
        /// Filter.
        filter: Option<ShowFilter>,
    },
    /// `SHOW [GLOBAL | SESSION] STATUS`.
    Status {
        /// Scope.
        scope: Scope,
        /// Filter.
        filter: Option<ShowFilter>,
    },
    /// `SHOW WARNINGS` or `SHOW COUNT(*) WARNINGS`.
    Warnings {
        /// `COUNT(*)`.
        count: bool,
        /// `LIMIT` offset and row count.
        limit: Option<(u64, u64)>,
    },
    /// `SHOW ERRORS` or `SHOW COUNT(*) ERRORS`.
    Errors {
        /// `COUNT(*)`.
        count: bool,
        /// `LIMIT` offset and row count.
        limit: Option<(u64, u64)>,
    },
    /// `SHOW ENGINES`.
    Engines {
        /// Filter.
        filter: Option<ShowFilter>,
    },
    /// `SHOW COLLATION`.
    Collation {
        /// Filter.
        filter: Option<ShowFilter>,
    },
    /// `SHOW {CHARACTER SET | CHARSET}`.
    Charset {
        /// Filter.
        filter: Option<ShowFilter>,
    },
    /// `SHOW [FULL] PROCESSLIST`.
    ProcessList {
        /// `FULL`: the whole text.
        full: bool,
    },
    /// `SHOW GRANTS [FOR user [USING role, …]]`.
    Grants {
        /// Whose; `None` is the current user.
        user: Option<crate::account::UserName>,
        /// Roles.
        roles: Vec<crate::account::UserName>,
    },
    /// `SHOW PRIVILEGES`.
    Privileges,
    /// `SHOW {MASTER | BINARY LOG} STATUS`.
    MasterStatus,
    /// `SHOW {SLAVE | REPLICA} STATUS`.
    ReplicaStatus,
    /// `SHOW TABLE t [PARTITION (p, …)] [INDEX i] REGIONS`.
    TableRegions {
        /// The table.
        table: TableName,
        /// Partitions.
        partitions: Vec<String>,
        /// Index.
        index: Option<String>,
        /// `WHERE`.
        filter: Option<ShowFilter>,
    },
    /// `SHOW TABLE t [PARTITION (p, …)] NEXT_ROW_ID`.
    TableNextRowId(TableName),
    /// `SHOW PROFILES`.
    Profiles,
    /// `SHOW BUILTINS`.
    Builtins,
    /// A listing that only takes a filter: its words in upper case, such as `PLUGINS`, `EVENTS`, `TRIGGERS`,
    /// `FUNCTION STATUS`, `PROCEDURE STATUS`, `STATS_META`, `STATS_HISTOGRAMS`, `STATS_TOPN`, `STATS_BUCKETS`,
    /// `STATS_HEALTHY`, `STATS_LOCKED`, `ANALYZE STATUS`, `BINDINGS`, `PLACEMENT`, `CONFIG`, `BACKUPS`,
    /// `RESTORES`, `IMPORT JOBS`, `IMPORTS`, `PUMP STATUS`, `DRAINER STATUS`, `SESSION_STATES`, `BINARY LOGS`.
    Other {
        /// Its name.
        name: String,
        /// `FROM` schema, if given.
        schema: Option<String>,
        /// Filter.
        filter: Option<ShowFilter>,
    },
}

/// `EXPLAIN`, `DESCRIBE`, `DESC`.
#[derive(Debug, Clone, PartialEq)]
pub enum Explain {
    /// `DESCRIBE t [column]`.
    Table {
        /// The table.
        table: TableName,
        /// Only this column (or columns like this pattern).
        column: Option<String>,
    },
    /// `EXPLAIN [ANALYZE] [FORMAT = f] statement`.
    Statement {
        /// `ANALYZE`: run it.
        analyze: bool,
        /// `FORMAT`, as typed.
        format: Option<String>,
        /// The statement.
        statement: Box<Statement>,
    },
    /// `EXPLAIN [FORMAT = f] FOR CONNECTION n`.
    Connection {
        /// `FORMAT`.
        format: Option<String>,
        /// The connection's id.
        id: u64,
    },
}

/// Isolation levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IsolationLevel {
    /// `READ UNCOMMITTED`.
    ReadUncommitted,
    /// `READ COMMITTED`.
    ReadCommitted,
    /// `REPEATABLE READ`.
    RepeatableRead,
    /// `SERIALIZABLE`.
    Serializable,
}

/// `SET …`.
#[derive(Debug, Clone, PartialEq)]
pub enum SetStatement {
    /// Assignments, in order.
    Assignments(Vec<Assignment>),
    /// `SET [SESSION | GLOBAL] TRANSACTION …`; without scope it is for the next transaction only.
    Transaction {
        /// Scope; `None`: the next transaction.
        scope: Option<Scope>,
        /// `ISOLATION LEVEL`.
        isolation: Option<IsolationLevel>,
        /// `READ ONLY` (true), `READ WRITE` (false).
        read_only: Option<bool>,
        /// `READ ONLY AS OF TIMESTAMP expr`.
        as_of: Option<Expr>,
    },
    /// `SET CONFIG target name = value`.
    Config {
        /// Component or instance.
        target: String,
        /// Item.
        name: String,
        /// Value.
        value: Expr,
    },
    /// `SET RESOURCE GROUP name`.
    ResourceGroup(String),
    /// `SET SESSION_STATES 'json'`.
    SessionStates(String),
}

/// One assignment of `SET`.
#[derive(Debug, Clone, PartialEq)]
pub enum Assignment {
    /// A system variable.
    System {
        /// Scope.
        scope: Scope,
        /// Name in lower case (may hold a `.`).
        name: String,
        /// Value. A bare word (`ON`, `utf8mb4`) is a string; `DEFAULT` is [`SetValue::Default`].
        value: SetValue,
    },
    /// `@name = expr`.
    User {
        /// Name without `@`.
        name: String,
        /// Value.
        value: Expr,
    },
    /// `NAMES charset [COLLATE collation]`; `None` is `DEFAULT`.
    Names {
        /// Charset in lower case.
        charset: Option<String>,
        /// Collation in lower case.
        collation: Option<String>,
    },
    /// `CHARACTER SET charset`; `None` is `DEFAULT`.
    Charset(Option<String>),
}

/// The value of a variable.
#[derive(Debug, Clone, PartialEq)]
pub enum SetValue {
    /// `DEFAULT`.
    Default,
    /// An expression.
    Expr(Expr),
}

/// Locking mode of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransactionMode {
    /// `PESSIMISTIC`.
    Pessimistic,
    /// `OPTIMISTIC`.
    Optimistic,
}

/// `BEGIN`, `START TRANSACTION`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Begin {
    /// Locking mode, if given.
    pub mode: Option<TransactionMode>,
    /// `READ ONLY`.
    pub read_only: bool,
    /// `READ WRITE`.
    pub read_write: bool,
    /// `WITH CONSISTENT SNAPSHOT`.
    pub consistent_snapshot: bool,
    /// `WITH CAUSAL CONSISTENCY ONLY`.
    pub causal_consistency_only: bool,
    /// `READ ONLY AS OF TIMESTAMP expr`.
    pub as_of: Option<Expr>,
}

/// Kind of a table lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TableLockKind {
    /// `READ`.
    Read,
    /// `READ LOCAL`.
    ReadLocal,
    /// `WRITE`.
    Write,
    /// `WRITE LOCAL`.
    WriteLocal,
}

/// `LOCK TABLES t [AS a] READ, …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockTables {
    /// Table, alias and kind.
    pub tables: Vec<(TableName, Option<String>, TableLockKind)>,
}

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

/// `PREPARE name FROM …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepare {
    /// The name.
    pub name: String,
    /// The text.
    pub source: PrepareSource,
}

/// Where a prepared statement's text comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrepareSource {
    /// A string.
    Text(String),
    /// A user variable (without `@`).
    Variable(String),
}

/// `EXECUTE name [USING @a, …]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execute {
    /// The name.
    pub name: String,
    /// User variables (without `@`).
    pub using: Vec<String>,
}

/// `DEALLOCATE PREPARE name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deallocate {
    /// The name.
    pub name: String,
}

/// `CALL procedure(args)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The procedure.
    pub name: TableName,
    /// Its arguments.
    pub arguments: Vec<Expr>,
}

/// `KILL`.
#[derive(Debug, Clone, PartialEq)]
pub struct Kill {
    /// `TIDB` was written.
    pub tidb: bool,
    /// `QUERY`: only the running statement.
    pub query: bool,
    /// The connection (a literal, or `CONNECTION_ID()`).
    pub id: Expr,
}

/// `FLUSH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flush {
    /// `NO_WRITE_TO_BINLOG` or `LOCAL`.
    pub no_write_to_binlog: bool,
    /// What.
    pub target: FlushTarget,
}

/// What to flush.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlushTarget {
    /// `TABLES [t, …] [WITH READ LOCK]`.
    Tables {
        /// Only these.
        tables: Vec<TableName>,
        /// `WITH READ LOCK`.
        read_lock: bool,
    },
    /// `PRIVILEGES`.
    Privileges,
    /// `STATUS`.
    Status,
    /// Others (`LOGS`, `HOSTS`, `TIDB PLUGINS …`, `CLIENT_ERRORS_SUMMARY`, `STATS_DELTA`, …): the words in upper case.
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

/// `LOAD STATS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadStats {
    /// The file.
    pub path: String,
}

/// What to do with rows that exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LoadDuplicates {
    /// Fail.
    Error,
    /// `IGNORE`.
    Ignore,
    /// `REPLACE`.
    Replace,
}

/// Field and line format of `LOAD DATA`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadFormat {
    /// `FIELDS TERMINATED BY`.
    pub fields_terminated: Option<String>,
    /// `ENCLOSED BY`.
    pub enclosed: Option<String>,
    /// `OPTIONALLY` before `ENCLOSED BY`.
    pub optionally_enclosed: bool,
    /// `ESCAPED BY`.
    pub escaped: Option<String>,
    /// `DEFINED NULL BY`.
    pub null_defined: Option<String>,
    /// `LINES STARTING BY`.
    pub lines_starting: Option<String>,
    /// `LINES TERMINATED BY`.
    pub lines_terminated: Option<String>,
}

/// A target of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadTarget {
    /// A column.
    Column(ColumnName),
    /// A user variable (without `@`).
    Variable(String),
}

/// `LOAD DATA`.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadData {
    /// `LOCAL`.
    pub local: bool,
    /// `LOW_PRIORITY`.
    pub low_priority: bool,
    /// The file.
    pub path: String,
    /// `FORMAT 'x'`.
    pub format: Option<String>,
    /// Existing rows.
    pub duplicates: LoadDuplicates,
    /// The table.
    pub table: TableName,
    /// `CHARACTER SET`.
    pub charset: Option<String>,
    /// Fields and lines.
    pub layout: LoadFormat,
    /// `IGNORE n LINES`.
    pub ignore_lines: u64,
    /// Columns and variables.
    pub targets: Vec<LoadTarget>,
    /// `SET column = expr, …`.
    pub assignments: Vec<(ColumnName, Expr)>,
    /// `WITH option[=value], …` as typed.
    pub options: String,
}

/// `IMPORT INTO t [(columns)] [SET …] FROM 'path' [FORMAT 'x'] [WITH …]`.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportInto {
    /// The table.
    pub table: TableName,
    /// What follows, as typed.
    pub text: String,
}

/// `BATCH [ON column] LIMIT n [DRY RUN [QUERY]] statement`.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchDml {
    /// Column to cut by.
    pub column: Option<ColumnName>,
    /// Rows per batch.
    pub limit: u64,
    /// `DRY RUN`.
    pub dry_run: bool,
    /// `DRY RUN QUERY`.
    pub dry_run_query: bool,
    /// The row change.
    pub statement: Box<Statement>,
}
