//! Binding: from parsed expressions to [`Expr`], with names resolved.

mod aggregate;
mod constant;
mod function;
mod name;
mod operator;
mod predicate;
mod scope;

use sqlparser::ast::{Expr as Ast, Query};
use tidb_codec::Datum;

use super::cast_type;
use super::result_type::ResultType;
use super::tree::{EvalFn, Expr};
use crate::error::{Result, SqlError};

pub use aggregate::{Aggregate, AggregateKind};
pub use name::type_of_value;
pub use scope::{Scope, ScopeColumn, Variables};

/// Deepest nesting of expressions that is followed.
pub const MAX_DEPTH: usize = 200;

/// Binds expressions against a scope.
pub struct Binder<'a> {
    /// The columns.
    pub scope: &'a Scope,
    /// The variables.
    pub variables: &'a dyn Variables,
    /// Values of placeholders.
    pub params: &'a [(Datum, ResultType)],
    /// Subqueries met so far, by slot.
    pub subqueries: &'a mut Vec<Query>,
    /// Aggregates met so far; `None` where they are not allowed.
    pub aggregates: Option<Vec<Aggregate>>,
    /// Name of the clause, for messages.
    pub clause: &'static str,
    /// In `ON DUPLICATE KEY UPDATE`: where the new row's columns start, for `VALUES(c)`.
    pub new_row: Option<usize>,
    /// Result columns that may be named where no column has the name: `HAVING`, `ORDER BY`.
    pub aliases: Vec<(String, Expr)>,
    /// A backslash in a `LIKE` pattern is an ordinary character.
    pub no_backslash_escapes: bool,
    /// Longest chain of `AND` or `OR` met: such expressions are too deep to be printed.
    pub longest_chain: usize,
    /// Nesting of the expression being bound.
    depth: usize,
}

/// A call of an operator.
fn operator(name: &'static str, eval: EvalFn, args: Vec<Expr>, ty: ResultType) -> Expr {
    Expr::Call { name, eval, args, ty }
}

/// A call of an operator that is true, false or NULL.
fn predicate(name: &'static str, eval: EvalFn, args: Vec<Expr>) -> Expr {
    operator(name, eval, args, ResultType::boolean())
}

impl<'a> Binder<'a> {
    /// A binder without aggregates.
    pub fn new(
        scope: &'a Scope,
        variables: &'a dyn Variables,
        params: &'a [(Datum, ResultType)],
        subqueries: &'a mut Vec<Query>,
        clause: &'static str,
    ) -> Self {
        Self {
            scope,
            variables,
            params,
            subqueries,
            aggregates: None,
            clause,
            new_row: None,
            aliases: Vec::new(),
            no_backslash_escapes: false,
            longest_chain: 0,
            depth: 0,
        }
    }

    /// Binds an expression.
    ///
    /// # Errors
    /// Unknown names, wrong argument counts, forms that are not supported.
    pub fn bind(&mut self, expr: &Ast) -> Result<Expr> {
        if self.depth >= MAX_DEPTH {
            return Err(SqlError::new(1436, "Thread stack overrun: expression nested too deeply"));
        }
        self.depth += 1;
        let bound = self.bind_inner(expr);
        self.depth -= 1;
        bound
    }

    /// Binds several expressions in order.
    fn bind_all(&mut self, exprs: &[Ast]) -> Result<Vec<Expr>> {
        exprs.iter().map(|e| self.bind(e)).collect()
    }

    /// Binds several expressions in order.
    fn bind_refs(&mut self, exprs: &[&Ast]) -> Result<Vec<Expr>> {
        exprs.iter().map(|e| self.bind(e)).collect()
    }

    /// Sends each form to a function of its own, so that the frames of deep expressions stay small.
    fn bind_inner(&mut self, expr: &Ast) -> Result<Expr> {
        match expr {
            Ast::Nested(inner) => self.bind(inner),
            Ast::BinaryOp { left, op, right } => self.binary(left, op, right),
            Ast::UnaryOp { op, expr } => self.unary(*op, expr),
            Ast::Function(function) => self.function(function),
            Ast::Identifier(ident) => self.identifier(std::slice::from_ref(ident)),
            Ast::CompoundIdentifier(path) => self.identifier(path),
            Ast::Value(v) => self.value(&v.value),
            Ast::IsNull(_)
            | Ast::IsNotNull(_)
            | Ast::IsTrue(_)
            | Ast::IsNotTrue(_)
            | Ast::IsFalse(_)
            | Ast::IsNotFalse(_)
            | Ast::IsUnknown(_)
            | Ast::IsNotUnknown(_) => self.is_test(expr),
            Ast::InList { .. } | Ast::Between { .. } | Ast::Like { .. } => self.predicate(expr),
            Ast::InSubquery { .. } | Ast::Exists { .. } | Ast::Subquery(_) => self.subquery(expr),
            Ast::Cast { expr, data_type, .. } | Ast::Convert { expr, data_type: Some(data_type), .. } => {
                let ty = cast_type::of(data_type)?;
                self.cast(expr, ty)
            }
            Ast::Convert { expr, charset: Some(charset), .. } => {
                self.convert_using(expr, &charset.to_string())
            }
            Ast::Collate { expr, collation } => self.collate(expr, &collation.to_string()),
            Ast::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref())
            }
            Ast::RLike { negated, expr, pattern, .. } => self.regexp(*negated, expr, pattern),
            other => self.rare(other),
        }
    }
}
