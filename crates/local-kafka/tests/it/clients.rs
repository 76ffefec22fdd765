//! librdkafka produces and consumes.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer, StreamConsumer};
use rdkafka::message::Message;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use tokio::task::JoinSet;

use crate::broker::{PATIENCE, fresh, soon};

/// Settings of a client.
pub(crate) fn client(addr: std::net::SocketAddr) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", addr.to_string());
    config
}

/// Settings of a consumer which reads a group's partitions from their start.
pub(crate) fn group(addr: std::net::SocketAddr, group: &str) -> ClientConfig {
    let mut config = client(addr);
    config.set("group.id", group).set("auto.offset.reset", "earliest").set("session.timeout.ms", "6000");
    config
}

/// Closes a consumer, which blocks until it has left its group.
pub(crate) async fn close(consumer: impl Send + 'static) {
    soon(tokio::task::spawn_blocking(move || drop(consumer))).await.expect("closed");
}

/// Sends `count` records to one partition with all acknowledgements.
pub(crate) async fn send(producer: &FutureProducer, topic: &str, partition: i32, count: usize) {
    let mut sends = JoinSet::new();
    for i in 0..count {
        let (producer, topic) = (producer.clone(), topic.to_owned());
        sends.spawn(async move {
            let (key, value) = (format!("k{i}"), format!("v{i}"));
            let record = FutureRecord::to(&topic).partition(partition).key(&key).payload(&value);
            producer.send(record, PATIENCE).await.expect("delivered");
        });
    }
    soon(async {
        while let Some(sent) = sends.join_next().await {
            sent.expect("sent")
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_produced_is_consumed_in_order_whatever_the_compression() {
    let (broker, _dir) = fresh().await;
    for compression in ["none", "gzip", "lz4"] {
        let topic = format!("t-{compression}");
        let producer: FutureProducer = client(broker.local_addr())
            .set("enable.idempotence", "true")
            .set("compression.type", compression)
            .set("linger.ms", "5")
            .create()
            .expect("producer");
        send(&producer, &topic, 0, 2000).await;
        let consumer: StreamConsumer = group(broker.local_addr(), &topic).create().expect("consumer");
        consumer.subscribe(&[&topic]).expect("subscribe");
        let mut seen = std::collections::BTreeSet::new();
        for offset in 0..2000 {
            let message = soon(consumer.recv()).await.expect("message");
            assert_eq!(message.offset(), offset);
            seen.insert(String::from_utf8(message.payload().expect("value").to_vec()).expect("text"));
        }
        assert_eq!(seen.len(), 2000);
        close(consumer).await;
    }
    broker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_partitions_keep_their_records_apart() {
    let dir = tempfile::tempdir().expect("directory");
    let mut config = crate::broker::config(dir.path());
    config.default_partitions = 6;
    let broker = crate::broker::start(config).await;
    let producer: FutureProducer = client(broker.local_addr()).set("acks", "all").create().expect("producer");
    for partition in 0..6 {
        send(&producer, "t", partition, 100 + partition as usize).await;
    }
    let consumer: BaseConsumer = client(broker.local_addr()).set("group.id", "x").create().expect("consumer");
    for partition in 0..6 {
        let marks = tokio::task::block_in_place(|| consumer.fetch_watermarks("t", partition, PATIENCE));
        assert_eq!(marks.expect("watermarks"), (0, 100 + i64::from(partition)));
    }
    producer.flush(Duration::from_secs(1)).expect("flush");
    broker.shutdown().await;
}
