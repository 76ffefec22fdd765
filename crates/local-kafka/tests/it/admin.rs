//! Administration by librdkafka.

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::FutureProducer;

use crate::broker::{PATIENCE, config, soon, start};
use crate::clients::{client, send};

/// The value of a topic setting.
async fn setting(admin: &AdminClient<DefaultClientContext>, topic: &str, name: &str) -> Option<String> {
    let specifiers = [ResourceSpecifier::Topic(topic)];
    let described = soon(admin.describe_configs(&specifiers, &AdminOptions::new())).await.expect("answer");
    let resource = described.into_iter().next().expect("resource").expect("described");
    resource.get(name).and_then(|e| e.value.clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_are_created_changed_and_deleted() {
    let dir = tempfile::tempdir().expect("directory");
    let broker = start(config(dir.path())).await;
    let admin: AdminClient<DefaultClientContext> = client(broker.local_addr()).create().expect("admin");
    let options = AdminOptions::new();
    let topic = NewTopic::new("t", 2, TopicReplication::Fixed(1)).set("max.message.bytes", "5000");
    let created = soon(admin.create_topics([&topic], &options)).await.expect("answer");
    assert_eq!(created, [Ok("t".to_owned())]);
    let again = soon(admin.create_topics([&topic], &options)).await.expect("answer");
    assert_eq!(again, [Err(("t".to_owned(), RDKafkaErrorCode::TopicAlreadyExists))]);
    for (bad, code) in [
        (NewTopic::new("a b", 1, TopicReplication::Fixed(1)), RDKafkaErrorCode::InvalidTopic),
        (NewTopic::new("u", 1, TopicReplication::Fixed(3)), RDKafkaErrorCode::InvalidReplicationFactor),
        (NewTopic::new("u", 1, TopicReplication::Fixed(1)).set("x", "y"), RDKafkaErrorCode::InvalidConfig),
    ] {
        let refused = soon(admin.create_topics([&bad], &options)).await.expect("answer");
        assert_eq!(refused, [Err((bad.name.to_owned(), code))]);
    }
    let grown = soon(admin.create_partitions([&NewPartitions::new("t", 5)], &options)).await.expect("answer");
    assert_eq!(grown, [Ok("t".to_owned())]);
    assert_eq!(setting(&admin, "t", "max.message.bytes").await.as_deref(), Some("5000"));
    let change = AlterConfig::new(ResourceSpecifier::Topic("t")).set("retention.ms", "7");
    soon(admin.alter_configs([&change], &options)).await.expect("answer");
    assert_eq!(setting(&admin, "t", "retention.ms").await.as_deref(), Some("7"));
    broker.shutdown().await;

    let broker = start(config(dir.path())).await;
    let admin: AdminClient<DefaultClientContext> = client(broker.local_addr()).create().expect("admin");
    assert_eq!(setting(&admin, "t", "retention.ms").await.as_deref(), Some("7"));
    let metadata =
        tokio::task::block_in_place(|| admin.inner().fetch_metadata(Some("t"), PATIENCE)).expect("metadata");
    assert_eq!(metadata.topics()[0].partitions().len(), 5);
    let producer: FutureProducer = client(broker.local_addr()).create().expect("producer");
    send(&producer, "t", 4, 10).await;
    let deleted = soon(admin.delete_topics(&["t", "no"], &options)).await.expect("answer");
    let unknown = RDKafkaErrorCode::UnknownTopicOrPartition;
    assert_eq!(deleted, [Ok("t".to_owned()), Err(("no".to_owned(), unknown))]);
    broker.shutdown().await;
    let left = std::fs::read_dir(dir.path().join("topics")).expect("directory").count();
    assert_eq!(left, 0, "files of a deleted topic are gone");
}
