//! JSON shapes of the API.

use changefeed::{DEFAULT_KEYSPACE, FeedView};
use changefeed_config::{
    ConfigError, ReplicaConfig, RunningError, State, api_json, mask_uri, toml_text, tso_text,
};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The request of create and update.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ChangefeedConfig {
    /// Id.
    pub(crate) changefeed_id: Option<String>,
    /// Start.
    pub(crate) start_ts: Option<u64>,
    /// Target.
    pub(crate) target_ts: Option<u64>,
    /// Destination.
    pub(crate) sink_uri: Option<String>,
    /// Configuration.
    pub(crate) replica_config: Option<Value>,
}

/// The request of resume.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ResumeRequest {
    /// Checkpoint to go on from; zero keeps it.
    pub(crate) overwrite_checkpoint_ts: u64,
}

/// The request of verify_table.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct VerifyRequest {
    /// When.
    pub(crate) start_ts: u64,
    /// Configuration.
    pub(crate) replica_config: Option<Value>,
}

/// Number pair that names a changefeed inside TiCDC.
#[derive(Debug, Serialize)]
pub(crate) struct Gid {
    /// Low half.
    low: u64,
    /// High half.
    high: u64,
}

/// True for zero.
fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A changefeed in full.
#[derive(Debug, Serialize)]
pub(crate) struct ChangefeedInfo {
    upstream_id: u64,
    id: String,
    keyspace: &'static str,
    sink_uri: String,
    create_time: String,
    start_ts: u64,
    #[serde(skip_serializing_if = "is_zero")]
    target_ts: u64,
    #[serde(skip_serializing_if = "is_zero")]
    admin_job_type: i32,
    config: Value,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<RunningError>,
    creator_version: String,
    resolved_ts: u64,
    checkpoint_ts: u64,
    checkpoint_time: String,
    gid: Gid,
    #[serde(skip_serializing_if = "Option::is_none")]
    maintainer_addr: Option<String>,
}

/// True if the error of a state is shown.
fn shows_error(state: State) -> bool {
    matches!(state, State::Warning | State::Pending | State::Failed)
}

impl ChangefeedInfo {
    /// The changefeed as it is now.
    pub(crate) fn new(id: &str, view: &FeedView, zone: &TimeZone) -> Self {
        let info = &view.info;
        Self {
            upstream_id: info.upstream_id,
            id: id.to_owned(),
            keyspace: DEFAULT_KEYSPACE,
            sink_uri: mask_uri(&info.sink_uri),
            create_time: info.create_time.clone(),
            start_ts: info.start_ts,
            target_ts: info.target_ts,
            admin_job_type: info.admin_job_type,
            config: api_json::mask(api_json::to_api(&info.config)),
            state: info.state.name(),
            error: info.error.clone().filter(|_| shows_error(info.state)),
            creator_version: info.creator_version.clone(),
            resolved_ts: view.checkpoint_ts,
            checkpoint_ts: view.checkpoint_ts,
            checkpoint_time: tso_text(view.checkpoint_ts, zone),
            gid: gid(id, info.epoch),
            maintainer_addr: None,
        }
    }

    /// Adds the address of the capture that runs the changefeed.
    pub(crate) fn run_by(mut self, address: &str) -> Self {
        self.maintainer_addr = Some(address.to_owned());
        self
    }
}

/// Numbers that stay the same for a changefeed and differ between changefeeds.
fn gid(id: &str, epoch: u64) -> Gid {
    let hash = |seed: u64| {
        id.bytes()
            .fold(0xcbf2_9ce4_8422_2325 ^ seed, |h: u64, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
    };
    Gid { low: hash(0), high: hash(epoch.rotate_left(17) | 1) }
}

/// A configuration as the TOML of a file, secrets masked.
pub(crate) fn config_toml(config: &ReplicaConfig) -> Result<String, ConfigError> {
    toml_text(api_json::mask(config.file_form()))
}

/// Secrets of a changefeed as it is stored do not leave the process either.
pub(crate) fn mask_stored(stored: &str) -> String {
    let Ok(mut json) = serde_json::from_str::<Value>(stored) else { return stored.to_owned() };
    let Some(uri) = json.get_mut("sink-uri") else { return stored.to_owned() };
    *uri = mask_uri(uri.as_str().unwrap_or_default()).into();
    if let Some(config) = json.get_mut("config") {
        *config = api_json::mask(config.take());
    }
    json.to_string()
}

/// A changefeed in a list.
#[derive(Debug, Serialize)]
pub(crate) struct ChangefeedItem {
    upstream_id: u64,
    id: String,
    keyspace: &'static str,
    state: &'static str,
    checkpoint_tso: u64,
    checkpoint_time: String,
    error: Option<RunningError>,
}

impl ChangefeedItem {
    /// The changefeed as it is now.
    pub(crate) fn new(id: String, view: &FeedView, zone: &TimeZone) -> Self {
        Self {
            upstream_id: view.info.upstream_id,
            id,
            keyspace: DEFAULT_KEYSPACE,
            state: view.info.state.name(),
            checkpoint_tso: view.checkpoint_ts,
            checkpoint_time: tso_text(view.checkpoint_ts, zone),
            error: view.info.error.clone().filter(|_| shows_error(view.info.state)),
        }
    }
}

/// Progress of a changefeed.
#[derive(Debug, Serialize)]
pub(crate) struct ChangefeedStatus {
    state: &'static str,
    resolved_ts: u64,
    checkpoint_ts: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<RunningError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_warning: Option<RunningError>,
}

impl ChangefeedStatus {
    /// The changefeed as it is now.
    pub(crate) fn new(view: &FeedView) -> Self {
        let error = view.info.error.clone();
        Self {
            state: view.info.state.name(),
            resolved_ts: view.checkpoint_ts,
            checkpoint_ts: view.checkpoint_ts,
            last_error: error.clone().filter(|_| view.info.state == State::Failed),
            last_warning: error.filter(|_| matches!(view.info.state, State::Warning | State::Pending)),
        }
    }
}

/// Whether everything has arrived.
#[derive(Debug, Serialize)]
pub(crate) struct Synced {
    /// The answer.
    pub(crate) synced: bool,
    /// Checkpoint.
    pub(crate) sink_checkpoint_ts: String,
    /// Resolved ts.
    pub(crate) puller_resolved_ts: String,
    /// Commit time of the last row that was sent.
    pub(crate) last_synced_ts: String,
    /// PD's time.
    pub(crate) now_ts: String,
    /// Words.
    pub(crate) info: String,
}

/// A table in a list.
#[derive(Debug, Serialize)]
pub(crate) struct TableItem {
    database_name: String,
    table_name: String,
    table_id: i64,
    is_partition: bool,
}

impl From<changefeed::TableName> for TableItem {
    fn from(table: changefeed::TableName) -> Self {
        Self {
            database_name: table.schema,
            table_name: table.table,
            table_id: table.table_id,
            is_partition: table.is_partition,
        }
    }
}

/// Tables by whether they can be replicated.
#[derive(Debug, Serialize)]
pub(crate) struct Tables {
    /// Tables without a usable key.
    pub(crate) ineligible_tables: Vec<TableItem>,
    /// Tables that can be replicated.
    pub(crate) eligible_tables: Vec<TableItem>,
    /// Both.
    pub(crate) all_tables: Vec<TableItem>,
}
