//! A real TiCDC (classic architecture) beside our capture, on the local stack: both send the same messages of everything
//! that the recorded scripts do.
//!
//! `TIDEGATE_TICDC` names TiCDC's program, `TIDEGATE_GOLDEN` the folder of the recordings. Without either the test says
//! so and checks nothing.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use golden::{Sent, compare_captures};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::api::Api;
use crate::sql_client::SqlError;
use crate::stack::{Ports, Stack};
use crate::topic::{Message, read_all};
use crate::wait::until;

/// Names TiCDC's program.
const TICDC: &str = "TIDEGATE_TICDC";
/// Longest time until TiCDC is there: it campaigns for a while.
const START_LIMIT: Duration = Duration::from_secs(60);
/// Longest time until TiCDC has sent everything: each DDL takes it about a second.
const CATCH_UP_LIMIT: Duration = Duration::from_secs(900);
/// Both captures' changefeeds: name and more of the sink URI.
const VARIANTS: [(&str, &str); 2] = [("plain", ""), ("extension", "&enable-tidb-extension=true")];
/// TiCDC's captures do not compete with ours for being the owner.
const CLUSTER_ID: &str = "ticdc-peer";
/// Database that most scripts use without creating it.
const SCRIPT_DATABASE: &str = "golden";
/// Lines of TiCDC's log that are shown when the test fails.
const SHOWN_LINES: usize = 40;
/// Differences that are shown.
const SHOWN_DIFFERENCES: usize = 20;
/// Scripts that are left out, because TiCDC departs there from what is right (see COMPAT.md): a table that gets its first
/// key is never replicated, one that loses it stops the changefeed.
const LEFT_OUT: [&str; 1] = ["09_ineligible"];

/// A TiCDC that runs.
struct Ticdc {
    /// Its port.
    port: u16,
    /// Its data and log.
    folder: TempDir,
    /// The process; killed when dropped.
    _child: Child,
}

impl Ticdc {
    /// Starts TiCDC and waits until it answers.
    async fn start(program: &Path, ports: Ports) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let folder = tempfile::Builder::new().prefix("tidegate-peer-").tempdir().expect("a temporary folder");
        let addr = format!("127.0.0.1:{port}");
        let mut command = Command::new(program);
        command.arg("server").arg(format!("--pd=http://127.0.0.1:{}", ports.pd));
        command.arg(format!("--addr={addr}")).arg(format!("--advertise-addr={addr}"));
        command.arg(format!("--cluster-id={CLUSTER_ID}")).arg("--tz=UTC");
        command.arg("--data-dir").arg(folder.path().join("data"));
        command.arg("--log-file").arg(folder.path().join("log"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let ticdc = Self { port, folder, _child: child };
        let api = Api::at(port, ports);
        let look = async || match api.raw(reqwest::Method::GET, "/api/v2/captures", None).await {
            Ok(answer) if answer.status == 200 && answer.text.contains("\"is_owner\":true") => Ok(()),
            other => Err(format!("{other:?}")),
        };
        until("an owner of TiCDC", START_LIMIT, look).await;
        ticdc
    }
}

impl Drop for Ticdc {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            let told: Vec<&str> =
                log.lines().filter(|line| line.contains("[WARN]") || line.contains("[ERROR]")).collect();
            let from = told.len().saturating_sub(SHOWN_LINES);
            eprintln!("--- warnings of TiCDC ---\n{}\n---", told[from..].join("\n"));
        }
    }
}

/// How a script went.
#[derive(Debug, Default)]
struct Run {
    /// Statements that succeeded.
    done: usize,
    /// Statements that failed as they were recorded to.
    failed: usize,
    /// Statements that the local stack refuses, by error.
    refused: BTreeMap<String, usize>,
}

/// Runs a script on a connection of its own. Both captures see the same, whatever fails; what fails is told.
async fn run(stack: &Stack, folder: &Path) -> Run {
    let mut sql = stack.sql().await;
    sql.query("SET time_zone = '+00:00'").await.expect("a time zone");
    sql.query(&format!("CREATE DATABASE IF NOT EXISTS {SCRIPT_DATABASE}")).await.expect("a database");
    let text = std::fs::read(folder.join("statements.json")).expect("the statements");
    let statements: Vec<Value> = serde_json::from_slice(&text).expect("JSON");
    let mut run = Run::default();
    for statement in statements {
        // GBK columns are refused by name; TiDB stores their text as UTF-8.
        let text = &statement["sql"].as_str().expect("a text").replace("SET gbk", "SET utf8mb4");
        match sql.query(text).await {
            Ok(_) => run.done += 1,
            Err(SqlError::Server { code, .. }) if statement["error"][0] == u64::from(code) => run.failed += 1,
            Err(SqlError::Server { code, message, .. }) => {
                let start: String = text.chars().take(90).collect();
                eprintln!("    refused: {code} {message}: {start}");
                *run.refused.entry(code.to_string()).or_default() += 1;
            }
            Err(error) => panic!("{text}: {error}"),
        }
    }
    // The next script may use the same names.
    sql.query(&format!("DROP DATABASE {SCRIPT_DATABASE}")).await.expect("the database goes");
    run
}

/// Messages as they are compared.
fn sent(messages: Vec<Message>) -> Vec<Sent> {
    let one = |message: Message| Sent {
        partition: u32::try_from(message.partition).expect("a partition"),
        key: message.key,
        value: String::from_utf8(message.value).expect("UTF-8"),
    };
    messages.into_iter().map(one).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ticdc_sends_the_same_messages() {
    let Some(program) = std::env::var_os(TICDC).map(PathBuf::from) else {
        eprintln!("NOT CHECKED: {TICDC} does not name a TiCDC");
        return;
    };
    let root = golden::root();
    let Some(scripts) = golden::folders(&root) else {
        eprintln!("NOT CHECKED: no recordings at {} (set TIDEGATE_GOLDEN)", root.display());
        return;
    };
    let stack = Stack::start_with(&["--tz", "UTC"]).await;
    let ticdc = Ticdc::start(&program, stack.ports).await;
    let captures = [("ticdc", Api::at(ticdc.port, stack.ports)), ("tidegate", stack.api())];
    let start_ts = stack.api().now().await;
    for (capture, api) in &captures {
        for (variant, query) in VARIANTS {
            let topic = format!("{capture}-{variant}");
            let sink = format!(
                "kafka://127.0.0.1:{}/{topic}?protocol=canal-json&partition-num=3{query}",
                stack.ports.kafka
            );
            api.create(variant, &sink, start_ts).await;
        }
    }
    for folder in &scripts {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        if LEFT_OUT.contains(&&*name) {
            continue;
        }
        let run = run(&stack, folder).await;
        eprintln!("{name}: {} done, {} failed as recorded, refused {:?}", run.done, run.failed, run.refused);
        assert!(run.done > 0, "{name} did nothing");
    }
    let end_ts = stack.api().now().await;
    let mut wrong = 0;
    for (variant, _) in VARIANTS {
        let mut topics = Vec::new();
        for (capture, api) in &captures {
            api.wait_checkpoint(variant, end_ts, CATCH_UP_LIMIT).await;
            topics.push(sent(read_all(stack.ports, &format!("{capture}-{variant}")).await));
        }
        let comparison = compare_captures(&topics[0], &topics[1]).expect("messages");
        eprintln!(
            "{variant}: {} messages alike, {} repeated by TiCDC, {} different",
            comparison.alike,
            comparison.repeated,
            comparison.differences.len()
        );
        for difference in comparison.differences.iter().take(SHOWN_DIFFERENCES) {
            eprintln!("{difference}");
        }
        wrong += comparison.differences.len();
        assert!(comparison.alike > 0, "nothing was compared");
    }
    assert_eq!(wrong, 0, "TiCDC (recorded) and our capture (ours) differ");
}
