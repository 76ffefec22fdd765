//! The local stack: every service in this process, talking over loopback as they would between machines.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use capture::{Access, BuildInfo, CaptureConfig};
use clap::ValueEnum;
use jiff::tz::TimeZone;
use tikv_client::Security;

use crate::failure::Failure;
use crate::logging::SetLevel;
use crate::server::DEFAULT_MEMORY_QUOTA;
use crate::version::{COMPATIBLE_VERSION, GIT_HASH};

/// Life of the capture's registration: short, since nobody else waits for it, and a killed stack is back quickly.
const SESSION_TTL: Duration = Duration::from_secs(5);
/// How long starting waits for the election of the capture's owner.
const ELECTION_TIMEOUT: Duration = Duration::from_secs(10);
/// Life of the GC safepoint, seconds.
const GC_TTL_SECONDS: u64 = 86_400;

/// A service of the stack, in the order in which they start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub(crate) enum Service {
    /// Placement driver: timestamps, regions, metadata.
    Pd,
    /// Key-value store.
    Tikv,
    /// SQL.
    Tidb,
    /// Message broker.
    Kafka,
    /// Change data capture.
    Capture,
}

impl Service {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [Self::Pd, Self::Tikv, Self::Tidb, Self::Kafka, Self::Capture];

    /// Name for people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pd => "pd",
            Self::Tikv => "tikv",
            Self::Tidb => "tidb",
            Self::Kafka => "kafka",
            Self::Capture => "capture",
        }
    }
}

/// Ports of the services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ports {
    /// MySQL protocol.
    pub(crate) sql: u16,
    /// PD: gRPC, etcd and HTTP.
    pub(crate) pd: u16,
    /// TiKV.
    pub(crate) kv: u16,
    /// HTTP API of the capture.
    pub(crate) capture: u16,
    /// Kafka.
    pub(crate) kafka: u16,
}

impl Ports {
    /// The usual ports.
    pub(crate) const USUAL: Self = Self { sql: 4000, pd: 2379, kv: 20160, capture: 8300, kafka: 9092 };

    /// The usual ports plus `offset`.
    pub(crate) fn with_offset(offset: u16) -> Result<Self, Failure> {
        let add = |port: u16| {
            let too_large =
                || Failure::new(format!("--port-offset {offset}: port {port} + {offset} is above 65535"));
            port.checked_add(offset).ok_or_else(too_large)
        };
        let usual = Self::USUAL;
        Ok(Self {
            sql: add(usual.sql)?,
            pd: add(usual.pd)?,
            kv: add(usual.kv)?,
            capture: add(usual.capture)?,
            kafka: add(usual.kafka)?,
        })
    }

    /// Ports that the system picks.
    pub(crate) fn free() -> Self {
        Self { sql: 0, pd: 0, kv: 0, capture: 0, kafka: 0 }
    }
}

/// What to start.
pub(crate) struct StackConfig {
    /// Address to listen on.
    pub(crate) host: IpAddr,
    /// Ports; zero lets the system pick.
    pub(crate) ports: Ports,
    /// Folder of all data.
    pub(crate) data_dir: PathBuf,
    /// Which services to start.
    pub(crate) services: Vec<Service>,
    /// Approximate size of a region at which it is split, bytes.
    pub(crate) region_split_size: Option<u64>,
    /// How often the store sends resolved timestamps, milliseconds.
    pub(crate) resolved_ts_interval_ms: Option<u64>,
    /// Zone of TIMESTAMP values in messages.
    pub(crate) time_zone: String,
    /// Changes the log level.
    pub(crate) set_log_level: SetLevel,
}

/// Services that run.
pub(crate) struct Stack {
    /// Address to connect to.
    host: IpAddr,
    /// Ports in use.
    ports: Ports,
    /// Placement driver.
    pd: Option<local_pd::Running>,
    /// Key-value store.
    tikv: Option<local_tikv::Running>,
    /// SQL.
    tidb: Option<local_tidb::Running>,
    /// Broker.
    kafka: Option<local_kafka::Running>,
    /// Capture.
    capture: Option<capture::Running>,
}

/// The advice for a port that someone else has.
fn taken(service: Service, addr: SocketAddr) -> Failure {
    Failure::new(format!(
        "port {} of {} is already in use on {}: stop the process that has it, or start with --port-offset N",
        addr.port(),
        service.name(),
        addr.ip()
    ))
}

/// Any other failure of a service.
fn failed(service: Service, error: &dyn std::error::Error) -> Failure {
    let mut text = format!("{} does not start: {error}", service.name());
    let mut source = error.source();
    while let Some(cause) = source {
        if !text.contains(&cause.to_string()) {
            text.push_str(&format!(": {cause}"));
        }
        source = cause.source();
    }
    Failure::new(text)
}

impl Stack {
    /// Starts the services in order. What was started is stopped again if a later one fails.
    pub(crate) async fn start(config: StackConfig) -> Result<Self, Failure> {
        std::fs::create_dir_all(&config.data_dir)
            .map_err(|e| Failure::new(format!("--data-dir {}: {e}", config.data_dir.display())))?;
        let mut stack = Self {
            host: config.host,
            ports: config.ports,
            pd: None,
            tikv: None,
            tidb: None,
            kafka: None,
            capture: None,
        };
        for service in Service::ALL {
            if config.services.contains(&service)
                && let Err(failure) = stack.start_service(service, &config).await
            {
                stack.shutdown().await;
                return Err(failure);
            }
        }
        Ok(stack)
    }

    /// Starts one service.
    async fn start_service(&mut self, service: Service, config: &StackConfig) -> Result<(), Failure> {
        let dir = config.data_dir.join(service.name());
        match service {
            Service::Pd => {
                let addr = SocketAddr::new(config.host, config.ports.pd);
                let running =
                    local_pd::start(local_pd::PdConfig::new(addr, dir)).await.map_err(
                        |error| match error {
                            local_pd::StartError::AddressInUse { addr, .. } => taken(service, addr),
                            other => failed(service, &other),
                        },
                    )?;
                self.ports.pd = running.local_addr().port();
                self.pd = Some(running);
            }
            Service::Tikv => {
                let addr = SocketAddr::new(config.host, config.ports.kv);
                let mut settings = local_tikv::TikvConfig::new(addr, self.pd_url(), dir);
                if let Some(size) = config.region_split_size {
                    settings.region_split_size = size;
                }
                if let Some(interval) = config.resolved_ts_interval_ms {
                    settings.resolved_ts_interval = Duration::from_millis(interval.max(1));
                }
                let running = local_tikv::start(settings).await.map_err(|error| match error {
                    local_tikv::StartError::AddressInUse { addr } => taken(service, addr),
                    other => failed(service, &other),
                })?;
                self.ports.kv = running.local_addr().port();
                self.tikv = Some(running);
            }
            Service::Tidb => {
                let addr = SocketAddr::new(config.host, config.ports.sql);
                let settings = local_tidb::TidbConfig::new(addr, self.pd_url());
                let running = local_tidb::start(settings).await.map_err(|error| match error {
                    local_tidb::StartError::Listen(mysql_server::StartError::AddressInUse { addr }) => {
                        taken(service, addr)
                    }
                    other => failed(service, &other),
                })?;
                self.ports.sql = running.local_addr().port();
                self.tidb = Some(running);
            }
            Service::Kafka => {
                let addr = SocketAddr::new(config.host, config.ports.kafka);
                let running =
                    local_kafka::start(local_kafka::KafkaConfig::new(addr, dir)).await.map_err(|error| {
                        match error {
                            local_kafka::StartError::AddressInUse { addr } => taken(service, addr),
                            other => failed(service, &other),
                        }
                    })?;
                self.ports.kafka = running.local_addr().port();
                self.kafka = Some(running);
            }
            Service::Capture => {
                let running =
                    capture::start(self.capture_config(config, dir)?).await.map_err(|error| match error {
                        capture::StartError::AddressInUse { addr } => taken(service, addr),
                        other => failed(service, &other),
                    })?;
                self.ports.capture = running.local_addr().port();
                if tokio::time::timeout(ELECTION_TIMEOUT, running.ready()).await.is_err() {
                    tracing::warn!(
                        "the capture has no owner yet; changefeeds start as soon as one is elected"
                    );
                }
                self.capture = Some(running);
            }
        }
        Ok(())
    }

    /// Settings of the capture: those of `cdc server` with the ports of the stack.
    fn capture_config(&self, config: &StackConfig, data_dir: PathBuf) -> Result<CaptureConfig, Failure> {
        let time_zone = TimeZone::get(&config.time_zone).map_err(|e| {
            Failure::new(format!("--tz {}: {e}; use an IANA name such as Asia/Tokyo", config.time_zone))
        })?;
        let addr = SocketAddr::new(config.host, config.ports.capture);
        let advertise_addr = (config.host.is_unspecified() && config.ports.capture != 0)
            .then(|| format!("{}:{}", self.reachable(), config.ports.capture));
        Ok(CaptureConfig {
            addr,
            advertise_addr,
            pd: vec![self.pd_url()],
            security: Security::none(),
            access: Access::default(),
            cluster_id: "default".to_owned(),
            data_dir,
            gc_ttl_seconds: GC_TTL_SECONDS,
            time_zone,
            session_ttl: SESSION_TTL,
            memory_quota: DEFAULT_MEMORY_QUOTA,
            build: BuildInfo {
                compatible_version: COMPATIBLE_VERSION.to_owned(),
                git_hash: GIT_HASH.to_owned(),
            },
            set_log_level: config.set_log_level.clone(),
        })
    }

    /// An address that the services can be reached at from this machine.
    fn reachable(&self) -> IpAddr {
        if self.host.is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { self.host }
    }

    /// URL of the placement driver.
    fn pd_url(&self) -> String {
        format!("http://{}", SocketAddr::new(self.reachable(), self.ports.pd))
    }

    /// Ports in use.
    pub(crate) fn ports(&self) -> Ports {
        self.ports
    }

    /// How to connect to each service.
    pub(crate) fn how_to_connect(&self) -> String {
        let host = self.reachable();
        let Ports { sql, pd, kv, capture, kafka } = self.ports;
        let mut lines = Vec::new();
        let mut line = |on: bool, text: String| {
            if on {
                lines.push(text)
            }
        };
        line(self.tidb.is_some(), format!("SQL      mysql -h {host} -P {sql} -u root"));
        line(self.kafka.is_some(), format!("Kafka    {host}:{kafka}"));
        line(
            self.capture.is_some(),
            format!("Capture  http://{host}:{capture}  (cdc cli --server=http://{host}:{capture} …)"),
        );
        line(self.pd.is_some(), format!("PD       http://{host}:{pd}"));
        line(self.tikv.is_some(), format!("TiKV     {host}:{kv}"));
        line(
            self.capture.is_some() && self.kafka.is_some(),
            format!(
                "\nSend changes to Kafka and watch them arrive:\n  tidegate cli changefeed create --server=http://{host}:{capture} \
                 --sink-uri=\"kafka://{host}:{kafka}/tidb-test?protocol=canal-json\" --changefeed-id=simple-replication-task\n  \
                 tidegate consume --brokers {host}:{kafka} --topic tidb-test --from-beginning"
            ),
        );
        lines.join("\n")
    }

    /// Stops the services: those that write first, those that others need last.
    pub(crate) async fn shutdown(self) {
        if let Some(tidb) = self.tidb {
            tidb.shutdown().await;
        }
        if let Some(capture) = self.capture {
            capture.shutdown().await;
        }
        if let Some(kafka) = self.kafka {
            kafka.shutdown().await;
        }
        if let Some(tikv) = self.tikv {
            tikv.shutdown().await;
        }
        if let Some(pd) = self.pd {
            pd.shutdown().await;
        }
    }
}
