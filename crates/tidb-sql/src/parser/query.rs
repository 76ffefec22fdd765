//! `SELECT`, `VALUES`, `TABLE`, set operations, `WITH`.

use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    Cte, Expr, Ident, LimitClause, LockClause, LockType, NonBlock, Offset, OffsetRows, OrderByExpr,
    OrderByOptions, OrderBySort, Query, SetExpr, SetOperator, Setting, Table, TableAlias,
    TableAliasColumnDef, Value, With,
};

use super::cursor::{Outcome, Parser};
use super::nodes;
use crate::lexer::{Symbol, TokenKind};

/// Binding strength of `UNION` and `EXCEPT`.
const UNION: u8 = 1;
/// Binding strength of `INTERSECT`.
const INTERSECT: u8 = 2;
/// What a set operation counts in the height of trees: its node takes that many times the stack of an expression.
const SET_OPERATION_HEIGHT: usize = 6;

impl Parser<'_> {
    /// Whether a query starts at a distance, with any number of `(` before it.
    pub(super) fn query_follows(&self, distance: usize) -> bool {
        let mut at = distance;
        while self.symbol_at(at, Symbol::LeftParen) {
            at += 1;
        }
        self.keyword_at(at, "SELECT")
            || self.keyword_at(at, "WITH")
            || (self.keyword_at(at, "TABLE") && self.identifier_at(at + 1))
            || (self.keyword_at(at, "VALUES") && self.keyword_at(at + 1, "ROW"))
    }

    /// `(query)`.
    pub(super) fn subquery(&mut self) -> Outcome<Box<Query>> {
        self.nested(|p| p.parenthesized(Self::query))
    }

    /// A query.
    pub(super) fn query(&mut self) -> Outcome<Box<Query>> {
        self.nested(|p| {
            let outer = std::mem::take(&mut p.height);
            let query = p.query_inner()?;
            let inner = p.height + 1;
            p.height = outer.max(inner);
            Ok(query)
        })
    }

    /// A query, its height not accounted for.
    fn query_inner(&mut self) -> Outcome<Box<Query>> {
        let mut query = nodes::query(nodes::no_body());
        if self.is_keyword("WITH") {
            query.with = Some(self.with_clause()?);
        }
        query.body = self.set_expr(UNION)?;
        self.query_tail(&mut query)?;
        Ok(query)
    }

    /// `ORDER BY`, `LIMIT`, locks and `INTO` of a query.
    fn query_tail(&mut self, query: &mut Query) -> Outcome<()> {
        if self.are_keywords(&["ORDER", "BY"]) {
            query.order_by = Some(nodes::order_by(self.order_by_list()?));
        }
        query.limit_clause = self.limit_clause()?;
        let mut settings = Vec::new();
        self.outfile(&mut settings)?;
        self.locks(query, &mut settings)?;
        self.outfile(&mut settings)?;
        if !settings.is_empty() {
            query.settings = Some(settings);
        }
        Ok(())
    }

    /// `WITH [RECURSIVE] name [(columns)] AS (query), …`.
    pub(super) fn with_clause(&mut self) -> Outcome<With> {
        self.expect("WITH")?;
        let recursive = self.eat("RECURSIVE");
        let headers = self.headers.replace(Vec::new());
        let cte_tables = self.comma_list(|p| {
            let name = p.ident()?;
            let columns = match p.is_symbol(Symbol::LeftParen) {
                true => p.paren_list(Self::ident)?,
                false => Vec::new(),
            };
            p.expect("AS")?;
            let query = p.subquery()?;
            let columns =
                columns.into_iter().map(|name| TableAliasColumnDef { name, data_type: None }).collect();
            let alias = TableAlias { explicit: true, name, columns, at: None };
            let closing_paren_token = AttachedToken::empty();
            Ok(Cte { alias, query, from: None, materialized: None, closing_paren_token })
        })?;
        self.headers = headers;
        Ok(With { with_token: AttachedToken::empty(), recursive, cte_tables })
    }

    /// Query blocks with set operators that bind at least so strongly. A run of the same operator is built balanced;
    /// `EXCEPT`, which is not associative, leans to the left.
    fn set_expr(&mut self, strength: u8) -> Outcome<Box<SetExpr>> {
        let mut run = vec![self.query_block()?];
        let mut kind = None;
        while let Some((op, found)) = self.set_operator() {
            if found < strength {
                break;
            }
            self.advance();
            let all = self.eat_one_of(&["ALL", "DISTINCT", "DISTINCTROW"]) == Some("ALL");
            if kind.is_some_and(|kind| kind != (op, all)) || op == SetOperator::Except {
                run = vec![self.finish_run(run, kind)?];
            }
            kind = Some((op, all));
            let before = std::mem::take(&mut self.height);
            run.push(self.set_expr(found + 1)?);
            self.height = self.height.max(before);
        }
        self.finish_run(run, kind)
    }

    /// The tree of a run of the same operator.
    #[allow(clippy::vec_box)] // the nodes are boxed already, and trees take boxes
    fn finish_run(
        &mut self,
        mut run: Vec<Box<SetExpr>>,
        kind: Option<(SetOperator, bool)>,
    ) -> Outcome<Box<SetExpr>> {
        let Some((op, all)) = kind else {
            return match run.pop() {
                Some(block) => Ok(block),
                None => self.unexpected(),
            };
        };
        while run.len() > 1 {
            for _ in 0..SET_OPERATION_HEIGHT {
                self.grow()?;
            }
            let mut pairs = Vec::with_capacity(run.len().div_ceil(2));
            let mut rest = run.into_iter();
            while let Some(left) = rest.next() {
                pairs.push(match rest.next() {
                    Some(right) => nodes::set_operation(left, op, all, right),
                    None => left,
                });
            }
            run = pairs;
        }
        match run.pop() {
            Some(tree) => Ok(tree),
            None => self.unexpected(),
        }
    }

    /// The set operator that is next, with its strength.
    fn set_operator(&self) -> Option<(SetOperator, u8)> {
        if self.is_keyword("UNION") {
            Some((SetOperator::Union, UNION))
        } else if self.is_keyword("EXCEPT") {
            Some((SetOperator::Except, UNION))
        } else if self.is_keyword("INTERSECT") {
            Some((SetOperator::Intersect, INTERSECT))
        } else {
            None
        }
    }

    /// `SELECT …`, `(query)`, `VALUES ROW(…), …`, `TABLE t`.
    fn query_block(&mut self) -> Outcome<Box<SetExpr>> {
        if self.is_keyword("SELECT") {
            return self.select().map(nodes::select_body);
        }
        if self.is_symbol(Symbol::LeftParen) {
            return self.subquery().map(nodes::query_body);
        }
        self.table_or_values()
    }

    /// `VALUES ROW(…), …`, `TABLE t`.
    fn table_or_values(&mut self) -> Outcome<Box<SetExpr>> {
        if self.eat("TABLE") {
            let table = self.table_name()?;
            return Ok(Box::new(SetExpr::Table(Box::new(Table {
                table_name: Some(table.name),
                schema_name: table.schema,
            }))));
        }
        if self.eat("VALUES") {
            let rows = self.comma_list(|p| {
                p.expect("ROW")?;
                p.row_values()
            })?;
            return Ok(nodes::values_query(rows, true).body);
        }
        self.unexpected()
    }

    /// `(a, b, …)` or `()`.
    pub(super) fn row_values(&mut self) -> Outcome<Vec<Expr>> {
        self.expect_symbol(Symbol::LeftParen)?;
        let values = if self.is_symbol(Symbol::RightParen) { Vec::new() } else { self.expr_list()? };
        self.expect_symbol(Symbol::RightParen)?;
        Ok(values)
    }

    /// `ORDER BY a [ASC | DESC], …`.
    pub(super) fn order_by_list(&mut self) -> Outcome<Vec<OrderByExpr>> {
        self.expect_all(&["ORDER", "BY"])?;
        self.comma_list(|p| {
            let expr = p.expr()?;
            let sort = p.eat_one_of(&["ASC", "DESC"]).map(|word| match word {
                "ASC" => OrderBySort::Asc,
                _ => OrderBySort::Desc,
            });
            Ok(OrderByExpr { expr, options: OrderByOptions { sort, nulls_first: None }, with_fill: None })
        })
    }

    /// `LIMIT n`, `LIMIT m, n`, `LIMIT n OFFSET m`, `FETCH FIRST n ROWS ONLY`.
    fn limit_clause(&mut self) -> Outcome<Option<LimitClause>> {
        if self.eat("FETCH") {
            self.expect_one_of(&["FIRST", "NEXT"])?;
            let limit =
                if self.is_one_of(&["ROW", "ROWS"]) { nodes::number("1") } else { self.limit_number()? };
            self.expect_one_of(&["ROW", "ROWS"])?;
            self.expect("ONLY")?;
            return Ok(Some(LimitClause::LimitOffset {
                limit: Some(limit),
                offset: None,
                limit_by: Vec::new(),
            }));
        }
        if !self.eat("LIMIT") {
            return Ok(None);
        }
        let first = self.limit_number()?;
        if self.eat_symbol(Symbol::Comma) {
            return Ok(Some(LimitClause::OffsetCommaLimit { offset: first, limit: self.limit_number()? }));
        }
        let offset = match self.eat("OFFSET") {
            true => Some(Offset { value: self.limit_number()?, rows: OffsetRows::None }),
            false => None,
        };
        Ok(Some(LimitClause::LimitOffset { limit: Some(first), offset, limit_by: Vec::new() }))
    }

    /// A row count: a number or a placeholder.
    pub(super) fn limit_number(&mut self) -> Outcome<Expr> {
        match self.kind() {
            TokenKind::Integer | TokenKind::Placeholder => self.primary().map(|number| *number),
            _ => self.unexpected(),
        }
    }

    /// `FOR UPDATE …`, `FOR SHARE …`, `LOCK IN SHARE MODE`.
    fn locks(&mut self, query: &mut Query, settings: &mut Vec<Setting>) -> Outcome<()> {
        if self.eat_all(&["LOCK", "IN", "SHARE", "MODE"]) {
            query.locks.push(LockClause { lock_type: LockType::Share, of: None, nonblock: None });
            return Ok(());
        }
        if !self.is_keyword("FOR") {
            return Ok(());
        }
        self.advance();
        let lock_type = match self.expect_one_of(&["UPDATE", "SHARE"])? {
            "SHARE" => LockType::Share,
            _ => LockType::Update,
        };
        let tables = match self.eat("OF") {
            true => self.comma_list(|p| p.object_name(2))?,
            false => Vec::new(),
        };
        let nonblock = if self.eat("NOWAIT") {
            Some(NonBlock::Nowait)
        } else if self.eat_all(&["SKIP", "LOCKED"]) {
            Some(NonBlock::SkipLocked)
        } else {
            None
        };
        if self.eat("WAIT") {
            let seconds = self.number()?;
            settings.push(setting("lock_wait_seconds", nodes::number(&seconds.to_string())));
        }
        if tables.is_empty() {
            query.locks.push(LockClause { lock_type, of: None, nonblock });
        } else {
            query.locks.extend(tables.into_iter().map(|table| LockClause {
                lock_type,
                of: Some(table),
                nonblock,
            }));
        }
        Ok(())
    }

    /// `INTO OUTFILE 'path' …`: the path and the format as typed.
    fn outfile(&mut self, settings: &mut Vec<Setting>) -> Outcome<()> {
        if !self.are_keywords(&["INTO", "OUTFILE"]) {
            return Ok(());
        }
        self.eat_all(&["INTO", "OUTFILE"]);
        let path = self.string()?;
        settings.push(setting("into_outfile", nodes::value(Value::SingleQuotedString(path))));
        let start = self.offset();
        self.load_layout()?;
        let layout = self.slice(start..self.previous_end().max(start)).to_owned();
        if !layout.is_empty() {
            settings.push(setting("outfile_format", nodes::value(Value::SingleQuotedString(layout))));
        }
        Ok(())
    }
}

/// A setting that carries what the query node has no field for.
fn setting(key: &str, value: Expr) -> Setting {
    Setting { key: Ident::new(key), value }
}
