//! What a cluster is like, and the configuration files that follow from it.

use std::fmt::Write;
use std::path::PathBuf;

use crate::certificates::Certificates;
use crate::install::Version;

/// User that may log in where SASL is on.
pub const USER: &str = "tide";
/// The user's password.
pub const PASSWORD: &str = "gate-secret";
/// Id of every KRaft cluster: any 16 bytes in base64.
pub(crate) const CLUSTER_ID: &str = "dGlkZWdhdGUta2Fma2EtMQ";

/// What a cluster is like.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Release line.
    pub version: Version,
    /// Metadata in ZooKeeper instead of KRaft.
    pub zookeeper: bool,
    /// Number of brokers; the first is the controller too.
    pub brokers: usize,
    /// Listeners with TLS: one that takes any client, one that wants a client's certificate.
    pub tls: bool,
    /// A listener with SASL (and one with SASL and TLS, if TLS is on): PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, and
    /// OAUTHBEARER with tokens that nobody signed.
    pub sasl: bool,
    /// Port of the first broker's plaintext listener; zero for a free one.
    pub port: u16,
    /// Port of ZooKeeper; zero for a free one.
    pub zookeeper_port: u16,
    /// Folder of configuration, data and logs.
    pub folder: PathBuf,
    /// Lines that are added to every broker's configuration.
    pub properties: Vec<String>,
    /// Compile for throughput; otherwise for a quick start.
    pub for_throughput: bool,
}

impl Settings {
    /// One broker on a free port.
    pub fn new(version: Version, folder: impl Into<PathBuf>) -> Self {
        Self {
            version,
            zookeeper: version == Version::V3_9,
            brokers: 1,
            tls: false,
            sasl: false,
            port: 0,
            zookeeper_port: 0,
            folder: folder.into(),
            properties: Vec::new(),
            for_throughput: false,
        }
    }
}

/// Ports of one broker. Zero: no such listener.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct BrokerPorts {
    /// Plaintext; brokers talk to each other here.
    pub(crate) plain: u16,
    /// KRaft's controller.
    pub(crate) controller: u16,
    /// TLS.
    pub(crate) tls: u16,
    /// TLS with a client's certificate.
    pub(crate) mutual: u16,
    /// SASL.
    pub(crate) sasl: u16,
    /// SASL over TLS.
    pub(crate) sasl_tls: u16,
}

/// ZooKeeper's configuration.
pub(crate) fn zookeeper(settings: &Settings, port: u16) -> String {
    format!(
        "dataDir={}\nclientPort={port}\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\nmaxClientCnxns=0\n\
         4lw.commands.whitelist=srvr\n",
        settings.folder.join("zookeeper").display()
    )
}

/// The configuration of a broker; `id` counts from one.
pub(crate) fn broker(
    settings: &Settings,
    id: usize,
    ports: BrokerPorts,
    metadata: &str,
    certificates: Option<&Certificates>,
) -> String {
    let mut text = String::new();
    let mut line = |args: std::fmt::Arguments<'_>| {
        // Writing to a string can't fail.
        let _ = writeln!(text, "{args}");
    };
    let listeners = [
        ("PLAIN", ports.plain, "PLAINTEXT"),
        ("TLS", ports.tls, "SSL"),
        ("MUTUAL", ports.mutual, "SSL"),
        ("SASL", ports.sasl, "SASL_PLAINTEXT"),
        ("SASLTLS", ports.sasl_tls, "SASL_SSL"),
    ];
    let used = listeners.iter().filter(|(_, port, _)| *port != 0);
    let mut all: Vec<String> = used.map(|(name, port, _)| format!("{name}://127.0.0.1:{port}")).collect();
    line(format_args!("advertised.listeners={}", all.join(",")));
    let mut protocols: Vec<String> =
        listeners.iter().map(|(name, _, protocol)| format!("{name}:{protocol}")).collect();
    if settings.zookeeper {
        line(format_args!("broker.id={id}\nzookeeper.connect={metadata}"));
    } else {
        let roles = if id == 1 { "broker,controller" } else { "broker" };
        if id == 1 {
            all.push(format!("CONTROLLER://127.0.0.1:{}", ports.controller));
        }
        protocols.push("CONTROLLER:PLAINTEXT".to_owned());
        line(format_args!("process.roles={roles}\nnode.id={id}\ncontroller.quorum.voters={metadata}"));
        line(format_args!("controller.listener.names=CONTROLLER"));
    }
    line(format_args!("listeners={}\nlistener.security.protocol.map={}", all.join(","), protocols.join(",")));
    line(format_args!("inter.broker.listener.name=PLAIN"));
    line(format_args!("log.dirs={}", settings.folder.join(format!("broker-{id}")).display()));
    let replicas = settings.brokers.min(3);
    line(format_args!("offsets.topic.replication.factor={replicas}\noffsets.topic.num.partitions=3"));
    line(format_args!("transaction.state.log.replication.factor={replicas}"));
    line(format_args!("transaction.state.log.min.isr=1\ngroup.initial.rebalance.delay.ms=0"));
    line(format_args!("auto.create.topics.enable=false"));
    if let Some(certificates) = certificates {
        line(format_args!("ssl.keystore.type=PEM\nssl.keystore.location={}", certificates.broker.display()));
        line(format_args!("ssl.truststore.type=PEM\nssl.truststore.location={}", certificates.ca.display()));
        line(format_args!("listener.name.mutual.ssl.client.auth=required"));
    }
    if settings.sasl {
        let module = "org.apache.kafka.common.security";
        for listener in ["sasl", "sasltls"] {
            let prefix = format!("listener.name.{listener}");
            line(format_args!(
                "{prefix}.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER"
            ));
            line(format_args!(
                "{prefix}.plain.sasl.jaas.config={module}.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";"
            ));
            line(format_args!(
                "{prefix}.oauthbearer.sasl.jaas.config={module}.oauthbearer.OAuthBearerLoginModule required \
                 unsecuredLoginStringClaim_sub=\"broker\";"
            ));
            for mechanism in ["scram-sha-256", "scram-sha-512"] {
                line(format_args!(
                    "{prefix}.{mechanism}.sasl.jaas.config={module}.scram.ScramLoginModule required;"
                ));
            }
        }
    }
    for property in &settings.properties {
        line(format_args!("{property}"));
    }
    text
}
