//! Expressions.

use sqlparser::ast::{BinaryOperator, CastKind, DataType, Expr, Query, UnaryOperator, Value};

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
            Expr::BinaryOp { left, op, right } => self.binary_op(left, op, right),
            Expr::UnaryOp { op, expr } => {
                self.plain(unary_symbol(*op)?);
                self.expr(expr)
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

    /// A binary operator: keywords with spaces around, symbols without.
    fn binary_op(&mut self, left: &Expr, op: &BinaryOperator, right: &Expr) -> Written {
        match op {
            BinaryOperator::Plus | BinaryOperator::Minus
                if matches!(right, Expr::Interval(_)) || matches!(left, Expr::Interval(_)) =>
            {
                return self.date_arithmetic(left, op, right);
            }
            BinaryOperator::Arrow | BinaryOperator::LongArrow => {
                let unquote = *op == BinaryOperator::LongArrow;
                self.plain(if unquote { "JSON_UNQUOTE(JSON_EXTRACT(" } else { "JSON_EXTRACT(" });
                self.suffixed(left, ", ")?;
                self.suffixed(right, if unquote { "))" } else { ")" })?;
                return Ok(());
            }
            BinaryOperator::StringConcat => {
                self.plain("CONCAT(");
                self.suffixed(left, ", ")?;
                return self.suffixed(right, ")");
            }
            _ => {}
        }
        self.expr(left)?;
        self.plain(binary_symbol(op)?);
        self.expr(right)
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

    /// A literal.
    pub(super) fn value(&mut self, value: &Value) -> Written {
        match value {
            Value::Number(text, _) => {
                let number = canonical_number(text)?;
                self.plain(&number);
            }
            Value::SingleQuotedString(text) => {
                let charset = self.options.charset;
                self.charset_string(charset, text);
            }
            Value::NationalStringLiteral(text) => self.charset_string("utf8", text),
            Value::HexStringLiteral(digits) => {
                self.plain("x'");
                self.plain(&digits.to_ascii_lowercase());
                self.plain("'");
            }
            Value::SingleQuotedByteStringLiteral(digits) => {
                let significant = digits.trim_start_matches('0');
                self.plain("b'");
                self.plain(if significant.is_empty() && !digits.is_empty() { "0" } else { significant });
                self.plain("'");
            }
            Value::Boolean(true) => self.plain("TRUE"),
            Value::Boolean(false) => self.plain("FALSE"),
            Value::Null => self.plain("NULL"),
            Value::Placeholder(_) => self.plain("?"),
            other => return unsupported(format!("the literal {other}")),
        }
        Ok(())
    }

    /// A string with the introducer of a charset (empty: none).
    fn charset_string(&mut self, charset: &str, text: &str) {
        if !charset.is_empty() {
            self.plain("_");
            self.upper(charset);
        }
        self.string(text);
    }

    /// A literal with an introducer.
    fn introduced(&mut self, prefix: &str, value: &Expr) -> Written {
        let Expr::Value(value) = value else { return unsupported("an introducer before an expression") };
        let charset = prefix.strip_prefix('_').unwrap_or(prefix);
        let charset = if charset == "utf8mb3" { "utf8" } else { charset };
        if let Value::SingleQuotedString(text) = &value.value {
            self.charset_string(charset, text);
            return Ok(());
        }
        if charset != "utf8mb4" && charset != "binary" {
            self.plain("_");
            self.upper(charset);
            self.plain(" ");
        }
        self.value(&value.value)
    }

    /// `DATE '…'`.
    fn typed_string(&mut self, typed: &sqlparser::ast::TypedString) -> Written {
        self.plain(match typed.data_type {
            DataType::Date => "DATE ",
            DataType::Time(..) => "TIME ",
            DataType::Timestamp(..) => "TIMESTAMP ",
            _ => return unsupported("a typed string"),
        });
        match &typed.value.value {
            Value::SingleQuotedString(text) => self.string(text),
            _ => return unsupported("a typed string"),
        }
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

/// A number as TiDB prints it: no needless zeros before the point, an exponent with sign and two digits.
fn canonical_number(text: &str) -> Result<String, RestoreError> {
    if text.contains(['e', 'E']) {
        let value: f64 = text.parse().map_err(|_| RestoreError::Unsupported(format!("the number {text}")))?;
        if !value.is_finite() {
            return unsupported(format!("the number {text}"));
        }
        let printed = format!("{value:e}");
        let (mantissa, exponent) = printed.split_once('e').unwrap_or((&printed, "0"));
        let (sign, digits) = match exponent.strip_prefix('-') {
            Some(digits) => ('-', digits),
            None => ('+', exponent),
        };
        return Ok(format!("{mantissa}e{sign}{digits:0>2}"));
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    Ok(if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") })
}

#[cfg(test)]
mod tests {
    use super::canonical_number;

    #[test]
    fn numbers_are_printed_as_tidb_does() {
        for (typed, printed) in [
            ("007", "7"),
            ("0", "0"),
            (".5", "0.5"),
            ("1.50", "1.50"),
            ("1.", "1"),
            ("1e10", "1e+10"),
            ("1.5E-7", "1.5e-07"),
            ("12e100", "1.2e+101"),
        ] {
            assert_eq!(canonical_number(typed).as_deref(), Ok(printed), "{typed}");
        }
    }
}
