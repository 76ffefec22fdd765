//! Kafka's own console tools against the embedded broker: the Java client, from the same jars as the original broker.

use std::net::SocketAddr;
use std::process::Stdio;

use real_kafka::{Installation, Version};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::broker::{fresh, soon};

/// Heap of a tool.
const HEAP: &str = "-Xmx256m";
/// Codecs of the producer.
const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
/// Messages of the verifiable programs.
const MESSAGES: usize = 500;

/// The tools, and the broker that they talk to.
struct Tools {
    /// The jars.
    installation: Installation,
    /// Address of the broker.
    broker: SocketAddr,
}

impl Tools {
    /// Runs a tool that must succeed; returns what it prints.
    async fn run(&self, class: &str, arguments: &str, input: &str) -> String {
        let mut command = Command::from(self.installation.tool(class, HEAP));
        command.args(["--bootstrap-server", &self.broker.to_string()]).args(arguments.split(' '));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("java starts");
        let mut stdin = child.stdin.take().expect("stdin is piped");
        // A tool that does not read its input closes it.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = soon(child.wait_with_output()).await.expect("output");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{class} {arguments}: {text}\n{errors}");
        text
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_java_tools_administer_produce_and_consume() {
    let found =
        tokio::task::block_in_place(|| Installation::for_test(env!("CARGO_TARGET_TMPDIR"), Version::V4));
    let Some(installation) = found.expect("Kafka's jars") else { return };
    let (broker, _dir) = fresh().await;
    let tools = Tools { installation, broker: broker.local_addr() };
    let topics = "org.apache.kafka.tools.TopicCommand";
    tools.run(topics, "--create --topic made --partitions 3 --replication-factor 1", "").await;
    assert_eq!(tools.run(topics, "--list", "").await.trim(), "made");
    let described = tools.run(topics, "--describe --topic made", "").await;
    assert!(described.contains("PartitionCount: 3"), "{described}");
    tools.run(topics, "--alter --topic made --partitions 4", "").await;
    let described = tools.run(topics, "--describe --topic made", "").await;
    assert!(described.contains("PartitionCount: 4"), "{described}");

    let mut sent = Vec::new();
    for codec in CODECS {
        let lines: Vec<_> = (0..20).map(|number| format!("{codec} {number} größe")).collect();
        let arguments = format!("--topic made --compression-codec {codec}");
        tools.run("org.apache.kafka.tools.ConsoleProducer", &arguments, &(lines.join("\n") + "\n")).await;
        sent.extend(lines);
    }
    let arguments = format!("--topic made --group readers --from-beginning --max-messages {}", sent.len());
    let read = tools.run("org.apache.kafka.tools.consumer.ConsoleConsumer", &arguments, "").await;
    let mut read: Vec<_> = read.lines().map(str::to_owned).collect();
    read.sort();
    sent.sort();
    assert_eq!(read, sent);

    let groups = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
    let listed = tools.run(groups, "--list", "").await;
    assert!(listed.lines().any(|line| line.trim() == "readers"), "{listed}");
    let described = tools.run(groups, "--describe --group readers", "").await;
    let lag: Vec<_> = described
        .lines()
        .filter(|line| line.starts_with("readers"))
        .map(|line| line.split_whitespace().nth(5).unwrap_or_default())
        .collect();
    assert_eq!(lag, ["0"; 4], "{described}");
    tools.run(groups, "--reset-offsets --group readers --topic made --to-earliest --execute", "").await;
    tools.run(groups, "--delete --group readers", "").await;
    let listed = tools.run(groups, "--list", "").await;
    assert!(!listed.contains("readers"), "{listed}");

    let arguments = format!("--topic made --max-messages {MESSAGES} --acks -1");
    let produced = tools.run("org.apache.kafka.tools.VerifiableProducer", &arguments, "").await;
    assert_eq!(produced.matches("producer_send_success").count(), MESSAGES, "{produced}");
    let arguments =
        format!("--topic made --group-id verifiable --max-messages {MESSAGES} --reset-policy earliest");
    let consumed = tools.run("org.apache.kafka.tools.VerifiableConsumer", &arguments, "").await;
    assert!(consumed.contains("records_consumed") && consumed.contains("offsets_committed"), "{consumed}");
    tools.run(topics, "--delete --topic made", "").await;
    assert_eq!(tools.run(topics, "--list", "").await.trim(), "");
    broker.shutdown().await;
}
