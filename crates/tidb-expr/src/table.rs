//! Expressions over the columns of a table, for rows as they are stored.
//!
//! A [`ValueExpr`] is the text of a user, parsed. [`RowExpr::bind`] resolves its names in one version of a table: it tells
//! which stored columns the expression reads, and how the virtual columns that it reads are computed from them. The caller
//! fills in the values of those columns; [`RowExpr::is_true`] does the rest.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sqlparser::ast::Expr as Ast;
use tidb_codec::{Datum, collation};
use tidb_schema::{ColumnInfo, TableInfo};
use tidb_sql::{ParseError, SqlMode, parse_expr};

use crate::bind::{Binder, Scope, ScopeColumn, Variables};
use crate::error::{Result, SqlError};
use crate::{EvalContext, Expr, ModeFlags, ResultType, SessionFacts, convert, stored_default};

/// MySQL's code for a column that is not there.
const ER_BAD_FIELD: u16 = 1054;
/// What `VERSION()` is in expressions of a changefeed: that of TiDB's protocol.
const SERVER_VERSION: &str = "8.0.11-TiDB-None";
/// Name of the clause in messages, as TiDB has it for an expression that stands alone.
const CLAUSE: &str = "expression";

/// An expression as a user wrote it.
#[derive(Debug, Clone)]
pub struct ValueExpr {
    /// The text.
    source: Arc<str>,
    /// The same, parsed.
    ast: Arc<Ast>,
}

impl ValueExpr {
    /// Parses a text in the default SQL mode.
    ///
    /// # Errors
    /// If it is not one expression.
    pub fn parse(source: &str) -> std::result::Result<Self, ParseError> {
        let ast = parse_expr(source, SqlMode::default())?;
        Ok(Self { source: source.into(), ast: Arc::new(ast) })
    }

    /// The text.
    pub fn source(&self) -> &str {
        &self.source
    }
}

/// Expressions of a changefeed have no variables.
struct NoVariables;

impl Variables for NoVariables {
    fn system(&self, _: bool, name: &str) -> Result<(Datum, ResultType)> {
        Err(SqlError::unsupported(format!("variable @@{name} in a filter")))
    }

    fn user(&self, _: &str) -> Datum {
        Datum::Null
    }
}

/// Why an expression does not fit a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    /// The table has no such column.
    #[error("unknown column {column}")]
    UnknownColumn {
        /// The column as it was named.
        column: String,
    },
    /// Anything else: unknown functions, wrong argument counts, forms that a filter cannot have.
    #[error("the expression cannot be used: {0}")]
    Invalid(#[from] SqlError),
}

/// A virtual column that an expression reads.
#[derive(Debug, Clone)]
struct Generated {
    /// Position in the table.
    position: usize,
    /// What it is computed by.
    expr: Expr,
    /// Its type.
    ty: ResultType,
}

/// A stored column that an expression reads.
#[derive(Debug, Clone)]
pub struct StoredColumn {
    /// Position in the table.
    pub position: usize,
    /// What it is in rows that were written before it existed.
    pub missing: Datum,
}

/// An expression whose names are resolved in a version of a table.
#[derive(Debug, Clone)]
pub struct RowExpr {
    /// The expression.
    expr: Expr,
    /// Stored columns that it reads, also by way of virtual ones.
    stored: Vec<StoredColumn>,
    /// Virtual columns that it reads, each after those that it is computed from.
    generated: Vec<Generated>,
}

/// Binds an expression that may read any public column of a table.
fn bind(ast: &Ast, scope: &Scope) -> std::result::Result<Expr, SqlError> {
    let mut subqueries = Vec::new();
    let bound = Binder::new(scope, &NoVariables, &[], &mut subqueries, CLAUSE).bind(ast)?;
    if !subqueries.is_empty() {
        return Err(SqlError::unsupported("a subquery in a filter"));
    }
    match bound {
        Expr::Row(_) => Err(SqlError::new(1241, "Operand should contain 1 column(s)")),
        bound => Ok(bound),
    }
}

/// The columns of a table as names for expressions, at their positions; those that are not public have no name.
fn scope(schema: &str, table: &TableInfo) -> Scope {
    let column = |column: &ColumnInfo| {
        let public = column.state.is_public();
        ScopeColumn {
            db: schema.to_lowercase(),
            table: table.name.l.clone(),
            name: if public { column.name.o.clone() } else { String::new() },
            lower: if public { column.name.l.clone() } else { String::new() },
            org_table: table.name.o.clone(),
            ty: ResultType::of_column(&column.field_type),
        }
    };
    Scope { columns: table.columns.iter().map(column).collect(), merged: Vec::new() }
}

/// Positions of the columns that an expression reads.
fn columns_of(expr: &Expr) -> Vec<usize> {
    let mut positions = Vec::new();
    expr.for_each_column(&mut |position| {
        if !positions.contains(&position) {
            positions.push(position);
        }
    });
    positions
}

/// Finds what an expression needs, column by column.
struct Needs<'a> {
    /// The table.
    table: &'a TableInfo,
    /// Its columns.
    scope: &'a Scope,
    /// Zone of TIMESTAMP values.
    zone: &'a TimeZone,
    /// Positions that were met.
    met: Vec<usize>,
    /// Stored columns so far.
    stored: Vec<StoredColumn>,
    /// Virtual columns so far, each after those that it needs.
    generated: Vec<Generated>,
}

impl Needs<'_> {
    /// Adds a column and all that it is computed from. A virtual column reads columns before it only, so this ends.
    fn add(&mut self, position: usize) -> std::result::Result<(), SqlError> {
        if self.met.contains(&position) {
            return Ok(());
        }
        self.met.push(position);
        let Some(column) = self.table.columns.get(position) else { return Ok(()) };
        if column.field_type.is_string() && collation::Collation::of_column(&column.field_type).is_err() {
            return Err(SqlError::unsupported(format!(
                "column {} with collation {} in a filter",
                column.name.o, column.field_type.collate
            )));
        }
        if !column.is_virtual() {
            let missing = stored_default::origin(column, self.zone)?;
            self.stored.push(StoredColumn { position, missing });
            return Ok(());
        }
        let ast = parse_expr(&column.generated_expr_string, SqlMode::default())
            .map_err(|e| SqlError::new(e.code(), e.to_string()))?;
        let expr = bind(&ast, self.scope)?;
        for needed in columns_of(&expr) {
            self.add(needed)?;
        }
        self.generated.push(Generated { position, expr, ty: ResultType::of_column(&column.field_type) });
        Ok(())
    }
}

impl RowExpr {
    /// Resolves the names of an expression in a table; TIMESTAMP values are in `zone`.
    ///
    /// # Errors
    /// Unknown columns and functions, and forms that a filter cannot have.
    pub fn bind(
        expr: &ValueExpr,
        schema: &str,
        table: &TableInfo,
        zone: &TimeZone,
    ) -> std::result::Result<Self, BindError> {
        let scope = scope(schema, table);
        let bound = bind(&expr.ast, &scope).map_err(|error| match unknown_column(&error) {
            Some(column) => BindError::UnknownColumn { column },
            None => BindError::Invalid(error),
        })?;
        let mut needs =
            Needs { table, scope: &scope, zone, met: Vec::new(), stored: Vec::new(), generated: Vec::new() };
        for position in columns_of(&bound) {
            needs.add(position)?;
        }
        Ok(Self { expr: bound, stored: needs.stored, generated: needs.generated })
    }

    /// Stored columns that the expression reads.
    pub fn stored(&self) -> &[StoredColumn] {
        &self.stored
    }

    /// Whether the expression is true for a row; NULL is not. `values` is as long as the table has columns, and has the
    /// values of [`RowExpr::stored`] at their positions; the places of virtual columns are written to.
    ///
    /// # Errors
    /// Values that an operator or function refuses.
    pub fn is_true(&self, values: &mut [Datum], zone: &TimeZone) -> Result<bool> {
        let cx = context(zone);
        for column in &self.generated {
            let computed = column.expr.eval(values, &cx)?;
            let value = convert::cast(computed, column.expr.ty(), &column.ty, &cx)?;
            if let Some(place) = values.get_mut(column.position) {
                *place = value;
            }
        }
        self.expr.is_true(values, &cx)
    }
}

/// The context of a filter: as TiCDC's, which has TiDB's default SQL mode and no statement that would turn bad values into
/// warnings. Takes no memory.
fn context(zone: &TimeZone) -> EvalContext {
    let mode =
        ModeFlags { strict: true, no_zero_date: true, no_zero_in_date: true, ..ModeFlags::from_names("") };
    let facts = SessionFacts { server_version: SERVER_VERSION, ..SessionFacts::default() };
    let mut cx = EvalContext::new(Timestamp::now(), zone.clone(), mode, facts);
    cx.strict_reading = true;
    cx
}

/// The column that is not there, if that is what the error is about.
fn unknown_column(error: &SqlError) -> Option<String> {
    if error.code != ER_BAD_FIELD {
        return None;
    }
    let quoted = error.message.split_once('\'')?.1;
    Some(quoted.rsplit_once("' in '").map_or(quoted, |(column, _)| column).to_owned())
}
