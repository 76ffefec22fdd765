//! Canonical text of statements.
use crate::ddl::Ddl;
use crate::error::RestoreError;
use sqlparser::ast::{Expr, Query};
/// What a canonical text leaves out or changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RestoreOptions {}
/// The canonical text of a DDL statement.
pub fn restore(_ddl: &Ddl, _options: RestoreOptions) -> Result<String, RestoreError> {
    Ok(String::new())
}
/// The canonical text of an expression.
pub fn restore_expr(_expr: &Expr, _options: RestoreOptions) -> Result<String, RestoreError> {
    Ok(String::new())
}
/// The canonical text of a query.
pub fn restore_query(_query: &Query, _options: RestoreOptions) -> Result<String, RestoreError> {
    Ok(String::new())
}
