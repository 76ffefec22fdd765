//! Whether a changefeed could be created: configuration, cluster, tables, and rights at Kafka. Nothing is changed.

use std::time::Duration;

use jiff::tz::TimeZone;
use kafka_sink::{TopicAdmin, Verdict};
use tidb_schema::SchemaSnapshot;
use tikv_client::{EtcdClient, PdClient, Security, TikvClient};

use changefeed_config::{ReplicaConfig, SinkUri};

use crate::FeedError;
use crate::load_schema;
use crate::run_once::Plan;
use crate::table_checks::check_tables;
use crate::tables::list_tables;

/// Names that a list of tables shows at most.
const SHOWN_TABLES: usize = 10;
/// How long the placement driver may take to be found.
const PD_LIMIT: Duration = Duration::from_secs(10);
/// Client id at the brokers, unless the configuration has one.
const CLIENT_ID: &str = "tidegate_validate";

/// One check and its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub subject: &'static str,
    /// `ok`, `warn` or `fail`.
    pub result: &'static str,
    /// What was found.
    pub detail: String,
    /// What to do about it; empty if nothing.
    pub advice: String,
}

impl Check {
    /// A check that went well.
    fn ok(subject: &'static str, detail: impl Into<String>) -> Self {
        Self { subject, result: "ok", detail: detail.into(), advice: String::new() }
    }

    /// Something that its user should know.
    fn warn(subject: &'static str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { subject, result: "warn", detail: detail.into(), advice: advice.into() }
    }

    /// Something that keeps a changefeed from running.
    fn fail(subject: &'static str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { subject, result: "fail", detail: detail.into(), advice: advice.into() }
    }

    /// A check that an earlier failure makes impossible.
    fn skipped(subject: &'static str, because: &str) -> Self {
        Self::warn(subject, format!("not checked: {because}"), "")
    }

    /// True if a changefeed would not run.
    pub fn has_failed(&self) -> bool {
        self.result == "fail"
    }
}

/// What is checked.
pub struct ValidateRequest {
    /// Endpoints of the placement driver.
    pub pd: Vec<String>,
    /// Certificates for it.
    pub security: Security,
    /// Where changes would go.
    pub sink_uri: String,
    /// Text and name of the configuration file.
    pub config: Option<(String, String)>,
    /// Changes after this ts would be sent; zero for now.
    pub start_ts: u64,
    /// Zone of TIMESTAMP values.
    pub time_zone: TimeZone,
}

/// Carries out every check that is possible.
pub async fn validate(request: ValidateRequest) -> Vec<Check> {
    let mut checks = Vec::new();
    let config = check_config(request.config.as_ref(), &mut checks);
    let plan = config.as_ref().and_then(|config| check_sink_uri(&request.sink_uri, config, &mut checks));
    let schema = check_cluster(&request, &mut checks).await;
    match (&config, &plan, schema) {
        (Some(config), Some(plan), Some(schema)) => {
            check_selection(&schema, config, plan, &request.time_zone, &mut checks);
        }
        _ => checks.push(Check::skipped("tables", "configuration and cluster have to be in order first")),
    }
    match plan {
        Some(plan) => check_kafka(plan, &mut checks).await,
        None => checks.push(Check::skipped("kafka", "configuration and sink URI have to be in order first")),
    }
    checks
}

/// Reads and checks the configuration file.
fn check_config(file: Option<&(String, String)>, checks: &mut Vec<Check>) -> Option<ReplicaConfig> {
    let subject = "config";
    let mut config = match file {
        None => ReplicaConfig::default(),
        Some((text, name)) => match ReplicaConfig::from_toml(text, name) {
            Ok(config) => config,
            Err(reason) => {
                checks.push(Check::fail(subject, reason, "correct the file"));
                return None;
            }
        },
    };
    for sentence in config.without_effect() {
        checks.push(Check::warn(subject, sentence, "remove the key"));
    }
    if let Err(error) = config.validate_and_adjust() {
        checks.push(Check::fail(subject, error.to_string(), "correct the file"));
        return None;
    }
    checks.push(Check::ok(subject, file.map_or("defaults", |(_, name)| name.as_str())));
    Some(config)
}

/// Checks the sink URI, and what it makes of the configuration.
fn check_sink_uri(uri: &str, config: &ReplicaConfig, checks: &mut Vec<Check>) -> Option<Plan> {
    let mut config = config.clone();
    if let Ok(parsed) = SinkUri::parse(uri)
        && let Some(protocol) = parsed.get("protocol")
    {
        config.sink.protocol = Some(protocol.to_owned());
    }
    match Plan::compile(uri, &config) {
        Ok(plan) => {
            let detail = format!("topic {} at {}", plan.kafka.topic, plan.kafka.brokers);
            checks.push(Check::ok("sink uri", detail));
            Some(plan)
        }
        Err(error) => {
            let advice = "correct the sink URI or the part of the file that the message names";
            checks.push(Check::fail("sink uri", error.to_string(), advice));
            None
        }
    }
}

/// Checks the placement driver, versions, and whether the start is still there; the schema at the start.
async fn check_cluster(request: &ValidateRequest, checks: &mut Vec<Check>) -> Option<SchemaSnapshot> {
    let pd = match PdClient::connect_within(&request.pd, request.security.clone(), PD_LIMIT).await {
        Ok(pd) => pd,
        Err(error) => {
            let advice = "look at --pd, --ca, --cert, --key and at the network";
            checks.push(Check::fail("pd", error.to_string(), advice));
            return None;
        }
    };
    let now = match pd.get_ts().await {
        Ok(now) => now,
        Err(error) => {
            checks.push(Check::fail("pd", error.to_string(), "PD must have a leader"));
            return None;
        }
    };
    checks.push(Check::ok("pd", format!("cluster {}, leader {}", pd.cluster_id(), pd.leader_url())));
    check_versions(&pd, &request.security, checks).await;
    let start_ts = match request.start_ts {
        0 => now,
        ts if ts > now => {
            let detail = format!("start-ts {ts} is in the future: PD is at {now}");
            checks.push(Check::fail("start ts", detail, "leave --start-ts out to start now"));
            return None;
        }
        ts => ts,
    };
    match pd.gc_safepoint().await {
        Ok(safepoint) if safepoint >= start_ts => {
            let detail = format!("versions at {start_ts} were collected: the GC safepoint is {safepoint}");
            checks.push(Check::fail("start ts", detail, "start later, and copy older rows by other means"));
            return None;
        }
        Ok(safepoint) => {
            checks.push(Check::ok("start ts", format!("{start_ts}, above the GC safepoint {safepoint}")));
        }
        Err(error) => {
            checks.push(Check::warn("start ts", error.to_string(), "PD could not tell its GC safepoint"));
        }
    }
    match load_schema(&TikvClient::new(pd), start_ts).await {
        Ok(schema) => Some(schema),
        Err(error) => {
            checks.push(Check::fail("tikv", error.to_string(), "look at the stores and at the network"));
            None
        }
    }
}

/// Checks the versions of the servers.
async fn check_versions(pd: &PdClient, security: &Security, checks: &mut Vec<Check>) {
    let subject = "versions";
    let outcome = async {
        let etcd = EtcdClient::new(&pd.urls(), security.clone())?;
        pd.check_versions(&etcd).await?;
        pd.all_stores().await
    };
    match outcome.await {
        Ok(stores) => {
            let shown: Vec<String> =
                stores.iter().map(|store| format!("{} {}", store.address, store.version)).collect();
            checks.push(Check::ok(subject, format!("stores: {}", shown.join(", "))));
        }
        Err(error @ tikv_client::Error::VersionIncompatible { .. }) => {
            checks.push(Check::fail(subject, error.to_string(), "upgrade the server"));
        }
        Err(error) => checks.push(Check::fail(subject, error.to_string(), "PD could not tell its stores")),
    }
}

/// Checks which tables are selected, and that rules fit them.
fn check_selection(
    schema: &SchemaSnapshot,
    config: &ReplicaConfig,
    plan: &Plan,
    zone: &TimeZone,
    checks: &mut Vec<Check>,
) {
    let lists = match list_tables(schema, config) {
        Ok(lists) => lists,
        Err(error) => {
            checks.push(Check::fail("tables", error.to_string(), "correct filter.rules"));
            return;
        }
    };
    let names = |tables: &[crate::TableName]| {
        let mut shown: Vec<String> = tables
            .iter()
            .take(SHOWN_TABLES)
            .map(|table| format!("{}.{}", table.schema, table.table))
            .collect();
        if tables.len() > SHOWN_TABLES {
            shown.push(format!("and {} more", tables.len() - SHOWN_TABLES));
        }
        shown.join(", ")
    };
    if lists.all.is_empty() {
        let advice = "look at filter.rules; tables that are created later may match";
        checks.push(Check::warn("tables", "no table matches", advice));
    } else {
        let (count, shown) = (lists.eligible.len(), names(&lists.eligible));
        checks.push(Check::ok("tables", format!("{count} eligible: {shown}")));
    }
    if !lists.ineligible.is_empty() && !config.force_replicate {
        let detail = format!("without a primary or not-null unique key: {}", names(&lists.ineligible));
        let advice = "give them a key, exclude them, or set force-replicate or ignore-ineligible-table";
        checks.push(match config.ignore_ineligible_table {
            true => Check::warn("table keys", detail, "they are left out, as ignore-ineligible-table says"),
            false => Check::fail("table keys", detail, advice),
        });
    }
    checks.push(match check_tables(schema, plan, config.force_replicate, zone) {
        Ok(()) => {
            Check::ok("rules", "filter expressions, dispatch rules and column selectors fit the tables")
        }
        Err(error) => Check::fail("rules", error.to_string(), "correct the rule that the message names"),
    });
}

/// Checks topic and rights at the brokers.
async fn check_kafka(plan: Plan, checks: &mut Vec<Check>) {
    let (config, spec) = (plan.producer_named(CLIENT_ID.to_owned()), plan.topic_spec());
    let topic = plan.kafka.topic.clone();
    let ask = move || TopicAdmin::new(&config)?.preflight(&topic, spec, &config);
    let outcome = match tokio::task::spawn_blocking(ask).await {
        Ok(outcome) => outcome.map_err(FeedError::from),
        Err(error) => Err(FeedError::new("CDC:ErrNewKafkaSink", error.to_string())),
    };
    match outcome {
        Ok(findings) => checks.extend(findings.into_iter().map(|finding| Check {
            subject: finding.subject,
            result: match finding.verdict {
                Verdict::Ok => "ok",
                Verdict::Warn => "warn",
                Verdict::Fail => "fail",
            },
            detail: finding.detail,
            advice: finding.advice,
        })),
        Err(error) => {
            let advice = "look at host, port, TLS and credentials of the sink URI, and at the network";
            checks.push(Check::fail("kafka metadata", error.to_string(), advice));
        }
    }
}
