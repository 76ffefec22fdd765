//! Queries.

use sqlparser::ast::{
    Distinct, GroupByExpr, GroupByWithModifier, LimitClause, LockClause, LockType, NonBlock, OrderByExpr,
    OrderByKind, OrderBySort, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr,
    SetOperator, SetQuantifier, With,
};

use super::Written;
use super::writer::{Writer, unsupported};
use crate::ddl::TableName;

impl Writer<'_> {
    /// A query.
    pub(super) fn query(&mut self, query: &Query) -> Written {
        let ctes = self.ctes.len();
        if let Some(with) = &query.with {
            self.with(with)?;
        }
        self.set_expr(&query.body)?;
        if let Some(order_by) = &query.order_by {
            let OrderByKind::Expressions(items) = &order_by.kind else { return unsupported("ORDER BY ALL") };
            self.plain(" ");
            self.order_by(items)?;
        }
        if let Some(limit) = &query.limit_clause {
            self.limit(limit)?;
        }
        self.locks(&query.locks)?;
        if query.settings.is_some() {
            return unsupported("INTO OUTFILE or FOR UPDATE WAIT");
        }
        self.ctes.truncate(ctes);
        Ok(())
    }

    /// `WITH …` and the blank behind it.
    fn with(&mut self, with: &With) -> Written {
        self.plain(if with.recursive { "WITH RECURSIVE " } else { "WITH " });
        self.separated(&with.cte_tables, ", ", |w, cte| {
            let name = cte.alias.name.value.to_lowercase();
            w.name(&cte.alias.name.value);
            if with.recursive {
                w.ctes.push(name.clone());
            }
            if !cte.alias.columns.is_empty() {
                w.plain(" (");
                w.separated(&cte.alias.columns, ", ", |w, column| {
                    w.name(&column.name.value);
                    Ok(())
                })?;
                w.plain(")");
            }
            w.plain(" AS (");
            w.query(&cte.query)?;
            w.plain(")");
            if !with.recursive {
                w.ctes.push(name);
            }
            Ok(())
        })?;
        self.plain(" ");
        Ok(())
    }

    /// A query's body.
    fn set_expr(&mut self, body: &SetExpr) -> Written {
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::Query(query) => self.in_parentheses(|w| w.query(query)),
            SetExpr::SetOperation { .. } => self.set_operations(body),
            SetExpr::Values(values) => {
                self.plain("VALUES ");
                self.separated(&values.rows, ", ", |w, row| {
                    w.plain("ROW");
                    w.in_parentheses(|w| w.separated(&row.content, ",", Self::expr))
                })
            }
            SetExpr::Table(table) => {
                self.plain("TABLE ");
                let name = table.table_name.clone().unwrap_or_default();
                self.table_name(&TableName { schema: table.schema_name.clone(), name });
                Ok(())
            }
            _ => unsupported("this kind of query"),
        }
    }

    /// Query blocks with set operators between. Those to the left are written in a loop; those to
    /// the right need no parentheses, because either the operator is the same or `INTERSECT`, which binds stronger.
    fn set_operations(&mut self, body: &SetExpr) -> Written {
        let mut chain = Vec::new();
        let mut leftmost = body;
        while let SetExpr::SetOperation { left, op, set_quantifier, right } = leftmost {
            chain.push((op, set_quantifier, right));
            leftmost = left;
        }
        self.set_expr(leftmost)?;
        for (op, quantifier, right) in chain.into_iter().rev() {
            self.plain(match op {
                SetOperator::Union => " UNION",
                SetOperator::Except => " EXCEPT",
                SetOperator::Intersect => " INTERSECT",
                SetOperator::Minus => return unsupported("MINUS"),
            });
            self.plain(if *quantifier == SetQuantifier::All { " ALL " } else { " " });
            self.set_expr(right)?;
        }
        Ok(())
    }

    /// `SELECT …`.
    fn select(&mut self, select: &Select) -> Written {
        if !select.optimizer_hints.is_empty() || select.into.is_some() {
            return unsupported("optimizer hints or INTO");
        }
        self.plain("SELECT ");
        self.modifiers(select);
        self.separated(&select.projection, ",", Self::select_item)?;
        if !select.from.is_empty() {
            self.plain(" FROM ");
            self.table_references(&select.from)?;
        } else if select.selection.is_some() {
            self.plain(" FROM DUAL");
        }
        if let Some(condition) = &select.selection {
            self.plain(" WHERE ");
            self.expr(condition)?;
        }
        self.group_by(&select.group_by)?;
        if let Some(condition) = &select.having {
            self.plain(" HAVING ");
            self.expr(condition)?;
        }
        if !select.named_window.is_empty() {
            self.plain(" WINDOW ");
            self.separated(&select.named_window, ",", Self::named_window)?;
        }
        Ok(())
    }

    /// The words between `SELECT` and the items.
    fn modifiers(&mut self, select: &Select) {
        if let Some(modifiers) = &select.select_modifiers {
            let words = [
                (modifiers.high_priority, "HIGH_PRIORITY "),
                (modifiers.sql_small_result, "SQL_SMALL_RESULT "),
                (modifiers.sql_big_result, "SQL_BIG_RESULT "),
                (modifiers.sql_buffer_result, "SQL_BUFFER_RESULT "),
                (modifiers.sql_no_cache, "SQL_NO_CACHE "),
                (modifiers.sql_calc_found_rows, "SQL_CALC_FOUND_ROWS "),
            ];
            words.iter().filter(|(given, _)| *given).for_each(|(_, word)| self.plain(word));
        }
        match &select.distinct {
            Some(Distinct::Distinct) => self.plain("DISTINCT "),
            Some(Distinct::All) => self.plain("ALL "),
            _ => {}
        }
        if select.select_modifiers.as_ref().is_some_and(|modifiers| modifiers.straight_join) {
            self.plain("STRAIGHT_JOIN ");
        }
    }

    /// An item of a `SELECT`.
    fn select_item(&mut self, item: &SelectItem) -> Written {
        match item {
            SelectItem::UnnamedExpr(expr) => self.expr(expr),
            SelectItem::ExprWithAlias { expr, alias } => {
                self.expr(expr)?;
                self.plain(" AS ");
                self.name(&alias.value);
                Ok(())
            }
            SelectItem::Wildcard(_) => {
                self.plain("*");
                Ok(())
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                self.object_name(name)?;
                self.plain(".*");
                Ok(())
            }
            _ => unsupported("this item of a SELECT"),
        }
    }

    /// ` GROUP BY …`.
    fn group_by(&mut self, group_by: &GroupByExpr) -> Written {
        let GroupByExpr::Expressions(items, modifiers) = group_by else { return unsupported("GROUP BY ALL") };
        if items.is_empty() {
            return Ok(());
        }
        self.plain(" GROUP BY ");
        self.separated(items, ",", Self::expr)?;
        match modifiers.as_slice() {
            [] => {}
            [GroupByWithModifier::Rollup] => self.plain(" WITH ROLLUP"),
            _ => return unsupported("this modifier of GROUP BY"),
        }
        Ok(())
    }

    /// `ORDER BY …`.
    pub(super) fn order_by(&mut self, items: &[OrderByExpr]) -> Written {
        self.plain("ORDER BY ");
        self.separated(items, ",", |w, item| {
            w.expr(&item.expr)?;
            if matches!(item.options.sort, Some(OrderBySort::Desc)) {
                w.plain(" DESC");
            }
            Ok(())
        })
    }

    /// ` LIMIT [offset,]count`.
    fn limit(&mut self, limit: &LimitClause) -> Written {
        let (offset, count) = match limit {
            LimitClause::LimitOffset { limit: Some(limit), offset, .. } => {
                (offset.as_ref().map(|o| &o.value), limit)
            }
            LimitClause::OffsetCommaLimit { offset, limit } => (Some(offset), limit),
            LimitClause::LimitOffset { limit: None, .. } => return unsupported("OFFSET without LIMIT"),
        };
        self.plain(" LIMIT ");
        if let Some(offset) = offset {
            self.expr(offset)?;
            self.plain(",");
        }
        self.expr(count)
    }

    /// ` FOR UPDATE …`.
    fn locks(&mut self, locks: &[LockClause]) -> Written {
        let Some(first) = locks.first() else { return Ok(()) };
        self.plain(match first.lock_type {
            LockType::Update => " FOR UPDATE",
            LockType::Share => " FOR SHARE",
        });
        let tables: Vec<_> = locks.iter().filter_map(|lock| lock.of.as_ref()).collect();
        if !tables.is_empty() {
            self.plain(" OF ");
            self.separated(&tables, ", ", |w, table| w.object_name(table))?;
        }
        match &first.nonblock {
            Some(NonBlock::Nowait) => self.plain(" NOWAIT"),
            Some(NonBlock::SkipLocked) => self.plain(" SKIP LOCKED"),
            None => {}
        }
        Ok(())
    }
}
