//! `cdc cli unsafe`.

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::Connection;
use super::client::ApiClient;
use super::prompt::confirm;
use crate::failure::Failure;
use changefeed_config::validate_cluster_id;
use tikv_client::{EtcdClient, PdClient};

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
    /// Delete all metadata of the captures from PD: every changefeed is lost, and running captures end.
    Reset {
        /// Cluster of captures.
        #[arg(long, default_value = "default", value_name = "string")]
        cluster_id: String,
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
pub(super) async fn run(command: UnsafeCommand, connection: &Connection) -> Result<(), Failure> {
    if let UnsafeCommand::Reset { cluster_id, no_confirm } = &command {
        let pd = connection.pd.as_deref().filter(|pd| !pd.is_empty()).ok_or_else(|| {
            Failure::new(
                "[CDC:ErrInvalidServerOption]Empty PD address. Please use --pd to specify PD cluster addresses",
            )
        })?;
        return if accepted(*no_confirm) { reset(pd, cluster_id, connection).await } else { Ok(()) };
    }
    let client = &ApiClient::connect(connection).await?;
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

/// Deletes what a cluster of captures keeps in PD, ends the sessions of its captures, and lets go of old versions of rows.
/// Works without a capture: it is for clusters whose captures do not start any more.
async fn reset(pd: &str, cluster_id: &str, connection: &Connection) -> Result<(), Failure> {
    validate_cluster_id(cluster_id)?;
    let endpoints: Vec<String> = pd.split(',').map(str::to_owned).collect();
    let etcd = EtcdClient::new(&endpoints, connection.security()?)?;
    let base = format!("/tidb/cdc/{cluster_id}/");
    let captures = etcd.get_prefix(format!("{base}__cdc_meta__/capture/")).await?;
    etcd.delete_prefix(&base).await?;
    for capture in captures.kvs.iter().filter(|capture| capture.lease != 0) {
        etcd.lease_revoke(capture.lease).await?;
    }
    let service = format!("ticdc-{cluster_id}-{}", etcd.cluster_id().await?);
    let pd = PdClient::connect(&endpoints, connection.security()?).await?;
    // A lifetime of zero takes the entry away.
    pd.hold_versions(&service, 0, 0).await?;
    println!("reset and all metadata truncated in PD!");
    Ok(())
}
