//! `SELECT`.

use std::collections::HashSet;

use bytes::Bytes;
use sqlparser::ast::{self, GroupByExpr, LockClause, Select, SelectItem};
use tidb_codec::Datum;

use super::aggregate::Grouping;
use super::query::{Limit, ResultColumn, RowSet, SortKey, descends, position};
use super::reader::TableReader;
use super::relation::{From, JoinKind, Source};
use super::{Exec, Row, access, group_key};
use crate::catalog::lower;
use crate::error::{Result, SqlError};
use crate::expr::bind::{Aggregate, MAX_DEPTH, Scope, ScopeColumn};
use crate::expr::{Expr, ResultType};
use crate::storage_error::from_client;
use crate::store::entries;

/// Longest `SLEEP` in seconds: a day.
const MAX_SLEEP_SECONDS: f64 = 86_400.0;

/// A bound `SELECT`, but for its `FROM`.
struct Plan {
    conditions: Vec<Expr>,
    on: Vec<Vec<Expr>>,
    projection: Vec<(Expr, ResultColumn)>,
    group: Vec<Expr>,
    having: Option<Expr>,
    order: Vec<SortKey>,
    aggregates: Vec<Aggregate>,
    distinct: bool,
}

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
            let seconds = crate::expr::coerce::double(&value, seconds.ty(), &self.cx)?;
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

    /// Rows of one table.
    async fn scan_rows(
        &mut self,
        from: &From,
        conditions: &[Expr],
        wanted: Option<usize>,
        lock: Option<bool>,
    ) -> Result<Vec<Row>> {
        let mut out = Vec::new();
        if self.describe {
            return Ok(out);
        }
        let mut locked: Vec<Bytes> = Vec::new();
        let Some(Source::Table(table)) = from.relations.first().map(|r| &r.source) else { return Ok(out) };
        let access = access::choose(table, conditions, &self.cx)?;
        let page = if conditions.is_empty() { wanted } else { None };
        let mut reader = TableReader::new(table.clone(), access, self.cx.zone.clone(), page);
        'pages: while let Some(page) = reader.next(self.txn).await? {
            for stored in page {
                if wanted.is_some_and(|n| out.len() >= n) {
                    break 'pages;
                }
                if self.passes(conditions, &stored.values)? {
                    self.hold(&stored.values)?;
                    if lock.is_some() {
                        locked.push(entries::record_key(table, &stored.handle).into());
                    }
                    out.push(stored.values);
                }
            }
            if wanted.is_some_and(|n| out.len() >= n) {
                break;
            }
        }
        if let Some(no_wait) = lock {
            self.txn.lock(locked, no_wait).await.map_err(from_client)?;
        }
        Ok(out)
    }

    /// Groups of one table's rows, without keeping the rows.
    async fn scan_groups(&mut self, from: &From, plan: &Plan, lock: Option<bool>) -> Result<Vec<Row>> {
        let Some(Source::Table(table)) = from.relations.first().map(|r| &r.source) else {
            return Ok(Vec::new());
        };
        if self.describe {
            return Ok(Vec::new());
        }
        let access = access::choose(table, &plan.conditions, &self.cx)?;
        let mut reader = TableReader::new(table.clone(), access, self.cx.zone.clone(), None);
        let mut grouping = Grouping::new(&plan.group, &plan.aggregates);
        grouping.row_width = from.scope.columns.len();
        let mut locked: Vec<Bytes> = Vec::new();
        while let Some(page) = reader.next(self.txn).await? {
            for stored in page {
                if self.passes(&plan.conditions, &stored.values)? {
                    if lock.is_some() {
                        locked.push(entries::record_key(table, &stored.handle).into());
                    }
                    grouping.add(stored.values, &self.cx)?;
                }
            }
            if self.memory.saturating_add(grouping.bytes()) > super::MAX_STATEMENT_BYTES {
                return Err(SqlError::out_of_memory(self.connection_id));
            }
        }
        if let Some(no_wait) = lock {
            self.txn.lock(locked, no_wait).await.map_err(from_client)?;
        }
        grouping.finish(&self.cx)
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

    fn bind_select(
        &self,
        select: &Select,
        from: &From,
        order: &[&ast::OrderByExpr],
        subqueries: &mut Vec<ast::Query>,
    ) -> Result<Plan> {
        let scope = &from.scope;
        let mut on = Vec::new();
        for relation in &from.relations {
            on.push(match &relation.on {
                Some(condition) => self.binder(scope, subqueries, "on clause").bind(condition)?.conjuncts(),
                None => Vec::new(),
            });
        }
        let conditions = match &select.selection {
            Some(condition) => self.binder(scope, subqueries, "where clause").bind(condition)?.conjuncts(),
            None => Vec::new(),
        };
        let mut aggregates = Vec::new();
        let mut projection = Vec::new();
        for item in &select.projection {
            self.bind_item(item, scope, subqueries, &mut aggregates, &mut projection)?;
        }
        let aliases: Vec<(String, Expr)> =
            projection.iter().map(|(e, c): &(Expr, ResultColumn)| (lower(&c.name), e.clone())).collect();
        let group = self.bind_group(select, scope, subqueries, &projection, &aliases)?;
        let having = match &select.having {
            Some(condition) => Some(self.bind_aliased(
                condition,
                scope,
                subqueries,
                &mut aggregates,
                &aliases,
                "having clause",
                false,
            )?),
            None => None,
        };
        let mut keys = Vec::new();
        for item in order {
            let expr = match position(&item.expr, projection.len())? {
                Some(at) => projection.get(at).map_or_else(Expr::null, |(e, _)| e.clone()),
                None => self.bind_aliased(
                    &item.expr,
                    scope,
                    subqueries,
                    &mut aggregates,
                    &aliases,
                    "order clause",
                    true,
                )?,
            };
            keys.push((expr, descends(item)));
        }
        let distinct = match &select.distinct {
            None | Some(ast::Distinct::All) => false,
            Some(ast::Distinct::Distinct) => true,
            Some(ast::Distinct::On(_)) => return Err(SqlError::unsupported("DISTINCT ON")),
        };
        let plan = Plan { conditions, on, projection, group, having, order: keys, aggregates, distinct };
        self.check_grouping(&plan, scope)?;
        Ok(plan)
    }

    /// With `ONLY_FULL_GROUP_BY`, columns beside aggregates must be grouped by.
    fn check_grouping(&self, plan: &Plan, scope: &Scope) -> Result<()> {
        let grouped = !plan.group.is_empty();
        if !self.cx.mode.only_full_group_by || plan.aggregates.is_empty() && !grouped {
            return Ok(());
        }
        let by_column: Vec<usize> = plan
            .group
            .iter()
            .filter_map(|e| if let Expr::Column { index, .. } = e { Some(*index) } else { None })
            .collect();
        // Grouping by a key decides all columns; expressions are not compared with each other here.
        let only_columns = plan.group.len() == by_column.len();
        for (at, (expr, column)) in plan.projection.iter().enumerate() {
            let mut stray = None;
            expr.for_each_column(&mut |index| {
                if index < scope.columns.len() && !by_column.contains(&index) {
                    stray = Some(index);
                }
            });
            let Some(index) = stray else { continue };
            if !grouped {
                return Err(SqlError::new(
                    1140,
                    format!(
                        "In aggregated query without GROUP BY, expression #{} of SELECT list contains nonaggregated column '{}'; this is incompatible with sql_mode=only_full_group_by",
                        at + 1,
                        column.name
                    ),
                ));
            }
            let key_column =
                scope.columns.iter().enumerate().any(|(i, c)| {
                    by_column.contains(&i) && c.ty.flag & tidb_codec::field::flag::PRI_KEY != 0
                });
            if only_columns && !key_column && matches!(expr, Expr::Column { .. }) {
                let name = scope.columns.get(index).map(|c| c.name.clone()).unwrap_or_default();
                return Err(SqlError::new(
                    1055,
                    format!(
                        "Expression #{} of SELECT list is not in GROUP BY clause and contains nonaggregated column '{name}' which is not functionally dependent on columns in GROUP BY clause; this is incompatible with sql_mode=only_full_group_by",
                        at + 1
                    ),
                ));
            }
        }
        Ok(())
    }

    fn bind_group(
        &self,
        select: &Select,
        scope: &Scope,
        subqueries: &mut Vec<ast::Query>,
        projection: &[(Expr, ResultColumn)],
        aliases: &[(String, Expr)],
    ) -> Result<Vec<Expr>> {
        let GroupByExpr::Expressions(items, modifiers) = &select.group_by else {
            return Err(SqlError::unsupported("GROUP BY ALL"));
        };
        if !modifiers.is_empty() {
            return Err(SqlError::unsupported("GROUP BY WITH ROLLUP"));
        }
        let mut group = Vec::new();
        for item in items {
            if let Some(at) = position(item, projection.len())? {
                group.extend(projection.get(at).map(|(e, _)| e.clone()));
                continue;
            }
            let bound = self.binder(scope, subqueries, "group statement").bind(item);
            group.push(match (bound, item) {
                (Err(error), ast::Expr::Identifier(name)) if error.code == 1054 => {
                    let alias = lower(&name.value);
                    aliases.iter().find(|(n, _)| *n == alias).map(|(_, e)| e.clone()).ok_or(error)?
                }
                (other, _) => other?,
            });
        }
        Ok(group)
    }

    /// Binds an expression that may name the result's columns: `ORDER BY` looks there first, `HAVING` last.
    #[allow(clippy::too_many_arguments)]
    fn bind_aliased(
        &self,
        expr: &ast::Expr,
        scope: &Scope,
        subqueries: &mut Vec<ast::Query>,
        aggregates: &mut Vec<Aggregate>,
        aliases: &[(String, Expr)],
        clause: &'static str,
        alias_first: bool,
    ) -> Result<Expr> {
        let alias = match expr {
            ast::Expr::Identifier(name) => {
                let wanted = lower(&name.value);
                aliases.iter().find(|(n, _)| *n == wanted).map(|(_, e)| e.clone())
            }
            _ => None,
        };
        if let (true, Some(found)) = (alias_first, &alias) {
            return Ok(found.clone());
        }
        let with_aliases = rename_aliases(expr, scope, aliases);
        let mut binder = self.binder(scope, subqueries, clause);
        binder.aggregates = Some(std::mem::take(aggregates));
        binder.aliases = with_aliases;
        let bound = binder.bind(expr);
        *aggregates = binder.aggregates.take().unwrap_or_default();
        match (bound, alias) {
            (Err(error), Some(found)) if error.code == 1054 => Ok(found),
            (other, _) => other,
        }
    }

    fn bind_item(
        &self,
        item: &SelectItem,
        scope: &Scope,
        subqueries: &mut Vec<ast::Query>,
        aggregates: &mut Vec<Aggregate>,
        out: &mut Vec<(Expr, ResultColumn)>,
    ) -> Result<()> {
        let (expr, alias) = match item {
            SelectItem::UnnamedExpr(expr) => (expr, None),
            SelectItem::ExprWithAlias { expr, alias } => (expr, Some(alias.value.clone())),
            SelectItem::Wildcard(_) => return self.wildcard(scope, None, out),
            SelectItem::QualifiedWildcard(ast::SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                let parts: Vec<String> =
                    name.to_string().split('.').map(|p| lower(p.trim_matches('`'))).collect();
                return self.wildcard(scope, Some(&parts), out);
            }
            other => return Err(SqlError::unsupported(format!("select item {other}"))),
        };
        let mut binder = self.binder(scope, subqueries, "field list");
        binder.aggregates = Some(std::mem::take(aggregates));
        let bound = binder.bind(expr);
        *aggregates = binder.aggregates.take().unwrap_or_default();
        let printable = binder.longest_chain < MAX_DEPTH;
        let bound = bound?;
        let column = match (&bound, scope_column(&bound, scope)) {
            (_, Some(c)) => named_column(c, alias.unwrap_or_else(|| c.name.clone())),
            (bound, None) => ResultColumn::computed(
                alias.unwrap_or_else(|| if printable { item_name(expr) } else { "expr".to_owned() }),
                bound.ty().clone(),
            ),
        };
        out.push((bound, column));
        Ok(())
    }

    /// `*` and `t.*`.
    fn wildcard(
        &self,
        scope: &Scope,
        table: Option<&Vec<String>>,
        out: &mut Vec<(Expr, ResultColumn)>,
    ) -> Result<()> {
        let before = out.len();
        for (index, c) in scope.columns.iter().enumerate() {
            let wanted = match table.map(Vec::as_slice) {
                None => !scope.merged.contains(&index),
                Some([t]) => c.table == *t,
                Some([db, t]) => c.table == *t && c.db == *db,
                Some(_) => false,
            };
            if wanted {
                let expr = Expr::Column { index, ty: c.ty.clone(), name: c.name.clone().into() };
                out.push((expr, named_column(c, c.name.clone())));
            }
        }
        match (out.len() == before, table) {
            (true, Some(parts)) => Err(SqlError::new(1051, format!("Unknown table '{}'", parts.join(".")))),
            (true, None) => Err(SqlError::new(1096, "No tables used")),
            _ => Ok(()),
        }
    }

    /// Gives subqueries used as values the types of their results.
    fn with_subquery_types(&self, mut plan: Plan) -> Plan {
        for (expr, column) in &mut plan.projection {
            if let Expr::Subquery { slot, ty } = expr {
                let value =
                    self.cx.subqueries.get(*slot).and_then(|rows| rows.first()).and_then(|row| row.first());
                *ty = value.map_or_else(ResultType::null, crate::expr::bind::type_of_value);
                column.ty = ty.clone();
            }
        }
        plan
    }
}

/// Aliases that an expression may name where no column has the name.
fn rename_aliases(_: &ast::Expr, scope: &Scope, aliases: &[(String, Expr)]) -> Vec<(String, Expr)> {
    aliases.iter().filter(|(name, _)| !scope.columns.iter().any(|c| c.lower == *name)).cloned().collect()
}

fn scope_column<'a>(expr: &Expr, scope: &'a Scope) -> Option<&'a ScopeColumn> {
    match expr {
        Expr::Column { index, .. } => scope.columns.get(*index),
        _ => None,
    }
}

fn named_column(c: &ScopeColumn, name: String) -> ResultColumn {
    ResultColumn {
        name,
        org_name: c.name.clone(),
        table: c.table.clone(),
        org_table: c.org_table.clone(),
        schema: c.db.clone(),
        ty: c.ty.clone(),
    }
}

/// Name of a result column without an alias: its text.
fn item_name(expr: &ast::Expr) -> String {
    match expr {
        ast::Expr::Value(v) => match &v.value {
            ast::Value::SingleQuotedString(s) => s.clone(),
            other => other.to_string(),
        },
        other => other.to_string(),
    }
}

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

/// `FOR UPDATE`: whether it waits (false) or not (true). Shared locks are no locks, as in TiDB.
fn lock_mode(locks: &[LockClause]) -> Result<Option<bool>> {
    for lock in locks {
        match (&lock.lock_type, &lock.nonblock) {
            (ast::LockType::Share, _) => {}
            (ast::LockType::Update, None) => return Ok(Some(false)),
            (ast::LockType::Update, Some(ast::NonBlock::Nowait)) => return Ok(Some(true)),
            (ast::LockType::Update, Some(ast::NonBlock::SkipLocked)) => {
                return Err(SqlError::unsupported("SKIP LOCKED"));
            }
        }
    }
    Ok(None)
}

/// Whether a statement locks the rows that it reads.
pub(crate) fn locks_rows(query: &ast::Query) -> bool {
    query.locks.iter().any(|l| matches!(l.lock_type, ast::LockType::Update))
}

/// NULLs as wide as a scope.
pub(crate) fn null_row(width: usize) -> Row {
    vec![Datum::Null; width]
}
