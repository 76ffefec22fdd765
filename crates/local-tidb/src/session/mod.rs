//! Sessions: statements of one client, its transaction and its variables.

mod dispatch;
mod prepared;
mod set;
mod show;
mod show_create;
mod transaction;
pub(crate) mod variable_table;
mod variable_value;
mod variables;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use tidb_codec::Datum;
use tidb_sql::ParsedStatement;

pub use prepared::PreparedInfo;
pub(crate) use show::{column_default, extra_text, key_text};
pub(crate) use show_create::type_text;
pub(crate) use variables::{NoVariables, SessionVariables};

use self::variable_table::SERVER_VERSION;
use crate::engine::{Engine, Process};
use crate::exec::query::{ResultColumn, RowSet};
use crate::store::Txn;
use tidb_expr::{EvalContext, SessionFacts, Warning};
use tidb_expr::{Result, SqlError};

/// What a statement answers: rows if it has columns, else a count.
#[derive(Debug, Clone, Default)]
pub struct QueryResult {
    /// Columns; none for statements without rows.
    pub columns: Vec<ResultColumn>,
    /// Rows.
    pub rows: Vec<Vec<Datum>>,
    /// Rows changed.
    pub affected: u64,
    /// First number that AUTO_INCREMENT gave, else 0.
    pub last_insert_id: u64,
    /// Number of warnings.
    pub warnings: u16,
    /// Text such as `Rows matched: 1  Changed: 1  Warnings: 0`.
    pub info: String,
}

impl From<RowSet> for QueryResult {
    fn from(set: RowSet) -> Self {
        Self { columns: set.columns, rows: set.rows, ..Self::default() }
    }
}

/// One client's session.
#[derive(Debug)]
pub struct Session {
    /// The engine.
    engine: Arc<Engine>,
    /// Number of the connection.
    id: u64,
    /// `user@host`.
    user: String,
    /// Current database.
    database: Option<String>,
    /// System and user variables.
    variables: SessionVariables,
    /// The open transaction.
    txn: Option<Txn>,
    /// `BEGIN` was said: it lasts until `COMMIT` or `ROLLBACK`.
    explicit: bool,
    /// Warnings of the last statement.
    warnings: Vec<Warning>,
    /// What `ROW_COUNT()` answers.
    row_count: i64,
    /// What `FOUND_ROWS()` answers.
    found_rows: u64,
    /// Statements prepared over the protocol, by number.
    prepared: HashMap<u32, Arc<prepared::Prepared>>,
    /// Statements prepared by `PREPARE`, by lower-case name.
    named: HashMap<String, Arc<prepared::Prepared>>,
    /// Number of the next prepared statement.
    next_statement: u32,
}

impl Session {
    /// Opens a session.
    pub fn new(engine: Arc<Engine>, user: &str) -> Self {
        let id = engine.next_connection_id();
        Self::with_id(engine, id, user)
    }

    /// Opens a session with a connection number given by the caller.
    pub fn with_id(engine: Arc<Engine>, id: u64, user: &str) -> Self {
        let process =
            Process { user: user.to_owned(), database: None, statement: None, since: Instant::now() };
        engine.processes.lock().insert(id, process);
        Self {
            variables: SessionVariables::new(Arc::clone(&engine)),
            engine,
            id,
            user: user.to_owned(),
            database: None,
            txn: None,
            explicit: false,
            warnings: Vec::new(),
            row_count: 0,
            found_rows: 0,
            prepared: HashMap::new(),
            named: HashMap::new(),
            next_statement: 1,
        }
    }

    /// Runs all statements of a text. The results of those before a failing one are lost; use [`Session::parse`] and
    /// [`Session::run`] to keep them.
    ///
    /// # Errors
    /// The first failing statement's.
    pub async fn execute(&mut self, sql: &str) -> Result<Vec<QueryResult>> {
        let mut out = Vec::new();
        for statement in self.parse(sql)? {
            let text = sql.get(statement.range.clone()).unwrap_or(sql);
            out.push(self.run(&statement, text).await?);
        }
        Ok(out)
    }

    /// Parses a text under the session's SQL mode.
    ///
    /// # Errors
    /// 1064, 1065.
    pub fn parse(&self, sql: &str) -> Result<Vec<ParsedStatement>> {
        tidb_sql::parse(sql, self.variables.parser_mode).map_err(|e| SqlError::new(e.code(), e.to_string()))
    }

    /// Runs one statement; `text` is its text.
    ///
    /// # Errors
    /// The statement's.
    pub async fn run(&mut self, statement: &ParsedStatement, text: &str) -> Result<QueryResult> {
        if statement.placeholders > 0 {
            return Err(SqlError::new(
                1064,
                "You have an error in your SQL syntax; placeholders need a prepared statement",
            ));
        }
        self.run_with(&statement.statement, text, &[]).await
    }

    /// The context of a statement that starts now.
    fn context(&self) -> EvalContext {
        let fixed: f64 = self.variables.get("timestamp").parse().unwrap_or(0.0);
        let now = if fixed > 0.0 {
            jiff::Timestamp::from_microsecond((fixed * 1e6) as i64).unwrap_or_else(|_| jiff::Timestamp::now())
        } else {
            jiff::Timestamp::now()
        };
        let facts = SessionFacts {
            server_version: SERVER_VERSION,
            connection_id: self.id,
            database: self.database.clone(),
            user: self.user.clone(),
            last_insert_id: self.variables.last_insert_id,
            row_count: self.row_count,
            found_rows: self.found_rows,
        };
        EvalContext::new(now, self.variables.zone.clone(), self.variables.mode, facts)
    }

    /// Number of the connection.
    pub fn connection_id(&self) -> u64 {
        self.id
    }

    /// Current database.
    pub fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// Whether a transaction is open that the client must end.
    pub fn in_transaction(&self) -> bool {
        self.txn.is_some()
    }

    /// Whether every statement is its own transaction.
    pub fn autocommit(&self) -> bool {
        self.variables.is_on("autocommit")
    }

    /// Whether a backslash in text is an ordinary character.
    pub fn no_backslash_escapes(&self) -> bool {
        self.variables.mode.no_backslash_escapes
    }

    /// Makes a database the current one.
    ///
    /// # Errors
    /// 1049.
    pub fn use_database(&mut self, name: &str) -> Result<()> {
        let schema = self.engine.schema();
        let name = if name.eq_ignore_ascii_case("information_schema") {
            "information_schema".to_owned()
        } else {
            schema.expect_database(name)?.info.name.o.clone()
        };
        self.database = Some(name);
        Ok(())
    }

    /// Sets the connection's character set and collation by the collation's number; unknown ones are ignored.
    pub fn set_collation(&mut self, id: u16) {
        if let Some(name) = tidb_expr::collation::connection_name(id)
            && let Some((charset, _)) = name.split_once('_')
        {
            let charset = charset.to_owned();
            if let Err(error) = self.variables.set_names(Some(&charset), Some(name)) {
                tracing::debug!(%error, "collation of a client");
            }
        }
    }

    /// Rolls back and forgets all state, as a fresh connection would have.
    pub async fn reset(&mut self) {
        self.rollback_open().await;
        self.variables.reset_all();
        self.prepared.clear();
        self.named.clear();
        self.warnings.clear();
        self.row_count = 0;
        self.found_rows = 0;
    }

    /// Ends the session.
    pub async fn close(mut self) {
        self.rollback_open().await;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.engine.processes.lock().remove(&self.id);
    }
}
