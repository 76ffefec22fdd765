//! Tests of the crate from outside.
#![allow(clippy::unwrap_used, clippy::panic)] // also in the helpers of tests

mod independent;
