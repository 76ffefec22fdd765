//! Consumer groups under librdkafka.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use kafka_protocol::messages::{HeartbeatRequest, JoinGroupRequest, join_group_request};
use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::message::Message;
use rdkafka::producer::FutureProducer;
use rdkafka::{Offset, TopicPartitionList};

use crate::broker::{PATIENCE, config, fresh, soon, start};
use crate::clients::{client, close, group, send};
use crate::wire::{RawClient, create_topic, text};

/// A consumer which is driven in the background.
struct Driven {
    consumer: Arc<StreamConsumer>,
    task: tokio::task::JoinHandle<()>,
}

impl Driven {
    fn new(addr: SocketAddr, id: &str) -> Self {
        let consumer: StreamConsumer = group(addr, id).create().expect("consumer");
        consumer.subscribe(&["t"]).expect("subscribe");
        let consumer = Arc::new(consumer);
        let driven = Arc::clone(&consumer);
        let task = tokio::spawn(async move { while driven.recv().await.is_ok() {} });
        Self { consumer, task }
    }

    fn assigned(&self) -> BTreeSet<i32> {
        let assignment = self.consumer.assignment().expect("assignment");
        assignment.elements().iter().map(|e| e.partition()).collect()
    }

    /// Leaves the group.
    async fn leave(self) {
        self.task.abort();
        let _ = self.task.await;
        close(self.consumer).await;
    }
}

/// Waits for a condition which other tasks bring about.
async fn until(condition: impl Fn() -> bool) {
    soon(async {
        while !condition() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_move_as_members_come_and_go() {
    let dir = tempfile::tempdir().expect("directory");
    let mut settings = config(dir.path());
    settings.default_partitions = 4;
    let broker = start(settings).await;
    create_topic(&mut RawClient::connect(broker.local_addr()).await, "t").await;
    let all = BTreeSet::from([0, 1, 2, 3]);

    let first = Driven::new(broker.local_addr(), "g");
    until(|| first.assigned() == all).await;
    let second = Driven::new(broker.local_addr(), "g");
    until(|| first.assigned().len() == 2 && second.assigned().len() == 2).await;
    assert_eq!(&first.assigned() | &second.assigned(), all);
    first.leave().await;
    until(|| second.assigned() == all).await;
    second.leave().await;
    broker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn committed_offsets_survive_a_restart() {
    let dir = tempfile::tempdir().expect("directory");
    let broker = start(config(dir.path())).await;
    let producer: FutureProducer = client(broker.local_addr()).create().expect("producer");
    send(&producer, "t", 0, 100).await;
    let consumer: StreamConsumer =
        group(broker.local_addr(), "g").set("enable.auto.commit", "false").create().expect("consumer");
    consumer.subscribe(&["t"]).expect("subscribe");
    for _ in 0..40 {
        soon(consumer.recv()).await.expect("message");
    }
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset("t", 0, Offset::Offset(40)).expect("offset");
    tokio::task::block_in_place(|| consumer.commit(&offsets, CommitMode::Sync)).expect("committed");
    close(consumer).await;
    broker.shutdown().await;

    let broker = start(config(dir.path())).await;
    let consumer: StreamConsumer = group(broker.local_addr(), "g").create().expect("consumer");
    let committed =
        tokio::task::block_in_place(|| consumer.committed_offsets(offsets, PATIENCE)).expect("offsets");
    assert_eq!(committed.elements()[0].offset(), Offset::Offset(40));
    consumer.subscribe(&["t"]).expect("subscribe");
    assert_eq!(soon(consumer.recv()).await.expect("message").offset(), 40);
    let groups =
        tokio::task::block_in_place(|| consumer.fetch_group_list(Some("g"), PATIENCE)).expect("groups");
    assert_eq!(groups.groups()[0].members().len(), 1);
    close(consumer).await;
    broker.shutdown().await;
}

/// A JoinGroup of a member with one protocol.
fn join(member_id: &str) -> JoinGroupRequest {
    let protocol = join_group_request::JoinGroupRequestProtocol::default().with_name(text("range"));
    JoinGroupRequest::default()
        .with_group_id(text("g").into())
        .with_session_timeout_ms(60_000)
        .with_rebalance_timeout_ms(60_000)
        .with_member_id(text(member_id))
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol])
}

#[tokio::test]
async fn a_member_whose_connection_breaks_is_not_waited_for_until_its_session_ends() {
    let (broker, _dir) = fresh().await;
    let mut first = RawClient::connect(broker.local_addr()).await;
    assert_eq!(first.call(3, &join("")).await.error_code, 0);
    drop(first);
    let mut second = RawClient::connect(broker.local_addr()).await;
    // Far before the 60 s which the lost member asked for.
    let joined = second.call(3, &join("")).await;
    assert_eq!((joined.error_code, joined.members.len()), (0, 1));
    broker.shutdown().await;
}

#[tokio::test]
async fn a_new_member_first_gets_its_id() {
    let (broker, _dir) = fresh().await;
    let mut client = RawClient::connect(broker.local_addr()).await;
    let told = client.call(5, &join("")).await;
    assert_eq!(told.error_code, 79);
    let joined = client.call(5, &join(&told.member_id)).await;
    assert_eq!((joined.error_code, joined.member_id.clone()), (0, told.member_id));
    let heartbeat = HeartbeatRequest::default()
        .with_group_id(text("g").into())
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id);
    assert_eq!(client.call(3, &heartbeat).await.error_code, 0);
    assert_eq!(client.call(3, &heartbeat.with_generation_id(99)).await.error_code, 22);
    broker.shutdown().await;
}
