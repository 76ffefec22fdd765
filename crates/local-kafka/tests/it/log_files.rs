//! What the broker finds in its files again.

use std::fs;
use std::path::{Path, PathBuf};

use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::{CreateTopicsRequest, DeleteRecordsRequest};

use crate::broker::{config, start};
use crate::produce::{batch, offset, produce};
use crate::wire::{RawClient, create_topic, text};

/// All segment files below a directory, by offset.
fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(dir).expect("directory").map(|e| e.expect("entry").path()) {
            if entry.is_dir() {
                todo.push(entry);
            } else if entry.extension().is_some_and(|e| e == "log") {
                found.push(entry);
            }
        }
    }
    found.sort();
    found
}

/// Creates topic `t` with one setting.
async fn create_with(client: &mut RawClient, name: &str, value: &str) {
    let config = CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)));
    let topic = CreatableTopic::default()
        .with_name(text("t").into())
        .with_num_partitions(1)
        .with_replication_factor(1)
        .with_configs(vec![config]);
    let answer = client.call(4, &CreateTopicsRequest::default().with_topics(vec![topic])).await;
    assert_eq!(answer.topics[0].error_code, 0, "{:?}", answer.topics[0].error_message);
}

#[tokio::test]
async fn a_torn_tail_is_cut_at_every_length() {
    let dir = tempfile::tempdir().expect("directory");
    let broker = start(config(dir.path())).await;
    let mut client = RawClient::connect(broker.local_addr()).await;
    create_topic(&mut client, "t").await;
    let one = batch(&["a", "b"], 1, None);
    for _ in 0..3 {
        produce(&mut client, "t", one.clone()).await;
    }
    broker.shutdown().await;
    let file = segments(dir.path()).pop().expect("segment");
    let whole = fs::read(&file).expect("content");
    assert_eq!(whole.len(), one.len() * 3);
    for keep in [one.len() * 3 - 1, one.len() * 2 + 61, one.len() * 2 + 5, one.len() + 1, one.len(), 3] {
        fs::write(&file, &whole[..keep]).expect("cut");
        let broker = start(config(dir.path())).await;
        let mut client = RawClient::connect(broker.local_addr()).await;
        let intact = (keep / one.len()) as i64 * 2;
        assert_eq!(offset(&mut client, "t", -1).await, intact, "{keep} bytes kept");
        assert_eq!(produce(&mut client, "t", one.clone()).await, (0, intact));
        broker.shutdown().await;
    }
}

#[tokio::test]
async fn garbage_behind_the_last_batch_and_flipped_bits_in_it_are_cut() {
    let dir = tempfile::tempdir().expect("directory");
    let broker = start(config(dir.path())).await;
    let mut client = RawClient::connect(broker.local_addr()).await;
    create_topic(&mut client, "t").await;
    let one = batch(&["a"], 1, None);
    for _ in 0..3 {
        produce(&mut client, "t", one.clone()).await;
    }
    broker.shutdown().await;
    let file = segments(dir.path()).pop().expect("segment");
    let whole = fs::read(&file).expect("content");
    let mut flipped = whole.clone();
    *flipped.last_mut().expect("byte") ^= 0x40;
    for (content, end) in [([whole.clone(), vec![0; 500]].concat(), 3), (flipped, 2)] {
        fs::write(&file, content).expect("damage");
        let broker = start(config(dir.path())).await;
        let mut client = RawClient::connect(broker.local_addr()).await;
        assert_eq!(offset(&mut client, "t", -1).await, end);
        broker.shutdown().await;
    }
}

#[tokio::test]
async fn segments_roll_and_are_found_again_with_and_without_their_seals() {
    let dir = tempfile::tempdir().expect("directory");
    let broker = start(config(dir.path())).await;
    let mut client = RawClient::connect(broker.local_addr()).await;
    create_with(&mut client, "segment.bytes", "4096").await;
    let value = "x".repeat(1000);
    for i in 0..20 {
        let sequence = Some((77, 0, i));
        assert_eq!(
            produce(&mut client, "t", batch(&[&value], i64::from(i) * 10, sequence)).await,
            (0, i64::from(i))
        );
    }
    broker.shutdown().await;
    assert!(segments(dir.path()).len() >= 5);
    for keep_seals in [true, false] {
        for segment in segments(dir.path()).iter().filter(|_| !keep_seals) {
            let _ = fs::remove_file(segment.with_extension("seal"));
        }
        let broker = start(config(dir.path())).await;
        let mut client = RawClient::connect(broker.local_addr()).await;
        assert_eq!(offset(&mut client, "t", -1).await, 20);
        assert_eq!(offset(&mut client, "t", 95).await, 10);
        assert_eq!(
            produce(&mut client, "t", batch(&[&value], 190, Some((77, 0, 19)))).await,
            (0, 19),
            "duplicate"
        );
        broker.shutdown().await;
    }
}

#[tokio::test]
async fn deleted_records_stay_deleted_and_offsets_go_on() {
    let dir = tempfile::tempdir().expect("directory");
    let broker = start(config(dir.path())).await;
    let mut client = RawClient::connect(broker.local_addr()).await;
    create_with(&mut client, "segment.bytes", "4096").await;
    let value = "x".repeat(1000);
    for i in 0..20 {
        produce(&mut client, "t", batch(&[&value], i, None)).await;
    }
    for (before, first) in [(7, 7), (3, 7), (-1, 20)] {
        let partition = DeleteRecordsPartition::default().with_offset(before);
        let topic =
            DeleteRecordsTopic::default().with_name(text("t").into()).with_partitions(vec![partition]);
        let answer = client.call(1, &DeleteRecordsRequest::default().with_topics(vec![topic])).await;
        let partition = &answer.topics[0].partitions[0];
        assert_eq!((partition.error_code, partition.low_watermark), (0, first), "before {before}");
        assert_eq!(offset(&mut client, "t", -2).await, first);
    }
    broker.shutdown().await;
    let broker = start(config(dir.path())).await;
    let mut client = RawClient::connect(broker.local_addr()).await;
    assert_eq!((offset(&mut client, "t", -2).await, offset(&mut client, "t", -1).await), (20, 20));
    assert_eq!(produce(&mut client, "t", batch(&["y"], 1, None)).await, (0, 20));
    broker.shutdown().await;
}

#[tokio::test]
async fn retention_deletes_old_segments_and_keeps_offsets() {
    for (name, value) in [("retention.ms", "1000"), ("retention.bytes", "2500")] {
        let dir = tempfile::tempdir().expect("directory");
        let mut settings = config(dir.path());
        settings.topic_defaults.segment_bytes = 2048;
        let broker = start(settings.clone()).await;
        let mut client = RawClient::connect(broker.local_addr()).await;
        create_with(&mut client, name, value).await;
        let record = "x".repeat(1000);
        for _ in 0..10 {
            produce(&mut client, "t", batch(&[&record], 1, None)).await;
        }
        broker.shutdown().await;
        // The first round of retention runs when the broker starts.
        let broker = start(settings.clone()).await;
        let mut client = RawClient::connect(broker.local_addr()).await;
        // A segment holds one batch of 1077 bytes; deleting an eighth would leave less than retention.bytes.
        let expected = if name == "retention.ms" { 10 } else { 7 };
        crate::broker::soon(async {
            while offset(&mut client, "t", -2).await < expected {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(offset(&mut client, "t", -1).await, 10);
        broker.shutdown().await;
        let broker = start(settings).await;
        let mut client = RawClient::connect(broker.local_addr()).await;
        assert_eq!(offset(&mut client, "t", -2).await, expected, "{name}");
        assert_eq!(produce(&mut client, "t", batch(&["y"], i64::MAX / 2, None)).await, (0, 10));
        broker.shutdown().await;
    }
}
