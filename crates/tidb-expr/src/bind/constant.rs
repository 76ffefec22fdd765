//! Literals, placeholders and conversions to a named type.

use sqlparser::ast::{self, Expr as Ast, Value};

use super::Binder;
use crate::collation;
use crate::error::{Result, SqlError};
use crate::{Expr, ResultType, functions, literal};

impl Binder<'_> {
    /// A literal or placeholder.
    #[inline(never)]
    pub(super) fn value(&mut self, value: &Value) -> Result<Expr> {
        if matches!(value, Value::Placeholder(_)) {
            return self.placeholder(value);
        }
        literal::value(value).map(|(value, ty)| Expr::constant(value, ty))
    }

    /// The value that a placeholder was given.
    fn placeholder(&self, value: &Value) -> Result<Expr> {
        let Value::Placeholder(text) = value else {
            return Err(SqlError::unsupported(format!("literal {value}")));
        };
        let number: usize = text.trim_start_matches('?').parse().unwrap_or(0);
        match number.checked_sub(1).and_then(|at| self.params.get(at)) {
            Some((value, ty)) => Ok(Expr::constant(value.clone(), ty.clone())),
            None => Err(SqlError::new(1210, "Incorrect arguments to EXECUTE")),
        }
    }

    /// `_binary x'00'`: the value in the introduced character set.
    pub(super) fn introduced(&mut self, prefix: &str, value: &Ast) -> Result<Expr> {
        let charset = prefix.trim_start_matches('_');
        let collation = collation::default_of(charset)
            .ok_or_else(|| SqlError::new(1115, format!("Unknown character set: '{charset}'")))?;
        match self.bind(value)? {
            Expr::Const { value, ty } => Ok(Expr::constant(value, ResultType::text_of(ty.flen, collation))),
            other => Ok(other),
        }
    }

    /// The type of `DATE '…'`, `TIME '…'`, `TIMESTAMP '…'`; fraction digits are those of the text.
    pub(super) fn typed_literal(&self, data_type: &ast::DataType, value: &Value) -> Result<ResultType> {
        let fsp = match value {
            Value::SingleQuotedString(s) => functions::fraction_digits(s.as_bytes()),
            _ => 0,
        };
        Ok(match data_type.to_string().to_ascii_uppercase().as_str() {
            "DATE" => ResultType::date(),
            name if name.starts_with("TIMESTAMP") || name.starts_with("DATETIME") => {
                ResultType::datetime(fsp)
            }
            name if name.starts_with("TIME") => ResultType::duration(fsp),
            name => return Err(SqlError::unsupported(format!("literal of type {name}"))),
        })
    }

    /// `CAST(expr AS ty)`.
    pub(super) fn cast(&mut self, expr: &Ast, ty: ResultType) -> Result<Expr> {
        let expr = Box::new(self.bind(expr)?);
        Ok(Expr::Cast { expr, ty })
    }

    /// `CONVERT(expr USING charset)`.
    #[inline(never)]
    pub(super) fn convert_using(&mut self, expr: &Ast, charset: &str) -> Result<Expr> {
        let collation = collation::default_of(charset)
            .ok_or_else(|| SqlError::new(1115, format!("Unknown character set: '{charset}'")))?;
        self.cast(expr, ResultType::text_of(-1, collation))
    }

    /// `expr COLLATE name`.
    #[inline(never)]
    pub(super) fn collate(&mut self, expr: &Ast, name: &str) -> Result<Expr> {
        let found = collation::by_name(name.trim_matches('`')).ok_or_else(|| {
            SqlError::new(1273, format!("Unsupported collation when new collation is enabled: '{name}'"))
        })?;
        self.cast(expr, ResultType::text_of(-1, found))
    }
}
