//! Queries: what is selected, in which order, how much of it.

use std::future::Future;
use std::pin::Pin;

use sqlparser::ast::{self, LimitClause, Query, SetExpr};
use tidb_codec::Datum;

use super::{Exec, Row};
use tidb_expr::bind::{Scope, ScopeColumn};
use tidb_expr::{Expr, ResultType, coerce, compare};
use tidb_expr::{Result, SqlError};

/// A column of a result.
#[derive(Debug, Clone, PartialEq)]
pub struct ResultColumn {
    /// Name or alias.
    pub name: String,
    /// Name in its table, or empty.
    pub org_name: String,
    /// Table or alias, or empty.
    pub table: String,
    /// Name of the table, or empty.
    pub org_table: String,
    /// Database, or empty.
    pub schema: String,
    /// Type.
    pub ty: ResultType,
}

impl ResultColumn {
    /// A column that belongs to no table.
    pub(crate) fn computed(name: impl Into<String>, ty: ResultType) -> Self {
        Self {
            name: name.into(),
            org_name: String::new(),
            table: String::new(),
            org_table: String::new(),
            schema: String::new(),
            ty,
        }
    }
}

/// A result with rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct RowSet {
    /// Columns.
    pub(crate) columns: Vec<ResultColumn>,
    /// Rows.
    pub(crate) rows: Vec<Row>,
}

/// How rows are sorted: an expression, and whether downwards.
pub(crate) type SortKey = (Expr, bool);

/// How many rows are skipped, and how many kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Limit {
    /// Skipped.
    pub(crate) offset: usize,
    /// Kept; `None` is all.
    pub(crate) count: Option<usize>,
}

impl Limit {
    /// Rows that have to be found.
    pub(crate) fn wanted(self) -> Option<usize> {
        self.count.map(|count| count.saturating_add(self.offset))
    }

    /// Cuts rows.
    pub(crate) fn apply<T>(self, rows: Vec<T>) -> Vec<T> {
        rows.into_iter().skip(self.offset).take(self.count.unwrap_or(usize::MAX)).collect()
    }
}

impl Exec<'_> {
    /// Runs a query.
    ///
    /// # Errors
    /// Whatever is wrong with it, storage failures, 8175.
    pub(crate) fn query<'q>(
        &'q mut self,
        query: &'q Query,
    ) -> Pin<Box<dyn Future<Output = Result<RowSet>> + Send + 'q>> {
        Box::pin(self.query_inner(query))
    }

    /// Runs a query with subqueries of its own.
    async fn query_inner(&mut self, query: &Query) -> Result<RowSet> {
        if query.with.is_some() {
            return Err(SqlError::unsupported("WITH (common table expressions)"));
        }
        let saved = std::mem::take(&mut self.cx.subqueries);
        let result = self.query_body(query).await;
        self.cx.subqueries = saved;
        result
    }

    /// Runs the query's body by its kind.
    async fn query_body(&mut self, query: &Query) -> Result<RowSet> {
        let limit = self.limit(query.limit_clause.as_ref())?;
        let order = order_items(query)?;
        match query.body.as_ref() {
            SetExpr::Select(select) => Box::pin(self.select(select, &order, limit, &query.locks)).await,
            SetExpr::Query(inner) => {
                let rows = self.query(inner).await?;
                self.sort_output(rows, &order, limit)
            }
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                let rows = self.set_operation(left, *op, *set_quantifier, right).await?;
                self.sort_output(rows, &order, limit)
            }
            SetExpr::Values(values) => {
                let rows = self.values(values)?;
                self.sort_output(rows, &order, limit)
            }
            other => Err(SqlError::unsupported(format!("query {other}"))),
        }
    }

    /// `VALUES ROW(…), …`.
    fn values(&mut self, values: &ast::Values) -> Result<RowSet> {
        let scope = Scope::default();
        let mut out = RowSet::default();
        for parts in &values.rows {
            let mut subqueries = Vec::new();
            let mut row = Vec::new();
            for (at, expr) in parts.content.iter().enumerate() {
                let bound = self.binder(&scope, &mut subqueries, "field list").bind(expr)?;
                if out.rows.is_empty() {
                    out.columns.push(ResultColumn::computed(format!("column_{at}"), bound.ty().clone()));
                }
                row.push(bound.eval(&[], &self.cx)?);
            }
            if row.len() != out.columns.len() {
                return Err(SqlError::new(
                    1136,
                    format!("Column count doesn't match value count at row {}", out.rows.len() + 1),
                ));
            }
            out.rows.push(row);
        }
        Ok(out)
    }

    /// `LIMIT`.
    ///
    /// # Errors
    /// Anything but numbers that are not negative.
    pub(crate) fn limit(&self, clause: Option<&LimitClause>) -> Result<Limit> {
        let (offset, count) = match clause {
            None => return Ok(Limit::default()),
            Some(LimitClause::LimitOffset { limit, offset, .. }) => {
                (offset.as_ref().map(|o| &o.value), limit.as_ref())
            }
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => (Some(offset), Some(limit)),
        };
        Ok(Limit {
            offset: offset.map(|e| self.limit_number(e)).transpose()?.unwrap_or(0),
            count: count.map(|e| self.limit_number(e)).transpose()?,
        })
    }

    /// A number of rows.
    ///
    /// # Errors
    /// As [`Exec::limit`].
    pub(crate) fn limit_number(&self, expr: &ast::Expr) -> Result<usize> {
        let (scope, mut subqueries) = (Scope::default(), Vec::new());
        let bound = self.binder(&scope, &mut subqueries, "limit clause").bind(expr)?;
        let value = bound.eval(&[], &self.cx)?;
        match value {
            Datum::Int(v) => {
                usize::try_from(v).map_err(|_| SqlError::new(1210, "Incorrect arguments to LIMIT"))
            }
            Datum::Uint(v) => Ok(usize::try_from(v).unwrap_or(usize::MAX)),
            _ => Err(SqlError::new(1210, "Incorrect arguments to LIMIT")),
        }
    }

    /// Sorts and cuts rows by their own columns.
    fn sort_output(&mut self, mut set: RowSet, order: &[&ast::OrderByExpr], limit: Limit) -> Result<RowSet> {
        if !order.is_empty() {
            let scope = output_scope(&set.columns);
            let mut keys = Vec::new();
            let mut subqueries = Vec::new();
            for item in order {
                let expr = match position(&item.expr, set.columns.len())? {
                    Some(at) => self.binder(&scope, &mut subqueries, "order clause").column(at),
                    None => self.binder(&scope, &mut subqueries, "order clause").bind(&item.expr)?,
                };
                keys.push((expr, descends(item)));
            }
            let rows = std::mem::take(&mut set.rows);
            let keyed = rows.into_iter().map(|row| (row.clone(), row)).collect();
            set.rows = self.sort(keyed, &keys)?;
        }
        set.rows = limit.apply(set.rows);
        Ok(set)
    }

    /// Sorts rows by expressions over the wider rows that come with them.
    ///
    /// # Errors
    /// Expressions.
    pub(crate) fn sort<T>(&self, rows: Vec<(Row, T)>, keys: &[SortKey]) -> Result<Vec<T>> {
        let mut keyed = Vec::with_capacity(rows.len());
        for (row, payload) in rows {
            let values =
                keys.iter().map(|(expr, _)| expr.eval(&row, &self.cx)).collect::<Result<Vec<_>>>()?;
            keyed.push((values, payload));
        }
        keyed.sort_by(|(a, _), (b, _)| {
            for (at, (expr, down)) in keys.iter().enumerate() {
                let (Some(x), Some(y)) = (a.get(at), b.get(at)) else { continue };
                let order = compare::order(x, y, expr.ty().collation, &self.cx);
                if order.is_ne() {
                    return if *down { order.reverse() } else { order };
                }
            }
            std::cmp::Ordering::Equal
        });
        Ok(keyed.into_iter().map(|(_, payload)| payload).collect())
    }
}

/// The items of `ORDER BY`.
fn order_items(query: &Query) -> Result<Vec<&ast::OrderByExpr>> {
    match query.order_by.as_ref().map(|o| &o.kind) {
        None => Ok(Vec::new()),
        Some(ast::OrderByKind::Expressions(items)) => Ok(items.iter().collect()),
        Some(ast::OrderByKind::All(_)) => Err(SqlError::unsupported("ORDER BY ALL")),
    }
}

/// Whether an item of `ORDER BY` sorts downwards.
pub(crate) fn descends(item: &ast::OrderByExpr) -> bool {
    item.options.sort == Some(ast::OrderBySort::Desc)
}

/// `ORDER BY 2`: the second column.
///
/// # Errors
/// 1054 for a number without a column.
pub(crate) fn position(expr: &ast::Expr, columns: usize) -> Result<Option<usize>> {
    let ast::Expr::Value(v) = expr else { return Ok(None) };
    let ast::Value::Number(digits, _) = &v.value else { return Ok(None) };
    match digits.parse::<usize>() {
        Ok(n) if (1..=columns).contains(&n) => Ok(Some(n - 1)),
        _ => Err(SqlError::unknown_column(digits, "order clause")),
    }
}

/// A scope of result columns.
pub(crate) fn output_scope(columns: &[ResultColumn]) -> Scope {
    let columns = columns
        .iter()
        .map(|c| ScopeColumn {
            db: crate::catalog::lower(&c.schema),
            table: crate::catalog::lower(&c.table),
            name: c.name.clone(),
            lower: crate::catalog::lower(&c.name),
            org_table: c.org_table.clone(),
            ty: c.ty.clone(),
        })
        .collect();
    Scope { columns, merged: Vec::new() }
}

/// A value as the text that clients see; `None` is NULL.
pub fn value_text(value: &Datum, ty: &ResultType) -> Option<String> {
    coerce::string(value, ty)
}
