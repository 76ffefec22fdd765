//! The log of a partition: segment files of raw record batches.
//!
//! A partition directory holds
//! * `<base offset>.log`: record batches, one after the other, exactly as the producer built them except for base
//!   offset and leader epoch;
//! * `<base offset>.seal`: written when a segment is complete: its sparse index and the state of idempotent producers
//!   at its end. Derived from the log; rebuilt when missing or damaged;
//! * `start-offset`: the first visible offset, if records were deleted on request.
//!
//! On open the last segment is read and checked batch by batch; bytes behind the last intact batch are cut off.

mod append;
mod io;
mod open;
mod partition;
mod producers;
mod read;
mod retention;
mod seal;
mod segment;
mod sync;
mod waiters;

pub(crate) use append::{AppendError, Appended, LEADER_EPOCH};
pub(crate) use io::{DeleteError, IoJoin, IoThreads};
pub(crate) use partition::{PartitionId, PartitionLog, Watermarks};
pub(crate) use read::ReadError;
pub(crate) use waiters::Waiter;
