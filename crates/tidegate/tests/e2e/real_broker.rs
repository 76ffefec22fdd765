//! The original Kafka as the stack's broker.

use real_kafka::{Cluster, Installation, KafkaError, Settings, Version};
use tempfile::TempDir;
use tokio::task::block_in_place;

use crate::stack::{Ports, Stack};

/// A cluster of which the first broker has the port of the stack's broker.
pub(crate) struct RealBroker {
    /// The cluster. Its calls block: make them with [`RealBroker::run`].
    cluster: Cluster,
    /// Its files.
    _folder: TempDir,
}

impl RealBroker {
    /// Starts a cluster and a stack that uses it; `None` on a machine without Java or Maven.
    pub(crate) async fn with_stack(
        version: Version,
        adjust: impl FnOnce(&mut Settings),
    ) -> Option<(Self, Stack)> {
        let ports = Ports::free();
        let broker = Self::start(version, |settings| {
            settings.port = ports.kafka;
            adjust(settings);
        })?;
        Some((broker, Stack::start_on(ports, &["--without", "kafka"]).await))
    }

    /// Starts a cluster.
    pub(crate) fn start(version: Version, adjust: impl FnOnce(&mut Settings)) -> Option<Self> {
        block_in_place(|| {
            let installation =
                Installation::for_test(env!("CARGO_TARGET_TMPDIR"), version).expect("Kafka's jars")?;
            let folder = tempfile::Builder::new().prefix("tidegate-kafka-").tempdir().expect("a folder");
            let mut settings = Settings::new(version, folder.path());
            adjust(&mut settings);
            let cluster = Cluster::start(installation, settings).expect("Kafka starts");
            Some(Self { cluster, _folder: folder })
        })
    }

    /// Does something with the cluster.
    pub(crate) fn run<T>(&mut self, work: impl FnOnce(&mut Cluster) -> T) -> T {
        block_in_place(|| work(&mut self.cluster))
    }

    /// Runs one of Kafka's tools.
    ///
    /// # Panics
    /// If it fails.
    pub(crate) fn tool(&mut self, class: &str, arguments: &[&str]) -> String {
        self.try_tool(class, arguments).expect("the tool succeeds")
    }

    /// Runs one of Kafka's tools.
    pub(crate) fn try_tool(&mut self, class: &str, arguments: &[&str]) -> Result<String, KafkaError> {
        self.run(|cluster| cluster.tool(class, arguments))
    }
}
