//! Columns, aliases and variables.

use sqlparser::ast;
use tidb_codec::Datum;

use super::Binder;
use super::scope::lower;
use crate::error::{Result, SqlError};
use crate::{Expr, ResultType};

impl Binder<'_> {
    /// Finds what a name stands for: a variable, a column of the scope, else an alias.
    ///
    /// # Errors
    /// 1054, 1052, 1193.
    pub(super) fn identifier(&mut self, path: &[ast::Ident]) -> Result<Expr> {
        if let [first, rest @ ..] = path
            && first.quote_style.is_none()
        {
            if let Some(name) = first.value.strip_prefix("@@") {
                return self.system_variable(name, rest);
            }
            if let (Some(name), []) = (first.value.strip_prefix('@'), rest) {
                return Ok(user_variable(self.variables.user(&name.to_ascii_lowercase())));
            }
        }
        let names: Vec<&str> = path.iter().map(|p| p.value.as_str()).collect();
        match (self.scope.find(&names, self.clause), names.as_slice()) {
            (Ok(index), _) => Ok(self.column(index)),
            (Err(error), [name]) => {
                let wanted = lower(name);
                self.aliases.iter().find(|(alias, _)| *alias == wanted).map(|(_, e)| e.clone()).ok_or(error)
            }
            (Err(error), _) => Err(error),
        }
    }

    /// A reference to a column of the scope.
    pub fn column(&self, index: usize) -> Expr {
        match self.scope.columns.get(index) {
            Some(c) => Expr::Column {
                index,
                ty: c.ty.clone(),
                name: format!("{}.{}.{}", c.db, c.table, c.name).into(),
            },
            None => Expr::null(),
        }
    }

    /// `@@name`, `@@session.name`, `@@global.name`.
    fn system_variable(&self, first: &str, rest: &[ast::Ident]) -> Result<Expr> {
        let scope = first.to_ascii_lowercase();
        let (global, name) = match (scope.as_str(), rest) {
            ("global", [name]) => (true, name.value.clone()),
            ("session" | "local" | "instance", [name]) => (false, name.value.clone()),
            (_, []) => (false, first.to_owned()),
            (_, [name]) => (false, format!("{first}.{}", name.value)),
            _ => return Err(SqlError::new(1193, format!("Unknown system variable '{first}'"))),
        };
        let (value, ty) = self.variables.system(global, &name)?;
        Ok(Expr::constant(value, ty))
    }
}

/// A user variable's value with the type that belongs to its kind.
fn user_variable(value: Datum) -> Expr {
    let ty = type_of_value(&value);
    Expr::constant(value, ty)
}

/// The type that a value without one is given.
pub fn type_of_value(value: &Datum) -> ResultType {
    match value {
        Datum::Null => ResultType::null(),
        Datum::Int(_) => ResultType::int(),
        Datum::Uint(_) | Datum::Enum(_) | Datum::Set(_) | Datum::Bit(_) => ResultType::uint(),
        Datum::Float(_) | Datum::Double(_) => ResultType::double(),
        Datum::Decimal(v) => ResultType::decimal(i64::from(v.precision()), i64::from(v.scale())),
        Datum::Time(v) if v.kind() == tidb_codec::TimeKind::Date => ResultType::date(),
        Datum::Time(v) => ResultType::datetime(v.fsp()),
        Datum::Duration(v) => ResultType::duration(v.fsp()),
        Datum::Json(_) => ResultType::json(),
        Datum::Bytes(_) | Datum::Vector(_) => ResultType::text(),
    }
}
