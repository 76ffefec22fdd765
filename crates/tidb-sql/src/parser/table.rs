//! `CREATE TABLE`.

use super::cursor::{Outcome, Parser};
use crate::ddl::{CreateTable, CreateTableSource, DuplicateHandling, SelectSource, Temporary};
use crate::lexer::Symbol;

impl Parser<'_> {
    /// What follows `CREATE [TEMPORARY] TABLE`.
    pub(super) fn create_table(&mut self, mut temporary: Option<Temporary>) -> Outcome<CreateTable> {
        let if_not_exists = self.if_not_exists();
        let table = self.table_name()?;
        let mut create = CreateTable {
            temporary,
            if_not_exists,
            table,
            source: CreateTableSource::Definition { columns: vec![], constraints: vec![], select: None },
            options: Vec::new(),
            partition: None,
            splits: Vec::new(),
        };
        if let Some(like) = self.create_like()? {
            create.source = like;
        } else {
            self.table_definition(&mut create)?;
        }
        if let Some(Temporary::Global { .. }) = temporary {
            self.expect_all(&["ON", "COMMIT"])?;
            let delete_rows = self.expect_one_of(&["DELETE", "PRESERVE"])? == "DELETE";
            self.expect("ROWS")?;
            temporary = Some(Temporary::Global { delete_rows });
        }
        create.temporary = temporary;
        Ok(create)
    }

    /// `LIKE t`, `(LIKE t)`.
    fn create_like(&mut self) -> Outcome<Option<CreateTableSource>> {
        if self.eat("LIKE") {
            return self.table_name().map(|table| Some(CreateTableSource::Like(table)));
        }
        if self.is_symbol(Symbol::LeftParen) && self.keyword_at(1, "LIKE") {
            self.advance();
            self.advance();
            let table = self.table_name()?;
            self.expect_symbol(Symbol::RightParen)?;
            return Ok(Some(CreateTableSource::Like(table)));
        }
        Ok(None)
    }

    /// Columns, options, partitions, query.
    fn table_definition(&mut self, create: &mut CreateTable) -> Outcome<()> {
        let (mut columns, mut constraints) = (Vec::new(), Vec::new());
        let has_elements = self.is_symbol(Symbol::LeftParen) && !self.query_follows(1);
        if has_elements {
            self.paren_list(|p| {
                if p.is_constraint() {
                    constraints.push(p.constraint()?);
                } else {
                    columns.push(p.column_def()?);
                }
                Ok(())
            })?;
        }
        create.options = self.table_options()?;
        if self.are_keywords(&["PARTITION", "BY"]) {
            create.partition = Some(self.partition_by()?);
        }
        while self.is_keyword("SPLIT") {
            create.splits.push(self.split_clause()?);
        }
        let select = self.create_select()?;
        create.source = CreateTableSource::Definition { columns, constraints, select };
        Ok(())
    }

    /// `[IGNORE | REPLACE] [AS] query`.
    fn create_select(&mut self) -> Outcome<Option<SelectSource>> {
        let duplicates = match self.eat_one_of(&["IGNORE", "REPLACE"]) {
            Some("IGNORE") => DuplicateHandling::Ignore,
            Some(_) => DuplicateHandling::Replace,
            None => DuplicateHandling::Error,
        };
        let explicit = self.eat("AS") || duplicates != DuplicateHandling::Error;
        if !self.query_follows(0) {
            return if explicit { self.unexpected() } else { Ok(None) };
        }
        let query = self.query()?;
        Ok(Some(SelectSource { duplicates, query }))
    }

    /// `SPLIT …` of a table or index, as typed.
    fn split_clause(&mut self) -> Outcome<String> {
        let start = self.offset();
        self.expect("SPLIT")?;
        if self.eat("PRIMARY") {
            self.expect("KEY")?;
        } else if self.eat("INDEX") {
            self.identifier()?;
        } else {
            self.eat("TABLE");
        }
        self.split_method()?;
        Ok(self.slice(start..self.previous_end()).to_owned())
    }
}
