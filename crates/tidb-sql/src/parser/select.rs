//! `SELECT` and its items.

use sqlparser::ast::{
    Distinct, Expr, GroupByExpr, GroupByWithModifier, Ident, OptimizerHint, OptimizerHintStyle, Select,
    SelectInto, SelectItem, SelectItemQualifiedWildcardKind, SelectModifiers, Value,
};

use super::cursor::{Outcome, Parser};
use super::nodes;
use crate::lexer::{Symbol, TokenKind};

impl Parser<'_> {
    /// `SELECT …` up to the window clause.
    pub(super) fn select(&mut self) -> Outcome<Box<Select>> {
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
    pub(super) fn select_conditions(&mut self, select: &mut Select) -> Outcome<()> {
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
            if text.trim().is_empty() {
                continue;
            }
            hints.push(OptimizerHint { prefix: String::new(), text, style: OptimizerHintStyle::MultiLine });
        }
        hints
    }

    /// `ALL | DISTINCT`, `HIGH_PRIORITY`, `STRAIGHT_JOIN`, `SQL_…`.
    pub(super) fn select_modifiers(&mut self, select: &mut Select) -> Outcome<()> {
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
    pub(super) fn select_list(&mut self, select: &mut Select) -> Outcome<()> {
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
    pub(super) fn header(&self, item: &SelectItem, start: usize) -> String {
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
    pub(super) fn select_item(&mut self) -> Outcome<SelectItem> {
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
    pub(super) fn select_alias(&mut self, expr: Box<Expr>) -> Outcome<SelectItem> {
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
    pub(super) fn qualified_wildcard(&mut self) -> Outcome<Option<SelectItem>> {
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
    pub(super) fn select_into(&mut self, select: &mut Select) -> Outcome<()> {
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
    pub(super) fn group_by(&mut self) -> Outcome<GroupByExpr> {
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
}
