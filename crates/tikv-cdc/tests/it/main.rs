//! Tests of the crate through its public interface.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod client;
mod fake;
mod golden;
mod local_stack;
mod races;
mod simulation;
