//! Topics: limits, replicas, and brokers that don't let us ask.

use std::process::Command;
use std::sync::Arc;

use kafka_sink::{Login, Producer, ProducerConfig, SaslConfig, SinkError, TopicAdmin, TopicSpec};
use real_kafka::{PASSWORD, USER, Version};

use crate::broker::{Broker, Fate, LIMIT, config, send_one, start};

/// A new topic with two partitions.
const SPEC: TopicSpec = TopicSpec { partitions: Some(2), replication_factor: 1, auto_create: true };

/// Runs one of Kafka's tools.
fn tool(broker: &Broker, class: &str, arguments: &str) {
    let mut command: Command = broker.cluster.installation().tool(class, "-Xmx256m");
    command.args(["--bootstrap-server", &broker.cluster.bootstrap()]).args(arguments.split(' '));
    let output = command.output().expect("the tool starts");
    assert!(output.status.success(), "{arguments}: {output:?}");
}

#[test]
fn what_cannot_be_written_is_not_created_and_limits_are_followed() {
    let Some(broker) = start(Version::V4, |settings| {
        settings.properties = vec!["min.insync.replicas=2".to_owned(), "message.max.bytes=20000".to_owned()];
    }) else {
        return;
    };
    let config = config(&broker.cluster.bootstrap());
    let admin = TopicAdmin::new(&config).expect("a connection");
    let error = admin.ensure("unwritable", SPEC).expect_err("one replica of two");
    assert_eq!(error.code(), "CDC:ErrKafkaInvalidConfig");
    assert!(error.to_string().contains("min.insync.replicas"), "{error}");
    let weak = TopicAdmin::new(&ProducerConfig { required_acks: 1, ..config.clone() }).expect("a connection");
    assert_eq!(weak.ensure("weak", SPEC).expect("the leader alone acknowledges"), 2);

    assert_eq!(admin.max_message_bytes("weak"), Some(20_000));
    let weak = ProducerConfig { required_acks: 1, ..config };
    let error = send_one(&weak, "weak", &[b'x'; 30_000]).expect_err("too large for the topic");
    assert!(matches!(error, SinkError::MessageTooLarge(_)), "{error}");
    let raise = "--alter --entity-type topics --entity-name weak --add-config max.message.bytes=50000";
    tool(&broker, "kafka.admin.ConfigCommand", raise);
    assert_eq!(admin.max_message_bytes("weak"), Some(50_000));
    send_one(&weak, "weak", &[b'x'; 30_000]).expect("the limit was raised");
}

#[test]
fn without_rights_to_describe_and_create_the_given_options_are_taken() {
    let Some(broker) = start(Version::V4, |settings| {
        settings.sasl = true;
        settings.properties = vec![
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer".to_owned(),
            "super.users=User:ANONYMOUS".to_owned(),
        ];
    }) else {
        return;
    };
    let sasl = SaslConfig {
        mechanism: "SCRAM-SHA-256".to_owned(),
        user: USER.to_owned(),
        password: PASSWORD.to_owned(),
    };
    let limited = ProducerConfig { login: Some(Login::Password(sasl)), ..config(&broker.cluster.sasl()) };
    let admin = TopicAdmin::new(&limited).expect("a connection");
    // Nothing is allowed: the topic counts as there.
    assert_eq!(admin.ensure("hidden", SPEC).expect("assumed"), 2);
    assert_eq!(admin.max_message_bytes("hidden"), None);
    // Writing is allowed, asking for the configuration is not.
    let one = "--create --topic open --partitions 4 --replication-factor 1";
    tool(&broker, "org.apache.kafka.tools.TopicCommand", one);
    let allow = format!("--add --force --allow-principal User:{USER} --operation Write --topic open");
    tool(&broker, "org.apache.kafka.tools.AclCommand", &allow);
    assert_eq!(admin.ensure("open", SPEC).expect("the first two of four"), 2);
    assert_eq!(admin.max_message_bytes("open"), None);
    send_one(&limited, "open", b"allowed").expect("written");
}

#[test]
fn new_partitions_are_seen_and_can_be_written_to_at_once() {
    let Some(broker) = start(Version::V4, |_| ()) else { return };
    let config = config(&broker.cluster.bootstrap());
    let admin = TopicAdmin::new(&config).expect("a connection");
    assert_eq!(admin.ensure("growing", SPEC).expect("a topic"), 2);
    let (fate, told) = Fate::new();
    let producer = Producer::new(&config, || {}).expect("a producer");
    let send = |partition: i32| {
        producer.send("growing", partition, Some(&[]), b"x", Arc::clone(&fate))?;
        told.recv_timeout(LIMIT).expect("the fate of a message")
    };
    send(1).expect("written");
    assert_eq!(producer.count_partitions("growing"), Some(2));
    assert_eq!(producer.count_partitions("missing"), None);
    tool(&broker, "org.apache.kafka.tools.TopicCommand", "--alter --topic growing --partitions 5");
    assert_eq!(producer.count_partitions("growing"), Some(5));
    send(4).expect("written to a new partition");
    // The default topic keeps what was asked for, other topics are used as they are.
    assert_eq!(admin.ensure("growing", SPEC).expect("there"), 2);
    assert_eq!(admin.ensure_any("growing", SPEC).expect("there"), 5);
    producer.close();
}
