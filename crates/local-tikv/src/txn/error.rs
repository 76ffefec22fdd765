//! Why a transactional command was refused, and how clients are told.

use crate::engine::EngineError;
use bytes::Bytes;
use tikv_proto::kvrpcpb::{self, write_conflict::Reason};

/// A newer commit stands in the way of a write.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Conflict {
    /// Start timestamp of the refused transaction.
    pub(crate) start_ts: u64,
    /// Start timestamp of the transaction that was faster.
    pub(crate) conflict_start_ts: u64,
    /// Its commit timestamp.
    pub(crate) conflict_commit_ts: u64,
    /// Raw key.
    pub(crate) key: Bytes,
    /// Primary of the refused transaction.
    pub(crate) primary: Bytes,
    /// Which check failed.
    pub(crate) reason: Reason,
}

/// A refused command.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum TxnError {
    /// Another transaction's lock.
    #[error("key is locked by transaction {}", .0.lock_version)]
    Locked(Box<kvrpcpb::LockInfo>),
    /// A newer commit.
    #[error("write conflict with transaction {} committed at {}", .0.conflict_start_ts, .0.conflict_commit_ts)]
    Conflict(Box<Conflict>),
    /// A key that must be new exists.
    #[error("key already exists")]
    AlreadyExist {
        /// Raw key.
        key: Bytes,
    },
    /// Transactions wait for each other.
    #[error("deadlock with transaction {}", .0.lock_ts)]
    Deadlock(Box<kvrpcpb::Deadlock>),
    /// The commit timestamp is below what readers were promised.
    #[error("commit ts {commit_ts} of transaction {start_ts} is below the lock's minimum {min_commit_ts}")]
    CommitTsExpired {
        /// Start timestamp.
        start_ts: u64,
        /// Attempted commit timestamp.
        commit_ts: u64,
        /// Raw key.
        key: Bytes,
        /// Smallest timestamp at which it may commit.
        min_commit_ts: u64,
    },
    /// Neither lock nor record of the transaction exists on its primary.
    #[error("transaction {start_ts} not found")]
    TxnNotFound {
        /// Start timestamp.
        start_ts: u64,
        /// Raw primary key.
        primary: Bytes,
    },
    /// The lock to commit is gone.
    #[error("TxnLockNotFound: no lock of transaction {start_ts} to commit at {commit_ts}")]
    TxnLockNotFound {
        /// Start timestamp.
        start_ts: u64,
        /// Attempted commit timestamp.
        commit_ts: u64,
        /// Raw key.
        key: Bytes,
    },
    /// The pessimistic lock that prewrite relies on is gone.
    #[error("PessimisticLockNotFound: transaction {start_ts} lost its lock")]
    PessimisticLockNotFound {
        /// Start timestamp.
        start_ts: u64,
    },
    /// The transaction was rolled back before it could lock.
    #[error("PessimisticLockRolledBack: transaction {start_ts} was rolled back")]
    PessimisticLockRolledBack {
        /// Start timestamp.
        start_ts: u64,
    },
    /// A rollback came too late.
    #[error("Committed: transaction {start_ts} was committed at {commit_ts}")]
    Committed {
        /// Start timestamp.
        start_ts: u64,
        /// When it was committed.
        commit_ts: u64,
    },
    /// The lock names another key as the primary.
    #[error("the checked key is not the primary of its transaction")]
    PrimaryMismatch(Box<kvrpcpb::LockInfo>),
    /// The client's knowledge about a key is wrong.
    #[error("assertion on a key failed")]
    AssertionFailed(Box<kvrpcpb::AssertionFailed>),
    /// The request makes no sense or uses what is not supported.
    #[error("{0}")]
    Invalid(String),
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl TxnError {
    /// The error in protocol form.
    pub(crate) fn into_key_error(self) -> kvrpcpb::KeyError {
        let mut out = kvrpcpb::KeyError::default();
        let text = self.to_string();
        match self {
            Self::Locked(info) => out.locked = Some(*info),
            Self::Conflict(conflict) => out.conflict = Some(conflict.into_proto()),
            Self::AlreadyExist { key } => out.already_exist = Some(kvrpcpb::AlreadyExist { key }),
            Self::Deadlock(deadlock) => out.deadlock = Some(*deadlock),
            Self::CommitTsExpired { start_ts, commit_ts, key, min_commit_ts } => {
                out.commit_ts_expired = Some(kvrpcpb::CommitTsExpired {
                    start_ts,
                    attempted_commit_ts: commit_ts,
                    key,
                    min_commit_ts,
                });
            }
            Self::TxnNotFound { start_ts, primary } => {
                out.txn_not_found = Some(kvrpcpb::TxnNotFound { start_ts, primary_key: primary });
            }
            Self::TxnLockNotFound { key, .. } => {
                out.retryable = text;
                out.txn_lock_not_found = Some(kvrpcpb::TxnLockNotFound { key });
            }
            Self::PrimaryMismatch(info) => {
                out.primary_mismatch = Some(kvrpcpb::PrimaryMismatch { lock_info: Some(*info) });
            }
            Self::AssertionFailed(failed) => out.assertion_failed = Some(*failed),
            Self::PessimisticLockNotFound { .. }
            | Self::PessimisticLockRolledBack { .. }
            | Self::Committed { .. }
            | Self::Invalid(_)
            | Self::Engine(_) => out.abort = text,
        }
        out
    }
}

impl Conflict {
    fn into_proto(self) -> kvrpcpb::WriteConflict {
        kvrpcpb::WriteConflict {
            start_ts: self.start_ts,
            conflict_ts: self.conflict_start_ts,
            key: self.key,
            primary: self.primary,
            conflict_commit_ts: self.conflict_commit_ts,
            reason: self.reason.into(),
        }
    }
}
