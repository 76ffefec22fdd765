//! The broker under real clients and under a raw one.

// Helpers of tests fail a test as the tests themselves do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod admin;
mod broker;
mod clients;
mod crash;
mod fetch;
mod groups;
mod hostile;
mod java_tools;
mod kcat;
mod log_files;
mod produce;
mod wire;
