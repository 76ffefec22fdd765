//! Expressions: binding names, types of results, evaluation with MySQL's rules.

pub(crate) mod bind;
pub(crate) mod cast_type;
pub(crate) mod coerce;
pub(crate) mod compare;
pub(crate) mod eval;
mod functions;
mod interval;
pub(crate) mod json_value;
pub(crate) mod like;
pub(crate) mod literal;
pub(crate) mod operators;
mod result_type;
mod tree;

pub use eval::{Level, Warning};
pub use result_type::ResultType;

pub(crate) use eval::{EvalContext, ModeFlags, SessionFacts};
pub(crate) use tree::Expr;
