//! TiCDC's HTTP API, version 2.

mod answer;
mod captures;
mod changefeeds;
mod forward;
mod models;
mod placement;
mod system;
mod tables;
mod why;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post};
use jiff::tz::TimeZone;

use crate::config::{BuildInfo, SetLogLevel};
use crate::election::Membership;
use crate::metrics::Metrics;

/// Path that every route of the API is below.
const BASE: &str = "/api/v2";
/// Largest request body, bytes.
const MAX_BODY_BYTES: usize = 4 << 20;

/// What handlers need.
pub(crate) struct ApiState {
    /// This capture among the others.
    pub(crate) membership: Arc<Membership>,
    /// Cluster id of the captures.
    pub(crate) cluster_id: String,
    /// What was built.
    pub(crate) build: BuildInfo,
    /// Zone in which times are printed.
    pub(crate) time_zone: TimeZone,
    /// Metrics.
    pub(crate) metrics: Metrics,
    /// Timestamps.
    pub(crate) pd: tikv_client::PdClient,
    /// Lock resolution.
    pub(crate) tikv: tikv_client::TikvClient,
    /// Changes the log level.
    pub(crate) set_log_level: SetLogLevel,
    /// Client for forwarding to the owner.
    pub(crate) http: reqwest::Client,
}

/// Shared state.
pub(crate) type Shared = Arc<ApiState>;

/// Every route.
pub(crate) fn router(state: Shared) -> Router {
    let owned = Router::new()
        .route("/changefeeds", get(changefeeds::list).post(changefeeds::create))
        .route(
            "/changefeeds/{id}",
            get(changefeeds::query).put(changefeeds::update).delete(changefeeds::remove),
        )
        .route("/changefeeds/{id}/pause", post(changefeeds::pause))
        .route("/changefeeds/{id}/resume", post(changefeeds::resume))
        .route("/changefeeds/{id}/status", get(changefeeds::status))
        .route("/changefeeds/{id}/synced", get(changefeeds::synced))
        .route("/changefeeds/{id}/meta_info", get(changefeeds::query))
        .route("/changefeeds/{id}/why", get(why::why))
        .route("/changefeeds/{id}/memory", get(why::memory))
        .route("/changefeeds/{id}/tables", get(placement::tables))
        .route("/changefeeds/{id}/get_dispatcher_count", get(placement::dispatcher_count))
        .route("/changefeeds/{id}/move_table", post(placement::move_table))
        .route("/changefeeds/{id}/move_split_table", post(placement::move_table))
        .route("/changefeeds/{id}/split_table_by_region_count", post(placement::split_table))
        .route("/changefeeds/{id}/merge_table", post(placement::split_table))
        .route("/captures/{id}/drain", post(placement::drain))
        .route("/processors", get(captures::processors))
        .route("/processors/{changefeed}/{capture}", get(placement::processor))
        .route("/verify_table", post(tables::verify))
        .route("/get_all_tables", post(tables::verify))
        .route("/owner/resign", post(captures::resign))
        .route("/unsafe/service_gc_safepoint", axum::routing::delete(system::delete_service_gc_safepoint))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&state), forward::to_owner));
    let api = Router::new()
        .route("/status", get(system::status))
        .route("/health", get(system::health))
        .route("/captures", get(captures::list))
        .route("/tso", post(system::tso))
        .route("/log", post(system::log))
        .route("/unsafe/metadata", get(system::metadata))
        .route("/unsafe/resolve_lock", post(system::resolve_lock))
        .merge(owned);
    Router::new()
        .nest(BASE, api)
        .route("/status", get(system::status))
        .route("/metrics", get(system::metrics))
        .fallback(answer::not_found)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(state)
}
