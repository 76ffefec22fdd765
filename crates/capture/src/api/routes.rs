//! The table of routes: the router and `openapi.json` are both made from it, so that neither can know a route that the
//! other does not.

use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};

use super::{Shared, captures, changefeeds, openapi, pages, placement, system, tables, why};

/// Who answers a route, and where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Below the base; every capture answers.
    Any,
    /// Below the base; the owner answers, other captures send the request on.
    Owner,
    /// At the root; every capture answers.
    Root,
}

/// What a route answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// JSON of a shape that is named in [`super::shapes`].
    Json(&'static str),
    /// A list of such shapes with its length.
    List(&'static str),
    /// A bare array of such shapes.
    Array(&'static str),
    /// Text of a content type.
    Text(&'static str),
}

/// One operation.
pub(super) struct Route {
    /// Where it is.
    pub(super) place: Place,
    /// Method.
    pub(super) method: Method,
    /// Path below the base or the root, in axum's notation, which is OpenAPI's.
    pub(super) path: &'static str,
    /// Parameters of the query, all optional: name and meaning.
    pub(super) query: &'static [(&'static str, &'static str)],
    /// Shape of the request's body, which may be left out.
    pub(super) request: Option<&'static str>,
    /// The answer of a success.
    pub(super) answer: Body,
    /// Another content type in which it is given to those who ask for it.
    pub(super) also: Option<&'static str>,
    /// One line for people.
    pub(super) summary: &'static str,
    /// Whether users are asked who they are, if the server is set so. The same routes as in TiCDC; of our own those that
    /// tell as much.
    pub(super) login: bool,
    /// What runs.
    pub(super) handler: MethodRouter<Shared>,
}

impl Route {
    /// A route without parameters and body.
    fn new<H, T>(
        place: Place,
        method: Method,
        path: &'static str,
        handler: H,
        answer: Body,
        summary: &'static str,
    ) -> Self
    where
        H: Handler<T, Shared>,
        T: 'static,
    {
        let filter = match method {
            Method::POST => MethodFilter::POST,
            Method::PUT => MethodFilter::PUT,
            Method::DELETE => MethodFilter::DELETE,
            _ => MethodFilter::GET,
        };
        let handler = on(filter, handler);
        Self {
            place,
            method,
            path,
            query: &[],
            request: None,
            answer,
            also: None,
            summary,
            login: false,
            handler,
        }
    }

    /// Adds a body to the request.
    fn taking(mut self, shape: &'static str) -> Self {
        self.request = Some(shape);
        self
    }

    /// Adds another content type of the answer.
    fn also_as(mut self, content_type: &'static str) -> Self {
        self.also = Some(content_type);
        self
    }

    /// Asks users who they are.
    fn for_users(mut self) -> Self {
        self.login = true;
        self
    }

    /// Adds parameters of the query.
    fn asking(mut self, query: &'static [(&'static str, &'static str)]) -> Self {
        self.query = query;
        self
    }
}

/// Parameters of the calls that move tables.
const MOVE_QUERY: &[(&str, &str)] =
    &[("tableID", "Physical id of the table."), ("targetNodeID", "Id of the capture that is to have it.")];

/// Every route of the capture.
#[rustfmt::skip]
pub(super) fn routes() -> Vec<Route> {
    use Body::{Array, Json, List, Text};
    use Place::{Any, Owner, Root};
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    vec![
        Route::new(Owner, GET, "/changefeeds", changefeeds::list, List("ChangefeedItem"), "Lists changefeeds.")
            .asking(&[("state", "A state, `all`, or nothing for those that are neither finished nor removed.")]),
        Route::new(Owner, POST, "/changefeeds", changefeeds::create, Json("ChangefeedInfo"), "Creates a changefeed.")
            .for_users()
            .taking("ChangefeedConfig"),
        Route::new(Owner, GET, "/changefeeds/{id}", changefeeds::query, Json("ChangefeedInfo"), "A changefeed in full; as TOML its configuration.")
            .also_as(changefeeds::TOML),
        Route::new(Owner, Method::PUT, "/changefeeds/{id}", changefeeds::update, Json("ChangefeedInfo"), "Changes a stopped or failed changefeed.")
            .for_users()
            .taking("ChangefeedConfig"),
        Route::new(Owner, Method::DELETE, "/changefeeds/{id}", changefeeds::remove, Json("EmptyOrNull"), "Removes a changefeed; `null` if there was none.")
            .for_users(),
        Route::new(Owner, POST, "/changefeeds/{id}/pause", changefeeds::pause, Json("Empty"), "Pauses a changefeed.")
            .for_users(),
        Route::new(Owner, POST, "/changefeeds/{id}/resume", changefeeds::resume, Json("Empty"), "Resumes a changefeed.")
            .for_users()
            .taking("ResumeRequest"),
        Route::new(Owner, GET, "/changefeeds/{id}/status", changefeeds::status, Json("ChangefeedStatus"), "Progress of a changefeed.")
            .for_users(),
        Route::new(Owner, GET, "/changefeeds/{id}/synced", changefeeds::synced, Json("Synced"), "Whether everything has arrived.")
            .for_users(),
        Route::new(Owner, GET, "/changefeeds/{id}/meta_info", changefeeds::query, Json("ChangefeedInfo"), "A changefeed in full, under classic TiCDC's path.")
            .also_as(changefeeds::TOML),
        Route::new(Owner, GET, "/changefeeds/{id}/why", why::why, Json("Why"), "What holds the checkpoint, since when, and what would free it.")
            .for_users(),
        Route::new(Owner, GET, "/changefeeds/{id}/memory", why::memory, Json("Memory"), "Memory of a changefeed by stage.")
            .for_users(),
        Route::new(Owner, GET, "/changefeeds/{id}/tables", placement::tables, List("NodeTables"), "Physical tables of a changefeed by capture."),
        Route::new(Owner, GET, "/changefeeds/{id}/get_dispatcher_count", placement::dispatcher_count, Json("DispatcherCount"), "Number of the tables and of the stream of DDLs."),
        Route::new(Owner, POST, "/changefeeds/{id}/move_table", placement::move_table, Json("Empty"), "Moves a table; only to where it is.")
            .for_users()
            .asking(MOVE_QUERY),
        Route::new(Owner, POST, "/changefeeds/{id}/move_split_table", placement::move_table, Json("Empty"), "Moves a part of a table; only to where it is.")
            .for_users()
            .asking(MOVE_QUERY),
        Route::new(Owner, POST, "/changefeeds/{id}/split_table_by_region_count", placement::split_table, Json("Empty"), "Always refused: tables are not split.")
            .for_users(),
        Route::new(Owner, POST, "/changefeeds/{id}/merge_table", placement::split_table, Json("Empty"), "Always refused: tables are not split.")
            .for_users(),
        Route::new(Any, GET, "/captures", captures::list, List("Capture"), "Lists captures."),
        Route::new(Owner, POST, "/captures/{id}/drain", placement::drain, Json("Drained"), "Takes the tables from a standby, which has none."),
        Route::new(Owner, GET, "/processors", captures::processors, List("Processor"), "Running changefeeds and their capture."),
        Route::new(Owner, GET, "/processors/{changefeed}/{capture}", placement::processor, Json("ProcessorTables"), "Tables of a changefeed on a capture."),
        Route::new(Owner, POST, "/verify_table", tables::verify, Json("Tables"), "Tables that a configuration selects.")
            .taking("VerifyRequest"),
        Route::new(Owner, POST, "/get_all_tables", tables::verify, Json("Tables"), "Tables that a configuration selects.")
            .taking("VerifyRequest"),
        Route::new(Any, POST, "/tso", system::tso, Json("Tso"), "A timestamp of PD."),
        Route::new(Any, POST, "/log", system::log, Json("Empty"), "Changes the log level.")
            .taking("LogRequest"),
        Route::new(Any, POST, "/log/redact", system::redact, Json("Redacted"), "Hides values and keys of rows in logs and errors; never less than before.")
            .taking("RedactRequest"),
        Route::new(Owner, POST, "/owner/resign", captures::resign, Json("Empty"), "Makes the owner resign."),
        Route::new(Any, GET, "/status", system::status, Json("Status"), "Status of the process."),
        Route::new(Any, GET, "/health", system::health, Json("Empty"), "Whether there is an owner and PD answers."),
        Route::new(Any, GET, "/unsafe/metadata", system::metadata, Array("KeyValue"), "Metadata in etcd, secrets masked.")
            .for_users(),
        Route::new(Any, POST, "/unsafe/resolve_lock", system::resolve_lock, Json("Empty"), "Resolves the old locks of a region.")
            .for_users()
            .taking("ResolveRequest"),
        Route::new(Owner, Method::DELETE, "/unsafe/service_gc_safepoint", system::delete_service_gc_safepoint, Json("Empty"), "Removes the service's GC safepoint.")
            .for_users(),
        Route::new(Root, GET, "/status", system::status, Json("Status"), "Status of the process."),
        Route::new(Root, GET, "/metrics", system::metrics, Text(system::METRICS_TYPE), "Metrics."),
        Route::new(Root, GET, "/openapi.json", openapi::serve, Json("Document"), "This document."),
        Route::new(Root, GET, "/debug/info", pages::debug_info, Text(pages::TEXT), "Changefeeds of this capture, as text.")
            .for_users(),
        Route::new(Root, GET, "/swagger/index.html", pages::swagger, Text(pages::HTML), "The routes, as a page."),
        Route::new(Root, GET, "/swagger/doc.json", openapi::serve, Json("Document"), "This document, under TiCDC's path."),
    ]
}
