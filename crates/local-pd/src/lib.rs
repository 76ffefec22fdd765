//! Embedded placement driver: timestamps, regions, metadata.
//!
//! One port serves the gRPC services of a placement driver (`pdpb.PD`), the part of etcd v3 that captures keep their
//! metadata in, the gRPC health service, and a few of the placement driver's HTTP calls. All state that must survive a
//! crash is in a journal that is synced to disk before a change is acknowledged or shown to anybody.

mod cluster;
mod config;
mod error;
mod etcd;
mod gc;
mod http;
mod journal;
mod node;
mod record;
mod region_label;
mod server;
mod service;
mod state;
mod tso;

pub use config::{PdConfig, VERSION};
pub use error::StartError;
pub use server::{Running, start};
