//! `SHOW` and `EXPLAIN`.

use sqlparser::ast::Expr;

use crate::ddl::TableName;
use crate::statement::Statement;

/// `LIKE 'pattern'` or `WHERE condition` of `SHOW`.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant)] // short-lived, few at a time
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
