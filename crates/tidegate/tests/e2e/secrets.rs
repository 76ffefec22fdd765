//! Secrets of a changefeed leave the process in no answer, output or log line.

use serde_json::json;

use crate::api::Api;
use crate::programs::{Cdc, Ended, run, tidegate};
use crate::stack::Stack;

/// Planted where passwords go. No other text holds them.
const PLANTED: [&str; 4] = ["hunter-uri-1", "hunter-user-2", "hunter-file-3", "hunter-oauth-4"];

/// Fails if a text holds one of the secrets.
#[track_caller]
fn assert_clean(what: &str, text: &str) {
    for secret in PLANTED {
        assert!(!text.contains(secret), "{what} tells {secret}: {text}");
    }
}

/// A sink URI with secrets in the user info and in the query. Nobody listens on the port.
fn sink(api: &Api) -> String {
    let rest = api.sink("secret");
    let rest = rest.strip_prefix("kafka://").expect("a Kafka URI");
    format!("kafka://someone:{}@{rest}&sasl-password={}", PLANTED[1], PLANTED[0])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planted_secrets_show_up_nowhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("log");
    let stack = Stack::start_with(&["--log-level", "debug", "--log-file", &file.display().to_string()]).await;
    let api = stack.api();
    let kafka = json!({"sasl_password": PLANTED[2]});
    let config = json!({"sink": {"kafka_config": kafka}});
    let body = json!({"changefeed_id": "secret", "sink_uri": sink(&api), "replica_config": config});
    let created = api.post("/api/v2/changefeeds", &body).await;
    assert_clean("create", &created.text);
    assert_eq!(created.status, 200, "{}", created.text);
    assert!(created.text.contains("xxxxx"), "masked, not left out: {}", created.text);
    api.wait_caught_up("secret").await;
    for path in [
        "/api/v2/changefeeds",
        "/api/v2/changefeeds/secret",
        "/api/v2/changefeeds/secret/meta_info",
        "/api/v2/changefeeds/secret/status",
        "/api/v2/changefeeds/secret/why",
        "/api/v2/unsafe/metadata",
        "/metrics",
    ] {
        let answer = api.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        assert!(
            path.ends_with("metrics") || answer.text.contains("secret") || path.ends_with("status"),
            "{path}"
        );
        assert_clean(path, &answer.text);
    }
    // Refused requests repeat what was asked for.
    let oauth = json!({"sink": {"kafka_config": {"sasl_oauth_client_secret": PLANTED[3]}}});
    let refused = [
        json!({"changefeed_id": "d", "sink_uri": api.sink("d"), "replica_config": oauth}),
        json!({"changefeed_id": "secret", "sink_uri": sink(&api)}),
        json!({"changefeed_id": "a", "sink_uri": format!("{}&partition-num=nonsense", sink(&api))}),
        json!({"changefeed_id": "b", "sink_uri": format!("mysql://root:{}@127.0.0.1:1/", PLANTED[1])}),
        json!({"changefeed_id": "c", "sink_uri": format!("kafka://127.0.0.1:1/t?protocol=canal-json&dial-timeout=1s&sasl-password={}", PLANTED[0])}),
    ];
    for body in refused {
        let answer = api.post("/api/v2/changefeeds", &body).await;
        assert_ne!(answer.status, 200, "{body}: {}", answer.text);
        assert_clean(&body["changefeed_id"].to_string(), &answer.text);
    }
    let cdc = Cdc::new();
    let server = format!("--server={}", api.url());
    let said = |ended: Ended| format!("{}{}", ended.stdout, ended.stderr);
    let again = sink(&api);
    let calls: [&[&str]; 6] = [
        &["changefeed", "query", "-c", "secret"],
        &["changefeed", "list"],
        &["changefeed", "pause", "-c", "secret"],
        &[
            "changefeed",
            "update",
            "-c",
            "secret",
            "--sink-uri",
            &again,
            "--target-ts",
            "900000000000000000",
            "--no-confirm",
        ],
        &["unsafe", "show-metadata", "--no-confirm"],
        &["changefeed", "remove", "-c", "secret"],
    ];
    for args in calls {
        let args: Vec<&str> = ["cli"].iter().chain(args).copied().chain([server.as_str()]).collect();
        assert_clean(&args.join(" "), &said(cdc.run(&args, "").await));
    }
    assert_clean("top", &said(run(&mut tidegate(&["top", "--once", &server]), "").await));
    let log = std::fs::read_to_string(&file).expect("a log");
    assert_clean("output of the server", &stack.log());
    assert!(log.contains("changefeed created") && log.contains("changefeed removed"), "{log}");
    assert_clean("the log", &log);
}
