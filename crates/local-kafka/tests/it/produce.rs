//! Produce requests sent by hand: duplicates, gaps, damaged batches.

use bytes::Bytes;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    FindCoordinatorRequest, InitProducerIdRequest, ListOffsetsRequest, ProduceRequest, list_offsets_request,
};

use local_kafka::FlushPolicy;

use crate::broker::{config, fresh, start};
use crate::wire::{RawClient, create_topic, text};

/// Bytes in front of what the checksum of a batch covers.
const CRC_START: usize = 21;

/// An uncompressed batch of records `value` at `timestamp` (milliseconds).
pub(crate) fn batch(values: &[&str], timestamp: i64, producer: Option<(i64, i16, i32)>) -> Vec<u8> {
    let (id, epoch, sequence) = producer.unwrap_or((-1, -1, -1));
    let mut out = vec![0; 12];
    out.extend((-1_i32).to_be_bytes());
    out.push(2);
    out.extend(0_u32.to_be_bytes());
    out.extend(0_i16.to_be_bytes());
    out.extend((values.len() as i32 - 1).to_be_bytes());
    out.extend(timestamp.to_be_bytes());
    out.extend(timestamp.to_be_bytes());
    out.extend(id.to_be_bytes());
    out.extend(epoch.to_be_bytes());
    out.extend(sequence.to_be_bytes());
    out.extend((values.len() as i32).to_be_bytes());
    for (i, value) in values.iter().enumerate() {
        let mut record = vec![0];
        varint(0, &mut record);
        varint(i as i64, &mut record);
        varint(-1, &mut record);
        varint(value.len() as i64, &mut record);
        record.extend(value.as_bytes());
        varint(0, &mut record);
        varint(record.len() as i64, &mut out);
        out.extend(record);
    }
    let length = out.len() as i32 - 12;
    out[8..12].copy_from_slice(&length.to_be_bytes());
    let crc = crc32c::crc32c(&out[CRC_START..]);
    out[17..CRC_START].copy_from_slice(&crc.to_be_bytes());
    out
}

fn varint(value: i64, out: &mut Vec<u8>) {
    let mut v = ((value << 1) ^ (value >> 63)) as u64;
    while v >= 0x80 {
        out.push(v as u8 | 0x80);
        v >>= 7;
    }
    out.push(v as u8);
}

/// Sends a batch to partition 0 with `acks=all`; returns error code and base offset.
pub(crate) async fn produce(client: &mut RawClient, topic: &str, batch: Vec<u8>) -> (i16, i64) {
    let partition = PartitionProduceData::default().with_index(0).with_records(Some(Bytes::from(batch)));
    let topic =
        TopicProduceData::default().with_name(text(topic).into()).with_partition_data(vec![partition]);
    let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(1000).with_topic_data(vec![topic]);
    let answer = client.call(7, &request).await;
    let partition = &answer.responses[0].partition_responses[0];
    (partition.error_code, partition.base_offset)
}

/// The offset for a timestamp, or -1 for the end and -2 for the start.
pub(crate) async fn offset(client: &mut RawClient, topic: &str, timestamp: i64) -> i64 {
    let partition = list_offsets_request::ListOffsetsPartition::default().with_timestamp(timestamp);
    let topic = list_offsets_request::ListOffsetsTopic::default()
        .with_name(text(topic).into())
        .with_partitions(vec![partition]);
    let answer = client.call(4, &ListOffsetsRequest::default().with_topics(vec![topic])).await;
    assert_eq!(answer.topics[0].partitions[0].error_code, 0);
    answer.topics[0].partitions[0].offset
}

#[tokio::test]
async fn a_repeated_batch_keeps_its_offset_even_after_a_restart() {
    let dir = tempfile::tempdir().expect("directory");
    let broker = start(config(dir.path())).await;
    let mut client = RawClient::connect(broker.local_addr()).await;
    create_topic(&mut client, "t").await;
    let id =
        client.call(1, &InitProducerIdRequest::default().with_transactional_id(None)).await.producer_id.0;
    let first = batch(&["a", "b"], 1, Some((id, 0, 0)));
    let second = batch(&["c"], 1, Some((id, 0, 2)));
    assert_eq!(produce(&mut client, "t", first.clone()).await, (0, 0));
    assert_eq!(produce(&mut client, "t", first.clone()).await, (0, 0));
    assert_eq!(produce(&mut client, "t", second.clone()).await, (0, 2));
    assert_eq!(produce(&mut client, "t", first.clone()).await, (0, 0));
    broker.shutdown().await;

    let broker = start(config(dir.path())).await;
    let mut client = RawClient::connect(broker.local_addr()).await;
    assert_eq!(produce(&mut client, "t", second).await, (0, 2));
    assert_eq!(produce(&mut client, "t", first).await, (0, 0));
    assert_eq!(
        produce(&mut client, "t", batch(&["e"], 1, Some((id, 0, 4)))).await.0,
        45,
        "a gap is out of order"
    );
    assert_eq!(produce(&mut client, "t", batch(&["d"], 1, Some((id, 0, 3)))).await, (0, 3));
    let other =
        client.call(1, &InitProducerIdRequest::default().with_transactional_id(None)).await.producer_id.0;
    assert!(other > id, "a restart never hands out an id twice");
    broker.shutdown().await;
}

#[tokio::test]
async fn damaged_foreign_and_oversized_batches_are_refused_by_name() {
    let (broker, _dir) = fresh().await;
    let mut client = RawClient::connect(broker.local_addr()).await;
    create_topic(&mut client, "t").await;
    let good = batch(&["a"], 1, None);
    let mut flipped = good.clone();
    *flipped.last_mut().expect("byte") ^= 1;
    assert_eq!(produce(&mut client, "t", flipped).await.0, 2, "corrupt");
    assert_eq!(produce(&mut client, "t", good[..30].to_vec()).await.0, 2, "cut");
    let mut old = good.clone();
    old[16] = 1;
    assert_eq!(produce(&mut client, "t", old).await.0, 43, "old format");
    assert_eq!(produce(&mut client, "t", [good.clone(), good.clone()].concat()).await.0, 87, "two batches");
    let large = "x".repeat(11 * 1024 * 1024);
    assert_eq!(produce(&mut client, "t", batch(&[&large], 1, None)).await.0, 10, "too large");
    assert_eq!(produce(&mut client, "no-such-topic", good.clone()).await.0, 3, "unknown topic");
    assert_eq!(produce(&mut client, "t", good).await, (0, 0));
    broker.shutdown().await;
}

#[tokio::test]
async fn transactional_producers_are_refused() {
    let (broker, _dir) = fresh().await;
    let mut client = RawClient::connect(broker.local_addr()).await;
    let request = InitProducerIdRequest::default().with_transactional_id(Some(text("tx").into()));
    assert_eq!(client.call(1, &request).await.error_code, 53);
    let answer =
        client.call(3, &FindCoordinatorRequest::default().with_key(text("tx")).with_key_type(1)).await;
    assert_eq!(answer.error_code, 53);
    assert_eq!(answer.error_message.as_deref(), Some("transactions are not supported"));
    broker.shutdown().await;
}

#[tokio::test]
async fn times_find_offsets() {
    let (broker, _dir) = fresh().await;
    let mut client = RawClient::connect(broker.local_addr()).await;
    create_topic(&mut client, "t").await;
    for timestamp in [1000, 2000, 3000] {
        produce(&mut client, "t", batch(&["a", "b"], timestamp, None)).await;
    }
    let expected = [(-2, 0), (-1, 6), (0, 0), (1001, 2), (2000, 2), (3000, 4), (3001, -1), (-3, 5)];
    for (timestamp, expected) in expected {
        let found = if timestamp == -3 {
            let partition = list_offsets_request::ListOffsetsPartition::default().with_timestamp(-3);
            let topic = list_offsets_request::ListOffsetsTopic::default()
                .with_name(text("t").into())
                .with_partitions(vec![partition]);
            let answer = client.call(7, &ListOffsetsRequest::default().with_topics(vec![topic])).await;
            answer.topics[0].partitions[0].offset
        } else {
            offset(&mut client, "t", timestamp).await
        };
        assert_eq!(found, expected, "at {timestamp}");
    }
    broker.shutdown().await;
}

#[tokio::test]
async fn every_flush_policy_stores_and_finds_records_again() {
    let policies = [
        FlushPolicy::BeforeAck,
        FlushPolicy::OperatingSystem,
        FlushPolicy::Background(std::time::Duration::ZERO),
    ];
    for policy in policies {
        let dir = tempfile::tempdir().expect("directory");
        let mut settings = config(dir.path());
        settings.flush = policy;
        for round in 0..2 {
            let broker = start(settings.clone()).await;
            let mut client = RawClient::connect(broker.local_addr()).await;
            create_topic(&mut client, "t").await;
            for i in 0..10 {
                assert_eq!(produce(&mut client, "t", batch(&["a"], 1, None)).await, (0, round * 10 + i));
            }
            broker.shutdown().await;
        }
    }
}
