//! The placement driver's HTTP calls, in its JSON shapes.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::Json;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tikv_proto::metapb;
use tikv_proto::pdpb;

use crate::cluster::Cluster;
use crate::config::VERSION;
use crate::node::{Node, unix_seconds};
use crate::region_label;
use crate::service::pd::PdService;

/// Copies of a region: one store, one copy.
const MAX_REPLICAS: u32 = 1;

/// All HTTP calls.
pub(crate) fn router(node: Arc<Node>) -> Router {
    Router::new()
        .route("/pd/api/v1/health", get(health))
        .route("/pd/api/v1/version", get(version))
        .route("/pd/api/v1/status", get(status))
        .route("/pd/api/v1/members", get(members))
        .route("/pd/api/v1/leader", get(leader))
        .route("/pd/api/v1/cluster", get(cluster))
        .route("/pd/api/v1/stores", get(stores))
        .route("/pd/api/v1/store/{id}", get(store))
        .route("/pd/api/v1/config", get(config))
        .route("/pd/api/v1/config/replicate", get(replicate))
        .route("/pd/api/v1/config/cluster-version", get(cluster_version))
        .route("/pd/api/v1/config/region-label/rules", get(region_label::list).patch(region_label::patch))
        .route("/pd/api/v1/config/region-label/rule/{id}", get(region_label::one))
        .route("/pd/api/v1/min-resolved-ts", get(min_resolved_ts))
        .route("/pd/api/v1/gc/safepoint", get(safepoints))
        .route("/pd/api/v1/stats/region", get(region_stats))
        .fallback(not_found)
        .with_state(node)
}

/// Unknown paths: gRPC clients get a status, others a 404.
async fn not_found(headers: HeaderMap) -> Response {
    let content = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if content.starts_with("application/grpc") {
        return tonic::Status::unimplemented("unknown service")
            .into_http::<axum::body::Body>()
            .into_response();
    }
    (StatusCode::NOT_FOUND, "404 page not found\n").into_response()
}

/// The member's state.
async fn health(State(node): State<Arc<Node>>) -> Json<Value> {
    Json(json!([{
        "name": node.name,
        "member_id": node.identity.member_id,
        "client_urls": [node.url],
        "health": !node.stop_token().is_cancelled(),
    }]))
}

/// The version with a leading `v`, as PD writes it.
fn version_tag() -> String {
    format!("v{VERSION}")
}

/// The version.
async fn version() -> Json<Value> {
    Json(json!({ "version": version_tag() }))
}

/// Version and start.
async fn status(State(node): State<Arc<Node>>) -> Json<Value> {
    Json(json!({
        "build_ts": "",
        "version": version_tag(),
        "git_hash": "",
        "start_timestamp": node.started_at,
    }))
}

/// A member in JSON.
fn member_json(member: &pdpb::Member) -> Value {
    json!({
        "name": member.name,
        "member_id": member.member_id,
        "peer_urls": member.peer_urls,
        "client_urls": member.client_urls,
        "deploy_path": "",
        "binary_version": version_tag(),
        "git_hash": "",
    })
}

/// A member in JSON, as leader.
fn leader_json(member: &pdpb::Member) -> Value {
    json!({
        "name": member.name,
        "member_id": member.member_id,
        "peer_urls": member.peer_urls,
        "client_urls": member.client_urls,
    })
}

/// The members and their leader.
async fn members(State(node): State<Arc<Node>>) -> Json<Value> {
    let member = PdService::member(&node);
    Json(json!({
        "header": { "cluster_id": node.identity.cluster_id },
        "members": [member_json(&member)],
        "leader": leader_json(&member),
        "etcd_leader": leader_json(&member),
    }))
}

/// The leader.
async fn leader(State(node): State<Arc<Node>>) -> Json<Value> {
    Json(leader_json(&PdService::member(&node)))
}

/// The cluster.
async fn cluster(State(node): State<Arc<Node>>) -> Json<Value> {
    Json(json!({ "id": node.identity.cluster_id, "max_peer_count": MAX_REPLICAS }))
}

/// A time as RFC 3339 text in UTC.
fn rfc3339(seconds: i64) -> String {
    let since = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    humantime(UNIX_EPOCH + since)
}

/// Days of a Gregorian era (400 years), from which dates are computed.
const ERA_DAYS: i64 = 146_097;

/// RFC 3339 text of a time, to the second.
fn humantime(time: std::time::SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (day, second) = (i64::try_from(seconds / 86_400).unwrap_or(0), seconds % 86_400);
    // Days are counted from 0000-03-01, so that the leap day is the last of a year.
    let shifted = day + 719_468;
    let (era, of_era) = (shifted.div_euclid(ERA_DAYS), shifted.rem_euclid(ERA_DAYS));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day_of_month:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// A size as PD writes it.
fn size_text(bytes: u64) -> String {
    const UNITS: [(&str, u64); 4] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    for (name, unit) in UNITS {
        if bytes >= unit {
            let hundredths = bytes.saturating_mul(100) / unit;
            return format!("{}.{:02}{name}", hundredths / 100, hundredths % 100);
        }
    }
    format!("{bytes}B")
}

/// A store in JSON.
fn store_json(cluster: &Cluster, store: &metapb::Store, now: i64) -> Value {
    let (leaders, regions) = cluster.load_of(store.id);
    let report = cluster.report(store.id);
    let heard = report.map_or(0, |report| now - i64::try_from(report.at.elapsed().as_secs()).unwrap_or(0));
    let stats = report.map(|report| report.stats).unwrap_or_default();
    let uptime = now.saturating_sub(store.start_timestamp).max(0);
    let labels: Vec<Value> =
        store.labels.iter().map(|label| json!({ "key": label.key, "value": label.value })).collect();
    let mut store_part = json!({
        "id": store.id,
        "address": store.address,
        "version": store.version,
        "peer_address": store.peer_address,
        "status_address": store.status_address,
        "git_hash": store.git_hash,
        "start_timestamp": store.start_timestamp,
        "deploy_path": store.deploy_path,
        "last_heartbeat": heard.saturating_mul(1_000_000_000),
        "node_state": store.node_state,
        "state_name": store.state().as_str_name(),
    });
    if !labels.is_empty()
        && let Some(part) = store_part.as_object_mut()
    {
        part.insert("labels".to_owned(), labels.into());
    }
    json!({
        "store": store_part,
        "status": {
            "capacity": size_text(stats.capacity),
            "available": size_text(stats.available),
            "used_size": size_text(stats.used_size),
            "leader_count": leaders,
            "leader_weight": 1,
            "region_count": regions,
            "region_weight": 1,
            "start_ts": rfc3339(store.start_timestamp),
            "last_heartbeat_ts": rfc3339(heard),
            "uptime": format!("{}h{}m{}s", uptime / 3600, uptime / 60 % 60, uptime % 60),
        },
    })
}

/// All stores that are not removed.
async fn stores(State(node): State<Arc<Node>>) -> Json<Value> {
    let now = unix_seconds();
    let stores: Vec<Value> = node.peek(|state| {
        let live = state.cluster.stores().filter(|store| store.state() != metapb::StoreState::Tombstone);
        live.map(|store| store_json(&state.cluster, store, now)).collect()
    });
    Json(json!({ "count": stores.len(), "stores": stores }))
}

/// One store.
async fn store(State(node): State<Arc<Node>>, Path(id): Path<String>) -> Response {
    let Ok(id) = id.parse::<u64>() else {
        return (StatusCode::BAD_REQUEST, Json(json!(format!("{id:?} is not a store id")))).into_response();
    };
    let found = node
        .peek(|state| state.cluster.store(id).map(|store| store_json(&state.cluster, store, unix_seconds())));
    match found {
        Some(store) => Json(store).into_response(),
        None => (StatusCode::NOT_FOUND, Json(json!(format!("store {id} not found")))).into_response(),
    }
}

/// The replication part of the settings.
fn replication_json() -> Value {
    json!({ "max-replicas": MAX_REPLICAS, "location-labels": "", "isolation-level": "" })
}

/// The settings that this server has.
async fn config(State(node): State<Arc<Node>>) -> Json<Value> {
    Json(json!({
        "client-urls": node.url,
        "advertise-client-urls": node.url,
        "peer-urls": node.url,
        "advertise-peer-urls": node.url,
        "name": node.name,
        "cluster-version": VERSION,
        "replication": replication_json(),
    }))
}

/// The replication part of the settings.
async fn replicate() -> Json<Value> {
    Json(replication_json())
}

/// The cluster's version, without the leading `v`.
async fn cluster_version() -> Json<Value> {
    Json(json!(VERSION))
}

/// Safepoints of all services.
async fn safepoints(State(node): State<Arc<Node>>) -> Json<Value> {
    let (services, safe_point) = node.peek(|state| {
        let services: Vec<Value> = state
            .gc
            .services(unix_seconds())
            .map(|service| {
                json!({
                    "service_id": service.id,
                    "expired_at": service.expires_at,
                    "safe_point": service.safe_point,
                })
            })
            .collect();
        (services, state.gc.safe_point())
    });
    Json(json!({ "service_gc_safe_points": services, "gc_safe_point": safe_point }))
}

/// The smallest resolved ts: what PD says while stores are not asked to report theirs (an interval of zero). Clients
/// then ask the stores.
async fn min_resolved_ts() -> Json<Value> {
    Json(json!({ "min_resolved_ts": 0, "persist_interval": "0s", "stores_min_resolved_ts": null }))
}

/// Number of regions.
async fn region_stats(State(node): State<Arc<Node>>) -> Json<Value> {
    Json(json!({ "count": node.peek(|state| state.cluster.region_count()) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_read_as_in_pd() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(rfc3339(1_767_225_599), "2025-12-31T23:59:59Z");
        assert_eq!(size_text(1536), "1.50KiB");
        assert_eq!(size_text(10), "10B");
    }
}
