//! The store over its gRPC services.

// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod batch;
mod child;
mod cluster;
mod feeds;
mod lifecycle;
mod locking;
mod pd;
mod reads_and_writes;
mod regions;
