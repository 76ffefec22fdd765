//! TLS, client certificates, SASL, and every codec, on both release lines.

use std::time::Duration;

use kafka_sink::{Compression, Login, ProducerConfig, SaslConfig, TlsConfig, TopicAdmin, TopicSpec};
use real_kafka::{Certificates, PASSWORD, USER, Version};

use crate::broker::{Broker, config, read, send_one, start};

/// A topic with one partition.
const SPEC: TopicSpec = TopicSpec { partitions: Some(1), replication_factor: 1, auto_create: true };
/// How long a connection that must not come about is tried.
const REFUSED: Duration = Duration::from_secs(4);

/// TLS that trusts the authority of the test; with the client's certificate if wanted.
fn tls(files: &Certificates, identity: bool) -> TlsConfig {
    let path = |path: &std::path::Path| path.to_string_lossy().into_owned();
    TlsConfig {
        ca: Some(path(&files.ca)),
        identity: identity.then(|| (path(&files.client), path(&files.client_key))),
        insecure_skip_verify: false,
    }
}

/// Credentials.
fn sasl(mechanism: &str, password: &str) -> Login {
    Login::Password(SaslConfig {
        mechanism: mechanism.to_owned(),
        user: USER.to_owned(),
        password: password.to_owned(),
    })
}

/// Makes a topic and sends a message, both with these settings; the message can be read.
fn works(broker: &Broker, config: &ProducerConfig, topic: &str) {
    let admin = TopicAdmin::new(config).expect("a connection");
    assert_eq!(admin.ensure(topic, SPEC).expect("a topic"), 1, "{topic}");
    send_one(config, topic, topic.as_bytes()).expect("sent");
    assert_eq!(read(&broker.cluster.bootstrap(), topic, 0, 1), [topic.as_bytes()]);
}

/// Nothing can be had with these settings.
fn is_refused(config: &ProducerConfig, what: &str) {
    let config = ProducerConfig { dial_timeout: REFUSED, ..config.clone() };
    let outcome = TopicAdmin::new(&config).and_then(|admin| admin.ensure("refused", SPEC));
    assert!(outcome.is_err(), "{what}: {outcome:?}");
}

/// Every way in, and the wrong keys to each.
fn every_listener(version: Version) {
    let Some(broker) = start(version, |settings| (settings.tls, settings.sasl) = (true, true)) else {
        return;
    };
    let cluster = &broker.cluster;
    let files = cluster.certificates().expect("certificates");
    let plain_tls = ProducerConfig { tls: Some(tls(files, false)), ..config(&cluster.tls()) };
    works(&broker, &plain_tls, "tls");
    let mutual = ProducerConfig { tls: Some(tls(files, true)), ..config(&cluster.mutual_tls()) };
    works(&broker, &mutual, "mutual");
    is_refused(&ProducerConfig { tls: Some(tls(files, false)), ..mutual }, "no client certificate");
    let system = TlsConfig::default();
    is_refused(&ProducerConfig { tls: Some(system.clone()), ..plain_tls.clone() }, "an unknown authority");
    let any = TlsConfig { insecure_skip_verify: true, ..system };
    works(&broker, &ProducerConfig { tls: Some(any), ..plain_tls }, "unverified");
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let bare = ProducerConfig { login: Some(sasl(mechanism, PASSWORD)), ..config(&cluster.sasl()) };
        works(&broker, &bare, mechanism);
        let both = ProducerConfig {
            tls: Some(tls(files, false)),
            login: Some(sasl(mechanism, PASSWORD)),
            ..config(&cluster.sasl_tls())
        };
        works(&broker, &both, &format!("{mechanism}-TLS"));
    }
    let wrong = sasl("SCRAM-SHA-512", "wrong");
    is_refused(&ProducerConfig { login: Some(wrong), ..config(&cluster.sasl()) }, "a wrong password");
    for (codec, name) in [
        (Compression::Gzip, "gzip"),
        (Compression::Snappy, "snappy"),
        (Compression::Lz4, "lz4"),
        (Compression::Zstd, "zstd"),
    ] {
        works(&broker, &ProducerConfig { compression: codec, ..config(&cluster.bootstrap()) }, name);
    }
}

#[test]
fn kafka_3_9_takes_every_credential_and_codec() {
    every_listener(Version::V3_9);
}

#[test]
fn kafka_4_takes_every_credential_and_codec() {
    every_listener(Version::V4);
}
