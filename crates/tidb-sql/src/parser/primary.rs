//! The operands of expressions: literals, names, variables, parentheses, subqueries, `CASE`, casts.

use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    BinaryOperator, CaseWhen, DataType, Expr, Ident, Interval, TimezoneInfo, TypedString, Value,
};

use super::cursor::{Outcome, Parser};
use super::expr::binary;
use super::nodes;
use crate::lexer::{Symbol, TokenKind};

impl Parser<'_> {
    /// An operand.
    pub(super) fn primary(&mut self) -> Outcome<Box<Expr>> {
        match self.kind() {
            TokenKind::Word => self.word_primary(),
            TokenKind::QualifiedWord | TokenKind::QuotedIdentifier => self.name_or_call(),
            TokenKind::Symbol(Symbol::LeftParen) => self.parentheses(),
            TokenKind::Symbol(Symbol::LeftBrace) => self.odbc_literal(),
            _ => self.leaf(),
        }
    }

    /// An operand of one token that is no word.
    fn leaf(&mut self) -> Outcome<Box<Expr>> {
        match self.kind() {
            TokenKind::Placeholder => {
                self.advance();
                self.placeholders += 1;
                Ok(Box::new(nodes::value(Value::Placeholder(format!("?{}", self.placeholders)))))
            }
            TokenKind::UserVariable => {
                let name = self.user_variable()?;
                Ok(Box::new(Expr::Identifier(Ident::new(format!("@{name}")))))
            }
            TokenKind::SystemVariable => Ok(Box::new(self.system_variable_expr())),
            _ => match self.literal()? {
                Some(literal) => Ok(Box::new(literal)),
                None => self.unexpected(),
            },
        }
    }

    /// `@@x`, `@@scope.x`.
    fn system_variable_expr(&mut self) -> Expr {
        let token = self.advance();
        let name = token.text(self.source).get(2..).unwrap_or("");
        let scope = ["global", "session", "local", "instance"].into_iter().find(|scope| {
            name.get(..scope.len()).is_some_and(|s| s.eq_ignore_ascii_case(scope))
                && name.as_bytes().get(scope.len()) == Some(&b'.')
        });
        match scope.and_then(|scope| name.get(scope.len() + 1..).map(|rest| (scope, rest))) {
            Some((scope, rest)) => {
                let parts = vec![Ident::new(format!("@@{scope}")), Ident::new(self.variable_name(rest))];
                Expr::CompoundIdentifier(parts)
            }
            None => Expr::Identifier(Ident::new(format!("@@{}", self.variable_name(name)))),
        }
    }

    /// An operand that starts with an unquoted word.
    fn word_primary(&mut self) -> Outcome<Box<Expr>> {
        if let Some(leaf) = self.word_leaf()? {
            return Ok(leaf);
        }
        if self.is_keyword("CASE") {
            return self.nested(Self::case);
        }
        if self.is_one_of(&["EXISTS", "ROW"]) && self.symbol_at(1, Symbol::LeftParen) {
            return self.exists_or_row();
        }
        match self.keyword_function()? {
            Some(call) => Ok(call),
            None => self.name_or_call(),
        }
    }

    /// An operand that starts with a word and holds no other expression.
    fn word_leaf(&mut self) -> Outcome<Option<Box<Expr>>> {
        if let Some(literal) = self.literal()? {
            return Ok(Some(Box::new(literal)));
        }
        if self.is_keyword("MATCH") && self.symbol_at(1, Symbol::LeftParen) {
            return self.match_against().map(Some);
        }
        if self.are_keywords(&["NEXT", "VALUE", "FOR"]) {
            return self.next_value().map(Some);
        }
        if self.is_keyword("DEFAULT") && !self.symbol_at(1, Symbol::LeftParen) {
            self.advance();
            return Ok(Some(Box::new(nodes::identifier("DEFAULT"))));
        }
        self.typed_string()
    }

    /// `EXISTS (query)`, `ROW(a, b)`.
    fn exists_or_row(&mut self) -> Outcome<Box<Expr>> {
        if self.eat("EXISTS") {
            let subquery = self.subquery()?;
            return Ok(Box::new(Expr::Exists { subquery, negated: false }));
        }
        self.expect("ROW")?;
        let items = self.paren_list(Self::expr)?;
        Ok(Box::new(Expr::Tuple(items)))
    }

    /// `DATE '…'`, `TIME '…'`, `TIMESTAMP '…'`.
    fn typed_string(&mut self) -> Outcome<Option<Box<Expr>>> {
        if self.peek(1).kind != TokenKind::Text {
            return Ok(None);
        }
        let Some(keyword) = self.eat_one_of(&["DATE", "TIME", "TIMESTAMP"]) else { return Ok(None) };
        let value = Value::SingleQuotedString(self.string()?).with_empty_span();
        let typed = TypedString { data_type: time_type(keyword), value, uses_odbc_syntax: false };
        Ok(Some(Box::new(Expr::TypedString(typed))))
    }

    /// `{d '…'}`, `{t '…'}`, `{ts '…'}`; any other word means the expression itself.
    fn odbc_literal(&mut self) -> Outcome<Box<Expr>> {
        self.expect_symbol(Symbol::LeftBrace)?;
        let word = self.identifier()?.to_ascii_lowercase();
        let keyword = match word.as_str() {
            "d" => Some("DATE"),
            "t" => Some("TIME"),
            "ts" => Some("TIMESTAMP"),
            _ => None,
        };
        let expr = match (keyword, self.kind()) {
            (Some(keyword), TokenKind::Text) => {
                let value = Value::SingleQuotedString(self.string()?).with_empty_span();
                Box::new(Expr::TypedString(TypedString {
                    data_type: time_type(keyword),
                    value,
                    uses_odbc_syntax: true,
                }))
            }
            _ => self.expr_box()?,
        };
        self.expect_symbol(Symbol::RightBrace)?;
        Ok(expr)
    }

    /// `(query)`, `(expr)`, `(a, b)`.
    fn parentheses(&mut self) -> Outcome<Box<Expr>> {
        if self.query_follows(1) && self.holds_query() {
            return self.subquery().map(|query| Box::new(Expr::Subquery(query)));
        }
        self.expect_symbol(Symbol::LeftParen)?;
        let first = self.expr_box()?;
        self.grow()?;
        self.end_parentheses(first)
    }

    /// What follows the first expression in parentheses.
    fn end_parentheses(&mut self, first: Box<Expr>) -> Outcome<Box<Expr>> {
        if self.eat_symbol(Symbol::RightParen) {
            return Ok(Box::new(Expr::Nested(first)));
        }
        self.expect_symbol(Symbol::Comma)?;
        let mut items = vec![*first];
        items.extend(self.expr_list()?);
        self.expect_symbol(Symbol::RightParen)?;
        Ok(Box::new(Expr::Tuple(items)))
    }

    /// `CASE [a] WHEN b THEN c … [ELSE d] END`.
    fn case(&mut self) -> Outcome<Box<Expr>> {
        self.expect("CASE")?;
        let operand = if self.is_keyword("WHEN") { None } else { Some(self.expr_box()?) };
        let mut conditions = Vec::new();
        while self.eat("WHEN") {
            let condition = self.expr_box()?;
            self.expect("THEN")?;
            let result = self.expr_box()?;
            conditions.push(CaseWhen { condition: *condition, result: *result });
        }
        if conditions.is_empty() {
            return self.unexpected();
        }
        let else_result = if self.eat("ELSE") { Some(self.expr_box()?) } else { None };
        self.expect("END")?;
        Ok(Box::new(Expr::Case {
            case_token: AttachedToken::empty(),
            end_token: AttachedToken::empty(),
            operand,
            conditions,
            else_result,
        }))
    }

    /// A name, a call of a function, or `column -> 'path'`.
    fn name_or_call(&mut self) -> Outcome<Box<Expr>> {
        // a reserved word is a function's name only if it is one of those that `keyword_function` knows
        let parts = self.qualified(3)?;
        if self.is_symbol(Symbol::LeftParen) && parts.len() <= 2 {
            return self.generic_call(parts);
        }
        self.column_or_path(parts)
    }

    /// A column, or a path into a JSON column.
    fn column_or_path(&mut self, mut parts: Vec<Ident>) -> Outcome<Box<Expr>> {
        let column = match (parts.len(), parts.pop()) {
            (1, Some(part)) => Expr::Identifier(part),
            (_, Some(part)) => {
                parts.push(part);
                Expr::CompoundIdentifier(parts)
            }
            (_, None) => return self.unexpected(),
        };
        let op = match self.kind() {
            TokenKind::Symbol(Symbol::Arrow) => BinaryOperator::Arrow,
            TokenKind::Symbol(Symbol::LongArrow) => BinaryOperator::LongArrow,
            _ => return Ok(Box::new(column)),
        };
        self.advance();
        let path = nodes::value(Value::SingleQuotedString(self.string()?));
        self.grow()?;
        Ok(binary(Box::new(column), op, Box::new(path)))
    }

    /// Whether `INTERVAL expr unit` is next (and not the function `INTERVAL(a, b)`).
    pub(super) fn interval_follows(&self) -> bool {
        if !self.is_keyword("INTERVAL") {
            return false;
        }
        if !self.symbol_at(1, Symbol::LeftParen) {
            return true;
        }
        // `INTERVAL (a + b) DAY`: a unit stands behind the matching parenthesis
        let mut depth = 0_usize;
        for distance in 1.. {
            match self.peek(distance).kind {
                TokenKind::Symbol(Symbol::LeftParen) => depth += 1,
                TokenKind::Symbol(Symbol::RightParen) => depth -= 1,
                TokenKind::End | TokenKind::Symbol(Symbol::Semicolon) => return false,
                TokenKind::Symbol(Symbol::Comma) if depth == 1 => return false,
                _ => {}
            }
            if depth == 0 {
                let next = distance + 1;
                return self.peek(next).kind == TokenKind::Word
                    && (nodes::time_unit(self.text(next)).is_some() || self.is_operator_word(next));
            }
        }
        false
    }

    /// Whether the token at a distance goes on with an expression, as in `INTERVAL (a) + 1 DAY`.
    fn is_operator_word(&self, distance: usize) -> bool {
        ["DIV", "MOD"].iter().any(|word| self.keyword_at(distance, word))
    }

    /// `INTERVAL expr unit`.
    pub(super) fn interval(&mut self) -> Outcome<Box<Expr>> {
        self.expect("INTERVAL")?;
        let value = self.expr_box()?;
        let unit = self.time_unit()?;
        Ok(Box::new(Expr::Interval(Interval {
            value,
            leading_field: Some(unit),
            leading_precision: None,
            last_field: None,
            fractional_seconds_precision: None,
        })))
    }

    /// A unit of time.
    pub(super) fn time_unit(&mut self) -> Outcome<sqlparser::ast::DateTimeField> {
        let unit = match self.kind() {
            TokenKind::Word => nodes::time_unit(self.text(0)),
            _ => None,
        };
        match unit {
            Some(unit) => {
                self.advance();
                Ok(unit)
            }
            None => self.unexpected(),
        }
    }
}

/// The type that a typed string's keyword names.
fn time_type(keyword: &str) -> DataType {
    match keyword {
        "DATE" => DataType::Date,
        "TIME" => DataType::Time(None, TimezoneInfo::None),
        _ => DataType::Timestamp(None, TimezoneInfo::None),
    }
}
