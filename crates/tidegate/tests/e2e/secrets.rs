//! Secrets of a changefeed leave the process in no answer, output or log line.

use serde_json::{Value, json};

use crate::api::Api;
use crate::bucket::Bucket;
use crate::programs::{Cdc, Ended, run, tidegate};
use crate::stack::Stack;

/// Planted where passwords go. No other text holds them.
const PLANTED: [&str; 8] = [
    "hunter-uri-1",
    "hunter-user-2",
    "hunter-file-3",
    "hunter-oauth-4",
    "hunter-s3-secret-5",
    "hunter-s3-token-6",
    "hunter-s3-access-7",
    "hunter-environment-8",
];

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

/// `large_message_handle` that stores messages at an endpoint, with secrets in the query.
fn large_messages(endpoint: &str) -> Value {
    json!({
        "large_message_handle_option": "claim-check",
        "claim_check_storage_uri": format!(
            "s3://large/p?{endpoint}&access-key={}&secret-access-key={}&session-token={}",
            PLANTED[6], PLANTED[4], PLANTED[5]
        ),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planted_secrets_show_up_nowhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("log");
    let environment = [("AWS_ACCESS_KEY_ID", "of-the-environment"), ("AWS_SECRET_ACCESS_KEY", PLANTED[7])];
    let log_file = file.display().to_string();
    let stack = Stack::start_in(&environment, &["--log-level", "debug", "--log-file", &log_file]).await;
    let api = stack.api();
    let bucket = Bucket::start().await;
    let kafka =
        json!({"sasl_password": PLANTED[2], "large_message_handle": large_messages(&bucket.endpoint())});
    let config = json!({"sink": {"kafka_config": kafka}});
    let body = json!({"changefeed_id": "secret", "sink_uri": sink(&api), "replica_config": config});
    let created = api.post("/api/v2/changefeeds", &body).await;
    assert_clean("create", &created.text);
    assert_eq!(created.status, 200, "{}", created.text);
    assert!(created.text.contains("xxxxx"), "masked, not left out: {}", created.text);
    assert!(created.text.contains("secret-access-key=xxxxx"), "masked, not left out: {}", created.text);
    assert!(bucket.heads().iter().any(|head| head.contains(&format!("credential={}/", PLANTED[6]))));
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
    let nowhere = json!({"sink": {"kafka_config": {
        "large_message_handle": large_messages("endpoint=http%3A%2F%2F127.0.0.1:1"),
    }}});
    let mut wrong = nowhere.clone();
    let handle = &mut wrong["sink"]["kafka_config"]["large_message_handle"];
    handle["claim_check_storage_uri"] = json!(format!("gcs://large/p?secret-access-key={}", PLANTED[4]));
    let refused = [
        json!({"changefeed_id": "e", "sink_uri": api.sink("e"), "replica_config": nowhere}),
        json!({"changefeed_id": "f", "sink_uri": api.sink("f"), "replica_config": wrong}),
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
    let from_environment = json!({"sink": {"kafka_config": {"large_message_handle": {
        "large_message_handle_option": "claim-check",
        "claim_check_storage_uri": format!("s3://large/p?{}", bucket.endpoint()),
    }}}});
    let body = json!({"changefeed_id": "g", "sink_uri": api.sink("g"), "replica_config": from_environment});
    let created = api.post("/api/v2/changefeeds", &body).await;
    assert_eq!(created.status, 200, "{}", created.text);
    assert!(bucket.heads().iter().any(|head| head.contains("credential=of-the-environment/")));
    let config = folder.path().join("changefeed.toml");
    let text = format!(
        "[sink.kafka-config]\nsasl-password = '{}'\n[sink.kafka-config.large-message-handle]\n\
         large-message-handle-option = 'claim-check'\nclaim-check-storage-uri = 's3://other/p?{}&access-key=a&secret-access-key={}'\n",
        PLANTED[2],
        bucket.endpoint(),
        PLANTED[4]
    );
    std::fs::write(&config, text).expect("written");
    let config = config.display().to_string();
    let cdc = Cdc::new();
    let server = format!("--server={}", api.url());
    let said = |ended: Ended| format!("{}{}", ended.stdout, ended.stderr);
    let again = sink(&api);
    let calls: [&[&str]; 8] = [
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
        &["changefeed", "update", "-c", "secret", "--config", &config, "--no-confirm"],
        &["changefeed", "query", "-c", "secret"],
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
