//! Calls of functions, also those with a syntax of their own.

use sqlparser::ast::{self, Expr as Ast, Function, FunctionArg, FunctionArgExpr, FunctionArguments};
use tidb_codec::Datum;

use super::Binder;
use super::aggregate::aggregate_kind;
use crate::error::{Result, SqlError};
use crate::{Expr, ResultType, functions, interval, literal};

impl Binder<'_> {
    /// `name(args)`: an aggregate, `VALUES(c)` or a built-in function.
    ///
    /// # Errors
    /// Unknown functions, wrong argument counts, window functions.
    pub(super) fn function(&mut self, f: &Function) -> Result<Expr> {
        let name = match f.name.0.as_slice() {
            [ast::ObjectNamePart::Identifier(ident)] => ident.value.to_ascii_lowercase(),
            _ => return Err(SqlError::unsupported(format!("function {}", f.name))),
        };
        if f.over.is_some() || f.filter.is_some() || !f.within_group.is_empty() {
            return Err(SqlError::unsupported("window functions"));
        }
        let list = match &f.args {
            FunctionArguments::None => {
                &ast::FunctionArgumentList { duplicate_treatment: None, args: vec![], clauses: vec![] }
            }
            FunctionArguments::List(list) => list,
            FunctionArguments::Subquery(_) => {
                return Err(SqlError::unsupported(format!("function {name} of a subquery")));
            }
        };
        if let Some(kind) = aggregate_kind(&name) {
            return self.aggregate(kind, &name, list);
        }
        if name == "values" {
            return self.new_value(list);
        }
        let mut raw = Vec::new();
        for arg in &list.args {
            match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => raw.push(e),
                other => return Err(SqlError::unsupported(format!("function argument {other}"))),
            }
        }
        self.special_or_builtin(&name, &raw)
    }

    /// Functions whose arguments are no plain expressions, then all others.
    fn special_or_builtin(&mut self, name: &str, raw: &[&Ast]) -> Result<Expr> {
        if matches!(name, "date_add" | "adddate" | "date_sub" | "subdate" | "timestampadd" | "timestampdiff")
        {
            return self.date_function(name, raw);
        }
        self.call(name, raw)
    }

    /// A call of a built-in function.
    fn call(&mut self, name: &str, args: &[&Ast]) -> Result<Expr> {
        let args = self.bind_refs(args)?;
        functions::call(name, args)
    }

    /// Forms with a syntax of their own that are no operators.
    #[inline(never)]
    pub(super) fn rare(&mut self, expr: &Ast) -> Result<Expr> {
        match expr {
            Ast::Prefixed { prefix, value } => self.introduced(&prefix.value, value),
            Ast::Tuple(parts) => self.bind_all(parts).map(Expr::Row),
            Ast::TypedString(typed) => {
                let (value, text_type) = literal::value(&typed.value.value)?;
                let ty = self.typed_literal(&typed.data_type, &typed.value.value)?;
                Ok(Expr::Cast { expr: Box::new(Expr::constant(value, text_type)), ty })
            }
            Ast::Extract { field, expr, .. } => {
                let args = self.bind_refs(&[expr])?;
                functions::call(&field.to_string(), args)
                    .map_err(|_| SqlError::unsupported(format!("EXTRACT({field})")))
            }
            Ast::Ceil { expr, .. } => self.call("ceil", &[expr]),
            Ast::Floor { expr, .. } => self.call("floor", &[expr]),
            Ast::Position { expr, r#in } => self.call("position", &[expr, r#in]),
            Ast::Substring { expr, substring_from, substring_for, .. } => {
                let parts: Vec<&Ast> = [Some(expr), substring_from.as_ref(), substring_for.as_ref()]
                    .into_iter()
                    .flatten()
                    .map(Box::as_ref)
                    .collect();
                self.call("substring", &parts)
            }
            Ast::Trim { trim_where, trim_what, expr, .. } => {
                let name = match trim_where {
                    Some(ast::TrimWhereField::Leading) => "ltrim",
                    Some(ast::TrimWhereField::Trailing) => "rtrim",
                    _ => "trim",
                };
                let parts: Vec<&Ast> =
                    [Some(expr), trim_what.as_ref()].into_iter().flatten().map(Box::as_ref).collect();
                self.call(name, &parts)
            }
            other => Err(SqlError::unsupported(format!("expression {other}"))),
        }
    }

    /// Date arithmetic in the form of a call.
    #[inline(never)]
    fn date_function(&mut self, name: &str, raw: &[&Ast]) -> Result<Expr> {
        match (name, raw) {
            ("date_add" | "adddate", [date, Ast::Interval(i)]) => self.date_add(date, i, false),
            ("date_sub" | "subdate", [date, Ast::Interval(i)]) => self.date_add(date, i, true),
            ("adddate" | "subdate", [date, days]) => {
                let (date, days) = (self.bind(date)?, self.bind(days)?);
                let unit = interval::unit("day").ok_or_else(|| SqlError::unsupported("ADDDATE"))?;
                Ok(date_add(date, days, unit, name == "subdate"))
            }
            ("timestampadd", [Ast::Identifier(unit), value, date]) => {
                let found = interval::unit(&unit.value)
                    .ok_or_else(|| SqlError::unsupported(format!("TIMESTAMPADD unit {}", unit.value)))?;
                let (value, date) = (self.bind(value)?, self.bind(date)?);
                Ok(date_add(date, value, found, false))
            }
            ("timestampdiff", [Ast::Identifier(unit), a, b]) => {
                let unit = Expr::constant(Datum::Bytes(unit.value.clone().into_bytes()), ResultType::text());
                let mut args = vec![unit];
                args.extend(self.bind_refs(&[a, b])?);
                functions::call(name, args)
            }
            _ => self.call(name, raw),
        }
    }

    /// `date ± INTERVAL n unit`.
    #[inline(never)]
    pub(super) fn date_add(&mut self, date: &Ast, i: &ast::Interval, negative: bool) -> Result<Expr> {
        let date = self.bind(date)?;
        let field = i.leading_field.as_ref().map(ToString::to_string).unwrap_or_default();
        let unit =
            interval::unit(&field).ok_or_else(|| SqlError::unsupported(format!("INTERVAL unit {field}")))?;
        let value = self.bind(&i.value)?;
        Ok(date_add(date, value, unit, negative))
    }

    /// `VALUES(c)` in `ON DUPLICATE KEY UPDATE`.
    fn new_value(&mut self, list: &ast::FunctionArgumentList) -> Result<Expr> {
        let (Some(offset), [FunctionArg::Unnamed(FunctionArgExpr::Expr(e))]) =
            (self.new_row, list.args.as_slice())
        else {
            return Err(SqlError::unsupported("VALUES() outside ON DUPLICATE KEY UPDATE"));
        };
        match self.bind(e)? {
            Expr::Column { index, ty, name } => Ok(Expr::Column { index: index + offset, ty, name }),
            _ => Err(SqlError::new(1064, "VALUES() needs a column")),
        }
    }
}

/// A date and the interval that is added to it or taken from it.
fn date_add(date: Expr, value: Expr, unit: &'static interval::Unit, negative: bool) -> Expr {
    let ty = interval::result_type(date.ty(), unit);
    Expr::DateAdd { args: vec![date, value], unit, negative, ty }
}
