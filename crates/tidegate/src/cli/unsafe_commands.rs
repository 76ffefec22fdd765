//! `cdc cli unsafe`.

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::client::ApiClient;
use super::prompt::confirm;
use crate::failure::Failure;

/// `cdc cli unsafe`.
#[derive(Debug, Subcommand)]
pub(crate) enum UnsafeCommand {
    /// Show the metadata that is stored in PD.
    ShowMetadata {
        /// Don't ask.
        #[arg(long)]
        no_confirm: bool,
    },
    /// Delete the service GC safepoint of the captures.
    DeleteServiceGcSafepoint {
        /// Don't ask.
        #[arg(long)]
        no_confirm: bool,
    },
    /// Resolve the locks of a region.
    ResolveLock {
        /// Region.
        #[arg(long)]
        region: u64,
        /// Locks up to this timestamp; a minute ago if absent.
        #[arg(long, default_value_t = 0)]
        ts: u64,
        /// Don't ask.
        #[arg(long)]
        no_confirm: bool,
    },
}

/// Asks whether the user knows what they do.
fn accepted(no_confirm: bool) -> bool {
    no_confirm || confirm("Confirm that you know what this command will do and use it at your own risk [Y/N]")
}

/// Runs a command.
pub(super) async fn run(command: UnsafeCommand, client: &ApiClient) -> Result<(), Failure> {
    match command {
        UnsafeCommand::ShowMetadata { no_confirm } if accepted(no_confirm) => {
            let all = client.get("/api/v2/unsafe/metadata").await?;
            let pairs = all.as_array().map(Vec::as_slice).unwrap_or_default();
            let text = |pair: &Value, key: &str| pair[key].as_str().unwrap_or_default().to_owned();
            for pair in pairs {
                println!("Key: {}, Value: {}", text(pair, "key"), text(pair, "value"));
            }
            println!("Show {} KVs", pairs.len());
        }
        UnsafeCommand::DeleteServiceGcSafepoint { no_confirm } if accepted(no_confirm) => {
            client.call(Method::DELETE, "/api/v2/unsafe/service_gc_safepoint", None).await?;
            println!("CDC service GC safepoint truncated in PD!");
        }
        UnsafeCommand::ResolveLock { region, ts, no_confirm } if accepted(no_confirm) => {
            client.post("/api/v2/unsafe/resolve_lock", &json!({"region_id": region, "ts": ts})).await?;
        }
        _ => {}
    }
    Ok(())
}
