//! The engine on a real cluster in this process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod cluster;
mod ddl;
mod dml;
mod expressions;
mod recordings;
mod transactions;
