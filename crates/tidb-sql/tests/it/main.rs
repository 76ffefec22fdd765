//! Tests of the crate from outside.

mod blocks;
mod canonical;
mod errors;
mod rewriting;
mod robustness;
mod statements;
