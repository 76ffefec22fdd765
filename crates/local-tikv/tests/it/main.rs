//! The store over its gRPC services.

mod cluster;
mod feeds;
mod fake_pd;
mod lifecycle;
mod locking;
mod reads_and_writes;
mod regions;
