//! Expressions over the columns of tables, from text to truth.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on ends")]

mod binding;
mod filters;
mod tables;
