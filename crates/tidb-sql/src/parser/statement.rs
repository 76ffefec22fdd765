//! Statements in a text, and which rule reads which.

use super::cursor::{Outcome, Parser};
use crate::ddl::Ddl;
use crate::lexer::{Symbol, TokenKind};
use crate::statement::{ParsedStatement, Statement};
use crate::utility::{Call, Explain};

/// Statements of TiDB that are known by name only: first words and name.
const NAMED_ONLY: [(&[&str], &str); 18] = [
    (&["BACKUP"], "BACKUP"),
    (&["RESTORE"], "RESTORE"),
    (&["OPTIMIZE"], "OPTIMIZE TABLE"),
    (&["CHECKSUM"], "CHECKSUM"),
    (&["CHECK"], "CHECK TABLE"),
    (&["REPAIR"], "REPAIR TABLE"),
    (&["HANDLER"], "HANDLER"),
    (&["INSTALL"], "INSTALL PLUGIN"),
    (&["UNINSTALL"], "UNINSTALL PLUGIN"),
    (&["CALIBRATE"], "CALIBRATE RESOURCE"),
    (&["RECOMMEND"], "RECOMMEND INDEX"),
    (&["TRAFFIC"], "TRAFFIC"),
    (&["DISTRIBUTE"], "DISTRIBUTE TABLE"),
    (&["CANCEL"], "CANCEL"),
    (&["PURGE"], "PURGE"),
    (&["REFRESH"], "REFRESH STATS"),
    (&["INDEX", "ADVISE"], "INDEX ADVISE"),
    (&["CHANGE"], "CHANGE"),
];

impl Parser<'_> {
    /// All statements of the text.
    pub(super) fn statements(&mut self) -> Outcome<Vec<ParsedStatement>> {
        let mut statements = Vec::new();
        let mut start = 0;
        loop {
            if self.kind() == TokenKind::End {
                return Ok(statements);
            }
            if !self.is_symbol(Symbol::Semicolon) {
                statements.push(self.ranged_statement(start)?);
            }
            if self.kind() != TokenKind::End {
                self.expect_symbol(Symbol::Semicolon)?;
                start = self.previous_end();
            }
        }
    }

    /// The only statement of the text.
    pub(super) fn single_statement(&mut self) -> Outcome<Option<ParsedStatement>> {
        if self.at_statement_end() {
            return if self.kind() == TokenKind::End { Ok(None) } else { self.unexpected() };
        }
        let statement = self.ranged_statement(0)?;
        self.eat_symbol(Symbol::Semicolon);
        if self.kind() == TokenKind::End { Ok(Some(statement)) } else { self.unexpected() }
    }

    /// The only expression of the text.
    pub(super) fn single_expr(&mut self) -> Outcome<Option<sqlparser::ast::Expr>> {
        if self.kind() == TokenKind::End {
            return Ok(None);
        }
        let expr = self.nested(Self::expr)?;
        if self.kind() == TokenKind::End { Ok(Some(expr)) } else { self.unexpected() }
    }

    /// A statement with its place, from a byte offset on.
    fn ranged_statement(&mut self, from: usize) -> Outcome<ParsedStatement> {
        self.placeholders = 0;
        self.height = 0;
        self.headers = None;
        let statement = self.nested(Self::statement)?;
        if !self.at_statement_end() {
            return self.unexpected();
        }
        let end = self.offset();
        let text = self.source.get(from..end).unwrap_or("");
        let start = from + (text.len() - text.trim_start().len());
        let range = start..start + text.trim().len();
        let headers = self.headers.take().unwrap_or_default();
        Ok(ParsedStatement { statement, range, placeholders: self.placeholders, headers })
    }

    /// A statement.
    pub(super) fn statement(&mut self) -> Outcome<Statement> {
        if self.query_follows(0) {
            return self.query_or_change();
        }
        let TokenKind::Word = self.kind() else { return self.unexpected() };
        let word = self.text(0).to_ascii_uppercase();
        match word.as_str() {
            "INSERT" | "REPLACE" | "UPDATE" | "DELETE" => self.row_change(None),
            "CREATE" => self.create(),
            "ALTER" => self.alter(),
            "DROP" => self.drop(),
            "TRUNCATE" => self.truncate(),
            "RENAME" => self.rename(),
            "RECOVER" => self.recover(),
            "FLASHBACK" => self.flashback().map(ddl),
            "USE" => {
                self.advance();
                self.identifier().map(Statement::Use)
            }
            "SHOW" => self.show(),
            "DESCRIBE" | "DESC" | "EXPLAIN" => self.explain(),
            "SET" => self.set(),
            "BEGIN" | "START" => self.begin(),
            "COMMIT" | "ROLLBACK" | "SAVEPOINT" | "RELEASE" => self.transaction_end(),
            "LOCK" | "UNLOCK" => self.lock(),
            "SPLIT" => self.split_region(),
            "ADMIN" => self.admin(),
            "PREPARE" => self.prepare(),
            "EXECUTE" => self.execute(),
            "DEALLOCATE" => self.deallocate(),
            _ => self.rarer_statement(&word),
        }
    }

    /// Statements that come seldom.
    fn rarer_statement(&mut self, word: &str) -> Outcome<Statement> {
        match word {
            "DO" => {
                self.advance();
                self.expr_list().map(Statement::Do)
            }
            "CALL" => self.call(),
            "KILL" => self.kill(),
            "FLUSH" => self.flush(),
            "ANALYZE" => self.analyze(),
            "LOAD" => self.load(),
            "IMPORT" => self.import(),
            "BATCH" => self.batch(),
            "PLAN" => self.plan_replayer(),
            "GRANT" => self.grant(),
            "REVOKE" => self.revoke(),
            "TRACE" => self.trace(),
            "HELP" => {
                self.advance();
                self.string_or_identifier().map(Statement::Help)
            }
            "SHUTDOWN" => {
                self.advance();
                Ok(Statement::Shutdown)
            }
            "RESTART" => {
                self.advance();
                Ok(Statement::Restart)
            }
            "BINLOG" => {
                self.advance();
                self.string().map(Statement::Binlog)
            }
            _ => self.named_only(),
        }
    }

    /// A statement that is known by name only.
    pub(super) fn named_only(&mut self) -> Outcome<Statement> {
        match NAMED_ONLY.iter().find(|(words, _)| self.are_keywords(words)) {
            Some((_, name)) => self.other(name),
            None => self.unexpected(),
        }
    }

    /// Skips the statement and gives its name.
    pub(super) fn other(&mut self, name: &'static str) -> Outcome<Statement> {
        self.rest_of_statement()?;
        Ok(Statement::Other { name })
    }

    /// A query, or a row change behind `WITH`.
    fn query_or_change(&mut self) -> Outcome<Statement> {
        if self.is_keyword("WITH") {
            let position = self.position();
            let with = self.with_clause()?;
            if self.is_one_of(&["UPDATE", "DELETE", "INSERT", "REPLACE"]) {
                return self.row_change(Some(with));
            }
            self.reset(position);
            self.placeholders = 0;
        }
        self.query().map(Statement::Query)
    }

    /// `DESCRIBE t [column]`, `EXPLAIN …`.
    fn explain(&mut self) -> Outcome<Statement> {
        self.advance();
        if self.eat_all(&["FOR", "CONNECTION"]) {
            let id = self.number()?;
            return Ok(Statement::Explain(Box::new(Explain::Connection { format: None, id })));
        }
        let analyze = self.is_keyword("ANALYZE") && !self.keyword_at(1, "TABLE") && self.eat("ANALYZE");
        let format = match self.is_keyword("FORMAT") && self.symbol_at(1, Symbol::Equal) {
            true => {
                self.advance();
                self.advance();
                Some(self.format_name()?)
            }
            false => None,
        };
        if self.eat_all(&["FOR", "CONNECTION"]) {
            let id = self.number()?;
            return Ok(Statement::Explain(Box::new(Explain::Connection { format, id })));
        }
        if !analyze && format.is_none() && self.identifier_at(0) && !self.is_explainable() {
            let table = self.table_name()?;
            let column = if self.at_statement_end() { None } else { Some(self.string_or_identifier()?) };
            return Ok(Statement::Explain(Box::new(Explain::Table { table, column })));
        }
        let statement = Box::new(self.nested(Self::statement)?);
        Ok(Statement::Explain(Box::new(Explain::Statement { analyze, format, statement })))
    }

    /// The name of an output format, which may be a reserved word (`ROW`).
    fn format_name(&mut self) -> Outcome<String> {
        if self.eat("ROW") { Ok("ROW".to_owned()) } else { self.string_or_identifier() }
    }

    /// Whether the word that is next starts a statement that can be explained although it could be a table's name.
    fn is_explainable(&self) -> bool {
        self.is_keyword("IMPORT") && self.keyword_at(1, "INTO")
    }

    /// `TRACE [FORMAT = 'x'] statement`.
    fn trace(&mut self) -> Outcome<Statement> {
        self.advance();
        if self.are_keywords(&["PLAN"]) {
            return self.other("TRACE PLAN");
        }
        let format = if self.eat("FORMAT") {
            self.eat_equal();
            Some(self.string_or_identifier()?)
        } else {
            None
        };
        let statement = Box::new(self.nested(Self::statement)?);
        Ok(Statement::Trace { format, statement })
    }

    /// `CALL p[(args)]`.
    fn call(&mut self) -> Outcome<Statement> {
        self.advance();
        let name = self.table_name()?;
        let arguments = if self.is_symbol(Symbol::LeftParen) { self.row_values()? } else { Vec::new() };
        Ok(Statement::Call(Call { name, arguments }))
    }
}

/// Wraps a DDL statement.
pub(super) fn ddl(ddl: Ddl) -> Statement {
    Statement::Ddl(Box::new(ddl))
}
