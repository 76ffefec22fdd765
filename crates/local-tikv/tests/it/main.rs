//! The store over its gRPC services.

mod child;
mod cluster;
mod feeds;
mod lifecycle;
mod locking;
mod pd;
mod reads_and_writes;
mod regions;
