//! PD and TiKV client: timestamps, regions, snapshots, transactions, etcd metadata.
//!
//! * [`PdClient`] follows the leader of a placement driver: timestamps, routing, stores, GC safepoints.
//! * [`TikvClient`] talks to the stores: [`Snapshot`] reads, Percolator [`Transaction`]s, [`LockResolver`].
//! * [`EtcdClient`] reads and writes the metadata store that the placement driver embeds.
//!
//! All handles are cheap to clone and share their connections. Keys of reads and writes are raw (no memcomparable
//! encoding); the boundaries of regions as the placement driver knows them are encoded, see [`Region`].

mod backoff;
mod channel;
mod client;
mod error;
pub mod etcd;
mod keys;
mod lock_resolver;
mod pd;
mod region;
mod region_cache;
mod request;
mod scan;
mod security;
mod snapshot;
mod timestamp;
mod transaction;

pub use channel::{ChannelPool, MAX_MESSAGE_BYTES};
pub use client::{ClientConfig, TikvClient};
pub use error::{Error, KeyText, Result};
pub use etcd::EtcdClient;
pub use lock_resolver::{LiveLock, LockResolver, ResolvedLocks};
pub use pd::PdClient;
pub use region::{Region, RegionId};
pub use region_cache::RegionCache;
pub use scan::Scanner;
pub use security::Security;
pub use snapshot::{KvPair, Snapshot};
pub use timestamp::Timestamp;
pub use transaction::{
    CommitInfo, CommitMode, KeyLock, LockOptions, LockWait, LockedKey, Savepoint, Transaction,
    TransactionMode, TransactionOptions,
};
