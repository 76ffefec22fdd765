//! `ADMIN …`.

use super::cursor::{Outcome, Parser};
use super::statement::ddl;
use crate::ddl::{Ddl, Temporary};
use crate::lexer::{Symbol, TokenKind};
use crate::statement::Statement;
use crate::utility::AdminStatement;

impl Parser<'_> {
    /// `ADMIN …`.
    pub(super) fn admin(&mut self) -> Outcome<Statement> {
        self.expect("ADMIN")?;
        if self.eat_all(&["REPAIR", "TABLE"]) {
            return self.repair_table();
        }
        self.admin_statement().map(|admin| Statement::Admin(Box::new(admin)))
    }

    /// `ADMIN REPAIR TABLE t CREATE TABLE …`.
    fn repair_table(&mut self) -> Outcome<Statement> {
        let table = self.table_name()?;
        self.expect("CREATE")?;
        let temporary = if self.eat("TEMPORARY") { Some(Temporary::Local) } else { None };
        self.expect("TABLE")?;
        let create = Box::new(self.create_table(temporary)?);
        Ok(ddl(Ddl::RepairTable { table, create }))
    }

    /// What follows `ADMIN`.
    fn admin_statement(&mut self) -> Outcome<AdminStatement> {
        let word = self.text(0).to_ascii_uppercase();
        match word.as_str() {
            "SHOW" => {
                self.advance();
                self.admin_show()
            }
            "CANCEL" | "PAUSE" | "RESUME" => self.admin_jobs(&word),
            "CHECK" | "CHECKSUM" => self.admin_check(),
            "CLEANUP" | "RECOVER" => self.admin_cleanup(),
            "ALTER" => {
                self.advance();
                self.expect_all(&["DDL", "JOBS"])?;
                let job = self.signed_number()?;
                Ok(AdminStatement::AlterDdlJob { job, options: self.rest_of_statement()? })
            }
            "RELOAD" => {
                self.advance();
                self.rest_of_statement().map(AdminStatement::Reload)
            }
            "SET" => {
                self.advance();
                self.expect_all(&["BDR", "ROLE"])?;
                let primary = self.expect_one_of(&["PRIMARY", "SECONDARY"])? == "PRIMARY";
                Ok(AdminStatement::SetBdrRole { primary })
            }
            "UNSET" => {
                self.advance();
                self.expect_all(&["BDR", "ROLE"])?;
                Ok(AdminStatement::UnsetBdrRole)
            }
            "PLUGINS" | "CAPTURE" | "EVOLVE" | "FLUSH" | "RESET" | "CREATE" | "WORKLOAD" => {
                self.rest_of_statement().map(|words| AdminStatement::Other(words.to_ascii_uppercase()))
            }
            _ => self.unexpected(),
        }
    }

    /// `ADMIN SHOW …`.
    fn admin_show(&mut self) -> Outcome<AdminStatement> {
        if self.eat("DDL") {
            return self.admin_show_ddl();
        }
        if self.eat_all(&["BDR", "ROLE"]) {
            return Ok(AdminStatement::ShowBdrRole);
        }
        if self.is_keyword("SLOW") && !self.keyword_at(1, "NEXT_ROW_ID") {
            self.advance();
            return self.rest_of_statement().map(AdminStatement::ShowSlow);
        }
        if self.is_keyword("TELEMETRY") {
            return self
                .rest_of_statement()
                .map(|words| AdminStatement::Other(format!("SHOW {}", words.to_ascii_uppercase())));
        }
        let table = self.table_name()?;
        self.expect("NEXT_ROW_ID")?;
        Ok(AdminStatement::ShowNextRowId(table))
    }

    /// `ADMIN SHOW DDL …`.
    fn admin_show_ddl(&mut self) -> Outcome<AdminStatement> {
        if self.eat("JOBS") {
            let count = if self.kind() == TokenKind::Integer { Some(self.number()?) } else { None };
            let filter = if self.eat("WHERE") { Some(self.expr()?) } else { None };
            return Ok(AdminStatement::ShowDdlJobs { count, filter });
        }
        if !self.eat_all(&["JOB", "QUERIES"]) {
            return Ok(AdminStatement::ShowDdl);
        }
        if !self.eat("LIMIT") {
            return self.comma_list(Self::signed_number).map(AdminStatement::ShowDdlJobQueries);
        }
        let first = self.number()?;
        let (count, offset) = if self.eat_symbol(Symbol::Comma) {
            (self.number()?, first)
        } else if self.eat("OFFSET") {
            (first, self.number()?)
        } else {
            (first, 0)
        };
        Ok(AdminStatement::ShowDdlJobQueriesLimit { count, offset })
    }

    /// `ADMIN {CANCEL | PAUSE | RESUME} DDL JOBS id, …`.
    fn admin_jobs(&mut self, word: &str) -> Outcome<AdminStatement> {
        self.advance();
        self.expect_all(&["DDL", "JOBS"])?;
        let jobs = self.comma_list(Self::signed_number)?;
        Ok(match word {
            "CANCEL" => AdminStatement::CancelDdlJobs(jobs),
            "PAUSE" => AdminStatement::PauseDdlJobs(jobs),
            _ => AdminStatement::ResumeDdlJobs(jobs),
        })
    }

    /// `ADMIN CHECK TABLE`, `ADMIN CHECK INDEX`, `ADMIN CHECKSUM TABLE`.
    fn admin_check(&mut self) -> Outcome<AdminStatement> {
        if self.eat("CHECKSUM") {
            self.expect("TABLE")?;
            return self.comma_list(Self::table_name).map(AdminStatement::ChecksumTable);
        }
        self.expect("CHECK")?;
        if self.eat("TABLE") {
            return self.comma_list(Self::table_name).map(AdminStatement::CheckTable);
        }
        self.expect("INDEX")?;
        let table = self.table_name()?;
        let index = self.identifier()?;
        let ranges = match self.is_symbol(Symbol::LeftParen) {
            true => self.comma_list(|p| {
                p.parenthesized(|p| {
                    let begin = p.signed_number()?;
                    p.expect_symbol(Symbol::Comma)?;
                    Ok((begin, p.signed_number()?))
                })
            })?,
            false => Vec::new(),
        };
        Ok(AdminStatement::CheckIndex { table, index, ranges })
    }

    /// `ADMIN CLEANUP …`, `ADMIN RECOVER INDEX`.
    fn admin_cleanup(&mut self) -> Outcome<AdminStatement> {
        let recover = self.expect_one_of(&["CLEANUP", "RECOVER"])? == "RECOVER";
        if !recover && self.eat_all(&["TABLE", "LOCK"]) {
            return self.comma_list(Self::table_name).map(AdminStatement::CleanupTableLock);
        }
        self.expect("INDEX")?;
        let table = self.table_name()?;
        let index = if self.eat("PRIMARY") { "PRIMARY".to_owned() } else { self.identifier()? };
        Ok(match recover {
            true => AdminStatement::RecoverIndex { table, index },
            false => AdminStatement::CleanupIndex { table, index },
        })
    }
}
