//! `tidegate validate`: could this changefeed be created?

use std::path::PathBuf;

use changefeed::{Check, ValidateRequest, validate};
use clap::{Args, ValueEnum};
use serde_json::json;
use tikv_client::Security;

use crate::failure::Failure;
use crate::server::time_zone;

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line per check, with what to do below.
    Text,
    /// A JSON array.
    Json,
}

/// Flags of `validate`.
#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    /// PD endpoints, several separated by ','.
    #[arg(long, default_value = "http://127.0.0.1:2379", value_delimiter = ',')]
    pd: Vec<String>,
    /// Sink URI of the changefeed.
    #[arg(long)]
    sink_uri: String,
    /// Configuration file of the changefeed.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Start ts of the changefeed; without it, now.
    #[arg(long, default_value_t = 0)]
    start_ts: u64,
    /// How to print results.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Time zone of the capture.
    #[arg(long, default_value = "System")]
    tz: String,
    /// CA certificate.
    #[arg(long)]
    ca: Option<PathBuf>,
    /// Certificate.
    #[arg(long)]
    cert: Option<PathBuf>,
    /// Private key.
    #[arg(long)]
    key: Option<PathBuf>,
}

/// Checks; the command fails if a check did.
pub(crate) async fn run(args: ValidateArgs) -> Result<(), Failure> {
    let config = match &args.config {
        Some(path) => {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path)
                .map_err(|e| Failure::new(format!("cannot read the configuration file {name}: {e}")))?;
            Some((text, name))
        }
        None => None,
    };
    let request = ValidateRequest {
        pd: args.pd,
        security: Security::from_files(args.ca, args.cert, args.key)?,
        sink_uri: args.sink_uri,
        config,
        start_ts: args.start_ts,
        time_zone: time_zone(&args.tz)?,
    };
    let checks = validate(request).await;
    match args.format {
        Format::Text => print!("{}", text(&checks)),
        Format::Json => println!("{:#}", json_of(&checks)),
    }
    if checks.iter().any(Check::has_failed) { Err(Failure::Silent) } else { Ok(()) }
}

/// Results for people.
fn text(checks: &[Check]) -> String {
    let mut out = String::new();
    for check in checks {
        out.push_str(&format!("{:<4}  {}: {}\n", check.result, check.subject, check.detail));
        if !check.advice.is_empty() {
            out.push_str(&format!("      -> {}\n", check.advice));
        }
    }
    out
}

/// Results for programs.
fn json_of(checks: &[Check]) -> serde_json::Value {
    let check = |check: &Check| {
        json!({
            "check": check.subject,
            "result": check.result,
            "detail": check.detail,
            "advice": check.advice,
        })
    };
    checks.iter().map(check).collect()
}
