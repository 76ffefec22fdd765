//! `cdc cli capture` and `cdc cli processor`.

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::Connection;
use super::client::ApiClient;
use super::output::{pick, print_json};
use crate::failure::Failure;

/// `cdc cli capture`.
#[derive(Debug, Subcommand)]
pub(crate) enum CaptureCommand {
    /// List all captures of the cluster.
    List,
}

/// `cdc cli processor`.
#[derive(Debug, Subcommand)]
pub(crate) enum ProcessorCommand {
    /// List all processors of the cluster.
    List,
    /// Show the tables of a changefeed on a capture.
    Query {
        /// Replication task (changefeed) ID.
        #[arg(short, long, value_name = "string")]
        changefeed_id: Option<String>,
        /// Capture ID.
        #[arg(short = 'p', long, value_name = "string")]
        capture_id: Option<String>,
        /// Keyspace.
        #[arg(short, long, short_alias = 'n', alias = "namespace", default_value = "default")]
        keyspace: String,
    },
}

/// The items of a list.
fn items(list: Value) -> Vec<Value> {
    match list {
        Value::Object(mut map) => map.remove("items").map_or_else(Vec::new, items),
        Value::Array(items) => items,
        _ => Vec::new(),
    }
}

/// Runs `cdc cli capture`.
pub(super) async fn run(command: CaptureCommand, client: &ApiClient) -> Result<(), Failure> {
    let CaptureCommand::List = command;
    let keys = [("id", "id"), ("is_owner", "is-owner"), ("address", "address"), ("cluster_id", "cluster-id")];
    let captures = items(client.get("/api/v2/captures").await?);
    let shown: Vec<Value> = captures.iter().map(|capture| pick(capture, &keys)).collect();
    Ok(print_json(&shown)?)
}

/// Runs `cdc cli processor`.
pub(super) async fn run_processor(command: ProcessorCommand, connection: &Connection) -> Result<(), Failure> {
    let (changefeed, capture) = match command {
        ProcessorCommand::List => {
            let client = ApiClient::connect(connection).await?;
            return Ok(print_json(&items(client.get("/api/v2/processors").await?))?);
        }
        ProcessorCommand::Query { changefeed_id, capture_id, .. } => (changefeed_id, capture_id),
    };
    let changefeed = Failure::require(changefeed, "cli processor query", "changefeed-id")?;
    let capture = Failure::require(capture, "cli processor query", "capture-id")?;
    let client = ApiClient::connect(connection).await?;
    let answer = client.get(&format!("/api/v2/processors/{changefeed}/{capture}")).await?;
    let ids = answer["table_ids"].as_array().cloned().unwrap_or_default();
    let tables: Map<String, Value> = ids.iter().map(|id| (id.to_string(), json!({"start-ts": 0}))).collect();
    // TiCDC does not fill in the position either.
    let status = json!({"tables": tables, "operation": null, "admin-job-type": 0});
    Ok(print_json(&json!({"status": status, "position": null}))?)
}
