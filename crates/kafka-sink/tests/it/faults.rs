//! Brokers that die, move and stall while messages are sent.

use std::time::Duration;

use kafka_sink::{Producer, ProducerConfig, TopicAdmin, TopicSpec};
use real_kafka::Version;

use crate::broker::{Fate, config, read, start};

/// Messages that are sent around each fault.
const MESSAGES: usize = 4_000;
/// Partitions.
const PARTITIONS: usize = 3;
/// Longest wait for one acknowledgement.
const ACK_LIMIT: Duration = Duration::from_secs(60);
/// How long a broker is frozen: longer than a request's pause, shorter than its session.
const FROZEN: Duration = Duration::from_secs(2);

#[test]
fn leaders_that_die_and_move_lose_and_reorder_nothing() {
    let Some(mut broker) = start(Version::V4, |settings| {
        settings.brokers = 3;
        settings.properties = vec!["min.insync.replicas=2".to_owned()];
    }) else {
        return;
    };
    let config = ProducerConfig { ..config(&broker.cluster.bootstrap()) };
    let admin = TopicAdmin::new(&config).expect("a connection");
    let spec = TopicSpec { partitions: Some(3), replication_factor: 3, auto_create: true };
    assert_eq!(admin.ensure("moved", spec).expect("a topic"), 3);
    let (fate, told) = Fate::new();
    let producer = Producer::new(&config, || {}).expect("a producer");
    let mut sent = 0;
    let mut send = |count: usize| {
        for number in sent..sent + count {
            let partition = i32::try_from(number % PARTITIONS).expect("small");
            let value = number.to_string();
            producer
                .send("moved", partition, Some(&[]), value.as_bytes(), std::sync::Arc::clone(&fate))
                .expect("queued");
        }
        sent += count;
    };
    // Broker 1 is the controller of this small cluster and stays; the others lead two of the partitions.
    send(MESSAGES);
    broker.cluster.kill(1);
    send(MESSAGES);
    broker.cluster.restart(1).expect("it comes back");
    broker.cluster.stop(2);
    send(MESSAGES);
    broker.cluster.restart(2).expect("it comes back");
    broker.cluster.pause(1, true);
    send(MESSAGES);
    std::thread::sleep(FROZEN);
    broker.cluster.pause(1, false);
    send(MESSAGES);
    for index in 0..sent {
        let fate =
            told.recv_timeout(ACK_LIMIT).unwrap_or_else(|_| panic!("{index} of {sent} are acknowledged"));
        fate.expect("nothing is lost");
    }
    assert_eq!(fate.count(), sent);
    producer.close();
    for partition in 0..PARTITIONS {
        let expected: Vec<_> =
            (partition..sent).step_by(PARTITIONS).map(|n| n.to_string().into_bytes()).collect();
        let number = i32::try_from(partition).expect("small");
        let values = read(&broker.cluster.bootstrap(), "moved", number, expected.len());
        assert!(values == expected, "partition {partition}: other messages or another order");
    }
}
