//! SQL expressions as TiDB evaluates them: names bound to columns, types of results, MySQL's conversions.
//!
//! [`parse`] and [`bind`] turn text into an [`Expr`] whose names are resolved; [`Expr::eval`] computes it for a row under
//! an [`EvalContext`]. Whoever has variables gives them through [`bind::Variables`]; subqueries are handed back to the
//! caller, who puts their results into the context. [`table`] binds an expression to the columns of a table as stored,
//! which is what a changefeed filters rows by.

pub mod bind;
mod cast_type;
pub mod coerce;
pub mod collation;
pub mod compare;
pub mod convert;
mod error;
mod eval;
mod functions;
mod interval;
pub mod json_value;
pub mod like;
pub mod literal;
pub mod operators;
mod regexp;
mod result_type;
pub mod stored_default;
pub mod table;
mod time_zone;
mod tree;

pub use error::{Result, SqlError};
pub use eval::{EvalContext, Level, ModeFlags, SessionFacts, Warning};
pub use functions::Builtin;
pub use interval::Unit;
pub use result_type::ResultType;
pub use time_zone::parse_zone;
pub use tree::{EvalFn, Expr};
