//! Tests of the crate from outside.

mod blocks;
mod canonical;
mod errors;
mod robustness;
mod rewriting;
mod statements;
mod tmp;
