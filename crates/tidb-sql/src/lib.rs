//! TiDB's SQL: parsing and restoring in canonical form.
//!
//! [`parse`] turns SQL text into [`Statement`]s; [`restore`] writes a [`Ddl`] as TiDB itself would write it (upper-case
//! keywords, back-quoted identifiers, single-quoted strings, TiDB-only syntax in `/*T![feature] … */` comments).
//!
//! DDL and utility statements have an AST of their own ([`ddl`], [`utility`], [`account`]). Expressions, queries and
//! row changes use the node types of the `sqlparser` crate, built with MySQL's precedence by a front end of our own;
//! [`expression`] describes how MySQL's forms map to those nodes.

pub mod account;
pub mod ddl;
mod error;
pub mod expression;
mod lexer;
mod mode;
mod parser;
mod restore;
pub mod rewrite;
mod statement;
pub mod utility;

pub use ddl::Ddl;
pub use error::{ParseError, RestoreError};
pub use mode::SqlMode;
pub use parser::{parse, parse_expr, parse_one};
pub use restore::{RestoreOptions, restore, restore_expr, restore_query};
pub use statement::{ParsedStatement, Statement};
