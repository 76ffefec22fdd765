//! TiCDC's own command as the client of our server: `TIDEGATE_TICDC` is the path of a classic `cdc`. Without it there is
//! nothing to test.

use serde_json::Value;
use tokio::process::Command;

use crate::programs::{Cdc, Ended, run};
use crate::stack::Stack;

/// Names the reference client.
const CLIENT: &str = "TIDEGATE_TICDC";

/// Keys whose values differ between two runs of the same question.
const MOVING: [&str; 6] =
    ["checkpoint_tso", "checkpoint_ts", "resolved_ts", "checkpoint_time", "tso", "checkpoint"];

/// JSON without what moves, and with TiCDC's old word for a keyspace.
fn still(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                if MOVING.contains(&key.as_str()) {
                    *value = Value::Null;
                }
                still(value);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(still),
        _ => {}
    }
}

/// What both clients must agree on.
fn essence(ended: &Ended) -> (Option<i32>, String, String) {
    let stdout = match serde_json::from_str::<Value>(&ended.stdout) {
        Ok(mut value) => {
            still(&mut value);
            value.to_string()
        }
        // TiCDC logs errors on its standard output as well.
        Err(_) => {
            ended.stdout.lines().filter(|line| !line.contains("[ERROR]")).collect::<Vec<_>>().join("\n")
        }
    };
    (ended.code, stdout, ended.stderr.clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ticdcs_own_command_works_against_our_server() {
    let Some(client) = std::env::var_os(CLIENT) else {
        eprintln!("{CLIENT} is not set: not tested");
        return;
    };
    let stack = Stack::start().await;
    stack.sql().await.query("CREATE TABLE test.t (id INT PRIMARY KEY)").await.expect("a table");
    let api = stack.api();
    let server = format!("--server={}", api.url());
    let theirs = async |args: &[&str], input: &str| {
        let mut command = Command::new(&client);
        command.arg("cli").args(args).arg(&server).env("TZ", "UTC");
        run(&mut command, input).await
    };
    let sink = api.sink("by-ticdc");
    let created =
        theirs(&["changefeed", "create", "--sink-uri", &sink, "-c", "feed", "--no-confirm"], "").await;
    let created = created.ok();
    assert!(created.starts_with("Create changefeed successfully!\nID: feed\nInfo: {"), "{created}");
    api.wait_caught_up("feed").await;

    let cdc = Cdc::new();
    let ours = async |args: &[&str]| {
        let args: Vec<&str> = ["cli"].iter().chain(args).copied().chain([server.as_str()]).collect();
        cdc.run(&args, "").await
    };
    let captures = api.get("/api/v2/captures").await.ok();
    let capture = captures["items"][0]["id"].as_str().expect("an id").to_owned();
    let questions: [&[&str]; 6] = [
        &["capture", "list"],
        &["processor", "list"],
        &["processor", "query", "-c", "feed", "-p", &capture],
        &["changefeed", "query", "-c", "none"],
        &["changefeed", "pause", "-c", "none"],
        &["changefeed", "remove", "-c", "none"],
    ];
    let mut differences = Vec::new();
    for question in questions {
        let (theirs, ours) = (essence(&theirs(question, "").await), essence(&ours(question).await));
        if theirs != ours {
            differences.push(format!("{question:?}\n  theirs {theirs:?}\n  ours   {ours:?}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));

    let life: [(&[&str], &str); 11] = [
        (&["changefeed", "list"], "\"state\": \"normal\""),
        (&["changefeed", "query", "-s", "-c", "feed"], "\"state\": \"normal\""),
        (&["changefeed", "query", "-c", "feed"], "\"checkpoint_tso\": 4"),
        (&["changefeed", "pause", "-c", "feed"], ""),
        (&["changefeed", "query", "-s", "-c", "feed"], "\"state\": \"stopped\""),
        (
            &["changefeed", "update", "-c", "feed", "--target-ts", "900000000000000000", "--no-confirm"],
            "Update changefeed config successfully!",
        ),
        (&["changefeed", "resume", "-c", "feed", "--no-confirm"], ""),
        (&["changefeed", "query", "-s", "-c", "feed"], "\"state\": \"normal\""),
        (&["unsafe", "show-metadata", "--no-confirm"], "/changefeed/info/feed"),
        (&["changefeed", "remove", "-c", "feed"], "Changefeed remove successfully.\nID: feed"),
        (&["changefeed", "list", "-a"], "[]"),
    ];
    for (args, part) in life {
        let ended = theirs(args, "y\n").await;
        let shown = ended.ok();
        assert!(shown.contains(part), "{args:?}: {shown}");
    }
}
