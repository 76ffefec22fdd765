//! Prepared statements, of the protocol and of `PREPARE`.

use std::sync::Arc;

use tidb_codec::Datum;
use tidb_sql::utility::{Execute, Prepare, PrepareSource};
use tidb_sql::{ParsedStatement, Statement};

use super::dispatch::{RowStatement, row_kind};
use super::{QueryResult, Session};
use crate::exec::query::ResultColumn;
use tidb_expr::bind::type_of_value;
use tidb_expr::{Result, SqlError};
use tidb_expr::{ResultType, coerce};

/// Most statements that a session keeps prepared.
const MAX_PREPARED: usize = 16_382;

/// A prepared statement.
#[derive(Debug)]
pub(super) struct Prepared {
    /// The statement.
    statement: ParsedStatement,
    /// Its text.
    text: String,
}

/// What a client learns when it prepares a statement.
#[derive(Debug, Clone, Default)]
pub struct PreparedInfo {
    /// Number by which to execute it.
    pub id: u32,
    /// Number of placeholders.
    pub params: usize,
    /// Columns of its result, as far as they are known.
    pub columns: Vec<ResultColumn>,
}

impl Session {
    /// Parses a text that must be one statement of a kind that can be prepared.
    fn parse_one(&self, sql: &str) -> Result<Prepared> {
        let mut statements = self.parse(sql)?;
        match (statements.pop(), statements.is_empty()) {
            (Some(statement), true) => {
                if matches!(
                    statement.statement,
                    Statement::Prepare(_) | Statement::Execute(_) | Statement::Deallocate(_)
                ) {
                    return Err(SqlError::new(
                        1295,
                        "This command is not supported in the prepared statement protocol yet",
                    ));
                }
                let text = sql.get(statement.range.clone()).unwrap_or(sql).to_owned();
                Ok(Prepared { statement, text })
            }
            _ => Err(SqlError::new(8115, "Can not prepare multiple statements")),
        }
    }

    /// Prepares a statement.
    ///
    /// # Errors
    /// Syntax, unknown names, too many prepared statements.
    pub async fn prepare(&mut self, sql: &str) -> Result<PreparedInfo> {
        if self.prepared.len() >= MAX_PREPARED {
            return Err(SqlError::new(
                1461,
                format!(
                    "Can't create more than max_prepared_stmt_count statements (current value: {MAX_PREPARED})"
                ),
            ));
        }
        let prepared = self.parse_one(sql)?;
        let params = prepared.statement.placeholders;
        let columns = self.describe(&prepared).await?;
        let id = self.next_statement;
        self.next_statement = self.next_statement.wrapping_add(1).max(1);
        self.prepared.insert(id, Arc::new(prepared));
        Ok(PreparedInfo { id, params, columns })
    }

    /// The columns of a query's result, without reading rows.
    async fn describe(&mut self, prepared: &Prepared) -> Result<Vec<ResultColumn>> {
        let kind = match row_kind(&prepared.statement.statement)? {
            Some(kind @ super::dispatch::RowKind::Query(_)) => kind,
            _ => return Ok(Vec::new()),
        };
        // Any whole number will do where a placeholder stands, `LIMIT` included.
        let params = vec![(Datum::Int(0), ResultType::int()); prepared.statement.placeholders];
        let job = RowStatement { kind, params: &params, describe: true };
        let result = self.in_transaction_run(&job).await?;
        Ok(result.columns)
    }

    /// Runs a prepared statement.
    ///
    /// # Errors
    /// 1243 for an unknown one, 1210 for a wrong number of values; the statement's.
    pub async fn execute_prepared(&mut self, id: u32, params: Vec<Datum>) -> Result<QueryResult> {
        let prepared = self.prepared.get(&id).cloned().ok_or_else(|| {
            SqlError::new(1243, format!("Unknown prepared statement handler ({id}) given to EXECUTE"))
        })?;
        self.run_prepared(&prepared, params).await
    }

    /// Runs a prepared statement with values for its placeholders; 1210 if their number is wrong.
    async fn run_prepared(&mut self, prepared: &Prepared, params: Vec<Datum>) -> Result<QueryResult> {
        if params.len() != prepared.statement.placeholders {
            return Err(SqlError::new(1210, "Incorrect arguments to EXECUTE"));
        }
        let typed: Vec<(Datum, ResultType)> =
            params.into_iter().map(|v| (v.clone(), type_of_value(&v))).collect();
        Box::pin(self.run_with(&prepared.statement.statement, &prepared.text, &typed)).await
    }

    /// Forgets a prepared statement.
    pub fn close_statement(&mut self, id: u32) {
        self.prepared.remove(&id);
    }

    /// `PREPARE name FROM …`.
    pub(super) async fn prepare_named(&mut self, prepare: &Prepare) -> Result<QueryResult> {
        let sql = match &prepare.source {
            PrepareSource::Text(text) => text.clone(),
            PrepareSource::Variable(name) => {
                use tidb_expr::bind::Variables as _;
                let value = self.variables.user(&name.to_ascii_lowercase());
                coerce::string(&value, &type_of_value(&value)).unwrap_or_default()
            }
        };
        let prepared = self.parse_one(&sql)?;
        self.named.insert(prepare.name.to_lowercase(), Arc::new(prepared));
        Ok(QueryResult::default())
    }

    /// The statement that `PREPARE` gave a name; 1243 without one.
    fn named(&self, name: &str) -> Result<Arc<Prepared>> {
        self.named.get(&name.to_lowercase()).cloned().ok_or_else(|| {
            SqlError::new(1243, format!("Unknown prepared statement handler ({name}) given to EXECUTE"))
        })
    }

    /// `EXECUTE name USING …`.
    pub(super) async fn execute_named(&mut self, execute: &Execute) -> Result<QueryResult> {
        use tidb_expr::bind::Variables as _;
        let prepared = self.named(&execute.name)?;
        let params = execute
            .using
            .iter()
            .map(|name| self.variables.user(&name.trim_start_matches('@').to_ascii_lowercase()))
            .collect();
        self.run_prepared(&prepared, params).await
    }

    /// `DEALLOCATE PREPARE name`.
    pub(super) fn deallocate_named(&mut self, name: &str) -> Result<QueryResult> {
        match self.named.remove(&name.to_lowercase()) {
            Some(_) => Ok(QueryResult::default()),
            None => Err(SqlError::new(
                1243,
                format!("Unknown prepared statement handler ({name}) given to DEALLOCATE PREPARE"),
            )),
        }
    }
}
