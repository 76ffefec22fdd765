//! `cdc cli capture` and `cdc cli processor`.

use clap::Subcommand;
use serde_json::Value;

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
pub(super) async fn run_processor(command: ProcessorCommand, client: &ApiClient) -> Result<(), Failure> {
    let ProcessorCommand::List = command;
    Ok(print_json(&items(client.get("/api/v2/processors").await?))?)
}
