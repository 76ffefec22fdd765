//! The state of subscriptions, for people and for the API that explains what holds a change feed.

use std::time::Duration;

use tikv_client::LiveLock;

use crate::failure::FailureKind;
use crate::key_range::KeyRange;

/// What is going on with a region of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RegionStage {
    /// It waits for its turn, because the store has enough scans to do or memory is short.
    Queued,
    /// The store scans it.
    Scanning,
    /// Its changes arrive as they happen.
    Live,
    /// An error happened; it will be tried again.
    Retrying,
}

/// An error that was handled.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorReport {
    /// Its kind.
    pub kind: FailureKind,
    /// The region that it was about; 0 if none.
    pub region: u64,
    /// In words.
    pub text: String,
    /// How long ago.
    pub ago: Duration,
}

/// The part of a span that holds its resolved ts.
#[derive(Clone, Debug, PartialEq)]
pub struct RegionReport {
    /// The region that covers it; `None` while it is being looked up.
    pub region: Option<u64>,
    /// The region's version.
    pub version: Option<u64>,
    /// Its keys within the span, encoded.
    pub keys: KeyRange,
    /// How far it is.
    pub resolved_ts: u64,
    /// Address of the store that is asked.
    pub store: Option<String>,
    /// What is going on with it.
    pub stage: Option<RegionStage>,
    /// For how long.
    pub stage_for: Option<Duration>,
    /// How long ago its locks were looked at; that happens only while its resolved ts stands still.
    pub locks_checked: Option<Duration>,
    /// Live transactions whose locks were found then and still hold the resolved ts, oldest first.
    pub live_locks: Vec<LiveLock>,
}

/// A subscription.
#[derive(Clone, Debug, PartialEq)]
pub struct SpanReport {
    /// Id given by the subscriber.
    pub id: u64,
    /// Its keys, encoded.
    pub keys: KeyRange,
    /// Where it started.
    pub start_ts: u64,
    /// How far it is.
    pub resolved_ts: u64,
    /// For how long it has been there.
    pub resolved_for: Duration,
    /// True once every part has been scanned.
    pub initialized: bool,
    /// Regions that wait for their scan.
    pub queued: usize,
    /// Regions that are scanned.
    pub scanning: usize,
    /// Regions whose changes arrive as they happen.
    pub live: usize,
    /// Regions that are tried again after an error.
    pub retrying: usize,
    /// Regions that wait for older ones to end.
    pub waiting: usize,
    /// Ranges that no region covers, because they are being looked up.
    pub uncovered: usize,
    /// What holds the resolved ts.
    pub slowest: Option<RegionReport>,
    /// The last error that was handled.
    pub last_error: Option<ErrorReport>,
}
