//! `SET`.

use sqlparser::ast;
use tidb_codec::Datum;
use tidb_sql::utility::{Assignment, IsolationLevel, Scope as VariableScope, SetStatement, SetValue};

use super::Session;
use super::variable_table::{self, Scope};
use super::variable_value::normalize;
use crate::bootstrap;
use tidb_expr::bind::{Binder, Scope as NameScope};
use tidb_expr::{Result, SqlError};
use tidb_expr::{ResultType, coerce};

impl Session {
    /// Runs a `SET`.
    ///
    /// # Errors
    /// Unknown variables, values that they do not take.
    pub(super) async fn set(&mut self, set: &SetStatement) -> Result<()> {
        match set {
            SetStatement::Assignments(assignments) => {
                for assignment in assignments {
                    self.assign(assignment).await?;
                }
                Ok(())
            }
            SetStatement::Transaction { scope, isolation, read_only, as_of } => {
                if as_of.is_some() {
                    return Err(SqlError::unsupported("AS OF TIMESTAMP"));
                }
                if *read_only == Some(true) {
                    return Err(SqlError::unsupported("SET TRANSACTION READ ONLY"));
                }
                let Some(level) = isolation else { return Ok(()) };
                let name = match level {
                    IsolationLevel::ReadUncommitted => "READ-UNCOMMITTED",
                    IsolationLevel::ReadCommitted => "READ-COMMITTED",
                    IsolationLevel::RepeatableRead => "REPEATABLE-READ",
                    IsolationLevel::Serializable => "SERIALIZABLE",
                };
                match scope {
                    Some(VariableScope::Global) => self.set_global("transaction_isolation", name).await,
                    _ => self.variables.set("transaction_isolation", name),
                }
            }
            SetStatement::Config { .. } => Err(SqlError::unsupported("SET CONFIG")),
            SetStatement::ResourceGroup(_) => Err(SqlError::unsupported("SET RESOURCE GROUP")),
            SetStatement::SessionStates(_) => Err(SqlError::unsupported("SET SESSION_STATES")),
        }
    }

    /// Does one assignment of a `SET`.
    async fn assign(&mut self, assignment: &Assignment) -> Result<()> {
        match assignment {
            Assignment::Names { charset, collation } => {
                self.variables.set_names(charset.as_deref(), collation.as_deref())
            }
            Assignment::Charset(charset) => self.variables.set_names(charset.as_deref(), None),
            Assignment::User { name, value } => {
                let (value, _) = self.value_of(value).await?;
                self.variables.set_user(name, value);
                Ok(())
            }
            Assignment::System { scope, name, value } => {
                let global = *scope == VariableScope::Global;
                match value {
                    SetValue::Default if global => {
                        let variable = variable_table::find(name).ok_or_else(|| {
                            SqlError::new(1193, format!("Unknown system variable '{name}'"))
                        })?;
                        self.set_global(name, variable.default).await
                    }
                    SetValue::Default => self.variables.reset(name),
                    SetValue::Expr(expr) => {
                        let (value, ty) = self.value_of(expr).await?;
                        let text = coerce::string(&value, &ty).unwrap_or_default();
                        if global {
                            self.set_global(name, &text).await
                        } else {
                            self.set_session(name, &text).await
                        }
                    }
                }
            }
        }
    }

    /// Sets a session variable; switching autocommit on commits what is open.
    async fn set_session(&mut self, name: &str, value: &str) -> Result<()> {
        self.variables.set(name, value)?;
        if name == "autocommit" && self.autocommit() && !self.explicit {
            self.commit_open().await?;
        }
        Ok(())
    }

    /// Sets a global variable, for this server and in storage.
    async fn set_global(&mut self, name: &str, value: &str) -> Result<()> {
        let variable = variable_table::find(name)
            .ok_or_else(|| SqlError::new(1193, format!("Unknown system variable '{name}'")))?;
        if variable.scope == Scope::ReadOnly {
            return Err(SqlError::new(1238, format!("Variable '{name}' is a read only variable")));
        }
        if !variable.scope.has_global() {
            return Err(SqlError::new(
                1228,
                format!("Variable '{name}' is a SESSION variable and can't be used with SET GLOBAL"),
            ));
        }
        let normal = normalize(variable, value)?;
        bootstrap::store_global(&self.engine, variable.name, &normal).await?;
        self.engine.set_global(variable.name, &normal);
        Ok(())
    }

    /// A value on the right of `=`: expressions, subqueries included.
    async fn value_of(&mut self, expr: &ast::Expr) -> Result<(Datum, ResultType)> {
        let (scope, mut subqueries) = (NameScope::default(), Vec::new());
        let bound = Binder::new(&scope, &self.variables, &[], &mut subqueries, "field list").bind(expr);
        let bound = match (bound, expr) {
            // A bare word is its own text.
            (Err(error), ast::Expr::Identifier(word)) if error.code == 1054 => {
                return Ok((Datum::Bytes(word.value.clone().into_bytes()), ResultType::text()));
            }
            (other, _) => other?,
        };
        if !subqueries.is_empty() {
            return Err(SqlError::unsupported("subqueries in SET"));
        }
        let cx = self.context();
        Ok((bound.eval(&[], &cx)?, bound.ty().clone()))
    }
}
