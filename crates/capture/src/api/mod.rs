//! TiCDC's HTTP API, version 2.

mod answer;
mod captures;
mod changefeeds;
mod forward;
mod gate;
mod models;
mod openapi;
mod pages;
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
use crate::tls::Caller;
use crate::users::Users;
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
    /// How captures call each other.
    pub(crate) caller: Caller,
    /// Users that may change changefeeds; `None`: everybody.
    pub(crate) users: Option<Users>,
}

/// Shared state.
pub(crate) type Shared = Arc<ApiState>;

/// Every route.
pub(crate) fn router(state: Shared) -> Router {
    let (mut owned, mut any, mut root) = (Router::new(), Router::new(), Router::new());
    for route in routes::routes() {
        let handler = if route.login {
            route.handler.route_layer(middleware::from_fn_with_state(Arc::clone(&state), gate::known_user))
        } else {
            route.handler
        };
        match route.place {
            Place::Owner => owned = owned.route(route.path, handler),
            Place::Any => any = any.route(route.path, handler),
            Place::Root => root = root.route(route.path, handler),
        }
    }
    let owned = owned.route_layer(middleware::from_fn_with_state(Arc::clone(&state), forward::to_owner));
    root.nest(BASE, any.merge(owned))
        .fallback(answer::not_found)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::map_response(answer::of_framework))
        .with_state(state)
}
