//! `SELECT`.

mod full_group_by;
mod item;
mod lock;
mod plan;
mod scan;

use std::collections::HashSet;

use sqlparser::ast::{self, LockClause, Select};
use tidb_codec::Datum;

use super::aggregate::Grouping;
use super::query::{Limit, ResultColumn, RowSet};
use super::relation::{From, JoinKind, Source};
use super::{Exec, Row, group_key};
use lock::lock_mode;
use plan::Plan;
use tidb_expr::Expr;
use tidb_expr::{Result, SqlError};

pub(crate) use lock::locks_rows;

/// Longest `SLEEP` in seconds: a day.
const MAX_SLEEP_SECONDS: f64 = 86_400.0;

impl Exec<'_> {
    /// Runs a `SELECT`.
    ///
    /// # Errors
    /// Whatever is wrong with it, storage failures, 8175.
    pub(crate) async fn select(
        &mut self,
        select: &Select,
        order: &[&ast::OrderByExpr],
        limit: Limit,
        locks: &[LockClause],
    ) -> Result<RowSet> {
        check_supported(select)?;
        let mut from = self.from(&select.from).await?;
        let mut subqueries = Vec::new();
        let plan = self.bind_select(select, &from, order, &mut subqueries)?;
        self.run_subqueries(subqueries, &from.scope).await?;
        let mut plan = self.with_subquery_types(plan);
        let columns = plan.projection.iter().map(|(_, c)| c.clone()).collect();
        if from.relations.is_empty() {
            self.sleep(&mut plan).await?;
            let row = self.constant_row(&plan)?;
            return self.finish(plan, columns, row, limit);
        }
        let lock = lock_mode(locks)?;
        let early = plan.order.is_empty()
            && plan.aggregates.is_empty()
            && plan.group.is_empty()
            && !plan.distinct
            && plan.having.is_none();
        let rows = if let [only] = from.relations.as_mut_slice()
            && matches!(only.source, Source::Table(_))
        {
            let wanted = if early { limit.wanted() } else { None };
            if plan.aggregates.is_empty() && plan.group.is_empty() {
                self.scan_rows(&from, &plan.conditions, wanted, lock).await?
            } else {
                let groups = self.scan_groups(&from, &plan, lock).await?;
                return self.finish(plan, columns, groups, limit);
            }
        } else {
            if lock.is_some() && self.txn.is_pessimistic() {
                return Err(SqlError::unsupported("SELECT … FOR UPDATE of several tables"));
            }
            self.joined(from, &plan).await?
        };
        let rows = if plan.aggregates.is_empty() && plan.group.is_empty() {
            rows
        } else {
            let mut grouping = Grouping::new(&plan.group, &plan.aggregates);
            for row in rows {
                grouping.add(row, &self.cx)?;
            }
            grouping.finish(&self.cx)?
        };
        self.finish(plan, columns, rows, limit)
    }

    /// `SELECT SLEEP(n)`: waits, and puts the function's result in its place.
    async fn sleep(&self, plan: &mut Plan) -> Result<()> {
        for (expr, _) in &mut plan.projection {
            let Expr::Builtin { function, args, ty } = &*expr else { continue };
            let ([seconds], "sleep") = (args.as_slice(), function.name) else { continue };
            let value = seconds.eval(&[], &self.cx)?;
            let seconds = tidb_expr::coerce::double(&value, seconds.ty(), &self.cx)?;
            let Some(seconds) = seconds.filter(|s| *s >= 0.0) else {
                return Err(SqlError::new(1210, "Incorrect arguments to sleep"));
            };
            if !self.describe {
                tokio::time::sleep(std::time::Duration::from_secs_f64(seconds.min(MAX_SLEEP_SECONDS))).await;
            }
            *expr = Expr::constant(Datum::Int(0), ty.clone());
        }
        Ok(())
    }

    /// The row of a `SELECT` without `FROM`.
    fn constant_row(&self, plan: &Plan) -> Result<Vec<Row>> {
        let rows = if self.passes(&plan.conditions, &[])? { vec![Vec::new()] } else { Vec::new() };
        if plan.aggregates.is_empty() && plan.group.is_empty() {
            return Ok(rows);
        }
        let mut grouping = Grouping::new(&plan.group, &plan.aggregates);
        for row in rows {
            grouping.add(row, &self.cx)?;
        }
        grouping.finish(&self.cx)
    }

    /// Rows of several relations.
    async fn joined(&mut self, mut from: From, plan: &Plan) -> Result<Vec<Row>> {
        if let [only] = from.relations.as_mut_slice()
            && only.kind == JoinKind::Inner
        {
            return self.load(only, &plan.conditions).await;
        }
        self.join_all(from, plan.on.clone(), &plan.conditions).await
    }

    /// Having, projection, distinct, order, limit.
    fn finish(
        &mut self,
        plan: Plan,
        columns: Vec<ResultColumn>,
        rows: Vec<Row>,
        limit: Limit,
    ) -> Result<RowSet> {
        let mut projected: Vec<(Row, Row)> = Vec::with_capacity(rows.len());
        let mut seen = HashSet::new();
        let collations: Vec<_> = columns.iter().map(|c| c.ty.collation).collect();
        for row in rows {
            if let Some(having) = &plan.having
                && !having.is_true(&row, &self.cx)?
            {
                continue;
            }
            let out =
                plan.projection.iter().map(|(expr, _)| expr.eval(&row, &self.cx)).collect::<Result<Row>>()?;
            if plan.distinct && !seen.insert(group_key::of(&out, &collations)) {
                continue;
            }
            self.hold(&out)?;
            projected.push((if plan.order.is_empty() { Vec::new() } else { row }, out));
        }
        let sorted = if plan.order.is_empty() {
            projected.into_iter().map(|(_, out)| out).collect()
        } else {
            self.sort(projected, &plan.order)?
        };
        Ok(RowSet { columns, rows: limit.apply(sorted) })
    }
}

/// Refuses clauses that this server does not have.
fn check_supported(select: &Select) -> Result<()> {
    let unsupported = [
        (select.into.is_some(), "SELECT … INTO"),
        (!select.lateral_views.is_empty(), "LATERAL VIEW"),
        (!select.named_window.is_empty(), "WINDOW"),
        (select.qualify.is_some(), "QUALIFY"),
        (select.top.is_some(), "TOP"),
    ];
    match unsupported.into_iter().find(|(given, _)| *given) {
        Some((_, name)) => Err(SqlError::unsupported(name)),
        None => Ok(()),
    }
}

/// NULLs as wide as a scope.
pub(crate) fn null_row(width: usize) -> Row {
    vec![Datum::Null; width]
}
