//! Transactions, locks, prepared statements, and what controls a session or server.

use sqlparser::ast::Expr;

use crate::ddl::TableName;

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

/// Where a prepared statement's text comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrepareSource {
    /// A string.
    Text(String),
    /// A user variable (without `@`).
    Variable(String),
}

/// `PREPARE name FROM …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepare {
    /// The name.
    pub name: String,
    /// The text.
    pub source: PrepareSource,
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
