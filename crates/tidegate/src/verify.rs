//! `tidegate verify`: does the topic say what the upstream holds?

use std::path::PathBuf;

use clap::Args;
use tikv_client::{PdClient, Security, TikvClient};
use topic_verify::{Report, VerifyRequest};

use crate::failure::Failure;
use crate::server::time_zone;

/// Flags of `verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// PD endpoints, several separated by ','.
    #[arg(long, default_value = "http://127.0.0.1:2379", value_delimiter = ',')]
    pd: Vec<String>,
    /// Kafka brokers, several separated by ','.
    #[arg(long, default_value = "127.0.0.1:9092")]
    brokers: String,
    /// Topic; its changefeed needs enable-tidb-extension=true.
    #[arg(long)]
    topic: String,
    /// Tables that must be in the topic, as filter rules such as 'shop.*'; may be repeated. Without it: the tables that
    /// the topic speaks of.
    #[arg(long = "table", value_name = "RULE")]
    tables: Vec<String>,
    /// The changefeed's start ts, if its tables had rows before: rows that have not changed since may be missing.
    #[arg(long)]
    start_ts: Option<u64>,
    /// Time zone of the capture that writes the topic.
    #[arg(long, default_value = "UTC")]
    tz: String,
    /// Folder for a temporary store of about the topic's size.
    #[arg(long)]
    work_dir: Option<PathBuf>,
    /// The changefeed's claim-check-storage-uri (file:// or s3://): messages that it has stored there are compared too,
    /// not only their keys. An URI with secrets is better given in the environment.
    #[arg(long, env = "TIDEGATE_CLAIM_CHECK_STORAGE_URI", hide_env_values = true, value_name = "URI")]
    claim_check_storage_uri: Option<String>,
    /// Most differences that are listed; all are counted.
    #[arg(long, default_value_t = 20)]
    show: usize,
}

/// Verifies a topic; the command fails unless both sides are equal.
pub(crate) async fn run(args: VerifyArgs) -> Result<(), Failure> {
    let time_zone = time_zone(&args.tz)?;
    let pd = PdClient::connect(&args.pd, Security::none()).await?;
    let tikv = TikvClient::new(pd);
    let request = VerifyRequest {
        brokers: args.brokers,
        topic: args.topic,
        tables: args.tables,
        start_ts: args.start_ts,
        time_zone,
        work_dir: args.work_dir,
        claim_check_storage_uri: args.claim_check_storage_uri,
        shown: args.show,
    };
    let report = topic_verify::verify(&tikv, request).await.map_err(|error| Failure::new(chain(&error)))?;
    print(&report);
    if report.is_equal() { Ok(()) } else { Err(Failure::Silent) }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        let inner = source.to_string();
        // Some errors repeat their cause in their own text.
        if !text.contains(&inner) {
            text = format!("{text}: {inner}");
        }
        cause = source.source();
    }
    text
}

/// Prints what was found.
fn print(report: &Report) {
    println!("Watermark {}, {} row messages.", report.watermark, report.row_messages);
    for table in &report.tables {
        println!("{table}");
    }
    for difference in &report.differences {
        println!("  {difference}");
    }
    if report.tables.is_empty() {
        println!("No table was compared: the topic speaks of none that the upstream has.");
    }
    println!("{}", if report.is_equal() { "Equal." } else { "NOT equal." });
}
