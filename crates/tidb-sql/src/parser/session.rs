//! `SET`, transactions, locks, prepared statements, `KILL`, `FLUSH`.

use sqlparser::ast::Expr;

use super::cursor::{Outcome, Parser};
use crate::lexer::{Symbol, TokenKind};
use crate::statement::Statement;
use crate::utility::{
    Begin, Deallocate, Execute, Flush, FlushTarget, Kill, LockTables, PlanReplayer, Prepare, PrepareSource,
    SplitRegion, TableLockKind, TransactionMode,
};

impl Parser<'_> {
    /// `BEGIN …`, `START TRANSACTION …`.
    pub(super) fn begin(&mut self) -> Outcome<Statement> {
        let mut begin = Begin::default();
        if self.eat("START") {
            self.expect("TRANSACTION")?;
            while !self.at_statement_end() {
                self.transaction_characteristic(&mut begin)?;
                if !self.eat_symbol(Symbol::Comma) {
                    break;
                }
            }
            return Ok(Statement::Begin(begin));
        }
        self.expect("BEGIN")?;
        self.eat("WORK");
        begin.mode = self.eat_one_of(&["PESSIMISTIC", "OPTIMISTIC"]).map(|word| match word {
            "OPTIMISTIC" => TransactionMode::Optimistic,
            _ => TransactionMode::Pessimistic,
        });
        Ok(Statement::Begin(begin))
    }

    /// A characteristic of `START TRANSACTION`.
    fn transaction_characteristic(&mut self, begin: &mut Begin) -> Outcome<()> {
        if let Some(word) = self.eat_one_of(&["PESSIMISTIC", "OPTIMISTIC"]) {
            begin.mode = Some(match word {
                "OPTIMISTIC" => TransactionMode::Optimistic,
                _ => TransactionMode::Pessimistic,
            });
        } else if self.eat_all(&["WITH", "CONSISTENT", "SNAPSHOT"]) {
            begin.consistent_snapshot = true;
        } else if self.eat_all(&["WITH", "CAUSAL", "CONSISTENCY", "ONLY"]) {
            begin.causal_consistency_only = true;
        } else if self.eat_all(&["READ", "WRITE"]) {
            begin.read_write = true;
        } else {
            self.expect_all(&["READ", "ONLY"])?;
            begin.read_only = true;
            if self.eat_all(&["AS", "OF", "TIMESTAMP"]) {
                begin.as_of = Some(self.expr()?);
            }
        }
        Ok(())
    }

    /// `COMMIT`, `ROLLBACK`, `SAVEPOINT`, `RELEASE SAVEPOINT`.
    pub(super) fn transaction_end(&mut self) -> Outcome<Statement> {
        match self.expect_one_of(&["COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE"])? {
            "COMMIT" => {
                self.eat("WORK");
                let (chain, release) = self.completion()?;
                Ok(Statement::Commit { chain, release })
            }
            "ROLLBACK" => {
                self.eat("WORK");
                let savepoint = match self.eat("TO") {
                    true => {
                        self.eat("SAVEPOINT");
                        Some(self.identifier()?)
                    }
                    false => None,
                };
                let (chain, release) = self.completion()?;
                Ok(Statement::Rollback { savepoint, chain, release })
            }
            "SAVEPOINT" => self.identifier().map(Statement::Savepoint),
            _ => {
                self.expect("SAVEPOINT")?;
                self.identifier().map(Statement::ReleaseSavepoint)
            }
        }
    }

    /// `[AND [NO] CHAIN] [[NO] RELEASE]`.
    fn completion(&mut self) -> Outcome<(bool, bool)> {
        let mut chain = false;
        if self.eat("AND") {
            chain = !self.eat("NO");
            self.expect("CHAIN")?;
        }
        if chain && self.is_keyword("RELEASE") {
            return self.unexpected();
        }
        if self.eat_all(&["NO", "RELEASE"]) {
            return Ok((chain, false));
        }
        Ok((chain, self.eat("RELEASE")))
    }

    /// `LOCK TABLES …`, `UNLOCK TABLES`, `LOCK STATS`, `UNLOCK STATS`.
    pub(super) fn lock(&mut self) -> Outcome<Statement> {
        let lock = self.expect_one_of(&["LOCK", "UNLOCK"])? == "LOCK";
        if self.eat("STATS") {
            let tables = self.comma_list(Self::table_name)?;
            return Ok(Statement::LockStats { lock, tables });
        }
        self.expect_one_of(&["TABLES", "TABLE"])?;
        if !lock {
            return Ok(Statement::UnlockTables);
        }
        let tables = self.comma_list(|p| {
            let table = p.table_name()?;
            let alias = p.table_lock_alias()?;
            Ok((table, alias, p.table_lock_kind()?))
        })?;
        Ok(Statement::LockTables(LockTables { tables }))
    }

    /// `[AS] alias` of a table lock.
    fn table_lock_alias(&mut self) -> Outcome<Option<String>> {
        if self.eat("AS") || self.identifier_at(0) { self.identifier().map(Some) } else { Ok(None) }
    }

    /// `READ [LOCAL]`, `[LOW_PRIORITY] WRITE [LOCAL]`.
    fn table_lock_kind(&mut self) -> Outcome<TableLockKind> {
        self.eat("LOW_PRIORITY");
        let write = self.expect_one_of(&["READ", "WRITE"])? == "WRITE";
        Ok(match (write, self.eat("LOCAL")) {
            (false, false) => TableLockKind::Read,
            (false, true) => TableLockKind::ReadLocal,
            (true, false) => TableLockKind::Write,
            (true, true) => TableLockKind::WriteLocal,
        })
    }

    /// `SPLIT [REGION FOR] [PARTITION] TABLE t [PARTITION (…)] [INDEX i] method`.
    pub(super) fn split_region(&mut self) -> Outcome<Statement> {
        self.advance();
        let region_for = self.eat_all(&["REGION", "FOR"]);
        let partition = self.eat("PARTITION");
        self.expect("TABLE")?;
        let table = self.table_name()?;
        let partitions = if self.eat("PARTITION") { self.paren_list(Self::identifier)? } else { Vec::new() };
        let index = match self.eat("INDEX") {
            true if self.eat("PRIMARY") => Some("PRIMARY".to_owned()),
            true => Some(self.identifier()?),
            false => None,
        };
        let method = self.split_method()?;
        Ok(Statement::SplitRegion(Box::new(SplitRegion {
            region_for,
            partition,
            table,
            partitions,
            index,
            method,
        })))
    }

    /// `PREPARE name FROM 'text' | @variable`.
    pub(super) fn prepare(&mut self) -> Outcome<Statement> {
        self.advance();
        let name = self.identifier()?;
        self.expect("FROM")?;
        let source = match self.kind() {
            TokenKind::UserVariable => PrepareSource::Variable(self.user_variable()?),
            _ => PrepareSource::Text(self.string()?),
        };
        Ok(Statement::Prepare(Prepare { name, source }))
    }

    /// `EXECUTE name [USING @a, …]`.
    pub(super) fn execute(&mut self) -> Outcome<Statement> {
        self.advance();
        let name = self.identifier()?;
        let using = if self.eat("USING") { self.comma_list(Self::user_variable)? } else { Vec::new() };
        Ok(Statement::Execute(Execute { name, using }))
    }

    /// `DEALLOCATE PREPARE name`.
    pub(super) fn deallocate(&mut self) -> Outcome<Statement> {
        self.advance();
        self.expect("PREPARE")?;
        self.identifier().map(|name| Statement::Deallocate(Deallocate { name }))
    }

    /// `KILL [TIDB] [CONNECTION | QUERY] id`.
    pub(super) fn kill(&mut self) -> Outcome<Statement> {
        self.advance();
        let tidb = self.eat("TIDB");
        let query = self.eat_one_of(&["CONNECTION", "QUERY"]) == Some("QUERY");
        let id: Expr = self.expr()?;
        Ok(Statement::Kill(Kill { tidb, query, id }))
    }

    /// `FLUSH …`.
    pub(super) fn flush(&mut self) -> Outcome<Statement> {
        self.advance();
        let no_write_to_binlog = self.no_write_to_binlog();
        let target = if self.eat_one_of(&["TABLES", "TABLE"]).is_some() {
            let tables = if self.identifier_at(0) { self.comma_list(Self::table_name)? } else { Vec::new() };
            FlushTarget::Tables { tables, read_lock: self.eat_all(&["WITH", "READ", "LOCK"]) }
        } else if self.eat("PRIVILEGES") {
            FlushTarget::Privileges
        } else if self.eat("STATUS") {
            FlushTarget::Status
        } else {
            let words = self.rest_of_statement()?.to_ascii_uppercase();
            if words.is_empty() {
                return self.unexpected();
            }
            FlushTarget::Other(words)
        };
        Ok(Statement::Flush(Flush { no_write_to_binlog, target }))
    }

    /// `PLAN REPLAYER …`.
    pub(super) fn plan_replayer(&mut self) -> Outcome<Statement> {
        self.advance();
        self.expect("REPLAYER")?;
        self.rest_of_statement().map(|text| Statement::PlanReplayer(Box::new(PlanReplayer { text })))
    }
}
