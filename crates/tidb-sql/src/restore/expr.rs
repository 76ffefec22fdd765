//! Expressions.

use sqlparser::ast::{BinaryOperator, CastKind, Expr, Function, ObjectNamePart, Query, UnaryOperator, Value};

use super::Written;
use super::writer::{Writer, unsupported};
use crate::error::RestoreError;
use crate::expression::is_binary_operator;

impl Writer<'_> {
    /// An expression.
    pub(super) fn expr(&mut self, expr: &Expr) -> Written {
        match expr {
            Expr::Identifier(ident) => self.identifier(&ident.value, ident.quote_style.is_some()),
            Expr::CompoundIdentifier(parts) => self.compound(parts),
            Expr::Value(value) => self.value(&value.value),
            Expr::Prefixed { prefix, value } => self.introduced(&prefix.value, value),
            Expr::BinaryOp { .. } => self.binary_ops(expr),
            Expr::UnaryOp { op, expr } => {
                self.plain(unary_symbol(*op)?);
                self.operand(expr, matches!(op, UnaryOperator::BangNot | UnaryOperator::BitwiseNot))
            }
            Expr::Nested(inner) => self.in_parentheses(|w| w.expr(inner)),
            Expr::Tuple(items) => {
                self.plain("ROW");
                self.in_parentheses(|w| w.separated(items, ",", Self::expr))
            }
            Expr::Subquery(query) => self.subquery(query),
            Expr::Exists { subquery, negated } => {
                self.plain(if *negated { "NOT EXISTS " } else { "EXISTS " });
                self.subquery(subquery)
            }
            Expr::Case { operand, conditions, else_result, .. } => {
                self.case(operand, conditions, else_result)
            }
            Expr::Collate { expr, collation } => {
                self.expr(expr)?;
                self.plain(" COLLATE ");
                self.plain(&collation.to_string());
                Ok(())
            }
            Expr::TypedString(typed) => self.typed_string(typed),
            Expr::Cast { .. } | Expr::Convert { .. } => self.cast(expr),
            _ => self.predicate(expr),
        }
    }

    /// Predicates; then functions.
    fn predicate(&mut self, expr: &Expr) -> Written {
        match expr {
            Expr::IsNull(e) | Expr::IsUnknown(e) => self.suffixed(e, " IS NULL"),
            Expr::IsNotNull(e) | Expr::IsNotUnknown(e) => self.suffixed(e, " IS NOT NULL"),
            Expr::IsTrue(e) => self.suffixed(e, " IS TRUE"),
            Expr::IsNotTrue(e) => self.suffixed(e, " IS NOT TRUE"),
            Expr::IsFalse(e) => self.suffixed(e, " IS FALSE"),
            Expr::IsNotFalse(e) => self.suffixed(e, " IS NOT FALSE"),
            Expr::InList { expr, list, negated } => {
                self.suffixed(expr, if *negated { " NOT IN " } else { " IN " })?;
                self.in_parentheses(|w| w.separated(list, ",", Self::expr))
            }
            Expr::InSubquery { expr, subquery, negated } => {
                self.suffixed(expr, if *negated { " NOT IN " } else { " IN " })?;
                self.subquery(subquery)
            }
            Expr::Between { expr, negated, low, high } => {
                self.suffixed(expr, if *negated { " NOT BETWEEN " } else { " BETWEEN " })?;
                self.suffixed(low, " AND ")?;
                self.expr(high)
            }
            Expr::Like { negated, expr, pattern, escape_char, .. } => {
                self.suffixed(expr, if *negated { " NOT LIKE " } else { " LIKE " })?;
                self.pattern(pattern, escape_char)
            }
            Expr::ILike { negated, expr, pattern, escape_char, .. } => {
                self.suffixed(expr, if *negated { " NOT ILIKE " } else { " ILIKE " })?;
                self.pattern(pattern, escape_char)
            }
            Expr::RLike { negated, expr, pattern, .. } => {
                self.suffixed(expr, if *negated { " NOT REGEXP " } else { " REGEXP " })?;
                self.expr(pattern)
            }
            Expr::AnyOp { left, compare_op, right, .. } => self.quantified(left, compare_op, "ANY ", right),
            Expr::AllOp { left, compare_op, right } => self.quantified(left, compare_op, "ALL ", right),
            _ => self.function_like(expr),
        }
    }

    /// Something in parentheses.
    pub(super) fn in_parentheses(&mut self, write: impl FnOnce(&mut Self) -> Written) -> Written {
        self.plain("(");
        write(self)?;
        self.plain(")");
        Ok(())
    }

    /// An expression with text behind it.
    fn suffixed(&mut self, expr: &Expr, suffix: &str) -> Written {
        self.expr(expr)?;
        self.plain(suffix);
        Ok(())
    }

    /// `(query)`.
    fn subquery(&mut self, query: &Query) -> Written {
        self.in_parentheses(|w| w.query(query))
    }

    /// A pattern with its escape character.
    fn pattern(&mut self, pattern: &Expr, escape: &Option<Box<Expr>>) -> Written {
        self.expr(pattern)?;
        if let Some(Expr::Value(value)) = escape.as_deref()
            && let Value::SingleQuotedString(text) = &value.value
            && !text.is_empty()
            && text != "\\"
        {
            self.plain(" ESCAPE ");
            self.string(text);
        }
        Ok(())
    }

    /// `left op ANY (query)`.
    fn quantified(&mut self, left: &Expr, op: &BinaryOperator, quantifier: &str, right: &Expr) -> Written {
        self.expr(left)?;
        self.plain(binary_symbol(op)?);
        self.plain(quantifier);
        self.expr(right)
    }

    /// A column, a variable or `DEFAULT`.
    fn identifier(&mut self, name: &str, quoted: bool) -> Written {
        if quoted {
            self.name(name);
        } else if let Some(variable) = name.strip_prefix("@@") {
            self.plain("@@");
            self.name(variable);
        } else if let Some(variable) = name.strip_prefix('@') {
            self.plain("@");
            self.name(variable);
        } else if name == "DEFAULT" {
            self.plain("DEFAULT");
        } else {
            self.name(name);
        }
        Ok(())
    }

    /// A qualified column or a variable with its scope.
    fn compound(&mut self, parts: &[sqlparser::ast::Ident]) -> Written {
        match parts {
            [scope, name] if scope.value.starts_with("@@") && scope.quote_style.is_none() => {
                let is_global = scope.value == "@@global";
                self.plain(if is_global { "@@GLOBAL." } else { "@@SESSION." });
                self.name(&name.value);
            }
            _ => self.idents(parts),
        }
        Ok(())
    }

    /// Binary operators: keywords with spaces around, symbols without. A chain that leans to the left is written in a
    /// loop, since it may be long.
    fn binary_ops(&mut self, expr: &Expr) -> Written {
        let mut chain = Vec::new();
        let mut leftmost = expr;
        while let Expr::BinaryOp { left, op, right } = leftmost
            && !is_function_operator(left, op, right)
        {
            chain.push((op, right));
            leftmost = left;
        }
        match leftmost {
            Expr::BinaryOp { left, op, right } => self.function_operator(left, op, right)?,
            operand => {
                let power = chain.last().is_some_and(|(op, _)| **op == BinaryOperator::BitwiseXor);
                self.operand(operand, power)?;
            }
        }
        for (op, right) in chain.into_iter().rev() {
            self.plain(binary_symbol(op)?);
            self.operand(right, binds_like_modulo(op))?;
        }
        Ok(())
    }

    /// An operand. `MOD(a, b)`, which is written as an operator, stands in parentheses where that would change the
    /// meaning.
    fn operand(&mut self, operand: &Expr, tight: bool) -> Written {
        match operand {
            Expr::Function(function) if tight && is_modulo(function) => {
                self.in_parentheses(|w| w.expr(operand))
            }
            other => self.expr(other),
        }
    }

    /// An operator that is written as a function.
    fn function_operator(&mut self, left: &Expr, op: &BinaryOperator, right: &Expr) -> Written {
        let (name, end) = match op {
            BinaryOperator::Arrow => ("JSON_EXTRACT(", ")"),
            BinaryOperator::LongArrow => ("JSON_UNQUOTE(JSON_EXTRACT(", "))"),
            BinaryOperator::StringConcat => ("CONCAT(", ")"),
            _ => return self.date_arithmetic(left, op, right),
        };
        self.plain(name);
        self.suffixed(left, ", ")?;
        self.suffixed(right, end)
    }

    /// `date + INTERVAL n unit` as the function it stands for.
    fn date_arithmetic(&mut self, left: &Expr, op: &BinaryOperator, right: &Expr) -> Written {
        let (date, interval) = if matches!(right, Expr::Interval(_)) { (left, right) } else { (right, left) };
        self.plain(if *op == BinaryOperator::Minus { "DATE_SUB(" } else { "DATE_ADD(" });
        self.suffixed(date, ", ")?;
        self.interval(interval)?;
        self.plain(")");
        Ok(())
    }

    /// `INTERVAL n unit`.
    pub(super) fn interval(&mut self, expr: &Expr) -> Written {
        let Expr::Interval(interval) = expr else { return unsupported("a date function without interval") };
        self.plain("INTERVAL ");
        self.expr(&interval.value)?;
        self.plain(" ");
        match &interval.leading_field {
            Some(unit) => self.upper(&unit.to_string()),
            None => return unsupported("an interval without unit"),
        }
        Ok(())
    }

    /// `CASE … END`.
    fn case(
        &mut self,
        operand: &Option<Box<Expr>>,
        conditions: &[sqlparser::ast::CaseWhen],
        else_result: &Option<Box<Expr>>,
    ) -> Written {
        self.plain("CASE");
        if let Some(operand) = operand {
            self.plain(" ");
            self.expr(operand)?;
        }
        for when in conditions {
            self.plain(" WHEN ");
            self.suffixed(&when.condition, " THEN ")?;
            self.expr(&when.result)?;
        }
        if let Some(result) = else_result {
            self.plain(" ELSE ");
            self.expr(result)?;
        }
        self.plain(" END");
        Ok(())
    }

    /// `CAST`, `CONVERT`, `BINARY`.
    fn cast(&mut self, cast: &Expr) -> Written {
        match cast {
            Expr::Cast { expr, .. } if is_binary_operator(cast) => {
                self.plain("BINARY ");
                self.expr(expr)
            }
            Expr::Cast { kind: CastKind::Cast, expr, data_type, .. } => {
                self.plain("CAST(");
                self.suffixed(expr, " AS ")?;
                self.cast_type(data_type)?;
                self.plain(")");
                Ok(())
            }
            Expr::Convert { expr, data_type: Some(data_type), .. } => {
                self.plain("CONVERT(");
                self.suffixed(expr, ", ")?;
                self.cast_type(data_type)?;
                self.plain(")");
                Ok(())
            }
            Expr::Convert { expr, charset: Some(charset), .. } => {
                self.plain("CONVERT(");
                self.suffixed(expr, " USING ")?;
                self.string(&charset.to_string());
                self.plain(")");
                Ok(())
            }
            _ => unsupported("this cast"),
        }
    }
}

/// Whether an operator is written as a function: paths into JSON, concatenation, dates with intervals.
fn is_function_operator(left: &Expr, op: &BinaryOperator, right: &Expr) -> bool {
    match op {
        BinaryOperator::Arrow | BinaryOperator::LongArrow | BinaryOperator::StringConcat => true,
        BinaryOperator::Plus | BinaryOperator::Minus => {
            matches!(left, Expr::Interval(_)) || matches!(right, Expr::Interval(_))
        }
        _ => false,
    }
}

/// Whether an operator binds at least as strongly as `%`.
fn binds_like_modulo(op: &BinaryOperator) -> bool {
    matches!(
        op,
        BinaryOperator::Multiply
            | BinaryOperator::Divide
            | BinaryOperator::Modulo
            | BinaryOperator::MyIntegerDivide
            | BinaryOperator::BitwiseXor
    )
}

/// Whether a call is `MOD(a, b)`.
fn is_modulo(function: &Function) -> bool {
    matches!(function.name.0.as_slice(), [ObjectNamePart::Identifier(name)] if name.value.eq_ignore_ascii_case("MOD"))
}

/// A prefix operator's text.
fn unary_symbol(op: UnaryOperator) -> Result<&'static str, RestoreError> {
    Ok(match op {
        UnaryOperator::Not => "NOT ",
        UnaryOperator::BangNot => "!",
        UnaryOperator::BitwiseNot => "~",
        UnaryOperator::Minus => "-",
        UnaryOperator::Plus => "+",
        other => return unsupported(format!("the operator {other}")),
    })
}

/// An infix operator's text with its blanks.
fn binary_symbol(op: &BinaryOperator) -> Result<&'static str, RestoreError> {
    Ok(match op {
        BinaryOperator::And => " AND ",
        BinaryOperator::Or => " OR ",
        BinaryOperator::Xor => " XOR ",
        BinaryOperator::MyIntegerDivide => " DIV ",
        BinaryOperator::Plus => "+",
        BinaryOperator::Minus => "-",
        BinaryOperator::Multiply => "*",
        BinaryOperator::Divide => "/",
        BinaryOperator::Modulo => "%",
        BinaryOperator::BitwiseOr => "|",
        BinaryOperator::BitwiseAnd => "&",
        BinaryOperator::BitwiseXor => "^",
        BinaryOperator::PGBitwiseShiftLeft => "<<",
        BinaryOperator::PGBitwiseShiftRight => ">>",
        BinaryOperator::Eq => "=",
        BinaryOperator::NotEq => "!=",
        BinaryOperator::Lt => "<",
        BinaryOperator::LtEq => "<=",
        BinaryOperator::Gt => ">",
        BinaryOperator::GtEq => ">=",
        BinaryOperator::Spaceship => "<=>",
        BinaryOperator::Assignment => ":=",
        other => return unsupported(format!("the operator {other}")),
    })
}
