//! `cdc cli changefeed`.

use std::time::Duration;

use changefeed_config::format_go_duration;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::client::ApiClient;
use super::create::{self, CreateArgs};
use super::output::{pick, print_json};
use super::{Connection, tso, update};
use crate::failure::Failure;

/// `cdc cli changefeed`.
#[derive(Debug, Subcommand)]
pub(crate) enum ChangefeedCommand {
    /// Create a new replication task (changefeed).
    Create(Box<CreateArgs>),
    /// Update the configuration of a paused changefeed.
    Update(Box<CreateArgs>),
    /// List all changefeeds.
    List {
        /// Also finished and removed ones.
        #[arg(short, long)]
        all: bool,
        /// Keyspace.
        #[arg(short, long, short_alias = 'n', alias = "namespace", default_value = "default")]
        keyspace: String,
    },
    /// Query information and status of a changefeed.
    Query {
        /// Which.
        #[command(flatten)]
        id: IdArgs,
        /// Status only.
        #[arg(short, long)]
        simple: bool,
    },
    /// Tell what holds the checkpoint of a changefeed, since when, and what would free it.
    Why(IdArgs),
    /// Pause a changefeed.
    Pause(IdArgs),
    /// Resume a paused changefeed.
    Resume {
        /// Which.
        #[command(flatten)]
        id: IdArgs,
        /// Don't ask.
        #[arg(long)]
        no_confirm: bool,
        /// Go on from this timestamp, or from `now`.
        #[arg(long, value_name = "string")]
        overwrite_checkpoint_ts: Option<String>,
    },
    /// Remove a changefeed.
    Remove(IdArgs),
    /// Move a table to another capture.
    MoveTable(PlacementArgs),
    /// Move a table and its parts to another capture.
    MoveSplitTable(PlacementArgs),
    /// Split a table into parts.
    SplitTableByRegionCount(PlacementArgs),
    /// Join the parts of a table.
    MergeTable(PlacementArgs),
    /// Show the lag of a changefeed again and again.
    Statistics {
        /// Which.
        #[command(flatten)]
        id: IdArgs,
        /// Seconds between two lines.
        #[arg(short = 'I', long, default_value_t = 10)]
        interval: u64,
    },
}

/// Names a changefeed.
#[derive(Debug, Args)]
pub(crate) struct IdArgs {
    /// Replication task (changefeed) ID.
    #[arg(short, long, value_name = "string")]
    changefeed_id: Option<String>,
    /// Keyspace.
    #[arg(
        short,
        long,
        short_alias = 'n',
        alias = "namespace",
        default_value = "default",
        value_name = "string"
    )]
    keyspace: String,
}

/// A table of a changefeed, and where it is to go.
#[derive(Debug, Args)]
pub(crate) struct PlacementArgs {
    /// Which.
    #[command(flatten)]
    id: IdArgs,
    /// Table ID.
    #[arg(short, long, default_value_t = 0, value_name = "int")]
    table_id: i64,
    /// ID of the capture to move to.
    #[arg(short = 'd', long, default_value = "", value_name = "string")]
    target_node_id: String,
}

impl PlacementArgs {
    /// Sends the request; the server says whether it can be done.
    async fn send(self, command: &'static str, connection: &Connection) -> Result<(), Failure> {
        let id = self.id.require(command)?;
        let verb = command.rsplit(' ').next().unwrap_or_default().replace('-', "_");
        let (table, target) = (self.table_id, self.target_node_id);
        let path = format!("/api/v2/changefeeds/{id}/{verb}?tableID={table}&targetNodeID={target}");
        ApiClient::connect(connection).await?.post(&path, &json!({})).await.map(|_| ())
    }
}

impl IdArgs {
    /// The id, or the complaint that there is none.
    fn require(self, command: &'static str) -> Result<String, Failure> {
        Failure::require(self.changefeed_id, command, "changefeed-id")
    }
}

/// Runs a command.
pub(super) async fn run(command: ChangefeedCommand, connection: &Connection) -> Result<(), Failure> {
    match command {
        ChangefeedCommand::Create(args) => create::run(*args, connection).await,
        ChangefeedCommand::Update(args) => update::run(*args, connection).await,
        ChangefeedCommand::List { all, .. } => list(&ApiClient::connect(connection).await?, all).await,
        ChangefeedCommand::Query { id, simple } => {
            let id = id.require("cli changefeed query")?;
            query(&ApiClient::connect(connection).await?, &id, simple).await
        }
        ChangefeedCommand::Why(id) => {
            let id = id.require("cli changefeed why")?;
            let client = ApiClient::connect(connection).await?;
            Ok(print_json(&client.get(&format!("/api/v2/changefeeds/{id}/why")).await?)?)
        }
        ChangefeedCommand::Pause(id) => {
            let id = id.require("cli changefeed pause")?;
            let client = ApiClient::connect(connection).await?;
            client.post(&format!("/api/v2/changefeeds/{id}/pause"), &json!({})).await.map(|_| ())
        }
        ChangefeedCommand::Resume { id, overwrite_checkpoint_ts, .. } => {
            let id = id.require("cli changefeed resume")?;
            resume(&ApiClient::connect(connection).await?, &id, overwrite_checkpoint_ts).await
        }
        ChangefeedCommand::Remove(id) => {
            let id = id.require("cli changefeed remove")?;
            remove(&ApiClient::connect(connection).await?, &id).await
        }
        ChangefeedCommand::MoveTable(args) => args.send("cli changefeed move-table", connection).await,
        ChangefeedCommand::MoveSplitTable(args) => {
            args.send("cli changefeed move-split-table", connection).await
        }
        ChangefeedCommand::SplitTableByRegionCount(args) => {
            args.send("cli changefeed split-table-by-region-count", connection).await
        }
        ChangefeedCommand::MergeTable(args) => args.send("cli changefeed merge-table", connection).await,
        ChangefeedCommand::Statistics { id, interval } => {
            let id = id.require("cli changefeed statistics")?;
            statistics(&ApiClient::connect(connection).await?, &id, interval).await
        }
    }
}

/// What a server calls a keyspace: classic TiCDC says `namespace`.
fn space_key(item: &Value) -> &'static str {
    if item.get("namespace").is_some() { "namespace" } else { "keyspace" }
}

/// `list`.
async fn list(client: &ApiClient, all: bool) -> Result<(), Failure> {
    let path = if all { "/api/v2/changefeeds?state=all" } else { "/api/v2/changefeeds" };
    let answer = client.get(path).await?;
    let items = answer.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let keys = [
        ("state", "state"),
        ("checkpoint_tso", "tso"),
        ("checkpoint_time", "checkpoint"),
        ("error", "error"),
    ];
    let shown: Vec<Value> = items
        .iter()
        .map(|item| {
            let space = space_key(item);
            json!({"id": item["id"], space: item[space], "summary": pick(item, &keys)})
        })
        .collect();
    Ok(print_json(&shown)?)
}

/// `query`.
async fn query(client: &ApiClient, id: &str, simple: bool) -> Result<(), Failure> {
    let info = client.get(&format!("/api/v2/changefeeds/{id}")).await?;
    if simple {
        let answer = client.get("/api/v2/changefeeds?state=all").await?;
        let items = answer.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        let item = items.into_iter().find(|item| item["id"] == id);
        return Ok(print_json(&item.unwrap_or(info))?);
    }
    let keys = [
        ("upstream_id", "upstream_id"),
        ("namespace", "namespace"),
        ("id", "id"),
        ("keyspace", "keyspace"),
        ("sink_uri", "sink_uri"),
        ("config", "config"),
        ("create_time", "create_time"),
        ("start_ts", "start_ts"),
        ("resolved_ts", "resolved_ts"),
        ("target_ts", "target_ts"),
        ("checkpoint_ts", "checkpoint_tso"),
        ("checkpoint_time", "checkpoint_time"),
        ("state", "state"),
        ("error", "error"),
        ("creator_version", "creator_version"),
        ("task_status", "task_status"),
    ];
    let mut info = info;
    if info.get("target_ts").is_none() {
        info["target_ts"] = 0.into();
    }
    if let Some(time) = info.get("create_time").and_then(Value::as_str) {
        info["create_time"] =
            time.replacen('T', " ", 1).get(..23).unwrap_or(time).trim_end_matches('Z').into();
    }
    Ok(print_json(&pick(&info, &keys))?)
}

/// `resume`.
async fn resume(client: &ApiClient, id: &str, overwrite: Option<String>) -> Result<(), Failure> {
    let checkpoint = match overwrite.as_deref() {
        None => 0,
        Some("now") => tso::now(client).await?,
        Some(text) => text.parse().map_err(|_| {
            Failure::new(format!(
                "--overwrite-checkpoint-ts {text}: use now, or a timestamp such as 470640251767619593"
            ))
        })?,
    };
    let body = json!({"overwrite_checkpoint_ts": checkpoint});
    client.post(&format!("/api/v2/changefeeds/{id}/resume"), &body).await?;
    if overwrite.is_some() {
        println!("Resume changefeed successfully! \nID: {id}");
    }
    Ok(())
}

/// `remove`.
async fn remove(client: &ApiClient, id: &str) -> Result<(), Failure> {
    let info = match client.get(&format!("/api/v2/changefeeds/{id}")).await {
        Ok(info) => info,
        Err(Failure::Message(message)) if message.contains("CDC:ErrChangeFeedNotExists") => {
            println!("Changefeed not found.\nID: {id}");
            return Ok(());
        }
        Err(other) => return Err(other),
    };
    match client.call(Method::DELETE, &format!("/api/v2/changefeeds/{id}"), None).await {
        Ok(_) => {
            let uri = info["sink_uri"].as_str().unwrap_or_default();
            println!(
                "Changefeed remove successfully.\nID: {id}\nCheckpointTs: {}\nSinkURI: {uri}",
                info["checkpoint_ts"]
            );
            Ok(())
        }
        Err(Failure::Message(message)) => {
            println!("Changefeed remove failed.\nID: {id}\nError: {message}");
            Err(Failure::Message(message))
        }
        Err(other) => Err(other),
    }
}

/// `statistics`.
async fn statistics(client: &ApiClient, id: &str, interval: u64) -> Result<(), Failure> {
    let path = format!("/api/v2/changefeeds/{id}");
    let mut ticks = tokio::time::interval(Duration::from_secs(interval.max(1)));
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
        let info = client.get(&path).await?;
        let now = tso::now(client).await?;
        let gap = |from: u64, to: u64| {
            format_go_duration(Duration::from_millis((from >> 18).saturating_sub(to >> 18)))
        };
        let ts = |key: &str| info.get(key).and_then(Value::as_u64).unwrap_or(0);
        let line = json!({
            "sink_gap": gap(ts("resolved_ts"), ts("checkpoint_ts")),
            "replication_gap": gap(now, ts("checkpoint_ts")),
        });
        println!("{line}");
    }
}
