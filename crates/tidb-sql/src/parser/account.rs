//! Users, roles, `GRANT`, `REVOKE`.

use super::cursor::{Outcome, Parser};
use crate::account::{AccountStatement, Authentication, Privilege, PrivilegeLevel, UserName, UserSpec};
use crate::ddl::TableName;
use crate::lexer::{Symbol, TokenKind};
use crate::statement::Statement;

/// Wraps an account statement.
fn account(statement: AccountStatement) -> Statement {
    Statement::Account(Box::new(statement))
}

impl Parser<'_> {
    /// What follows `CREATE USER`.
    pub(super) fn create_user(&mut self) -> Outcome<Statement> {
        let if_not_exists = self.if_not_exists();
        let users = self.comma_list(Self::user_spec)?;
        let options = self.user_options()?;
        Ok(account(AccountStatement::CreateUser { if_not_exists, users, options }))
    }

    /// What follows `ALTER USER`.
    pub(super) fn alter_user(&mut self) -> Outcome<Statement> {
        let if_exists = self.if_exists();
        let users = self.comma_list(Self::user_spec)?;
        let options = self.user_options()?;
        Ok(account(AccountStatement::AlterUser { if_exists, users, options }))
    }

    /// What follows the users, as typed.
    fn user_options(&mut self) -> Outcome<String> {
        let first = [
            "REQUIRE",
            "WITH",
            "PASSWORD",
            "ACCOUNT",
            "COMMENT",
            "ATTRIBUTE",
            "RESOURCE",
            "FAILED_LOGIN_ATTEMPTS",
            "PASSWORD_LOCK_TIME",
            "DEFAULT",
        ];
        if self.at_statement_end() || self.is_one_of(&first) {
            self.rest_of_statement()
        } else {
            self.unexpected()
        }
    }

    /// What follows `DROP USER`.
    pub(super) fn drop_user(&mut self) -> Outcome<Statement> {
        let if_exists = self.if_exists();
        let users = self.comma_list(Self::user_name)?;
        Ok(account(AccountStatement::DropUser { if_exists, users }))
    }

    /// What follows `CREATE ROLE`.
    pub(super) fn create_role(&mut self) -> Outcome<Statement> {
        let if_not_exists = self.if_not_exists();
        let roles = self.comma_list(Self::user_name)?;
        Ok(account(AccountStatement::CreateRole { if_not_exists, roles }))
    }

    /// What follows `DROP ROLE`.
    pub(super) fn drop_role(&mut self) -> Outcome<Statement> {
        let if_exists = self.if_exists();
        let roles = self.comma_list(Self::user_name)?;
        Ok(account(AccountStatement::DropRole { if_exists, roles }))
    }

    /// A user with authentication.
    fn user_spec(&mut self) -> Outcome<UserSpec> {
        let user = self.user_name()?;
        let authentication = if self.eat("IDENTIFIED") { Some(self.authentication()?) } else { None };
        Ok(UserSpec { user, authentication })
    }

    /// What follows `IDENTIFIED`.
    fn authentication(&mut self) -> Outcome<Authentication> {
        let mut authentication = Authentication::default();
        if self.eat("WITH") {
            authentication.plugin = Some(self.string_or_identifier()?);
        }
        if self.eat("BY") {
            if self.eat("PASSWORD") {
                authentication.hash = Some(self.string()?);
            } else {
                authentication.password = Some(self.string()?);
            }
        } else if self.eat("AS") {
            authentication.hash = Some(self.text_literal()?);
        } else if authentication.plugin.is_none() {
            return self.unexpected();
        }
        Ok(authentication)
    }

    /// `GRANT …`.
    pub(super) fn grant(&mut self) -> Outcome<Statement> {
        self.expect("GRANT")?;
        if self.eat_all(&["PROXY", "ON"]) {
            let proxied = self.user_name()?;
            self.expect("TO")?;
            let users = self.comma_list(Self::user_name)?;
            let with_grant_option = self.eat_all(&["WITH", "GRANT", "OPTION"]);
            return Ok(account(AccountStatement::GrantProxy { proxied, users, with_grant_option }));
        }
        if let Some(roles) = self.role_list("TO")? {
            self.expect("TO")?;
            let users = self.comma_list(Self::user_name)?;
            return Ok(account(AccountStatement::GrantRoles { roles, users }));
        }
        let privileges = self.comma_list(Self::privilege)?;
        self.expect("ON")?;
        let level = self.privilege_level()?;
        self.expect("TO")?;
        let users = self.comma_list(Self::user_spec)?;
        self.grant_requirements()?;
        let with_grant_option = self.eat_all(&["WITH", "GRANT", "OPTION"]);
        Ok(account(AccountStatement::Grant { privileges, level, users, with_grant_option }))
    }

    /// `REQUIRE …` of `GRANT`, skipped.
    fn grant_requirements(&mut self) -> Outcome<()> {
        if self.eat("REQUIRE") {
            while !self.at_statement_end() && !self.is_keyword("WITH") {
                if self.kind() == TokenKind::Invalid {
                    return self.unexpected();
                }
                self.advance();
            }
        }
        Ok(())
    }

    /// `REVOKE …`.
    pub(super) fn revoke(&mut self) -> Outcome<Statement> {
        self.expect("REVOKE")?;
        if self.eat_all(&["ALL", "PRIVILEGES"]) && self.eat_symbol(Symbol::Comma) {
            self.expect_all(&["GRANT", "OPTION", "FROM"])?;
            let users = self.comma_list(Self::user_name)?;
            let privileges = ["ALL", "GRANT OPTION"]
                .map(|name| Privilege { name: name.to_owned(), columns: Vec::new() })
                .to_vec();
            return Ok(account(AccountStatement::Revoke {
                privileges,
                level: PrivilegeLevel::Global,
                users,
            }));
        }
        let all = self.previous_is("PRIVILEGES");
        if !all && let Some(roles) = self.role_list("FROM")? {
            self.expect("FROM")?;
            let users = self.comma_list(Self::user_name)?;
            return Ok(account(AccountStatement::RevokeRoles { roles, users }));
        }
        let privileges = match all {
            true => vec![Privilege { name: "ALL".to_owned(), columns: Vec::new() }],
            false => self.comma_list(Self::privilege)?,
        };
        self.expect("ON")?;
        let level = self.privilege_level()?;
        self.expect("FROM")?;
        let users = self.comma_list(Self::user_spec)?.into_iter().map(|spec| spec.user).collect();
        Ok(account(AccountStatement::Revoke { privileges, level, users }))
    }

    /// Whether the last taken token is this word.
    fn previous_is(&mut self, word: &str) -> bool {
        let Some(before) = self.position().checked_sub(1) else { return false };
        let position = self.position();
        self.reset(before);
        let found = self.is_keyword(word);
        self.reset(position);
        found
    }

    /// Roles, if the statement goes on with this keyword right behind them; else nothing is taken.
    fn role_list(&mut self, keyword: &str) -> Outcome<Option<Vec<UserName>>> {
        let position = self.position();
        if !self.identifier_at(0) && self.kind() != TokenKind::Text {
            return Ok(None);
        }
        match self.comma_list(Self::user_name) {
            Ok(roles) if self.is_keyword(keyword) => Ok(Some(roles)),
            _ => {
                self.reset(position);
                Ok(None)
            }
        }
    }

    /// A privilege: its words, and columns.
    fn privilege(&mut self) -> Outcome<Privilege> {
        let mut words = Vec::new();
        while self.kind() == TokenKind::Word && !self.is_keyword("ON") {
            words.push(self.advance().text(self.source).to_ascii_uppercase());
        }
        if words.is_empty() {
            return self.unexpected();
        }
        let columns = match self.is_symbol(Symbol::LeftParen) {
            true => self.paren_list(Self::identifier)?,
            false => Vec::new(),
        };
        let name = words.join(" ");
        let name = if name == "ALL PRIVILEGES" { "ALL".to_owned() } else { name };
        Ok(Privilege { name, columns })
    }

    /// `*`, `*.*`, `schema.*`, `[schema.]table`, after an optional `TABLE`.
    fn privilege_level(&mut self) -> Outcome<PrivilegeLevel> {
        let _ = self.eat_one_of(&["TABLE", "FUNCTION", "PROCEDURE"]);
        if self.eat_symbol(Symbol::Star) {
            if !self.eat_symbol(Symbol::Dot) {
                return Ok(PrivilegeLevel::Schema(None));
            }
            self.expect_symbol(Symbol::Star)?;
            return Ok(PrivilegeLevel::Global);
        }
        let first = self.identifier()?;
        if !self.eat_symbol(Symbol::Dot) {
            return Ok(PrivilegeLevel::Table(TableName::bare(first)));
        }
        if self.eat_symbol(Symbol::Star) {
            return Ok(PrivilegeLevel::Schema(Some(first)));
        }
        Ok(PrivilegeLevel::Table(TableName::qualified(first, self.identifier()?)))
    }
}
