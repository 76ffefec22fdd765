//! `large-message-handle-compression`: every value is compressed, whatever kind of message it is.

use serde_json::json;

use crate::programs::{run, tidegate};
use crate::stack::Stack;
use crate::topic;
use crate::verify::verify;
use crate::wait::until;

/// The first bytes of an LZ4 frame.
const MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];
/// Bytes of a row that compress well: more than the limit as they are.
const BODY: usize = 30_000;
/// Limit of a message, bytes.
const LIMIT: usize = 10_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_ddls_and_watermarks_are_compressed_before_their_size_is_looked_at() {
    let stack = Stack::start().await;
    let api = stack.api();
    topic::create(stack.ports, "lz4", &[("max.message.bytes", &LIMIT.to_string())]).await;
    let body = json!({
        "changefeed_id": "lz4",
        "sink_uri": api.sink("lz4"),
        "replica_config": {"sink": {"kafka_config": {"large_message_handle": {
            "large_message_handle_option": "none", "large_message_handle_compression": "lz4",
        }}}},
    });
    api.post("/api/v2/changefeeds", &body).await.ok();
    let mut client = stack.sql().await;
    client.query("CREATE TABLE test.t (id INT PRIMARY KEY, body LONGTEXT)").await.expect("a table");
    let sql = format!("INSERT INTO test.t VALUES (1, '{}')", "x".repeat(BODY));
    client.query(&sql).await.expect("a row");
    api.wait_caught_up("lz4").await;
    let look = async || {
        let messages = topic::read_all(stack.ports, "lz4").await;
        // A DDL, a row, and a watermark.
        if messages.len() >= 3 { Ok(messages) } else { Err(messages.len()) }
    };
    for message in until("messages", crate::api::CATCH_UP, look).await {
        assert_eq!(message.value.get(..4), Some(&MAGIC[..]), "{message:?}");
        assert!(message.value.len() < LIMIT);
    }
    let report = verify(&stack, "lz4", &[]).await.ok();
    assert!(report.contains("test.t: 1 equal"), "{report}");
    let kafka = format!("127.0.0.1:{}", stack.ports.kafka);
    let consume = ["consume", "--brokers", &kafka, "--topic", "lz4", "--from-beginning", "--max", "2"];
    let shown = run(&mut tidegate(&consume), "").await.ok();
    assert!(shown.contains("test.t") && shown.contains("CREATE TABLE"), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_are_stored_elsewhere_are_verified_with_those_of_the_topic() {
    let stack = Stack::start().await;
    let api = stack.api();
    // Its own limit counts, not that of the sink URI.
    topic::create(stack.ports, "claimed", &[("max.message.bytes", &LIMIT.to_string())]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let place = format!("file://{}", folder.path().display());
    let body = json!({
        "changefeed_id": "claimed",
        "sink_uri": api.sink("claimed"),
        "replica_config": {"sink": {"kafka_config": {"large_message_handle": {
            "large_message_handle_option": "claim-check", "large_message_handle_compression": "snappy",
            "claim_check_storage_uri": place,
        }}}},
    });
    api.post("/api/v2/changefeeds", &body).await.ok();
    let mut client = stack.sql().await;
    client.query("CREATE TABLE test.t (id INT PRIMARY KEY, body LONGTEXT)").await.expect("a table");
    // Digits that Snappy can't make shorter.
    let mut state = 1u64;
    let digits: String = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        format!("{:x}", state & 15)
    })
    .take(BODY)
    .collect();
    let sql = format!("INSERT INTO test.t VALUES (1, '{digits}'), (2, 'small')");
    client.query(&sql).await.expect("rows");
    api.wait_caught_up("claimed").await;
    let now = api.now().await;
    let caught_up = async || {
        let ended = verify(&stack, "claimed", &["--claim-check-storage-uri", &place]).await;
        let watermark = ended.stdout.split("Watermark ").nth(1).and_then(|rest| rest.split(',').next());
        let watermark = watermark.and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
        if watermark >= now { Ok(ended) } else { Err(ended.stderr) }
    };
    let report = until("a watermark", crate::api::CATCH_UP, caught_up).await.ok();
    assert!(report.contains("test.t: 2 equal"), "{report}");
    assert!(!report.contains("key only"), "{report}");
    let keys_only = verify(&stack, "claimed", &[]).await.ok();
    assert_ne!(keys_only, report, "without the place one row is compared by its key");
    let file = std::fs::read_dir(folder.path()).expect("the folder").next().expect("a file").expect("a file");
    std::fs::write(file.path(), r#"{"key":null,"value":"e30="}"#).expect("written");
    let broken = verify(&stack, "claimed", &["--claim-check-storage-uri", &place]).await;
    assert_eq!(broken.code, Some(1));
    assert!(broken.stderr.contains("cannot read the large message in file://"), "{}", broken.stderr);
}
