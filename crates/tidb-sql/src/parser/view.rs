//! `CREATE VIEW`.

use super::cursor::{Outcome, Parser};
use crate::account::UserName;
use crate::ddl::{CheckOption, CreateView, Ddl, Definer, ViewAlgorithm, ViewSecurity};
use crate::lexer::Symbol;

impl Parser<'_> {
    /// What follows `CREATE [OR REPLACE]`.
    pub(super) fn create_view(&mut self, or_replace: bool) -> Outcome<Ddl> {
        let algorithm = self.view_algorithm()?;
        let definer = self.definer()?;
        let security = self.view_security()?;
        self.expect("VIEW")?;
        let name = self.table_name()?;
        let columns = match self.is_symbol(Symbol::LeftParen) {
            true => self.paren_list(Self::identifier)?,
            false => Vec::new(),
        };
        self.expect("AS")?;
        let start = self.offset();
        let query = self.query()?;
        let query_range = start..self.previous_end();
        let mut check_option = CheckOption::Cascaded;
        if self.eat("WITH") {
            if self.eat_one_of(&["CASCADED", "LOCAL"]) == Some("LOCAL") {
                check_option = CheckOption::Local;
            }
            self.expect_all(&["CHECK", "OPTION"])?;
        }
        Ok(Ddl::CreateView(CreateView {
            or_replace,
            algorithm,
            definer,
            security,
            name,
            columns,
            query,
            query_range,
            check_option,
        }))
    }

    /// `ALGORITHM = …`.
    fn view_algorithm(&mut self) -> Outcome<ViewAlgorithm> {
        if !self.eat("ALGORITHM") {
            return Ok(ViewAlgorithm::Undefined);
        }
        self.expect_symbol(Symbol::Equal)?;
        Ok(match self.expect_one_of(&["UNDEFINED", "MERGE", "TEMPTABLE"])? {
            "MERGE" => ViewAlgorithm::Merge,
            "TEMPTABLE" => ViewAlgorithm::TempTable,
            _ => ViewAlgorithm::Undefined,
        })
    }

    /// `DEFINER = …`.
    fn definer(&mut self) -> Outcome<Definer> {
        if !self.eat("DEFINER") {
            return Ok(Definer::CurrentUser);
        }
        self.expect_symbol(Symbol::Equal)?;
        Ok(match self.user_name()? {
            UserName::Current => Definer::CurrentUser,
            UserName::Named { user, host } => Definer::User { user, host },
        })
    }

    /// `SQL SECURITY …`.
    fn view_security(&mut self) -> Outcome<ViewSecurity> {
        if !self.eat_all(&["SQL", "SECURITY"]) {
            return Ok(ViewSecurity::Definer);
        }
        Ok(match self.expect_one_of(&["DEFINER", "INVOKER"])? {
            "INVOKER" => ViewSecurity::Invoker,
            _ => ViewSecurity::Definer,
        })
    }
}
