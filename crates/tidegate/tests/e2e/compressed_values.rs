//! `large-message-handle-compression`: every value is compressed, whatever kind of message it is.

use serde_json::json;

use crate::stack::Stack;
use crate::topic;
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
    let body = json!({
        "changefeed_id": "lz4",
        "sink_uri": format!("{}&max-message-bytes={LIMIT}", api.sink("lz4")),
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
        // A DDL, a row, and a watermark on each partition.
        if messages.len() >= 5 { Ok(messages) } else { Err(messages.len()) }
    };
    for message in until("messages", crate::api::CATCH_UP, look).await {
        assert_eq!(message.value.get(..4), Some(&MAGIC[..]), "{message:?}");
        assert!(message.value.len() < LIMIT);
    }
}
