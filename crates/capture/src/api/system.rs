//! The process itself: status, health, timestamps, metrics, log level, and the unsafe calls.

use axum::body::Bytes;
use axum::extract::State as Extract;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use changefeed::FeedError;
use serde::{Deserialize, Serialize};
use tidb_codec::{Redaction, UnknownRedaction};
use tikv_client::Timestamp;
use tracing::info;

use super::Shared;
use super::answer::{ApiError, ApiResult, body, compact, empty, indented};
use super::changefeeds::owner;
use super::models::mask_stored;

/// Locks younger than this are left alone by `resolve_lock` when no ts is given.
const LOCK_AGE_MS: u64 = 60_000;

/// Content type of the metrics.
pub(super) const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Status of the process.
#[derive(Serialize)]
struct Status {
    version: String,
    git_hash: String,
    id: String,
    cluster_id: String,
    pid: u32,
    is_owner: bool,
    liveness: i32,
}

/// GET /status.
pub(crate) async fn status(Extract(state): Extract<Shared>) -> ApiResult {
    Ok(indented(&Status {
        version: state.build.compatible_version.clone(),
        git_hash: state.build.git_hash.clone(),
        id: state.membership.info.id.clone(),
        cluster_id: state.cluster_id.clone(),
        pid: std::process::id(),
        is_owner: state.membership.owner().is_some(),
        liveness: 0,
    }))
}

/// GET /health: healthy if there is an owner and PD answers.
pub(crate) async fn health(Extract(state): Extract<Shared>) -> ApiResult {
    let unhealthy = |reason: String| {
        ApiError(FeedError::new("CDC:ErrClusterIsUnhealthy", format!("TiCDC cluster is unhealthy: {reason}")))
    };
    match state.membership.owner_id().await {
        Ok(Some(_)) => Ok(empty()),
        Ok(None) => Err(unhealthy("there is no owner".to_owned())),
        Err(error) => Err(unhealthy(error.to_string())),
    }
}

/// A timestamp of PD.
#[derive(Serialize)]
struct Tso {
    timestamp: u64,
    logic_time: u64,
}

/// POST /tso.
pub(crate) async fn tso(Extract(state): Extract<Shared>) -> ApiResult {
    let ts =
        state.pd.get_ts().await.map_err(|e| ApiError(FeedError::new("CDC:ErrPDTimestamp", e.to_string())))?;
    let ts = Timestamp(ts);
    Ok(indented(&Tso { timestamp: ts.physical_ms(), logic_time: ts.logical() }))
}

/// The request of log.
#[derive(Default, Deserialize)]
#[serde(default)]
struct LogRequest {
    log_level: String,
}

/// POST /log.
pub(crate) async fn log(Extract(state): Extract<Shared>, bytes: Bytes) -> ApiResult {
    let request: LogRequest = body(&bytes)?;
    let level = request.log_level.to_lowercase();
    let known = matches!(level.as_str(), "debug" | "info" | "warn" | "error" | "trace");
    if !known || (state.set_log_level)(&level).is_err() {
        let message = format!("fail to change log level: {}", request.log_level);
        return Err(ApiError(FeedError::new("CDC:ErrAPIInvalidParam", message)));
    }
    Ok(empty())
}

/// The request of redact.
#[derive(Default, Deserialize)]
#[serde(default)]
struct RedactRequest {
    redact_info_log: String,
}

/// The modes before and after.
#[derive(Serialize)]
struct Redacted {
    previous_mode: &'static str,
    current_mode: &'static str,
}

/// POST /log/redact: as in TiCDC, the mode can only become more restrictive while the process runs.
pub(crate) async fn redact(bytes: Bytes) -> ApiResult {
    let invalid = |message: String| ApiError(FeedError::new("CDC:ErrAPIInvalidParam", message));
    let request: RedactRequest = body(&bytes)?;
    let word = request.redact_info_log.trim();
    if word.is_empty() {
        let message = "missing required field 'redact_info_log': must be 'off', 'on', or 'marker'";
        return Err(invalid(message.to_owned()));
    }
    let wanted: Redaction = word.parse().map_err(|error: UnknownRedaction| invalid(error.to_string()))?;
    match wanted.tighten() {
        Ok(previous) => {
            info!(from = previous.name(), to = wanted.name(), "log redaction mode changed");
            Ok(compact(&Redacted { previous_mode: previous.name(), current_mode: wanted.name() }))
        }
        Err(current) => Err(invalid(format!(
            "cannot transition from '{}' to '{word}': only transitions to more restrictive modes are allowed \
             (OFF→MARKER→ON)",
            current.name()
        ))),
    }
}

/// GET /metrics.
pub(crate) async fn metrics(Extract(state): Extract<Shared>) -> Response {
    ([(header::CONTENT_TYPE, METRICS_TYPE)], state.metrics.text()).into_response()
}

/// A key of the metadata.
#[derive(Serialize)]
struct KeyValue {
    key: String,
    value: String,
}

/// GET /unsafe/metadata.
pub(crate) async fn metadata(Extract(state): Extract<Shared>) -> ApiResult {
    let all = state.membership.metadata().dump().await?;
    let items: Vec<_> =
        all.into_iter().map(|(key, value)| KeyValue { key, value: mask_stored(&value) }).collect();
    Ok(compact(&items))
}

/// The request of resolve_lock.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ResolveRequest {
    region_id: u64,
    ts: u64,
}

/// POST /unsafe/resolve_lock.
pub(crate) async fn resolve_lock(Extract(state): Extract<Shared>, bytes: Bytes) -> ApiResult {
    let request: ResolveRequest = body(&bytes)?;
    let failed = |e: tikv_client::Error| ApiError(FeedError::new("CDC:ErrResolveLocks", e.to_string()));
    let now = Timestamp(state.pd.get_ts().await.map_err(failed)?);
    let default = Timestamp::compose(now.physical_ms().saturating_sub(LOCK_AGE_MS) as i64, 0).0;
    let ts = if request.ts == 0 { default } else { request.ts };
    let region = state.pd.region_by_id(request.region_id).await.map_err(failed)?;
    let Some(region) = region else {
        let message = format!("region {} not found", request.region_id);
        return Err(ApiError(FeedError::new("CDC:ErrAPIInvalidParam", message)));
    };
    let (start, end) = (raw_bound(&region.start)?, raw_bound(&region.end)?);
    state.tikv.lock_resolver().resolve_locks(&start, &end, ts).await.map_err(failed)?;
    Ok(empty())
}

/// The raw key of a region's boundary; an empty boundary is open.
fn raw_bound(encoded: &[u8]) -> Result<Vec<u8>, ApiError> {
    if encoded.is_empty() {
        return Ok(Vec::new());
    }
    let decoded = tidb_codec::memcomparable::decode_bytes(encoded);
    let decoded = decoded
        .map_err(|e| ApiError(FeedError::new("CDC:ErrResolveLocks", format!("region boundary: {e}"))))?;
    Ok(decoded.0)
}

/// DELETE /unsafe/service_gc_safepoint.
pub(crate) async fn delete_service_gc_safepoint(Extract(state): Extract<Shared>) -> ApiResult {
    owner(&state)?.delete_safepoint().await?;
    Ok(empty())
}
