//! `FROM`: tables, joins, derived tables.

use sqlparser::ast::{
    Join, JoinConstraint, JoinOperator, TableAlias, TableAliasColumnDef, TableFactor,
    TableIndexHintForClause, TableIndexHintType, TableIndexHints, TableIndexType, TableVersion,
    TableWithJoins,
};

use super::cursor::{Outcome, Parser};
use crate::lexer::Symbol;

/// The words of a join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum JoinKind {
    /// `JOIN`.
    Plain,
    /// `INNER JOIN`.
    Inner,
    /// `CROSS JOIN`.
    Cross,
    /// `LEFT [OUTER] JOIN`.
    Left,
    /// `RIGHT [OUTER] JOIN`.
    Right,
    /// `NATURAL [INNER] JOIN`.
    Natural,
    /// `NATURAL LEFT JOIN`.
    NaturalLeft,
    /// `NATURAL RIGHT JOIN`.
    NaturalRight,
    /// `STRAIGHT_JOIN`.
    Straight,
}

impl Parser<'_> {
    /// Tables with commas between.
    pub(super) fn table_references(&mut self) -> Outcome<Vec<TableWithJoins>> {
        self.comma_list(Self::joined_table)
    }

    /// A table with its joins.
    pub(super) fn joined_table(&mut self) -> Outcome<TableWithJoins> {
        let relation = self.table_factor()?;
        let mut joins = Vec::new();
        while self.join(&mut joins)? || self.late_constraint(&mut joins)? {}
        Ok(TableWithJoins { relation: *relation, joins })
    }

    /// Adds a join if one is next. False if none is.
    fn join(&mut self, joins: &mut Vec<Join>) -> Outcome<bool> {
        let Some(kind) = self.join_kind()? else { return Ok(false) };
        let relation = match kind {
            JoinKind::Left | JoinKind::Right => self.join_operand()?,
            _ => self.table_factor()?,
        };
        let operator = self.join_operator(kind)?;
        joins.push(make_join(*relation, operator));
        Ok(true)
    }

    /// A condition of a join before the last one: `a JOIN b JOIN c ON … ON …` means `a JOIN (b JOIN c ON …) ON …`.
    /// False if no condition is next.
    fn late_constraint(&mut self, joins: &mut Vec<Join>) -> Outcome<bool> {
        if !self.is_one_of(&["ON", "USING"]) {
            return Ok(false);
        }
        let open = |join: &Join| {
            matches!(
                join.join_operator,
                JoinOperator::Join(JoinConstraint::None)
                    | JoinOperator::Inner(JoinConstraint::None)
                    | JoinOperator::CrossJoin(JoinConstraint::None)
            )
        };
        let Some(at) = joins.iter().rposition(open) else { return Ok(false) };
        let inner = joins.split_off(at + 1);
        let Some(mut join) = joins.pop() else { return Ok(false) };
        let constraint = self.join_constraint(true)?;
        self.grow()?;
        let table_with_joins = Box::new(TableWithJoins { relation: join.relation, joins: inner });
        join.relation = TableFactor::NestedJoin { table_with_joins, alias: None };
        join.join_operator = match join.join_operator {
            JoinOperator::Inner(_) => JoinOperator::Inner(constraint),
            JoinOperator::CrossJoin(_) => JoinOperator::CrossJoin(constraint),
            _ => JoinOperator::Join(constraint),
        };
        joins.push(join);
        Ok(true)
    }

    /// The words of a join, if one is next.
    fn join_kind(&mut self) -> Outcome<Option<JoinKind>> {
        if self.eat("NATURAL") {
            let side = self.eat_one_of(&["LEFT", "RIGHT", "INNER"]);
            if matches!(side, Some("LEFT" | "RIGHT")) {
                self.eat("OUTER");
            }
            self.expect("JOIN")?;
            return Ok(Some(match side {
                Some("LEFT") => JoinKind::NaturalLeft,
                Some("RIGHT") => JoinKind::NaturalRight,
                _ => JoinKind::Natural,
            }));
        }
        if let Some(side) = self.eat_one_of(&["LEFT", "RIGHT"]) {
            self.eat("OUTER");
            self.expect("JOIN")?;
            return Ok(Some(if side == "LEFT" { JoinKind::Left } else { JoinKind::Right }));
        }
        if self.eat("STRAIGHT_JOIN") {
            return Ok(Some(JoinKind::Straight));
        }
        let kind = self.eat_one_of(&["INNER", "CROSS"]);
        if kind.is_none() && !self.is_keyword("JOIN") {
            return Ok(None);
        }
        self.expect("JOIN")?;
        Ok(Some(match kind {
            Some("INNER") => JoinKind::Inner,
            Some(_) => JoinKind::Cross,
            None => JoinKind::Plain,
        }))
    }

    /// The node of a join's words, with the condition that follows.
    fn join_operator(&mut self, kind: JoinKind) -> Outcome<JoinOperator> {
        Ok(match kind {
            JoinKind::Natural => JoinOperator::Join(JoinConstraint::Natural),
            JoinKind::NaturalLeft => JoinOperator::Left(JoinConstraint::Natural),
            JoinKind::NaturalRight => JoinOperator::Right(JoinConstraint::Natural),
            JoinKind::Left => JoinOperator::Left(self.join_constraint(true)?),
            JoinKind::Right => JoinOperator::Right(self.join_constraint(true)?),
            JoinKind::Straight => JoinOperator::StraightJoin(self.join_constraint(false)?),
            JoinKind::Inner => JoinOperator::Inner(self.join_constraint(false)?),
            JoinKind::Cross => JoinOperator::CrossJoin(self.join_constraint(false)?),
            JoinKind::Plain => JoinOperator::Join(self.join_constraint(false)?),
        })
    }

    /// The right side of an outer join, which may itself be joined before its `ON`:
    /// `a LEFT JOIN b JOIN c ON … ON …`.
    fn join_operand(&mut self) -> Outcome<Box<TableFactor>> {
        let relation = self.table_factor()?;
        if self.is_one_of(&["ON", "USING"]) {
            return Ok(relation);
        }
        let mut joins = Vec::new();
        while !self.is_one_of(&["ON", "USING"]) {
            if !self.nested(|p| p.join(&mut joins))? {
                return self.unexpected();
            }
        }
        self.grow()?;
        let table_with_joins = Box::new(TableWithJoins { relation: *relation, joins });
        Ok(Box::new(TableFactor::NestedJoin { table_with_joins, alias: None }))
    }

    /// `ON expr`, `USING (columns)`.
    fn join_constraint(&mut self, required: bool) -> Outcome<JoinConstraint> {
        if self.eat("ON") {
            return self.expr().map(JoinConstraint::On);
        }
        if self.eat("USING") {
            return self.paren_list(|p| p.object_name(1)).map(JoinConstraint::Using);
        }
        if required { self.unexpected() } else { Ok(JoinConstraint::None) }
    }

    /// A table, a derived table, joined tables in parentheses.
    fn table_factor(&mut self) -> Outcome<Box<TableFactor>> {
        let lateral = self.eat("LATERAL");
        if self.is_symbol(Symbol::LeftParen) {
            if self.query_follows(1) && (lateral || self.holds_query()) {
                return self.derived_table(lateral);
            }
            return self.nested(Self::parenthesized_tables);
        }
        if lateral { self.unexpected() } else { self.named_table() }
    }

    /// Whether the parenthesis that is next closes right behind a query: `(SELECT …)`, not `((SELECT …) a JOIN …)`.
    pub(super) fn holds_query(&self) -> bool {
        if !self.symbol_at(1, Symbol::LeftParen) {
            return true;
        }
        // the query's own parentheses: what follows them decides
        let mut depth = 0_usize;
        for distance in 1.. {
            let token = self.peek(distance);
            match token.kind {
                crate::lexer::TokenKind::Symbol(Symbol::LeftParen) => depth += 1,
                crate::lexer::TokenKind::Symbol(Symbol::RightParen) => depth = depth.saturating_sub(1),
                crate::lexer::TokenKind::End => return false,
                _ => {}
            }
            if depth == 0 {
                let next = distance + 1;
                return self.symbol_at(next, Symbol::RightParen)
                    || ["UNION", "EXCEPT", "INTERSECT", "ORDER", "LIMIT", "FOR", "LOCK"]
                        .iter()
                        .any(|keyword| self.keyword_at(next, keyword));
            }
        }
        false
    }

    /// `(query) [AS] alias [(columns)]`.
    fn derived_table(&mut self, lateral: bool) -> Outcome<Box<TableFactor>> {
        let subquery = self.subquery()?;
        let mut alias = self.table_alias()?;
        if let Some(alias) = &mut alias
            && self.is_symbol(Symbol::LeftParen)
        {
            let columns = self.paren_list(Self::ident)?;
            alias.columns =
                columns.into_iter().map(|name| TableAliasColumnDef { name, data_type: None }).collect();
        }
        Ok(Box::new(TableFactor::Derived { lateral, subquery, alias, sample: None }))
    }

    /// `(tables and joins)`.
    fn parenthesized_tables(&mut self) -> Outcome<Box<TableFactor>> {
        let mut tables = self.parenthesized(Self::table_references)?;
        let mut first = match tables.is_empty() {
            true => return self.unexpected(),
            false => tables.remove(0),
        };
        for table in tables {
            first.joins.extend(cross_joined(table));
        }
        self.grow()?;
        Ok(Box::new(TableFactor::NestedJoin { table_with_joins: Box::new(first), alias: None }))
    }

    /// `[schema.]t [PARTITION (…)] [AS OF TIMESTAMP e] [[AS] alias] [index hints]`.
    pub(super) fn named_table(&mut self) -> Outcome<Box<TableFactor>> {
        let name = self.object_name(2)?;
        let partitions = match self.is_keyword("PARTITION") && self.symbol_at(1, Symbol::LeftParen) {
            true => {
                self.advance();
                self.paren_list(Self::ident)?
            }
            false => Vec::new(),
        };
        let mut version = self.as_of()?;
        let alias = self.table_alias()?;
        if version.is_none() {
            version = self.as_of()?;
        }
        let mut index_hints = Vec::new();
        while self.is_one_of(&["USE", "IGNORE", "FORCE"])
            && (self.keyword_at(1, "INDEX") || self.keyword_at(1, "KEY"))
        {
            index_hints.push(self.index_hint()?);
        }
        Ok(Box::new(TableFactor::Table {
            name,
            alias,
            args: None,
            with_hints: Vec::new(),
            version,
            with_ordinality: false,
            partitions,
            json_path: None,
            sample: None,
            index_hints,
        }))
    }

    /// `AS OF TIMESTAMP expr`.
    fn as_of(&mut self) -> Outcome<Option<TableVersion>> {
        if !self.eat_all(&["AS", "OF", "TIMESTAMP"]) {
            return Ok(None);
        }
        self.expr().map(|expr| Some(TableVersion::TimestampAsOf(expr)))
    }

    /// `[AS] alias`.
    pub(super) fn table_alias(&mut self) -> Outcome<Option<TableAlias>> {
        if self.are_keywords(&["AS", "OF"]) {
            return Ok(None);
        }
        let explicit = self.eat("AS");
        if !explicit && !self.identifier_at(0) {
            return Ok(None);
        }
        let name = self.ident()?;
        Ok(Some(TableAlias { explicit, name, columns: Vec::new(), at: None }))
    }

    /// `USE | IGNORE | FORCE INDEX [FOR JOIN | ORDER BY | GROUP BY] ([names])`.
    fn index_hint(&mut self) -> Outcome<TableIndexHints> {
        let hint_type = match self.expect_one_of(&["USE", "IGNORE", "FORCE"])? {
            "USE" => TableIndexHintType::Use,
            "IGNORE" => TableIndexHintType::Ignore,
            _ => TableIndexHintType::Force,
        };
        let index_type = match self.expect_one_of(&["INDEX", "KEY"])? {
            "INDEX" => TableIndexType::Index,
            _ => TableIndexType::Key,
        };
        let for_clause = if self.eat_all(&["FOR", "JOIN"]) {
            Some(TableIndexHintForClause::Join)
        } else if self.eat_all(&["FOR", "ORDER", "BY"]) {
            Some(TableIndexHintForClause::OrderBy)
        } else if self.eat_all(&["FOR", "GROUP", "BY"]) {
            Some(TableIndexHintForClause::GroupBy)
        } else {
            None
        };
        self.expect_symbol(Symbol::LeftParen)?;
        let mut index_names = Vec::new();
        while !self.is_symbol(Symbol::RightParen) {
            let name = self.text(0);
            index_names.push(match self.eat("PRIMARY") {
                true => sqlparser::ast::Ident::new(name),
                false => self.ident()?,
            });
            if !self.eat_symbol(Symbol::Comma) {
                break;
            }
        }
        self.expect_symbol(Symbol::RightParen)?;
        Ok(TableIndexHints { hint_type, index_type, for_clause, index_names })
    }
}

/// A join node.
fn make_join(relation: TableFactor, join_operator: JoinOperator) -> Join {
    Join { relation, global: false, join_operator }
}

/// A comma-separated table as a cross join with those before it.
pub(super) fn cross_joined(table: TableWithJoins) -> Vec<Join> {
    let relation = match table.joins.is_empty() {
        true => table.relation,
        false => TableFactor::NestedJoin { table_with_joins: Box::new(table), alias: None },
    };
    vec![make_join(relation, JoinOperator::CrossJoin(JoinConstraint::None))]
}
