//! Refusals, in the words and codes that etcd's clients look for.

use tonic::{Code, Status};

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EtcdError {
    /// A key is missing.
    #[error("etcdserver: key is not provided")]
    EmptyKey,
    /// A put that keeps something of a key that does not exist.
    #[error("etcdserver: key not found")]
    KeyNotFound,
    /// A put that is to keep what it also gives.
    #[error("etcdserver: value is provided")]
    ValueProvided,
    /// A transaction sets a key twice.
    #[error("etcdserver: duplicate key given in txn request")]
    DuplicateKey,
    /// A transaction is too long or nested too deeply.
    #[error("etcdserver: too many operations in txn request")]
    TooManyOps,
    /// An operation without content.
    #[error("etcdserver: invalid request in txn")]
    EmptyOp,
    /// An unknown lease.
    #[error("etcdserver: requested lease not found")]
    LeaseNotFound,
    /// The id of a lease is taken.
    #[error("etcdserver: lease already exists")]
    LeaseExists,
    /// A lease for too long.
    #[error("etcdserver: too large lease TTL")]
    LeaseTtlTooLarge,
    /// There are too many leases.
    #[error("etcdserver: too many leases")]
    TooManyLeases,
    /// A revision that is no longer kept.
    #[error("etcdserver: mvcc: required revision has been compacted")]
    Compacted,
    /// A revision that does not exist yet.
    #[error("etcdserver: mvcc: required revision is a future revision")]
    FutureRevision,
    /// The sort order is not one of etcd's.
    #[error("etcdserver: invalid sort option")]
    InvalidSort,
}

impl From<EtcdError> for Status {
    fn from(error: EtcdError) -> Self {
        let code = match error {
            EtcdError::LeaseNotFound => Code::NotFound,
            EtcdError::LeaseExists => Code::FailedPrecondition,
            EtcdError::Compacted | EtcdError::FutureRevision | EtcdError::LeaseTtlTooLarge => {
                Code::OutOfRange
            }
            EtcdError::TooManyLeases => Code::ResourceExhausted,
            _ => Code::InvalidArgument,
        };
        Self::new(code, error.to_string())
    }
}
