//! `cdc server`: a capture for an existing cluster.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use capture::{BuildInfo, CaptureConfig};
use changefeed_config::{Effect, special_keys, strict_toml, validate_cluster_id};
use clap::Args;
use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::failure::Failure;
use crate::logging;
use crate::server_access::{SecurityFlags, SecuritySection, redact, security};
use crate::server_keys::SERVER_KEYS;
use crate::version::{COMPATIBLE_VERSION, GIT_HASH};

/// Default memory of all changefeeds, bytes.
pub(crate) const DEFAULT_MEMORY_QUOTA: usize = 512 << 20;
/// Default folder of the process' data, as TiCDC has it.
const DEFAULT_DATA_DIR: &str = "/tmp/cdc_data";
/// Default life of the registration, seconds.
const DEFAULT_SESSION_TTL: u64 = 10;
/// Shortest life of the registration, seconds.
const MIN_SESSION_TTL: u64 = 5;
/// Default life of the GC safepoint, seconds.
const DEFAULT_GC_TTL: u64 = 86_400;

/// Flags of the server.
#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    /// Listening address [default: 127.0.0.1:8300].
    #[arg(long)]
    addr: Option<String>,
    /// Address for clients and other captures.
    #[arg(long)]
    advertise_addr: Option<String>,
    /// PD endpoints, several separated by ',' [default: http://127.0.0.1:2379].
    #[arg(long)]
    pd: Option<String>,
    /// Id of the cluster of captures [default: default].
    #[arg(long)]
    cluster_id: Option<String>,
    /// Folder for data of the process.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Life of the GC safepoint, seconds [default: 86400].
    #[arg(long)]
    gc_ttl: Option<u64>,
    /// Time zone in which TIMESTAMP values are written [default: System].
    #[arg(long)]
    tz: Option<String>,
    /// Log file.
    #[arg(long)]
    log_file: Option<String>,
    /// Log level: debug, info, warn, error [default: info].
    #[arg(long)]
    log_level: Option<String>,
    /// Configuration file (TOML).
    #[arg(long)]
    config: Option<PathBuf>,
    /// CA certificate; with --cert and --key also of callers of the API, which is encrypted then.
    #[arg(long)]
    ca: Option<String>,
    /// Certificate.
    #[arg(long)]
    cert: Option<String>,
    /// Private key.
    #[arg(long)]
    key: Option<String>,
    /// Common names of callers' certificates that are let in, several separated by ','.
    #[arg(long)]
    cert_allowed_cn: Option<String>,
    /// Accepted for compatibility: there is one architecture.
    #[arg(short = 'x', long)]
    newarch: bool,
}

/// The keys of the server's TOML file that mean something here; [`SERVER_KEYS`] has them all.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct ServerFile {
    addr: Option<String>,
    advertise_addr: Option<String>,
    pd: Option<String>,
    cluster_id: Option<String>,
    data_dir: Option<PathBuf>,
    gc_ttl: Option<u64>,
    tz: Option<String>,
    log_file: Option<String>,
    log_level: Option<String>,
    capture_session_ttl: Option<u64>,
    memory_quota: Option<u64>,
    security: Option<SecuritySection>,
}

/// A sentence for each key of the file that has no effect; a key that can't be honoured is an error.
fn without_effect(file: &serde_json::Value) -> Result<Vec<String>, Failure> {
    let mut sentences = Vec::new();
    for key in special_keys(file, SERVER_KEYS) {
        match key.effect {
            Effect::Works => {}
            Effect::Nothing(reason) => sentences.push(format!("{} has no effect: {reason}", key.path)),
            Effect::Refused(reason) => {
                return Err(Failure::new(format!(
                    "{} is not supported: {reason}; remove it (COMPAT.md lists what is supported)",
                    key.path
                )));
            }
        }
    }
    Ok(sentences)
}

/// Reads the file, with sentences about keys without effect; unknown keys are errors.
fn read_file(path: Option<&PathBuf>) -> Result<(ServerFile, Vec<String>), Failure> {
    let Some(path) = path else { return Ok((ServerFile::default(), Vec::new())) };
    let text = std::fs::read_to_string(path)
        .map_err(|e| Failure::new(format!("cannot read the configuration file {}: {e}", path.display())))?;
    let (file, written) =
        strict_toml(&text, SERVER_KEYS, "server", &path.display().to_string()).map_err(Failure::new)?;
    Ok((file, without_effect(&written)?))
}

/// A time zone by name; "", `System` and `local` mean that of the host.
pub(crate) fn time_zone(name: &str) -> Result<TimeZone, Failure> {
    match name.to_lowercase().as_str() {
        "" | "system" | "local" => Ok(TimeZone::system()),
        _ => TimeZone::get(name)
            .map_err(|e| Failure::new(format!("--tz {name}: {e}; use an IANA name such as Asia/Tokyo"))),
    }
}

/// Makes settings of flags and file; flags win.
fn settings(
    args: ServerArgs,
    set_log_level: impl FnOnce(&str, Option<&str>) -> Result<logging::SetLevel, Failure>,
) -> Result<CaptureConfig, Failure> {
    let (file, without_effect) = read_file(args.config.as_ref())?;
    let level = args.log_level.or(file.log_level.clone()).unwrap_or_else(|| "info".to_owned());
    let set_log_level = set_log_level(&level, args.log_file.as_deref().or(file.log_file.as_deref()))?;
    for sentence in without_effect {
        tracing::warn!("configuration file: {sentence}");
    }
    let mut section = file.security.unwrap_or_default();
    redact(section.redact_info_log.take())?;
    let (security, access) = security(
        SecurityFlags { ca: args.ca, cert: args.cert, key: args.key, allowed: args.cert_allowed_cn },
        section,
    )?;
    let addr = args.addr.or(file.addr).unwrap_or_else(|| "127.0.0.1:8300".to_owned());
    let addr: SocketAddr = resolve(&addr)?;
    let advertise_addr = args.advertise_addr.or(file.advertise_addr);
    check_advertised(advertise_addr.as_deref(), addr)?;
    let pd = args.pd.or(file.pd).unwrap_or_else(|| "http://127.0.0.1:2379".to_owned());
    let pd: Vec<String> = pd.split(',').map(|url| url.trim().to_owned()).collect();
    if let Some(bad) = pd.iter().find(|url| !url.starts_with("http://") && !url.starts_with("https://")) {
        return Err(Failure::new(format!("--pd {bad:?}: PD endpoint should be a valid http or https URL")));
    }
    let cluster_id = args.cluster_id.or(file.cluster_id).unwrap_or_else(|| "default".to_owned());
    validate_cluster_id(&cluster_id)?;
    let gc_ttl_seconds = args.gc_ttl.or(file.gc_ttl).unwrap_or(DEFAULT_GC_TTL);
    if gc_ttl_seconds == 0 {
        return Err(Failure::new("--gc-ttl 0: empty GC TTL is not allowed; the default is 86400"));
    }
    let session_ttl = file.capture_session_ttl.unwrap_or(DEFAULT_SESSION_TTL).max(MIN_SESSION_TTL);
    let data_dir = match args.data_dir.or(file.data_dir) {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => {
            eprintln!(
                "[WARN] TiCDC server data-dir is not set. Please use `cdc server --data-dir` to start the cdc server if possible."
            );
            PathBuf::from(DEFAULT_DATA_DIR)
        }
    };
    Ok(CaptureConfig {
        addr,
        advertise_addr,
        pd,
        security,
        access,
        cluster_id,
        data_dir,
        gc_ttl_seconds,
        time_zone: time_zone(args.tz.or(file.tz).as_deref().unwrap_or("System"))?,
        session_ttl: Duration::from_secs(session_ttl),
        memory_quota: memory_quota(file.memory_quota),
        build: BuildInfo { compatible_version: COMPATIBLE_VERSION.to_owned(), git_hash: GIT_HASH.to_owned() },
        set_log_level,
    })
}

/// Memory of all changefeeds, bytes; as for a changefeed, 0 stands for the default.
fn memory_quota(set: Option<u64>) -> usize {
    match set {
        None | Some(0) => DEFAULT_MEMORY_QUOTA,
        Some(bytes) => usize::try_from(bytes).unwrap_or(usize::MAX),
    }
}

/// An address that may hold a host name.
fn resolve(addr: &str) -> Result<SocketAddr, Failure> {
    use std::net::ToSocketAddrs;
    let mut found = addr
        .to_socket_addrs()
        .map_err(|e| Failure::new(format!("--addr {addr:?}: {e}; use host:port, such as 127.0.0.1:8300")))?;
    found.next().ok_or_else(|| Failure::new(format!("--addr {addr:?}: the host has no address")))
}

/// Others must be able to reach the advertised address.
fn check_advertised(advertised: Option<&str>, addr: SocketAddr) -> Result<(), Failure> {
    let Some(text) = advertised else {
        return if addr.ip().is_unspecified() {
            Err(Failure::new("--advertise-addr must be given when --addr listens on every address"))
        } else {
            Ok(())
        };
    };
    let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
    let unspecified = host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_unspecified());
    if port.parse::<u16>().is_err() || host.is_empty() || unspecified {
        return Err(Failure::new(format!(
            "--advertise-addr {text:?}: use host:port that others can reach, such as ticdc:8300"
        )));
    }
    Ok(())
}

/// Runs the server until a signal comes.
pub(crate) async fn run(args: ServerArgs) -> Result<(), Failure> {
    let config = settings(args, logging::start)?;
    let running = capture::start(config).await?;
    wait_for_signal().await;
    running.shutdown().await;
    Ok(())
}

/// Waits for SIGINT or SIGTERM.
pub(crate) async fn wait_for_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        },
        Err(error) => {
            tracing::warn!(%error, "no SIGTERM handler; Ctrl-C stops the process");
            if let Err(error) = tokio::signal::ctrl_c().await {
                tracing::warn!(%error, "no Ctrl-C handler");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_quota_is_512_mib_unless_the_file_says_otherwise() {
        let quota = |text: &str| {
            let (file, _) = read(text).expect("valid");
            memory_quota(file.memory_quota)
        };
        assert_eq!(quota(""), 536_870_912);
        assert_eq!(quota("memory-quota = 0"), 536_870_912);
        assert_eq!(quota("memory-quota = 1048576"), 1_048_576);
    }

    /// Reads a file with this text.
    fn read(text: &str) -> Result<(ServerFile, Vec<String>), String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("server.toml");
        std::fs::write(&path, text).expect("a file");
        read_file(Some(&path)).map_err(|failure| match failure {
            Failure::Message(text) => text,
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn unknown_keys_are_refused_on_every_level() {
        for (text, key, nearest) in [
            ("gc_ttl = 1", "gc_ttl", Some("gc-ttl")),
            ("[log.file]\nmax-sise = 1", "log.file.max-sise", Some("log.file.max-size")),
            ("[security]\nca-pth = 'x'", "security.ca-pth", Some("security.ca-path")),
            ("frobnicate = 1", "frobnicate", None),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(&format!("unknown configuration options: {key}")), "{error}");
            match nearest {
                Some(nearest) => {
                    assert!(error.ends_with(&format!("did you mean {nearest} for {key}?")), "{error}")
                }
                None => assert!(error.ends_with(key), "{error}"),
            }
        }
    }

    #[test]
    fn keys_without_effect_are_told_with_the_reason() {
        let (file, told) =
            read("addr = '127.0.0.1:1'\nnewarch = true\n[log.file]\nmax-size = 3\n[debug.puller]\nx = 1\n")
                .expect("valid");
        assert_eq!(file.addr.as_deref(), Some("127.0.0.1:1"));
        let keys: Vec<&str> = told.iter().filter_map(|text| text.split(' ').next()).collect();
        assert_eq!(keys, ["newarch", "log.file.max-size", "debug"]);
    }
}
