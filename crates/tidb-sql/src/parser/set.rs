//! `SET …`.

use sqlparser::ast::Expr;

use super::cursor::{Outcome, Parser};
use super::nodes;
use crate::account::AccountStatement;
use crate::lexer::{Symbol, TokenKind};
use crate::statement::Statement;
use crate::utility::{Assignment, IsolationLevel, Scope, SetStatement, SetValue};

impl Parser<'_> {
    /// `SET …`.
    pub(super) fn set(&mut self) -> Outcome<Statement> {
        self.expect("SET")?;
        if let Some(statement) = self.set_account()? {
            return Ok(Statement::Account(Box::new(statement)));
        }
        if self.eat_all(&["RESOURCE", "GROUP"]) {
            return self.resource_group_name().map(|name| Statement::Set(SetStatement::ResourceGroup(name)));
        }
        if self.eat("SESSION_STATES") {
            return self.string().map(|text| Statement::Set(SetStatement::SessionStates(text)));
        }
        if self.is_keyword("CONFIG") && !self.symbol_at(1, Symbol::Equal) {
            return self.set_config();
        }
        let scoped = usize::from(self.is_one_of(&["SESSION", "GLOBAL", "LOCAL"]));
        if self.keyword_at(scoped, "TRANSACTION") && !self.symbol_at(scoped + 1, Symbol::Equal) {
            return self.set_transaction();
        }
        self.comma_list(Self::assignment).map(|list| Statement::Set(SetStatement::Assignments(list)))
    }

    /// `SET PASSWORD`, `SET ROLE`, `SET DEFAULT ROLE`.
    pub(super) fn set_account(&mut self) -> Outcome<Option<AccountStatement>> {
        if self.is_keyword("PASSWORD") && !self.symbol_at(1, Symbol::Dot) {
            self.advance();
            let user = if self.eat("FOR") { Some(self.user_name()?) } else { None };
            self.expect_symbol(Symbol::Equal)?;
            let password = match self.eat("PASSWORD") {
                true => self.parenthesized(Self::string)?,
                false => self.string()?,
            };
            return Ok(Some(AccountStatement::SetPassword { user, password }));
        }
        if self.eat_all(&["DEFAULT", "ROLE"]) {
            return self.rest_of_statement().map(|text| Some(AccountStatement::SetDefaultRole(text)));
        }
        if self.is_keyword("ROLE") && !self.symbol_at(1, Symbol::Equal) {
            self.advance();
            return self.rest_of_statement().map(|text| Some(AccountStatement::SetRole(text)));
        }
        Ok(None)
    }

    /// `SET CONFIG target name = value`.
    pub(super) fn set_config(&mut self) -> Outcome<Statement> {
        self.expect("CONFIG")?;
        let target = self.string_or_identifier()?;
        let start = self.offset();
        while !self.is_symbol(Symbol::Equal) {
            if self.at_statement_end() {
                return self.unexpected();
            }
            self.advance();
        }
        let name = self.slice(start..self.previous_end()).to_owned();
        self.expect_symbol(Symbol::Equal)?;
        let value = self.expr()?;
        Ok(Statement::Set(SetStatement::Config { target, name, value }))
    }

    /// `SET [SESSION | GLOBAL] TRANSACTION …`.
    pub(super) fn set_transaction(&mut self) -> Outcome<Statement> {
        let scope = self.eat_one_of(&["SESSION", "GLOBAL", "LOCAL"]).map(|word| match word {
            "GLOBAL" => Scope::Global,
            _ => Scope::Session,
        });
        self.expect("TRANSACTION")?;
        let (mut isolation, mut read_only, mut as_of) = (None, None, None);
        self.comma_list(|p| {
            if p.eat_all(&["ISOLATION", "LEVEL"]) {
                isolation = Some(p.isolation_level()?);
                return Ok(());
            }
            p.expect("READ")?;
            read_only = Some(p.expect_one_of(&["ONLY", "WRITE"])? == "ONLY");
            if p.eat_all(&["AS", "OF", "TIMESTAMP"]) {
                as_of = Some(p.expr()?);
            }
            Ok(())
        })?;
        Ok(Statement::Set(SetStatement::Transaction { scope, isolation, read_only, as_of }))
    }

    /// An isolation level.
    pub(super) fn isolation_level(&mut self) -> Outcome<IsolationLevel> {
        if self.eat_all(&["REPEATABLE", "READ"]) {
            Ok(IsolationLevel::RepeatableRead)
        } else if self.eat_all(&["READ", "COMMITTED"]) {
            Ok(IsolationLevel::ReadCommitted)
        } else if self.eat_all(&["READ", "UNCOMMITTED"]) {
            Ok(IsolationLevel::ReadUncommitted)
        } else if self.eat("SERIALIZABLE") {
            Ok(IsolationLevel::Serializable)
        } else {
            self.unexpected()
        }
    }

    /// One assignment.
    pub(super) fn assignment(&mut self) -> Outcome<Assignment> {
        if self.kind() == TokenKind::UserVariable {
            let name = self.user_variable()?;
            self.assignment_sign()?;
            return Ok(Assignment::User { name, value: self.expr()? });
        }
        if self.eat("NAMES") {
            return self.set_names();
        }
        if self.is_charset_keyword() {
            self.eat_charset_keyword();
            let charset = if self.eat("DEFAULT") { None } else { Some(self.charset_name()?) };
            return Ok(Assignment::Charset(charset));
        }
        let (scope, name) = self.variable()?;
        self.assignment_sign()?;
        Ok(Assignment::System { scope, name, value: self.set_value()? })
    }

    /// `=` or `:=`.
    pub(super) fn assignment_sign(&mut self) -> Outcome<()> {
        if self.eat_symbol(Symbol::Assign) { Ok(()) } else { self.expect_symbol(Symbol::Equal) }
    }

    /// What follows `NAMES`.
    pub(super) fn set_names(&mut self) -> Outcome<Assignment> {
        if self.eat("DEFAULT") {
            return Ok(Assignment::Names { charset: None, collation: None });
        }
        let charset = Some(self.charset_name()?);
        let collation = match self.eat("COLLATE") {
            true if self.eat("DEFAULT") => None,
            true => Some(self.collation_name()?),
            false => None,
        };
        Ok(Assignment::Names { charset, collation })
    }

    /// A system variable with its scope.
    pub(super) fn variable(&mut self) -> Outcome<(Scope, String)> {
        if self.kind() == TokenKind::SystemVariable {
            let token = self.advance();
            let name = token.text(self.source).get(2..).unwrap_or("");
            let (scope, name) = split_scope(name);
            return Ok((scope, self.variable_name(name).to_ascii_lowercase()));
        }
        let scope = match self.is_one_of(&["GLOBAL", "SESSION", "LOCAL", "INSTANCE"])
            && !self.symbol_at(1, Symbol::Equal)
            && !self.symbol_at(1, Symbol::Assign)
        {
            true => match self.advance().text(self.source).to_ascii_uppercase().as_str() {
                "GLOBAL" => Scope::Global,
                "INSTANCE" => Scope::Instance,
                _ => Scope::Session,
            },
            false => Scope::Session,
        };
        let mut name = self.identifier()?;
        if self.eat_symbol(Symbol::Dot) {
            name.push('.');
            name.push_str(&self.identifier()?);
        }
        Ok((scope, name.to_ascii_lowercase()))
    }

    /// The value of a system variable.
    pub(super) fn set_value(&mut self) -> Outcome<SetValue> {
        if self.eat("DEFAULT") {
            return Ok(SetValue::Default);
        }
        if self.is_one_of(&["ON", "BINARY", "ALL", "ROW", "SYSTEM"]) && self.value_ends_at(1) {
            let word = self.advance().text(self.source);
            return Ok(SetValue::Expr(text(word)));
        }
        if self.identifier_at(0) && self.value_ends_at(1) && !self.is_one_of(&["NULL", "TRUE", "FALSE"]) {
            return self.identifier().map(|word| SetValue::Expr(text(&word)));
        }
        self.expr().map(SetValue::Expr)
    }

    /// Whether an assignment's value ends before the token at a distance.
    pub(super) fn value_ends_at(&self, distance: usize) -> bool {
        matches!(
            self.peek(distance).kind,
            TokenKind::End | TokenKind::Symbol(Symbol::Comma | Symbol::Semicolon)
        )
    }
}

/// A string.
fn text(word: &str) -> Expr {
    nodes::value(sqlparser::ast::Value::SingleQuotedString(word.to_owned()))
}

/// The scope before a variable's name.
fn split_scope(name: &str) -> (Scope, &str) {
    let scopes = [
        ("global.", Scope::Global),
        ("session.", Scope::Session),
        ("local.", Scope::Session),
        ("instance.", Scope::Instance),
    ];
    for (prefix, scope) in scopes {
        if name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)) {
            return (scope, name.get(prefix.len()..).unwrap_or(""));
        }
    }
    (Scope::Session, name)
}
