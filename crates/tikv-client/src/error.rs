//! What can go wrong between us and the cluster.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use tidb_codec::Sensitive;
use tikv_proto::kvrpcpb;

/// Result of this crate's operations.
pub type Result<T> = std::result::Result<T, Error>;

/// A key shown as hexadecimal digits, shortened when long.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyText(pub Bytes);

/// Bytes of a key that messages show.
const SHOWN_KEY_BYTES: usize = 48;

/// The digits of a key.
struct Digits<'a>(&'a Bytes);

impl fmt::Display for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Keys hold the values of their columns.
        Sensitive(Digits(&self.0)).fmt(f)
    }
}

impl fmt::Display for Digits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.iter().take(SHOWN_KEY_BYTES) {
            write!(f, "{byte:02X}")?;
        }
        if self.0.len() > SHOWN_KEY_BYTES { write!(f, "… ({} bytes)", self.0.len()) } else { Ok(()) }
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Everything that an operation of this crate can fail with.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No endpoint was given.
    #[error("no endpoint given")]
    NoEndpoints,
    /// An endpoint is not usable as written.
    #[error("endpoint {endpoint:?} is not usable: {reason}")]
    InvalidEndpoint {
        /// As given.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An endpoint needs TLS and no certificate authority is given.
    #[error("endpoint {endpoint:?} needs TLS: give the certificate authority of its servers (--ca)")]
    TlsNotConfigured {
        /// As given.
        endpoint: String,
    },
    /// A certificate or private key cannot be used.
    #[error("certificate file {} cannot be used: {reason}", .path.display())]
    Certificate {
        /// The file; empty if one is missing.
        path: std::path::PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A server is older than this client works with.
    #[error("version is incompatible: {server} is {version}, the minimal compatible version is {minimum}")]
    VersionIncompatible {
        /// Which server, with its address.
        server: String,
        /// Its version as it tells it.
        version: String,
        /// The oldest version that is supported.
        minimum: String,
    },
    /// Two endpoints belong to different clusters.
    #[error("unmatched cluster id: {endpoint} belongs to cluster {actual}, expected {expected}")]
    ClusterMismatch {
        /// The endpoint that differs.
        endpoint: String,
        /// Cluster id of the others.
        expected: u64,
        /// Its own cluster id.
        actual: u64,
    },
    /// None of the servers answered within the allowed time.
    #[error("{service} is not available after {waited:?}: {last}")]
    Unavailable {
        /// Which service, with its addresses.
        service: String,
        /// How long it was tried.
        waited: Duration,
        /// The last failure.
        last: String,
    },
    /// A call failed in transport or was refused by the server.
    #[error("{method} at {address} failed: {} ({:?})", .status.message(), .status.code())]
    Rpc {
        /// The method's name.
        method: &'static str,
        /// The server's address.
        address: String,
        /// The server's or transport's answer.
        #[source]
        status: Box<tonic::Status>,
    },
    /// The placement driver answered with an error.
    #[error("placement driver refused {method}: {message} (error type {kind})")]
    Pd {
        /// The method's name.
        method: &'static str,
        /// Value of `pdpb.ErrorType`.
        kind: i32,
        /// Its text.
        message: String,
    },
    /// An answer lacks a part without which it means nothing.
    #[error("invalid answer of {method}: {reason}")]
    InvalidResponse {
        /// The method's name.
        method: &'static str,
        /// What is missing or wrong.
        reason: String,
    },
    /// No usable route to a key's region within the allowed time.
    #[error("region of key {key} is not available after {waited:?}: {last}")]
    RegionUnavailable {
        /// The key that was to be reached.
        key: KeyText,
        /// How long it was tried.
        waited: Duration,
        /// The last failure.
        last: String,
    },
    /// The store is unknown to the placement driver, or is gone.
    #[error("store {store_id} is unknown or removed")]
    StoreNotFound {
        /// The store's id.
        store_id: u64,
    },
    /// A key stays locked by another live transaction.
    #[error("key {key} is locked by transaction {lock_ts}")]
    Locked {
        /// The locked key.
        key: KeyText,
        /// Start timestamp of the lock's transaction.
        lock_ts: u64,
        /// Primary key of the lock's transaction.
        primary: KeyText,
    },
    /// Another transaction committed a newer version of a key.
    #[error(
        "write conflict on key {key}: start_ts={start_ts}, conflict_start_ts={conflict_start_ts}, conflict_commit_ts={conflict_commit_ts}"
    )]
    WriteConflict {
        /// The key.
        key: KeyText,
        /// Primary key of our transaction.
        primary: KeyText,
        /// Our start timestamp.
        start_ts: u64,
        /// Start timestamp of the transaction in the way.
        conflict_start_ts: u64,
        /// Its commit timestamp.
        conflict_commit_ts: u64,
    },
    /// A key that must not exist does.
    #[error("key {key} already exists")]
    KeyExists {
        /// The key.
        key: KeyText,
    },
    /// Waiting for a lock would close a circle; this transaction was chosen to fail.
    #[error("deadlock found when locking key {key} held by transaction {lock_ts}")]
    Deadlock {
        /// The key waited for.
        key: KeyText,
        /// Start timestamp of the lock's transaction.
        lock_ts: u64,
        /// Hash of the key that closes the circle.
        deadlock_key_hash: u64,
    },
    /// The wait for a pessimistic lock took longer than allowed.
    #[error("lock wait timeout on key {key} held by transaction {lock_ts}")]
    LockWaitTimeout {
        /// The key waited for.
        key: KeyText,
        /// Start timestamp of the lock's transaction.
        lock_ts: u64,
    },
    /// A pessimistic lock must be had at once and is taken.
    #[error("key {key} is locked by transaction {lock_ts} and waiting is not allowed")]
    LockBusy {
        /// The key.
        key: KeyText,
        /// Start timestamp of the lock's transaction.
        lock_ts: u64,
    },
    /// The transaction was rolled back by another one, or its locks expired.
    #[error("transaction {start_ts} was aborted: {reason}")]
    Aborted {
        /// Our start timestamp.
        start_ts: u64,
        /// The store's words.
        reason: String,
    },
    /// The transaction failed for a reason after which a fresh one may succeed.
    #[error("transaction {start_ts} is to be retried: {reason}")]
    Retryable {
        /// Our start timestamp.
        start_ts: u64,
        /// The store's words.
        reason: String,
    },
    /// An assertion on a key's existence failed: data and index are not consistent.
    #[error(
        "assertion failed on key {key}: asserted {asserted}, existing start_ts={existing_start_ts}, commit_ts={existing_commit_ts}"
    )]
    AssertionFailed {
        /// The key.
        key: KeyText,
        /// What was asserted.
        asserted: &'static str,
        /// Start timestamp of the found version.
        existing_start_ts: u64,
        /// Commit timestamp of the found version.
        existing_commit_ts: u64,
    },
    /// The connection broke while the commit was decided: it may have happened or not.
    #[error("outcome of the commit of transaction {start_ts} is undetermined: {last}")]
    Undetermined {
        /// Our start timestamp.
        start_ts: u64,
        /// The last failure.
        last: String,
    },
    /// The transaction has ended already.
    #[error("transaction {start_ts} has already been {state}")]
    TransactionEnded {
        /// Our start timestamp.
        start_ts: u64,
        /// `committed` or `rolled back`.
        state: &'static str,
    },
    /// The transaction or one of its entries is larger than allowed.
    #[error("transaction {start_ts} is too large: {what} {size} exceeds the limit {limit}")]
    TooLarge {
        /// Our start timestamp.
        start_ts: u64,
        /// What was measured.
        what: &'static str,
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A store answered a key error that this client does not know.
    #[error("unexpected key error: {0}")]
    UnexpectedKeyError(String),
    /// A key or boundary is not validly encoded.
    #[error("invalid encoding of key {key}: {reason}")]
    InvalidKey {
        /// The key as received.
        key: KeyText,
        /// What is wrong.
        reason: String,
    },
    /// The wanted etcd revision is no longer kept.
    #[error("revision {wanted} is compacted, the oldest kept is {compact_revision}")]
    Compacted {
        /// The revision asked for.
        wanted: i64,
        /// The revision from which history is kept.
        compact_revision: i64,
    },
    /// A lease does not exist or has expired.
    #[error("lease {lease:x} not found")]
    LeaseNotFound {
        /// The lease's id.
        lease: i64,
    },
    /// The server ended a watch.
    #[error("watch canceled by the server: {reason}")]
    WatchCanceled {
        /// Its words.
        reason: String,
    },
    /// The client is being shut down.
    #[error("the client is shut down")]
    Closed,
}

impl Error {
    /// Wraps a failed call.
    pub(crate) fn rpc(method: &'static str, address: &str, status: tonic::Status) -> Self {
        Self::Rpc { method, address: address.to_owned(), status: Box::new(status) }
    }

    /// The error for a lock of a live transaction.
    pub(crate) fn locked(lock: &kvrpcpb::LockInfo) -> Self {
        Self::Locked {
            key: KeyText(lock.key.clone()),
            lock_ts: lock.lock_version,
            primary: KeyText(lock.primary_lock.clone()),
        }
    }

    /// Whether the same operation may succeed when it is done again later: transport failures and timeouts, not
    /// refusals.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::RegionUnavailable { .. } => true,
            Self::Rpc { status, .. } => is_transient_code(status.code()),
            _ => false,
        }
    }

    /// Whether the server does not know the call.
    pub fn is_unimplemented(&self) -> bool {
        matches!(self, Self::Rpc { status, .. } if status.code() == tonic::Code::Unimplemented)
    }

    /// Turns a store's key error into the matching error of this crate.
    pub(crate) fn from_key_error(error: kvrpcpb::KeyError, start_ts: u64) -> Self {
        if let Some(lock) = error.locked {
            return Self::locked(&lock);
        }
        if let Some(conflict) = error.conflict {
            return Self::WriteConflict {
                key: KeyText(conflict.key),
                primary: KeyText(conflict.primary),
                start_ts: conflict.start_ts,
                conflict_start_ts: conflict.conflict_ts,
                conflict_commit_ts: conflict.conflict_commit_ts,
            };
        }
        if let Some(exists) = error.already_exist {
            return Self::KeyExists { key: KeyText(exists.key) };
        }
        if let Some(deadlock) = error.deadlock {
            return Self::Deadlock {
                key: KeyText(deadlock.lock_key),
                lock_ts: deadlock.lock_ts,
                deadlock_key_hash: deadlock.deadlock_key_hash,
            };
        }
        Self::from_rare_key_error(error, start_ts)
    }

    /// The key errors that a healthy workload seldom meets.
    fn from_rare_key_error(error: kvrpcpb::KeyError, start_ts: u64) -> Self {
        if let Some(failed) = error.assertion_failed {
            return Self::AssertionFailed {
                asserted: failed.assertion().as_str_name(),
                key: KeyText(failed.key),
                existing_start_ts: failed.existing_start_ts,
                existing_commit_ts: failed.existing_commit_ts,
            };
        }
        if let Some(expired) = error.commit_ts_expired {
            return Self::Retryable {
                start_ts,
                reason: format!(
                    "commit ts {} is below the lock's minimum {}",
                    expired.attempted_commit_ts, expired.min_commit_ts
                ),
            };
        }
        if let Some(missing) = error.txn_not_found {
            return Self::Aborted { start_ts, reason: format!("transaction {} not found", missing.start_ts) };
        }
        if let Some(missing) = error.txn_lock_not_found {
            return Self::Aborted {
                start_ts,
                reason: format!("lock on key {} not found", KeyText(missing.key)),
            };
        }
        if let Some(large) = error.commit_ts_too_large {
            return Self::Retryable {
                start_ts,
                reason: format!("calculated commit ts {} is too large", large.commit_ts),
            };
        }
        if !error.abort.is_empty() {
            return Self::Aborted { start_ts, reason: Sensitive(error.abort).to_string() };
        }
        if !error.retryable.is_empty() {
            return Self::Retryable { start_ts, reason: Sensitive(error.retryable).to_string() };
        }
        Self::UnexpectedKeyError(format!("{error:?}"))
    }
}

/// Whether a gRPC code tells of a broken connection or an overloaded server, not of a refusal.
pub(crate) fn is_transient_code(code: tonic::Code) -> bool {
    use tonic::Code;
    matches!(
        code,
        Code::Unavailable
            | Code::DeadlineExceeded
            | Code::Cancelled
            | Code::Unknown
            | Code::Internal
            | Code::ResourceExhausted
    )
}
