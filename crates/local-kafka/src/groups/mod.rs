//! Consumer groups of the classic protocol, and the offsets they commit.

mod coordinator;
mod group;
mod joining;
mod journal;
mod member;
mod offsets;
mod rebalance;
mod requests;
#[cfg(test)]
mod tests;

pub(crate) use coordinator::Coordinator;
pub(crate) use journal::JournalJoin;
pub(crate) use member::{JoinReply, SyncReply};
pub(crate) use offsets::{CommitError, Committed, OffsetStore};
pub(crate) use requests::{GroupView, JoinInput, Leaving, SyncInput};
