//! `INSERT` and `REPLACE`.

mod complete;
mod conflict;
mod given;

use std::sync::Arc;

use sqlparser::ast::{self, OnInsert, SetExpr, TableObject};

use super::assign::Bound;
use super::relation::table_columns;
use super::target::check_writable;
use super::{Changed, Exec};
use crate::catalog::Table;
use given::insert_columns;
use tidb_expr::bind::Scope;
use tidb_expr::{Result, SqlError};

pub(crate) use complete::positive;

/// What happens to a row whose key is taken.
enum OnDuplicate {
    /// It is an error.
    Fail,
    /// The row is left out, with a warning: `INSERT IGNORE`.
    Skip,
    /// The rows that are there go: `REPLACE`.
    Replace,
    /// The row that is there changes: `ON DUPLICATE KEY UPDATE`.
    Update(Vec<Bound>),
}

impl Exec<'_> {
    /// Runs an `INSERT` or `REPLACE`.
    ///
    /// # Errors
    /// What is wrong with the statement or its values, duplicates, storage failures.
    pub(crate) async fn insert(&mut self, insert: &ast::Insert) -> Result<Changed> {
        let TableObject::TableName(name) = &insert.table else {
            return Err(SqlError::unsupported("INSERT into a function"));
        };
        if insert.partitioned.is_some() {
            return Err(SqlError::unsupported("PARTITION selection"));
        }
        if insert.returning.is_some() {
            return Err(SqlError::unsupported("RETURNING"));
        }
        if insert.insert_alias.is_some() {
            return Err(SqlError::unsupported("aliases of inserted rows"));
        }
        let table = self.table(name)?;
        check_writable(&table)?;
        let columns = insert_columns(&table, insert)?;
        let given = self.given_rows(&table, insert, &columns).await?;
        self.cx.writing = true;
        if insert.ignore {
            self.cx.mode.strict = false;
        }
        let on_duplicate = self.on_duplicate(&table, insert).await?;
        let total = given.len();
        let mut rows = Vec::with_capacity(total);
        let mut auto = Vec::new();
        for (at, values) in given.into_iter().enumerate() {
            let (row, needs_id) = self.complete_row(&table, &columns, values, at + 1)?;
            if needs_id {
                auto.push(at);
            }
            self.hold(&row)?;
            rows.push(row);
        }
        let last_insert_id = self.number_rows(&table, &mut rows, &auto).await?;
        let stored = self.with_handles(&table, rows).await?;
        let affected = self.store_rows(&table, stored, &on_duplicate).await?;
        let info = if total > 1
            || insert.source.as_ref().is_some_and(|s| !matches!(s.body.as_ref(), SetExpr::Values(_)))
        {
            let duplicates = match on_duplicate {
                OnDuplicate::Skip => total as u64 - affected.min(total as u64),
                OnDuplicate::Replace | OnDuplicate::Update(_) => affected.saturating_sub(total as u64),
                OnDuplicate::Fail => 0,
            };
            format!("Records: {total}  Duplicates: {duplicates}  Warnings: 0")
        } else {
            String::new()
        };
        Ok(Changed { affected, last_insert_id, info })
    }

    /// What the statement wants done with rows whose keys are taken.
    async fn on_duplicate(&mut self, table: &Arc<Table>, insert: &ast::Insert) -> Result<OnDuplicate> {
        if insert.replace_into {
            return Ok(OnDuplicate::Replace);
        }
        match &insert.on {
            None if insert.ignore => Ok(OnDuplicate::Skip),
            None => Ok(OnDuplicate::Fail),
            Some(OnInsert::DuplicateKeyUpdate(assignments)) => {
                // The row that is there, then the one that was to be inserted.
                let mut columns = table_columns(table, None);
                let hidden = table_columns(table, None).into_iter().map(|mut c| {
                    c.table = "\0values".to_owned();
                    c.lower = format!("\0{}", c.lower);
                    c
                });
                columns.extend(hidden);
                let scope = Scope { columns, merged: Vec::new() };
                let mut subqueries = Vec::new();
                let bound = self.bind_assignments(
                    table,
                    &scope,
                    assignments,
                    Some(table.columns.len()),
                    &mut subqueries,
                )?;
                self.run_subqueries(subqueries, &scope).await?;
                Ok(OnDuplicate::Update(bound))
            }
            Some(other) => Err(SqlError::unsupported(other.to_string())),
        }
    }
}
