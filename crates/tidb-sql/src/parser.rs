//! SQL text to statements.
use crate::error::ParseError;
use crate::mode::SqlMode;
use crate::statement::ParsedStatement;
/// Parses a text of statements separated by `;`. Empty statements are skipped. A syntax error anywhere makes the whole text fail.
pub fn parse(_sql: &str, _mode: SqlMode) -> Result<Vec<ParsedStatement>, ParseError> {
    Ok(Vec::new())
}
/// Parses a text that holds exactly one statement.
pub fn parse_one(_sql: &str, _mode: SqlMode) -> Result<ParsedStatement, ParseError> {
    Err(ParseError::Empty)
}
