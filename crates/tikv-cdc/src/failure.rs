//! What can happen to a registration, and what is done about it.

use std::time::Duration;

use tidb_codec::Sensitive;
use tikv_proto::{cdcpb, metapb};

use crate::error::CdcError;
use crate::matcher::MatchError;
use crate::spool::SpoolError;

/// Longest wait that a busy store may ask for.
const MAX_SERVER_BACKOFF: Duration = Duration::from_secs(600);

/// Kinds of failures, as counted in metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// The peer is not the leader.
    NotLeader,
    /// The region was split, merged, or changed otherwise.
    EpochNotMatch,
    /// The region is not on the store, or the store had an internal error.
    RegionNotFound,
    /// The region was subscribed already.
    DuplicateRequest,
    /// The store asks for another version.
    Compatibility,
    /// The store belongs to another cluster.
    ClusterIdMismatch,
    /// The store has too many scans waiting.
    ServerIsBusy,
    /// The store's queue for us is full.
    Congested,
    /// An error that is not known.
    Unknown,
    /// The stream broke.
    StreamLost,
    /// No stream could be opened.
    Connect,
    /// The store does not know multiplexed streams.
    Multiplexing,
    /// The store sent something that does not fit together.
    Matcher,
    /// The region could not be looked up.
    Lookup,
    /// Rows that waited on disk are lost, or could not be written.
    Spool,
}

impl FailureKind {
    /// All kinds.
    pub const ALL: [Self; 15] = [
        Self::NotLeader,
        Self::EpochNotMatch,
        Self::RegionNotFound,
        Self::DuplicateRequest,
        Self::Compatibility,
        Self::ClusterIdMismatch,
        Self::ServerIsBusy,
        Self::Congested,
        Self::Unknown,
        Self::StreamLost,
        Self::Connect,
        Self::Multiplexing,
        Self::Matcher,
        Self::Lookup,
        Self::Spool,
    ];

    /// Value of the label `type` of `kvclient_event_feed_error_count`.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotLeader => "NotLeader",
            Self::EpochNotMatch => "EpochNotMatch",
            Self::RegionNotFound => "RegionNotFound",
            Self::DuplicateRequest => "DuplicateRequest",
            Self::Compatibility => "Compatibility",
            Self::ClusterIdMismatch => "ClusterIDMismatch",
            Self::ServerIsBusy => "ServerIsBusy",
            Self::Congested => "Congested",
            Self::Unknown => "Unknown",
            Self::StreamLost => "StreamLost",
            Self::Connect => "Connect",
            Self::Multiplexing => "Multiplexing",
            Self::Matcher => "Matcher",
            Self::Lookup => "Lookup",
            Self::Spool => "Spool",
        }
    }
}

/// How a registration ended.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// The store sent an error for it.
    Store(Box<cdcpb::Error>),
    /// Its stream ended.
    StreamLost(String),
    /// Its stream could not be opened.
    Connect(String),
    /// The store does not know multiplexed streams; the next attempt uses the older protocol.
    NoMultiplexing,
    /// Its rows do not fit together.
    Matcher(MatchError),
    /// Its rows could not wait on disk.
    Spool(SpoolError),
}

/// What to do about a failure.
#[derive(Debug)]
pub(crate) enum Reaction {
    /// Ask the named leader.
    SwitchLeader(metapb::Peer),
    /// Look the range up again; these regions, if any, are what the store knows to be there now.
    Reload(Vec<metapb::Region>),
    /// Try the same region again, not before the time is over.
    Retry(Duration),
    /// Try the same region again at once, on another kind of stream.
    Reroute,
    /// Try the same region again under a new request id: the old registration may still send.
    Renew,
    /// Give up the subscription.
    Fatal(CdcError),
}

impl Failure {
    /// Classifies a failure of a region at a store.
    pub(crate) fn reaction(&self, region: u64, store: &str) -> (FailureKind, Reaction) {
        match self {
            Self::Store(error) => store_reaction(error, region, store),
            Self::StreamLost(_) => (FailureKind::StreamLost, Reaction::Retry(Duration::ZERO)),
            Self::Connect(_) => (FailureKind::Connect, Reaction::Reload(Vec::new())),
            Self::NoMultiplexing => (FailureKind::Multiplexing, Reaction::Reroute),
            Self::Matcher(MatchError::CommitWithoutPrewrite { .. }) => {
                (FailureKind::Matcher, Reaction::Renew)
            }
            Self::Spool(error) => {
                (FailureKind::Spool, Reaction::Fatal(CdcError::Spool { source: error.clone() }))
            }
            Self::Matcher(error) => {
                let source = error.clone();
                let error = CdcError::BrokenPromise { store: store.to_owned(), region, source };
                (FailureKind::Matcher, Reaction::Fatal(error))
            }
        }
    }

    /// The failure in words.
    pub(crate) fn text(&self) -> String {
        match self {
            // The regions that came in place of another are told with their bounds, which are keys of rows.
            Self::Store(error) => {
                format!("{}: {}", store_reaction(error, 0, "").0.name(), Sensitive(format!("{error:?}")))
            }
            Self::StreamLost(text) => format!("stream lost: {text}"),
            Self::Connect(text) => format!("no stream: {text}"),
            Self::NoMultiplexing => "the store does not multiplex streams".to_owned(),
            Self::Matcher(error) => error.to_string(),
            Self::Spool(error) => error.to_string(),
        }
    }
}

/// Classifies an error that a store sent.
fn store_reaction(error: &cdcpb::Error, region: u64, store: &str) -> (FailureKind, Reaction) {
    let store = || store.to_owned();
    if let Some(error) = &error.not_leader {
        let reaction = match error.leader.filter(|leader| leader.id != 0) {
            Some(leader) => Reaction::SwitchLeader(leader),
            None => Reaction::Reload(Vec::new()),
        };
        (FailureKind::NotLeader, reaction)
    } else if let Some(error) = &error.epoch_not_match {
        (FailureKind::EpochNotMatch, Reaction::Reload(error.current_regions.clone()))
    } else if error.region_not_found.is_some() {
        (FailureKind::RegionNotFound, Reaction::Reload(Vec::new()))
    } else if error.duplicate_request.is_some() {
        let error = CdcError::DuplicateRequest { store: store(), region };
        (FailureKind::DuplicateRequest, Reaction::Fatal(error))
    } else if let Some(error) = &error.compatibility {
        let required = error.required_version.clone();
        (
            FailureKind::Compatibility,
            Reaction::Fatal(CdcError::VersionIncompatible { store: store(), required }),
        )
    } else if let Some(error) = &error.cluster_id_mismatch {
        let (theirs, ours) = (error.current, error.request);
        let error = CdcError::ClusterIdMismatch { store: store(), theirs, ours };
        (FailureKind::ClusterIdMismatch, Reaction::Fatal(error))
    } else if let Some(error) = &error.server_is_busy {
        let wait = Duration::from_millis(error.backoff_ms).min(MAX_SERVER_BACKOFF);
        (FailureKind::ServerIsBusy, Reaction::Retry(wait))
    } else if error.congested.is_some() {
        (FailureKind::Congested, Reaction::Retry(Duration::ZERO))
    } else {
        (FailureKind::Unknown, Reaction::Retry(Duration::ZERO))
    }
}
