//! Every key of the server's configuration file, and what it does here.

use changefeed_config::Key;

/// Why keys about timers do nothing.
const EVENTS: &str = "nothing polls: work starts when there is something to do";
/// Why keys about log files do nothing.
const LOG: &str = "rotation of the log file is left to logrotate and the like";
/// Why keys about memory and threads do nothing.
const TUNING: &str = "memory follows from memory-quota, threads from the number of cores";
/// Why keys of TiCDC's own parts do nothing.
const PARTS: &str = "it sets up a part that only TiCDC has";

/// The keys.
pub(crate) const SERVER_KEYS: &[Key] = &[
    Key::works("addr"),
    Key::works("advertise-addr"),
    Key::works("pd"),
    Key::works("cluster-id"),
    Key::works("data-dir"),
    Key::works("gc-ttl"),
    Key::works("tz"),
    Key::works("log-file"),
    Key::works("log-level"),
    Key::works("capture-session-ttl"),
    Key::works("memory-quota"),
    Key::works("security.ca-path"),
    Key::works("security.cert-path"),
    Key::works("security.key-path"),
    Key::works("security.cert-allowed-cn"),
    Key::works("security.mtls"),
    Key::works("security.client-user-required"),
    Key::works("security.client-allowed-user"),
    Key::works("security.redact-info-log"),
    Key::nothing("newarch", "there is one architecture"),
    Key::nothing("owner-flush-interval", EVENTS),
    Key::nothing("processor-flush-interval", EVENTS),
    Key::nothing("gc-tuner-memory-threshold", TUNING),
    Key::nothing("memory-limit-percentage", TUNING),
    Key::nothing("log.file.max-size", LOG),
    Key::nothing("log.file.max-days", LOG),
    Key::nothing("log.file.max-backups", LOG),
    Key::nothing("log.error-output", LOG),
    Key::nothing("sorter.cache-size-in-mb", TUNING),
    Key::nothing("sorter.sort-dir", "runs are kept in data-dir"),
    Key::nothing("sorter.max-memory-percentage", TUNING),
    Key::nothing("sorter.max-memory-consumption", TUNING),
    Key::nothing("sorter.num-workerpool-goroutine", TUNING),
    Key::nothing("sorter.num-concurrent-worker", TUNING),
    Key::nothing("sorter.chunk-size-limit", TUNING),
    Key::nothing("kv-client.enable-multiplexing", TUNING),
    Key::nothing("kv-client.worker-concurrent", TUNING),
    Key::nothing("kv-client.grpc-stream-concurrent", TUNING),
    Key::nothing("kv-client.advance-interval-in-ms", EVENTS),
    Key::nothing("kv-client.frontier-concurrent", TUNING),
    Key::nothing("kv-client.worker-pool-size", TUNING),
    Key::nothing("kv-client.region-scan-limit", TUNING),
    Key::nothing("kv-client.region-retry-duration", TUNING),
    // Whole sections: their keys change with every release of TiCDC.
    Key::nothing("debug", PARTS),
];
