//! `INSERT`, `REPLACE`, `UPDATE`, `DELETE`, `BATCH`.

use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    Assignment, AssignmentTarget, Delete, Expr, FromTable, Insert, InsertAliases, MysqlInsertPriority,
    ObjectName, OnInsert, Query, TableObject, TableWithJoins, Update, With,
};

use super::cursor::{Outcome, Parser};
use super::nodes;
use super::table_ref::cross_joined;
use crate::lexer::Symbol;
use crate::statement::Statement;
use crate::utility::BatchDml;

impl Parser<'_> {
    /// A row change, with the `WITH` clause that stood before it.
    pub(super) fn row_change(&mut self, with: Option<With>) -> Outcome<Statement> {
        if with.is_some() && self.is_one_of(&["INSERT", "REPLACE"]) {
            return self.unexpected();
        }
        match self.expect_one_of(&["INSERT", "REPLACE", "UPDATE", "DELETE"])? {
            "INSERT" => self.insert(false),
            "REPLACE" => self.insert(true),
            "UPDATE" => self.update(with),
            _ => self.delete(with),
        }
    }

    /// `INSERT` and `REPLACE`, behind their first word.
    fn insert(&mut self, replace: bool) -> Outcome<Statement> {
        let mut insert = empty_insert(replace);
        insert.optimizer_hints = self.optimizer_hints();
        insert.priority =
            self.eat_one_of(&["LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED"]).map(|word| match word {
                "LOW_PRIORITY" => MysqlInsertPriority::LowPriority,
                "HIGH_PRIORITY" => MysqlInsertPriority::HighPriority,
                _ => MysqlInsertPriority::Delayed,
            });
        insert.ignore = self.eat("IGNORE");
        insert.into = self.eat("INTO");
        insert.table = TableObject::TableName(self.object_name(2)?);
        if self.is_keyword("PARTITION") {
            self.advance();
            let names = self.paren_list(Self::ident)?;
            insert.partitioned = Some(names.into_iter().map(Expr::Identifier).collect());
        }
        self.insert_source(&mut insert)?;
        if !replace {
            insert.insert_alias = self.insert_alias()?;
            if self.eat_all(&["ON", "DUPLICATE", "KEY", "UPDATE"]) {
                insert.on = Some(OnInsert::DuplicateKeyUpdate(self.assignments()?));
            }
        }
        Ok(match replace {
            true => Statement::Replace(Box::new(insert)),
            false => Statement::Insert(Box::new(insert)),
        })
    }

    /// The columns and rows: `[(columns)] VALUES …`, `[(columns)] query`, `SET …`.
    fn insert_source(&mut self, insert: &mut Insert) -> Outcome<()> {
        if self.eat("SET") {
            insert.assignments = self.assignments()?;
            return Ok(());
        }
        if self.is_symbol(Symbol::LeftParen) && !self.query_follows(1) {
            self.advance();
            if !self.is_symbol(Symbol::RightParen) {
                insert.columns = self.comma_list(|p| p.object_name(3))?;
            }
            self.expect_symbol(Symbol::RightParen)?;
        }
        if self.is_one_of(&["VALUES", "VALUE"]) && self.symbol_at(1, Symbol::LeftParen) {
            self.advance();
            let rows = self.comma_list(Self::row_values)?;
            insert.source = Some(nodes::values_query(rows, false));
            return Ok(());
        }
        if self.eat("SET") {
            return self.unexpected();
        }
        insert.source = Some(self.insert_query()?);
        Ok(())
    }

    /// The query of `INSERT … SELECT`.
    fn insert_query(&mut self) -> Outcome<Box<Query>> {
        if self.query_follows(0) { self.query() } else { self.unexpected() }
    }

    /// `AS row [(columns)]`.
    fn insert_alias(&mut self) -> Outcome<Option<InsertAliases>> {
        if !self.eat("AS") {
            return Ok(None);
        }
        let row_alias = ObjectName::from(vec![self.ident()?]);
        let col_aliases = match self.is_symbol(Symbol::LeftParen) {
            true => Some(self.paren_list(Self::ident)?),
            false => None,
        };
        Ok(Some(InsertAliases { row_alias, col_aliases }))
    }

    /// `column = expr, …`; `DEFAULT` is an expression.
    pub(super) fn assignments(&mut self) -> Outcome<Vec<Assignment>> {
        self.comma_list(|p| {
            let target = AssignmentTarget::ColumnName(p.object_name(3)?);
            if !p.eat_symbol(Symbol::Assign) {
                p.expect_symbol(Symbol::Equal)?;
            }
            Ok(Assignment { target, value: p.expr()? })
        })
    }

    /// `UPDATE`, behind its first word.
    fn update(&mut self, with: Option<With>) -> Outcome<Statement> {
        let optimizer_hints = self.optimizer_hints();
        let _ = self.eat_one_of(&["LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED"]);
        let ignore = self.eat("IGNORE");
        let tables = self.table_references()?;
        let several = tables.len() > 1;
        self.expect("SET")?;
        let assignments = self.assignments()?;
        let selection = if self.eat("WHERE") { Some(self.expr()?) } else { None };
        if several && self.is_one_of(&["ORDER", "LIMIT"]) {
            return self.unexpected();
        }
        let order_by = if self.are_keywords(&["ORDER", "BY"]) { self.order_by_list()? } else { Vec::new() };
        let limit = if self.eat("LIMIT") { Some(self.limit_number()?) } else { None };
        let Some(table) = one_table(tables) else { return self.unexpected() };
        let update = Box::new(Update {
            update_token: AttachedToken::empty(),
            optimizer_hints,
            table,
            assignments,
            from: None,
            selection,
            returning: None,
            output: None,
            or: None,
            order_by,
            limit,
        });
        Ok(Statement::Update { update, ignore, with })
    }

    /// `DELETE`, behind its first word.
    fn delete(&mut self, with: Option<With>) -> Outcome<Statement> {
        let optimizer_hints = self.optimizer_hints();
        let _ = self.eat_one_of(&["LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED"]);
        self.eat("QUICK");
        let ignore = self.eat("IGNORE");
        let mut delete = Delete {
            delete_token: AttachedToken::empty(),
            optimizer_hints,
            tables: Vec::new(),
            from: FromTable::WithFromKeyword(Vec::new()),
            using: None,
            selection: None,
            returning: None,
            output: None,
            order_by: Vec::new(),
            limit: None,
        };
        if self.eat("FROM") {
            self.delete_from(&mut delete)?;
        } else {
            delete.tables = self.comma_list(Self::deleted_name)?;
            self.expect("FROM")?;
            delete.from = FromTable::WithFromKeyword(self.table_references()?);
        }
        if self.eat("WHERE") {
            delete.selection = Some(self.expr()?);
        }
        if !delete.tables.is_empty() && self.is_one_of(&["ORDER", "LIMIT"]) {
            return self.unexpected();
        }
        if self.are_keywords(&["ORDER", "BY"]) {
            delete.order_by = self.order_by_list()?;
        }
        if self.eat("LIMIT") {
            delete.limit = Some(self.limit_number()?);
        }
        Ok(Statement::Delete { delete: Box::new(delete), ignore, with })
    }

    /// What follows `DELETE FROM`: one table, or the names of `… USING tables`.
    fn delete_from(&mut self, delete: &mut Delete) -> Outcome<()> {
        let position = self.position();
        let names = self.comma_list(Self::deleted_name)?;
        if self.eat("USING") {
            delete.tables = names;
            delete.using = Some(self.table_references()?);
            return Ok(());
        }
        self.reset(position);
        let relation = self.named_table()?;
        delete.from =
            FromTable::WithFromKeyword(vec![TableWithJoins { relation: *relation, joins: Vec::new() }]);
        Ok(())
    }

    /// `t`, `t.*`, `s.t.*`.
    fn deleted_name(&mut self) -> Outcome<ObjectName> {
        let mut parts = vec![self.ident()?];
        while self.eat_symbol(Symbol::Dot) {
            if self.eat_symbol(Symbol::Star) {
                break;
            }
            parts.push(self.ident()?);
        }
        Ok(ObjectName::from(parts))
    }

    /// `BATCH [ON column] LIMIT n [DRY RUN [QUERY]] statement`.
    pub(super) fn batch(&mut self) -> Outcome<Statement> {
        self.advance();
        let column = if self.eat("ON") { Some(self.column_name()?) } else { None };
        self.expect("LIMIT")?;
        let limit = self.number()?;
        let dry_run = self.eat_all(&["DRY", "RUN"]);
        let dry_run_query = dry_run && self.eat("QUERY");
        let statement = Box::new(self.row_change(None)?);
        Ok(Statement::Batch(Box::new(BatchDml { column, limit, dry_run, dry_run_query, statement })))
    }
}

/// Several tables as one with cross joins.
fn one_table(mut tables: Vec<TableWithJoins>) -> Option<TableWithJoins> {
    let rest = tables.split_off(tables.len().min(1));
    let mut first = tables.pop()?;
    for table in rest {
        first.joins.extend(cross_joined(table));
    }
    Some(first)
}

/// An `INSERT` or `REPLACE` of nothing.
fn empty_insert(replace_into: bool) -> Insert {
    Insert {
        insert_token: AttachedToken::empty(),
        optimizer_hints: Vec::new(),
        or: None,
        ignore: false,
        into: false,
        table: TableObject::TableName(ObjectName(Vec::new())),
        table_alias: None,
        columns: Vec::new(),
        overwrite: false,
        source: None,
        assignments: Vec::new(),
        partitioned: None,
        after_columns: Vec::new(),
        has_table_keyword: false,
        on: None,
        returning: None,
        output: None,
        replace_into,
        priority: None,
        insert_alias: None,
        settings: None,
        format_clause: None,
        multi_table_insert_type: None,
        multi_table_into_clauses: Vec::new(),
        multi_table_when_clauses: Vec::new(),
        multi_table_else_clause: None,
    }
}
