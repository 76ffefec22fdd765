//! `SHOW`, `DESCRIBE`, `EXPLAIN`.

mod columns;
mod objects;
mod server;

use std::sync::Arc;

use sqlparser::ast;
use tidb_codec::Datum;
use tidb_sql::ddl::TableName;
use tidb_sql::utility::{Explain, Show, ShowFilter};

use super::{QueryResult, Session};
use crate::catalog::Table;
use crate::exec::query::{ResultColumn, output_scope};
use columns::{columns, indexes};
use server::{charsets, collations, engines, grants};
use tidb_expr::bind::{Binder, Scope};
use tidb_expr::collation;
use tidb_expr::{Expr, ResultType, like};
use tidb_expr::{Result, SqlError};

pub(crate) use columns::{column_default, extra_text, key_text};

impl Session {
    /// Runs a `SHOW`.
    ///
    /// # Errors
    /// Unknown objects, listings that this server does not have.
    pub(in crate::session) async fn show(&mut self, show: &Show) -> Result<QueryResult> {
        match show {
            Show::Databases { filter } => self.show_databases(filter.as_ref()),
            Show::Tables { full, schema, filter } => {
                self.show_tables(*full, schema.as_deref(), filter.as_ref())
            }
            Show::TableStatus { schema, filter } => {
                self.show_table_status(schema.as_deref(), filter.as_ref())
            }
            Show::Columns { full, table, filter, .. } => {
                let table = self.table(table)?;
                let result = columns(&table, *full);
                self.filtered(result, filter.as_ref())
            }
            Show::Index { table, filter } => {
                let table = self.table(table)?;
                let result = indexes(&table);
                self.filtered(result, filter.as_ref())
            }
            Show::CreateTable(name) => self.show_create_table(name).await,
            Show::CreateDatabase { name, .. } => self.show_create_database(name),
            Show::Variables { scope, filter } => self.show_variables(*scope, filter.as_ref()),
            Show::Status { filter, .. } => self.show_status(filter.as_ref()),
            Show::Warnings { count, limit } => Ok(self.show_warnings(*count, *limit, false)),
            Show::Errors { count, limit } => Ok(self.show_warnings(*count, *limit, true)),
            Show::Engines { filter } => self.filtered(engines(), filter.as_ref()),
            Show::Collation { filter } => self.filtered(collations(), filter.as_ref()),
            Show::Charset { filter } => self.filtered(charsets(), filter.as_ref()),
            Show::ProcessList { .. } => Ok(self.show_processes()),
            Show::Grants { .. } => Ok(grants()),
            Show::MasterStatus => self.show_master_status().await,
            Show::TableNextRowId(name) => self.show_next_row_id(name).await,
            Show::Other { name, .. }
                if matches!(
                    name.as_str(),
                    "TRIGGERS" | "EVENTS" | "PLUGINS" | "FUNCTION STATUS" | "PROCEDURE STATUS"
                ) =>
            {
                Ok(texts(&["Name"], Vec::new()))
            }
            Show::Other { name, .. } => Err(SqlError::unsupported(format!("SHOW {name}"))),
            other => {
                let debug = format!("{other:?}");
                let name = debug.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
                Err(SqlError::unsupported(format!("SHOW {name}")))
            }
        }
    }

    /// `DESCRIBE` and `EXPLAIN`.
    ///
    /// # Errors
    /// As [`Session::show`].
    pub(in crate::session) async fn explain(&mut self, explain: &Explain) -> Result<QueryResult> {
        match explain {
            Explain::Table { table, column } => {
                let table = self.table(table)?;
                let filter = column.clone().map(ShowFilter::Like);
                self.filtered(columns(&table, false), filter.as_ref())
            }
            _ => Err(SqlError::unsupported("EXPLAIN")),
        }
    }

    /// A table of the named or the current database.
    fn table(&self, name: &TableName) -> Result<Arc<Table>> {
        let db = name.schema.clone().or_else(|| self.database.clone()).ok_or_else(SqlError::no_database)?;
        self.engine.schema().expect_table(&db, &name.name).cloned()
    }

    /// Keeps the rows that a filter accepts: `LIKE` looks at the first column.
    fn filtered(&self, mut result: QueryResult, filter: Option<&ShowFilter>) -> Result<QueryResult> {
        match filter {
            None => {}
            Some(ShowFilter::Like(pattern)) => {
                let ci = collation::by_name("utf8mb4_general_ci").unwrap_or_else(collation::utf8mb4_bin);
                result.rows.retain(|row| match row.first() {
                    Some(Datum::Bytes(value)) => like::matches(value, pattern.as_bytes(), Some('\\'), ci),
                    _ => false,
                });
            }
            Some(ShowFilter::Where(condition)) => {
                let (scope, mut subqueries) = (output_scope(&result.columns), Vec::new());
                let bound = self.bind_filter(condition, &scope, &mut subqueries)?;
                let cx = self.context();
                let mut kept = Vec::new();
                for row in std::mem::take(&mut result.rows) {
                    if bound.is_true(&row, &cx)? {
                        kept.push(row);
                    }
                }
                result.rows = kept;
            }
        }
        Ok(result)
    }

    /// Binds the condition of a filter to the columns of the listing.
    fn bind_filter(
        &self,
        condition: &ast::Expr,
        scope: &Scope,
        subqueries: &mut Vec<ast::Query>,
    ) -> Result<Expr> {
        let bound = Binder::new(scope, &self.variables, &[], subqueries, "where clause").bind(condition)?;
        if subqueries.is_empty() { Ok(bound) } else { Err(SqlError::unsupported("subqueries in SHOW")) }
    }
}

/// A text value.
fn text(value: impl Into<String>) -> Datum {
    Datum::Bytes(value.into().into_bytes())
}

/// A text value, or NULL.
fn text_or_null(value: Option<String>) -> Datum {
    value.map_or(Datum::Null, text)
}

/// A result of text columns.
fn texts(names: &[&str], rows: Vec<Vec<Datum>>) -> QueryResult {
    let columns = names
        .iter()
        .map(|n| ResultColumn::computed(*n, ResultType::text_of(256, collation::utf8mb4_bin())))
        .collect();
    QueryResult { columns, rows, ..QueryResult::default() }
}
