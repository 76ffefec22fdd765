//! `CREATE`, `ALTER` and `DROP DATABASE`.

use super::cursor::{Outcome, Parser};
use crate::ddl::{AlterDatabase, CreateDatabase, DatabaseOption, Ddl, DropDatabase, TiFlashReplica};

impl Parser<'_> {
    /// What follows `CREATE DATABASE`.
    pub(super) fn create_database(&mut self) -> Outcome<Ddl> {
        let if_not_exists = self.if_not_exists();
        let name = self.identifier()?;
        let options = self.database_options()?;
        Ok(Ddl::CreateDatabase(CreateDatabase { if_not_exists, name, options }))
    }

    /// What follows `ALTER DATABASE`.
    pub(super) fn alter_database(&mut self) -> Outcome<Ddl> {
        let name = match self.identifier_at(0) && !self.is_database_option() {
            true => Some(self.identifier()?),
            false => None,
        };
        let options = self.database_options()?;
        if options.is_empty() {
            return self.unexpected();
        }
        Ok(Ddl::AlterDatabase(AlterDatabase { name, options }))
    }

    /// What follows `DROP DATABASE`.
    pub(super) fn drop_database(&mut self) -> Outcome<Ddl> {
        let if_exists = self.if_exists();
        let name = self.identifier()?;
        Ok(Ddl::DropDatabase(DropDatabase { if_exists, name }))
    }

    /// Whether an option is next rather than a name.
    fn is_database_option(&self) -> bool {
        let next_is_value = || {
            use crate::lexer::{Symbol, TokenKind};
            matches!(self.peek(1).kind, TokenKind::Text | TokenKind::Symbol(Symbol::Equal))
        };
        self.is_keyword("CHARSET")
            || (self.is_keyword("ENCRYPTION") && next_is_value())
            || (self.is_keyword("PLACEMENT") && self.keyword_at(1, "POLICY"))
    }

    /// Options in order.
    fn database_options(&mut self) -> Outcome<Vec<DatabaseOption>> {
        let mut options = Vec::new();
        while !self.at_statement_end() {
            options.push(self.database_option()?);
        }
        Ok(options)
    }

    /// One option.
    fn database_option(&mut self) -> Outcome<DatabaseOption> {
        if self.eat_all(&["SET", "TIFLASH", "REPLICA"]) {
            return self.tiflash_replica().map(DatabaseOption::SetTiFlashReplica);
        }
        self.eat("DEFAULT");
        if self.eat_charset_keyword() {
            self.eat_equal();
            return self.charset_name().map(DatabaseOption::Charset);
        }
        if self.eat("COLLATE") {
            self.eat_equal();
            return self.collation_name().map(DatabaseOption::Collate);
        }
        if self.eat("ENCRYPTION") {
            self.eat_equal();
            return self.string().map(DatabaseOption::Encryption);
        }
        match self.placement_option()? {
            Some(option) => Ok(DatabaseOption::Placement(option)),
            None => self.unexpected(),
        }
    }

    /// `n [LOCATION LABELS 'a', …]`.
    pub(super) fn tiflash_replica(&mut self) -> Outcome<TiFlashReplica> {
        let count = self.number()?;
        let labels = match self.eat_all(&["LOCATION", "LABELS"]) {
            true => self.comma_list(Self::string)?,
            false => Vec::new(),
        };
        Ok(TiFlashReplica { count, labels })
    }
}
