//! Tests: `IS …`, `IN`, `BETWEEN`, `LIKE`, subqueries, `CASE`.

use sqlparser::ast::{self, Expr as Ast, Query};
use tidb_codec::Datum;

use super::{Binder, operator, predicate};
use crate::error::{Result, SqlError};
use crate::tree::EvalFn;
use crate::{Expr, ResultType, operators as ops, regexp};

/// `NOT expr` if negated, else the expression.
fn negate_if(negated: bool, expr: Expr) -> Expr {
    if negated { predicate("not", ops::not, vec![expr]) } else { expr }
}

impl Binder<'_> {
    /// `IS NULL` and its kin.
    #[inline(never)]
    pub(super) fn is_test(&mut self, expr: &Ast) -> Result<Expr> {
        let (inner, name, eval, negated): (_, _, EvalFn, _) = match expr {
            Ast::IsTrue(e) => (e, "istrue", ops::is_true, false),
            Ast::IsNotTrue(e) => (e, "istrue", ops::is_true, true),
            Ast::IsFalse(e) => (e, "isfalse", ops::is_false, false),
            Ast::IsNotFalse(e) => (e, "isfalse", ops::is_false, true),
            Ast::IsNull(e) | Ast::IsUnknown(e) => (e, "isnull", ops::is_null, false),
            Ast::IsNotNull(e) | Ast::IsNotUnknown(e) => (e, "isnull", ops::is_null, true),
            other => return Err(SqlError::unsupported(format!("expression {other}"))),
        };
        let args = vec![self.bind(inner)?];
        Ok(negate_if(negated, predicate(name, eval, args)))
    }

    /// `IN` with a list, `BETWEEN`, `LIKE`.
    #[inline(never)]
    pub(super) fn predicate(&mut self, expr: &Ast) -> Result<Expr> {
        match expr {
            Ast::InList { expr, list, negated } => {
                let mut args = vec![self.bind(expr)?];
                args.extend(self.bind_all(list)?);
                Ok(negate_if(*negated, predicate("in", ops::in_list, args)))
            }
            Ast::Between { expr, negated, low, high } => {
                let value = self.bind(expr)?;
                let above = predicate("ge", ops::ge, vec![value.clone(), self.bind(low)?]);
                let below = predicate("le", ops::le, vec![value, self.bind(high)?]);
                Ok(negate_if(*negated, predicate("and", ops::and, vec![above, below])))
            }
            Ast::Like { negated, any: false, expr, pattern, escape_char } => {
                let mut args = vec![self.bind(expr)?, self.bind(pattern)?];
                args.push(match escape_char {
                    Some(e) => self.bind(e)?,
                    None => {
                        let mark = if self.no_backslash_escapes { "" } else { "\\" };
                        Expr::constant(Datum::Bytes(mark.as_bytes().to_vec()), ResultType::text())
                    }
                });
                Ok(negate_if(*negated, predicate("like", ops::like, args)))
            }
            other => Err(SqlError::unsupported(format!("expression {other}"))),
        }
    }

    /// `text REGEXP pattern`.
    #[inline(never)]
    pub(super) fn regexp(&mut self, negated: bool, text: &Ast, pattern: &Ast) -> Result<Expr> {
        let args = vec![self.bind(text)?, self.bind(pattern)?];
        let compiled = regexp::fixed_pattern(&args)?;
        Ok(negate_if(negated, Expr::Regexp { args, compiled, ty: ResultType::boolean() }))
    }

    /// A subquery as a value, after `IN`, or after `EXISTS`.
    #[inline(never)]
    pub(super) fn subquery(&mut self, expr: &Ast) -> Result<Expr> {
        Ok(match expr {
            Ast::InSubquery { expr, subquery, negated } => {
                let expr = Box::new(self.bind(expr)?);
                Expr::InSubquery {
                    expr,
                    slot: self.slot(subquery),
                    negated: *negated,
                    ty: ResultType::boolean(),
                }
            }
            Ast::Exists { subquery, negated } => {
                Expr::Exists { slot: self.slot(subquery), negated: *negated, ty: ResultType::boolean() }
            }
            Ast::Subquery(query) => Expr::Subquery { slot: self.slot(query), ty: ResultType::text() },
            other => return Err(SqlError::unsupported(format!("expression {other}"))),
        })
    }

    /// Keeps a subquery for the statement to run; returns its number.
    fn slot(&mut self, query: &Query) -> usize {
        self.subqueries.push(query.clone());
        self.subqueries.len() - 1
    }

    /// `CASE [operand] WHEN … THEN … ELSE … END`.
    pub(super) fn case(
        &mut self,
        operand: Option<&Ast>,
        whens: &[ast::CaseWhen],
        otherwise: Option<&Ast>,
    ) -> Result<Expr> {
        let operand = operand.map(|o| self.bind(o)).transpose()?;
        let mut args = Vec::new();
        let mut ty = ResultType::null();
        for when in whens {
            let condition = self.bind(&when.condition)?;
            args.push(match &operand {
                Some(o) => predicate("eq", ops::eq, vec![o.clone(), condition]),
                None => condition,
            });
            let result = self.bind(&when.result)?;
            ty = ty.merge(result.ty());
            args.push(result);
        }
        if let Some(otherwise) = otherwise {
            let result = self.bind(otherwise)?;
            ty = ty.merge(result.ty());
            args.push(result);
        }
        Ok(operator("case", ops::case_when, args, ty))
    }
}
