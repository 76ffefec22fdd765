//! Tests of the public interface.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod apply;
mod history;
mod jobs;
mod json;
mod older_jobs;
mod recordings;
