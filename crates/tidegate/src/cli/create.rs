//! `cdc cli changefeed create`.

use changefeed_config::{KafkaOptions, ReplicaConfig, SinkUri, api_json, validate_changefeed_id};
use clap::Args;
use serde_json::{Value, json};

use super::client::ApiClient;
use super::output::one_line;
use super::prompt::confirm;
use super::{Connection, tso};
use crate::failure::Failure;

/// A start this long ago is asked about, milliseconds.
const LONG_LAG_MS: u64 = 24 * 3600 * 1000;

/// Flags of create and update.
#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// Replication task (changefeed) ID.
    #[arg(short, long, value_name = "string")]
    pub(super) changefeed_id: Option<String>,
    /// Keyspace.
    #[arg(short, long, short_alias = 'n', alias = "namespace", value_name = "string")]
    pub(super) keyspace: Option<String>,
    /// Where changes go, such as kafka://127.0.0.1:9092/topic?protocol=canal-json.
    #[arg(long, value_name = "string")]
    pub(super) sink_uri: Option<String>,
    /// Path of the configuration file.
    #[arg(long, value_name = "string")]
    pub(super) config: Option<String>,
    /// Changes after this timestamp are sent; 0 for now.
    #[arg(long, default_value_t = 0, value_name = "uint")]
    pub(super) start_ts: u64,
    /// Changes up to this timestamp are sent; 0 for all.
    #[arg(long, value_name = "uint")]
    pub(super) target_ts: Option<u64>,
    /// Don't ask about tables that can't be replicated: leave them out.
    #[arg(long)]
    pub(super) no_confirm: bool,
    /// Avro schema registry.
    #[arg(long, value_name = "string")]
    pub(super) schema_registry: Option<String>,
    /// Don't check the GC safepoint.
    #[arg(long)]
    pub(super) disable_gc_check: bool,
    /// Also print the names of the tables.
    #[arg(short, long)]
    pub(super) verbose: bool,
    /// Not supported any more.
    #[arg(long, hide = true)]
    pub(super) tz: Option<String>,
    /// Not supported any more.
    #[arg(long, hide = true)]
    pub(super) sort_engine: Option<String>,
    /// Not supported any more.
    #[arg(long, hide = true)]
    pub(super) sort_dir: Option<String>,
}

impl CreateArgs {
    /// The configuration file over the defaults.
    pub(super) fn replica_config(&self) -> Result<ReplicaConfig, Failure> {
        let mut config = match &self.config {
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|e| Failure::new(format!("cannot read the configuration file {path}: {e}")))?;
                let name = std::path::Path::new(path).file_name().and_then(|n| n.to_str()).unwrap_or(path);
                ReplicaConfig::from_toml(&text, name).map_err(Failure::new)?
            }
            None => ReplicaConfig::default(),
        };
        if self.schema_registry.is_some() {
            config.sink.schema_registry.clone_from(&self.schema_registry);
        }
        if self.disable_gc_check {
            config.check_gc_safe_point = false;
        }
        config.validate_and_adjust()?;
        for sentence in config.without_effect() {
            eprintln!("[WARN] {sentence}");
        }
        Ok(config)
    }
}

/// What can be seen to be wrong without a server.
fn check_locally(args: &CreateArgs, config: &ReplicaConfig) -> Result<(), Failure> {
    if let Some(sort_dir) = &args.sort_dir {
        return Err(Failure::new(format!(
            "creating changefeed with `--sort-dir={sort_dir}` is not supported; remove it"
        )));
    }
    if let Some(id) = &args.changefeed_id {
        validate_changefeed_id(id)?;
    }
    if let Some(uri) = args.sink_uri.as_deref().filter(|uri| !uri.is_empty()) {
        let uri = SinkUri::parse(uri)?;
        if uri.is_kafka() {
            let protocol = uri.get("protocol").map(str::to_owned).or_else(|| config.sink.protocol.clone());
            if protocol.is_none() {
                return Err(Failure::new("[CDC:ErrSinkUnknownProtocol]unknown '' message protocol for sink"));
            }
            KafkaOptions::new(&uri, config)?;
        }
    }
    Ok(())
}

/// Names of tables as Go prints the list.
fn go_list(tables: &[Value]) -> String {
    let names: Vec<String> = tables
        .iter()
        .map(|table| {
            let name = table["table_name"].as_str().unwrap_or_default();
            format!("v2.TableName{{Schema:\"\", Table:\"{name}\", TableID:0, IsPartition:false}}")
        })
        .collect();
    format!("[]v2.TableName{{{}}}", names.join(", "))
}

/// The tables under a key of an answer.
fn tables<'a>(answer: &'a Value, key: &str) -> &'a [Value] {
    answer.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Runs create.
pub(super) async fn run(args: CreateArgs, connection: &Connection) -> Result<(), Failure> {
    let mut config = args.replica_config()?;
    check_locally(&args, &config)?;
    let client = ApiClient::connect(connection).await?;
    let now = tso::now(&client).await?;
    let start_ts = if args.start_ts == 0 { now } else { args.start_ts };
    let lag_ms = (now >> 18).saturating_sub(start_ts >> 18);
    if lag_ms > LONG_LAG_MS && !args.no_confirm {
        let lag = changefeed_config::format_go_duration(std::time::Duration::from_millis(lag_ms));
        let question = format!(
            "Replicate lag ({lag}) is larger than 1 days, large data may cause OOM, confirm to continue at your own risk [Y/N]"
        );
        if !confirm(&question) {
            println!("No changefeed is created because user don't want to continue.");
            return Ok(());
        }
    }
    let verify = json!({"start_ts": start_ts, "replica_config": api_json::to_api(&config)});
    let lists = client.post("/api/v2/verify_table", &verify).await?;
    let ineligible = tables(&lists, "ineligible_tables");
    if !ineligible.is_empty() && !accept_ineligible(ineligible, &config, args.no_confirm) {
        return Ok(());
    }
    config.ignore_ineligible_table = args.no_confirm || (!ineligible.is_empty() && !config.force_replicate);
    let request = json!({
        "changefeed_id": args.changefeed_id.clone().unwrap_or_default(),
        "start_ts": start_ts,
        "target_ts": args.target_ts.unwrap_or(0),
        "sink_uri": args.sink_uri.clone().unwrap_or_default(),
        "replica_config": api_json::to_api(&config),
    });
    let info = client.post("/api/v2/changefeeds", &request).await?;
    println!(
        "Create changefeed successfully!\nID: {}\nInfo: {}",
        info["id"].as_str().unwrap_or_default(),
        one_line(&info)
    );
    let (eligible, all) = (tables(&lists, "eligible_tables"), tables(&lists, "all_tables"));
    if args.verbose {
        println!(
            "IneligibleTablesCount: {}\nEligibleTablesCount: {}\nAllTablesCount: {}",
            ineligible.len(),
            eligible.len(),
            all.len()
        );
        for (label, list) in
            [("EligibleTables", eligible), ("IneligibleTables", ineligible), ("AllTables", all)]
        {
            let part = |table: &Value, key: &str| table[key].as_str().unwrap_or_default().to_owned();
            let names: Vec<_> = list
                .iter()
                .map(|table| format!("{}.{}", part(table, "database_name"), part(table, "table_name")))
                .collect();
            println!("{label}: [{}]", names.join(", "));
        }
    }
    Ok(())
}

/// Tells about tables that can't be replicated; true to go on.
fn accept_ineligible(ineligible: &[Value], config: &ReplicaConfig, no_confirm: bool) -> bool {
    if config.force_replicate {
        println!(
            "[WARN] Force to replicate some ineligible tables, these tables do not have a primary key or a not-null unique key: {}",
            go_list(ineligible)
        );
        return true;
    }
    println!(
        "[WARN] Some tables are not eligible to replicate, because they do not have a primary key or a not-null unique key: {}",
        go_list(ineligible)
    );
    let question = "Could you agree to ignore those tables, and continue to replicate [Y/N]\n\
                    Note: If you don't want to ignore those tables, please set `force-replicate to` true in the changefeed config file.";
    if no_confirm || confirm(question) {
        return true;
    }
    println!("No changefeed is created because you don't want to ignore some tables.");
    false
}
