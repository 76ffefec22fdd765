//! Binding a `SELECT`: its clauses with all names resolved.

use sqlparser::ast::{self, GroupByExpr, Select};

use crate::catalog::lower;
use crate::exec::Exec;
use crate::exec::query::{ResultColumn, SortKey, descends, position};
use crate::exec::relation::From;
use tidb_expr::bind::{Aggregate, Scope};
use tidb_expr::{Expr, ResultType};
use tidb_expr::{Result, SqlError};

/// A bound `SELECT`, but for its `FROM`.
pub(super) struct Plan {
    /// Parts of `WHERE`, all of which must hold.
    pub(super) conditions: Vec<Expr>,
    /// Parts of each relation's `ON`.
    pub(super) on: Vec<Vec<Expr>>,
    /// What is selected, with the columns that it makes.
    pub(super) projection: Vec<(Expr, ResultColumn)>,
    /// `GROUP BY`.
    pub(super) group: Vec<Expr>,
    /// `HAVING`.
    pub(super) having: Option<Expr>,
    /// `ORDER BY`.
    pub(super) order: Vec<SortKey>,
    /// Aggregates met in any clause; their results follow the columns of `FROM`.
    pub(super) aggregates: Vec<Aggregate>,
    /// `DISTINCT`.
    pub(super) distinct: bool,
}

impl Exec<'_> {
    /// Binds all clauses but `FROM`; subqueries are collected to be run.
    ///
    /// # Errors
    /// Unknown names, unsupported forms, what `ONLY_FULL_GROUP_BY` forbids.
    pub(super) fn bind_select(
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

    /// Binds `GROUP BY`: positions and aliases stand for what is selected.
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

    /// Gives subqueries used as values the types of their results.
    pub(super) fn with_subquery_types(&self, mut plan: Plan) -> Plan {
        for (expr, column) in &mut plan.projection {
            if let Expr::Subquery { slot, ty } = expr {
                let value =
                    self.cx.subqueries.get(*slot).and_then(|rows| rows.first()).and_then(|row| row.first());
                *ty = value.map_or_else(ResultType::null, tidb_expr::bind::type_of_value);
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
