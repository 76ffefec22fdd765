//! Tests of the crate from outside.
#![allow(clippy::unwrap_used, clippy::panic)] // also in the helpers of tests

mod blocks;
mod canonical;
mod errors;
mod rewriting;
mod robustness;
mod statements;
mod tidb;
