//! Consumer groups of the classic protocol, and the offsets they commit.

mod coordinator;
mod group;
mod journal;
mod member;
mod offsets;
mod rebalance;

pub(crate) use coordinator::Coordinator;
pub(crate) use group::{GroupView, JoinInput, Leaving, SyncInput};
pub(crate) use journal::JournalJoin;
pub(crate) use member::{JoinReply, SyncReply};
pub(crate) use offsets::{CommitError, Committed, OffsetStore};
