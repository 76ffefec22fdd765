//! Evaluation of bound expressions.

use std::borrow::Cow;
use std::cmp::Ordering;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use parking_lot::Mutex;
use tidb_codec::Datum;

use super::compare;
use super::tree::Expr;
use crate::error::{Result, SqlError};

/// Most warnings that one statement keeps, as MySQL's `max_error_count`.
const MAX_WARNINGS: usize = 64;

/// Severity of a [`Warning`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Worth knowing.
    Note,
    /// A value was changed or a part ignored.
    Warning,
    /// What ended the statement.
    Error,
}

impl Level {
    /// The word that `SHOW WARNINGS` has for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Note => "Note",
            Self::Warning => "Warning",
            Self::Error => "Error",
        }
    }
}

/// A row of `SHOW WARNINGS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Severity.
    pub level: Level,
    /// Error number.
    pub code: u16,
    /// Text.
    pub message: String,
}

/// What functions about the session answer from.
#[derive(Debug, Clone, Default)]
pub struct SessionFacts {
    /// What `VERSION()` gives.
    pub server_version: &'static str,
    /// Number of the connection.
    pub connection_id: u64,
    /// Current database.
    pub database: Option<String>,
    /// `user@host` of the client.
    pub user: String,
    /// What `LAST_INSERT_ID()` gives.
    pub last_insert_id: u64,
    /// What `ROW_COUNT()` gives.
    pub row_count: i64,
    /// What `FOUND_ROWS()` gives.
    pub found_rows: u64,
}

/// Parts of `sql_mode` that change how values are converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModeFlags {
    /// Bad values are errors, not warnings.
    pub strict: bool,
    /// `0000-00-00` is refused.
    pub no_zero_date: bool,
    /// Dates with a zero month or day are refused.
    pub no_zero_in_date: bool,
    /// Days that the month does not have are accepted.
    pub allow_invalid_dates: bool,
    /// Division by zero is worth a warning or, when writing, an error.
    pub error_for_division_by_zero: bool,
    /// A zero in an AUTO_INCREMENT column is a zero.
    pub no_auto_value_on_zero: bool,
    /// `a - b` of unsigned numbers may be negative.
    pub no_unsigned_subtraction: bool,
    /// A backslash in text is itself.
    pub no_backslash_escapes: bool,
    /// Columns outside `GROUP BY` must be aggregated.
    pub only_full_group_by: bool,
}

impl ModeFlags {
    /// Reads the names of a `sql_mode`.
    pub fn from_names(names: &str) -> Self {
        let names = names.to_ascii_uppercase();
        let has = |wanted: &str| names.split(',').any(|name| name.trim() == wanted);
        let traditional = has("TRADITIONAL");
        Self {
            strict: has("STRICT_TRANS_TABLES") || has("STRICT_ALL_TABLES") || traditional,
            no_zero_date: has("NO_ZERO_DATE") || traditional,
            no_zero_in_date: has("NO_ZERO_IN_DATE") || traditional,
            allow_invalid_dates: has("ALLOW_INVALID_DATES"),
            error_for_division_by_zero: has("ERROR_FOR_DIVISION_BY_ZERO") || traditional,
            no_auto_value_on_zero: has("NO_AUTO_VALUE_ON_ZERO"),
            no_unsigned_subtraction: has("NO_UNSIGNED_SUBTRACTION"),
            no_backslash_escapes: has("NO_BACKSLASH_ESCAPES"),
            only_full_group_by: has("ONLY_FULL_GROUP_BY") || has("ANSI"),
        }
    }
}

/// Everything but the row that a value may depend on.
#[derive(Debug)]
pub struct EvalContext {
    /// The statement's time.
    pub now: Timestamp,
    /// The session's time zone.
    pub zone: TimeZone,
    /// How values are converted.
    pub mode: ModeFlags,
    /// The statement writes rows: in strict mode bad values end it.
    pub writing: bool,
    /// Bad values, and text that is only partly a number, end the evaluation even if nothing is written.
    pub strict_reading: bool,
    /// About the session.
    pub facts: SessionFacts,
    /// Results of the statement's subqueries, in the order of their slots.
    pub subqueries: Vec<Vec<Vec<Datum>>>,
    /// Warnings so far.
    warnings: Mutex<Vec<Warning>>,
}

impl EvalContext {
    /// A context for one statement.
    pub fn new(now: Timestamp, zone: TimeZone, mode: ModeFlags, facts: SessionFacts) -> Self {
        Self {
            now,
            zone,
            mode,
            writing: false,
            strict_reading: false,
            facts,
            subqueries: Vec::new(),
            warnings: Mutex::default(),
        }
    }

    /// Adds a warning; beyond [`MAX_WARNINGS`] it is dropped.
    pub fn warn(&self, level: Level, error: &SqlError) {
        let mut warnings = self.warnings.lock();
        if warnings.len() < MAX_WARNINGS {
            warnings.push(Warning { level, code: error.code, message: error.message.clone() });
        }
    }

    /// A value is bad: an error when writing in strict mode, else a warning.
    pub fn bad_value(&self, error: SqlError) -> Result<()> {
        if self.strict_reading || self.writing && self.mode.strict {
            return Err(error);
        }
        self.warn(Level::Warning, &error);
        Ok(())
    }

    /// Takes the warnings so far.
    pub fn take_warnings(&self) -> Vec<Warning> {
        std::mem::take(&mut self.warnings.lock())
    }
}

impl Expr {
    /// Computes the value for a row.
    ///
    /// # Errors
    /// Whatever the functions and conversions in it refuse.
    pub fn eval(&self, row: &[Datum], cx: &EvalContext) -> Result<Datum> {
        match self {
            Self::Const { value, .. } => Ok(value.clone()),
            Self::Column { index, name, .. } => {
                row.get(*index).cloned().ok_or_else(|| SqlError::unknown_column(name, "field list"))
            }
            Self::Call { eval, args, ty, .. } => eval(args, row, cx, ty),
            Self::Builtin { function, args, ty } => {
                (function.eval)(&super::functions::Call { args, row, cx, ty })
            }
            Self::Cast { expr, ty } => super::cast_type::eval(expr, ty, row, cx),
            Self::DateAdd { args, unit, negative, .. } => match args.as_slice() {
                [date, value] => super::interval::add(date, value, unit, *negative, row, cx),
                _ => Ok(Datum::Null),
            },
            Self::Subquery { slot, .. } => scalar_subquery(cx, *slot),
            Self::InSubquery { expr, slot, negated, .. } => {
                let found = in_subquery(expr, *slot, row, cx)?;
                Ok(found.map_or(Datum::Null, |found| Datum::Int(i64::from(found != *negated))))
            }
            Self::Exists { slot, negated, .. } => {
                let any = cx.subqueries.get(*slot).is_some_and(|rows| !rows.is_empty());
                Ok(Datum::Int(i64::from(any != *negated)))
            }
            Self::Regexp { args, compiled, .. } => super::regexp::matches(args, compiled.as_ref(), row, cx),
            Self::Row(_) => Err(SqlError::new(1241, "Operand should contain 1 column(s)")),
        }
    }

    /// The value for a row, borrowed where it is one of the row or of the expression itself.
    ///
    /// # Errors
    /// As [`Expr::eval`].
    pub fn eval_ref<'a>(&'a self, row: &'a [Datum], cx: &EvalContext) -> Result<Cow<'a, Datum>> {
        match self {
            Self::Const { value, .. } => Ok(Cow::Borrowed(value)),
            Self::Column { index, .. } if let Some(value) = row.get(*index) => Ok(Cow::Borrowed(value)),
            _ => self.eval(row, cx).map(Cow::Owned),
        }
    }

    /// Whether the value is true; NULL is not.
    pub fn is_true(&self, row: &[Datum], cx: &EvalContext) -> Result<bool> {
        let value = self.eval_ref(row, cx)?;
        Ok(super::coerce::truth(&value, self.ty(), cx)?.unwrap_or(false))
    }
}

/// The one value of a subquery used as a value.
fn scalar_subquery(cx: &EvalContext, slot: usize) -> Result<Datum> {
    match cx.subqueries.get(slot).map(Vec::as_slice) {
        None | Some([]) => Ok(Datum::Null),
        Some([row]) => match row.as_slice() {
            [value] => Ok(value.clone()),
            _ => Err(SqlError::new(1241, "Operand should contain 1 column(s)")),
        },
        Some(_) => Err(SqlError::new(1242, "Subquery returns more than 1 row")),
    }
}

/// `expr IN (subquery)`: `None` is NULL.
fn in_subquery(expr: &Expr, slot: usize, row: &[Datum], cx: &EvalContext) -> Result<Option<bool>> {
    let rows = cx.subqueries.get(slot).map(Vec::as_slice).unwrap_or_default();
    let left = match expr {
        Expr::Row(parts) => parts.iter().map(|p| p.eval(row, cx)).collect::<Result<Vec<_>>>()?,
        single => vec![single.eval(row, cx)?],
    };
    let mut unknown = false;
    for candidate in rows {
        if candidate.len() != left.len() {
            return Err(SqlError::new(1241, format!("Operand should contain {} column(s)", left.len())));
        }
        let mut equal = Some(true);
        for (a, b) in left.iter().zip(candidate) {
            match compare::values(a, b, expr.ty().collation, cx)? {
                None => equal = equal.and(None),
                Some(Ordering::Equal) => {}
                Some(_) => {
                    equal = Some(false);
                    break;
                }
            }
        }
        match equal {
            Some(true) => return Ok(Some(true)),
            None => unknown = true,
            Some(false) => {}
        }
    }
    Ok(if unknown { None } else { Some(false) })
}
