//! Fetch requests sent by hand: waiting, waking, limits.

use std::time::{Duration, Instant};

use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::{DeleteTopicsRequest, FetchRequest, MetadataRequest};

use crate::broker::fresh;
use crate::produce::{batch, produce};
use crate::wire::{RawClient, create_topic, text};

/// A fetch of partition 0.
fn fetch(topic: &str, offset: i64, max_wait: Duration, min_bytes: i32) -> FetchRequest {
    let partition = FetchPartition::default().with_fetch_offset(offset).with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default().with_topic(text(topic).into()).with_partitions(vec![partition]);
    FetchRequest::default()
        .with_max_wait_ms(max_wait.as_millis() as i32)
        .with_min_bytes(min_bytes)
        .with_max_bytes(1 << 25)
        .with_topics(vec![topic])
}

/// Sends a fetch and reads the answer for its only partition.
async fn call(client: &mut RawClient, request: &FetchRequest) -> PartitionData {
    client.call(11, request).await.responses[0].partitions[0].clone()
}

fn size(answer: &PartitionData) -> usize {
    answer.records.as_ref().map_or(0, |r| r.len())
}

#[tokio::test]
async fn a_waiting_fetch_is_woken_by_an_append() {
    const MAX_WAIT: Duration = Duration::from_secs(25);
    let (broker, _dir) = fresh().await;
    let mut reader = RawClient::connect(broker.local_addr()).await;
    let mut writer = RawClient::connect(broker.local_addr()).await;
    create_topic(&mut writer, "t").await;
    for offset in 0..3 {
        let started = Instant::now();
        reader.send(11, &fetch("t", offset, MAX_WAIT, 1)).await;
        // The answer to this proves that the broker has gone on to other things while the fetch waits.
        writer.call(1, &MetadataRequest::default()).await;
        produce(&mut writer, "t", batch(&["x"], 1, None)).await;
        let answer = reader.receive::<FetchRequest>(11).await;
        assert!(size(&answer.responses[0].partitions[0]) > 0);
        assert_eq!(answer.responses[0].partitions[0].high_watermark, offset + 1);
        assert!(started.elapsed() < MAX_WAIT, "woken before the wait is over");
    }
    broker.shutdown().await;
}

#[tokio::test]
async fn an_empty_fetch_waits_its_time_and_not_longer() {
    const MAX_WAIT: Duration = Duration::from_millis(300);
    let (broker, _dir) = fresh().await;
    let mut client = RawClient::connect(broker.local_addr()).await;
    create_topic(&mut client, "t").await;
    let started = Instant::now();
    let answer = call(&mut client, &fetch("t", 0, MAX_WAIT, 1)).await;
    assert_eq!((answer.error_code, size(&answer)), (0, 0));
    assert!(started.elapsed() >= MAX_WAIT);
    let started = Instant::now();
    call(&mut client, &fetch("t", 0, Duration::from_secs(25), 0)).await;
    assert!(started.elapsed() < Duration::from_secs(25), "min_bytes 0 does not wait");
    broker.shutdown().await;
}

#[tokio::test]
async fn a_fetch_waits_until_enough_bytes_came() {
    let (broker, _dir) = fresh().await;
    let mut reader = RawClient::connect(broker.local_addr()).await;
    let mut writer = RawClient::connect(broker.local_addr()).await;
    create_topic(&mut writer, "t").await;
    let one = batch(&["0123456789"], 1, None);
    reader.send(11, &fetch("t", 0, Duration::from_secs(25), one.len() as i32 * 3)).await;
    for _ in 0..5 {
        produce(&mut writer, "t", one.clone()).await;
    }
    let answer = reader.receive::<FetchRequest>(11).await;
    assert!(size(&answer.responses[0].partitions[0]) >= one.len() * 3);
    broker.shutdown().await;
}

#[tokio::test]
async fn offsets_out_of_range_are_told_at_once() {
    let (broker, _dir) = fresh().await;
    let mut client = RawClient::connect(broker.local_addr()).await;
    create_topic(&mut client, "t").await;
    for offset in [-1, 1, i64::MAX] {
        let answer = call(&mut client, &fetch("t", offset, Duration::from_secs(25), 1)).await;
        assert_eq!(answer.error_code, 1, "offset {offset}");
    }
    assert_eq!(call(&mut client, &fetch("no", 0, Duration::from_secs(25), 1)).await.error_code, 3);
    broker.shutdown().await;
}

#[tokio::test]
async fn the_first_batch_comes_whole_even_if_it_exceeds_the_limit() {
    let (broker, _dir) = fresh().await;
    let mut client = RawClient::connect(broker.local_addr()).await;
    create_topic(&mut client, "t").await;
    let large = batch(&[&"x".repeat(100_000)], 1, None);
    produce(&mut client, "t", large.clone()).await;
    produce(&mut client, "t", large.clone()).await;
    let mut request = fetch("t", 0, Duration::from_secs(25), 1);
    request.topics[0].partitions[0].partition_max_bytes = 10;
    assert_eq!(size(&call(&mut client, &request).await), large.len());
    request.topics[0].partitions[0].partition_max_bytes = large.len() as i32 + 10;
    assert_eq!(size(&call(&mut client, &request).await), large.len(), "no part of a batch");
    broker.shutdown().await;
}

#[tokio::test]
async fn deleting_a_topic_wakes_its_readers() {
    let (broker, _dir) = fresh().await;
    let mut reader = RawClient::connect(broker.local_addr()).await;
    let mut admin = RawClient::connect(broker.local_addr()).await;
    create_topic(&mut admin, "t").await;
    reader.send(11, &fetch("t", 0, Duration::from_secs(25), 1)).await;
    admin.call(1, &MetadataRequest::default()).await;
    let answer =
        admin.call(1, &DeleteTopicsRequest::default().with_topic_names(vec![text("t").into()])).await;
    assert_eq!(answer.responses[0].error_code, 0);
    let answer = reader.receive::<FetchRequest>(11).await;
    assert_eq!(answer.responses[0].partitions[0].error_code, 3);
    broker.shutdown().await;
}

#[tokio::test]
async fn a_waiting_fetch_does_not_hold_up_the_shutdown() {
    let (broker, _dir) = fresh().await;
    let mut client = RawClient::connect(broker.local_addr()).await;
    create_topic(&mut client, "t").await;
    client.send(11, &fetch("t", 0, Duration::from_secs(200), 1)).await;
    client.send(1, &MetadataRequest::default()).await;
    crate::broker::soon(broker.shutdown()).await;
}
