//! Errors of the client.

use std::sync::Arc;

use crate::matcher::MatchError;
use crate::spool::SpoolError;

/// Why a subscription ended, or could not begin. Everything that can be retried is retried inside and never shows up
/// here.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CdcError {
    /// The store does not speak our dialect.
    #[error("store {store} requires version {required} or later")]
    VersionIncompatible {
        /// Address of the store.
        store: String,
        /// The version that it asks for.
        required: String,
    },
    /// The store belongs to another cluster.
    #[error("store {store} belongs to cluster {theirs}, not to {ours}")]
    ClusterIdMismatch {
        /// Address of the store.
        store: String,
        /// The cluster id of the store.
        theirs: u64,
        /// The cluster id that we sent.
        ours: u64,
    },
    /// A region was subscribed twice on a stream: a fault of this program.
    #[error("store {store} has region {region} subscribed already")]
    DuplicateRequest {
        /// Address of the store.
        store: String,
        /// The region.
        region: u64,
    },
    /// The store broke a promise in a way that makes what was delivered incomplete.
    #[error("store {store}, region {region}: {source}")]
    BrokenPromise {
        /// Address of the store.
        store: String,
        /// The region.
        region: u64,
        /// Which promise.
        source: MatchError,
    },
    /// Rows that waited on disk are lost, or could not be written.
    #[error(transparent)]
    Spool {
        /// Why.
        source: SpoolError,
    },
    /// A span with this id is subscribed already.
    #[error("span {id} is subscribed already")]
    SpanExists {
        /// Id of the span.
        id: u64,
    },
    /// The span holds no key.
    #[error("span {id} is empty: its end is not behind its start")]
    EmptySpan {
        /// Id of the span.
        id: u64,
    },
    /// The client was shut down.
    #[error("the change feed client is shut down")]
    Closed,
}

/// A failed call to the cluster's routing or transactions, which will be tried again.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{what}: {source}")]
pub struct ClusterError {
    /// What was tried.
    pub what: &'static str,
    /// Why it failed.
    pub source: Arc<dyn std::error::Error + Send + Sync>,
}

impl ClusterError {
    /// Wraps an error.
    pub fn new(what: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { what, source: Arc::from(source.into()) }
    }
}
