//! `SET`, transactions, locks, prepared statements, `KILL`, `FLUSH`.

use sqlparser::ast::Expr;

use super::cursor::{Outcome, Parser};
use super::nodes;
use crate::account::AccountStatement;
use crate::lexer::{Symbol, TokenKind};
use crate::statement::Statement;
use crate::utility::{
    Assignment, Begin, Deallocate, Execute, Flush, FlushTarget, IsolationLevel, Kill, LockTables,
    PlanReplayer, Prepare, PrepareSource, Scope, SetStatement, SetValue, SplitRegion, TableLockKind,
    TransactionMode,
};

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
    fn set_account(&mut self) -> Outcome<Option<AccountStatement>> {
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
    fn set_config(&mut self) -> Outcome<Statement> {
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
    fn set_transaction(&mut self) -> Outcome<Statement> {
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
    fn isolation_level(&mut self) -> Outcome<IsolationLevel> {
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
    fn assignment(&mut self) -> Outcome<Assignment> {
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
    fn assignment_sign(&mut self) -> Outcome<()> {
        if self.eat_symbol(Symbol::Assign) { Ok(()) } else { self.expect_symbol(Symbol::Equal) }
    }

    /// What follows `NAMES`.
    fn set_names(&mut self) -> Outcome<Assignment> {
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
    fn variable(&mut self) -> Outcome<(Scope, String)> {
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
    fn set_value(&mut self) -> Outcome<SetValue> {
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
    fn value_ends_at(&self, distance: usize) -> bool {
        matches!(
            self.peek(distance).kind,
            TokenKind::End | TokenKind::Symbol(Symbol::Comma | Symbol::Semicolon)
        )
    }

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
