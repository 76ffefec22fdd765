//! Change feeds: what was committed since a checkpoint, then every change as it happens.

mod audience;
mod hub;
mod register;
mod resolved;
mod row;
mod scan;
mod service;
mod sink;
mod subscribed;
mod version;

pub(crate) use hub::Hub;
pub(crate) use resolved::publish_resolved_ts;
pub(crate) use row::{OldValue, RowChange, RowKind};
pub(crate) use service::ChangeDataService;

/// Settings of change feeds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FeedOptions {
    /// Bytes of rows that may wait for one connection.
    pub(crate) sink_quota: usize,
    /// Incremental scans of one connection that run at the same time.
    pub(crate) scan_concurrency: usize,
    /// Incremental scans that may wait; beyond it the store says it is busy.
    pub(crate) scan_queue_limit: usize,
}
