//! A parsed statement and where it stands in the text.

use std::ops::Range;

use sqlparser::ast;

use crate::account::AccountStatement;
use crate::ddl::Ddl;
use crate::utility::{
    AdminStatement, AnalyzeTable, BatchDml, Begin, Call, Deallocate, Execute, Explain, Flush, ImportInto,
    Kill, LoadData, LoadStats, LockTables, PlanReplayer, Prepare, SetStatement, Show, SplitRegion,
};

/// One statement of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedStatement {
    /// What it says.
    pub statement: Statement,
    /// Byte range of its original text: without surrounding blanks and the `;`. Comments at its start are included,
    /// as TiDB includes them.
    pub range: Range<usize>,
    /// Number of `?` placeholders in it.
    pub placeholders: usize,
    /// Of a query: the column headers of its first `SELECT`, item by item. An alias, a column's name, a string's
    /// value, else the item's text as typed (`1+1`); a wildcard's is `*` or `t.*`. Empty for other statements.
    pub headers: Vec<String>,
}

/// What a statement says.
///
/// `ast` is `sqlparser::ast`; see [`crate::expression`] for the conventions of its use.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant)]
pub enum Statement {
    /// Changes of schemas, tables, views, sequences, placement policies and resource groups.
    Ddl(Box<Ddl>),
    /// `SELECT`, `VALUES`, `TABLE t`, set operations, `WITH`.
    Query(Box<ast::Query>),
    /// `INSERT`: the `ignore`, `priority`, `columns`, `source` or `assignments`, `on`, `insert_alias` and
    /// `partitioned` fields are used. `INSERT INTO t () VALUES ()` has a source of `VALUES` with empty rows.
    Insert(Box<ast::Insert>),
    /// `REPLACE`: as [`Statement::Insert`], with `replace_into` set.
    Replace(Box<ast::Insert>),
    /// `UPDATE`: several comma-separated tables come as `CROSS JOIN`s of one [`ast::TableWithJoins`].
    Update {
        /// The statement; `or` is unused.
        update: Box<ast::Update>,
        /// `IGNORE` was given.
        ignore: bool,
        /// `WITH …` before it.
        with: Option<ast::With>,
    },
    /// `DELETE`: one-table form, `DELETE t1, t2 FROM …` (`tables` is set), `DELETE FROM t1, t2 USING …` (`using` is set).
    Delete {
        /// The statement.
        delete: Box<ast::Delete>,
        /// `IGNORE` was given.
        ignore: bool,
        /// `WITH …` before it.
        with: Option<ast::With>,
    },
    /// `LOAD DATA`.
    LoadData(Box<LoadData>),
    /// `IMPORT INTO`.
    ImportInto(Box<ImportInto>),
    /// `LOAD STATS 'path'`.
    LoadStats(LoadStats),
    /// `BATCH ON column LIMIT n` before a row change.
    Batch(Box<BatchDml>),
    /// `USE schema`.
    Use(String),
    /// `SHOW …`.
    Show(Box<Show>),
    /// `EXPLAIN statement`, `EXPLAIN ANALYZE`, `EXPLAIN FOR CONNECTION`; `DESCRIBE t` is [`Explain::Table`].
    Explain(Box<Explain>),
    /// `SET …`.
    Set(SetStatement),
    /// `BEGIN`, `START TRANSACTION`.
    Begin(Begin),
    /// `COMMIT [AND [NO] CHAIN] [[NO] RELEASE]`.
    Commit {
        /// `AND CHAIN`: start a new transaction at once.
        chain: bool,
        /// `RELEASE`: disconnect.
        release: bool,
    },
    /// `ROLLBACK [TO [SAVEPOINT] name] [AND [NO] CHAIN] [[NO] RELEASE]`.
    Rollback {
        /// Savepoint to go back to.
        savepoint: Option<String>,
        /// `AND CHAIN`.
        chain: bool,
        /// `RELEASE`.
        release: bool,
    },
    /// `SAVEPOINT name`.
    Savepoint(String),
    /// `RELEASE SAVEPOINT name`.
    ReleaseSavepoint(String),
    /// `LOCK TABLES …`.
    LockTables(LockTables),
    /// `UNLOCK TABLES`.
    UnlockTables,
    /// `LOCK STATS`, `UNLOCK STATS` on tables: `lock` tells which.
    LockStats {
        /// Lock, or unlock.
        lock: bool,
        /// The tables.
        tables: Vec<crate::ddl::TableName>,
    },
    /// `SPLIT [REGION FOR] [PARTITION] TABLE …`.
    SplitRegion(Box<SplitRegion>),
    /// `ADMIN …`.
    Admin(Box<AdminStatement>),
    /// `PREPARE name FROM …`.
    Prepare(Prepare),
    /// `EXECUTE name [USING @a, …]`.
    Execute(Execute),
    /// `DEALLOCATE PREPARE name`, `DROP PREPARE name`.
    Deallocate(Deallocate),
    /// `DO expr, …`.
    Do(Vec<ast::Expr>),
    /// `CALL procedure(…)`.
    Call(Call),
    /// `KILL [TIDB] [CONNECTION | QUERY] id`.
    Kill(Kill),
    /// `FLUSH …`.
    Flush(Flush),
    /// `ANALYZE TABLE …`.
    Analyze(Box<AnalyzeTable>),
    /// `PLAN REPLAYER …`.
    PlanReplayer(Box<PlanReplayer>),
    /// Users, roles, privileges.
    Account(Box<AccountStatement>),
    /// `TRACE [FORMAT = '…'] statement`.
    Trace {
        /// Output format, if given.
        format: Option<String>,
        /// The traced statement.
        statement: Box<Statement>,
    },
    /// `HELP 'topic'`.
    Help(String),
    /// `SHUTDOWN`.
    Shutdown,
    /// `RESTART`.
    Restart,
    /// `BINLOG 'base64'`.
    Binlog(String),
    /// A statement that TiDB has and that is recognised by name only: its words are not looked into. A server
    /// refuses it by this name.
    Other {
        /// The statement's name, e.g. `BACKUP`, `CREATE BINDING`.
        name: &'static str,
    },
}
