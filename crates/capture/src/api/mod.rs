//! TiCDC's HTTP API, version 2.

mod answer;
mod captures;
mod changefeeds;
mod forward;
mod models;
mod openapi;
mod placement;
mod routes;
mod shapes;
mod system;
mod tables;
mod why;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use jiff::tz::TimeZone;

use crate::config::{BuildInfo, SetLogLevel};
use crate::election::Membership;
use crate::metrics::Metrics;
use routes::Place;

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
    let (mut owned, mut any, mut root) = (Router::new(), Router::new(), Router::new());
    for route in routes::routes() {
        match route.place {
            Place::Owner => owned = owned.route(route.path, route.handler),
            Place::Any => any = any.route(route.path, route.handler),
            Place::Root => root = root.route(route.path, route.handler),
        }
    }
    let owned = owned.route_layer(middleware::from_fn_with_state(Arc::clone(&state), forward::to_owner));
    root.nest(BASE, any.merge(owned))
        .fallback(answer::not_found)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::map_response(answer::of_framework))
        .with_state(state)
}
