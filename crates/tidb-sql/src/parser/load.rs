//! `LOAD DATA`, `LOAD STATS`, `IMPORT INTO`.

use super::cursor::{Outcome, Parser};
use crate::lexer::{Symbol, TokenKind};
use crate::statement::Statement;
use crate::utility::{ImportInto, LoadData, LoadDuplicates, LoadFormat, LoadStats, LoadTarget};

impl Parser<'_> {
    /// `LOAD …`.
    pub(super) fn load(&mut self) -> Outcome<Statement> {
        self.advance();
        if self.eat("STATS") {
            return self.string().map(|path| Statement::LoadStats(LoadStats { path }));
        }
        self.expect("DATA")?;
        let low_priority = self.eat("LOW_PRIORITY");
        self.eat("CONCURRENT");
        let local = self.eat("LOCAL");
        self.expect("INFILE")?;
        let path = self.string()?;
        let format = if self.eat("FORMAT") { Some(self.string()?) } else { None };
        let duplicates = match self.eat_one_of(&["IGNORE", "REPLACE"]) {
            Some("IGNORE") => LoadDuplicates::Ignore,
            Some(_) => LoadDuplicates::Replace,
            None => LoadDuplicates::Error,
        };
        self.expect_all(&["INTO", "TABLE"])?;
        let table = self.table_name()?;
        let charset = if self.eat_charset_keyword() { Some(self.charset_name()?) } else { None };
        let layout = self.load_layout()?;
        let ignore_lines = match self.eat("IGNORE") {
            true => {
                let lines = self.number()?;
                self.expect_one_of(&["LINES", "ROWS"])?;
                lines
            }
            false => 0,
        };
        let targets = self.load_targets()?;
        let assignments = match self.eat("SET") {
            true => self.comma_list(|p| {
                let column = p.column_name()?;
                p.expect_symbol(Symbol::Equal)?;
                Ok((column, p.expr()?))
            })?,
            false => Vec::new(),
        };
        let options = if self.eat("WITH") { self.rest_of_statement()? } else { String::new() };
        Ok(Statement::LoadData(Box::new(LoadData {
            local,
            low_priority,
            path,
            format,
            duplicates,
            table,
            charset,
            layout,
            ignore_lines,
            targets,
            assignments,
            options,
        })))
    }

    /// `(column | @variable, …)`.
    fn load_targets(&mut self) -> Outcome<Vec<LoadTarget>> {
        if !self.is_symbol(Symbol::LeftParen) {
            return Ok(Vec::new());
        }
        self.advance();
        if self.eat_symbol(Symbol::RightParen) {
            return Ok(Vec::new());
        }
        let targets = self.comma_list(|p| match p.kind() {
            TokenKind::UserVariable => p.user_variable().map(LoadTarget::Variable),
            _ => p.column_name().map(LoadTarget::Column),
        })?;
        self.expect_symbol(Symbol::RightParen)?;
        Ok(targets)
    }

    /// `FIELDS …`, `LINES …`.
    pub(super) fn load_layout(&mut self) -> Outcome<LoadFormat> {
        let mut layout = LoadFormat {
            fields_terminated: None,
            enclosed: None,
            optionally_enclosed: false,
            escaped: None,
            null_defined: None,
            lines_starting: None,
            lines_terminated: None,
        };
        if self.eat_one_of(&["FIELDS", "COLUMNS"]).is_some() {
            self.field_layout(&mut layout)?;
        }
        if self.eat("LINES") {
            loop {
                if self.eat_all(&["STARTING", "BY"]) {
                    layout.lines_starting = Some(self.text_literal()?);
                } else if self.eat_all(&["TERMINATED", "BY"]) {
                    layout.lines_terminated = Some(self.text_literal()?);
                } else {
                    break;
                }
            }
        }
        Ok(layout)
    }

    /// What follows `FIELDS`.
    fn field_layout(&mut self, layout: &mut LoadFormat) -> Outcome<()> {
        loop {
            if self.eat_all(&["TERMINATED", "BY"]) {
                layout.fields_terminated = Some(self.text_literal()?);
            } else if self.eat_all(&["OPTIONALLY", "ENCLOSED", "BY"]) {
                layout.optionally_enclosed = true;
                layout.enclosed = Some(self.text_literal()?);
            } else if self.eat_all(&["ENCLOSED", "BY"]) {
                layout.enclosed = Some(self.text_literal()?);
            } else if self.eat_all(&["ESCAPED", "BY"]) {
                layout.escaped = Some(self.text_literal()?);
            } else if self.eat_all(&["DEFINED", "NULL", "BY"]) {
                layout.null_defined = Some(self.text_literal()?);
                self.eat_all(&["OPTIONALLY", "ENCLOSED"]);
            } else {
                return Ok(());
            }
        }
    }

    /// `IMPORT INTO …`.
    pub(super) fn import(&mut self) -> Outcome<Statement> {
        self.advance();
        self.expect("INTO")?;
        let table = self.table_name()?;
        let text = self.rest_of_statement()?;
        Ok(Statement::ImportInto(Box::new(ImportInto { table, text })))
    }
}
