//! KafkaJS, kcat and the Java consumer read what the producer writes with each codec.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use kafka_sink::{Compression, Producer, ProducerConfig, TopicAdmin, TopicSpec};
use real_kafka::Version;

use crate::broker::{Broker, Fate, LIMIT, config, start};

/// Messages of each topic: several of a batch, so that it is worth compressing.
const MESSAGES: usize = 300;
/// Every codec.
const CODECS: [(Compression, &str); 5] = [
    (Compression::None, "none"),
    (Compression::Gzip, "gzip"),
    (Compression::Snappy, "snappy"),
    (Compression::Lz4, "lz4"),
    (Compression::Zstd, "zstd"),
];
/// A topic with one partition.
const SPEC: TopicSpec = TopicSpec { partitions: Some(1), replication_factor: 1, auto_create: true };

/// What is sent with a codec; some of it is larger than a block of lz4 or snappy.
fn values(codec: &str) -> Vec<String> {
    let long = |number: usize| if number == 7 { "größe ".repeat(40_000) } else { String::new() };
    (0..MESSAGES)
        .map(|number| format!("{{\"codec\":\"{codec}\",\"number\":{number},\"text\":\"{}\"}}", long(number)))
        .collect()
}

/// Sends the values.
fn send(config: &ProducerConfig, topic: &str, values: &[String]) {
    let (fate, told) = Fate::new();
    let producer = Producer::new(config, || {}).expect("a producer");
    for value in values {
        producer.send(topic, 0, Some(&[]), value.as_bytes(), Arc::clone(&fate)).expect("queued");
    }
    for _ in values {
        told.recv_timeout(LIMIT).expect("the fate of a message").expect("delivered");
    }
    producer.close();
}

/// Lines that a program prints which is killed after a while.
fn lines(command: &mut Command, what: &str) -> Vec<String> {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// The Java consumer.
fn java(broker: &Broker, topic: &str) -> Command {
    let mut command =
        broker.cluster.installation().tool("org.apache.kafka.tools.consumer.ConsoleConsumer", "-Xmx256m");
    command.args(["--bootstrap-server", &broker.cluster.bootstrap(), "--topic", topic, "--from-beginning"]);
    command.args(["--max-messages", &MESSAGES.to_string(), "--timeout-ms", "30000"]);
    command
}

/// kcat.
fn kcat(broker: &Broker, topic: &str) -> Command {
    let mut command = Command::new("kcat");
    command.args(["-b", &broker.cluster.bootstrap(), "-C", "-e", "-q", "-t", topic, "-o", "beginning"]);
    command
}

/// KafkaJS.
fn kafkajs(broker: &Broker, topic: &str) -> Command {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers");
    assert!(
        folder.join("node_modules/kafkajs").is_dir(),
        "the packages of tests/readers are not installed: `cargo xtask test --only tools` installs them"
    );
    let mut command = Command::new("node");
    command.arg("read.js").current_dir(folder);
    command.args([&broker.cluster.bootstrap(), topic, &MESSAGES.to_string()]);
    command
}

#[test]
fn every_client_reads_every_codec() {
    let Some(broker) = start(Version::V4, |_| ()) else { return };
    let brokers = broker.cluster.bootstrap();
    let admin = TopicAdmin::new(&config(&brokers)).expect("a connection");
    for (compression, name) in CODECS {
        let topic = format!("codec-{name}");
        admin.ensure(&topic, SPEC).expect("a topic");
        let values = values(name);
        send(&ProducerConfig { compression, ..config(&brokers) }, &topic, &values);
        for (what, command) in [
            ("kcat", kcat(&broker, &topic)),
            ("java", java(&broker, &topic)),
            ("kafkajs", kafkajs(&broker, &topic)),
        ] {
            let mut command = command;
            let read = lines(&mut command, &format!("{what} with {name}"));
            assert!(read == values, "{what} with {name}: {} messages, not those that were sent", read.len());
        }
    }
}
