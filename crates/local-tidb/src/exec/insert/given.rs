//! The rows as an `INSERT` gives them.

use sqlparser::ast::{self, SetExpr};
use tidb_codec::Datum;

use crate::catalog::Table;
use crate::exec::Exec;
use crate::exec::assign::{column_name, is_default};
use crate::exec::relation::table_columns;
use tidb_expr::bind::{Scope, type_of_value};
use tidb_expr::{Expr, ResultType, literal};
use tidb_expr::{Result, SqlError};

/// A value of a row before conversion: given, or left to the default.
pub(super) enum Given {
    /// A value with its type.
    Value(Datum, ResultType),
    /// `DEFAULT`, or no value.
    Default,
}

impl Exec<'_> {
    /// The rows as the statement gives them.
    pub(super) async fn given_rows(
        &mut self,
        table: &Table,
        insert: &ast::Insert,
        columns: &[usize],
    ) -> Result<Vec<Vec<Given>>> {
        if !insert.assignments.is_empty() {
            let scope = Scope { columns: table_columns(table, None), merged: Vec::new() };
            let mut row = Vec::new();
            for assignment in &insert.assignments {
                row.push(self.given(&assignment.value, &scope)?);
            }
            return Ok(vec![row]);
        }
        let Some(source) = &insert.source else { return Ok(vec![Vec::new()]) };
        if let SetExpr::Values(values) = source.body.as_ref()
            && source.with.is_none()
        {
            let scope = Scope::default();
            let mut out = Vec::with_capacity(values.rows.len());
            for (at, parts) in values.rows.iter().enumerate() {
                let parts = &parts.content;
                // `VALUES ()` means all defaults.
                if parts.len() != columns.len() && !(parts.is_empty() && insert.columns.is_empty()) {
                    return Err(SqlError::new(
                        1136,
                        format!("Column count doesn't match value count at row {}", at + 1),
                    ));
                }
                if parts.is_empty() {
                    out.push(columns.iter().map(|_| Given::Default).collect());
                    continue;
                }
                let mut row = Vec::with_capacity(parts.len());
                for expr in parts {
                    row.push(match literal::plain(expr)? {
                        Some((value, ty)) => Given::Value(value, ty),
                        None => self.given_with_subquery(expr, &scope).await?,
                    });
                }
                out.push(row);
            }
            return Ok(out);
        }
        let result = self.query(source).await?;
        if result.columns.len() != columns.len() {
            return Err(SqlError::new(1136, "Column count doesn't match value count at row 1"));
        }
        let types: Vec<ResultType> = result.columns.into_iter().map(|c| c.ty).collect();
        Ok(result
            .rows
            .into_iter()
            .map(|row| row.into_iter().zip(&types).map(|(v, ty)| Given::Value(v, ty.clone())).collect())
            .collect())
    }

    /// A value of `INSERT … SET`, which may name the columns set before it.
    fn given(&self, expr: &ast::Expr, scope: &Scope) -> Result<Given> {
        if is_default(expr) {
            return Ok(Given::Default);
        }
        let mut subqueries = Vec::new();
        let bound = self.binder(scope, &mut subqueries, "field list").bind(expr)?;
        if !subqueries.is_empty() {
            return Err(SqlError::unsupported("subqueries in INSERT … SET"));
        }
        Ok(Given::Value(bound.eval(&[], &self.cx)?, bound.ty().clone()))
    }

    /// A value of `VALUES`, after the subqueries in it have been run.
    async fn given_with_subquery(&mut self, expr: &ast::Expr, scope: &Scope) -> Result<Given> {
        if is_default(expr) {
            return Ok(Given::Default);
        }
        let mut subqueries = Vec::new();
        let bound = self.binder(scope, &mut subqueries, "field list").bind(expr)?;
        if !subqueries.is_empty() {
            self.run_subqueries(subqueries, scope).await?;
        }
        // Division by zero and the like are errors when the value is to be stored.
        let reading = std::mem::replace(&mut self.cx.writing, true);
        let value = bound.eval(&[], &self.cx);
        self.cx.writing = reading;
        let value = value?;
        let ty =
            if matches!(bound, Expr::Subquery { .. }) { type_of_value(&value) } else { bound.ty().clone() };
        Ok(Given::Value(value, ty))
    }
}

/// Positions of the columns that values are given for.
pub(super) fn insert_columns(table: &Table, insert: &ast::Insert) -> Result<Vec<usize>> {
    let find =
        |name: &str| table.column_position(name).ok_or_else(|| SqlError::unknown_column(name, "field list"));
    let mut columns = Vec::new();
    if !insert.assignments.is_empty() {
        for assignment in &insert.assignments {
            let ast::AssignmentTarget::ColumnName(name) = &assignment.target else {
                return Err(SqlError::unsupported("assignment to several columns"));
            };
            columns.push(find(column_name(name)?)?);
        }
    } else if insert.columns.is_empty() {
        columns = (0..table.columns.len()).collect();
    } else {
        for name in &insert.columns {
            columns.push(find(column_name(name)?)?);
        }
    }
    for (at, column) in columns.iter().enumerate() {
        if columns.iter().take(at).any(|c| c == column) {
            let name = table.columns.get(*column).map(|c| c.name().to_owned()).unwrap_or_default();
            return Err(SqlError::new(1110, format!("Column '{name}' specified twice")));
        }
    }
    Ok(columns)
}
