//! Probes over HTTP and gRPC, and what all probes share.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde_json::Value;
use tikv_client::{ChannelPool, PdClient, Security};
use tikv_proto::kvrpcpb::GetRequest;
use tikv_proto::tikvpb::tikv_client::TikvClient;

/// Longest wait for the answer of one service.
pub(super) const PROBE_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait for the placement driver when it is only asked for the version of a store.
const VERSION_TIMEOUT: Duration = Duration::from_secs(1);

/// The version of a service that is up (if it told one), or why it is down.
pub(super) type Answer = Result<Option<String>, String>;

/// A probe, bounded.
pub(super) async fn within(probe: impl Future<Output = Answer>) -> Answer {
    match tokio::time::timeout(PROBE_TIMEOUT, probe).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("no answer within {} s", PROBE_TIMEOUT.as_secs())),
    }
}

/// The innermost cause of an error: the one that says what happened.
pub(super) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    match cause.downcast_ref::<std::io::Error>() {
        Some(io) => io_cause(io),
        None => cause.to_string(),
    }
}

/// What happened to a connection, without the number of the error.
pub(super) fn io_cause(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        std::io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        std::io::ErrorKind::UnexpectedEof => "connection closed without an answer".to_owned(),
        _ => error.to_string(),
    }
}

/// The JSON at a URL.
async fn get_json(url: String) -> Result<Value, String> {
    let answer = reqwest::get(&url).await.map_err(|error| root_cause(&error))?;
    let status = answer.status();
    if !status.is_success() {
        return Err(format!("GET {url}: {status}"));
    }
    answer.json().await.map_err(|error| format!("GET {url}: {}", root_cause(&error)))
}

/// The text under a key.
fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().map(str::to_owned)
}

/// PD: its version over HTTP.
pub(super) async fn pd(host: IpAddr, port: u16) -> Answer {
    let addr = SocketAddr::new(host, port);
    let answer = get_json(format!("http://{addr}/pd/api/v1/version")).await?;
    match text(&answer, "version") {
        Some(version) => Ok(Some(version)),
        None => Err("the answer is not that of PD".to_owned()),
    }
}

/// Capture: its status.
pub(super) async fn capture(host: IpAddr, port: u16) -> Answer {
    let addr = SocketAddr::new(host, port);
    let answer = get_json(format!("http://{addr}/api/v2/status")).await?;
    match text(&answer, "version") {
        Some(version) => Ok(Some(version)),
        None => Err("the answer is not that of a capture".to_owned()),
    }
}

/// TiKV: a read without a region, which a store refuses in its own words; the version comes from PD.
pub(super) async fn tikv(host: IpAddr, port: u16, pd_port: u16) -> Answer {
    let addr = SocketAddr::new(host, port);
    let pool = ChannelPool::new(Security::none());
    let channel = pool.channel(&addr.to_string()).map_err(|error| error.to_string())?;
    match TikvClient::new(channel).kv_get(GetRequest::default()).await {
        // A store refuses either in its answer or by a status of its own.
        Ok(_) => {}
        Err(status) if std::error::Error::source(&status).is_none() => {
            let code = status.code();
            if matches!(code, tonic::Code::Unavailable | tonic::Code::Unimplemented | tonic::Code::Unknown) {
                return Err(format!("{code:?}: {}", status.message()));
            }
        }
        Err(status) => return Err(root_cause(&status)),
    }
    Ok(tokio::time::timeout(VERSION_TIMEOUT, store_version(addr, pd_port)).await.unwrap_or_default())
}

/// The version of the store at an address, as PD knows it.
async fn store_version(addr: SocketAddr, pd_port: u16) -> Option<String> {
    let pd = SocketAddr::new(addr.ip(), pd_port);
    let client = PdClient::connect_within(&[pd.to_string()], Security::none(), VERSION_TIMEOUT).await.ok()?;
    let stores = client.all_stores().await.ok()?;
    let port = format!(":{}", addr.port());
    let store = stores
        .iter()
        .find(|store| store.address == addr.to_string())
        .or_else(|| stores.iter().find(|store| store.address.ends_with(&port)))?;
    (!store.version.is_empty()).then(|| format!("v{}", store.version.trim_start_matches('v')))
}
