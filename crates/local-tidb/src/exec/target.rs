//! The rows that an `UPDATE` or `DELETE` is about.

use std::sync::Arc;

use sqlparser::ast::{self, OrderByExpr, TableFactor, TableWithJoins};
use tidb_codec::Datum;

use super::query::{Limit, SortKey, descends};
use super::reader::TableReader;
use super::relation::table_columns;
use super::{Exec, access};
use crate::catalog::Table;
use crate::store::StoredRow;
use tidb_expr::bind::Scope;
use tidb_expr::{Result, SqlError};

impl Exec<'_> {
    /// The one table of a statement, with its columns.
    ///
    /// # Errors
    /// Joins, unknown tables.
    pub(crate) fn single_table(
        &self,
        tables: &[TableWithJoins],
        statement: &str,
    ) -> Result<(Arc<Table>, Scope)> {
        let [TableWithJoins { relation, joins }] = tables else {
            return Err(SqlError::unsupported(format!("{statement} of several tables")));
        };
        if !joins.is_empty() {
            return Err(SqlError::unsupported(format!("{statement} of several tables")));
        }
        let TableFactor::Table { name, alias, partitions, .. } = relation else {
            return Err(SqlError::unsupported(format!("{statement} of {relation}")));
        };
        if !partitions.is_empty() {
            return Err(SqlError::unsupported("PARTITION selection"));
        }
        let table = self.table(name)?;
        check_writable(&table)?;
        let columns = table_columns(&table, alias.as_ref().map(|a| a.name.value.as_str()));
        Ok((table, Scope { columns, merged: Vec::new() }))
    }

    /// The rows that satisfy a condition, sorted and cut.
    ///
    /// # Errors
    /// Expressions, storage failures, 8175.
    pub(crate) async fn target_rows(
        &mut self,
        table: &Arc<Table>,
        scope: &Scope,
        selection: Option<&ast::Expr>,
        order: &[OrderByExpr],
        limit: Option<&ast::Expr>,
    ) -> Result<Vec<StoredRow>> {
        let mut subqueries = Vec::new();
        let conditions = match selection {
            Some(condition) => {
                self.binder(scope, &mut subqueries, "where clause").bind(condition)?.conjuncts()
            }
            None => Vec::new(),
        };
        let mut keys: Vec<SortKey> = Vec::new();
        for item in order {
            keys.push((
                self.binder(scope, &mut subqueries, "order clause").bind(&item.expr)?,
                descends(item),
            ));
        }
        let count = limit.map(|l| self.limit_number(l)).transpose()?;
        self.run_subqueries(subqueries, scope).await?;
        let wanted = if keys.is_empty() { count } else { None };
        let access = access::choose(table, &conditions, &self.cx)?;
        let mut reader = TableReader::new(Arc::clone(table), access, self.cx.zone.clone(), None);
        let mut rows = Vec::new();
        'pages: while let Some(page) = reader.next(self.txn).await? {
            for stored in page {
                if wanted.is_some_and(|n| rows.len() >= n) {
                    break 'pages;
                }
                if self.passes(&conditions, &stored.values)? {
                    self.hold(&stored.values)?;
                    rows.push(stored);
                }
            }
        }
        if !keys.is_empty() {
            let keyed: Vec<(Vec<Datum>, StoredRow)> =
                rows.into_iter().map(|r| (r.values.clone(), r)).collect();
            rows = self.sort(keyed, &keys)?;
        }
        Ok(Limit { offset: 0, count }.apply(rows))
    }
}

/// Tables of the DDL jobs are the server's own.
pub(crate) fn check_writable(table: &Table) -> Result<()> {
    if table.info.id >= tidb_schema::MDL_INFO_TABLE_ID {
        return Err(SqlError::new(1142, format!("command denied to user for table '{}'", table.name())));
    }
    Ok(())
}
