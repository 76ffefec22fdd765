//! Operators with one and two operands.

use sqlparser::ast::{BinaryOperator as Op, Expr as Ast, UnaryOperator, Value};

use super::{Binder, operator, predicate};
use crate::error::{Result, SqlError};
use crate::tree::EvalFn;
use crate::{Expr, ResultType, functions, literal, operators as ops};

impl Binder<'_> {
    /// An operator with one operand.
    pub(super) fn unary(&mut self, op: UnaryOperator, expr: &Ast) -> Result<Expr> {
        // `-9223372036854775808` is one number.
        if op == UnaryOperator::Minus
            && let Ast::Value(v) = expr
            && let Value::Number(digits, _) = &v.value
        {
            return literal::number(&format!("-{digits}")).map(|(value, ty)| Expr::constant(value, ty));
        }
        let operand = self.bind(expr)?;
        apply_unary(op, operand)
    }

    /// An operator with two operands; date arithmetic with `INTERVAL` is one, too.
    pub(super) fn binary(&mut self, left: &Ast, op: &Op, right: &Ast) -> Result<Expr> {
        if let (Op::Plus | Op::Minus, Ast::Interval(i)) = (op, right) {
            return self.date_add(left, i, *op == Op::Minus);
        }
        if let (Op::Plus, Ast::Interval(i)) = (op, left) {
            return self.date_add(right, i, false);
        }
        if matches!(op, Op::And | Op::Or) {
            return self.chain(left, op, right);
        }
        let args = self.bind_refs(&[left, right])?;
        apply_binary(op, args)
    }

    /// `a AND b AND c …`, as one call however many there are.
    fn chain(&mut self, left: &Ast, op: &Op, right: &Ast) -> Result<Expr> {
        let mut parts = vec![right];
        let mut rest = left;
        while let Ast::BinaryOp { left, op: inner, right } = rest
            && inner == op
        {
            parts.push(right);
            rest = left;
        }
        parts.push(rest);
        self.longest_chain = self.longest_chain.max(parts.len());
        let args = parts.into_iter().rev().map(|part| self.bind(part)).collect::<Result<Vec<_>>>()?;
        Ok(if *op == Op::And { predicate("and", ops::and, args) } else { predicate("or", ops::or, args) })
    }
}

/// The call of an operator with one operand.
#[inline(never)]
fn apply_unary(op: UnaryOperator, operand: Expr) -> Result<Expr> {
    Ok(match op {
        UnaryOperator::Plus => operand,
        UnaryOperator::Minus => {
            let ty = ops::arithmetic_type(operand.ty(), &ResultType::int(), false, false);
            let ty = if operand.ty().is_integer() { ResultType::int() } else { ty };
            operator("-", ops::negate, vec![operand], ty)
        }
        UnaryOperator::Not | UnaryOperator::BangNot => predicate("not", ops::not, vec![operand]),
        UnaryOperator::BitwiseNot => operator("~", ops::bit_not, vec![operand], ResultType::uint()),
        other => return Err(SqlError::unsupported(format!("operator {other}"))),
    })
}

/// The call of an operator with two operands.
#[inline(never)]
fn apply_binary(op: &Op, args: Vec<Expr>) -> Result<Expr> {
    let arithmetic = |divides: bool, multiplies: bool| match args.as_slice() {
        [a, b] => ops::arithmetic_type(a.ty(), b.ty(), divides, multiplies),
        _ => ResultType::double(),
    };
    let unsigned = args.iter().any(|a| a.ty().is_unsigned());
    let (name, eval, ty): (_, EvalFn, _) = match op {
        Op::Plus => ("+", ops::add, arithmetic(false, false)),
        Op::Minus => ("-", ops::subtract, arithmetic(false, false)),
        Op::Multiply => ("*", ops::multiply, arithmetic(false, true)),
        Op::Divide => ("/", ops::divide, arithmetic(true, false)),
        Op::Modulo => ("%", ops::modulo, arithmetic(false, false)),
        Op::MyIntegerDivide if unsigned => ("div", ops::int_divide, ResultType::uint()),
        Op::MyIntegerDivide => ("div", ops::int_divide, ResultType::int()),
        Op::Xor => ("xor", ops::xor, ResultType::boolean()),
        Op::Eq => ("eq", ops::eq, ResultType::boolean()),
        Op::NotEq => ("ne", ops::ne, ResultType::boolean()),
        Op::Lt => ("lt", ops::lt, ResultType::boolean()),
        Op::LtEq => ("le", ops::le, ResultType::boolean()),
        Op::Gt => ("gt", ops::gt, ResultType::boolean()),
        Op::GtEq => ("ge", ops::ge, ResultType::boolean()),
        Op::Spaceship => ("nulleq", ops::null_safe_eq, ResultType::boolean()),
        Op::BitwiseAnd => ("&", ops::bit_and, ResultType::uint()),
        Op::BitwiseOr => ("|", ops::bit_or, ResultType::uint()),
        Op::BitwiseXor => ("^", ops::bit_xor, ResultType::uint()),
        Op::PGBitwiseShiftLeft => ("<<", ops::shift_left, ResultType::uint()),
        Op::PGBitwiseShiftRight => (">>", ops::shift_right, ResultType::uint()),
        Op::StringConcat => return functions::call("concat", args),
        Op::Arrow => return functions::call("json_extract", args),
        Op::LongArrow => {
            return functions::call("json_unquote", vec![functions::call("json_extract", args)?]);
        }
        other => return Err(SqlError::unsupported(format!("operator {other}"))),
    };
    Ok(operator(name, eval, args, ty))
}
