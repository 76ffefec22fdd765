//! Starts brokers for tests.

use std::path::Path;
use std::time::Duration;

use local_kafka::{KafkaConfig, Running};
use tempfile::TempDir;

/// Longest time a test waits for something which should happen soon.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Settings of a broker on a free port of localhost.
pub(crate) fn config(dir: &Path) -> KafkaConfig {
    KafkaConfig::new(([127, 0, 0, 1], 0).into(), dir)
}

/// A broker with an empty directory.
pub(crate) async fn fresh() -> (Running, TempDir) {
    let dir = tempfile::tempdir().expect("directory");
    (start(config(dir.path())).await, dir)
}

/// A broker with these settings.
pub(crate) async fn start(config: KafkaConfig) -> Running {
    local_kafka::start(config).await.expect("broker starts")
}

/// Fails if `work` takes too long.
pub(crate) async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("in time")
}
