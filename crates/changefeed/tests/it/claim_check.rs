//! Messages that are too large for Kafka, stored elsewhere.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use changefeed::{ClaimCheckReader, Owner};
use serde_json::Value;

use crate::bucket::{ACCESS_KEY, BucketServer, SECRET_KEY, SESSION_TOKEN};
use crate::cluster::{Cluster, DEADLINE, Table, request, text};

/// True for the watermark at or past `ts`.
fn watermark_at(ts: u64) -> impl Fn(&Value) -> bool + Send + 'static {
    move |message| message["_tidb"]["watermarkTs"].as_u64().is_some_and(|w| w >= ts)
}

/// A changefeed that stores large messages there.
fn storing(
    cluster: &Cluster,
    topic: &str,
    uri: &str,
    raw_value: bool,
    start: u64,
) -> changefeed::CreateRequest {
    let mut request = request(topic, cluster.sink_uri(topic), start);
    let text = format!(
        "[sink.kafka-config.large-message-handle]\nlarge-message-handle-option = 'claim-check'\n\
         claim-check-storage-uri = '{uri}'\nclaim-check-raw-value = {raw_value}\n",
    );
    request.config = changefeed_config::ReplicaConfig::from_toml(&text, "test").expect("config");
    request
}

/// Ids of the rows of events in the order of the topic, without watermarks.
fn ids(messages: &[Value]) -> Vec<&str> {
    messages.iter().filter_map(|m| m["data"][0]["id"].as_str()).collect()
}

/// Waits until the changefeed is in the state, and returns its error.
async fn wait_for_state(
    owner: &Arc<Owner>,
    id: &str,
    state: &str,
) -> Option<changefeed_config::RunningError> {
    let begun = Instant::now();
    loop {
        let info = owner.get(id).expect("known").info;
        if info.state.name() == state {
            return info.error.clone();
        }
        assert!(begun.elapsed() < DEADLINE, "still {}: {:?}", info.state.name(), info.error);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_are_too_large_are_stored_before_they_are_sent() {
    let mut cluster = Cluster::start().await;
    cluster.create_database().await;
    let table = Table::new(110, "orders");
    cluster.create_table(&table).await;
    let owner = cluster.owner().await;
    let start = cluster.pd.get_ts().await.expect("ts");
    let folder = cluster.dir.path().join("large");
    let bucket = BucketServer::start().await;
    let places = [format!("file://{}", folder.display()), bucket.uri("a/b")];
    let topics = ["raw-file", "wrapped-file", "raw-bucket", "wrapped-bucket"];
    for (n, topic) in topics.iter().enumerate() {
        let request = storing(&cluster, topic, &places[n / 2], n % 2 == 0, start);
        owner.create(request).await.expect("created");
    }
    let large = "x".repeat(2 << 20);
    let last =
        cluster.put_rows(&table, &[(1, Some(vec![text("small")])), (2, Some(vec![text(&large)]))]).await;
    for topic in topics {
        let messages = cluster.consume_until(topic, watermark_at(last)).await;
        let row = |id: &str| messages.iter().find(|m| m["data"][0]["id"] == id).expect("row");
        assert_eq!(row("1")["data"][0]["v"], "small");
        let reference = row("2");
        assert_eq!(reference["data"], serde_json::json!([{"id": "2"}]));
        assert_eq!(reference["sqlType"], serde_json::json!({"id": -5}));
        let location = reference["_tidb"]["claimCheckLocation"].as_str().expect("a place");
        let content = match location.strip_prefix("file://") {
            Some(path) => std::fs::read_to_string(path).expect("the file is there"),
            None => {
                assert!(location.starts_with("s3://large/a/b/") && location.ends_with(".json"), "{location}");
                bucket.object(location)
            }
        };
        let place = &places[usize::from(!location.starts_with("file"))];
        let reader = ClaimCheckReader::open(place).expect("a reader");
        let read: Value = serde_json::from_slice(&reader.read(location).await.expect("read")).expect("json");
        assert_eq!(read["data"][0]["v"], large.as_str());
        let missing = reader.read("s3://large/a/b/missing.json").await.expect_err("missing");
        assert!(missing.message.contains("cannot read the large message in "), "{missing}");
        if topic.starts_with("raw") {
            let full: Value = serde_json::from_str(&content).expect("json");
            assert_eq!(full["data"][0]["v"], large.as_str());
            assert_eq!(full["_tidb"]["commitTs"], reference["_tidb"]["commitTs"]);
        } else {
            assert!(content.starts_with(r#"{"key":null,"value":"ey"#), "{}", &content[..40]);
        }
    }
    owner.step_down().await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_keep_their_order_around_one_whose_store_stumbles() {
    let mut cluster = Cluster::start().await;
    cluster.create_database().await;
    let table = Table::new(110, "orders");
    cluster.create_table(&table).await;
    let owner = cluster.owner().await;
    let start = cluster.pd.get_ts().await.expect("ts");
    let bucket = BucketServer::start().await;
    owner.create(storing(&cluster, "order", &bucket.uri("p"), true, start)).await.expect("created");
    bucket.fail_next(&[StatusCode::SERVICE_UNAVAILABLE, StatusCode::SERVICE_UNAVAILABLE]);
    let large = "x".repeat(2 << 20);
    let (mut expected, mut last) = (Vec::new(), 0);
    for round in 0..10 {
        for (n, value) in ["a", large.as_str(), "b"].into_iter().enumerate() {
            let id = round * 3 + n as i64;
            last = cluster.put_rows(&table, &[(id, Some(vec![text(value)]))]).await;
            expected.push(id.to_string());
        }
    }
    let messages = cluster.consume_until("order", watermark_at(last)).await;
    assert_eq!(ids(&messages), expected, "each once and in order");
    let places = messages.iter().filter_map(|m| m["_tidb"]["claimCheckLocation"].as_str());
    assert_eq!(places.map(|place| bucket.object(place).len()).filter(|len| *len > 2 << 20).count(), 10);
    assert_eq!(bucket.faulted(), 2, "both faults were met");
    assert_eq!(owner.get("order").expect("known").info.state.name(), "normal");
    owner.step_down().await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_out_of_order_warns_and_the_changefeed_goes_on_by_itself() {
    let mut cluster = Cluster::start().await;
    cluster.create_database().await;
    let table = Table::new(110, "orders");
    cluster.create_table(&table).await;
    let owner = cluster.owner().await;
    let start = cluster.pd.get_ts().await.expect("ts");
    let bucket = BucketServer::start().await;
    bucket.set_outage(Some(StatusCode::FORBIDDEN));
    let refused = owner.create(storing(&cluster, "out", &bucket.uri("p"), true, start)).await;
    let error = refused.expect_err("nothing can be stored there");
    assert_eq!(error.code, "CDC:ErrFailToCreateExternalStorage");
    assert!(error.message.contains("s3://large/p/"), "{error}");
    bucket.set_outage(None);
    owner.create(storing(&cluster, "out", &bucket.uri("p"), true, start)).await.expect("created");
    for outage in [StatusCode::SERVICE_UNAVAILABLE, StatusCode::FORBIDDEN] {
        bucket.set_outage(Some(outage));
        let large = "x".repeat(2 << 20);
        cluster.put_rows(&table, &[(2, Some(vec![text(&large)]))]).await;
        let last = cluster.put_rows(&table, &[(3, Some(vec![text("after")]))]).await;
        let error = wait_for_state(&owner, "out", "warning").await.expect("an error");
        assert_eq!(error.code, "CDC:ErrExternalStorageAPI");
        assert!(error.message.contains("cannot store a large message in s3://large/p/"), "{}", error.message);
        for secret in [ACCESS_KEY, SECRET_KEY, SESSION_TOKEN] {
            assert!(!error.message.contains(secret), "{}", error.message);
        }
        assert!(owner.get("out").expect("known").checkpoint_ts < last, "nothing counts as delivered");
        bucket.set_outage(None);
        let messages = cluster.consume_until("out", watermark_at(last)).await;
        assert_eq!(ids(&messages).last(), Some(&"3"));
        assert!(wait_for_state(&owner, "out", "normal").await.is_none());
    }
    owner.step_down().await;
    cluster.stop().await;
}
