//! Short DDL: `TRUNCATE`, `RENAME`, `RECOVER`, `FLASHBACK`, sequences.

use super::cursor::{Outcome, Parser};
use super::statement::ddl;
use crate::account::AccountStatement;
use crate::ddl::{
    AlterSequence, CreateSequence, Ddl, FlashbackCluster, FlashbackDatabase, FlashbackTable, FlashbackUntil,
    RecoverTable, RenameTable, SequenceOption, TruncateTable,
};
use crate::lexer::TokenKind;
use crate::statement::Statement;

impl Parser<'_> {
    /// `TRUNCATE [TABLE] t`.
    pub(super) fn truncate(&mut self) -> Outcome<Statement> {
        self.advance();
        self.eat("TABLE");
        self.table_name().map(|table| ddl(Ddl::TruncateTable(TruncateTable { table })))
    }

    /// `RENAME TABLE a TO b, …`, `RENAME USER a TO b, …`.
    pub(super) fn rename(&mut self) -> Outcome<Statement> {
        self.advance();
        if self.eat("USER") {
            let users = self.comma_list(|p| {
                let old = p.user_name()?;
                p.expect("TO")?;
                Ok((old, p.user_name()?))
            })?;
            return Ok(Statement::Account(Box::new(AccountStatement::RenameUser(users))));
        }
        self.expect_one_of(&["TABLE", "TABLES"])?;
        let renames = self.comma_list(|p| {
            let old = p.table_name()?;
            p.expect("TO")?;
            Ok((old, p.table_name()?))
        })?;
        Ok(ddl(Ddl::RenameTable(RenameTable { renames })))
    }

    /// `RECOVER TABLE BY JOB n`, `RECOVER TABLE t [n]`.
    pub(super) fn recover(&mut self) -> Outcome<Statement> {
        self.advance();
        self.expect("TABLE")?;
        if self.eat_all(&["BY", "JOB"]) {
            let job = self.signed_number()?;
            return Ok(ddl(Ddl::RecoverTable(RecoverTable::ByJob(job))));
        }
        let table = self.table_name()?;
        let jobs = if self.kind() == TokenKind::Integer { Some(self.number()?) } else { None };
        Ok(ddl(Ddl::RecoverTable(RecoverTable::ByName { table, jobs })))
    }

    /// `FLASHBACK TABLE t [TO name]`, `FLASHBACK DATABASE d [TO name]`, `FLASHBACK … TO {TIMESTAMP e | TSO n}`.
    pub(super) fn flashback(&mut self) -> Outcome<Ddl> {
        self.advance();
        if self.eat("CLUSTER") {
            let until = self.flashback_until()?;
            return Ok(Ddl::FlashbackCluster(FlashbackCluster { database: None, tables: Vec::new(), until }));
        }
        if self.eat_one_of(&["DATABASE", "SCHEMA"]).is_some() {
            let name = self.identifier()?;
            if self.is_flashback_until() {
                let until = self.flashback_until()?;
                return Ok(Ddl::FlashbackCluster(FlashbackCluster {
                    database: Some(name),
                    tables: Vec::new(),
                    until,
                }));
            }
            let new_name = if self.eat("TO") { Some(self.identifier()?) } else { None };
            return Ok(Ddl::FlashbackDatabase(FlashbackDatabase { name, new_name }));
        }
        self.expect("TABLE")?;
        let mut tables = self.comma_list(Self::table_name)?;
        if tables.len() > 1 || self.is_flashback_until() {
            let until = self.flashback_until()?;
            return Ok(Ddl::FlashbackCluster(FlashbackCluster { database: None, tables, until }));
        }
        let new_name = if self.eat("TO") { Some(self.identifier()?) } else { None };
        match tables.pop() {
            Some(table) => Ok(Ddl::FlashbackTable(FlashbackTable { table, new_name })),
            None => self.unexpected(),
        }
    }

    /// Whether `TO TIMESTAMP value` or `TO TSO n` is next, rather than a new name.
    fn is_flashback_until(&self) -> bool {
        let ends =
            matches!(self.peek(2).kind, TokenKind::End | TokenKind::Symbol(crate::lexer::Symbol::Semicolon));
        self.is_keyword("TO") && (self.keyword_at(1, "TIMESTAMP") || self.keyword_at(1, "TSO")) && !ends
    }

    /// `TO TIMESTAMP e`, `TO TSO n`.
    fn flashback_until(&mut self) -> Outcome<FlashbackUntil> {
        self.expect("TO")?;
        match self.expect_one_of(&["TIMESTAMP", "TSO"])? {
            "TSO" => self.number().map(FlashbackUntil::Tso),
            _ => self.expr().map(FlashbackUntil::Timestamp),
        }
    }

    /// What follows `CREATE SEQUENCE`.
    pub(super) fn create_sequence(&mut self) -> Outcome<Ddl> {
        let if_not_exists = self.if_not_exists();
        let name = self.table_name()?;
        let options = self.sequence_options(false)?;
        let table_options = self.table_options()?;
        Ok(Ddl::CreateSequence(CreateSequence { if_not_exists, name, options, table_options }))
    }

    /// What follows `ALTER SEQUENCE`.
    pub(super) fn alter_sequence(&mut self) -> Outcome<Ddl> {
        let if_exists = self.if_exists();
        let name = self.table_name()?;
        let options = self.sequence_options(true)?;
        if options.is_empty() {
            return self.unexpected();
        }
        Ok(Ddl::AlterSequence(AlterSequence { if_exists, name, options }))
    }

    /// Options of a sequence.
    fn sequence_options(&mut self, alter: bool) -> Outcome<Vec<SequenceOption>> {
        let mut options = Vec::new();
        while let Some(option) = self.sequence_option(alter)? {
            options.push(option);
        }
        Ok(options)
    }

    /// One option, if one is next.
    fn sequence_option(&mut self, alter: bool) -> Outcome<Option<SequenceOption>> {
        if alter && self.eat("RESTART") {
            let equal = self.eat("WITH") || self.eat_symbol(crate::lexer::Symbol::Equal);
            let value = equal || !self.at_statement_end() && self.kind() != TokenKind::Word;
            return Ok(Some(match value {
                true => SequenceOption::RestartWith(self.signed_number()?),
                false => SequenceOption::Restart,
            }));
        }
        let words = [
            "INCREMENT",
            "START",
            "MINVALUE",
            "MAXVALUE",
            "NOMINVALUE",
            "NOMAXVALUE",
            "CACHE",
            "NOCACHE",
            "CYCLE",
            "NOCYCLE",
            "NO",
        ];
        let Some(word) = self.eat_one_of(&words) else { return Ok(None) };
        Ok(Some(match word {
            "INCREMENT" => {
                if !self.eat("BY") {
                    self.eat_equal();
                }
                SequenceOption::IncrementBy(self.signed_number()?)
            }
            "START" => {
                if !self.eat("WITH") {
                    self.eat_equal();
                }
                SequenceOption::StartWith(self.signed_number()?)
            }
            "MINVALUE" => SequenceOption::MinValue(self.equal_number()?),
            "MAXVALUE" => SequenceOption::MaxValue(self.equal_number()?),
            "CACHE" => SequenceOption::Cache(self.equal_number()?),
            "NOMINVALUE" => SequenceOption::NoMinValue,
            "NOMAXVALUE" => SequenceOption::NoMaxValue,
            "NOCACHE" => SequenceOption::NoCache,
            "CYCLE" => SequenceOption::Cycle,
            "NOCYCLE" => SequenceOption::NoCycle,
            _ => match self.expect_one_of(&["MINVALUE", "MAXVALUE", "CACHE", "CYCLE"])? {
                "MINVALUE" => SequenceOption::NoMinValue,
                "MAXVALUE" => SequenceOption::NoMaxValue,
                "CACHE" => SequenceOption::NoCache,
                _ => SequenceOption::NoCycle,
            },
        }))
    }

    /// `[=] n`.
    fn equal_number(&mut self) -> Outcome<i64> {
        self.eat_equal();
        self.signed_number()
    }
}
