//! What is stored of a changefeed.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::replica::ReplicaConfig;

/// State of a changefeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Running.
    Normal,
    /// Stopped by an error that may go away; it is being retried.
    Warning,
    /// Like warning; only inside TiCDC, shown as warning.
    Pending,
    /// Paused by a user.
    Stopped,
    /// Stopped by an error that does not go away.
    Failed,
    /// Reached its target ts.
    Finished,
    /// Deleted.
    Removed,
}

impl State {
    /// Name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Warning | Self::Pending => "warning",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Finished => "finished",
            Self::Removed => "removed",
        }
    }

    /// Value of the metric `ticdc_owner_status`.
    pub fn metric(self) -> i64 {
        match self {
            Self::Normal => 0,
            Self::Pending => 1,
            Self::Failed => 2,
            Self::Stopped => 3,
            Self::Finished => 4,
            Self::Removed => 5,
            Self::Warning => 6,
        }
    }

    /// True while the capture works on the changefeed.
    pub fn is_running(self) -> bool {
        matches!(self, Self::Normal | Self::Warning | Self::Pending)
    }

    /// True if the changefeed keeps old versions of rows from being collected.
    pub fn blocks_gc(self) -> bool {
        !matches!(self, Self::Finished | Self::Removed)
    }
}

/// An error that was met while running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningError {
    /// When, RFC 3339.
    pub time: String,
    /// Address of the capture.
    pub addr: String,
    /// `CDC:Err…`.
    pub code: String,
    /// Text for people.
    pub message: String,
}

/// A changefeed as it stands in etcd (`…/changefeed/info/<id>`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ChangeFeedInfo {
    /// Cluster id of the upstream.
    pub upstream_id: u64,
    /// Id, at the top level as classic TiCDC keeps it.
    #[serde(rename = "changefeed-id", default)]
    pub id: String,
    /// Where changes go.
    pub sink_uri: String,
    /// When it was created, RFC 3339.
    pub create_time: String,
    /// Changes after this ts are sent.
    pub start_ts: u64,
    /// Changes up to this ts are sent; zero for all.
    #[serde(default)]
    pub target_ts: u64,
    /// Zero; kept for TiCDC.
    #[serde(default)]
    pub admin_job_type: i32,
    /// Configuration.
    pub config: ReplicaConfig,
    /// State.
    pub state: State,
    /// Error of states failed and warning.
    #[serde(default)]
    pub error: Option<RunningError>,
    /// Version that created it.
    #[serde(default)]
    pub creator_version: String,
    /// Changes whenever the configuration does.
    #[serde(default)]
    pub epoch: u64,
}

/// Errors after which a changefeed does not keep old versions any more: they are lost, or it held them for too long.
const GC_ERRORS: [&str; 3] = ["CDC:ErrGCTTLExceeded", "CDC:ErrSnapshotLostByGC", "CDC:ErrStartTsBeforeGC"];

impl ChangeFeedInfo {
    /// True if the changefeed keeps old versions of rows from being collected.
    pub fn blocks_gc(&self) -> bool {
        let lost = |error: &RunningError| GC_ERRORS.contains(&error.code.as_str());
        self.state.blocks_gc() && !(self.state == State::Failed && self.error.as_ref().is_some_and(lost))
    }
}

/// Progress as it stands in etcd (`…/changefeed/status/<id>`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ChangeFeedStatus {
    /// Everything up to this ts was delivered.
    pub checkpoint_ts: u64,
    /// Kept for TiCDC.
    #[serde(default)]
    pub min_table_barrier_ts: u64,
    /// Kept for TiCDC.
    #[serde(default)]
    pub admin_job_type: i32,
}

/// Physical part of a TSO.
pub fn physical_time(tso: u64) -> Timestamp {
    Timestamp::from_millisecond((tso >> 18) as i64).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// `YYYY-MM-DD HH:MM:SS.mmm` of a TSO in a time zone, as API and CLI print it.
pub fn tso_text(tso: u64, zone: &TimeZone) -> String {
    let at = physical_time(tso).to_zoned(zone.clone());
    format!("{}.{:03}", at.strftime("%Y-%m-%d %H:%M:%S"), at.millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tso_is_printed_with_milliseconds() {
        assert_eq!(tso_text(470_640_251_767_619_593, &TimeZone::UTC), "2026-11-22 12:21:21.511");
    }

    #[test]
    fn stored_infos_of_ticdc_can_be_read() {
        let stored = r#"{"id":{"id":{"low":1,"high":2},"display":{"name":"x","keyspace":"default"}},"upstream-id":7,
            "sink-uri":"kafka://h/t?protocol=canal-json","create-time":"2026-11-22T12:21:21.548004111Z","start-ts":5,
            "target-ts":0,"admin-job-type":0,"sort-engine":"","sort-dir":"","upstream-info":null,
            "config":{"memory-quota":1073741824,"filter":{"rules":["*.*"],"ignore-txn-start-ts":null,"event-filters":null},
            "sink":{"protocol":"canal-json","integrity":null}},"state":"normal","error":null,"warning":null,
            "creator-version":"v8.5.4","epoch":9}"#;
        let info: ChangeFeedInfo = serde_json::from_str(stored).expect("TiCDC's JSON");
        assert_eq!((info.start_ts, info.state, info.epoch), (5, State::Normal, 9));
        assert!(info.blocks_gc());
        let failed = |code: &str| RunningError {
            code: code.to_owned(),
            time: String::new(),
            addr: String::new(),
            message: String::new(),
        };
        let with = |state, code| ChangeFeedInfo { state, error: Some(failed(code)), ..info.clone() };
        assert!(with(State::Failed, "CDC:ErrKafkaInvalidConfig").blocks_gc());
        assert!(!with(State::Failed, "CDC:ErrGCTTLExceeded").blocks_gc());
        assert!(!with(State::Finished, "").blocks_gc());
    }
}
