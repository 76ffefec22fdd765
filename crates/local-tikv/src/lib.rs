//! Embedded TiKV: a multi-version store with Percolator transactions and change feeds.
//!
//! One store of a cluster, on its own disk, behind TiKV's gRPC API:
//!
//! * `tikvpb.Tikv`: snapshot reads, optimistic and pessimistic transactions, lock resolution, garbage collection,
//!   region splits;
//! * `cdcpb.ChangeData`: the incremental scan and live stream that change data capture reads.
//!
//! It joins a cluster through PD and keeps several regions with real boundaries and epochs, each with one peer: there is
//! no replication.
//!
//! A write is checked under latches on its keys (`store`), decided by pure functions (`txn`) over a version view
//! (`mvcc`), and joins others in a batch that is on the disk before anybody is told (`store::committer`).

mod cdc;
mod config;
mod engine;
mod garbage;
mod keys;
mod mvcc;
mod placement;
mod record;
mod region;
mod server;
mod service;
mod store;
mod txn;

pub use config::TikvConfig;
pub use engine::EngineError;
pub use placement::PlacementError;
pub use record::RecordError;
pub use server::{Running, StartError, start};
