//! One statement: what kind it is and who runs it.

use std::sync::Arc;
use std::time::Instant;

use sqlparser::ast;
use tidb_codec::Datum;
use tidb_sql::Statement;

use super::{QueryResult, Session};
use crate::ddl::{self, DdlContext, job::Origin};
use crate::exec::{Changed, Exec, select::locks_rows};
use crate::store::Txn;
use tidb_expr::bind::{Binder, Scope};
use tidb_expr::{Level, ResultType};
use tidb_expr::{Result, SqlError};

/// Characters of a running statement that `SHOW PROCESSLIST` shows.
const SHOWN_STATEMENT_CHARS: usize = 1024;

/// A statement that reads or changes rows.
pub(super) struct RowStatement<'a> {
    /// The statement.
    pub(super) kind: RowKind<'a>,
    /// Values of placeholders.
    pub(super) params: &'a [(Datum, ResultType)],
    /// Only the columns are wanted.
    pub(super) describe: bool,
}

/// Kinds of statements on rows.
pub(super) enum RowKind<'a> {
    /// `SELECT` and its kin.
    Query(&'a ast::Query),
    /// `INSERT` and `REPLACE`.
    Insert(&'a ast::Insert),
    /// `UPDATE`; whether with `IGNORE`.
    Update(&'a ast::Update, bool),
    /// `DELETE`.
    Delete(&'a ast::Delete),
}

impl RowStatement<'_> {
    /// Whether it locks what it reads, and so reads the newest data.
    pub(super) fn locks(&self) -> bool {
        match &self.kind {
            RowKind::Query(query) => locks_rows(query),
            _ => true,
        }
    }
}

/// The row statement in a parsed one, if it is one.
pub(super) fn row_kind(statement: &Statement) -> Result<Option<RowKind<'_>>> {
    Ok(match statement {
        Statement::Query(query) => Some(RowKind::Query(query)),
        Statement::Insert(insert) | Statement::Replace(insert) => Some(RowKind::Insert(insert)),
        Statement::Update { with: Some(_), .. } => {
            return Err(SqlError::unsupported("WITH (common table expressions)"));
        }
        Statement::Update { update, ignore, .. } => Some(RowKind::Update(update, *ignore)),
        Statement::Delete { with: Some(_), .. } => {
            return Err(SqlError::unsupported("WITH (common table expressions)"));
        }
        Statement::Delete { ignore: true, .. } => return Err(SqlError::unsupported("DELETE IGNORE")),
        Statement::Delete { delete, .. } => Some(RowKind::Delete(delete)),
        _ => None,
    })
}

impl Session {
    /// Runs a statement with values for its placeholders.
    ///
    /// # Errors
    /// The statement's.
    pub(super) async fn run_with(
        &mut self,
        statement: &Statement,
        text: &str,
        params: &[(Datum, ResultType)],
    ) -> Result<QueryResult> {
        self.note_process(Some(text));
        let diagnostic = matches!(statement, Statement::Show(show)
            if matches!(**show, tidb_sql::utility::Show::Warnings { .. } | tidb_sql::utility::Show::Errors { .. }));
        if !diagnostic {
            self.warnings.clear();
        }
        let result = Box::pin(self.dispatch(statement, text, params)).await;
        self.note_process(None);
        match result {
            Ok(mut result) => {
                self.row_count = if result.columns.is_empty() { result.affected as i64 } else { -1 };
                if !result.columns.is_empty() {
                    self.found_rows = result.rows.len() as u64;
                }
                if result.last_insert_id > 0 {
                    self.variables.last_insert_id = result.last_insert_id;
                }
                result.warnings = u16::try_from(self.warnings.len()).unwrap_or(u16::MAX);
                if result.warnings > 0 && result.info.ends_with("Warnings: 0") {
                    let head = result.info.trim_end_matches('0').to_owned();
                    result.info = format!("{head}{}", result.warnings);
                }
                Ok(result)
            }
            Err(error) => {
                self.row_count = -1;
                self.warnings.push(tidb_expr::Warning {
                    level: Level::Error,
                    code: error.code,
                    message: error.message.clone(),
                });
                Err(error)
            }
        }
    }

    /// Shows the running statement to `SHOW PROCESSLIST`.
    fn note_process(&self, statement: Option<&str>) {
        if let Some(process) = self.engine.processes.lock().get_mut(&self.id) {
            process.statement = statement.map(|text| text.chars().take(SHOWN_STATEMENT_CHARS).collect());
            process.since = Instant::now();
            process.database = self.database.clone();
        }
    }

    /// Runs a statement by its kind.
    async fn dispatch(
        &mut self,
        statement: &Statement,
        text: &str,
        params: &[(Datum, ResultType)],
    ) -> Result<QueryResult> {
        if let Some(kind) = row_kind(statement)? {
            let job = RowStatement { kind, params, describe: false };
            return Box::pin(self.in_transaction_run(&job)).await;
        }
        match statement {
            Statement::Ddl(ddl) => Box::pin(self.run_ddl(ddl, text)).await,
            Statement::Use(name) => self.use_database(name).map(|()| QueryResult::default()),
            Statement::Show(show) => Box::pin(self.show(show)).await,
            Statement::Explain(explain) => self.explain(explain).await,
            Statement::Set(set) => Box::pin(self.set(set)).await.map(|()| QueryResult::default()),
            Statement::Begin(begin) => self.begin(begin).await.map(|()| QueryResult::default()),
            Statement::Commit { chain, .. } => {
                self.commit_open().await?;
                self.chain(*chain).await
            }
            Statement::Rollback { savepoint: None, chain, .. } => {
                self.rollback_open().await;
                self.chain(*chain).await
            }
            Statement::Rollback { savepoint: Some(name), .. } => {
                let missing = || SqlError::new(1305, format!("SAVEPOINT {name} does not exist"));
                self.txn.as_mut().ok_or_else(missing)?.rollback_to(name)?;
                Ok(QueryResult::default())
            }
            Statement::Savepoint(name) => {
                if let Some(txn) = self.txn.as_mut() {
                    txn.savepoint(name);
                }
                Ok(QueryResult::default())
            }
            Statement::ReleaseSavepoint(name) => {
                let missing = || SqlError::new(1305, format!("SAVEPOINT {name} does not exist"));
                self.txn.as_mut().ok_or_else(missing)?.release_savepoint(name)?;
                Ok(QueryResult::default())
            }
            Statement::Prepare(prepare) => Box::pin(self.prepare_named(prepare)).await,
            Statement::Execute(execute) => Box::pin(self.execute_named(execute)).await,
            Statement::Deallocate(deallocate) => self.deallocate_named(&deallocate.name),
            Statement::Do(exprs) => self.run_do(exprs),
            Statement::Flush(_) | Statement::UnlockTables => Ok(QueryResult::default()),
            Statement::Analyze(_) => Ok(QueryResult::default()),
            other => Err(SqlError::unsupported(statement_name(other))),
        }
    }

    /// `AND CHAIN`.
    async fn chain(&mut self, chain: bool) -> Result<QueryResult> {
        if chain {
            self.begin(&tidb_sql::utility::Begin::default()).await?;
        }
        Ok(QueryResult::default())
    }

    /// `DO expr, …`: computed and forgotten.
    fn run_do(&mut self, exprs: &[ast::Expr]) -> Result<QueryResult> {
        let cx = self.context();
        let (scope, mut subqueries) = (Scope::default(), Vec::new());
        for expr in exprs {
            let bound =
                Binder::new(&scope, &self.variables, &[], &mut subqueries, "field list").bind(expr)?;
            if !subqueries.is_empty() {
                return Err(SqlError::unsupported("subqueries in DO"));
            }
            bound.eval(&[], &cx)?;
        }
        self.warnings = cx.take_warnings();
        Ok(QueryResult::default())
    }

    /// Runs a DDL statement, which ends the open transaction.
    async fn run_ddl(&mut self, ddl: &tidb_sql::Ddl, text: &str) -> Result<QueryResult> {
        // DDL ends an open transaction.
        self.commit_open().await?;
        let cx = self.context();
        let context = DdlContext {
            engine: &self.engine,
            database: self.database.clone(),
            variables: &self.variables,
            cx: &cx,
            origin: Origin {
                query: text.to_owned(),
                connection_id: self.id,
                sql_mode: self.variables.sql_mode_bits(),
                cdc_write_source: self.variables.number("tidb_cdc_write_source"),
            },
        };
        let result = Box::pin(ddl::execute(&context, ddl)).await;
        drop(context);
        self.warnings = cx.take_warnings();
        result?;
        if let tidb_sql::Ddl::DropDatabase(d) = ddl
            && self.database.as_ref().is_some_and(|current| current.eq_ignore_ascii_case(&d.name))
        {
            self.database = None;
        }
        Ok(QueryResult::default())
    }

    /// Runs a row statement once.
    pub(super) async fn run_rows(&mut self, txn: &mut Txn, job: &RowStatement<'_>) -> Result<QueryResult> {
        let mut exec = Exec {
            engine: &self.engine,
            schema: Arc::clone(&txn.schema),
            txn,
            variables: &self.variables,
            database: self.database.clone(),
            params: job.params,
            cx: self.context(),
            memory: 0,
            connection_id: self.id,
            describe: job.describe,
        };
        let result = match &job.kind {
            RowKind::Query(query) => exec.query(query).await.map(QueryResult::from),
            RowKind::Insert(insert) => Box::pin(exec.insert(insert)).await.map(QueryResult::from),
            RowKind::Update(update, ignore) => {
                Box::pin(exec.update(update, *ignore)).await.map(QueryResult::from)
            }
            RowKind::Delete(delete) => Box::pin(exec.delete(delete)).await.map(QueryResult::from),
        };
        let warnings = exec.cx.take_warnings();
        self.warnings = warnings;
        result
    }
}

impl From<Changed> for QueryResult {
    fn from(changed: Changed) -> Self {
        Self {
            affected: changed.affected,
            last_insert_id: changed.last_insert_id,
            info: changed.info,
            ..Self::default()
        }
    }
}

/// Name of a statement that this server does not have.
fn statement_name(statement: &Statement) -> String {
    if let Statement::Other { name } = statement {
        return (*name).to_owned();
    }
    let debug = format!("{statement:?}");
    let variant = debug.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    let mut name = String::new();
    for c in variant.chars() {
        if c.is_uppercase() && !name.is_empty() {
            name.push(' ');
        }
        name.push(c.to_ascii_uppercase());
    }
    name
}
