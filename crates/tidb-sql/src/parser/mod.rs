//! SQL text to statements: recursive descent over the tokens, one function per rule of the grammar.

mod account;
mod admin;
mod alter;
mod alter_partition;
mod column;
mod create;
mod cursor;
mod database;
mod dml;
mod expr;
mod function;
mod index;
mod literal;
mod load;
mod names;
mod nodes;
mod partition;
mod placement;
mod primary;
mod query;
mod reserved;
mod select;
mod session;
mod set;
mod show;
mod simple;
mod special_function;
mod statement;
mod table;
mod table_option;
mod table_ref;
mod types;
mod view;
mod window;

use crate::error::ParseError;
use crate::mode::SqlMode;
use crate::statement::ParsedStatement;
use cursor::Parser;
use sqlparser::ast::Expr;

/// Parses a text of statements separated by `;`. Empty statements are skipped. A syntax error anywhere makes the whole
/// text fail, as in TiDB.
pub fn parse(sql: &str, mode: SqlMode) -> Result<Vec<ParsedStatement>, ParseError> {
    let mut parser = Parser::new(sql, mode);
    parser.statements().map_err(|failure| parser.describe(failure))
}

/// Parses a text that holds exactly one statement (a trailing `;` is allowed). An empty text is
/// [`ParseError::Empty`]; a second statement is a syntax error.
pub fn parse_one(sql: &str, mode: SqlMode) -> Result<ParsedStatement, ParseError> {
    let mut parser = Parser::new(sql, mode);
    let outcome = parser.single_statement().map_err(|failure| parser.describe(failure))?;
    outcome.ok_or(ParseError::Empty)
}

/// Parses a text that holds exactly one expression. An empty text is [`ParseError::Empty`]; anything behind the
/// expression is a syntax error.
pub fn parse_expr(sql: &str, mode: SqlMode) -> Result<Expr, ParseError> {
    let mut parser = Parser::new(sql, mode);
    let outcome = parser.single_expr().map_err(|failure| parser.describe(failure))?;
    outcome.ok_or(ParseError::Empty)
}
