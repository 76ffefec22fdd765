//! A cluster that runs.

use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::certificates::Certificates;
use crate::error::KafkaError;
use crate::install::{Installation, run};
use crate::probe;
use crate::process::Server;
use crate::settings::{self, BrokerPorts, CLUSTER_ID, PASSWORD, Settings, USER};

/// Largest heap of a server.
const HEAP: &str = "-Xmx512m";
/// Largest heap of a tool.
const TOOL_HEAP: &str = "-Xmx256m";
/// First and last of the ports to choose from: above those of outgoing connections (`ip_local_port_range` of Linux).
const OWN_PORTS: (u16, u16) = (61_000, 65_535);

/// A cluster that runs; it is killed when dropped.
#[derive(Debug)]
pub struct Cluster {
    /// The jars.
    installation: Installation,
    /// What it is like.
    settings: Settings,
    /// Ports by broker.
    ports: Vec<BrokerPorts>,
    /// ZooKeeper.
    zookeeper: Option<Server>,
    /// Brokers; `None` while killed.
    brokers: Vec<Option<Server>>,
    /// Certificates, with TLS.
    certificates: Option<Certificates>,
    /// Not to be killed when dropped.
    detached: bool,
}

/// The port that is tried next. Clusters of one process have none in common, not even while a broker is dead.
static NEXT_PORT: Mutex<Option<u16>> = Mutex::new(None);

/// Ports that nobody listens on. The system gives none of them to outgoing connections: a broker that was killed finds its
/// own free when it comes back.
fn free_ports(count: usize) -> Result<Vec<u16>, KafkaError> {
    let failed = |source| KafkaError::Start { program: "a listener on a free port".to_owned(), source };
    let listen = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let (first, last) = OWN_PORTS;
    let mut next = NEXT_PORT.lock().unwrap_or_else(PoisonError::into_inner);
    let start = match *next {
        Some(port) => port,
        // The system chooses ports at random: processes begin at different places.
        None => {
            let random = listen(0).and_then(|listener| listener.local_addr()).map_err(failed)?.port();
            first + random % (last - first)
        }
    };
    let round = (start..=last).chain(first..start);
    // All are held until the last is known.
    let held: Vec<_> = round.filter_map(|port| Some((port, listen(port).ok()?))).take(count).collect();
    if held.len() < count {
        return Err(failed(std::io::ErrorKind::AddrInUse.into()));
    }
    *next = held.last().map(|(port, _)| if *port == last { first } else { port + 1 });
    Ok(held.into_iter().map(|(port, _)| port).collect())
}

/// A wanted port that is free, or any free one for zero.
fn port(wanted: u16, free: &mut impl Iterator<Item = u16>) -> Result<u16, KafkaError> {
    if wanted == 0 {
        return free.next().ok_or_else(|| KafkaError::Settings("no free port is left".to_owned()));
    }
    TcpListener::bind((Ipv4Addr::LOCALHOST, wanted)).map_err(|source| KafkaError::Start {
        program: format!("a server on port {wanted} (choose another one; 0 takes a free one)"),
        source,
    })?;
    Ok(wanted)
}

impl Cluster {
    /// Starts ZooKeeper if it is wanted, then brokers, and waits until each answers and knows all the others.
    pub fn start(installation: Installation, settings: Settings) -> Result<Self, KafkaError> {
        if settings.zookeeper && settings.version != crate::Version::V3_9 {
            return Err(KafkaError::Settings("Kafka 4 has no ZooKeeper; use 3.9 or leave it out".to_owned()));
        }
        if settings.brokers == 0 {
            return Err(KafkaError::Settings("a cluster has at least one broker".to_owned()));
        }
        std::fs::create_dir_all(&settings.folder).map_err(KafkaError::file(&settings.folder))?;
        let certificates = settings.tls.then(|| Certificates::make(&settings.folder)).transpose()?;
        let mut free = free_ports(1 + 6 * settings.brokers)?.into_iter();
        let mut ports = Vec::new();
        for index in 0..settings.brokers {
            let wanted = if index == 0 { settings.port } else { 0 };
            let mut listener = |on: bool| if on { port(0, &mut free) } else { Ok(0) };
            ports.push(BrokerPorts {
                controller: listener(index == 0 && !settings.zookeeper)?,
                tls: listener(settings.tls)?,
                mutual: listener(settings.tls)?,
                sasl: listener(settings.sasl)?,
                sasl_tls: listener(settings.sasl && settings.tls)?,
                plain: port(wanted, &mut free)?,
            });
        }
        let mut cluster = Self {
            brokers: ports.iter().map(|_| None).collect(),
            installation,
            settings,
            ports,
            zookeeper: None,
            certificates,
            detached: false,
        };
        let metadata = cluster.start_metadata(&mut free)?;
        cluster.configure(&metadata)?;
        for index in 0..cluster.brokers.len() {
            cluster.launch(index)?;
        }
        for index in 0..cluster.brokers.len() {
            cluster.wait(index)?;
        }
        if cluster.settings.sasl {
            for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
                cluster.add_user(mechanism)?;
            }
        }
        Ok(cluster)
    }

    /// Where metadata is: starts ZooKeeper if it is there.
    fn start_metadata(&mut self, free: &mut impl Iterator<Item = u16>) -> Result<String, KafkaError> {
        if !self.settings.zookeeper {
            let controller = self.ports.first().map_or(0, |ports| ports.controller);
            return Ok(format!("1@127.0.0.1:{controller}"));
        }
        let port = port(self.settings.zookeeper_port, free)?;
        let path = self.settings.folder.join("zookeeper.properties");
        std::fs::write(&path, settings::zookeeper(&self.settings, port)).map_err(KafkaError::file(&path))?;
        let mut command = self.server("org.apache.zookeeper.server.quorum.QuorumPeerMain");
        let mut server = Server::start(&self.settings.folder, "zookeeper", command.arg(path))?;
        let ready = server.wait(|| probe::zookeeper(port));
        self.zookeeper = Some(server);
        ready.map(|()| format!("127.0.0.1:{port}"))
    }

    /// Writes every broker's configuration, and formats KRaft's storage where there is none yet.
    fn configure(&self, metadata: &str) -> Result<(), KafkaError> {
        for (id, ports) in (1..).zip(&self.ports) {
            let path = self.properties(id);
            let text = settings::broker(&self.settings, id, *ports, metadata, self.certificates.as_ref());
            std::fs::write(&path, text).map_err(KafkaError::file(&path))?;
            if !self.settings.zookeeper {
                let mut format = self.installation.tool("kafka.tools.StorageTool", TOOL_HEAP);
                format.args(["format", "--ignore-formatted", "--cluster-id", CLUSTER_ID, "--config"]);
                run(format.arg(path))?;
            }
        }
        Ok(())
    }

    /// Path of a broker's configuration.
    fn properties(&self, id: usize) -> std::path::PathBuf {
        self.settings.folder.join(format!("broker-{id}.properties"))
    }

    /// A server's command without arguments.
    fn server(&self, class: &str) -> Command {
        let mut command = Command::new("java");
        command.args([HEAP, "-Xms64m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]);
        if self.settings.for_throughput {
            command.arg("-XX:+UseG1GC");
        } else {
            command.args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        }
        command.arg("-cp").arg(self.installation.class_path()).arg(class);
        command
    }

    /// Starts a broker's process.
    fn launch(&mut self, index: usize) -> Result<(), KafkaError> {
        let id = index + 1;
        let mut command = self.server("kafka.Kafka");
        let server =
            Server::start(&self.settings.folder, &format!("broker-{id}"), command.arg(self.properties(id)))?;
        if let Some(slot) = self.brokers.get_mut(index) {
            *slot = Some(server);
        }
        Ok(())
    }

    /// Waits until a broker knows every broker that runs.
    fn wait(&mut self, index: usize) -> Result<(), KafkaError> {
        let port = self.ports.get(index).map_or(0, |ports| ports.plain);
        let all = self.brokers.iter().flatten().count();
        match self.brokers.get_mut(index) {
            Some(Some(server)) => server.wait(|| probe::brokers(port).is_some_and(|known| known >= all)),
            _ => Ok(()),
        }
    }

    /// Makes the user known for a SCRAM mechanism.
    fn add_user(&self, mechanism: &str) -> Result<(), KafkaError> {
        let mut command = self.installation.tool("kafka.admin.ConfigCommand", TOOL_HEAP);
        command.args(["--bootstrap-server", &self.bootstrap(), "--alter", "--entity-type", "users"]);
        command.args(["--entity-name", USER, "--add-config"]);
        run(command.arg(format!("{mechanism}=[iterations=4096,password={PASSWORD}]"))).map(|_| ())
    }

    /// The jars.
    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    /// Addresses of one kind of listener, separated by commas.
    fn addresses(&self, port: impl Fn(&BrokerPorts) -> u16) -> String {
        let all: Vec<String> = self.ports.iter().map(|ports| format!("127.0.0.1:{}", port(ports))).collect();
        all.join(",")
    }

    /// Plaintext addresses.
    pub fn bootstrap(&self) -> String {
        self.addresses(|ports| ports.plain)
    }

    /// Addresses with TLS.
    pub fn tls(&self) -> String {
        self.addresses(|ports| ports.tls)
    }

    /// Addresses that want a client's certificate.
    pub fn mutual_tls(&self) -> String {
        self.addresses(|ports| ports.mutual)
    }

    /// Addresses with SASL.
    pub fn sasl(&self) -> String {
        self.addresses(|ports| ports.sasl)
    }

    /// Addresses with SASL over TLS.
    pub fn sasl_tls(&self) -> String {
        self.addresses(|ports| ports.sasl_tls)
    }

    /// Certificates, with TLS.
    pub fn certificates(&self) -> Option<&Certificates> {
        self.certificates.as_ref()
    }

    /// Kills a broker without a warning; brokers count from zero.
    pub fn kill(&mut self, index: usize) {
        if let Some(mut server) = self.brokers.get_mut(index).and_then(Option::take) {
            server.kill();
        }
    }

    /// Stops a broker in order: it hands its partitions over.
    pub fn stop(&mut self, index: usize) {
        if let Some(mut server) = self.brokers.get_mut(index).and_then(Option::take) {
            server.stop();
        }
    }

    /// Starts a broker again, with the data that is there, and waits until it is ready.
    pub fn restart(&mut self, index: usize) -> Result<(), KafkaError> {
        self.launch(index)?;
        self.wait(index)
    }

    /// Runs one of Kafka's tools against the cluster; returns what it prints.
    pub fn tool(&self, class: &str, arguments: &[&str]) -> Result<String, KafkaError> {
        let mut command = self.installation.tool(class, TOOL_HEAP);
        run(command.args(["--bootstrap-server", &self.bootstrap()]).args(arguments))
    }

    /// Lets the files of a broker grow no further than so many bytes: to the broker its disk is full from then on. Its
    /// next life has no such limit.
    pub fn fill_disk(&self, index: usize, bytes: u64) -> Result<(), KafkaError> {
        let Some(Some(server)) = self.brokers.get(index) else { return Ok(()) };
        let mut command = Command::new("prlimit");
        command.args(["--pid", &server.pid().to_string(), &format!("--fsize={bytes}:{bytes}")]);
        run(&mut command).map(|_| ())
    }

    /// True while the process of a broker runs.
    pub fn runs(&mut self, index: usize) -> bool {
        self.brokers.get_mut(index).and_then(Option::as_mut).is_some_and(Server::runs)
    }

    /// Freezes a broker, or lets it go on.
    pub fn pause(&self, index: usize, paused: bool) {
        if let Some(Some(server)) = self.brokers.get(index) {
            server.pause(paused);
        }
    }

    /// Lets it run on after this value is gone; [`crate::stop_all`] stops it.
    pub fn detach(mut self) {
        self.detached = true;
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if !self.detached {
            for server in self.brokers.iter_mut().flatten().chain(&mut self.zookeeper) {
                server.kill();
            }
        }
    }
}
