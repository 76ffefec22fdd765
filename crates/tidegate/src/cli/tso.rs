//! `cdc cli tso`.

use clap::Subcommand;
use serde_json::json;
use tikv_client::{PdClient, Timestamp};

use super::Connection;
use super::client::ApiClient;
use crate::failure::Failure;

/// `cdc cli tso`.
#[derive(Debug, Subcommand)]
pub(crate) enum TsoCommand {
    /// Get a timestamp of PD.
    Query,
}

/// Runs a command: asks PD if it is named, else the server.
pub(super) async fn run(command: TsoCommand, connection: &Connection) -> Result<(), Failure> {
    let TsoCommand::Query = command;
    let ts = match &connection.pd {
        Some(pd) if connection.server.is_none() => {
            let endpoints: Vec<String> = pd.split(',').map(str::to_owned).collect();
            PdClient::connect(&endpoints, connection.security()?).await?.get_ts().await?
        }
        _ => now(&ApiClient::connect(connection).await?).await?,
    };
    println!("{ts}");
    Ok(())
}

/// The server's timestamp.
pub(crate) async fn now(client: &ApiClient) -> Result<u64, Failure> {
    let answer = client.post("/api/v2/tso", &json!({})).await?;
    let part = |key: &str| answer.get(key).and_then(serde_json::Value::as_i64);
    match (part("timestamp"), part("logic_time")) {
        (Some(physical), Some(logical)) => Ok(Timestamp::compose(physical, logical).0),
        _ => Err(Failure::new("the server's answer holds no timestamp")),
    }
}
