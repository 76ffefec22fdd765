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
    pub(super) fn primary(&mut self) -> Outcome<Expr> {
        match self.kind() {
            TokenKind::Word => self.word_primary(),
            TokenKind::QualifiedWord | TokenKind::QuotedIdentifier => self.name_or_call(),
            TokenKind::Placeholder => {
                self.advance();
                self.placeholders += 1;
                Ok(nodes::value(Value::Placeholder(format!("?{}", self.placeholders))))
            }
            TokenKind::UserVariable => {
                let name = self.user_variable()?;
                Ok(Expr::Identifier(Ident::new(format!("@{name}"))))
            }
            TokenKind::SystemVariable => Ok(self.system_variable_expr()),
            TokenKind::Symbol(Symbol::LeftParen) => self.parentheses(),
            TokenKind::Symbol(Symbol::LeftBrace) => self.odbc_literal(),
            _ => match self.literal()? {
                Some(literal) => Ok(literal),
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
    fn word_primary(&mut self) -> Outcome<Expr> {
        if let Some(literal) = self.literal()? {
            return Ok(literal);
        }
        if let Some(expr) = self.keyword_primary()? {
            return Ok(expr);
        }
        if let Some(call) = self.keyword_function()? {
            return Ok(call);
        }
        self.name_or_call()
    }

    /// An operand that starts with a keyword of its own syntax.
    fn keyword_primary(&mut self) -> Outcome<Option<Expr>> {
        if self.is_keyword("CASE") {
            return self.nested(Self::case).map(Some);
        }
        if self.is_keyword("EXISTS") && self.symbol_at(1, Symbol::LeftParen) {
            self.advance();
            let subquery = self.subquery()?;
            return Ok(Some(Expr::Exists { subquery, negated: false }));
        }
        if self.is_keyword("ROW") && self.symbol_at(1, Symbol::LeftParen) {
            self.advance();
            return self.paren_list(Self::expr).map(|items| Some(Expr::Tuple(items)));
        }
        if self.is_keyword("MATCH") && self.symbol_at(1, Symbol::LeftParen) {
            return self.match_against().map(Some);
        }
        if self.are_keywords(&["NEXT", "VALUE", "FOR"]) {
            return self.next_value().map(Some);
        }
        if self.is_keyword("DEFAULT") && !self.symbol_at(1, Symbol::LeftParen) {
            self.advance();
            return Ok(Some(nodes::identifier("DEFAULT")));
        }
        self.typed_string()
    }

    /// `DATE '…'`, `TIME '…'`, `TIMESTAMP '…'`.
    fn typed_string(&mut self) -> Outcome<Option<Expr>> {
        if self.peek(1).kind != TokenKind::Text {
            return Ok(None);
        }
        let Some(keyword) = self.eat_one_of(&["DATE", "TIME", "TIMESTAMP"]) else { return Ok(None) };
        let value = Value::SingleQuotedString(self.string()?).with_empty_span();
        Ok(Some(Expr::TypedString(TypedString {
            data_type: time_type(keyword),
            value,
            uses_odbc_syntax: false,
        })))
    }

    /// `{d '…'}`, `{t '…'}`, `{ts '…'}`; any other word means the expression itself.
    fn odbc_literal(&mut self) -> Outcome<Expr> {
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
                Expr::TypedString(TypedString {
                    data_type: time_type(keyword),
                    value,
                    uses_odbc_syntax: true,
                })
            }
            _ => self.expr()?,
        };
        self.expect_symbol(Symbol::RightBrace)?;
        Ok(expr)
    }

    /// `(query)`, `(expr)`, `(a, b)`.
    fn parentheses(&mut self) -> Outcome<Expr> {
        if self.query_follows(1) {
            return self.subquery().map(Expr::Subquery);
        }
        let mut items = self.paren_list(Self::expr)?;
        self.grow()?;
        Ok(match items.len() {
            1 => items.pop().map_or(Expr::Tuple(Vec::new()), |item| Expr::Nested(Box::new(item))),
            _ => Expr::Tuple(items),
        })
    }

    /// `CASE [a] WHEN b THEN c … [ELSE d] END`.
    fn case(&mut self) -> Outcome<Expr> {
        self.expect("CASE")?;
        let operand = if self.is_keyword("WHEN") { None } else { Some(Box::new(self.expr()?)) };
        let mut conditions = Vec::new();
        while self.eat("WHEN") {
            let condition = self.expr()?;
            self.expect("THEN")?;
            let result = self.expr()?;
            conditions.push(CaseWhen { condition, result });
        }
        if conditions.is_empty() {
            return self.unexpected();
        }
        let else_result = if self.eat("ELSE") { Some(Box::new(self.expr()?)) } else { None };
        self.expect("END")?;
        Ok(Expr::Case {
            case_token: AttachedToken::empty(),
            end_token: AttachedToken::empty(),
            operand,
            conditions,
            else_result,
        })
    }

    /// A name, a call of a function, or `column -> 'path'`.
    fn name_or_call(&mut self) -> Outcome<Expr> {
        // a reserved word is a function's name only if it is one of those that `keyword_function` knows
        let mut parts = self.qualified(3)?;
        if self.is_symbol(Symbol::LeftParen) && parts.len() <= 2 {
            return self.generic_call(parts);
        }
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
            _ => return Ok(column),
        };
        self.advance();
        let path = nodes::value(Value::SingleQuotedString(self.string()?));
        self.grow()?;
        Ok(binary(column, op, path))
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
    pub(super) fn interval(&mut self) -> Outcome<Expr> {
        self.expect("INTERVAL")?;
        let value = Box::new(self.expr()?);
        let unit = self.time_unit()?;
        Ok(Expr::Interval(Interval {
            value,
            leading_field: Some(unit),
            leading_precision: None,
            last_field: None,
            fractional_seconds_precision: None,
        }))
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
