//! Orders row changes by commit-ts within a memory quota, spilling to sorted runs on disk.
//!
//! Rows of one physical table arrive in any order and wait in append buffers. When the resolved ts of the table
//! passes them they are sorted once, and [`Sorter::fetch`] hands them out by
//! (commit ts, start ts, delete < update < insert, key). What does not fit into memory is written, already sorted,
//! to files that a dedicated thread owns; reading merges those runs with the rows in memory.
//!
//! The files are disposable: nothing is synced, and the directory is emptied when it is opened. A process that
//! restarts pulls its rows again from its checkpoint.
//!
//! [`MemoryQuota`] is the process-wide account of row memory. Whoever allocates row bytes charges them once
//! ([`MemoryQuota::own`]); slices of the allocation are free, and the charge ends when the last slice is dropped.
//! The sorter itself charges its bookkeeping and the blocks that it reads back from disk.

mod account;
mod block;
mod error;
mod files;
mod inbox;
mod merge;
mod quota;
mod row;
mod run;
mod segment;
mod sorter;
mod spiller;
mod table;
mod wait;

pub use error::SorterError;
pub use quota::{Charge, MemoryQuota, Stage, UntilBelow};
pub use row::{RowKind, SortedRow};
pub use sorter::{Sorter, SorterConfig, SorterStats, UntilWritable};
pub use table::{Batch, FetchLimit};
