//! Schemas, indexes by statement, views, sequences, policies, and the short table statements.

use sqlparser::ast::{Expr, Query};

use super::key::{IndexAlgorithm, IndexLock, IndexOptions, IndexPart};
use super::names::TableName;
use super::table::Temporary;

/// A TiFlash replica setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TiFlashReplica {
    /// How many.
    pub count: u64,
    /// `LOCATION LABELS`.
    pub labels: Vec<String>,
}

/// A placement option's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlacementValue {
    /// A name: the policy.
    Name(String),
    /// A string.
    Text(String),
    /// A number.
    Number(u64),
}

/// A placement option: `PLACEMENT POLICY`, `PRIMARY_REGION`, `REGIONS`, `FOLLOWERS`, ….
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacementOption {
    /// Its name in upper case.
    pub name: &'static str,
    /// Its value.
    pub value: PlacementValue,
}

/// An option of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseOption {
    /// `CHARACTER SET`, in lower case.
    Charset(String),
    /// `COLLATE`, in lower case.
    Collate(String),
    /// `ENCRYPTION`.
    Encryption(String),
    /// Placement.
    Placement(PlacementOption),
    /// `SET TIFLASH REPLICA`.
    SetTiFlashReplica(TiFlashReplica),
}

/// `CREATE DATABASE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateDatabase {
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// The schema.
    pub name: String,
    /// Options in order.
    pub options: Vec<DatabaseOption>,
}

/// `ALTER DATABASE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterDatabase {
    /// The schema; `None` is the current one.
    pub name: Option<String>,
    /// Options in order.
    pub options: Vec<DatabaseOption>,
}

/// `DROP DATABASE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropDatabase {
    /// `IF EXISTS`.
    pub if_exists: bool,
    /// The schema.
    pub name: String,
}

/// `DROP TABLE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropTable {
    /// `TEMPORARY`; the rows setting of `GLOBAL` has no meaning here.
    pub temporary: Option<Temporary>,
    /// `IF EXISTS`.
    pub if_exists: bool,
    /// The tables.
    pub tables: Vec<TableName>,
}

/// `DROP VIEW`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropView {
    /// `IF EXISTS`.
    pub if_exists: bool,
    /// The views.
    pub views: Vec<TableName>,
}

/// `TRUNCATE TABLE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TruncateTable {
    /// The table.
    pub table: TableName,
}

/// `RENAME TABLE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenameTable {
    /// Pairs of old and new name, in order.
    pub renames: Vec<(TableName, TableName)>,
}

/// Kind of index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CreateIndexKind {
    /// Not unique.
    Plain,
    /// `UNIQUE`.
    Unique,
    /// `SPATIAL`.
    Spatial,
    /// `FULLTEXT`.
    FullText,
    /// `VECTOR`.
    Vector,
    /// `COLUMNAR`.
    Columnar,
}

/// `CREATE INDEX`.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateIndex {
    /// Kind.
    pub kind: CreateIndexKind,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// The index.
    pub name: String,
    /// Its table.
    pub table: TableName,
    /// Its parts.
    pub parts: Vec<IndexPart>,
    /// Options.
    pub options: IndexOptions,
    /// `ALGORITHM`.
    pub algorithm: Option<IndexAlgorithm>,
    /// `LOCK`.
    pub lock: Option<IndexLock>,
}

/// `DROP INDEX`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropIndex {
    /// `HYPO`.
    pub hypo: bool,
    /// `IF EXISTS`.
    pub if_exists: bool,
    /// The index.
    pub name: String,
    /// Its table.
    pub table: TableName,
    /// `ALGORITHM`.
    pub algorithm: Option<IndexAlgorithm>,
    /// `LOCK`.
    pub lock: Option<IndexLock>,
}

/// `ALGORITHM` of a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ViewAlgorithm {
    /// `UNDEFINED`.
    Undefined,
    /// `MERGE`.
    Merge,
    /// `TEMPTABLE`.
    TempTable,
}

/// `DEFINER`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Definer {
    /// `CURRENT_USER`.
    CurrentUser,
    /// A user.
    User {
        /// Name.
        user: String,
        /// Host, `%` if not given.
        host: String,
    },
}

/// `SQL SECURITY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ViewSecurity {
    /// `DEFINER`.
    Definer,
    /// `INVOKER`.
    Invoker,
}

/// `WITH … CHECK OPTION`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CheckOption {
    /// `CASCADED` (the default).
    Cascaded,
    /// `LOCAL`.
    Local,
}

/// `CREATE VIEW`.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateView {
    /// `OR REPLACE`.
    pub or_replace: bool,
    /// `ALGORITHM`, `UNDEFINED` if not given.
    pub algorithm: ViewAlgorithm,
    /// `DEFINER`, the current user if not given.
    pub definer: Definer,
    /// `SQL SECURITY`, `DEFINER` if not given.
    pub security: ViewSecurity,
    /// The view.
    pub name: TableName,
    /// Its column names, if given.
    pub columns: Vec<String>,
    /// Its query.
    pub query: Box<Query>,
    /// Byte range of the query's original text.
    pub query_range: std::ops::Range<usize>,
    /// `WITH CHECK OPTION`, `CASCADED` if not given.
    pub check_option: CheckOption,
}

/// An option of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SequenceOption {
    /// `INCREMENT [BY | =] n`.
    IncrementBy(i64),
    /// `START [WITH | =] n`.
    StartWith(i64),
    /// `MINVALUE n`.
    MinValue(i64),
    /// `NO MINVALUE`.
    NoMinValue,
    /// `MAXVALUE n`.
    MaxValue(i64),
    /// `NO MAXVALUE`.
    NoMaxValue,
    /// `CACHE n`.
    Cache(i64),
    /// `NOCACHE`.
    NoCache,
    /// `CYCLE`.
    Cycle,
    /// `NOCYCLE`.
    NoCycle,
    /// `RESTART` (of `ALTER`).
    Restart,
    /// `RESTART [WITH | =] n` (of `ALTER`).
    RestartWith(i64),
}

/// `CREATE SEQUENCE`.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateSequence {
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// The sequence.
    pub name: TableName,
    /// Its options.
    pub options: Vec<SequenceOption>,
    /// Table options.
    pub table_options: Vec<super::table::TableOption>,
}

/// `ALTER SEQUENCE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterSequence {
    /// `IF EXISTS`.
    pub if_exists: bool,
    /// The sequence.
    pub name: TableName,
    /// Its options.
    pub options: Vec<SequenceOption>,
}

/// `DROP SEQUENCE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropSequence {
    /// `IF EXISTS`.
    pub if_exists: bool,
    /// The sequences.
    pub names: Vec<TableName>,
}

/// `RECOVER TABLE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecoverTable {
    /// `BY JOB n`.
    ByJob(i64),
    /// By name.
    ByName {
        /// The table.
        table: TableName,
        /// How many jobs to look back, if given.
        jobs: Option<u64>,
    },
}

/// `FLASHBACK TABLE t [TO name]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlashbackTable {
    /// The table.
    pub table: TableName,
    /// Its new name.
    pub new_name: Option<String>,
}

/// `FLASHBACK DATABASE d [TO name]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlashbackDatabase {
    /// The schema.
    pub name: String,
    /// Its new name.
    pub new_name: Option<String>,
}

/// The moment to go back to.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant)] // short-lived, few at a time
pub enum FlashbackUntil {
    /// `TO TIMESTAMP expr`.
    Timestamp(Expr),
    /// `TO TSO n`.
    Tso(u64),
}

/// `FLASHBACK {CLUSTER | DATABASE d | TABLE t, …} TO {TIMESTAMP … | TSO n}`.
#[derive(Debug, Clone, PartialEq)]
pub struct FlashbackCluster {
    /// Only this schema.
    pub database: Option<String>,
    /// Only these tables.
    pub tables: Vec<TableName>,
    /// The moment.
    pub until: FlashbackUntil,
}

/// `CREATE [OR REPLACE] PLACEMENT POLICY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatePlacementPolicy {
    /// `OR REPLACE`.
    pub or_replace: bool,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// The policy.
    pub name: String,
    /// Its options.
    pub options: Vec<PlacementOption>,
}

/// `ALTER PLACEMENT POLICY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterPlacementPolicy {
    /// `IF EXISTS`.
    pub if_exists: bool,
    /// The policy.
    pub name: String,
    /// Its options.
    pub options: Vec<PlacementOption>,
}

/// `DROP PLACEMENT POLICY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropPlacementPolicy {
    /// `IF EXISTS`.
    pub if_exists: bool,
    /// The policy.
    pub name: String,
}

/// An option of a resource group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResourceGroupOption {
    /// `RU_PER_SEC = n`; `None` is `UNLIMITED`.
    RuPerSecond(Option<u64>),
    /// `PRIORITY = LOW | MEDIUM | HIGH`, in upper case.
    Priority(String),
    /// `BURSTABLE [= OFF | MODERATED | UNLIMITED]`; the mode in upper case.
    Burstable(Option<String>),
    /// `QUERY_LIMIT = (…)` or `BACKGROUND = (…)`: the name and the words in parentheses as typed; `None` is `NULL`.
    Block {
        /// `QUERY_LIMIT` or `BACKGROUND`.
        name: &'static str,
        /// The text between the parentheses.
        text: Option<String>,
    },
}

/// `CREATE RESOURCE GROUP`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateResourceGroup {
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// The group.
    pub name: String,
    /// Its options.
    pub options: Vec<ResourceGroupOption>,
}

/// `ALTER RESOURCE GROUP`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterResourceGroup {
    /// `IF EXISTS`.
    pub if_exists: bool,
    /// The group.
    pub name: String,
    /// Its options.
    pub options: Vec<ResourceGroupOption>,
}

/// `DROP RESOURCE GROUP`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropResourceGroup {
    /// `IF EXISTS`.
    pub if_exists: bool,
    /// The group.
    pub name: String,
}
