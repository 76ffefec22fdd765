//! Values and keys of rows in logs and errors: shown, marked, hidden.

use std::path::Path;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use serde_json::{Value, json};
use tokio::process::Child;

use crate::api::{Api, CATCH_UP};
use crate::programs::tidegate;
use crate::stack::{Ports, Stack};
use crate::wait::until;
use crate::why::{OpenTransaction, record_key, store, table_id, wait_reason};

/// How long the server may take to have an owner.
const ELECTION: Duration = Duration::from_secs(30);
/// Largest message of a topic, bytes: below the rows that are written.
const TOPIC_LIMIT: &str = "2000";
/// Handle of the row that another transaction holds.
const LOCKED: i64 = 7_700_112_233;

/// Starts a server that logs everything into a file.
async fn server(ports: Ports, folder: &Path, log: &Path) -> Child {
    let (pd, addr) = (format!("http://127.0.0.1:{}", ports.pd), Ports::addr(ports.capture).to_string());
    let [data, log] = [folder.join("data"), log.to_owned()].map(|path| path.display().to_string());
    let args = [
        "server",
        "--pd",
        &pd,
        "--addr",
        &addr,
        "--data-dir",
        &data,
        "--log-file",
        &log,
        "--log-level",
        "debug",
    ];
    let child = tidegate(&args).kill_on_drop(true).spawn().expect("the program starts");
    let api = Api::new(ports);
    until("the server is the owner", ELECTION, async || {
        let answer =
            api.raw(reqwest::Method::GET, "/status", None).await.map_err(|error| error.to_string())?;
        let status: Value = serde_json::from_str(&answer.text).unwrap_or_default();
        if status["is_owner"] == true { Ok(()) } else { Err(answer.text) }
    })
    .await;
    child
}

/// Makes a topic that takes small messages only. Its own limit counts, whatever a changefeed is told.
async fn small_topic(ports: Ports, name: &str) {
    let broker = format!("127.0.0.1:{}", ports.kafka);
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", broker).create().expect("a client");
    let topic = NewTopic::new(name, 1, TopicReplication::Fixed(1)).set("max.message.bytes", TOPIC_LIMIT);
    let made = admin.create_topics([&topic], &AdminOptions::new()).await.expect("an answer");
    assert_eq!(made, [Ok(name.to_owned())]);
}

/// Makes a changefeed fail at a row that is too large, and returns what its error says of the row.
async fn error_of(api: &Api, stack: &Stack, name: &str) -> String {
    let planted = format!("planted-{name}");
    let mut client = stack.sql().await;
    let start_ts = api.now().await;
    let value = format!("value-{planted}").repeat(400);
    small_topic(stack.ports, name).await;
    client.query(&format!("INSERT INTO test.t VALUES ('{planted}', '{value}')")).await.expect("inserted");
    let body = json!({"changefeed_id": name, "sink_uri": api.sink(name), "start_ts": start_ts});
    api.post("/api/v2/changefeeds", &body).await.ok();
    let path = format!("/api/v2/changefeeds/{name}");
    let error = until("the changefeed meets the row", CATCH_UP, async || {
        let answer = api.get(&path).await.json();
        let message = answer["error"]["message"].as_str().map(str::to_owned);
        message.ok_or_else(|| answer.to_string())
    })
    .await;
    let status = api.get(&format!("{path}/status")).await.text;
    let why = api.get(&format!("{path}/why")).await.text;
    api.raw(reqwest::Method::DELETE, &path, None).await.expect("removed");
    format!("{error}\n{status}\n{why}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planted_rows_are_shown_marked_and_hidden_as_the_mode_says() {
    let ports = Ports::free();
    let stack = Stack::start_on(ports, &["--without", "capture"]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let _server = server(ports, folder.path(), &log).await;
    let api = Api::new(ports);
    let mut client = stack.sql().await;
    client.query("CREATE TABLE test.t (name VARCHAR(64) PRIMARY KEY, v LONGTEXT)").await.expect("created");
    client.query("CREATE TABLE test.held (id BIGINT PRIMARY KEY)").await.expect("created");
    let mode = async |word: &str| api.post("/api/v2/log/redact", &json!({"redact_info_log": word})).await;
    let shown = error_of(&api, &stack, "off").await;
    assert!(shown.contains("planted-off"), "without redaction the row is named: {shown}");
    assert_eq!(mode("marker").await.ok(), json!({"previous_mode": "OFF", "current_mode": "MARKER"}));
    let shown = error_of(&api, &stack, "marker").await;
    assert!(shown.contains("handle ‹('planted-marker')›"), "{shown}");
    assert_eq!(mode("ON").await.ok(), json!({"previous_mode": "MARKER", "current_mode": "ON"}));
    assert_eq!(mode("on").await.ok(), json!({"previous_mode": "ON", "current_mode": "ON"}));
    let before = std::fs::metadata(&log).expect("a log").len();
    let hidden = error_of(&api, &stack, "hidden").await;
    assert!(hidden.contains("handle ?"), "{hidden}");
    // An open transaction is named in answers and log by its keys.
    let config = json!({"filter": {"rules": ["test.held"]}});
    let body = json!({"changefeed_id": "held", "sink_uri": api.sink("held"), "replica_config": config});
    api.post("/api/v2/changefeeds", &body).await.ok();
    let key = record_key(table_id(&api, "held").await, LOCKED);
    let hex: String = key.iter().map(|byte| format!("{byte:02X}")).collect();
    let open = OpenTransaction::begin(store(ports).await, key).await;
    let why = wait_reason(&api, "held", "live_lock").await.to_string();
    assert!(why.contains("\"primary_key\":\"?\""), "{why}");
    open.roll_back().await;
    let log = std::fs::read(&log).expect("a log");
    let log = String::from_utf8_lossy(&log[usize::try_from(before).expect("a size")..]).into_owned();
    assert!(log.contains("changefeed met an error") && log.contains("handle ?"), "{log}");
    let planted_hex: String = "planted-hidden".bytes().map(|byte| format!("{byte:02x}")).collect();
    for (what, text) in [("an answer", &hidden), ("why", &why), ("the log", &log)] {
        for secret in ["planted-hidden", &planted_hex, &hex, &LOCKED.to_string()] {
            let found = text.to_lowercase().contains(&secret.to_lowercase());
            assert!(!found, "{what} tells {secret}: {text}");
        }
    }
    for (word, text) in [
        (
            "off",
            "cannot transition from 'ON' to 'off': only transitions to more restrictive modes are allowed",
        ),
        ("some", "invalid redact mode 'some': must be 'off', 'on', or 'marker'"),
        ("", "missing required field 'redact_info_log'"),
    ] {
        let refused = mode(word).await;
        assert_eq!(refused.status, 400, "{word}: {}", refused.text);
        assert!(refused.error().starts_with(&format!("[CDC:ErrAPIInvalidParam]{text}")), "{}", refused.text);
    }
}
