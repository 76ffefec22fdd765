//! Bound expressions.

use regex::Regex;
use tidb_codec::Datum;

use super::eval::EvalContext;
use super::functions::Builtin;
use super::interval::Unit;
use super::result_type::ResultType;
use crate::error::Result;

/// A function or operator with its arguments still unevaluated, so that it may leave some of them so.
pub type EvalFn = fn(&[Expr], &[Datum], &EvalContext, &ResultType) -> Result<Datum>;

/// An expression whose names are resolved.
#[derive(Debug, Clone)]
pub enum Expr {
    /// A fixed value.
    Const {
        /// The value.
        value: Datum,
        /// Its type.
        ty: ResultType,
    },
    /// A value of the current row.
    Column {
        /// Position in the row.
        index: usize,
        /// The column's type.
        ty: ResultType,
        /// Name for messages: `db.table.column`.
        name: Box<str>,
    },
    /// A function or operator.
    Call {
        /// Name for messages.
        name: &'static str,
        /// What computes it.
        eval: EvalFn,
        /// Arguments.
        args: Vec<Expr>,
        /// Result.
        ty: ResultType,
    },
    /// A named function.
    Builtin {
        /// Which.
        function: &'static Builtin,
        /// Arguments.
        args: Vec<Expr>,
        /// Result.
        ty: ResultType,
    },
    /// `CAST(expr AS type)`.
    Cast {
        /// What is cast.
        expr: Box<Expr>,
        /// To what.
        ty: ResultType,
    },
    /// `date ± INTERVAL value unit`.
    DateAdd {
        /// The date, then the value.
        args: Vec<Expr>,
        /// The unit.
        unit: &'static Unit,
        /// Subtract.
        negative: bool,
        /// Result.
        ty: ResultType,
    },
    /// The result of a subquery that does not depend on the row, computed before the statement's rows are read.
    Subquery {
        /// Position in [`EvalContext::subqueries`].
        slot: usize,
        /// Type of its first column; text until it has run.
        ty: ResultType,
    },
    /// `expr IN (subquery)`.
    InSubquery {
        /// Left side.
        expr: Box<Expr>,
        /// Position in [`EvalContext::subqueries`].
        slot: usize,
        /// `NOT IN`.
        negated: bool,
        /// Boolean.
        ty: ResultType,
    },
    /// `EXISTS (subquery)`.
    Exists {
        /// Position in [`EvalContext::subqueries`].
        slot: usize,
        /// `NOT EXISTS`.
        negated: bool,
        /// Boolean.
        ty: ResultType,
    },
    /// `text REGEXP pattern`.
    Regexp {
        /// The text, then the pattern.
        args: Vec<Expr>,
        /// The pattern, if it is the same for every row.
        compiled: Option<Regex>,
        /// Boolean.
        ty: ResultType,
    },
    /// A value from `(a, b, …)`; only comparisons accept it.
    Row(Vec<Expr>),
}

/// Type of a row value, which has none of its own.
static ROW_TYPE: std::sync::LazyLock<ResultType> = std::sync::LazyLock::new(ResultType::null);

impl Expr {
    /// A constant.
    pub fn constant(value: Datum, ty: ResultType) -> Self {
        Self::Const { value, ty }
    }

    /// NULL.
    pub fn null() -> Self {
        Self::constant(Datum::Null, ResultType::null())
    }

    /// Type of the result.
    pub fn ty(&self) -> &ResultType {
        match self {
            Self::Const { ty, .. }
            | Self::Column { ty, .. }
            | Self::Call { ty, .. }
            | Self::Builtin { ty, .. }
            | Self::Cast { ty, .. }
            | Self::DateAdd { ty, .. }
            | Self::Subquery { ty, .. }
            | Self::InSubquery { ty, .. }
            | Self::Regexp { ty, .. }
            | Self::Exists { ty, .. } => ty,
            Self::Row(_) => &ROW_TYPE,
        }
    }

    /// Whether the value does not depend on the row: constants and calls on constants.
    pub fn is_row_independent(&self) -> bool {
        match self {
            Self::Const { .. } | Self::Subquery { .. } | Self::Exists { .. } => true,
            Self::Column { .. } => false,
            Self::Call { args, .. }
            | Self::DateAdd { args, .. }
            | Self::Regexp { args, .. }
            | Self::Row(args) => args.iter().all(Self::is_row_independent),
            Self::Builtin { function, args, .. } => {
                !function.varies && args.iter().all(Self::is_row_independent)
            }
            Self::InSubquery { expr, .. } | Self::Cast { expr, .. } => expr.is_row_independent(),
        }
    }

    /// Calls `visit` with the position of every column that the expression reads.
    pub fn for_each_column(&self, visit: &mut impl FnMut(usize)) {
        match self {
            Self::Column { index, .. } => visit(*index),
            Self::Call { args, .. }
            | Self::Builtin { args, .. }
            | Self::DateAdd { args, .. }
            | Self::Regexp { args, .. }
            | Self::Row(args) => {
                for arg in args {
                    arg.for_each_column(visit);
                }
            }
            Self::InSubquery { expr, .. } | Self::Cast { expr, .. } => expr.for_each_column(visit),
            Self::Const { .. } | Self::Subquery { .. } | Self::Exists { .. } => {}
        }
    }

    /// Moves every column reference down by `by` positions, for rows that are the tail of wider ones.
    pub fn shift_columns(&mut self, by: usize) {
        match self {
            Self::Column { index, .. } => *index = index.saturating_sub(by),
            Self::Call { args, .. }
            | Self::Builtin { args, .. }
            | Self::DateAdd { args, .. }
            | Self::Regexp { args, .. }
            | Self::Row(args) => args.iter_mut().for_each(|arg| arg.shift_columns(by)),
            Self::InSubquery { expr, .. } | Self::Cast { expr, .. } => expr.shift_columns(by),
            Self::Const { .. } | Self::Subquery { .. } | Self::Exists { .. } => {}
        }
    }

    /// The arms of `a AND b AND …`, taken apart.
    pub fn conjuncts(self) -> Vec<Expr> {
        match self {
            Self::Call { name: "and", args, .. } => args.into_iter().flat_map(Self::conjuncts).collect(),
            other => vec![other],
        }
    }
}
