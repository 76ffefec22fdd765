//! Change feeds of TiKV: subscriptions, prewrite/commit matching, resolved-ts frontier.
//!
//! [`CdcClient`] subscribes spans of keys. A span is divided into regions; each is registered with the store that
//! leads it, on a stream that many spans share. Committed changes and the resolved ts of the span arrive at a
//! [`SpanReceiver`]. Splits, merges, leader transfers, busy stores and broken streams are handled inside.
//!
//! The rules that decide about correctness are modules without I/O, which recorded streams replay through:
//! [`matcher`] pairs prewrites with commits, [`spilling`] keeps it small, [`frontier`] keeps the smallest of many resolved ts, [`range_lock`] sees to
//! it that every key of a span is subscribed once.
//!
//! # Memory
//!
//! Rows are slices of received frames. A frame is charged to the [`MemoryQuota`](event_sorter::MemoryQuota) of the
//! client, or to that of its consumer ([`span_channel_within`]), from its arrival until its last row is dropped,
//! wherever that is. When the quota is used up, or the consumer falls behind, streams are not read, and the flow
//! control of HTTP/2 stops the stores. Streams are never shared between consumers, so each frame has one of them.
//!
//! Rows that wait for their commit are bounded, too: transactions that are too large for memory wait on disk, in a
//! [`PrewriteSpool`]. [`spilling`] says how, and why that is enough.

mod backoff;
mod client;
mod cluster;
mod delivery;
mod error;
mod failure;
mod feeds;
mod frame;
pub mod frontier;
pub mod key_range;
pub mod matcher;
mod metrics;
pub mod range_lock;
mod report;
mod row;
mod span;
pub mod spilling;
mod spool;
mod stale_locks;
mod stream;
mod streams;
mod tso;

pub use client::{CdcClient, CdcConfig, SpanRequest, SubscriptionHandle};
pub use cluster::{Cluster, LockReport, RegionRoute, TikvCluster};
pub use delivery::{SpanEvent, SpanReceiver, SpanSender, span_channel, span_channel_within};
pub use error::{CdcError, ClusterError};
pub use failure::FailureKind;
pub use metrics::CdcMetrics;
pub use report::{ErrorReport, RegionReport, RegionStage, SpanReport};
pub use row::{Op, RowChange};
pub use spool::{PrewriteSpool, SpoolConfig, SpoolError};
pub use tikv_client::LiveLock;
