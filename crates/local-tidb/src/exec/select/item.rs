//! What is selected: expressions, `*`, and the columns that they make.

use sqlparser::ast::{self, SelectItem};

use crate::catalog::lower;
use crate::exec::Exec;
use crate::exec::query::ResultColumn;
use tidb_expr::Expr;
use tidb_expr::bind::{Aggregate, MAX_DEPTH, Scope, ScopeColumn};
use tidb_expr::{Result, SqlError};

impl Exec<'_> {
    /// Binds one item; `*` stands for several columns.
    pub(super) fn bind_item(
        &self,
        item: &SelectItem,
        scope: &Scope,
        subqueries: &mut Vec<ast::Query>,
        aggregates: &mut Vec<Aggregate>,
        out: &mut Vec<(Expr, ResultColumn)>,
    ) -> Result<()> {
        let (expr, alias) = match item {
            SelectItem::UnnamedExpr(expr) => (expr, None),
            SelectItem::ExprWithAlias { expr, alias } => (expr, Some(alias.value.clone())),
            SelectItem::Wildcard(_) => return self.wildcard(scope, None, out),
            SelectItem::QualifiedWildcard(ast::SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                let parts: Vec<String> =
                    name.to_string().split('.').map(|p| lower(p.trim_matches('`'))).collect();
                return self.wildcard(scope, Some(&parts), out);
            }
            other => return Err(SqlError::unsupported(format!("select item {other}"))),
        };
        let mut binder = self.binder(scope, subqueries, "field list");
        binder.aggregates = Some(std::mem::take(aggregates));
        let bound = binder.bind(expr);
        *aggregates = binder.aggregates.take().unwrap_or_default();
        let printable = binder.longest_chain < MAX_DEPTH;
        let bound = bound?;
        let column = match (&bound, scope_column(&bound, scope)) {
            (_, Some(c)) => named_column(c, alias.unwrap_or_else(|| c.name.clone())),
            (bound, None) => ResultColumn::computed(
                alias.unwrap_or_else(|| if printable { item_name(expr) } else { "expr".to_owned() }),
                bound.ty().clone(),
            ),
        };
        out.push((bound, column));
        Ok(())
    }

    /// `*` and `t.*`.
    fn wildcard(
        &self,
        scope: &Scope,
        table: Option<&Vec<String>>,
        out: &mut Vec<(Expr, ResultColumn)>,
    ) -> Result<()> {
        let before = out.len();
        for (index, c) in scope.columns.iter().enumerate() {
            let wanted = match table.map(Vec::as_slice) {
                None => !scope.merged.contains(&index),
                Some([t]) => c.table == *t,
                Some([db, t]) => c.table == *t && c.db == *db,
                Some(_) => false,
            };
            if wanted {
                let expr = Expr::Column { index, ty: c.ty.clone(), name: c.name.clone().into() };
                out.push((expr, named_column(c, c.name.clone())));
            }
        }
        match (out.len() == before, table) {
            (true, Some(parts)) => Err(SqlError::new(1051, format!("Unknown table '{}'", parts.join(".")))),
            (true, None) => Err(SqlError::new(1096, "No tables used")),
            _ => Ok(()),
        }
    }
}

/// The column that an expression is, if it is no more than a column.
fn scope_column<'a>(expr: &Expr, scope: &'a Scope) -> Option<&'a ScopeColumn> {
    match expr {
        Expr::Column { index, .. } => scope.columns.get(*index),
        _ => None,
    }
}

/// A column of the scope as a result column.
fn named_column(c: &ScopeColumn, name: String) -> ResultColumn {
    ResultColumn {
        name,
        org_name: c.name.clone(),
        table: c.table.clone(),
        org_table: c.org_table.clone(),
        schema: c.db.clone(),
        ty: c.ty.clone(),
    }
}

/// Name of a result column without an alias: its text.
fn item_name(expr: &ast::Expr) -> String {
    match expr {
        ast::Expr::Value(v) => match &v.value {
            ast::Value::SingleQuotedString(s) => s.clone(),
            other => other.to_string(),
        },
        other => other.to_string(),
    }
}
