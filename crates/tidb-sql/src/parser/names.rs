//! Identifiers, names with qualifiers, users, and the strings and numbers that stand next to them.

use sqlparser::ast::{Ident, ObjectName};

use super::cursor::{Outcome, Parser};
use super::reserved::is_reserved;
use crate::account::UserName;
use crate::ddl::{ColumnName, TableName};
use crate::lexer::{Symbol, TokenKind};

impl Parser<'_> {
    /// Whether the token at a distance can be an identifier.
    pub(super) fn identifier_at(&self, distance: usize) -> bool {
        match self.peek(distance).kind {
            TokenKind::Word => !is_reserved(self.text(distance)),
            TokenKind::QualifiedWord | TokenKind::QuotedIdentifier => true,
            _ => false,
        }
    }

    /// An identifier.
    pub(super) fn identifier(&mut self) -> Outcome<String> {
        if !self.identifier_at(0) {
            return self.unexpected();
        }
        let token = self.advance();
        Ok(match token.kind {
            TokenKind::QuotedIdentifier => self.unquote(token).into_owned(),
            _ => token.text(self.source).to_owned(),
        })
    }

    /// An identifier as an AST node, which remembers whether it was quoted.
    pub(super) fn ident(&mut self) -> Outcome<Ident> {
        let quoted = self.kind() == TokenKind::QuotedIdentifier;
        let name = self.identifier()?;
        Ok(if quoted { Ident::with_quote('`', name) } else { Ident::new(name) })
    }

    /// Identifiers with dots between, at most `limit`.
    pub(super) fn qualified(&mut self, limit: usize) -> Outcome<Vec<Ident>> {
        let mut parts = vec![self.ident()?];
        while parts.len() < limit && self.eat_symbol(Symbol::Dot) {
            parts.push(self.ident()?);
        }
        Ok(parts)
    }

    /// A name with up to two qualifiers as an AST node.
    pub(super) fn object_name(&mut self, limit: usize) -> Outcome<ObjectName> {
        Ok(ObjectName::from(self.qualified(limit)?))
    }

    /// `[schema.]table`.
    pub(super) fn table_name(&mut self) -> Outcome<TableName> {
        let first = self.identifier()?;
        if self.eat_symbol(Symbol::Dot) {
            let name = self.identifier()?;
            return Ok(TableName { schema: Some(first), name });
        }
        Ok(TableName { schema: None, name: first })
    }

    /// `[[schema.]table.]column`.
    pub(super) fn column_name(&mut self) -> Outcome<ColumnName> {
        let mut parts = self.qualified(3)?;
        let name = parts.pop().map(|i| i.value).unwrap_or_default();
        let table = parts.pop().map(|i| i.value);
        let schema = parts.pop().map(|i| i.value);
        Ok(ColumnName { schema, table, name })
    }

    /// A string literal (one token).
    pub(super) fn string(&mut self) -> Outcome<String> {
        if self.kind() != TokenKind::Text {
            return self.unexpected();
        }
        let token = self.advance();
        Ok(self.unquote(token).into_owned())
    }

    /// A string, or a hexadecimal or bit literal whose bytes are UTF-8.
    pub(super) fn text_literal(&mut self) -> Outcome<String> {
        let token = self.peek(0);
        let text = token.text(self.source);
        let bytes = match token.kind {
            TokenKind::Hex => hex_bytes(hex_digits(text)),
            TokenKind::Bits => bit_bytes(text),
            _ => return self.string(),
        };
        match bytes.and_then(|bytes| String::from_utf8(bytes).ok()) {
            Some(text) => {
                self.advance();
                Ok(text)
            }
            None => self.unexpected(),
        }
    }

    /// An identifier or a string.
    pub(super) fn string_or_identifier(&mut self) -> Outcome<String> {
        if self.kind() == TokenKind::Text { self.string() } else { self.identifier() }
    }

    /// A number without sign, point and exponent that fits 64 bits; hexadecimal is accepted too.
    pub(super) fn number(&mut self) -> Outcome<u64> {
        let token = self.peek(0);
        let text = token.text(self.source);
        let value = match token.kind {
            TokenKind::Integer => text.parse().ok(),
            TokenKind::Hex => u64::from_str_radix(hex_digits(text), 16).ok(),
            _ => None,
        };
        match value {
            Some(value) => {
                self.advance();
                Ok(value)
            }
            None => self.unexpected(),
        }
    }

    /// A whole number with an optional sign that fits 64 bits.
    pub(super) fn signed_number(&mut self) -> Outcome<i64> {
        let negative = self.eat_symbol(Symbol::Minus);
        if !negative {
            self.eat_symbol(Symbol::Plus);
        }
        let text = self.text(0);
        if self.kind() != TokenKind::Integer {
            return self.unexpected();
        }
        let value = if negative { format!("-{text}").parse() } else { text.parse() };
        match value {
            Ok(value) => {
                self.advance();
                Ok(value)
            }
            Err(_) => self.unexpected(),
        }
    }

    /// A character set's name, in lower case; `utf8mb3` is `utf8`.
    pub(super) fn charset_name(&mut self) -> Outcome<String> {
        let name = if self.eat("BINARY") { "binary".to_owned() } else { self.string_or_identifier()? };
        let name = name.to_ascii_lowercase();
        Ok(if name == "utf8mb3" { "utf8".to_owned() } else { name })
    }

    /// A collation's name, in lower case.
    pub(super) fn collation_name(&mut self) -> Outcome<String> {
        let name = if self.eat("BINARY") { "binary".to_owned() } else { self.string_or_identifier()? };
        Ok(name.to_ascii_lowercase())
    }

    /// Whether `CHARACTER SET`, `CHAR SET` or `CHARSET` is next.
    pub(super) fn is_charset_keyword(&self) -> bool {
        self.is_keyword("CHARSET") || (self.is_one_of(&["CHARACTER", "CHAR"]) && self.keyword_at(1, "SET"))
    }

    /// Takes `CHARACTER SET`, `CHAR SET` or `CHARSET` if it is next.
    pub(super) fn eat_charset_keyword(&mut self) -> bool {
        self.eat("CHARSET") || self.eat_all(&["CHARACTER", "SET"]) || self.eat_all(&["CHAR", "SET"])
    }

    /// `IF EXISTS`.
    pub(super) fn if_exists(&mut self) -> bool {
        self.eat_all(&["IF", "EXISTS"])
    }

    /// `IF NOT EXISTS`.
    pub(super) fn if_not_exists(&mut self) -> bool {
        self.eat_all(&["IF", "NOT", "EXISTS"])
    }

    /// `'name'@'host'`, `name@host`, `name`, or the current user.
    pub(super) fn user_name(&mut self) -> Outcome<UserName> {
        if self.eat("CURRENT_USER")
            || (self.is_keyword("USER") && self.symbol_at(1, Symbol::LeftParen) && self.eat("USER"))
        {
            if self.eat_symbol(Symbol::LeftParen) {
                self.expect_symbol(Symbol::RightParen)?;
            }
            return Ok(UserName::Current);
        }
        let user = self.string_or_identifier()?;
        let host = self.host()?.unwrap_or_else(|| "%".to_owned());
        Ok(UserName::Named { user, host })
    }

    /// `@host` after a user's name.
    pub(super) fn host(&mut self) -> Outcome<Option<String>> {
        if self.kind() == TokenKind::UserVariable {
            return Ok(Some(self.user_variable()?.to_ascii_lowercase()));
        }
        if !self.eat_symbol(Symbol::At) {
            return Ok(None);
        }
        if self.eat_symbol(Symbol::Percent) {
            return Ok(Some("%".to_owned()));
        }
        Ok(Some(self.string_or_identifier()?.to_ascii_lowercase()))
    }

    /// The name of `@name`, without the `@`.
    pub(super) fn user_variable(&mut self) -> Outcome<String> {
        if self.kind() != TokenKind::UserVariable {
            return self.unexpected();
        }
        let token = self.advance();
        Ok(self.variable_name(token.text(self.source).strip_prefix('@').unwrap_or("")))
    }

    /// A variable's name without the leading `@`s, quotes removed.
    pub(super) fn variable_name(&self, name: &str) -> String {
        match name.chars().next() {
            Some('`') => crate::lexer::string_value(name, false).into_owned(),
            Some('\'' | '"') => {
                crate::lexer::string_value(name, !self.mode.no_backslash_escapes).into_owned()
            }
            _ => name.to_owned(),
        }
    }
}

/// The digits of `x'…'` or `0x…`.
pub(super) fn hex_digits(text: &str) -> &str {
    match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        Some(digits) => digits,
        None => text.get(2..text.len().saturating_sub(1)).unwrap_or(""),
    }
}

/// The bytes of hexadecimal digits; an odd number of them is preceded by a zero.
fn hex_bytes(digits: &str) -> Option<Vec<u8>> {
    let digits = if digits.len().is_multiple_of(2) { digits.to_owned() } else { format!("0{digits}") };
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect()
}

/// The bytes of a bit literal, which is filled up with zeros at the front.
fn bit_bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_start_matches(['0', 'b', 'B', '\'']).trim_end_matches('\'');
    let digits = format!("{}{digits}", "0".repeat((8 - digits.len() % 8) % 8));
    digits
        .as_bytes()
        .chunks(8)
        .map(|byte| std::str::from_utf8(byte).ok().and_then(|byte| u8::from_str_radix(byte, 2).ok()))
        .collect()
}
