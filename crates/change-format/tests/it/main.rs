//! Tests of the public interface.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod damage;
mod dispatch;
mod forms;
mod golden;
mod orders;
mod recordings;
mod rows;
mod splitting;
