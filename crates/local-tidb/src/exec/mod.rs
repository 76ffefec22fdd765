//! Execution of statements on rows.

pub(crate) mod access;
pub(crate) mod aggregate;
pub(crate) mod assign;
pub(crate) mod delete;
pub(crate) mod group_key;
pub(crate) mod insert;
pub(crate) mod join;
pub(crate) mod memory_tables;
pub(crate) mod query;
pub(crate) mod reader;
pub(crate) mod relation;
pub(crate) mod select;
pub(crate) mod set_operation;
pub(crate) mod target;
pub(crate) mod update;

use std::sync::Arc;

use sqlparser::ast::{self, Query};
use tidb_codec::Datum;

use crate::catalog::{Schema, Table};
use crate::engine::Engine;
use crate::session::SessionVariables;
use crate::store::Txn;
use tidb_expr::bind::{Binder, Scope};
use tidb_expr::{EvalContext, ResultType};
use tidb_expr::{Result, SqlError};

/// Most bytes that the rows of one statement may take.
pub(crate) const MAX_STATEMENT_BYTES: usize = 512 << 20;
/// Bytes that a value takes beside its text.
const DATUM_BYTES: usize = std::mem::size_of::<Datum>();

/// A row while it is worked on.
pub(crate) type Row = Vec<Datum>;

/// What a statement is executed with.
pub(crate) struct Exec<'a> {
    /// Shared state.
    pub(crate) engine: &'a Arc<Engine>,
    /// The schema in force.
    pub(crate) schema: Arc<Schema>,
    /// The transaction.
    pub(crate) txn: &'a mut Txn,
    /// The session's variables.
    pub(crate) variables: &'a SessionVariables,
    /// Current database.
    pub(crate) database: Option<String>,
    /// Values of placeholders.
    pub(crate) params: &'a [(Datum, ResultType)],
    /// Time, zone, mode; takes the warnings.
    pub(crate) cx: EvalContext,
    /// Bytes of rows held so far.
    pub(crate) memory: usize,
    /// Number of the connection.
    pub(crate) connection_id: u64,
    /// Only the columns are wanted: no rows are read.
    pub(crate) describe: bool,
}

/// What a row change did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Changed {
    /// Rows changed, as MySQL counts them.
    pub(crate) affected: u64,
    /// First number that AUTO_INCREMENT gave, else 0.
    pub(crate) last_insert_id: u64,
    /// Text behind the count, e.g. `Rows matched: 1  Changed: 1  Warnings: 0`.
    pub(crate) info: String,
}

/// Bytes that a row takes.
pub(crate) fn row_bytes(row: &[Datum]) -> usize {
    let text = |v: &Datum| match v {
        Datum::Bytes(b) => b.len(),
        Datum::Json(j) => j.value().len(),
        _ => 0,
    };
    row.iter().map(|v| DATUM_BYTES + text(v)).sum()
}

impl Exec<'_> {
    /// Counts a row that is kept.
    ///
    /// # Errors
    /// 8175 when the statement holds too much.
    pub(crate) fn hold(&mut self, row: &[Datum]) -> Result<()> {
        self.memory += row_bytes(row);
        if self.memory > MAX_STATEMENT_BYTES {
            return Err(SqlError::out_of_memory(self.connection_id));
        }
        Ok(())
    }

    /// Database and table that a name stands for.
    ///
    /// # Errors
    /// 1046, 1146, names of more than two parts.
    pub(crate) fn table(&self, name: &ast::ObjectName) -> Result<Arc<Table>> {
        let (db, table) = self.split_name(name)?;
        let found = self.schema.expect_table(&db, &table)?;
        if !found.is_base_table() {
            return Err(SqlError::unsupported(format!("reading view or sequence '{table}'")));
        }
        if found.info.enabled_partition().is_some() {
            return Err(SqlError::unsupported("partitioned tables"));
        }
        Ok(Arc::clone(found))
    }

    /// Database and name.
    ///
    /// # Errors
    /// 1046.
    pub(crate) fn split_name(&self, name: &ast::ObjectName) -> Result<(String, String)> {
        let parts: Vec<&str> = name
            .0
            .iter()
            .map(|part| match part {
                ast::ObjectNamePart::Identifier(ident) => Ok(ident.value.as_str()),
                ast::ObjectNamePart::Function(_) => Err(SqlError::unsupported(format!("name {name}"))),
            })
            .collect::<Result<_>>()?;
        match parts.as_slice() {
            [table] => {
                let db = self.database.clone().ok_or_else(SqlError::no_database)?;
                Ok((db, (*table).to_owned()))
            }
            [db, table] => Ok(((*db).to_owned(), (*table).to_owned())),
            _ => Err(SqlError::unsupported(format!("name {name}"))),
        }
    }

    /// A binder for a clause.
    pub(crate) fn binder<'b>(
        &'b self,
        scope: &'b Scope,
        subqueries: &'b mut Vec<Query>,
        clause: &'static str,
    ) -> Binder<'b> {
        let mut binder = Binder::new(scope, self.variables, self.params, subqueries, clause);
        binder.no_backslash_escapes = self.cx.mode.no_backslash_escapes;
        binder
    }

    /// Runs the subqueries that binding has met, so that expressions find their results.
    ///
    /// # Errors
    /// What the subqueries fail with.
    pub(crate) async fn run_subqueries(&mut self, subqueries: Vec<Query>, outer: &Scope) -> Result<()> {
        let mut results = Vec::with_capacity(subqueries.len());
        for query in subqueries {
            // A subquery has subqueries of its own; those of this level wait in `results`.
            results.push(self.query(&query).await.map_err(|e| name_correlation(e, outer))?.rows);
        }
        self.cx.subqueries = results;
        Ok(())
    }
}

/// A column that a subquery does not know but the query around it does: such subqueries are refused by name.
fn name_correlation(error: SqlError, outer: &Scope) -> SqlError {
    if error.code != 1054 {
        return error;
    }
    let name = error.message.split('\'').nth(1).unwrap_or_default();
    let path: Vec<&str> = name.split('.').collect();
    match outer.find(&path, "where clause") {
        Ok(_) => SqlError::unsupported(format!("correlated subqueries (on {name})")),
        Err(_) => error,
    }
}
