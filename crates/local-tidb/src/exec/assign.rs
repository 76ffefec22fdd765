//! `SET column = value` of UPDATE and ON DUPLICATE KEY UPDATE.

use sqlparser::ast::{self, Assignment, AssignmentTarget, Query};
use tidb_codec::Datum;

use super::{Exec, Row};
use crate::catalog::Table;
use crate::default_value;
use crate::store::row::time_kind;
use tidb_expr::bind::Scope;
use tidb_expr::convert::{self, Target};
use tidb_expr::{EvalContext, Expr, coerce};
use tidb_expr::{Result, SqlError};

/// What a column is set to.
#[derive(Debug, Clone)]
pub(crate) enum NewValue {
    /// An expression.
    Expr(Expr),
    /// Its default.
    Default,
}

/// A bound assignment: the column's position, and its value.
pub(crate) type Bound = (usize, NewValue);

/// Whether an expression is the word `DEFAULT`.
pub(crate) fn is_default(expr: &ast::Expr) -> bool {
    matches!(expr, ast::Expr::Identifier(ident) if ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("DEFAULT"))
}

/// The last part of a column's name.
pub(crate) fn column_name(name: &ast::ObjectName) -> Result<&str> {
    match name.0.last() {
        Some(ast::ObjectNamePart::Identifier(ident)) => Ok(&ident.value),
        _ => Err(SqlError::unsupported(format!("column name {name}"))),
    }
}

impl Exec<'_> {
    /// Binds assignments. `new_row`: where the values of the rejected row start in the scope, for `VALUES(c)`.
    ///
    /// # Errors
    /// Unknown columns, expressions.
    pub(crate) fn bind_assignments(
        &self,
        table: &Table,
        scope: &Scope,
        assignments: &[Assignment],
        new_row: Option<usize>,
        subqueries: &mut Vec<Query>,
    ) -> Result<Vec<Bound>> {
        let mut out = Vec::new();
        for assignment in assignments {
            let AssignmentTarget::ColumnName(name) = &assignment.target else {
                return Err(SqlError::unsupported("assignment to several columns"));
            };
            let wanted = column_name(name)?;
            let at = table
                .column_position(wanted)
                .ok_or_else(|| SqlError::unknown_column(&name.to_string().replace('`', ""), "field list"))?;
            if is_default(&assignment.value) {
                out.push((at, NewValue::Default));
                continue;
            }
            let mut binder = self.binder(scope, subqueries, "field list");
            binder.new_row = new_row;
            out.push((at, NewValue::Expr(binder.bind(&assignment.value)?)));
        }
        Ok(out)
    }
}

/// Applies assignments from left to right; later ones see what earlier ones set. `row` may be wider than the table.
/// Returns the table's new values, with `ON UPDATE CURRENT_TIMESTAMP` applied if anything changed.
pub(crate) fn apply(
    table: &Table,
    row: &mut Row,
    assignments: &[Bound],
    row_number: usize,
    cx: &EvalContext,
) -> Result<Row> {
    let before: Row = row.iter().take(table.columns.len()).cloned().collect();
    for (at, value) in assignments {
        let Some(column) = table.columns.get(*at) else { continue };
        let new = match value {
            NewValue::Default => {
                default_value::current(column, cx)?.ok_or_else(|| no_default(column.name()))?
            }
            NewValue::Expr(expr) => {
                let value = expr.eval(row, cx)?;
                let target = Target { name: column.name(), field: &column.info.field_type, row: row_number };
                convert::to_column(value, expr.ty(), target, cx)?
            }
        };
        let new = if new.is_null() && column.is_not_null() {
            cx.bad_value(SqlError::new(1048, format!("Column '{}' cannot be null", column.name())))?;
            default_value::zero(column)
        } else {
            new
        };
        if let Some(slot) = row.get_mut(*at) {
            *slot = new;
        }
    }
    let mut after: Row = row.iter().take(table.columns.len()).cloned().collect();
    if !same_rows(&before, &after) {
        for (at, column) in table.columns.iter().enumerate() {
            let assigned = assignments.iter().any(|(a, _)| *a == at);
            if default_value::updates_now(column) && !assigned {
                let now = coerce::now(cx, time_kind(column), column.ty.fsp())?;
                if let Some(slot) = after.get_mut(at) {
                    *slot = Datum::Time(now);
                }
            }
        }
    }
    Ok(after)
}

/// Whether two rows are stored alike. Decimals must also have the same digits, texts the same bytes.
pub(crate) fn same_rows(a: &[Datum], b: &[Datum]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(x, y)| x == y)
}

/// 1364: a column that must be given a value.
pub(crate) fn no_default(column: &str) -> SqlError {
    SqlError::new(1364, format!("Field '{column}' doesn't have a default value"))
}
