//! Literals.

use sqlparser::ast::{Expr, Ident, UnaryOperator, Value};

use super::cursor::{Outcome, Parser};
use super::names::hex_digits;
use super::nodes;
use crate::lexer::{Symbol, TokenKind};

/// Character sets whose name after `_` introduces a string.
const INTRODUCERS: [&str; 8] =
    ["_utf8mb4", "_utf8", "_utf8mb3", "_latin1", "_ascii", "_binary", "_gbk", "_gb18030"];

impl Parser<'_> {
    /// A literal if one is next: number, string, hexadecimal, bits, boolean, `NULL`, with an optional introducer.
    pub(super) fn literal(&mut self) -> Outcome<Option<Expr>> {
        let token = self.peek(0);
        let text = token.text(self.source);
        let value = match token.kind {
            TokenKind::Integer | TokenKind::Decimal | TokenKind::Float => {
                Value::Number(text.to_owned(), false)
            }
            TokenKind::Text => {
                return Ok(Some(nodes::value(Value::SingleQuotedString(self.joined_strings()))));
            }
            TokenKind::NationalText => {
                let quoted = text.get(1..).unwrap_or("");
                let value = crate::lexer::string_value(quoted, !self.mode.no_backslash_escapes);
                Value::NationalStringLiteral(value.into_owned())
            }
            TokenKind::Hex => Value::HexStringLiteral(even_digits(hex_digits(text))),
            TokenKind::Bits => Value::SingleQuotedByteStringLiteral(bit_digits(text).to_owned()),
            TokenKind::Word if text.starts_with('_') => return self.introduced(),
            TokenKind::Word if text.eq_ignore_ascii_case("NULL") => Value::Null,
            TokenKind::Word if text.eq_ignore_ascii_case("TRUE") => Value::Boolean(true),
            TokenKind::Word if text.eq_ignore_ascii_case("FALSE") => Value::Boolean(false),
            _ => return Ok(None),
        };
        self.advance();
        Ok(Some(nodes::value(value)))
    }

    /// Adjacent strings as one value.
    fn joined_strings(&mut self) -> String {
        let mut value = String::new();
        while self.kind() == TokenKind::Text {
            let token = self.advance();
            value.push_str(&self.unquote(token));
        }
        value
    }

    /// A string, hexadecimal or bit literal with an introducer, if one is next.
    fn introduced(&mut self) -> Outcome<Option<Expr>> {
        let prefix = self.text(0).to_ascii_lowercase();
        if !INTRODUCERS.contains(&prefix.as_str())
            || !matches!(self.peek(1).kind, TokenKind::Text | TokenKind::Hex | TokenKind::Bits)
        {
            return Ok(None);
        }
        self.advance();
        let token = self.peek(0);
        let value = match token.kind {
            TokenKind::Text => {
                self.advance();
                nodes::value(Value::SingleQuotedString(self.unquote(token).into_owned()))
            }
            _ => match self.literal()? {
                Some(value) => value,
                None => return self.unexpected(),
            },
        };
        Ok(Some(Expr::Prefixed { prefix: Ident::new(prefix), value: Box::new(value) }))
    }

    /// A literal, or a number with a sign, as `DEFAULT` takes it.
    pub(super) fn signed_literal(&mut self) -> Outcome<Expr> {
        let op = match self.kind() {
            TokenKind::Symbol(Symbol::Plus) => Some(UnaryOperator::Plus),
            TokenKind::Symbol(Symbol::Minus) => Some(UnaryOperator::Minus),
            _ => None,
        };
        if let Some(op) = op {
            self.advance();
            let text = self.text(0);
            if !matches!(self.kind(), TokenKind::Integer | TokenKind::Decimal | TokenKind::Float) {
                return self.unexpected();
            }
            self.advance();
            return Ok(Expr::UnaryOp { op, expr: Box::new(nodes::number(text)) });
        }
        match self.literal()? {
            Some(literal) => Ok(literal),
            None => self.unexpected(),
        }
    }
}

/// Hexadecimal digits with a leading zero if they are an odd number.
fn even_digits(digits: &str) -> String {
    if digits.len().is_multiple_of(2) { digits.to_owned() } else { format!("0{digits}") }
}

/// The digits of `b'…'` or `0b…`.
fn bit_digits(text: &str) -> &str {
    match text.strip_prefix("0b") {
        Some(digits) => digits,
        None => text.get(2..text.len().saturating_sub(1)).unwrap_or(""),
    }
}
