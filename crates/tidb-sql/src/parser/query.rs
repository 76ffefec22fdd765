//! `SELECT`, `VALUES`, `TABLE`, set operations, `WITH`.

use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    Cte, Distinct, Expr, GroupByExpr, GroupByWithModifier, Ident, LimitClause, LockClause, LockType,
    NonBlock, Offset, OffsetRows, OptimizerHint, OptimizerHintStyle, OrderByExpr, OrderByOptions,
    OrderBySort, Query, Select, SelectInto, SelectItem, SelectItemQualifiedWildcardKind, SelectModifiers,
    SetExpr, SetOperator, SetQuantifier, Setting, Table, TableAlias, TableAliasColumnDef, Value, With,
};

use super::cursor::{Outcome, Parser};
use super::nodes;
use crate::lexer::{Symbol, TokenKind};

/// Binding strength of `UNION` and `EXCEPT`.
const UNION: u8 = 1;
/// Binding strength of `INTERSECT`.
const INTERSECT: u8 = 2;

impl Parser<'_> {
    /// Whether a query starts at a distance, with any number of `(` before it.
    pub(super) fn query_follows(&self, distance: usize) -> bool {
        let mut at = distance;
        while self.symbol_at(at, Symbol::LeftParen) {
            at += 1;
        }
        self.keyword_at(at, "SELECT")
            || self.keyword_at(at, "WITH")
            || (self.keyword_at(at, "TABLE") && self.identifier_at(at + 1))
            || (self.keyword_at(at, "VALUES") && self.keyword_at(at + 1, "ROW"))
    }

    /// `(query)`.
    pub(super) fn subquery(&mut self) -> Outcome<Box<Query>> {
        self.nested(|p| p.parenthesized(Self::query))
    }

    /// A query.
    pub(super) fn query(&mut self) -> Outcome<Box<Query>> {
        self.nested(|p| {
            let outer = std::mem::take(&mut p.height);
            let query = p.query_inner()?;
            let inner = p.height + 1;
            p.height = outer.max(inner);
            Ok(query)
        })
    }

    /// A query, its height not accounted for.
    fn query_inner(&mut self) -> Outcome<Box<Query>> {
        let mut query = nodes::query(nodes::no_body());
        if self.is_keyword("WITH") {
            query.with = Some(self.with_clause()?);
        }
        query.body = self.set_expr(UNION)?;
        self.query_tail(&mut query)?;
        Ok(query)
    }

    /// `ORDER BY`, `LIMIT`, locks and `INTO` of a query.
    fn query_tail(&mut self, query: &mut Query) -> Outcome<()> {
        if self.are_keywords(&["ORDER", "BY"]) {
            query.order_by = Some(nodes::order_by(self.order_by_list()?));
        }
        query.limit_clause = self.limit_clause()?;
        let mut settings = Vec::new();
        self.into_outfile(&mut settings)?;
        self.locks(query, &mut settings)?;
        self.into_outfile(&mut settings)?;
        if !settings.is_empty() {
            query.settings = Some(settings);
        }
        Ok(())
    }

    /// `WITH [RECURSIVE] name [(columns)] AS (query), …`.
    pub(super) fn with_clause(&mut self) -> Outcome<With> {
        self.expect("WITH")?;
        let recursive = self.eat("RECURSIVE");
        let headers = self.headers.replace(Vec::new());
        let cte_tables = self.comma_list(|p| {
            let name = p.ident()?;
            let columns = match p.is_symbol(Symbol::LeftParen) {
                true => p.paren_list(Self::ident)?,
                false => Vec::new(),
            };
            p.expect("AS")?;
            let query = p.subquery()?;
            let columns =
                columns.into_iter().map(|name| TableAliasColumnDef { name, data_type: None }).collect();
            let alias = TableAlias { explicit: true, name, columns, at: None };
            let closing_paren_token = AttachedToken::empty();
            Ok(Cte { alias, query, from: None, materialized: None, closing_paren_token })
        })?;
        self.headers = headers;
        Ok(With { with_token: AttachedToken::empty(), recursive, cte_tables })
    }

    /// Query blocks with set operators that bind at least so strongly.
    fn set_expr(&mut self, strength: u8) -> Outcome<Box<SetExpr>> {
        let mut left = self.query_block()?;
        while let Some((op, found)) = self.set_operator() {
            if found < strength {
                break;
            }
            self.advance();
            let set_quantifier = match self.eat_one_of(&["ALL", "DISTINCT", "DISTINCTROW"]) {
                Some("ALL") => SetQuantifier::All,
                Some(_) => SetQuantifier::Distinct,
                None => SetQuantifier::None,
            };
            let before = std::mem::take(&mut self.height);
            let right = self.set_expr(found + 1)?;
            self.height = self.height.max(before);
            self.grow()?;
            left = Box::new(SetExpr::SetOperation { left, op, set_quantifier, right });
        }
        Ok(left)
    }

    /// The set operator that is next, with its strength.
    fn set_operator(&self) -> Option<(SetOperator, u8)> {
        if self.is_keyword("UNION") {
            Some((SetOperator::Union, UNION))
        } else if self.is_keyword("EXCEPT") {
            Some((SetOperator::Except, UNION))
        } else if self.is_keyword("INTERSECT") {
            Some((SetOperator::Intersect, INTERSECT))
        } else {
            None
        }
    }

    /// `SELECT …`, `(query)`, `VALUES ROW(…), …`, `TABLE t`.
    fn query_block(&mut self) -> Outcome<Box<SetExpr>> {
        if self.is_keyword("SELECT") {
            return self.select().map(nodes::select_body);
        }
        if self.is_symbol(Symbol::LeftParen) {
            return self.subquery().map(nodes::query_body);
        }
        self.table_or_values()
    }

    /// `VALUES ROW(…), …`, `TABLE t`.
    fn table_or_values(&mut self) -> Outcome<Box<SetExpr>> {
        if self.eat("TABLE") {
            let table = self.table_name()?;
            return Ok(Box::new(SetExpr::Table(Box::new(Table {
                table_name: Some(table.name),
                schema_name: table.schema,
            }))));
        }
        if self.eat("VALUES") {
            let rows = self.comma_list(|p| {
                p.expect("ROW")?;
                p.row_values()
            })?;
            return Ok(nodes::values_query(rows, true).body);
        }
        self.unexpected()
    }

    /// `(a, b, …)` or `()`.
    pub(super) fn row_values(&mut self) -> Outcome<Vec<Expr>> {
        self.expect_symbol(Symbol::LeftParen)?;
        let values = if self.is_symbol(Symbol::RightParen) { Vec::new() } else { self.expr_list()? };
        self.expect_symbol(Symbol::RightParen)?;
        Ok(values)
    }

    /// `SELECT …` up to the window clause.
    fn select(&mut self) -> Outcome<Box<Select>> {
        self.expect("SELECT")?;
        let mut select = nodes::empty_select();
        select.optimizer_hints = self.optimizer_hints();
        self.select_modifiers(&mut select)?;
        self.select_list(&mut select)?;
        self.select_into(&mut select)?;
        if self.eat("FROM") && !self.eat("DUAL") {
            select.from = self.table_references()?;
        }
        self.select_conditions(&mut select)?;
        select.named_window = self.named_windows()?;
        Ok(select)
    }

    /// `WHERE`, `GROUP BY`, `HAVING`.
    fn select_conditions(&mut self, select: &mut Select) -> Outcome<()> {
        if self.eat("WHERE") {
            select.selection = Some(self.expr()?);
        }
        if self.eat_all(&["GROUP", "BY"]) {
            select.group_by = self.group_by()?;
        }
        if self.eat("HAVING") {
            select.having = Some(self.expr()?);
        }
        Ok(())
    }

    /// `/*+ … */`.
    pub(super) fn optimizer_hints(&mut self) -> Vec<OptimizerHint> {
        let mut hints = Vec::new();
        while self.kind() == TokenKind::Hint {
            let text = self.advance().text(self.source);
            let text = text.strip_prefix("/*+").and_then(|t| t.strip_suffix("*/")).unwrap_or(text).to_owned();
            hints.push(OptimizerHint { prefix: String::new(), text, style: OptimizerHintStyle::MultiLine });
        }
        hints
    }

    /// `ALL | DISTINCT`, `HIGH_PRIORITY`, `STRAIGHT_JOIN`, `SQL_…`.
    fn select_modifiers(&mut self, select: &mut Select) -> Outcome<()> {
        let words = [
            "ALL",
            "DISTINCT",
            "DISTINCTROW",
            "HIGH_PRIORITY",
            "LOW_PRIORITY",
            "DELAYED",
            "STRAIGHT_JOIN",
            "SQL_SMALL_RESULT",
            "SQL_BIG_RESULT",
            "SQL_BUFFER_RESULT",
            "SQL_CACHE",
            "SQL_NO_CACHE",
            "SQL_CALC_FOUND_ROWS",
        ];
        let mut modifiers = SelectModifiers {
            high_priority: false,
            straight_join: false,
            sql_small_result: false,
            sql_big_result: false,
            sql_buffer_result: false,
            sql_no_cache: false,
            sql_calc_found_rows: false,
        };
        let none = modifiers.clone();
        while let Some(word) = self.eat_one_of(&words) {
            match word {
                "ALL" => select.distinct = Some(Distinct::All),
                "DISTINCT" | "DISTINCTROW" => select.distinct = Some(Distinct::Distinct),
                "HIGH_PRIORITY" => modifiers.high_priority = true,
                "STRAIGHT_JOIN" => modifiers.straight_join = true,
                "SQL_SMALL_RESULT" => modifiers.sql_small_result = true,
                "SQL_BIG_RESULT" => modifiers.sql_big_result = true,
                "SQL_BUFFER_RESULT" => modifiers.sql_buffer_result = true,
                "SQL_NO_CACHE" => modifiers.sql_no_cache = true,
                "SQL_CALC_FOUND_ROWS" => modifiers.sql_calc_found_rows = true,
                _ => {}
            }
        }
        if modifiers != none {
            select.select_modifiers = Some(modifiers);
        }
        Ok(())
    }

    /// The items of a `SELECT`. Those of a statement's first `SELECT` leave their texts as column headers.
    fn select_list(&mut self, select: &mut Select) -> Outcome<()> {
        let first = self.headers.is_none();
        if first {
            self.headers = Some(Vec::new());
        }
        let mut headers = Vec::new();
        select.projection = self.comma_list(|p| {
            let start = p.offset();
            let item = p.select_item()?;
            if first {
                headers.push(p.header(&item, start));
            }
            Ok(item)
        })?;
        if first {
            self.headers = Some(headers);
        }
        Ok(())
    }

    /// The column header of an item: its alias, its column's name, a string's value, else its text as typed.
    fn header(&self, item: &SelectItem, start: usize) -> String {
        match item {
            SelectItem::ExprWithAlias { alias, .. } => alias.value.clone(),
            SelectItem::UnnamedExpr(Expr::Identifier(name)) if !name.value.starts_with('@') => {
                name.value.clone()
            }
            SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts))
                if !parts.first().is_some_and(|part| part.value.starts_with('@')) =>
            {
                parts.last().map(|part| part.value.clone()).unwrap_or_default()
            }
            SelectItem::UnnamedExpr(Expr::Value(value)) => match &value.value {
                Value::SingleQuotedString(text) => text.clone(),
                Value::Null => "NULL".to_owned(),
                _ => self.slice(start..self.previous_end()).to_owned(),
            },
            _ => self.slice(start..self.previous_end()).to_owned(),
        }
    }

    /// `*`, `t.*`, `expr [[AS] alias]`.
    fn select_item(&mut self) -> Outcome<SelectItem> {
        if self.eat_symbol(Symbol::Star) {
            return Ok(SelectItem::Wildcard(nodes::wildcard_options()));
        }
        if let Some(item) = self.qualified_wildcard()? {
            return Ok(item);
        }
        let expr = self.expr_box()?;
        self.select_alias(expr)
    }

    /// `[[AS] alias]` behind an item's expression.
    fn select_alias(&mut self, expr: Box<Expr>) -> Outcome<SelectItem> {
        let expr = *expr;
        let explicit = self.eat("AS");
        let alias = match self.kind() {
            TokenKind::Text => Some(Ident::with_quote('`', self.string()?)),
            _ if self.identifier_at(0) => Some(self.ident()?),
            _ if explicit => return self.unexpected(),
            _ => None,
        };
        Ok(match alias {
            Some(alias) => SelectItem::ExprWithAlias { expr, alias },
            None => SelectItem::UnnamedExpr(expr),
        })
    }

    /// `t.*`, `s.t.*`.
    fn qualified_wildcard(&mut self) -> Outcome<Option<SelectItem>> {
        let dots = |p: &Self, at| p.identifier_at(at) && p.symbol_at(at + 1, Symbol::Dot);
        let parts = match (
            dots(self, 0),
            self.symbol_at(2, Symbol::Star),
            dots(self, 2),
            self.symbol_at(4, Symbol::Star),
        ) {
            (true, true, ..) => 1,
            (true, _, true, true) => 2,
            _ => return Ok(None),
        };
        let name = self.object_name(parts)?;
        self.expect_symbol(Symbol::Dot)?;
        self.expect_symbol(Symbol::Star)?;
        let kind = SelectItemQualifiedWildcardKind::ObjectName(name);
        Ok(Some(SelectItem::QualifiedWildcard(kind, nodes::wildcard_options())))
    }

    /// `INTO @a, @b` of a `SELECT`.
    fn select_into(&mut self, select: &mut Select) -> Outcome<()> {
        if self.is_keyword("INTO") && self.peek(1).kind == TokenKind::UserVariable {
            self.advance();
            let targets = self.comma_list(|p| {
                let name = p.user_variable()?;
                Ok(nodes::identifier(&format!("@{name}")))
            })?;
            select.into = Some(SelectInto { temporary: false, unlogged: false, table: false, targets });
        }
        Ok(())
    }

    /// The items of `GROUP BY`.
    fn group_by(&mut self) -> Outcome<GroupByExpr> {
        let items = self.comma_list(|p| {
            let item = p.expr()?;
            let _ = p.eat_one_of(&["ASC", "DESC"]);
            Ok(item)
        })?;
        let modifiers = match self.eat_all(&["WITH", "ROLLUP"]) {
            true => vec![GroupByWithModifier::Rollup],
            false => Vec::new(),
        };
        Ok(GroupByExpr::Expressions(items, modifiers))
    }

    /// `ORDER BY a [ASC | DESC], …`.
    pub(super) fn order_by_list(&mut self) -> Outcome<Vec<OrderByExpr>> {
        self.expect_all(&["ORDER", "BY"])?;
        self.comma_list(|p| {
            let expr = p.expr()?;
            let sort = p.eat_one_of(&["ASC", "DESC"]).map(|word| match word {
                "ASC" => OrderBySort::Asc,
                _ => OrderBySort::Desc,
            });
            Ok(OrderByExpr { expr, options: OrderByOptions { sort, nulls_first: None }, with_fill: None })
        })
    }

    /// `LIMIT n`, `LIMIT m, n`, `LIMIT n OFFSET m`, `FETCH FIRST n ROWS ONLY`.
    fn limit_clause(&mut self) -> Outcome<Option<LimitClause>> {
        if self.eat("FETCH") {
            self.expect_one_of(&["FIRST", "NEXT"])?;
            let limit =
                if self.is_one_of(&["ROW", "ROWS"]) { nodes::number("1") } else { self.limit_number()? };
            self.expect_one_of(&["ROW", "ROWS"])?;
            self.expect("ONLY")?;
            return Ok(Some(LimitClause::LimitOffset {
                limit: Some(limit),
                offset: None,
                limit_by: Vec::new(),
            }));
        }
        if !self.eat("LIMIT") {
            return Ok(None);
        }
        let first = self.limit_number()?;
        if self.eat_symbol(Symbol::Comma) {
            return Ok(Some(LimitClause::OffsetCommaLimit { offset: first, limit: self.limit_number()? }));
        }
        let offset = match self.eat("OFFSET") {
            true => Some(Offset { value: self.limit_number()?, rows: OffsetRows::None }),
            false => None,
        };
        Ok(Some(LimitClause::LimitOffset { limit: Some(first), offset, limit_by: Vec::new() }))
    }

    /// A row count: a number or a placeholder.
    pub(super) fn limit_number(&mut self) -> Outcome<Expr> {
        match self.kind() {
            TokenKind::Integer | TokenKind::Placeholder => self.primary().map(|number| *number),
            _ => self.unexpected(),
        }
    }

    /// `FOR UPDATE …`, `FOR SHARE …`, `LOCK IN SHARE MODE`.
    fn locks(&mut self, query: &mut Query, settings: &mut Vec<Setting>) -> Outcome<()> {
        if self.eat_all(&["LOCK", "IN", "SHARE", "MODE"]) {
            query.locks.push(LockClause { lock_type: LockType::Share, of: None, nonblock: None });
            return Ok(());
        }
        if !self.is_keyword("FOR") {
            return Ok(());
        }
        self.advance();
        let lock_type = match self.expect_one_of(&["UPDATE", "SHARE"])? {
            "SHARE" => LockType::Share,
            _ => LockType::Update,
        };
        let tables = match self.eat("OF") {
            true => self.comma_list(|p| p.object_name(2))?,
            false => Vec::new(),
        };
        let nonblock = if self.eat("NOWAIT") {
            Some(NonBlock::Nowait)
        } else if self.eat_all(&["SKIP", "LOCKED"]) {
            Some(NonBlock::SkipLocked)
        } else {
            None
        };
        if self.eat("WAIT") {
            let seconds = self.number()?;
            settings.push(setting("lock_wait_seconds", nodes::number(&seconds.to_string())));
        }
        if tables.is_empty() {
            query.locks.push(LockClause { lock_type, of: None, nonblock });
        } else {
            query.locks.extend(tables.into_iter().map(|table| LockClause {
                lock_type: lock_type.clone(),
                of: Some(table),
                nonblock: nonblock.clone(),
            }));
        }
        Ok(())
    }

    /// `INTO OUTFILE 'path' …`: the path and the format as typed.
    fn into_outfile(&mut self, settings: &mut Vec<Setting>) -> Outcome<()> {
        if !self.are_keywords(&["INTO", "OUTFILE"]) {
            return Ok(());
        }
        self.eat_all(&["INTO", "OUTFILE"]);
        let path = self.string()?;
        settings.push(setting("into_outfile", nodes::value(Value::SingleQuotedString(path))));
        let start = self.offset();
        self.load_layout()?;
        let layout = self.slice(start..self.previous_end().max(start)).to_owned();
        if !layout.is_empty() {
            settings.push(setting("outfile_format", nodes::value(Value::SingleQuotedString(layout))));
        }
        Ok(())
    }
}

/// A setting that carries what the query node has no field for.
fn setting(key: &str, value: Expr) -> Setting {
    Setting { key: Ident::new(key), value }
}
