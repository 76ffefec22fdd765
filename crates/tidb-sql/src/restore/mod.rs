//! Canonical text of statements, as TiDB's own formatter writes it.

mod alter;
mod alter_partition;
mod cast;
mod column;
mod expr;
mod function;
mod key;
mod literal;
mod object;
mod options;
mod partition;
mod policy;
mod query;
mod table;
mod table_ref;
mod view;
mod window;
mod writer;

use sqlparser::ast::{Expr, Query};

use crate::ddl::{CreateView, Ddl};
use crate::error::RestoreError;
pub use options::RestoreOptions;
use writer::Writer;

/// Result of writing a node.
type Written = Result<(), RestoreError>;

/// The canonical text of a DDL statement. A statement that consists of nothing but what the options leave out (such
/// as `ALTER DATABASE d PLACEMENT POLICY = p`) gives an empty text.
pub fn restore(ddl: &Ddl, options: RestoreOptions<'_>) -> Result<String, RestoreError> {
    Writer::run(options, |w| w.ddl(ddl))
}

/// The canonical text of an expression.
pub fn restore_expr(expr: &Expr, options: RestoreOptions<'_>) -> Result<String, RestoreError> {
    Writer::run(options, |w| w.expr(expr))
}

/// The canonical text of a query.
pub fn restore_query(query: &Query, options: RestoreOptions<'_>) -> Result<String, RestoreError> {
    Writer::run(options, |w| w.query(query))
}

/// The canonical text of `CREATE VIEW` with a given text in place of its query.
pub(crate) fn restore_view(
    view: &CreateView,
    select: &str,
    options: RestoreOptions<'_>,
) -> Result<String, RestoreError> {
    Writer::run(options, |w| w.create_view(view, Some(select)))
}
